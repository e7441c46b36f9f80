"""Profiles, agreements and blocks over HTTP: who may tell, ask and close what, and who is told."""

from typing import Any

import pytest

from accounts import blocking, consenting, organising
from accounts.models import AuditRow, Consent, Organisation, User, Worker
from accounts.queries import pseudonym_of
from marketplace.api import ids
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db


def signed_in(worker: Worker) -> Api:
    assert worker.user is not None
    return Api(user=worker.user)


def an_admin() -> User:
    user = build.a_user("Admin")
    organising.give_platform_role(user, "admin", given_by=None)
    return user


def an_owner() -> tuple[Organisation, Api, str]:
    owner = build.a_user("Owner")
    organisation = build.an_organisation("North", owner=owner)
    return organisation, Api(user=owner), ids.public("org", organisation.pk)


def pointers(response: Any) -> list[str]:
    return [fault["pointer"] for fault in response.json()["errors"]]


def test_a_profile_is_changed_field_by_field() -> None:
    worker = build.a_worker()
    api = signed_in(worker)

    api.patch("workers/me/profile", {"country": "de", "languages": [{"language": "EN", "level": "C1"}]})
    response = api.patch("workers/me/profile", {"device": "phone"})

    assert response.status_code == 200
    assert response.json() == api.get("workers/me/profile").json() == {
        "country": "DE",
        "time_zone": "",
        "education": "",
        "device": "phone",
        "languages": [{"language": "en", "level": "C1"}],
    }  # fmt: skip
    wrong = api.patch("workers/me/profile", {"country": "XX"})
    assert (wrong.status_code, wrong.json()["type"], pointers(wrong)) == (
        400,
        "/problems/profile-refused",
        ["/country"],
    )


def test_private_facts_are_read_and_changed_by_their_person_and_by_no_key() -> None:
    worker = build.a_worker()
    api = signed_in(worker)

    api.patch("workers/me/private", {"legal_name": "Ada Byron", "phone": "+44 20 7946 0958"})
    response = api.patch("workers/me/private", {"phone": ""})

    empty = {"birth_date": "", "address": "", "phone": ""}
    assert response.json() == api.get("workers/me/private").json() == {"legal_name": "Ada Byron", **empty}
    key = with_key(build.a_worker_key(worker))
    assert key.get("workers/me/private").status_code == 403
    assert key.patch("workers/me/private", {"phone": ""}).status_code == 403
    wrong = api.patch("workers/me/private", {"birth_date": "yesterday"})
    assert (wrong.status_code, pointers(wrong)) == (400, ["/birth_date"])
    assert "Byron" not in str(list(AuditRow.objects.values_list("before", "after")))


def test_a_worker_reads_what_is_asked_and_agrees_to_it() -> None:
    organisation, owner, org = an_owner()
    build.some_tasks(build.a_live_job(organisation), 2)
    quiet = consenting.publish_terms(
        organisation=build.an_organisation(), kind="nda", title="No work here", text="T.", published_by=None
    )
    worker = build.a_worker()
    api = signed_in(worker)
    published = owner.post(f"organisations/{org}/terms", {"title": "Silence", "text": "Tell\nnobody."})
    terms = published.json()["id"]
    assert (published.status_code, published.json()["version"]) == (201, 1)

    refused = api.post("claims", {})
    asked = api.get("workers/me/agreements").json()["results"]
    agreed = api.post(f"workers/me/agreements/{terms}")

    assert refused.json()["type"] == "/problems/nothing-to-claim"
    assert [(one["id"], one["organisation"], one["agreed_at"]) for one in asked] == [(terms, "North", None)]
    assert agreed.status_code == 200
    assert agreed.json()["agreed_at"]
    assert api.post("claims", {}).status_code == 200
    assert Consent.objects.get().worker == worker
    assert api.post(f"workers/me/agreements/{ids.public('trm', quiet.pk)}").status_code == 404


def test_a_claim_for_a_closed_job_names_what_is_missing() -> None:
    organisation, owner, org = an_owner()
    job = build.a_live_job(organisation)
    build.some_tasks(job, 2)
    owner.post(f"organisations/{org}/terms", {"title": "Silence", "text": "Tell nobody."})
    worker = build.a_worker()

    refused = with_key(build.a_worker_key(worker)).post("claims", {"job": ids.public("job", job.pk)})

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/consent-missing")
    assert refused.json()["detail"] == "Read and agree first to: Silence of North (version 1)."
    assert refused.json()["missing"] == 1


def test_a_key_cannot_agree_for_its_person() -> None:
    terms = consenting.publish_terms(kind="terms", title="Rules", text="Be honest.", published_by=None)

    response = with_key(build.a_worker_key()).post(f"workers/me/agreements/{ids.public('trm', terms.pk)}")

    assert response.status_code == 403
    assert not Consent.objects.exists()


def test_only_admins_publish_for_the_platform_and_every_worker_is_asked() -> None:
    worker = build.a_worker()
    body = {"kind": "privacy", "title": "Privacy", "text": "We keep little."}

    assert signed_in(worker).post("terms", body).status_code == 403
    assert an_owner()[1].post("terms", body).status_code == 403
    admin = Api(user=an_admin())
    published = admin.post("terms", body)

    assert (published.status_code, published.json()["kind"]) == (201, "privacy")
    assert signed_in(worker).post("claims", {}).json()["type"] == "/problems/consent-missing"
    assert [one["id"] for one in admin.get("terms").json()["results"]] == [published.json()["id"]]
    assert admin.post(f"terms/{published.json()['id']}/withdraw").json()["current"] is False
    assert signed_in(worker).post("claims", {}).json()["type"] == "/problems/nothing-to-claim"


def test_an_organisation_withdraws_its_own_text_once_and_never_anothers() -> None:
    _, owner, org = an_owner()
    terms = owner.post(f"organisations/{org}/terms", {"title": "Silence", "text": "Hush."}).json()["id"]

    assert an_owner()[1].post(f"terms/{terms}/withdraw").status_code == 404
    assert owner.post(f"terms/{terms}/withdraw").status_code == 200
    again = owner.post(f"terms/{terms}/withdraw")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/terms-not-current")


def test_a_block_is_made_by_answer_or_by_pseudonym_and_seen_by_its_worker() -> None:
    organisation, owner, org = an_owner()
    first, second = build.some_tasks(build.a_live_job(organisation), 2)
    cheat, other = build.a_worker(), build.a_worker()
    answer = build.an_answer(first, worker=cheat)
    build.an_answer(second, worker=other)
    called = pseudonym_of(organisation, other.pk)

    by_answer = owner.post(
        f"organisations/{org}/blocks", {"answer": ids.public("ans", answer.pk), "reason": "Copied.", "days": 3}
    )
    by_name = owner.post(f"organisations/{org}/blocks", {"worker": called, "reason": "Rude."})

    assert (by_answer.status_code, by_answer.json()["worker"]) == (201, pseudonym_of(organisation, cheat.pk))
    assert (by_name.status_code, by_name.json()["worker"], by_name.json()["ends_at"]) == (201, called, None)
    assert {one["reason"] for one in owner.get(f"organisations/{org}/blocks").json()["results"]} == {"Copied.", "Rude."}
    [mine] = signed_in(cheat).get("workers/me/blocks").json()["results"]
    assert (mine["organisation"], mine["reason"]) == ("North", "Copied.")
    assert "worker" not in mine


def test_whom_to_block_is_said_once_and_is_somebody_of_the_organisations_jobs() -> None:
    organisation, owner, org = an_owner()
    [task] = build.some_tasks(build.a_live_job(), 1)
    foreign = build.an_answer(task)
    answer = ids.public("ans", foreign.pk)
    called = pseudonym_of(organisation, foreign.worker_id)
    bodies = (
        ({"reason": "Why."}, "/worker"),
        ({"reason": "Why.", "answer": answer, "worker": called}, "/worker"),
        ({"reason": "Why.", "answer": answer}, "/answer"),
        ({"reason": "Why.", "worker": called}, "/worker"),
        ({"worker": called}, "/reason"),
        ({"reason": "Why.", "worker": called, "days": 0}, "/days"),
    )

    for body, pointer in bodies:
        response = owner.post(f"organisations/{org}/blocks", body)
        assert (response.status_code, pointers(response)) == (400, [pointer]), body


def test_a_block_is_lifted_by_whoever_made_it_and_by_nobody_else() -> None:
    organisation, owner, _ = an_owner()
    worker = build.a_worker()
    block = blocking.block_worker(worker, organisation=organisation, reason="Why.", blocked_by=None)
    address = f"blocks/{ids.public('blk', block.pk)}/lift"

    for other in (an_owner()[1], signed_in(worker), Api(user=an_admin())):
        assert other.post(address, {"reason": "Please."}).status_code == 404
    lifted = owner.post(address, {"reason": "A mistake."})

    assert (lifted.status_code, lifted.json()["lifted_reason"]) == (200, "A mistake.")
    assert owner.post(address, {"reason": "Again."}).json()["type"] == "/problems/block-ended"


def test_an_admin_blocks_everywhere_and_organisations_never_see_it() -> None:
    _, owner, org = an_owner()
    worker, admin = build.a_worker(), an_admin()

    made = Api(user=admin).post("blocks", {"worker": ids.public("wrk", worker.pk), "reason": "Sold it."})

    assert made.status_code == 201
    assert owner.get(f"organisations/{org}/blocks").json()["results"] == []
    assert owner.post(f"blocks/{made.json()['id']}/lift", {"reason": "No."}).status_code == 404
    assert signed_in(worker).post("claims", {}).json()["reason"] == "Sold it."
    assert len(Api(user=admin).get("blocks").json()["results"]) == 1


def test_an_admin_without_a_second_factor_is_told_to_add_one() -> None:
    api = Api(user=an_admin(), second_factor=False)
    terms = consenting.publish_terms(kind="terms", title="Rules", text="Be.", published_by=None)
    block = blocking.block_worker(build.a_worker(), reason="Why.", blocked_by=None)

    told = [
        api.get("blocks"),
        api.post("terms", {"title": "T", "text": "T"}),
        api.post(f"terms/{ids.public('trm', terms.pk)}/withdraw"),
        api.post(f"blocks/{ids.public('blk', block.pk)}/lift", {"reason": "Why."}),
    ]

    assert {one.json()["type"] for one in told} == {"/problems/second-factor-needed"}

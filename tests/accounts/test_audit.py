"""Every change of people and permissions leaves a row that nobody can write, change or remove by hand."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from accounts import keys, organising
from accounts.audit import ACTOR_MAX, acting, named
from accounts.models import AuditRow, Organisation, User, Worker
from accounts.queries import audit_rows
from tests import build
from tests.guards import violates


@pytest.mark.django_db
def test_a_change_is_on_record_in_the_name_of_who_acts() -> None:
    organisation = build.an_organisation()

    with acting("user:7", impersonator="user:1"):
        organising.add_member(organisation, user=build.a_user(), role="manager")

    row = audit_rows(organisation_id=organisation.pk).filter(subject="accounts_membership")[0]
    assert (row.actor, row.impersonator, row.action) == ("user:7", "user:1", "insert")
    assert row.before is None
    assert row.after is not None
    assert row.after["role"] == "manager"
    assert str(row).endswith(f"user:7 insert accounts_membership {row.subject_id}")


@pytest.mark.django_db
def test_names_nest_and_an_inner_failure_brings_the_outer_one_back() -> None:
    worker = build.a_worker()

    def rename(name: str) -> None:
        Worker.objects.filter(pk=worker.pk).update(name=name)

    with acting("user:1"):
        with acting("user:2", impersonator="user:9"):
            rename("inner")
        rename("outer")
        with contextlib.suppress(ZeroDivisionError), acting("user:3"):
            raise ZeroDivisionError
        rename("after a failure")
    rename("outside")

    rows = audit_rows(subject="accounts_worker", subject_id=worker.pk)[:4]
    assert [(row.actor, row.impersonator) for row in rows][1:] == [("user:1", ""), ("user:1", ""), ("user:2", "user:9")]


def test_a_name_without_a_transaction_holds_for_every_one_in_the_block_and_not_after(committed_db: str) -> None:
    user = build.a_user()

    def rename(name: str) -> str:
        User.objects.filter(pk=user.pk).update(name=name)
        return AuditRow.objects.filter(subject="accounts_user", subject_id=user.pk).latest("id").actor

    with named("user:7"):
        assert not connection.in_atomic_block
        assert rename("A") == "user:7"
        with acting("user:8"):
            assert rename("B") == "user:8"
        assert rename("C") == "user:7"
    assert rename("D").startswith("database:")
    with pytest.raises(ZeroDivisionError), named("user:9"):
        raise ZeroDivisionError
    assert rename("E").startswith("database:")
    with pytest.raises(ValueError, match="1 to 80"), named(""):
        pass


@pytest.mark.django_db
def test_without_a_name_the_record_says_which_database_role_wrote() -> None:
    organisation = build.an_organisation()

    assert audit_rows(organisation_id=organisation.pk)[0].actor == "database:touchstone_app"


def test_a_name_ends_with_its_transaction(committed_db: str) -> None:
    worker = build.a_worker()

    with acting("user:1"):
        pass
    Worker.objects.filter(pk=worker.pk).update(name="later")

    assert audit_rows(subject="accounts_worker", subject_id=worker.pk)[0].actor == "database:touchstone_app"


@pytest.mark.parametrize("actor", ["", "x" * (ACTOR_MAX + 1)])
@pytest.mark.django_db
def test_a_name_that_would_not_fit_is_an_error(actor: str) -> None:
    with pytest.raises(ValueError, match="an actor has"), acting(actor):
        pass


@pytest.mark.django_db
def test_an_update_of_many_rows_leaves_a_row_for_each() -> None:
    workers = [build.a_worker() for _ in range(3)]

    with acting("sweep:test"):
        Worker.objects.filter(pk__in=[one.pk for one in workers]).update(state="paused")

    rows = audit_rows(actor="sweep:test")
    assert sorted(row.subject_id for row in rows) == sorted(one.pk for one in workers)
    assert {((row.before or {})["state"], (row.after or {})["state"]) for row in rows} == {("active", "paused")}


@pytest.mark.django_db
def test_bookkeeping_alone_leaves_no_row() -> None:
    key, _ = build.a_worker_key()
    before = AuditRow.objects.count()

    keys.mark_used(key)

    assert AuditRow.objects.count() == before


@pytest.mark.django_db
def test_secrets_and_addresses_never_stand_in_the_audit() -> None:
    user = build.a_user("Dora Example", password="correct horse battery staple")
    organisation = build.an_organisation("North", owner=user)
    key, secret = build.an_organisation_key(organisation)
    Organisation.objects.filter(pk=organisation.pk).update(name="South", pseudonym_key=b"\x07" * 32)
    User.objects.filter(pk=user.pk).update(password=make_password("another password"), is_staff=True)

    rows = list(AuditRow.objects.values("before", "after"))
    text = json.dumps(rows)
    fields = {name for row in rows for side in ("before", "after") for name in row[side] or {}}
    assert not fields & {"digest", "pseudonym_key", "password", "email", "last_login"}
    for hidden in (
        secret,
        bytes(key.digest).hex(),
        bytes(organisation.pseudonym_key).hex(),
        user.email,
        "Dora Example",
    ):
        assert hidden not in text
    assert '"South"' in text


# Each audit trigger, with an act whose change it must catch, and the table it watches.
AUDITED: dict[str, tuple[str, Callable[[], object]]] = {
    "user_is_audited": ("accounts_user", build.a_user),
    "platform_role_is_audited": (
        "accounts_platformrole",
        lambda: organising.give_platform_role(build.a_user(), "support"),
    ),
    "organisation_is_audited": ("accounts_organisation", build.an_organisation),
    "membership_is_audited": ("accounts_membership", build.an_organisation),
    "api_key_is_audited": ("accounts_apikey", build.a_worker_key),
    "worker_is_audited": ("accounts_worker", build.a_worker),
}


@pytest.mark.parametrize("trigger", AUDITED)
@pytest.mark.django_db
def test_each_table_of_people_is_watched(trigger: str) -> None:
    table, act = AUDITED[trigger]

    with acting("user:77"):
        act()

    assert audit_rows(actor="user:77", subject=table).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s", [trigger])
        assert cursor.fetchall() == [(table,)]


def test_even_the_owner_cannot_write_an_unknown_action(
    committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        owner_connection.execute(
            "INSERT INTO accounts_auditrow (actor, action, subject, subject_id) VALUES ('x', 'look', 'y', 1)"
        )
    assert refused.value.diag.constraint_name == "audit_action_is_known"


FORBIDDEN = {
    "insert": "INSERT INTO accounts_auditrow (actor, action, subject, subject_id) VALUES ('x', 'insert', 'y', 1)",
    "update": "UPDATE accounts_auditrow SET actor = 'somebody else'",
    "delete": "DELETE FROM accounts_auditrow",
    "truncate": "TRUNCATE accounts_auditrow",
}


@pytest.mark.parametrize("operation", FORBIDDEN)
def test_the_app_role_cannot_touch_the_audit(
    operation: str, committed_db: str, app_connection: psycopg.Connection[Any]
) -> None:
    build.a_user()

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(FORBIDDEN[operation])


# UPDATE and DELETE meet audit_is_append_only, TRUNCATE meets audit_is_never_emptied, which reports the same rule.
@pytest.mark.parametrize("operation", ["update", "delete", "truncate"])
def test_the_owner_cannot_rewrite_the_audit_either(
    operation: str, committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    build.a_user()

    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute(FORBIDDEN[operation])
    assert refused.value.diag.constraint_name == "audit_is_append_only"


@pytest.mark.django_db
def test_through_the_orm_the_audit_is_closed_too() -> None:
    build.a_user()

    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        AuditRow.objects.update(actor="nobody")
    with violates("one_user_an_email"):  # and the transaction goes on
        User.objects.create(email=User.objects.latest("pk").email.upper())


@pytest.mark.django_db
def test_the_record_is_found_by_organisation_subject_and_actor() -> None:
    with acting("user:3"):
        north, south = build.an_organisation(), build.an_organisation()

    assert {row.organisation_id for row in audit_rows(organisation_id=north.pk)} == {north.pk}
    found = audit_rows(subject="accounts_organisation", subject_id=south.pk, actor="user:3")
    assert [row.subject_id for row in found] == [south.pk]
    assert not audit_rows(actor="user:4").exists()

"""Searching the audit: by what, whom and when; owners read theirs, and never who a worker is elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts import organising
from accounts.audit import acting
from accounts.models import AuditRow, Organisation, User
from accounts.queries import pseudonym_of
from marketplace.api import ids
from qualification import granting
from tests import build
from tests.marketplace.api.client import Api

pytestmark = pytest.mark.django_db


def an_admin() -> Api:
    user = build.a_user()
    organising.give_platform_role(user, "admin", given_by=None)
    return Api(user=user)


def results(api: Api, **query: str) -> list[dict[str, Any]]:
    response = api.get("audit", **query)
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def test_it_is_searched_by_what_whom_and_when() -> None:
    owner = build.a_user()
    with acting(f"user:{owner.pk}"):
        organisation = build.an_organisation("North", owner=owner)
    with acting("sweep:test"):
        Organisation.objects.filter(pk=organisation.pk).update(name="South")
    admin, about = an_admin(), ids.public("org", organisation.pk)

    [renamed, founded] = results(admin, about=about)
    assert (founded["action"], founded["after"]["name"]) == ("insert", "North")
    assert (renamed["before"]["name"], renamed["after"]["name"]) == ("North", "South")
    assert renamed["subject_id"] == about
    assert [row["action"] for row in results(admin, about=about, action="update")] == ["update"]
    assert [row["actor"] for row in results(admin, about=about, actor="sweep:test")] == ["sweep:test"]
    mine = ids.public("usr", owner.pk)
    assert {row["actor"] for row in results(admin, actor=mine)} == {mine}
    [member] = results(admin, subject="accounts_membership", actor=mine)
    assert (member["after"]["user"], member["after"]["organisation"]) == (mine, about)
    last = AuditRow.objects.get(pk=ids.number("aud", renamed["id"])).at
    assert results(admin, about=about, until=last.isoformat())[0]["id"] == founded["id"]
    assert [row["id"] for row in results(admin, about=about, since=last.isoformat())] == [renamed["id"]]
    assert results(admin, about=about, since=(last + timedelta(days=1)).isoformat()) == []


def test_a_search_that_makes_no_sense_is_refused_by_field() -> None:
    admin = an_admin()

    assert admin.get("audit", about="no such id").json()["errors"][0]["pointer"] == "/about"
    assert admin.get("audit", about="org_" + "a" * 26).status_code == 404
    assert admin.get("audit", since="yesterday").json()["errors"][0]["pointer"] == "/since"
    assert admin.get("audit", action="look").json()["errors"][0]["pointer"] == "/action"


def test_an_owner_reads_theirs_alone_and_a_manager_nothing() -> None:
    owner, other = build.a_user(), build.a_user()
    organisation = build.an_organisation(owner=owner)
    foreign = build.an_organisation("Foreign", owner=other)
    manager = build.a_user()
    organising.add_member(organisation, user=manager, role="manager")

    assert {row["organisation"] for row in results(Api(user=owner))} == {ids.public("org", organisation.pk)}
    assert results(Api(user=owner), about=ids.public("org", foreign.pk)) == []
    assert Api(user=owner).get("audit", organisation=ids.public("org", foreign.pk)).status_code == 404
    assert Api(user=manager).get("audit").status_code == 403
    weak = Api(user=owner, second_factor=False).get("audit")
    assert (weak.status_code, weak.json()["type"]) == (403, "/problems/second-factor-needed")


def test_two_owners_cannot_join_what_they_read_of_one_worker() -> None:
    worker = build.a_worker("Wanda")
    said: list[set[str]] = []
    for name in ("North", "South"):
        owner = build.a_user()
        organisation = build.an_organisation(name, owner=owner)
        with acting(f"user:{worker.user_id}"):
            granting.grant_qualification(
                worker,
                build.a_domain(organisation=organisation),
                level=1,
                source="admin",
                organisation=organisation,
                reason="known",
            )
        key, _ = build.a_worker_key(worker)
        with acting(f"key:{key.pk}"):
            Organisation.objects.filter(pk=organisation.pk).update(name=f"{name} again")
        rows = [row for row in results(Api(user=owner)) if row["subject"] != "accounts_membership"]
        text = str(rows)
        called = pseudonym_of(organisation, worker.pk)
        assert called in text
        for secret in (
            ids.public("wrk", worker.pk),
            ids.public("usr", worker.user_id or 0),
            ids.public("key", key.pk),
            "Wanda",
        ):
            assert secret not in text
        [granted] = [row for row in rows if row["subject"] == "qualification_qualification"]
        assert (granted["actor"], granted["after"]["worker"]) == (called, called)
        [renamed] = [row for row in rows if row["action"] == "update" and row["subject"] == "accounts_organisation"]
        assert renamed["actor"] == called
        said.append({value for row in rows for value in (row["actor"], row["subject_id"]) if value})
    assert said[0] & said[1] <= {"database:touchstone_app"}


def test_a_former_member_and_the_platform_are_told_as_such() -> None:
    owner, former = build.a_user(), build.a_user()
    organisation = build.an_organisation(owner=owner)
    organising.add_member(organisation, user=former, role="owner")
    staff = build.a_user()
    for user in (former, staff):
        with acting(f"user:{user.pk}"):
            Organisation.objects.filter(pk=organisation.pk).update(name=f"by {user.pk}")
    organising.remove_member(organisation, user=User.objects.get(pk=former.pk))

    updates = results(Api(user=owner), subject="accounts_organisation", action="update")

    assert [row["actor"] for row in updates] == ["platform", ids.public("usr", former.pk)]

"""Looking through a user's eyes: by support, with a reason, for 15 minutes, and on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts import impersonating, organising
from accounts.models import Impersonation, User
from accounts.queries import audit_rows
from tests import build
from tests.guards import violates

AT = datetime(2031, 5, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def a_supporter(role: str = "support") -> User:
    user = build.a_user()
    organising.give_platform_role(user, role, given_by=None)
    return user


def test_start_and_stop_are_on_record() -> None:
    supporter, target = a_supporter(), build.a_user()

    found = impersonating.start_impersonation(supporter, target=target, reason=" ticket 7 ")
    impersonating.stop_impersonation(supporter)

    assert found.reason == "ticket 7"
    rows = audit_rows(subject="accounts_impersonation", subject_id=found.pk)
    assert [(row.action, row.actor) for row in rows] == [
        ("update", f"user:{supporter.pk}"),
        ("insert", f"user:{supporter.pk}"),
    ]
    assert (rows[1].after or {})["target_id"] == target.pk


def test_it_holds_for_fifteen_minutes_and_no_longer() -> None:
    supporter = a_supporter()
    found = impersonating.start_impersonation(supporter, target=build.a_user(), reason="why", at=AT)

    def held(at: datetime) -> bool:
        return impersonating.current_impersonation(found.pk, supporter=supporter, at=at) is not None

    assert held(AT + timedelta(minutes=14, seconds=59))
    assert not held(AT + timedelta(minutes=15))
    assert impersonating.end_passed(supporter, at=AT + timedelta(minutes=20)) == 1
    assert Impersonation.objects.get(pk=found.pk).ended_at == found.ends_at
    with violates("an_impersonation_lasts_15_minutes_at_most"):
        Impersonation.objects.create(
            supporter=supporter, target=build.a_user(), reason="why", started_at=AT, ends_at=AT + timedelta(minutes=16)
        )


def test_a_second_one_ends_the_first() -> None:
    supporter = a_supporter("admin")
    first = impersonating.start_impersonation(supporter, target=build.a_user(), reason="why")
    second = impersonating.start_impersonation(supporter, target=build.a_user(), reason="why")

    assert impersonating.current_impersonation(first.pk, supporter=supporter) is None
    assert impersonating.current_impersonation(second.pk, supporter=supporter) is not None


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_there_is_no_looking_without_a_reason(reason: str) -> None:
    with pytest.raises(impersonating.ImpersonationNeedsReason):
        impersonating.start_impersonation(a_supporter(), target=build.a_user(), reason=reason)


@pytest.mark.parametrize("role", ["", "verifier", "treasurer"])
def test_only_support_looks(role: str) -> None:
    user = a_supporter(role) if role else build.a_user()
    target = build.a_user()

    with pytest.raises(impersonating.NotSupport):
        impersonating.start_impersonation(user, target=target, reason="why")
    with violates("only_support_impersonates"):
        Impersonation.objects.create(
            supporter=user, target=target, reason="why", started_at=AT, ends_at=AT + timedelta(minutes=1)
        )


def test_nobody_looks_through_the_eyes_of_who_runs_the_platform_nor_through_ones_own() -> None:
    supporter = a_supporter()
    closed = build.a_user(is_active=False)
    for target in (supporter, a_supporter("verifier"), a_supporter("treasurer"), build.a_user(is_staff=True), closed):
        with pytest.raises(impersonating.NotToBeImpersonated):
            impersonating.start_impersonation(supporter, target=target, reason="why")
        with violates("only_support_impersonates"):
            Impersonation.objects.create(
                supporter=supporter, target=target, reason="why", started_at=AT, ends_at=AT + timedelta(minutes=1)
            )


def test_it_is_over_when_either_is_no_longer_who_they_were() -> None:
    supporter, target = a_supporter(), build.a_user()
    found = impersonating.start_impersonation(supporter, target=target, reason="why")
    other = a_supporter()
    assert impersonating.current_impersonation(found.pk, supporter=other) is None

    organising.give_platform_role(target, "verifier", given_by=None)
    assert impersonating.current_impersonation(found.pk, supporter=supporter) is None
    target.platform_roles.all().delete()
    User.objects.filter(pk=target.pk).update(is_staff=False)
    assert impersonating.current_impersonation(found.pk, supporter=supporter) is not None
    supporter.platform_roles.all().delete()
    assert impersonating.current_impersonation(found.pk, supporter=supporter) is None


def test_an_impersonation_is_evidence() -> None:
    supporter = a_supporter()
    found = impersonating.start_impersonation(supporter, target=build.a_user(), reason="why")
    rows = Impersonation.objects.filter(pk=found.pk)

    for change in (
        {"reason": "another"},
        {"target": build.a_user()},
        {"ends_at": found.ends_at - timedelta(seconds=1)},
    ):
        with violates("an_impersonation_only_ends"):
            rows.update(**change)
    impersonating.stop_impersonation(supporter)
    with violates("an_impersonation_only_ends"):
        rows.update(ended_at=None)
    with violates("an_impersonation_is_kept"):
        rows.delete()
    with violates("an_impersonation_has_a_reason"):
        Impersonation.objects.create(
            supporter=supporter, target=build.a_user(), reason="", started_at=AT, ends_at=AT + timedelta(minutes=1)
        )

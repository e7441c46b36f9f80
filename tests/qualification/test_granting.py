"""A qualification is granted anew and revoked once, never edited, and claiming hears of each change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.models import AuditRow, Worker
from accounts.queries import instant
from qualification import granting
from qualification.models import Domain, Qualification
from qualification.queries import standings
from tests import build
from tests.guards import violates
from tests.races import at_once, waits_for

DAY = timedelta(days=1)


def epoch_of(worker: Worker) -> int:
    return Worker.objects.values_list("standing_epoch", flat=True).get(pk=worker.pk)


@pytest.mark.django_db
def test_a_grant_is_standing_and_raises_the_epoch() -> None:
    worker, domain, fay = build.a_worker(), build.a_domain(), build.a_user("Fay")

    granted = granting.grant_qualification(worker, domain, level=2, source="admin", granted_by=fay, reason="Known.")

    assert standings(worker.pk) == {domain.pk: 2}
    assert (granted.granted_by, granted.reason, granted.revoked_at) == (fay, "Known.", None)
    assert epoch_of(worker) == 1


@pytest.mark.django_db
def test_another_level_replaces_the_standing_row_and_keeps_it_on_record() -> None:
    first = build.a_qualification(level=1)

    second = granting.grant_qualification(first.worker, first.domain, level=3, source="admin")

    first.refresh_from_db()
    assert first.revoked_at == second.granted_at
    assert first.revoked_reason == "replaced by level 3"
    assert first.level == 1
    assert standings(first.worker_id) == {first.domain_id: 3}
    assert epoch_of(first.worker) == 2


@pytest.mark.django_db
def test_an_admin_may_lower_a_level() -> None:
    first = build.a_qualification(level=4)

    granting.grant_qualification(first.worker, first.domain, level=2, source="admin")

    assert standings(first.worker_id) == {first.domain_id: 2}


@pytest.mark.django_db
def test_granting_the_same_again_changes_nothing() -> None:
    first = build.a_qualification(level=2)

    again = granting.grant_qualification(first.worker, first.domain, level=2, source="admin")

    assert again == first


@pytest.mark.django_db
def test_an_exam_never_lowers_or_shortens_what_is_held() -> None:
    held = build.a_qualification(level=3)
    later = instant(None) + DAY

    for level in (1, 3):
        assert (
            granting.grant_qualification(held.worker, held.domain, level=level, source="exam", expires_at=later) == held
        )


@pytest.mark.django_db
def test_an_exam_renews_what_would_end_sooner() -> None:
    now = instant(None)
    held = build.a_qualification(level=3, expires_at=now + DAY)

    renewed = granting.grant_qualification(held.worker, held.domain, level=3, source="exam", expires_at=now + 2 * DAY)

    assert renewed != held
    assert renewed.expires_at == now + 2 * DAY


@pytest.mark.django_db
def test_an_expired_level_is_no_standing_and_does_not_stop_a_new_grant() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    held = build.a_qualification(level=4, at=start, expires_at=start + DAY)

    assert standings(held.worker_id, at=start + DAY / 2) == {held.domain_id: 4}
    assert standings(held.worker_id, at=start + DAY) == {}
    granting.grant_qualification(
        held.worker, held.domain, level=1, source="exam", at=start + 2 * DAY, expires_at=start + 9 * DAY
    )

    assert standings(held.worker_id, at=start + 2 * DAY) == {held.domain_id: 1}


@pytest.mark.django_db
def test_a_future_grant_is_no_standing_yet() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    held = build.a_qualification(at=start)

    assert standings(held.worker_id, at=start - DAY) == {}


@pytest.mark.django_db
def test_an_organisations_grant_counts_for_its_own_jobs_only() -> None:
    north, south = build.an_organisation(), build.an_organisation()
    worker, domain = build.a_worker(), build.a_domain()
    build.a_qualification(worker, domain, level=1)
    build.a_qualification(worker, domain, level=4, organisation=north)

    assert standings(worker.pk) == {domain.pk: 1}
    assert standings(worker.pk, organisation_id=north.pk) == {domain.pk: 4}
    assert standings(worker.pk, organisation_id=south.pk) == {domain.pk: 1}


@pytest.mark.django_db
def test_one_organisation_cannot_grant_in_the_domain_of_another() -> None:
    north, south = build.an_organisation(), build.an_organisation()
    own = build.a_domain("invoices", organisation=north)

    build.a_qualification(domain=own, organisation=north)
    with pytest.raises(granting.DomainNotOfOrganisation):
        build.a_qualification(domain=own, organisation=south)
    with pytest.raises(granting.DomainNotOfOrganisation):
        build.a_qualification(domain=own)


@pytest.mark.parametrize("level", [0, 6, -1])
@pytest.mark.django_db
def test_a_level_is_one_to_five(level: int) -> None:
    with pytest.raises(granting.LevelOutOfBand):
        build.a_qualification(level=level)


@pytest.mark.django_db
def test_a_grant_cannot_expire_before_it_is_given() -> None:
    worker = build.a_worker()

    with pytest.raises(granting.QualificationExpiryPassed):
        build.a_qualification(worker, expires_at=instant(None) - DAY)
    assert epoch_of(worker) == 0


@pytest.mark.django_db
def test_a_revocation_has_a_reason_and_a_name_and_happens_once() -> None:
    held = build.a_qualification()

    with pytest.raises(granting.RevocationNeedsReason):
        granting.revoke_qualification(held, reason=" ", actor="user:9")
    granting.revoke_qualification(held, reason="The licence lapsed.", actor="user:9")
    with pytest.raises(granting.AlreadyRevoked):
        granting.revoke_qualification(held, reason="Again.", actor="user:9")

    assert standings(held.worker_id) == {}
    assert epoch_of(held.worker) == 2
    row = AuditRow.objects.filter(subject="qualification_qualification", subject_id=held.pk).latest("id")
    assert (row.actor, (row.after or {})["revoked_reason"]) == ("user:9", "The licence lapsed.")


@pytest.mark.django_db
def test_grants_and_changes_are_audited() -> None:
    held = build.a_qualification()

    rows = AuditRow.objects.filter(subject="qualification_qualification", subject_id=held.pk)
    assert [row.action for row in rows] == ["insert"]  # qualification_is_audited


def test_of_two_grants_at_once_both_happen_one_after_the_other(committed_db: str) -> None:
    worker, domain = build.a_worker(), build.a_domain()

    at_once([partial(granting.grant_qualification, worker, domain, level=level, source="admin") for level in (1, 2)])

    assert Qualification.objects.filter(worker=worker).count() == 2
    assert Qualification.objects.filter(worker=worker, revoked_at__isnull=True).count() == 1
    assert epoch_of(worker) == 2


def test_of_two_revocations_at_once_one_is_refused(committed_db: str) -> None:
    held = build.a_qualification()

    told = at_once([lambda: granting.revoke_qualification(held, reason="Fraud.", actor="user:1")] * 2)

    assert sorted(type(one).__name__ for one in told) == ["AlreadyRevoked", "Qualification"]


@pytest.mark.django_db
def test_one_standing_a_domain() -> None:
    held = build.a_qualification()

    with violates("one_standing_a_domain"):
        Qualification.objects.create(
            worker=held.worker, domain=held.domain, level=2, source="admin", granted_at=held.granted_at
        )


@pytest.mark.parametrize(
    ("constraint", "field", "value"),
    [
        ("qualification_level_in_band", "level", 6),
        ("qualification_source_is_known", "source", "friend"),
        ("qualification_expires_after_it_starts", "expires_at", datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
@pytest.mark.django_db
def test_the_database_refuses_a_grant_that_cannot_be(constraint: str, field: str, value: object) -> None:
    row: dict[str, Any] = {
        "worker": build.a_worker(),
        "domain": build.a_domain(),
        "level": 1,
        "source": "admin",
        "granted_at": instant(None),
        field: value,
    }

    with violates(constraint):
        Qualification.objects.create(**row)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE qualification_qualification SET level = 5",
        "UPDATE qualification_qualification SET granted_at = granted_at - interval '1 day'",
        "UPDATE qualification_qualification SET expires_at = NULL, revoked_at = now()",
        "DELETE FROM qualification_qualification",
    ],
)
@pytest.mark.django_db
def test_a_standing_row_is_only_ever_revoked(statement: str) -> None:
    build.a_qualification(expires_at=instant(None) + DAY)

    with violates("qualification_is_only_revoked"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_a_revoked_row_does_not_come_back() -> None:
    held = build.a_qualification()
    granting.revoke_qualification(held, reason="Fraud.", actor="user:1")

    with violates("qualification_is_only_revoked"):
        Qualification.objects.filter(pk=held.pk).update(revoked_at=None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE qualification_qualification SET level = 5",
        "DELETE FROM qualification_qualification",
        "TRUNCATE qualification_qualification CASCADE",  # qualifications_are_never_emptied
    ],
)
def test_the_owner_cannot_rewrite_qualifications_either(
    statement: str, committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    build.a_qualification()

    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute(statement)
    assert refused.value.diag.constraint_name == "qualification_is_only_revoked"
    assert Domain.objects.count() == 1


@pytest.mark.parametrize("act", ["another level", "revoked"])
def test_the_time_of_an_end_is_taken_after_the_claims_that_rest_on_it_are_through(
    committed_db: str, owner_connection: psycopg.Connection[Any], act: str
) -> None:
    held = build.a_qualification(level=3)
    acts: dict[str, Callable[[], object]] = {
        "another level": partial(
            granting.grant_qualification, held.worker, held.domain, level=2, source="admin", reason="Lower."
        ),
        "revoked": partial(granting.revoke_qualification, held, reason="Fraud.", actor="user:1"),
    }
    begun = instant(None)

    waits_for(
        owner_connection,
        "SELECT FROM qualification_qualification WHERE id = %s FOR SHARE",
        [held.pk],
        acts[act],
    )

    held.refresh_from_db()
    assert held.revoked_at is not None
    assert held.revoked_at - begun > timedelta(seconds=0.4)


@pytest.mark.django_db
def test_nobody_grants_themself_a_qualification_under_any_of_their_accounts() -> None:
    worker, other, domain = build.a_worker(), build.a_worker(), build.a_domain()
    verifier = worker.user
    assert verifier is not None
    Worker.objects.filter(pk=other.pk).update(person_id=worker.pk)

    for one in (worker, other):
        with pytest.raises(granting.OwnQualification):
            granting.grant_qualification(one, domain, level=5, source="admin", granted_by=verifier)
    assert not Qualification.objects.exists()
    granting.grant_qualification(build.a_worker(), domain, level=5, source="admin", granted_by=verifier)
    granting.grant_qualification(worker, domain, level=5, source="admin", granted_by=build.a_user())
    assert Qualification.objects.count() == 2

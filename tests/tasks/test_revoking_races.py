"""Doubts that a revocation raises, and revocations that race claims, grants and each other."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from accounts.queries import instant
from accounts.refusals import Refusal
from qualification.models import Qualification
from tasks import claiming, queries
from tasks.models import AnswerFlag
from tasks.revoking import Revoked, revoke_credential
from tests.bench.revoke import passed, race
from tests.guards import violates
from tests.races import at_once, waits_for
from tests.tasks.test_revoking import a_clinic, broken

REASON = "The board withdrew the licence."
DAY = timedelta(days=1)


@pytest.mark.django_db
def test_a_doubt_is_raised_once_cleared_once_and_never_edited_or_removed() -> None:
    clinic = a_clinic()
    [lease] = clinic.claim()
    clinic.answer(lease)
    revoke_credential(clinic.credential, reason=REASON, actor="user:7")
    flag = AnswerFlag.objects.get()
    at = flag.flagged_at

    with violates("a_doubt_is_raised_once"):
        AnswerFlag.objects.create(
            assignment_id=flag.assignment_id, job_id=1, kind=flag.kind, credential_id=flag.credential_id, flagged_at=at
        )
    with violates("flag_kind_is_known"):
        AnswerFlag.objects.create(assignment_id=flag.assignment_id, job_id=1, kind="dislike", flagged_at=at)
    for change in ({"note": "Something else."}, {"flagged_at": at + DAY}, {"kind": "qualification_revoked"}):
        with violates("flag_is_only_cleared"):
            AnswerFlag.objects.update(**change)
    with violates("flag_is_only_cleared"):
        AnswerFlag.objects.all().delete()
    AnswerFlag.objects.update(cleared_at=at + DAY)
    assert queries.flags_of(clinic.job.pk) == []
    with violates("flag_is_only_cleared"):
        AnswerFlag.objects.update(cleared_at=None)


def test_flags_are_never_emptied_even_by_their_owner(
    committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute("TRUNCATE tasks_answerflag")

    assert refused.value.diag.constraint_name == "flags_are_never_emptied"


def test_a_revocation_waits_for_a_claim_that_is_under_way_and_takes_its_time_afterwards(
    committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    clinic = a_clinic()
    begun = instant(None)

    came = waits_for(
        owner_connection,
        "SELECT pg_advisory_xact_lock(%s)",
        [clinic.worker.pk],
        partial(revoke_credential, clinic.credential, reason=REASON, actor="user:7"),
    )

    assert came.qualifications == 1
    [grant] = Qualification.objects.filter(credential=clinic.credential)
    assert grant.revoked_at is not None
    assert grant.revoked_at - begun > timedelta(seconds=0.4)


@pytest.mark.django_db
def test_a_grant_that_came_after_a_claim_began_is_for_the_next_one() -> None:
    clinic = a_clinic()

    with pytest.raises(claiming.NotQualified):
        claiming.claim_tasks(clinic.worker.pk, job_id=clinic.job.pk, at=instant(None) - timedelta(minutes=1))

    assert len(clinic.claim()) == 1


def test_of_two_who_revoke_at_once_one_is_refused_and_answers_are_flagged_once(committed_db: str) -> None:
    clinic = a_clinic()
    answered, _held = clinic.claim(2)
    clinic.answer(answered)

    came = at_once([partial(revoke_credential, clinic.credential, reason=REASON, actor="user:7")] * 2)

    assert sorted(isinstance(one, Refusal) for one in came) == [False, True]
    assert [one for one in came if isinstance(one, Revoked)] == [Revoked(1, 1, 1)]
    assert broken() == []


@pytest.mark.timeout(180)
def test_no_answer_rests_on_nothing_when_revocations_race_claims(committed_db: str) -> None:
    found = race(committed_db, processes=2, races=120, workers=6, seconds_max=90)

    assert passed(found), found
    assert found["races"] == 120

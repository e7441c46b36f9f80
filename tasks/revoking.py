"""Revoking: what somebody held is taken away, and everything that rested on it with it, in one act.

1. Lock the worker, by the same key as a claim does: a claim comes before this, and its lease is ended here; or after
   it, and is refused. There is nothing between.
2. End the credential and the qualifications that rest on it.
3. End the open leases that needed them; their slots are open again at once. A lease that another grant still meets
   goes on.
4. Flag the answers that were given on them. Money is not touched: an answer that was given is reviewed and paid like
   any other, and whoever reviews and releases sees the flag.

All of it is one transaction, with an audit row for each credential, qualification, lease and flag. The reason is read
by the worker: on the credential, and on the lease that they lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts import people, verifying
from accounts.audit import acting
from accounts.models import Credential
from accounts.queries import instant
from qualification import granting
from qualification.models import Qualification
from tasks.models import AnswerFlag


@dataclass(frozen=True, slots=True)
class Revoked:
    """How much came with it: qualifications that ended, leases taken back, answers flagged."""

    qualifications: int
    leases: int
    answers: int


def revoke_credential(credential: Credential, *, reason: str, actor: str, at: datetime | None = None) -> Revoked:
    """Revoke a verified credential and everything that rests on it.

    Answers given on a qualification that the credential had opened and that ended before this are flagged too.
    Raises RevocationNeedsReason, and what ``accounts.verifying.end_credential`` raises where it is not verified.
    """
    _need(reason)
    with acting(actor):
        now = _hold(credential.worker_id, at)
        verifying.end_credential(credential, state=Credential.State.REVOKED, reason=reason, actor=actor, at=now)
        opened = list(Qualification.objects.filter(credential_id=credential.pk).order_by("pk"))
        standing = [one for one in opened if one.revoked_at is None]
        for one in standing:
            granting.revoke_qualification(one, reason=reason, actor=actor, at=now)
        kind = AnswerFlag.Kind.CREDENTIAL_REVOKED
        leases = _take_leases_back(credential.worker_id, standing, reason, now)
        answers = _flag_answers(
            credential.worker_id, opened, kind=kind, credential_id=credential.pk, note=reason, at=now
        )
    return Revoked(len(standing), leases, answers)


def revoke_qualification(
    qualification: Qualification, *, reason: str, actor: str, at: datetime | None = None
) -> Revoked:
    """Revoke one qualification, whatever it rests on, and what rests on it.

    Raises RevocationNeedsReason, AlreadyRevoked.
    """
    _need(reason)
    worker_id = qualification.worker_id
    with acting(actor):
        now = _hold(worker_id, at)
        granting.revoke_qualification(qualification, reason=reason, actor=actor, at=now)
        kind = AnswerFlag.Kind.QUALIFICATION_REVOKED
        leases = _take_leases_back(worker_id, [qualification], reason, now)
        answers = _flag_answers(worker_id, [qualification], kind=kind, credential_id=None, note=reason, at=now)
    return Revoked(1, leases, answers)


def _need(reason: str) -> None:
    if not reason.strip():
        raise granting.RevocationNeedsReason


def _hold(worker_id: int, at: datetime | None) -> datetime:
    """Keep claims, submits and grants of this worker out; the time, which is taken after those before us are through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [worker_id])
    people.hold(worker_id)
    return instant(at)


def _take_leases_back(worker_id: int, ended: Sequence[Qualification], reason: str, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT take_leases_back(%s::bigint, %s::bigint[], %s::text, %s::timestamptz)",
            [worker_id, [one.domain_id for one in ended], reason, at],
        )
        return int(cursor.fetchone()[0])


def _flag_answers(
    worker_id: int, grants: Sequence[Qualification], *, kind: str, credential_id: int | None, note: str, at: datetime
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT flag_answers(%s::bigint, %s::bigint[], %s::text, %s::bigint, %s::text, %s::timestamptz)",
            [worker_id, [one.pk for one in grants], kind, credential_id, note, at],
        )
        return int(cursor.fetchone()[0])

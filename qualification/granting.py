"""Granting and revoking qualifications.

A qualification is never edited: a change revokes the standing row and grants a new one, so that an assignment can
always be traced to what its worker held when it was given. Each change raises the worker's standing epoch in the same
transaction, which tells claiming to look again.

What rests on a credential stands in rows of its own: it neither replaces an exam's or an admin's grant nor is replaced
by one, so that each ends with what it rests on.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.audit import acting
from accounts.documents import of_same_person
from accounts.models import Credential, Organisation, User, Worker
from accounts.people import standing_changed
from accounts.queries import instant
from accounts.refusals import Refusal
from qualification.models import LEVEL_MAX, Attempt, Domain, Qualification


class AlreadyRevoked(Refusal):
    """This qualification was revoked before."""


class LevelOutOfBand(Refusal):
    """A level is a whole number from 1 to 5."""


class QualificationExpiryPassed(Refusal):
    """The qualification would have expired before it was granted."""


class RevocationNeedsReason(Refusal):
    """Say why this qualification is revoked; the worker will read it."""


class OwnQualification(Refusal):
    """Nobody grants themself a qualification: somebody else decides about yours."""


class DomainNotOfOrganisation(Refusal):
    """This domain belongs to another organisation."""


@transaction.atomic
def grant_qualification(
    worker: Worker,
    domain: Domain,
    *,
    level: int,
    source: str,
    granted_by: User | None = None,
    attempt: Attempt | None = None,
    credential: Credential | None = None,
    organisation: Organisation | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> Qualification:
    """Give ``worker`` a ``level`` in ``domain``, everywhere or (``organisation``) for that organisation's jobs.

    1. Raise the standing epoch; its row lock also lines up grants to one worker.
    2. Lock the standing row, so that claims which rest on it are through before the time is taken: what a lease rests
       on was never revoked before the lease began.
    3. A standing row that says the same stays and is returned; a passed exam never lowers a level.
    4. Otherwise revoke the standing row and grant the new one.

    Raises LevelOutOfBand, QualificationExpiryPassed, DomainNotOfOrganisation, OwnQualification where ``granted_by`` is
    the person who would hold it, under any of their accounts.
    """
    organisation_id = None if organisation is None else organisation.pk
    if not 1 <= level <= LEVEL_MAX:
        raise LevelOutOfBand
    if domain.organisation_id not in {None, organisation_id}:
        raise DomainNotOfOrganisation
    standing_changed(worker.pk)
    if granted_by is not None and of_same_person(worker.pk).filter(user_id=granted_by.pk).exists():
        raise OwnQualification
    standing = {
        "worker": worker,
        "domain": domain,
        "organisation": organisation,
        "credential": credential,
        "revoked_at": None,
    }
    held = Qualification.objects.select_for_update(of=("self",)).filter(**standing).first()
    now = instant(at)
    if expires_at is not None and expires_at <= now:
        raise QualificationExpiryPassed
    if held is not None:
        if _suffices(held, level=level, source=source, expires_at=expires_at, now=now):
            return held
        _end(held, reason=f"replaced by level {level}", at=now)
    return Qualification.objects.create(
        **standing,
        level=level,
        source=source,
        attempt=attempt,
        granted_by=granted_by,
        reason=reason,
        granted_at=now,
        expires_at=expires_at,
    )


@transaction.atomic
def revoke_qualification(
    qualification: Qualification, *, reason: str, actor: str, at: datetime | None = None
) -> Qualification:
    """Take a qualification away; no claim is given on it any more.

    Leases that are out are no business of this floor: ``tasks.revoking`` ends them, and calls this.
    Raises AlreadyRevoked, RevocationNeedsReason.
    """
    if not reason.strip():
        raise RevocationNeedsReason
    with acting(actor):
        standing_changed(qualification.worker_id)
        Qualification.objects.select_for_update(of=("self",)).filter(pk=qualification.pk).first()
        _end(qualification, reason=reason, at=instant(at))
    return qualification


def _suffices(held: Qualification, *, level: int, source: str, expires_at: datetime | None, now: datetime) -> bool:
    """Whether the standing row already says all that a new one would."""
    if held.expires_at is not None and held.expires_at <= now:
        return False
    if held.level == level and held.expires_at == expires_at:
        return True
    if source != Qualification.Source.EXAM:
        return False
    lasts = held.expires_at is None or (expires_at is not None and held.expires_at >= expires_at)
    return held.level > level or (held.level == level and lasts)


def _end(qualification: Qualification, *, reason: str, at: datetime) -> None:
    # Compare and set: only a standing row can be revoked, and only once.
    standing = Qualification.objects.filter(pk=qualification.pk, revoked_at__isnull=True)
    if standing.update(revoked_at=at, revoked_reason=reason) != 1:
        raise AlreadyRevoked
    qualification.revoked_at, qualification.revoked_reason = at, reason

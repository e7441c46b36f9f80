"""Support looks through a user's eyes: read-only, for at most 15 minutes, with a reason, and on record from start to end.

Whose eyes: anybody's but one's own and those of people who hold a platform role or may use the admin. It is over when it
is stopped, when its time has passed, and as soon as either of the two is no longer who they were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from accounts.audit import acting
from accounts.models import Impersonation, PlatformRole, User
from accounts.queries import instant, moment
from accounts.refusals import Refusal

LASTS = timedelta(minutes=15)
REASON_MAX = 500
SUPPORTING = frozenset({PlatformRole.Role.SUPPORT.value, PlatformRole.Role.ADMIN.value})


class NotSupport(Refusal):
    """Only support and admins of the platform look through other people's eyes."""


class NotToBeImpersonated(Refusal):
    """Nobody looks through their own eyes, through those of who runs the platform, or through a closed account's."""


class ImpersonationNeedsReason(Refusal):
    """Say in 1 to 500 letters why you need to see what they see."""


def start_impersonation(supporter: User, *, target: User, reason: str, at: datetime | None = None) -> Impersonation:
    """Open a time in which ``supporter`` sees what ``target`` sees; one that is open already ends.

    Raises ImpersonationNeedsReason, NotSupport, NotToBeImpersonated.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_MAX:
        raise ImpersonationNeedsReason
    if not (supporter.is_active and _supports(supporter)):
        raise NotSupport
    if target.pk == supporter.pk or not _may_be_seen(target):
        raise NotToBeImpersonated
    now = instant(at)
    try:
        with acting(f"user:{supporter.pk}"):
            _open(supporter).update(ended_at=now)
            return Impersonation.objects.create(
                supporter=supporter, target=target, reason=reason, started_at=now, ends_at=now + LASTS
            )
    except IntegrityError as error:  # a role that came or went between the look and the row
        raise NotToBeImpersonated from error


def stop_impersonation(supporter: User, *, at: datetime | None = None) -> int:
    """End what is open; returns how many that were, which is one or none."""
    with acting(f"user:{supporter.pk}"):
        return _open(supporter).update(ended_at=moment(at))


def current_impersonation(number: int, *, supporter: User, at: datetime | None = None) -> Impersonation | None:
    """The impersonation of this number if it is ``supporter``'s and still holds, with its target; else None."""
    rows = Impersonation.objects.select_related("target", "supporter").filter(
        pk=number, supporter_id=supporter.pk, ended_at__isnull=True, ends_at__gt=moment(at)
    )
    found = rows.first()
    if found is None or found.target is None or not supporter.is_active:
        return None
    return found if _supports(supporter) and _may_be_seen(found.target) else None


@transaction.atomic
def end_passed(supporter: User, *, at: datetime | None = None) -> int:
    """Write down the end of what ran out, or may go on no longer; returns how many."""
    with acting(f"user:{supporter.pk}"):
        passed = _open(supporter).filter(ends_at__lte=moment(at)).update(ended_at=F("ends_at"))
        return passed + _open(supporter).update(ended_at=moment(at))


def _open(supporter: User) -> QuerySet[Impersonation]:
    return Impersonation.objects.filter(supporter_id=supporter.pk, ended_at__isnull=True)


def _supports(user: User) -> bool:
    return PlatformRole.objects.filter(user_id=user.pk, role__in=SUPPORTING).exists()


def _may_be_seen(user: User) -> bool:
    runs = user.is_staff or user.is_superuser or PlatformRole.objects.filter(user_id=user.pk).exists()
    return user.is_active and not runs

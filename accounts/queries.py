"""What others may ask about people: their roles, their organisations, and what was done in whose name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, Func, QuerySet, Value
from django.db.models.expressions import Expression

from accounts.models import AuditRow, Membership, Organisation, PlatformRole, User, Worker
from accounts.opaque import pseudonym


@dataclass(frozen=True, slots=True)
class MemberOf:
    """One organisation that a user belongs to, and their role in it."""

    organisation_id: int
    name: str
    role: str


def moment(at: datetime | None) -> Expression:
    """``at`` as SQL; without it, the database's clock when the statement runs."""
    if at is None:
        return Func(function="clock_timestamp", output_field=DateTimeField())
    return Value(at, output_field=DateTimeField())


def instant(at: datetime | None) -> datetime:
    """``at``; without it, what the database's clock says now (one round trip)."""
    if at is not None:
        return at
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert isinstance(now, datetime)
    return now


def roles_of(user: User) -> frozenset[str]:
    """The user's roles on the platform; a superuser is an admin."""
    roles = set(PlatformRole.objects.filter(user_id=user.pk).values_list("role", flat=True))
    return frozenset(roles | ({PlatformRole.Role.ADMIN.value} if user.is_superuser else set()))


def organisations_of(user: User) -> list[MemberOf]:
    """The organisations that the user belongs to, by name."""
    rows = Membership.objects.filter(user_id=user.pk).order_by("organisation__name", "organisation_id")
    return [MemberOf(*row) for row in rows.values_list("organisation_id", "organisation__name", "role")]


def role_in(user: User, organisation_id: int) -> str | None:
    """The user's role in an organisation; None for who is no member."""
    return (
        Membership.objects.filter(user_id=user.pk, organisation_id=organisation_id)
        .values_list("role", flat=True)
        .first()
    )


def worker_of(user: User) -> Worker | None:
    """The worker that this user is; None for who never signed up as one."""
    return Worker.objects.filter(user_id=user.pk).first()


def pseudonym_of(organisation: Organisation, worker_id: int) -> str:
    """What this organisation calls the worker."""
    return pseudonym(settings.PUBLIC_ID_KEY, bytes(organisation.pseudonym_key), worker_id)


def audit_rows(
    *, organisation_id: int | None = None, subject: str = "", subject_id: int | None = None, actor: str = ""
) -> QuerySet[AuditRow]:
    """What was changed, last first: of one organisation, of one row of table ``subject``, or by one actor."""
    rows = AuditRow.objects.order_by("-id")
    if organisation_id is not None:
        rows = rows.filter(organisation_id=organisation_id)
    if subject:
        rows = rows.filter(subject=subject)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    return rows.filter(actor=actor) if actor else rows

"""What others may ask about people: their roles, their organisations, and what was done in whose name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, Func, QuerySet, Value
from django.db.models.expressions import Expression

from accounts.models import ApiKey, AuditRow, Membership, Organisation, PlatformRole, User, Worker
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


def insiders_of(organisation_ids: Iterable[int]) -> frozenset[tuple[int, int]]:
    """Who belongs, or has ever belonged, to these organisations: pairs of organisation and user."""
    rows = AuditRow.objects.filter(
        subject="accounts_membership", action="insert", organisation_id__in=list(organisation_ids)
    )
    pairs = rows.values_list("organisation_id", "after__user_id")
    return frozenset((organisation_id, user_id) for organisation_id, user_id in pairs if organisation_id and user_id)


def is_key_of(key_id: int, organisation_id: int | None) -> bool:
    """Is it a key of this organisation?"""
    if organisation_id is None:
        return False
    return ApiKey.objects.filter(pk=key_id, organisation_id=organisation_id, worker__isnull=True).exists()


class Pseudonyms:
    """What some organisations call workers; None where there is no such worker, or no such organisation."""

    def __init__(self, organisation_ids: Iterable[int]) -> None:
        self._organisations = Organisation.objects.in_bulk(list(organisation_ids))

    def of_worker(self, organisation_id: int | None, worker_id: int) -> str | None:
        """By the worker's number."""
        organisation = self._organisations.get(organisation_id or 0)
        return None if organisation is None else pseudonym_of(organisation, worker_id)

    def of_user(self, organisation_id: int | None, user_id: int) -> str | None:
        """By the number of the user that the worker is."""
        worker_id = Worker.objects.filter(user_id=user_id).values_list("pk", flat=True).first()
        return None if worker_id is None else self.of_worker(organisation_id, worker_id)

    def of_key(self, organisation_id: int | None, key_id: int) -> str | None:
        """By the number of a key of the worker's."""
        worker_id = ApiKey.objects.filter(pk=key_id).values_list("worker_id", flat=True).first()
        return None if worker_id is None else self.of_worker(organisation_id, worker_id)

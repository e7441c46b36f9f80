"""What we hold about a person: all of it told when they ask, and destroyed when they leave.

Erasing keeps the worker's row as an opaque number, so that books, answers, consents and the audit still add up, and takes
away everything that says whose number it was: the account, the names, the key that opens their sealed data, and their
documents. What may stand in the way is listed by :func:`what_stands_in_the_way`; the act that begins on the line and ends
here is :func:`tasks.erasing.erase_person`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Q

from accounts import documents, seats
from accounts.models import (
    ApiKey,
    Approval,
    Assessment,
    AuditRow,
    Block,
    Consent,
    Credential,
    CredentialStep,
    DoomedFile,
    Evidence,
    EvidenceView,
    Impersonation,
    Invitation,
    Membership,
    Organisation,
    PlatformRole,
    Profile,
    Signal,
    SpokenLanguage,
    User,
    Worker,
)
from accounts.queries import moment

log = logging.getLogger(__name__)

GONE = "erased"
"""Stands where a rule wants a reason and the reason was about a person."""
NO_DIGEST = b""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of an export: its name in the archive and its content."""

    name: str
    content: bytes


# What is told


def facts_about(user: User) -> dict[str, Any]:
    """Everything in the tables of this floor about a person, as JSON: who they are, what they filed, agreed to and did."""
    worker = Worker.objects.filter(user=user).first()
    told: dict[str, Any] = {
        "user": {
            "email": user.email,
            "name": user.name,
            "active": user.is_active,
            "since": user.created_at,
            "last_sign_in": user.last_login,
        },
        "platform_roles": _rows(PlatformRole.objects.filter(user=user), "role", "created_at"),
        "organisations": _rows(
            Membership.objects.filter(user=user), "organisation__name", "role", "created_at"
        ),
        "invitations": _rows(
            Invitation.objects.filter(email__iexact=user.email),
            "organisation__name", "role", "created_at", "expires_at", "accepted_at", "withdrawn_at",
        ),
        "support_looked_through_your_eyes": _rows(
            Impersonation.objects.filter(target=user), "reason", "started_at", "ends_at", "ended_at"
        ),
    }  # fmt: skip
    return told if worker is None else told | _facts_about_worker(worker)


def documents_of(user: User) -> Iterator[Document]:
    """The person's documents that are still kept, one at a time."""
    rows = Evidence.objects.filter(credential__worker__user=user, removed_at__isnull=True).order_by("pk")
    for evidence in rows.select_related("credential", "credential__worker"):
        suffix = evidence.content_type.rpartition("/")[2]
        # One whose file the sweep has just taken is not there to be told.
        with suppress(FileNotFoundError):
            yield Document(f"documents/{evidence.pk}.{suffix}", documents.content_of(evidence))


def changes_by(user: User) -> Iterator[AuditRow]:
    """Every row of the audit that was written in this person's name, oldest first, with other people's numbers in it."""
    return AuditRow.objects.filter(actor=f"user:{user.pk}").order_by("pk").iterator(2_000)


def _facts_about_worker(worker: Worker) -> dict[str, Any]:
    credentials = Credential.objects.filter(worker=worker).select_related("type", "worker").order_by("pk")
    return {
        "worker": {"name": worker.name, "state": worker.state, "reason": worker.state_reason, "since": worker.created_at},
        "profile": _rows(Profile.objects.filter(worker=worker), "country", "time_zone", "education", "device"),
        "languages": _rows(SpokenLanguage.objects.filter(worker=worker), "language", "level"),
        "agreements": _rows(
            Consent.objects.filter(worker=worker),
            "terms__kind", "terms__version", "terms__title", "terms__organisation__name", "given_at",
        ),
        "blocks": _rows(
            Block.objects.filter(worker=worker),
            "organisation__name", "reason", "starts_at", "ends_at", "lifted_at", "lifted_reason",
        ),
        "credentials": [_credential(credential) for credential in credentials],
        "keys": _rows(
            ApiKey.objects.filter(worker=worker),
            "name", "scopes", "addresses", "created_at", "expires_at", "last_used_at", "revoked_at",
        ),
        "shared_signs_seen": _rows(Signal.objects.filter(worker=worker), "kind", "seen_at"),
    }  # fmt: skip


def _credential(credential: Credential) -> dict[str, Any]:
    views = EvidenceView.objects.filter(evidence__credential=credential).order_by("pk")
    return {
        "type": credential.type.name,
        "state": credential.state,
        "source": credential.source,
        "issuer": credential.issuer,
        "jurisdiction": credential.jurisdiction,
        "sealed": documents.details_of(credential),
        "registry_said": credential.registry_result,
        "issued_on": credential.issued_on,
        "expires_on": credential.expires_on,
        "filed_at": credential.filed_at,
        "verified_at": credential.verified_at,
        "valid_until": credential.valid_until,
        "reason": credential.reason,
        "steps": _rows(credential.steps.order_by("pk"), "act", "note", "at"),
        "assessments": _rows(
            credential.assessments.order_by("pk"), "scheduled_at", "place", "scores", "points", "passed", "note"
        ),
        "documents": _rows(
            credential.evidence.order_by("pk"), "pk", "name", "content_type", "bytes", "pages", "filed_at", "removed_at"
        ),
        "documents_were_looked_at": [view.at for view in views],
    }


def _rows(rows: Any, *columns: str) -> list[dict[str, Any]]:
    """Each row as a mapping; ``organisation__name`` is told as ``organisation``."""
    return [
        {name.removesuffix("__name").replace("__", "_"): value for name, value in row.items()}
        for row in rows.values(*columns)
    ]


# What is destroyed


def what_stands_in_the_way(user: User, *, is_idle: Callable[[int], bool]) -> list[str]:
    """Sentences on what must be settled before this person can be erased; locks what decides it until the end of the
    transaction, so that of two last owners who leave at once one is kept.

    ``is_idle`` says of an organisation whether it has neither work nor money left: of such a one the last member may go.
    """
    owned = Membership.objects.filter(user=user, role=Membership.Role.OWNER).values("organisation_id")
    found = [
        f"You are the last owner of {organisation.name}: make somebody else an owner first, or leave it empty, without"
        " other members, open jobs and money."
        for organisation in Organisation.objects.select_for_update(no_key=True).filter(pk__in=owned).order_by("pk")
        if not seats.other_owners(organisation.pk, user.pk).exists()
        and (
            Membership.objects.filter(organisation=organisation).exclude(user=user).exists()
            or not is_idle(organisation.pk)
        )
    ]
    try:
        seats.keep_an_admin(user)
    except seats.LastAdmin:
        found.append("You are the last admin of the platform: make somebody else an admin first.")
    return found


@transaction.atomic
def forget_person(user: User, *, addresses: Sequence[str] = (), at: datetime | None = None) -> int:
    """Destroy what says who this person is; returns how many files are to be removed by the sweep.

    ``addresses`` are further email addresses of theirs. The worker's row stays, without a name and for good.
    """
    worker = Worker.objects.select_for_update(no_key=True, of=("self",)).filter(user=user).first()
    mine = {user.email, *addresses}
    names = {name for name in (user.name, "" if worker is None else worker.name, *mine) if name}
    doomed = 0 if worker is None else _forget_worker(worker, at)
    of_mine = Q()
    for address in mine:
        of_mine |= Q(email__iexact=address)
    Invitation.objects.filter(of_mine).delete()
    ApiKey.objects.filter(created_by=user, revoked_at__isnull=True).update(revoked_at=moment(at))
    Impersonation.objects.filter(target=user).update(target=None, reason=GONE)
    _forget_names(names)
    # Takes along memberships, roles, the key of all that is sealed, and what sign-on keeps: addresses, factors, accounts.
    user.delete()
    return doomed


def _forget_worker(worker: Worker, at: datetime | None) -> int:
    # First of all: the guards let what was written about a person be blanked once the person is gone.
    Worker.objects.filter(pk=worker.pk).update(user=None, name="", state=Worker.State.ERASED, state_reason="")
    doomed = _forget_credentials(worker, at)
    Block.objects.filter(worker=worker).update(reason=GONE)
    Block.objects.filter(worker=worker).exclude(lifted_reason="").update(lifted_reason=GONE)
    for personal in (Profile, SpokenLanguage, Signal, ApiKey):
        personal._default_manager.filter(worker=worker).delete()  # noqa: SLF001  Django's documented name
    return doomed


def _forget_credentials(worker: Worker, at: datetime | None) -> int:
    kept = Evidence.objects.filter(credential__worker=worker, removed_at__isnull=True)
    files = [DoomedFile(path=path) for path in kept.values_list("path", flat=True)]
    DoomedFile.objects.bulk_create(files, ignore_conflicts=True)
    kept.update(removed_at=moment(at))
    Evidence.objects.filter(credential__worker=worker).update(digest=NO_DIGEST)
    rows = Credential.objects.filter(worker=worker)
    under_way = (Credential.State.FILED, Credential.State.IN_REVIEW, Credential.State.MORE_WANTED)
    rows.filter(state__in=under_way).update(
        state=Credential.State.WITHDRAWN, ended_at=moment(at), claimed_by=None, claimed_until=None
    )
    rows.exclude(reason="").update(reason=GONE)
    rows.update(
        details=None,
        number_digest=None,
        registry_result=None,
        issuer="",
        jurisdiction="",
        issued_on=None,
        expires_on=None,
    )
    CredentialStep.objects.filter(credential__worker=worker).exclude(note="").update(note="")
    Approval.objects.filter(credential__worker=worker).exclude(note="").update(note="")
    Assessment.objects.filter(credential__worker=worker).update(note="", place="")
    return len(files)


def _forget_names(names: set[str]) -> None:
    """The admin's own log calls things by their names."""
    said = Q()
    for name in names:
        said |= Q(object_repr__icontains=name) | Q(change_message__icontains=name)
    LogEntry.objects.filter(said).update(object_repr=GONE, change_message="")


def remove_files(*, limit: int = 100, at: datetime | None = None) -> int:  # noqa: ARG001  every sweep takes a time
    """Remove doomed files from the store, and each one's row once it is gone; returns how many. Safe to run twice.

    A file that cannot be removed now keeps its row, and keeps no other file waiting.
    """
    done = 0
    for row in DoomedFile.objects.order_by("pk")[:limit]:
        try:
            with transaction.atomic():
                if DoomedFile.objects.select_for_update(skip_locked=True).filter(pk=row.pk).exists():
                    storages["evidence"].delete(row.path)
                    row.delete()
                    done += 1
        except OSError:
            log.exception("a doomed file stays in the store for now")
    return done

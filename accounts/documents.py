"""A credential's dossier: its sealed facts and documents, its steps and its approvals. What the acts on it share.

Files lie sealed in ``STORAGES["evidence"]`` under random names. A file is written before its row is committed, so a row
without a file never shows; a crash in between leaves a file that no row names and that only the person's key opens.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts import vault
from accounts.models import (
    Approval,
    Credential,
    CredentialStep,
    CredentialType,
    Evidence,
    PlatformRole,
    Signal,
    User,
    Worker,
)
from accounts.queries import roles_of
from accounts.refusals import Refusal
from accounts.uploads import Inspected

VERIFIERS = frozenset({PlatformRole.Role.VERIFIER.value, PlatformRole.Role.ADMIN.value})
ASSESSED = frozenset({CredentialType.Kind.INTERVIEW.value, CredentialType.Kind.PORTFOLIO.value})
"""Kinds that are decided by an assessment, not by looking at papers alone."""


class CredentialNotInState(Refusal):
    """The credential's state does not allow this now."""


class NotAVerifier(Refusal):
    """Only a verifier or an admin of the platform does this."""


class OwnCredential(Refusal):
    """This credential is your own: somebody else decides about it."""


class ApprovedAlready(Refusal):
    """You approved this already: the second approval is somebody else's."""


class CredentialLapsed(Refusal):
    """The paper is no longer valid: ask for a newer one, or refuse it."""


class DocumentGone(Refusal):
    """This document was removed some time after the decision."""


# Rows


def hold_credential(pk: int) -> Credential:
    """Lock the credential until the transaction ends, with its type and worker at hand. Raises Credential.DoesNotExist."""
    rows = Credential.objects.select_related("type", "worker").select_for_update(no_key=True, of=("self",))
    return rows.get(pk=pk)


def need_state(credential: Credential, *states: str) -> None:
    """Raise CredentialNotInState unless it is in one of ``states``."""
    if credential.state not in states:
        said = credential.get_state_display().lower()
        raise CredentialNotInState(f"The credential is {said}.", state=credential.state)


def need_verifier(user: User, credential: Credential) -> None:
    """Raise NotAVerifier, or OwnCredential where the user is the person it is about under any of their accounts."""
    if not user.is_active or not roles_of(user) & VERIFIERS:
        raise NotAVerifier
    if of_same_person(credential.worker_id).filter(user_id=user.pk).exists():
        raise OwnCredential


def of_same_person(worker_id: int) -> QuerySet[Worker]:
    """The worker and whoever is one person with them, as the database has it now."""
    return Worker.objects.filter(person_id__in=Worker.objects.filter(pk=worker_id).values("person_id"))


def note_step(credential: Credential, act: str, *, actor: str, at: datetime, note: str = "") -> None:
    """Write down what happened."""
    CredentialStep.objects.create(credential=credential, act=act, actor=actor, note=note, at=at)


def called(user: User) -> str:
    """The user as the audit and the steps call them."""
    return f"user:{user.pk}"


# Decisions

_NO_APPROVAL = {
    "an_approval_is_by_a_verifier": NotAVerifier,
    "an_approval_is_never_ones_own": OwnCredential,
    "a_verifier_approves_once": ApprovedAlready,
}
"""What a guard's no means to the verifier."""


def need_no_approval_by(user: User, credential: Credential) -> None:
    """Raise ApprovedAlready where the user said yes to this round before."""
    if credential.approvals.filter(round=credential.round, verifier_id=user.pk).exists():
        raise ApprovedAlready


def approve(credential: Credential, *, verifier: User, note: str, at: datetime) -> Credential:
    """Record one yes to a held credential in review: it is verified when that is enough, else filed for the next verifier.

    Raises ApprovedAlready, CredentialLapsed.
    """
    need_no_approval_by(verifier, credential)
    end = valid_until(credential, at)
    if end is not None and end <= at:
        raise CredentialLapsed
    _say_yes(credential, verifier, note, at)
    note_step(credential, CredentialStep.Act.APPROVED, actor=called(verifier), at=at, note=note)
    credential.claimed_by, credential.claimed_until = None, None
    if credential.approvals.filter(round=credential.round).count() < credential.type.verifiers_needed:
        credential.state = Credential.State.FILED
    else:
        credential.state, credential.reason = Credential.State.VERIFIED, ""
        credential.verified_at, credential.valid_until = at, end
        note_step(credential, CredentialStep.Act.VERIFIED, actor=called(verifier), at=at)
    credential.save(update_fields=["state", "reason", "claimed_by", "claimed_until", "verified_at", "valid_until"])
    return credential


def _say_yes(credential: Credential, verifier: User, note: str, at: datetime) -> None:
    """Write the approval. What changed since we looked (a role taken away, an account linked) the database tells."""
    try:
        with transaction.atomic():
            Approval.objects.create(credential=credential, round=credential.round, verifier=verifier, note=note, at=at)
    except IntegrityError as error:
        cause = error.__cause__
        broken = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        raise _NO_APPROVAL.get(broken or "", CredentialNotInState) from error


def refuse(credential: Credential, *, verifier: User, reason: str, at: datetime) -> Credential:
    """Record the no to a held credential in review; the worker reads ``reason``."""
    credential.state, credential.reason, credential.ended_at = Credential.State.REFUSED, reason, at
    credential.claimed_by, credential.claimed_until = None, None
    credential.save(update_fields=["state", "reason", "ended_at", "claimed_by", "claimed_until"])
    note_step(credential, CredentialStep.Act.REFUSED, actor=called(verifier), at=at, note=reason)
    return credential


def valid_until(credential: Credential, at: datetime) -> datetime | None:
    """End of its validity if it is verified ``at``: the day after the paper's last, or the type's longest; None: no end."""
    ends = []
    if credential.expires_on is not None:
        ends.append(datetime.combine(credential.expires_on + timedelta(days=1), time(), UTC))
    if credential.type.valid_days is not None:
        ends.append(at + timedelta(days=credential.type.valid_days))
    return min(ends, default=None)


# Sealed facts


def seal_details(credential: Credential, facts: Mapping[str, Any]) -> None:
    """Seal what names the person under their key, onto the (unsaved) row."""
    credential.details = vault.seal_json(_user_of(credential), facts, about=f"credential:{credential.pk}")


def details_of(credential: Credential) -> dict[str, Any]:
    """Holder, number, further fields, and a provider's assertion. Raises vault.PersonErased."""
    if credential.details is None:
        return {}
    return vault.unseal_json(_user_of(credential), bytes(credential.details), about=f"credential:{credential.pk}")


# Sealed files


@contextmanager
def files_undone_on_failure() -> Iterator[list[str]]:
    """The list of files written in the block; if the block fails, they are removed again."""
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for path in written:
            storages["evidence"].delete(path)
        raise


def store_evidence(
    credential: Credential, content: bytes, inspected: Inspected, *, place: int, written: list[str], at: datetime
) -> Evidence:
    """Seal a document into the store and write its row; ``place`` numbers it. The sender's name for it is not kept."""
    digest = vault.digest("document", content)
    path = f"{secrets.token_hex(1)}/{secrets.token_hex(20)}"
    box = vault.seal(_user_of(credential), content, about=f"evidence:{path}")
    written.append(storages["evidence"].save(path, ContentFile(box)))
    note_signal(credential, digest, at=at)
    return Evidence.objects.create(
        credential=credential,
        path=written[-1],
        name=f"document {place}",
        content_type=inspected.content_type,
        bytes=len(content),
        pages=inspected.pages,
        digest=digest,
        round=credential.round,
        filed_at=at,
    )


def content_of(evidence: Evidence) -> bytes:
    """The document as it was sent. Raises DocumentGone, vault.PersonErased."""
    if evidence.removed_at is not None:
        raise DocumentGone
    with storages["evidence"].open(evidence.path) as file:
        box = file.read()
    return vault.unseal(_user_of(evidence.credential), box, about=f"evidence:{evidence.path}")


def note_signal(credential: Credential, digest: bytes, *, at: datetime) -> None:
    """Remember that this worker showed this number or document; another account that shows the same is found by it."""
    signal = Signal(worker_id=credential.worker_id, kind=Signal.Kind.DOCUMENT, digest=digest, seen_at=at)
    Signal.objects.bulk_create([signal], ignore_conflicts=True)


def _user_of(credential: Credential) -> int:
    user_id = credential.worker.user_id
    if user_id is None:
        raise vault.PersonErased
    return user_id

"""Verifying credentials: a verifier takes one, looks, and asks, says yes or says no. Nobody decides about their own.

====================  =====================================  ============================================
state                 moves to                               by
====================  =====================================  ============================================
filed                 in_review                              a verifier, for 30 minutes; then another may
in_review             filed                                  the verifier lets go, or the first of two said yes
in_review             more_wanted                            the verifier, with a question
in_review             verified, refused                      the verifier; a refusal has a reason
verified              revoked                                whoever revokes (``tasks/revoking.py``)
====================  =====================================  ============================================

The database has the last word on approvals and on every move (``accounts/sql/credentials.sql``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from accounts import documents, uploads
from accounts.audit import acting
from accounts.models import Credential, CredentialStep, Evidence, EvidenceView, User
from accounts.queries import instant, roles_of
from accounts.refusals import Fault, Refusal
from accounts.registries import REGISTRIES, Entry, RegistryUnreachable

CLAIM_FOR = timedelta(minutes=30)
REASON_MAX = 1000
_IN_REVIEW = Credential.State.IN_REVIEW


class ReviewHeld(Refusal):
    """Another verifier is looking at this credential now."""


class ReviewNotHeld(Refusal):
    """Claim this credential first: your time to look at it has run out, or you never took it."""


class DecidedByAssessment(Refusal):
    """This credential is decided by an assessment: schedule one and score it."""


class DecisionReasonMissing(Refusal):
    """Write the worker a reason of at most 1000 characters."""


class NoRegistry(Refusal):
    """There is no registry in which this number can be looked up."""


class RegistrySilent(Refusal):
    """The registry did not answer; try again later."""


class NotYourDocument(Refusal):
    """Only verifiers, admins and the person themself look at this document."""


class PictureRefused(Refusal):
    """This page cannot be shown."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page of a document, drawn anew: ``content`` is a PNG; ``page`` of ``pages``, from 1."""

    content: bytes
    page: int
    pages: int


@transaction.atomic
def claim_review(credential: Credential, *, verifier: User, at: datetime | None = None) -> Credential:
    """Take a filed credential for 30 minutes, or one whose verifier's time ran out; one's own claim is prolonged.

    Raises NotAVerifier, OwnCredential, DecidedByAssessment, CredentialNotInState, ReviewHeld, ApprovedAlready.
    """
    now = instant(at)
    held = documents.hold_credential(credential.pk)
    documents.need_verifier(verifier, held)
    if held.type.kind in documents.ASSESSED:
        raise DecidedByAssessment
    documents.need_state(held, Credential.State.FILED, _IN_REVIEW)
    documents.need_no_approval_by(verifier, held)
    before = held.claimed_by_id if held.state == _IN_REVIEW else None
    if before not in {None, verifier.pk} and held.claimed_until is not None and held.claimed_until > now:
        raise ReviewHeld(until=held.claimed_until.isoformat())
    held.state, held.claimed_by, held.claimed_until = _IN_REVIEW, verifier, now + CLAIM_FOR
    held.save(update_fields=["state", "claimed_by", "claimed_until"])
    if before != verifier.pk:
        note = f"taken over from user:{before}" if before else ""
        documents.note_step(held, CredentialStep.Act.CLAIMED, actor=documents.called(verifier), at=now, note=note)
    return held


@transaction.atomic
def release_review(credential: Credential, *, verifier: User, at: datetime | None = None) -> Credential:
    """Let go of a credential undecided. Raises CredentialNotInState, ReviewNotHeld; a lapsed claim may be let go, too."""
    now = instant(at)
    held = documents.hold_credential(credential.pk)
    documents.need_state(held, _IN_REVIEW)
    if held.claimed_by_id != verifier.pk or held.type.kind in documents.ASSESSED:
        raise ReviewNotHeld
    held.state, held.claimed_by, held.claimed_until = Credential.State.FILED, None, None
    held.save(update_fields=["state", "claimed_by", "claimed_until"])
    documents.note_step(held, CredentialStep.Act.RELEASED, actor=documents.called(verifier), at=now)
    return held


@transaction.atomic
def ask_for_more(credential: Credential, *, verifier: User, reason: str, at: datetime | None = None) -> Credential:
    """Ask the worker for something; they answer by filing it again. Approvals of this round count no more then.

    Raises DecisionReasonMissing, NotAVerifier, OwnCredential, CredentialNotInState, ReviewNotHeld.
    """
    now, said = instant(at), _reason(reason)
    held = _held_by(credential, verifier, now)
    held.state, held.reason = Credential.State.MORE_WANTED, said
    held.claimed_by, held.claimed_until = None, None
    held.save(update_fields=["state", "reason", "claimed_by", "claimed_until"])
    documents.note_step(held, CredentialStep.Act.ASKED, actor=documents.called(verifier), at=now, note=said)
    return held


@transaction.atomic
def refuse_credential(credential: Credential, *, verifier: User, reason: str, at: datetime | None = None) -> Credential:
    """Say no, with the reason the worker reads.

    Raises DecisionReasonMissing, NotAVerifier, OwnCredential, CredentialNotInState, ReviewNotHeld.
    """
    now, said = instant(at), _reason(reason)
    held = _held_by(credential, verifier, now)
    return documents.refuse(held, verifier=verifier, reason=said, at=now)


@transaction.atomic
def record_approval(
    credential: Credential, *, verifier: User, note: str = "", at: datetime | None = None
) -> Credential:
    """Say yes. It is verified when as many people said so as its type needs; else it is filed for the next of them.

    What that opens is granted by ``qualification.crediting.approve_credential``, which calls this.
    Raises NotAVerifier, OwnCredential, CredentialNotInState, ReviewNotHeld, ApprovedAlready, CredentialLapsed.
    """
    now = instant(at)
    held = _held_by(credential, verifier, now)
    return documents.approve(held, verifier=verifier, note=note.strip()[:REASON_MAX], at=now)


@transaction.atomic
def end_credential(
    credential: Credential, *, state: str, reason: str, actor: str, at: datetime | None = None
) -> Credential:
    """End a verified credential, as ``revoked`` or ``expired``: the row and its step, nothing that rests on it.

    Raises DecisionReasonMissing, CredentialNotInState. ValueError on any other state.
    """
    if state not in {Credential.State.REVOKED, Credential.State.EXPIRED}:
        raise ValueError("a verified credential ends revoked or expired")
    now, said = instant(at), _reason(reason)
    held = documents.hold_credential(credential.pk)
    documents.need_state(held, Credential.State.VERIFIED)
    held.state, held.reason, held.ended_at = Credential.State(state), said, now
    held.save(update_fields=["state", "reason", "ended_at"])
    documents.note_step(held, state, actor=actor, at=now, note=said)
    return held


def look_up_number(credential: Credential, *, verifier: User, at: datetime | None = None) -> Credential:
    """Ask the type's registry for the number, and keep what it says without names in ``registry_result``.

    ``{"registry", "found", "status", "holder_matches", "specialty", "issuer", "expires_on", "asked_at"}``. A registry
    takes its time, so call this outside of a transaction; it opens one, in the verifier's name, for what it writes.
    Raises NotAVerifier, OwnCredential, CredentialNotInState, ReviewNotHeld, NoRegistry, RegistrySilent.
    """
    now = instant(at)
    with transaction.atomic():
        held = _held_by(credential, verifier, now)
    registry = REGISTRIES.get(held.type.registry)
    details = documents.details_of(held)
    if registry is None or not details.get("number"):
        raise NoRegistry
    try:
        entry = registry.look_up(details["number"], jurisdiction=held.jurisdiction)
    except RegistryUnreachable as error:
        raise RegistrySilent from error
    with acting(documents.called(verifier)):
        now = instant(at)
        again = _held_by(credential, verifier, now)
        if again.round != held.round:
            raise ReviewNotHeld
        again.registry_result = {"registry": registry.title, "asked_at": now.isoformat(), **_result(entry, details)}
        again.save(update_fields=["registry_result"])
        said = str(again.registry_result["status"])
        documents.note_step(again, CredentialStep.Act.LOOKED_UP, actor=documents.called(verifier), at=now, note=said)
    return again


def see_document(
    evidence: Evidence, *, viewer: User, page: int | None = None, at: datetime | None = None
) -> Picture | bytes:
    """A page of the document as a picture or, without ``page``, the whole file as it was sent. That they looked is on
    record before it is opened.

    Raises NotYourDocument, DocumentGone, PictureRefused, vault.PersonErased.
    """
    if evidence.credential.worker.user_id != viewer.pk and not (
        viewer.is_active and roles_of(viewer) & documents.VERIFIERS
    ):
        raise NotYourDocument
    EvidenceView.objects.create(evidence=evidence, viewer=documents.called(viewer), at=instant(at))
    content = documents.content_of(evidence)
    if page is None:
        return content
    try:
        return Picture(uploads.page_picture(content, evidence.content_type, page), page, evidence.pages)
    except IndexError:
        raise PictureRefused(f"There is no page {page}; the document has {evidence.pages}.") from None
    except uploads.NotTaken as no:
        raise PictureRefused(no.detail) from no


def doubles_of(credential: Credential) -> QuerySet[Credential]:
    """Credentials of other people that show the same number or the same document; a hint to the verifier, no verdict."""
    others = Credential.objects.exclude(worker__in=documents.of_same_person(credential.worker_id))
    same = others.filter(evidence__digest__in=credential.evidence.values("digest"))
    if credential.number_digest is not None:
        same = same | others.filter(number_digest=credential.number_digest)
    return same.distinct().order_by("pk")


def _held_by(credential: Credential, verifier: User, now: datetime) -> Credential:
    """The credential, locked, in review by this verifier, whose time is not up."""
    held = documents.hold_credential(credential.pk)
    documents.need_verifier(verifier, held)
    if held.type.kind in documents.ASSESSED:
        raise DecidedByAssessment
    documents.need_state(held, _IN_REVIEW)
    if held.claimed_by_id != verifier.pk or held.claimed_until is None or held.claimed_until <= now:
        raise ReviewNotHeld
    return held


def _reason(text: str) -> str:
    said = text.strip()
    if not 1 <= len(said) <= REASON_MAX:
        raise DecisionReasonMissing(faults=[Fault("/reason", DecisionReasonMissing.sentence())])
    return said


def _result(entry: Entry | None, details: dict[str, object]) -> dict[str, str | bool | None]:
    """What is kept of an entry: no name, only whether the names agree."""
    if entry is None:
        return {"found": False, "status": "unknown"}
    return {
        "found": True,
        "status": entry.status,
        "holder_matches": _words(entry.holder) == _words(str(details.get("holder", ""))),
        "specialty": entry.specialty,
        "issuer": entry.issuer,
        "expires_on": entry.expires_on.isoformat() if entry.expires_on else None,
    }


def _words(name: str) -> list[str]:
    """A name for comparing: its words without accents and case, in any order, titles left out."""
    plain = unicodedata.normalize("NFKD", name)
    words = re.findall(r"[^\W\d_]+", "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold())
    return sorted(word for word in words if word not in {"dr", "prof", "md"})

"""Filing credentials: what a worker says they have proved outside, with the papers that show it.

====================  =====================================  ==========================
state                 moves to                               by
====================  =====================================  ==========================
(nothing)             filed                                  the worker, or a sign-in provider's assertion
more_wanted           filed, in the next round               the worker's answer
filed, more_wanted    withdrawn                              the worker
====================  =====================================  ==========================

Everything else is decided by verifiers (``verifying``), assessors (``assessing``) and time (``noticing``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from django.db import IntegrityError, transaction

from accounts import documents, numbers, uploads, vault
from accounts.models import Credential, CredentialStep, CredentialType, Worker
from accounts.queries import instant
from accounts.refusals import Fault, Refusal

EVIDENCE_MAX = 5
TEXT_MAX = 200
FIELD_MAX = 500
JURISDICTION_MAX = 8
OPEN = (Credential.State.FILED, Credential.State.IN_REVIEW, Credential.State.MORE_WANTED)

_SOURCES = {
    CredentialType.Kind.INTERVIEW: Credential.Source.INTERVIEW,
    CredentialType.Kind.PORTFOLIO: Credential.Source.PORTFOLIO,
}


class FilingRefused(Refusal):
    """The credential cannot be filed like this."""


class TypeNotOffered(Refusal):
    """Credentials of this type are not taken now."""


class OnlyPeopleFile(Refusal):
    """Only a person has credentials."""


class FilingOpen(Refusal):
    """A credential of this type is under way already: wait for the decision, answer the question, or withdraw it."""


class CredentialOnFile(Refusal):
    """This credential is verified already: renew it when its end is near."""


class FilingsUsedUp(Refusal):
    """A credential of this type was refused as often as it may be filed."""


class FiledTooSoon(Refusal):
    """After a refusal, wait before you file a credential of this type again."""


class NotRenewable(Refusal):
    """Only your own credential of the same type is renewed, while it is verified or after it expired."""


@dataclass(frozen=True, slots=True)
class Filing:
    """What stands on the paper. ``fields`` holds what the type asks for beyond the rest, by name."""

    issuer: str = ""
    jurisdiction: str = ""
    holder: str = ""
    number: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    issued_on: date | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent. ``name`` is what the sender called it; nothing is decided by it and it is not kept."""

    name: str
    content: bytes


def file_credential(
    worker: Worker,
    type: CredentialType,  # noqa: A002  the word for it
    filing: Filing,
    *,
    evidence: Sequence[Upload],
    renews: Credential | None = None,
    at: datetime | None = None,
) -> Credential:
    """File a credential for verifiers to look at; the documents are sealed, what names the person too.

    Raises FilingRefused with a fault for each field (``/number``, ``/fields/specialty``, ``/evidence/0``);
    TypeNotOffered, OnlyPeopleFile, FilingOpen, CredentialOnFile, FilingsUsedUp, FiledTooSoon, NotRenewable.
    """
    now = instant(at)
    _need_person(worker)
    if not type.active:
        raise TypeNotOffered
    _refuse_repetition(worker, type, now)
    if renews is not None and (renews.worker_id != worker.pk or renews.type_id != type.pk or not _is_renewable(renews)):
        raise NotRenewable
    checked = _checked(type, filing, evidence, kept=0, today=now.date())
    if renews is None and checked.number_digest is not None:
        _refuse_double(worker, type, checked.number_digest)
    source = _SOURCES.get(CredentialType.Kind(type.kind), Credential.Source.DOCUMENT)
    credential = Credential(worker=worker, type=type, renews=renews, source=source, filed_at=now)
    return _insert(credential, checked, now)


def answer_question(
    credential: Credential, filing: Filing, *, evidence: Sequence[Upload], at: datetime | None = None
) -> Credential:
    """Answer a verifier's question: the facts anew, and documents beside those that were shown. A new round begins.

    Raises CredentialNotInState, FilingRefused.
    """
    now = instant(at)
    documents.need_state(credential, Credential.State.MORE_WANTED)
    kept = credential.evidence.filter(removed_at__isnull=True).count()
    checked = _checked(credential.type, filing, evidence, kept=kept, today=now.date())
    with documents.files_undone_on_failure() as written, _one_open_filing(), transaction.atomic():
        held = documents.hold_credential(credential.pk)
        documents.need_state(held, Credential.State.MORE_WANTED)
        held.state, held.round, held.filed_at, held.registry_result = Credential.State.FILED, held.round + 1, now, None
        _write(held, checked)
        held.save()
        _store(held, checked, place=held.evidence.count(), written=written, now=now)
        documents.note_step(held, CredentialStep.Act.ANSWERED, actor=_actor(held.worker), at=now)
        return held


@transaction.atomic
def withdraw_credential(credential: Credential, *, at: datetime | None = None) -> Credential:
    """Take it back before it is decided; also out of the hands of a verifier whose time to look ran out, and before the
    appointment of an assessment has come, which is called off with it.

    Raises CredentialNotInState.
    """
    now = instant(at)
    held = documents.hold_credential(credential.pk)
    if held.state == Credential.State.IN_REVIEW and may_withdraw(held, at=now):
        held.assessments.filter(scored_at__isnull=True, cancelled_at__isnull=True).update(cancelled_at=now)
        held.state, held.claimed_by, held.claimed_until = Credential.State.FILED, None, None
        held.save(update_fields=["state", "claimed_by", "claimed_until"])
    documents.need_state(held, Credential.State.FILED, Credential.State.MORE_WANTED)
    held.state, held.ended_at = Credential.State.WITHDRAWN, now
    held.save(update_fields=["state", "ended_at"])
    documents.note_step(held, CredentialStep.Act.WITHDRAWN, actor=_actor(held.worker), at=now)
    return held


def may_withdraw(credential: Credential, *, at: datetime | None = None) -> bool:
    """Whether the worker may take it back now, as the row stands."""
    if credential.state != Credential.State.IN_REVIEW:
        return credential.state in {Credential.State.FILED, Credential.State.MORE_WANTED}
    now = instant(at)
    if credential.claimed_until is not None:
        return credential.claimed_until <= now
    # Whoever has been assessed waits for the points: no attempt is got rid of like this.
    arranged = credential.assessments.filter(scored_at__isnull=True, cancelled_at__isnull=True)
    return arranged.filter(scheduled_at__gt=now).exists()


def file_assertion(
    worker: Worker,
    type: CredentialType,  # noqa: A002  the word for it
    *,
    provider: str,
    uid: str,
    claims: Mapping[str, Any],
    at: datetime | None = None,
) -> Credential | None:
    """File what a sign-in provider asserted of the worker: its claims are sealed, its ``uid`` is the number.

    None where nothing is to be filed: the same was filed before and did not expire (a no stays a no, whoever signs in
    again), or another of this type is under way. Raises OnlyPeopleFile, TypeNotOffered, FilingRefused.
    """
    now = instant(at)
    _need_person(worker)
    if not type.active:
        raise TypeNotOffered
    number = _number(type, uid)
    digest = _digest(type, "", number)
    before = Credential.objects.filter(worker=worker, type=type).exclude(state=Credential.State.EXPIRED)
    if before.filter(number_digest=digest).exists() or before.filter(state__in=OPEN).exists():
        return None
    holder = str(claims.get("name") or "")[:TEXT_MAX]
    checked = _Checked(Filing(issuer=provider, holder=holder, number=number), digest, (), {"claims": dict(claims)})
    try:
        return _insert(
            Credential(worker=worker, type=type, source=Credential.Source.PROVIDER, filed_at=now), checked, now
        )
    except FilingOpen:  # the other of two sign-ins at once was first
        return None


def details_of(credential: Credential) -> dict[str, Any]:
    """What is sealed: ``holder``, ``number``, ``fields`` and, of a provider, ``claims``. Raises vault.PersonErased."""
    return documents.details_of(credential)


# What is written


@dataclass(frozen=True, slots=True)
class _Checked:
    """A filing that can be taken: its number in normal form, with the digest; its documents and what they are."""

    filing: Filing
    number_digest: bytes | None
    evidence: Sequence[tuple[bytes, uploads.Inspected]]
    more: Mapping[str, Any] = field(default_factory=dict)


def _insert(credential: Credential, checked: _Checked, now: datetime) -> Credential:
    with documents.files_undone_on_failure() as written, _one_open_filing(), transaction.atomic():
        credential.issuer, credential.jurisdiction = checked.filing.issuer, checked.filing.jurisdiction
        credential.save()
        # The insert has waited for whoever was deciding about the filing before it: look again at what they decided.
        _refuse_repetition(credential.worker, credential.type, now)
        _write(credential, checked)
        credential.save()
        _store(credential, checked, place=0, written=written, now=now)
        documents.note_step(credential, CredentialStep.Act.FILED, actor=_actor(credential.worker), at=now)
    return credential


def _write(credential: Credential, checked: _Checked) -> None:
    filing = checked.filing
    credential.issuer, credential.jurisdiction = filing.issuer, filing.jurisdiction
    credential.issued_on, credential.expires_on = filing.issued_on, filing.expires_on
    credential.number_digest = checked.number_digest
    facts = {"holder": filing.holder, "number": filing.number, "fields": dict(filing.fields), **checked.more}
    documents.seal_details(credential, facts)


def _store(credential: Credential, checked: _Checked, *, place: int, written: list[str], now: datetime) -> None:
    if checked.number_digest is not None:
        documents.note_signal(credential, checked.number_digest, at=now)
    for number, (content, inspected) in enumerate(checked.evidence, start=place + 1):
        documents.store_evidence(credential, content, inspected, place=number, written=written, at=now)


@contextmanager
def _one_open_filing() -> Iterator[None]:
    """Of two filings at once the second is told so by the constraint, and by us in words."""
    try:
        yield
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, psycopg.Error) and cause.diag.constraint_name == "one_open_filing_a_type":
            raise FilingOpen from error
        raise


def _actor(worker: Worker) -> str:
    return f"user:{worker.user_id}"


# What is refused


def _need_person(worker: Worker) -> None:
    if worker.user_id is None:
        raise OnlyPeopleFile


def _refuse_repetition(worker: Worker, type_: CredentialType, now: datetime) -> None:
    """A person's refusals count, under whichever of their accounts they were."""
    refused = Credential.objects.filter(
        worker__in=documents.of_same_person(worker.pk),
        type=type_,
        state=Credential.State.REFUSED,
        ended_at__isnull=False,
    )
    ends = sorted(end for end in refused.values_list("ended_at", flat=True) if end is not None)
    if not ends:
        return
    if len(ends) >= type_.attempts_max:
        raise FilingsUsedUp(filings=len(ends))
    again = ends[-1] + timedelta(days=type_.retry_days)
    if again > now:
        raise FiledTooSoon(f"You may file this again from {again:%Y-%m-%d %H:%M} UTC.", again_at=again.isoformat())


def _refuse_double(worker: Worker, type_: CredentialType, digest: bytes) -> None:
    held = Credential.objects.filter(worker=worker, type=type_, state=Credential.State.VERIFIED, number_digest=digest)
    if held.exists():
        raise CredentialOnFile


def _is_renewable(credential: Credential) -> bool:
    return credential.state in {Credential.State.VERIFIED, Credential.State.EXPIRED}


def _number(type_: CredentialType, text: str) -> str:
    try:
        return numbers.check(type_.number_check, text)
    except numbers.NumberWrong as wrong:
        raise FilingRefused(faults=[Fault("/number", wrong.detail)]) from wrong


def _digest(type_: CredentialType, jurisdiction: str, number: str) -> bytes | None:
    """By what the same number is found again: a checked number is one of its kind in the world, others of their place."""
    if not number:
        return None
    if type_.number_check != CredentialType.NumberCheck.NONE:
        return vault.digest("number", f"{type_.number_check}:{number}")
    plain = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", number)).casefold()
    return vault.digest("number", f"{type_.slug}:{jurisdiction}:{plain}")


def _checked(type_: CredentialType, filing: Filing, evidence: Sequence[Upload], *, kept: int, today: date) -> _Checked:
    """The filing in its normal form. Raises FilingRefused with every fault."""
    facts = {name: _line(getattr(filing, name)) for name in ("issuer", "jurisdiction", "holder", "number")}
    fields = {name: _line(value) for name, value in filing.fields.items() if _line(value)}
    faults = [*_faults_of_facts(type_, facts), *_faults_of_dates(filing, today), *_faults_of_fields(type_, fields)]
    try:
        facts["number"] = numbers.check(type_.number_check, facts["number"]) if facts["number"] else ""
    except numbers.NumberWrong as wrong:
        faults.append(Fault("/number", wrong.detail))
    looked_at, wrong_files = _inspected(type_, evidence, kept)
    faults += wrong_files
    if faults:
        raise FilingRefused(faults=faults)
    digest = _digest(type_, facts["jurisdiction"], facts["number"])
    normal = Filing(**facts, fields=fields, issued_on=filing.issued_on, expires_on=filing.expires_on)
    return _Checked(normal, digest, looked_at)


def _line(text: str) -> str:
    return " ".join(text.split())


def _faults_of_facts(type_: CredentialType, facts: Mapping[str, str]) -> Iterator[Fault]:
    assessed = type_.kind in documents.ASSESSED
    needed = {"issuer": not assessed, "holder": not assessed, "number": type_.number_required}
    for name, text in facts.items():
        if not text and needed.get(name):
            yield Fault(f"/{name}", "This is needed; write it as it stands on the paper.")
        if len(text) > TEXT_MAX:
            yield Fault(f"/{name}", f"At most {TEXT_MAX} characters.")
    if type_.jurisdictions and facts["jurisdiction"] not in type_.jurisdictions:
        yield Fault("/jurisdiction", f"Choose one of: {', '.join(type_.jurisdictions)}.")
    elif len(facts["jurisdiction"]) > JURISDICTION_MAX:
        yield Fault("/jurisdiction", f"At most {JURISDICTION_MAX} characters, such as US or US-CA.")


def _faults_of_dates(filing: Filing, today: date) -> Iterator[Fault]:
    if filing.issued_on is not None and filing.issued_on > today + timedelta(days=1):
        yield Fault("/issued_on", "This day has not come yet.")
    if filing.expires_on is not None and filing.expires_on < today:
        yield Fault("/expires_on", "This has expired; file the one that is valid now.")
    if filing.issued_on is not None and filing.expires_on is not None and filing.expires_on <= filing.issued_on:
        yield Fault("/expires_on", "It ends after the day of its issue.")


def _faults_of_fields(type_: CredentialType, fields: Mapping[str, str]) -> Iterator[Fault]:
    asked = {str(one["name"]): one for one in type_.fields}
    for name, one in asked.items():
        if one.get("required") and name not in fields:
            yield Fault(f"/fields/{name}", f"{one.get('title', name)} is needed.")
    for name, text in fields.items():
        if name not in asked:
            yield Fault(f"/fields/{name}", "This type asks for no such field.")
        elif len(text) > FIELD_MAX:
            yield Fault(f"/fields/{name}", f"At most {FIELD_MAX} characters.")


def _inspected(
    type_: CredentialType, evidence: Sequence[Upload], kept: int
) -> tuple[list[tuple[bytes, uploads.Inspected]], list[Fault]]:
    """What each document is, and what is wrong with them; ``kept`` were shown before."""
    if kept + len(evidence) > EVIDENCE_MAX:
        return [], [Fault("/evidence", f"At most {EVIDENCE_MAX} documents in all.")]
    if type_.evidence_required and not evidence and not kept:
        return [], [Fault("/evidence", "A document is needed: a PDF, PNG or JPEG of the paper.")]
    looked_at, faults = [], []
    for place, upload in enumerate(evidence):
        try:
            looked_at.append((upload.content, uploads.inspect(upload.content)))
        except uploads.NotTaken as no:
            faults.append(Fault(f"/evidence/{place}", no.detail))
    return looked_at, faults

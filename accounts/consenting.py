"""Texts that are agreed to before work: the platform's terms, and an organisation's non-disclosure agreement.

A text is never edited. Publishing a new version puts the old one out of force, and from the next claim on every worker
is asked again; withdrawing it asks nobody any more. What was agreed to is evidence and stays (``accounts/sql/people.sql``).
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet

from accounts.models import Consent, Organisation, Terms, User, Worker
from accounts.queries import moment
from accounts.refusals import Fault, Refusal

TITLE_MAX = 120
TEXT_MAX = 100_000


class TermsRefused(Refusal):
    """This text cannot be published as it is."""


class TermsNotCurrent(Refusal):
    """This text is no longer asked for; read the one that took its place."""


@transaction.atomic
def publish_terms(
    *,
    organisation: Organisation | None = None,
    kind: str,
    title: str,
    text: str,
    published_by: User | None,
    at: datetime | None = None,
) -> Terms:
    """Ask for agreement to this text: of whoever works at all, or (``organisation``) on that organisation's jobs.

    The platform has ``terms`` and a ``privacy`` notice, an organisation an ``nda``; the version before it is put out of
    force in the same transaction. Raises TermsRefused with a fault for each wrong field.
    """
    title, text = title.strip(), text.strip()
    known = [Terms.Kind.NDA] if organisation is not None else [Terms.Kind.TERMS, Terms.Kind.PRIVACY]
    faults = [Fault("/kind", f"is none of {', '.join(known)}")] if kind not in known else []
    if not (0 < len(title) <= TITLE_MAX and title.isprintable()):
        faults.append(Fault("/title", f"has 1 to {TITLE_MAX} letters on one line"))
    if not 0 < len(text) <= TEXT_MAX or "\0" in text:
        faults.append(Fault("/text", f"has 1 to {TEXT_MAX} letters"))
    if faults:
        raise TermsRefused(faults=faults)
    with connection.cursor() as cursor:  # versions are numbered one by one
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('accounts.consenting'), 0)")
    before = Terms.objects.filter(organisation=organisation, kind=kind)
    version = (before.aggregate(last=Max("version"))["last"] or 0) + 1
    before.filter(current=True).update(current=False)
    return Terms.objects.create(
        organisation=organisation,
        kind=kind,
        version=version,
        title=title,
        text=text,
        published_by=published_by,
        published_at=moment(at),
    )


@transaction.atomic
def withdraw_terms(terms: Terms) -> Terms:
    """Ask nobody for this text any more. Raises TermsNotCurrent where it is out of force already."""
    # Compare and set: of two who withdraw it, the second is told.
    if Terms.objects.filter(pk=terms.pk, current=True).update(current=False) != 1:
        raise TermsNotCurrent
    terms.current = False
    return terms


@transaction.atomic
def give_consent(worker: Worker, terms: Terms, *, at: datetime | None = None) -> Consent:
    """The worker agrees to a text; agreeing twice keeps the first time. Their next claim looks anew at what it opens.

    Raises TermsNotCurrent.
    """
    if not Terms.objects.select_for_update(no_key=True, of=("self",)).filter(pk=terms.pk, current=True).exists():
        raise TermsNotCurrent
    consent, new = Consent.objects.get_or_create(worker=worker, terms=terms, defaults={"given_at": moment(at)})
    if new:
        Worker.objects.filter(pk=worker.pk).update(standing_epoch=F("standing_epoch") + 1)
    return consent


def missing_of(worker: Worker, organisation_id: int | None = None) -> list[Terms]:
    """What the worker has still to agree to before any work, or before work for this organisation too; the platform's first.

    A model agrees to nothing: whoever runs it has.
    """
    if worker.kind == Worker.Kind.MODEL:
        return []
    asked = asked_for().filter(Q(organisation__isnull=True) | Q(organisation_id=organisation_id))
    given = Consent.objects.filter(worker=worker).values("terms_id")
    return list(asked.exclude(pk__in=given).order_by(F("organisation_id").asc(nulls_first=True), "pk"))


def asked_for() -> QuerySet[Terms]:
    """Every text in force."""
    return Terms.objects.filter(current=True).select_related("organisation")


def agreed_to(terms: Terms) -> int:
    """How many workers agreed to this version."""
    return Consent.objects.filter(terms=terms).count()


def given_by(worker: Worker) -> dict[int, datetime]:
    """When the worker agreed to what, by text."""
    return dict(Consent.objects.filter(worker=worker).values_list("terms_id", "given_at"))

"""A worker's credentials: what they have proved and what it opens, filing, answering a question, withdrawing, renewing.

Another door to the same acts as the API's. The page never says who verifies: a verifier is the platform to the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import credentials
from accounts.models import Credential, CredentialType, Evidence
from accounts.refusals import Refusal
from marketplace.api import dossiers, ids, policies, throttling
from marketplace.api.auth import signed_in
from marketplace.api.credentials import NOTED
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import NotFound
from marketplace.web.filing import FilingForm
from qualification.models import CredentialRule
from qualification.queries import rules_for_all

OPEN = frozenset({Credential.State.FILED, Credential.State.IN_REVIEW, Credential.State.MORE_WANTED})
STATES = {
    "filed": (gettext_lazy("Waiting to be looked at"), ""),
    "in_review": (gettext_lazy("Being looked at"), ""),
    "more_wanted": (gettext_lazy("We have a question"), "special"),
    "verified": (gettext_lazy("Verified"), "live"),
    "refused": (gettext_lazy("Refused"), "ended"),
    "withdrawn": (gettext_lazy("Withdrawn"), ""),
    "expired": (gettext_lazy("Expired"), "ended"),
    "revoked": (gettext_lazy("Revoked"), "ended"),
}
"""How each state is called on the page, and the badge it wears."""
TOLD = {
    "filed": gettext_lazy("Filed"),
    "asked": gettext_lazy("We asked for more"),
    "answered": gettext_lazy("You answered"),
    "verified": gettext_lazy("Verified"),
    "refused": gettext_lazy("Refused"),
    "withdrawn": gettext_lazy("Withdrawn by you"),
    "noticed": gettext_lazy("Reminded of its expiry"),
    "expired": gettext_lazy("Expired"),
    "revoked": gettext_lazy("Revoked"),
    "scheduled": gettext_lazy("Appointment made"),
    "scored": gettext_lazy("Scored"),
}
"""How each step is called that a worker is told of (``api.credentials.TOLD``)."""

type View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Opens:
    """A level in a domain that a credential opens; ``only`` names the jurisdictions, where not any will do."""

    domain: str
    path: str
    level: int
    only: str


@dataclass(frozen=True, slots=True)
class TypeRow:
    """Something that can be proved."""

    slug: str
    name: str
    description: str
    kind: str
    two_verifiers: bool
    opens: list[Opens]


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One credential of the worker's, as the list shows it."""

    public_id: str
    name: str
    jurisdiction: str
    state: str
    state_title: str
    badge: str
    filed_at: datetime
    valid_until: datetime | None
    opens: list[Opens]


@dataclass(frozen=True, slots=True)
class StepRow:
    """Something that happened to it, as the worker is told."""

    title: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document; its link makes a fresh one each time, for the real ones live a minute."""

    public_id: str
    name: str
    content_type: str
    pages: int
    removed: bool


def for_worker(view: View) -> View:
    """A page of a signed-in worker's: kept out of caches, within the API's limits; others are sent where they can become one."""

    @wraps(view)
    @never_cache
    def shown(request: HttpRequest, **parts: str) -> HttpResponse:
        principal = signed_in(request)
        if principal is None or principal.worker_id is None:
            return redirect("welcome")
        try:
            throttling.count("read" if request.method == "GET" else "write", principal.actor)
            return view(request, principal, **parts)
        except NotFound:
            raise Http404 from None
        except Refusal as refusal:
            problem = problem_of(type(refusal))
            told = {"title": gettext(problem.title), "detail": gettext(refusal.detail)}
            return render(request, "me/refused.html", told, status=problem.status)

    return shown


@require_safe
@for_worker
def overview(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What the worker has proved, what waits, and what else could be proved."""
    types = list(dossiers.credential_types().order_by("name", "pk"))
    opens = _opens(kind.pk for kind in types)
    rows = _rows(dossiers.own_credentials_of(principal).order_by("-pk"))
    context = {
        "current": [row for row in rows if row.state in {*OPEN, "verified"}],
        "past": [row for row in rows if row.state not in {*OPEN, "verified"}],
        "types": [
            TypeRow(
                slug=kind.slug,
                name=kind.name,
                description=kind.description,
                kind=gettext(kind.get_kind_display()),
                two_verifiers=kind.verifiers_needed > 1,
                opens=opens.get(kind.pk, []),
            )
            for kind in types
        ],
    }
    return render(request, "me/credentials.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_worker
def file(request: HttpRequest, principal: Principal, kind: str) -> HttpResponse:
    """The form for one type, and filing it; with ``renews`` in the query the new one takes an older one's place."""
    found = dossiers.credential_types().filter(slug=kind).first()
    if found is None:
        raise NotFound
    renews = None
    if "renews" in request.GET:
        renews = _mine(principal, request.GET["renews"])
        if renews.type_id != found.pk:
            raise NotFound

    def act(form: FilingForm) -> Credential:
        worker = policies.worker_of(principal)
        return credentials.file_credential(worker, found, form.filing(), evidence=form.uploads(), renews=renews)

    initial = {} if renews is None else _filled_in(renews)
    return _form(request, principal, found, act=act, initial=initial, about={"renews": renews})


@require_safe
@for_worker
def show(request: HttpRequest, principal: Principal, credential: str) -> HttpResponse:
    """One credential: its state, what was filed, and what happened to it."""
    found = _mine(principal, credential)
    context = {
        "row": _rows([found])[0],
        "credential": found,
        "details": _details(found),
        "documents": [_document(one) for one in found.evidence.order_by("pk")],
        "steps": _steps(found),
        "may_withdraw": credentials.may_withdraw(found),
        "may_renew": found.state in {Credential.State.VERIFIED, Credential.State.EXPIRED} and found.type.active,
        "may_answer": found.state == Credential.State.MORE_WANTED,
        "appointments": found.assessments.filter(cancelled_at__isnull=True).order_by("pk"),
    }
    return render(request, "me/credential.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_worker
def answer(request: HttpRequest, principal: Principal, credential: str) -> HttpResponse:
    """Answer a verifier's question by filing anew."""
    found = _mine(principal, credential)
    if found.state != Credential.State.MORE_WANTED:
        return redirect("credential", credential=credential)

    def act(form: FilingForm) -> Credential:
        return credentials.answer_question(found, form.filing(), evidence=form.uploads())

    return _form(request, principal, found.type, act=act, initial=_filled_in(found), about={"answers": found})


@require_POST
@for_worker
def withdraw(request: HttpRequest, principal: Principal, credential: str) -> HttpResponse:
    """Take a filing back."""
    found = _mine(principal, credential)
    with principal.acting():
        credentials.withdraw_credential(found)
    return redirect("credential", credential=credential)


def _form(
    request: HttpRequest,
    principal: Principal,
    kind: CredentialType,
    *,
    act: Callable[[FilingForm], Credential],
    initial: dict[str, object],
    about: dict[str, Credential | None],
) -> HttpResponse:
    """The form, empty or as it was sent; where it was sent and the act took it, on to the credential."""
    told, answered = None, about.get("answers")
    kept = answered is not None and answered.evidence.filter(removed_at__isnull=True).exists()
    if request.method == "POST":
        form = FilingForm(kind, request.POST, request.FILES, has_documents=kept)
        if form.is_valid():
            try:
                with principal.acting():
                    made = act(form)
            except Refusal as refusal:
                told = None if form.show(refusal) else gettext(refusal.detail)
            else:
                return redirect("credential", credential=ids.public("crd", made.pk))
    else:
        form = FilingForm(kind, initial=initial, has_documents=kept)
    context = {
        "form": form,
        "kind": kind,
        "refused": told,
        "opens": _opens({kind.pk}).get(kind.pk, []),
        **{name: one and {"public_id": ids.public("crd", one.pk), "reason": one.reason} for name, one in about.items()},
    }
    return render(request, "me/credential_file.html", context, status=400 if told or form.errors else 200)


def _mine(principal: Principal, public_id: str) -> Credential:
    found = dossiers.own_credentials_of(principal).filter(pk=ids.number("crd", public_id)).first()
    if found is None:
        raise NotFound
    return found


def _details(credential: Credential) -> dict[str, object]:
    """What was sealed: the holder, the number, and the further fields under their titles."""
    found = credentials.details_of(credential)
    titles = {asked["name"]: asked.get("title") or asked["name"] for asked in credential.type.fields}
    extra = found.get("fields") or {}
    return {
        "holder": found.get("holder", ""),
        "number": found.get("number", ""),
        "fields": [(titles.get(name, name), value) for name, value in extra.items()],
    }


def _filled_in(credential: Credential) -> dict[str, object]:
    """What the form for another filing begins with; the dates of a renewal are new."""
    found = credentials.details_of(credential)
    extra = found.get("fields") or {}
    dates = {"issued_on": credential.issued_on, "expires_on": credential.expires_on}
    return {
        "issuer": credential.issuer,
        "jurisdiction": credential.jurisdiction,
        "holder": found.get("holder", ""),
        "number": found.get("number", ""),
        **(dates if credential.state == Credential.State.MORE_WANTED else {}),
        **{f"extra-{name}": value for name, value in extra.items()},
    }


def _steps(credential: Credential) -> list[StepRow]:
    return [
        StepRow(str(TOLD[step.act]), step.note if step.act in NOTED else "", step.at)
        for step in credential.steps.order_by("pk")
        if step.act in TOLD
    ]


def _document(evidence: Evidence) -> DocumentRow:
    return DocumentRow(
        ids.public("evd", evidence.pk),
        evidence.name,
        evidence.content_type,
        evidence.pages,
        evidence.removed_at is not None,
    )


def _rows(credentials: Iterable[Credential]) -> list[CredentialRow]:
    found = list(credentials)
    rules = rules_for_all((one.type_id, one.jurisdiction) for one in found)
    return [_row(one, rules[one.type_id, one.jurisdiction]) for one in found]


def _row(credential: Credential, rules: Iterable[CredentialRule]) -> CredentialRow:
    title, badge = STATES[credential.state]
    return CredentialRow(
        public_id=ids.public("crd", credential.pk),
        name=credential.type.name,
        jurisdiction=credential.jurisdiction,
        state=credential.state,
        state_title=str(title),
        badge=badge,
        filed_at=credential.filed_at,
        valid_until=credential.valid_until,
        opens=[_opening(rule) for rule in rules],
    )


def _opens(type_ids: Iterable[int]) -> dict[int, list[Opens]]:
    found: dict[int, list[Opens]] = {}
    for rule in dossiers.rules_of(type_ids):
        found.setdefault(rule.type_id, []).append(_opening(rule))
    return found


def _opening(rule: CredentialRule) -> Opens:
    return Opens(rule.domain.name, rule.domain.path, rule.level, ", ".join(rule.jurisdictions))

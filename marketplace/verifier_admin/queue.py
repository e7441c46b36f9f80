"""The verifiers' queue in the administration: a credential's documents beside what was filed, and the acts on it.

It stands on this floor since what a verifier does reaches from accounts (deciding) over qualification (granting) to
tasks (taking leases back). Who holds the platform role verifier or admin, in a session with a second factor, may use
it; a verifier is shown nothing else of the administration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from django.contrib import admin, messages
from django.db.models import Count, F, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, gettext_lazy

from accounts import assessing, credentials, documents, verifying
from accounts.admin import ActingAdmin, told
from accounts.audit import acting
from accounts.models import Credential, CredentialStep, Evidence, User
from accounts.queries import roles_of
from accounts.refusals import Fault, Refusal
from accounts.registries import REGISTRIES
from marketplace.api import dossiers, evidence_links, ids
from marketplace.api.credentials import NOTED, TOLD
from marketplace.api.problems import problem_of
from marketplace.api.refusals import FieldsRefused
from qualification import crediting
from qualification.queries import rests_on, rules_for
from tasks import revoking

PAGES_SHOWN = 6
"""Of each document at once; each picture is drawn anew and each look written down, so the rest are links."""
TO_DECIDE = (Credential.State.FILED, Credential.State.IN_REVIEW)


@dataclass(frozen=True, slots=True)
class Paper:
    """A document beside the form: its first pages as pictures, further ones and the file as links."""

    public_id: str
    name: str
    content_type: str
    round: int
    pictures: list[tuple[int, str]]
    further: list[int]
    removed: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """Something that happened to it, and who did it."""

    title: str
    who: str
    note: str
    at: datetime


def may_verify(request: HttpRequest) -> bool:
    """May this user use the queue? The site has looked at the session and its second factor before (``marketplace.admin``)."""
    user = request.user
    return isinstance(user, User) and bool(roles_of(user) & dossiers.VERIFYING_ROLES)


class QueueFilter(admin.SimpleListFilter):
    """What waits to be decided, unless asked for something else."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices beside the first."""
        return [
            ("mine", gettext("In my hands")),
            ("more_wanted", gettext("Waiting for the worker")),
            ("verified", gettext("Verified")),
            ("ended", gettext("Refused, revoked, expired, withdrawn")),
            ("all", gettext("All")),
        ]

    def choices(self, changelist: Any) -> Any:
        """The choices, the first of which is what waits."""
        first, *others = super().choices(changelist)
        yield {**first, "display": gettext("To be decided")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Credential]) -> QuerySet[Credential]:
        """The rows of that choice."""
        states = Credential.State
        match self.value():
            case None:
                return queryset.filter(state__in=TO_DECIDE)
            case "mine":
                return queryset.filter(state=states.IN_REVIEW, claimed_by_id=request.user.pk)
            case "ended":
                ended = (states.REFUSED, states.REVOKED, states.EXPIRED, states.WITHDRAWN)
                return queryset.filter(state__in=ended)
            case "all":
                return queryset
            case state:
                return queryset.filter(state=state)


@admin.register(Credential)
class CredentialAdmin(ActingAdmin):
    """The queue. A row's page is ours: nothing is edited there, only decided."""

    list_display = (
        "type",
        "jurisdiction",
        "worker",
        "state",
        "approvals_shown",
        "filed_at",
        "in_hands_of",
        "valid_until",
    )
    list_filter = (QueueFilter, "type", "source")
    search_fields = ("=id", "issuer", "worker__name", "type__name")
    list_select_related = ("type", "worker", "claimed_by")
    ordering = ("filed_at", "id")

    @override
    def has_view_permission(self, request: Any, obj: Model | None = None) -> bool:
        return may_verify(request)

    @override
    def has_module_permission(self, request: Any) -> bool:
        return may_verify(request)

    def get_queryset(self, request: Any) -> QuerySet[Credential]:
        """With the approvals of what lies before the verifier now."""
        rows: QuerySet[Credential] = super().get_queryset(request)
        return rows.annotate(given=Count("approvals", filter=Q(approvals__round=F("round"))))

    @admin.display(description=gettext_lazy("approvals"), ordering="given")
    def approvals_shown(self, credential: Any) -> str:
        """How many of how many."""
        return gettext("%(given)d of %(needed)d") % {
            "given": credential.given,
            "needed": credential.type.verifiers_needed,
        }

    @admin.display(description=gettext_lazy("in the hands of"), ordering="claimed_by")
    def in_hands_of(self, credential: Credential) -> str:
        """Whoever looks at it now."""
        return "" if credential.claimed_by is None else credential.claimed_by.name or credential.claimed_by.email

    def get_urls(self) -> list[URLPattern]:
        """The admin's own, and one for the acts."""
        acts = path("<int:pk>/act/<slug:act>/", self.admin_site.admin_view(self.act), name="accounts_credential_act")
        return [acts, *super().get_urls()]

    def change_view(self, request: Any, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """One credential, its documents beside it."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        if request.method != "GET":
            return HttpResponse(status=403)
        return self._page(request, self._found(object_id))

    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Its steps are its history."""
        return redirect("admin:accounts_credential_change", object_id)

    def act(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """Do something to one credential in the verifier's name; a refusal comes back with what was typed."""
        if not may_verify(request) or request.method != "POST":
            return HttpResponse(status=403)
        found, done = self._found(pk), ACTS.get(act)
        verifier = request.user
        if done is None or not isinstance(verifier, User):
            raise Http404
        try:
            if act == "look-up":  # a registry takes its time, and the act opens a transaction of its own
                done(found, verifier, request)
            else:
                with acting(f"user:{verifier.pk}"):
                    said = done(found, verifier, request)
                self.message_user(request, said, messages.SUCCESS)
        except Refusal as refusal:
            return self._page(request, found, refused=told(refusal), status=problem_of(type(refusal)).status)
        return redirect("admin:accounts_credential_change", pk)

    def _found(self, pk: object) -> Credential:
        rows = Credential.objects.select_related("type", "worker", "claimed_by", "renews")
        if not str(pk).isdigit() or (found := rows.filter(pk=str(pk)).first()) is None:
            raise Http404
        return found

    def _page(
        self, request: HttpRequest, credential: Credential, *, refused: str = "", status: int = 200
    ) -> HttpResponse:
        found = self._found(credential.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": found.type.name,
            "refused": refused,
            "typed": request.POST,
            **_dossier(found, request),
        }
        return render(request, "admin/credential_review.html", context, status=status)


# What the page shows


def _dossier(credential: Credential, request: HttpRequest) -> dict[str, Any]:
    own = documents.of_same_person(credential.worker_id).filter(user_id=int(request.user.pk or 0)).exists()
    now = timezone.now()
    in_hand = credential.state == Credential.State.IN_REVIEW
    mine = in_hand and credential.claimed_by_id == request.user.pk
    lapsed = in_hand and (credential.claimed_until is None or credential.claimed_until <= now)
    opened = (mine and not lapsed) or "documents" in request.GET
    approvals = credential.approvals.filter(round=credential.round)
    # Of their own a verifier learns what any worker does: not who looks at it, what was noted, or who else it points to.
    doubles = [] if own else list(verifying.doubles_of(credential).select_related("type", "worker")[:10])
    return {
        "credential": credential,
        "public_id": ids.public("crd", credential.pk),
        "details": _details(credential),
        # Who only passes by sees no paper: each picture is a look that is written down.
        "papers": [_paper(one, request, open_=opened) for one in credential.evidence.order_by("pk")],
        "opened": opened,
        "steps": _steps_told(credential) if own else _steps(credential),
        "opens": rules_for(credential.type_id, credential.jurisdiction),
        "rests": rests_on(credential.pk),
        "approvals": approvals.count(),
        "approved_by_me": approvals.filter(verifier_id=request.user.pk).exists(),
        "doubles": doubles,
        "registry": credential.type.registry in REGISTRIES and REGISTRIES[credential.type.registry].title,
        "own": own,
        "mine": mine and not lapsed,
        "others": in_hand and not mine and not lapsed,
        "assessed": credential.type.kind in documents.ASSESSED,
        "appointment": credential.assessments.filter(scored_at__isnull=True, cancelled_at__isnull=True).first(),
        "scored": credential.assessments.filter(scored_at__isnull=False).order_by("pk"),
    }


def _details(credential: Credential) -> dict[str, Any]:
    try:
        found = credentials.details_of(credential)
    except Refusal as refusal:
        return {"erased": refusal.detail}
    titles = {asked["name"]: asked.get("title") or asked["name"] for asked in credential.type.fields}
    extra = [(titles.get(name, name), value) for name, value in (found.get("fields") or {}).items()]
    claims = list((found.get("claims") or {}).items())
    return {"holder": found.get("holder", ""), "number": found.get("number", ""), "fields": extra, "claims": claims}


def _paper(evidence: Evidence, request: HttpRequest, *, open_: bool) -> Paper:
    viewer = int(request.user.pk or 0)
    removed = evidence.removed_at is not None
    shown = range(1, min(evidence.pages, PAGES_SHOWN) + 1) if open_ and not removed else []
    return Paper(
        public_id=ids.public("evd", evidence.pk),
        name=evidence.name,
        content_type=evidence.content_type,
        round=evidence.round,
        pictures=[(page, evidence_links.link(evidence, viewer_id=viewer, page=page)) for page in shown],
        further=list(range(PAGES_SHOWN + 1, evidence.pages + 1)) if shown else [],
        removed=removed,
    )


def _steps_told(credential: Credential) -> list[StepRow]:
    """The steps as the worker is told them."""
    return [
        StepRow(step.get_act_display(), "", step.note if step.act in NOTED else "", step.at)
        for step in credential.steps.order_by("pk")
        if step.act in TOLD
    ]


def _steps(credential: Credential) -> list[StepRow]:
    rows = list(credential.steps.order_by("pk"))
    numbers = {int(row.actor[5:]) for row in rows if row.actor.startswith("user:") and row.actor[5:].isdigit()}
    names = {user.pk: user.name or user.email for user in User.objects.filter(pk__in=numbers)}
    filer = credential.worker.user_id

    def who(step: CredentialStep) -> str:
        number = int(step.actor[5:]) if step.actor.startswith("user:") and step.actor[5:].isdigit() else None
        if number is None:
            return step.actor
        return gettext("the worker") if number == filer else names.get(number, gettext("somebody who left"))

    return [StepRow(step.get_act_display(), who(step), step.note, step.at) for step in rows]


# The acts


def _claim(credential: Credential, verifier: User, request: HttpRequest) -> str:
    verifying.claim_review(credential, verifier=verifier)
    return gettext("It is in your hands for 30 minutes.")


def _release(credential: Credential, verifier: User, request: HttpRequest) -> str:
    verifying.release_review(credential, verifier=verifier)
    return gettext("You let go of it.")


def _ask(credential: Credential, verifier: User, request: HttpRequest) -> str:
    verifying.ask_for_more(credential, verifier=verifier, reason=request.POST.get("question", ""))
    return gettext("The worker is asked.")


def _approve(credential: Credential, verifier: User, request: HttpRequest) -> str:
    made = crediting.approve_credential(credential, verifier=verifier, note=request.POST.get("note", ""))
    if made.state == Credential.State.VERIFIED:
        return gettext("It is verified, and what it opens is granted.")
    return gettext("Your approval is noted; a second verifier has to agree.")


def _refuse(credential: Credential, verifier: User, request: HttpRequest) -> str:
    verifying.refuse_credential(credential, verifier=verifier, reason=request.POST.get("reason", ""))
    return gettext("It is refused; the worker reads why.")


def _revoke(credential: Credential, verifier: User, request: HttpRequest) -> str:
    reason = request.POST.get("reason", "")
    ended = revoking.revoke_credential(credential, reason=reason, actor=f"user:{verifier.pk}")
    facts = {"qualifications": ended.qualifications, "leases": ended.leases, "answers": ended.answers}
    return (
        gettext("Revoked. Qualifications ended: %(qualifications)d, leases: %(leases)d. Answers flagged: %(answers)d.")
        % facts
    )


def _look_up(credential: Credential, verifier: User, request: HttpRequest) -> str:
    verifying.look_up_number(credential, verifier=verifier)
    return ""


def _schedule(credential: Credential, verifier: User, request: HttpRequest) -> str:
    text = request.POST.get("scheduled_at", "")
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise FieldsRefused(faults=[Fault("/scheduled_at", gettext("say the day and the time"))])
    when = timezone.make_aware(at) if timezone.is_naive(at) else at
    assessing.schedule_assessment(credential, assessor=verifier, scheduled_at=when, place=request.POST.get("place", ""))
    return gettext("The worker reads when and where.")


def _cancel(credential: Credential, verifier: User, request: HttpRequest) -> str:
    assessing.cancel_assessment(credential, assessor=verifier, note=request.POST.get("note", ""))
    return gettext("It is called off, and waits to be arranged anew.")


def _score(credential: Credential, verifier: User, request: HttpRequest) -> str:
    said = {line["name"]: request.POST.get(f"score-{line['name']}", "") for line in credential.type.rubric}
    scores = {name: int(text) for name, text in said.items() if text.isascii() and text.isdigit() and len(text) < 6}
    made = crediting.pass_assessment(credential, assessor=verifier, scores=scores, note=request.POST.get("note", ""))
    return gettext("Scored: %(state)s.") % {"state": made.get_state_display().lower()}


ACTS: dict[str, Callable[[Credential, User, HttpRequest], str]] = {
    "claim": _claim,
    "release": _release,
    "ask": _ask,
    "approve": _approve,
    "refuse": _refuse,
    "revoke": _revoke,
    "look-up": _look_up,
    "schedule": _schedule,
    "cancel": _cancel,
    "score": _score,
}
"""What can be done to one credential, by the last part of the address."""

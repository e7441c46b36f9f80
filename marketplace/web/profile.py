"""Pages about oneself: the profile, the private facts, what keeps one from work, and what one agreed to.

Another door to the same acts as the API's. A refusal is shown beside the field that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf.locale import LANG_INFO
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts import consenting, profiling
from accounts.models import Profile, SpokenLanguage, Terms, User, Worker
from accounts.refusals import Refusal
from marketplace.api import covenants, ids, policies
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import NotFound
from marketplace.web.organisations import for_users

EMPTY_ROWS = 2
"""How many languages more than told the form has room for."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: what it holds, and what is wrong with it."""

    name: str
    value: str
    fault: str


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """One language of the form."""

    number: int
    language: Field
    level: Field


@dataclass(frozen=True, slots=True)
class Agreement:
    """A text as the worker is shown it; ``agreed_at`` is None while it is still asked for."""

    public_id: str
    title: str
    whose: str
    version: int
    kind: str
    text: str
    agreed_at: datetime | None
    current: bool


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def me(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Who one is here; each of its two forms says by ``act`` which it is."""
    if request.method != "POST":
        return _page(request, principal)
    act, saved = {
        "profile": (_save_profile, gettext("Your profile is saved.")),
        "private": (_save_private, gettext("Your private facts are saved.")),
    }.get(request.POST.get("act", ""), (None, ""))
    if act is None:
        raise NotFound
    try:
        act(principal, request.POST)
    except (profiling.ProfileRefused, profiling.PrivateFactsRefused) as refusal:
        return _page(request, principal, refusal)
    messages.success(request, saved)
    return redirect("me")


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def agreements(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What one agreed to and what is still asked; a form agrees to one text."""
    if principal.worker_id is None:
        return redirect("welcome")
    worker = policies.worker_of(principal)
    if request.method == "POST":
        agree(principal, worker, request.POST.getlist("terms"))
        messages.success(request, gettext("Your agreement is on record."))
        return redirect("agreements")
    rows = agreements_of(worker)
    asked = [row for row in rows if row.agreed_at is None]
    return render(request, "me/consent.html", {"asked": asked, "given": [row for row in rows if row.agreed_at]})


def agree(principal: Principal, worker: Worker, names: list[str]) -> None:
    """Agree to the texts of these public ids, all or none. Raises NotFound, TermsNotCurrent."""
    wanted = {ids.number("trm", name) for name in names}
    found = list(covenants.agreements_of(worker).filter(pk__in=wanted))
    if not wanted or len(found) != len(wanted):
        raise NotFound
    with principal.acting():
        for terms in found:
            consenting.give_consent(worker, terms)


def agreements_of(worker: Worker) -> list[Agreement]:
    """Every text that is asked of the worker or was agreed to; the newest first."""
    given = consenting.given_by(worker)
    return [as_asked(terms, given.get(terms.pk)) for terms in covenants.agreements_of(worker).order_by("-pk")]


def as_asked(terms: Terms, agreed_at: datetime | None = None) -> Agreement:
    """A text as the worker is shown it."""
    return Agreement(
        public_id=ids.public("trm", terms.pk),
        title=terms.title,
        whose=gettext("Touchstone") if terms.organisation is None else terms.organisation.name,
        version=terms.version,
        kind=terms.get_kind_display(),
        text=terms.text,
        agreed_at=agreed_at,
        current=terms.current,
    )


def _save_profile(principal: Principal, form: QueryDict) -> None:
    worker = policies.worker_of(principal)
    with principal.acting():
        profiling.save_profile(
            worker,
            country=form.get("country", ""),
            time_zone=form.get("time_zone", "").strip(),
            education=form.get("education", ""),
            device=form.get("device", ""),
            languages=_spoken(form),
        )


def _save_private(principal: Principal, form: QueryDict) -> None:
    with principal.acting():
        profiling.save_private(
            policies.user_of(principal), {name: form.get(name, "") for name in profiling.PRIVATE_FACTS}
        )


def _spoken(form: QueryDict) -> list[tuple[str, str]]:
    """The languages of the form; rows left empty do not count."""
    rows = zip(form.getlist("language"), form.getlist("level"), strict=False)
    return [(tag.strip(), level) for tag, level in rows if tag.strip()]


def _page(request: HttpRequest, principal: Principal, refusal: Refusal | None = None) -> HttpResponse:
    user = policies.user_of(principal)
    worker = None if principal.worker_id is None else policies.worker_of(principal)
    faults = {fault.pointer: gettext("This %s.") % gettext(fault.detail) for fault in refusal.faults} if refusal else {}
    about_profile = isinstance(refusal, profiling.ProfileRefused)
    private_said = request.POST if refusal and not about_profile else None
    context = {
        "worker": worker,
        "refusal": refusal and {"title": gettext(problem_of(type(refusal)).title), "profile": about_profile},
        "private": _private_fields(user, private_said, faults),
        **(_of_worker(worker, request.POST if about_profile else None, faults) if worker else {}),
    }
    return render(request, "me/profile.html", context, status=problem_of(type(refusal)).status if refusal else 200)


def _of_worker(worker: Worker, said: QueryDict | None, faults: dict[str, str]) -> dict[str, object]:
    profile = profiling.profile_of(worker)
    get: Callable[[str], str] = (lambda name: said.get(name, "")) if said else (lambda name: getattr(profile, name))
    spoken = profiling.languages_of(worker) if said is None else _spoken(said)
    rows = [*spoken, *[("", "")] * EMPTY_ROWS][: profiling.LANGUAGES_MAX]
    return {
        "profile": {
            name: Field(name, get(name), faults.get(f"/{name}", ""))
            for name in ("country", "time_zone", "education", "device")
        },
        "languages": [
            LanguageRow(
                number,
                Field("language", tag, faults.get(f"/languages/{number - 1}/language", "")),
                Field("level", level, faults.get(f"/languages/{number - 1}/level", "")),
            )
            for number, (tag, level) in enumerate(rows, start=1)
        ],
        "too_many": faults.get("/languages", ""),
        "educations": Profile.Education.choices,
        "devices": Profile.Device.choices,
        "levels": SpokenLanguage.Level.choices,
        "known_languages": [(tag, info["name_local"]) for tag, info in LANG_INFO.items() if "name_local" in info],
        "known_zones": profiling.time_zones(),
        "blocks": list(covenants.standing_blocks_on(worker)),
        "asked": covenants.asked_of(worker).count(),
    }


def _private_fields(user: User, said: QueryDict | None, faults: dict[str, str]) -> dict[str, Field]:
    kept = profiling.private_of(user)
    names = profiling.PRIVATE_FACTS
    return {
        name: Field(name, said.get(name, "") if said else kept.get(name, ""), faults.get(f"/{name}", ""))
        for name in names
    }

"""Pages of keys: a worker's own, and an organisation's with its OAuth clients. Issue, rotate, revoke.

Another door to the same acts as the API's, and forms are read by the API's own shapes. A secret is in the one answer to
the form that made it: never in a redirect, a session or a message, where it would be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from accounts import keys
from accounts.ledger.money import MINOR_DIGITS, Money
from accounts.models import ApiKey, Organisation, Worker
from accounts.queries import instant
from accounts.refusals import Fault, Refusal
from marketplace import clients
from marketplace.api import ids, policies, throttling
from marketplace.api.api_keys import OrganisationKeyIn, RotateIn, WorkerKeyIn, key_for, with_cap
from marketplace.api.clients import ClientIn, client_for
from marketplace.api.doors import checked
from marketplace.api.organisations import organisation_for
from marketplace.api.policies import Principal
from marketplace.api.problems import in_our_words, problem_of
from marketplace.api.refusals import NotFound
from marketplace.models import OrganisationClient
from marketplace.web.organisations import for_users

SCOPES: Mapping[str, Promise] = {
    "jobs:read": gettext_lazy("read jobs, batches and reports"),
    "jobs:write": gettext_lazy("post and change jobs, add tasks, publish, review answers"),
    "answers:read": gettext_lazy("read tasks and their answers"),
    "gold:read": gettext_lazy("read gold and its right answers"),
    "gold:write": gettext_lazy("write gold sets and exams"),
    "releases": gettext_lazy("seal and read releases"),
    "money:read": gettext_lazy("read the wallet"),
    "money:write": gettext_lazy("add budget to jobs"),
    "members": gettext_lazy("see members and keys"),
}
LIFETIMES = (("90", gettext_lazy("90 days")), ("30", gettext_lazy("30 days")), ("365", gettext_lazy("a year")), ("", gettext_lazy("until it is revoked")))  # fmt: skip
OVERLAPS = ((86_400, gettext_lazy("for a day")), (3_600, gettext_lazy("for an hour")), (604_800, gettext_lazy("for a week")), (0, gettext_lazy("not at all: it ends now")))  # fmt: skip
SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was just made, and its secret: shown on this one page."""

    name: str
    secret: str
    client_id: str = ""
    old_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal as the page tells it: ``form`` is the form it is about, ``faults`` what is wrong by field."""

    title: str
    detail: str
    status: int
    form: str
    faults: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key as its holder sees it."""

    public: str
    key: ApiKey
    works: bool
    replaced: bool
    spent: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One OAuth client as an owner sees it."""

    public: str
    client_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Party:
    """Whose keys the page is about: an organisation's, or the reader's worker's."""

    organisation: Organisation | None = None
    worker: Worker | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def own_keys(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The keys that work for the reader's worker."""
    principal.need_user()
    if principal.worker_id is None:
        return render(request, "me/keys.html", {"party": None})
    return _answer(request, principal, Party(worker=policies.worker_of(principal)))


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def organisation_keys(request: HttpRequest, principal: Principal, organisation: str) -> HttpResponse:
    """The keys and OAuth clients of an organisation, for its owners."""
    principal.need_user()
    return _answer(request, principal, Party(organisation=organisation_for(principal, organisation, "members")))


def _answer(request: HttpRequest, principal: Principal, party: Party) -> HttpResponse:
    """The page; after a form, with what it made or why it made nothing."""
    if request.method != "POST":
        return _page(request, principal, party)
    act = request.POST.get("act", "")
    try:
        throttling.count("secret", principal.actor)
        fresh = _act(act, request.POST, principal, party)
    except NotFound:
        raise
    except (Refusal, ValidationError) as error:
        refusal = in_our_words(error)
        assert refusal is not None
        return _page(request, principal, party, told=_told(refusal, act))
    return _page(request, principal, party, fresh=fresh)


def _act(act: str, form: QueryDict, principal: Principal, party: Party) -> Fresh | None:
    """Do what the form asks. Raises NotFound for what is not the party's, and whatever the act refuses."""
    if act == "issue":
        return _issue(form, principal, party)
    if act == "rotate":
        return _rotate(form, principal, party)
    if act == "make" and party.organisation is not None:
        return _make(form, principal, party.organisation)
    if act == "revoke":
        with principal.acting():
            keys.revoke_key(_key(form, principal, party))
    elif act == "end" and party.organisation is not None:
        client = client_for(principal, form.get("client", ""))
        if client.organisation_id != party.organisation.pk:
            raise NotFound
        with principal.acting():
            clients.revoke_client(client)
    else:
        raise NotFound
    return None


def _issue(form: QueryDict, principal: Principal, party: Party) -> Fresh:
    said: dict[str, Any] = {"name": form.get("name", "").strip(), "addresses": form.get("addresses", "").split()}
    days = form.get("days", "")
    if days.isascii() and days.isdigit() and len(days) < 5:
        said["expires_at"] = (instant(None) + timedelta(days=int(days))).isoformat()
    if party.worker is not None:
        facts = {**checked(WorkerKeyIn, said), "worker": party.worker, "scopes": policies.SCOPES_OF_WORKERS}
    else:
        said |= {"scopes": form.getlist("scopes"), "spend_currency": form.get("spend_currency", "USD")}
        if cap := form.get("spend_cap", "").strip():
            said["spend_cap"] = cap
        facts = {**with_cap(checked(OrganisationKeyIn, said)), "organisation": party.organisation}
    user = policies.user_of(principal)
    with principal.acting():
        key, secret = keys.issue_key(created_by=user, **facts)
    return Fresh(key.name, secret)


def _rotate(form: QueryDict, principal: Principal, party: Party) -> Fresh:
    key = _key(form, principal, party)
    text = form.get("overlap_seconds", "")
    said = checked(RotateIn, {"overlap_seconds": int(text) if text.isascii() and text.isdigit() else text})
    overlap = timedelta(seconds=said["overlap_seconds"])
    with principal.acting():
        new, secret = keys.rotate_key(key, overlap=overlap, rotated_by=policies.user_of(principal))
    return Fresh(new.name, secret, old_until=key.expires_at if overlap else None)


def _make(form: QueryDict, principal: Principal, organisation: Organisation) -> Fresh:
    said = checked(ClientIn, {"name": form.get("name", "").strip(), "scopes": form.getlist("scopes")})
    with principal.acting():
        client, secret = clients.make_client(organisation, created_by=policies.user_of(principal), **said)
    return Fresh(said["name"], secret, client_id=client.client_id)


def _key(form: QueryDict, principal: Principal, party: Party) -> ApiKey:
    found = key_for(principal, form.get("key", ""))
    if (found.organisation_id, found.worker_id) != (
        party.organisation and party.organisation.pk,
        party.worker and party.worker.pk,
    ):
        raise NotFound
    return found


def _page(
    request: HttpRequest, principal: Principal, party: Party, *, fresh: Fresh | None = None, told: Told | None = None
) -> HttpResponse:
    rows = _rows(policies.keys_of(principal).filter(organisation=party.organisation, worker=party.worker))
    context: dict[str, Any] = {
        "party": party,
        "working": [row for row in rows if row.works],
        "ended": [row for row in rows if not row.works],
        "fresh": fresh,
        "refusal": told,
        "said": request.POST if told is not None else {},
        "chosen": request.POST.getlist("scopes") if told is not None else [],
        "scopes": SCOPES.items(),
        "lifetimes": LIFETIMES,
        "overlaps": OVERLAPS,
        "currencies": sorted(MINOR_DIGITS),
        "here": request.path,
    }
    if party.organisation is not None:
        its = policies.clients_of(principal).filter(organisation=party.organisation).order_by("-pk")[:SHOWN_MAX]
        context |= {
            "public": ids.public("org", party.organisation.pk),
            "organisation": party.organisation,
            "clients": [_client_row(client) for client in its],
        }
    template = "me/keys.html" if party.organisation is None else "organisation/keys.html"
    return render(request, template, context, status=200 if told is None else told.status)


def _rows(found: Any) -> list[KeyRow]:
    now = instant(None)
    shown: Iterable[ApiKey] = found.order_by("-pk")[:SHOWN_MAX]
    every = list(shown)
    replaced = {key.replaces_id for key in every}
    return [
        KeyRow(
            public=ids.public("key", key.pk),
            key=key,
            works=key.revoked_at is None and (key.expires_at is None or key.expires_at > now),
            replaced=key.pk in replaced,
            spent=""
            if key.spend_cap_micros is None
            else gettext("%(spent)s of %(cap)s")
            % {
                "spent": Money(key.spent_micros, key.spend_currency),
                "cap": Money(key.spend_cap_micros, key.spend_currency),
            },
        )
        for key in every
    ]


def _client_row(client: OrganisationClient) -> ClientRow:
    inner = client.client
    public = ids.public("cli", client.pk)
    return ClientRow(public, inner.id, inner.name, inner.get_scopes(), client.created_at, client.revoked_at)


def _told(refusal: Refusal, form: str) -> Told:
    problem = problem_of(type(refusal))
    faults: dict[str, list[str]] = {}
    for fault in refusal.faults:
        faults.setdefault(fault.pointer.split("/")[1] if fault.pointer else "", []).append(_sentence(fault))
    return Told(gettext(problem.title), gettext(refusal.detail), problem.status, form, faults)


def _sentence(fault: Fault) -> str:
    """A fault as a sentence: fields speak in whole ones, acts say what the thing "is"."""
    said = gettext(fault.detail)
    _, _, place = fault.pointer.lstrip("/").partition("/")
    if place.isdigit():
        return gettext("Entry %(number)d: %(said)s") % {"number": int(place) + 1, "said": said}
    return said if said[:1].isupper() else gettext("This %s.") % said

"""An organisation's agreement and its blocks on one page; and the platform's, for its admins.

Another door to the same acts as the API's. Each form says by ``act`` which it is; a refusal is shown beside that form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts import blocking, consenting
from accounts.models import Block, Organisation, Terms, Worker
from accounts.queries import pseudonym_of
from accounts.refusals import Fault, Refusal
from marketplace.api import covenants, ids, policies
from marketplace.api.organisations import organisation_for
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import FieldsRefused, NotFound
from marketplace.web.organisations import for_users

BLOCKS_SHOWN = 100

type Act = Callable[[Principal, Organisation | None, QueryDict], str]


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text, in one version."""

    public_id: str
    title: str
    kind: str
    version: int
    text: str
    current: bool
    published_at: datetime
    agreed: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block; ``who`` is the worker as the reader may call them."""

    public_id: str
    who: str
    reason: str
    starts_at: datetime
    ends_at: datetime | None
    lifted_at: datetime | None
    lifted_reason: str
    holds: bool


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def organisation_workers(request: HttpRequest, principal: Principal, organisation: str) -> HttpResponse:
    """What this organisation asks workers to agree to, and whom it keeps from its jobs."""
    return _page(request, principal, organisation_for(principal, organisation, "jobs:write"))


@require_http_methods(["GET", "HEAD", "POST"])
@for_users
def platform_workers(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What the platform asks workers to agree to, and whom it keeps from all work."""
    principal.need_platform(covenants.GOVERNING_ROLES)
    return _page(request, principal, None)


def _page(request: HttpRequest, principal: Principal, it: Organisation | None) -> HttpResponse:
    refusal: Refusal | None = None
    act = request.POST.get("act", "") if request.method == "POST" else ""
    if act:
        if act not in ACTS:
            raise NotFound
        try:
            messages.success(request, ACTS[act](principal, it, request.POST))
            return redirect(request.path)
        except NotFound:
            raise
        except Refusal as refused:
            refusal = refused
    texts = covenants.terms_of(principal).filter(organisation=it)
    blocks = covenants.blocks_by(principal).filter(organisation=it)
    holding = set(blocking.standing(blocks).values_list("pk", flat=True))
    context = {
        "organisation": it,
        "public": "" if it is None else ids.public("org", it.pk),
        "texts": [_text(one) for one in texts.order_by("-current", "-pk")],
        "kinds": []
        if it is not None
        else [(kind.value, kind.label) for kind in (Terms.Kind.TERMS, Terms.Kind.PRIVACY)],
        "blocks": [_block(one, holds=one.pk in holding) for one in blocks.order_by("-pk")[:BLOCKS_SHOWN]],
        "act": act if refusal else "",
        "said": request.POST if refusal else {},
        "refusal": _told(refusal) if refusal else None,
    }
    return render(
        request, "organisation/workers.html", context, status=problem_of(type(refusal)).status if refusal else 200
    )


def _publish(principal: Principal, it: Organisation | None, form: QueryDict) -> str:
    with principal.acting():
        terms = consenting.publish_terms(
            organisation=it,
            kind=Terms.Kind.NDA.value if it is not None else form.get("kind", ""),
            title=form.get("title", ""),
            text=form.get("text", "").replace("\r\n", "\n"),
            published_by=policies.user_of(principal),
        )
    return gettext("Version %(version)d of “%(title)s” is asked for from the next claim on.") % {
        "version": terms.version,
        "title": terms.title,
    }


def _withdraw(principal: Principal, it: Organisation | None, form: QueryDict) -> str:
    number = ids.number("trm", form.get("terms", ""))
    terms = covenants.terms_of(principal).filter(organisation=it, pk=number).first()
    if terms is None:
        raise NotFound
    with principal.acting():
        consenting.withdraw_terms(terms)
    return gettext("“%s” is asked for no longer.") % terms.title


def _add_block(principal: Principal, it: Organisation | None, form: QueryDict) -> str:
    worker = _meant(principal, it, form.get("worker", "").strip())
    days = form.get("days", "").strip()
    if days and not (days.isascii() and days.isdigit() and len(days) <= 4):
        raise blocking.BlockDaysOutOfRange
    with principal.acting():
        blocking.block_worker(
            worker,
            organisation=it,
            reason=form.get("reason", ""),
            days=int(days) if days else None,
            blocked_by=policies.user_of(principal),
        )
    return gettext("They are blocked from the next claim on.")


def _lift(principal: Principal, it: Organisation | None, form: QueryDict) -> str:
    number = ids.number("blk", form.get("block", ""))
    block = covenants.blocks_by(principal).filter(organisation=it, pk=number).first()
    if block is None:
        raise NotFound
    with principal.acting():
        blocking.lift_block(block, reason=form.get("reason", ""))
    return gettext("The block is lifted.")


ACTS: Mapping[str, Act] = {"publish": _publish, "withdraw": _withdraw, "block": _add_block, "lift": _lift}


def _meant(principal: Principal, it: Organisation | None, name: str) -> Worker:
    """Whoever the form names: a pseudonym or the id of an answer; for the platform, a worker's id. Raises FieldsRefused."""
    found: Worker | None = None
    try:
        if it is None:
            found = policies.workers_of(principal).filter(pk=ids.number("wrk", name)).first()
        elif name.startswith("ans_"):
            found = covenants.worker_behind(it, ids.number("ans", name))
        else:
            found = covenants.worker_called(it, name)
    except NotFound:
        found = None
    if found is None:
        what = "is no worker's id" if it is None else "is neither a pseudonym nor an answer of your jobs"
        raise FieldsRefused(faults=[Fault("/worker", what)])
    return found


def _told(refusal: Refusal) -> dict[str, object]:
    problem = problem_of(type(refusal))
    faults = {fault.pointer.lstrip("/"): gettext("This %s.") % gettext(fault.detail) for fault in refusal.faults}
    return {"title": gettext(problem.title), "detail": gettext(refusal.detail), "faults": faults}


def _text(terms: Terms) -> TextRow:
    return TextRow(
        public_id=ids.public("trm", terms.pk),
        title=terms.title,
        kind=terms.get_kind_display(),
        version=terms.version,
        text=terms.text,
        current=terms.current,
        published_at=terms.published_at,
        agreed=consenting.agreed_to(terms),
    )


def _block(block: Block, *, holds: bool) -> BlockRow:
    whose = block.organisation
    who = ids.public("wrk", block.worker_id) if whose is None else pseudonym_of(whose, block.worker_id)
    return BlockRow(
        public_id=ids.public("blk", block.pk),
        who=who,
        reason=block.reason,
        starts_at=block.starts_at,
        ends_at=block.ends_at,
        lifted_at=block.lifted_at,
        lifted_reason=block.lifted_reason,
        holds=holds,
    )

"""The documents of credentials: fresh links, and what they lead to.

A document's own address (`document`) looks whether this person may see it, makes a link that lives a minute, and sends
them on. What the link leads to looks again: at whose link it is, and at what its viewer may see by now. Pages are
pictures drawn anew; the file itself is only ever saved, never shown. Each look is written down before it happens.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import verifying
from accounts.models import Evidence
from accounts.refusals import Refusal
from marketplace.api import dossiers, evidence_links, ids, policies, throttling
from marketplace.api.auth import signed_in
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import NotFound

SUFFIXES = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
POLICY = "sandbox; default-src 'none'"


@require_GET
@never_cache
def document(request: HttpRequest, evidence: str) -> HttpResponse:
    """On to a fresh link: with ``page`` in the query to that page's picture, else to the file."""
    principal = _viewer(request)
    text = request.GET.get("page", "")
    try:
        found = _reachable(principal, ids.number("evd", evidence))
    except NotFound:
        raise Http404 from None
    page = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None
    if (text and page is None) or (page is not None and not 1 <= page <= found.pages):
        raise Http404
    return redirect(evidence_links.link(found, viewer_id=principal.need_user(), page=page))


@require_GET
@never_cache
def evidence(request: HttpRequest, token: str) -> HttpResponse:
    """What a link leads to: a page as a picture, or the file to be saved."""
    principal = _viewer(request)
    try:
        asked = evidence_links.opened(token, viewer_id=principal.need_user())
        found = _reachable(principal, asked.evidence_id)
        throttling.count("read", principal.actor)
        seen = verifying.see_document(found, viewer=policies.user_of(principal), page=asked.page)
    except (NotFound, verifying.NotYourDocument):
        raise Http404 from None
    except Refusal as refusal:
        problem = problem_of(type(refusal))
        told = {"title": gettext(problem.title), "detail": gettext(refusal.detail)}
        return render(request, "me/refused.html", told, status=problem.status)
    if isinstance(seen, verifying.Picture):
        response = HttpResponse(seen.content, content_type="image/png")
    else:
        name = f"{found.name.replace(' ', '-')}.{SUFFIXES[found.content_type]}"
        disposition = f'attachment; filename="{name}"'
        headers = {"Content-Disposition": disposition}
        response = HttpResponse(seen, content_type=found.content_type, headers=headers)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _viewer(request: HttpRequest) -> Principal:
    """Who looks: somebody signed in as themself; to anybody else there is nothing here."""
    principal = signed_in(request)
    if principal is None or getattr(request, "impersonation", None):
        raise Http404
    return principal


def _reachable(principal: Principal, number: int) -> Evidence:
    found = dossiers.evidence_of(principal).filter(pk=number, removed_at__isnull=True).first()
    if found is None:
        raise NotFound
    return found

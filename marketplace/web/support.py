"""The page where support asks to look through a user's eyes, and where they stop."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts import impersonating
from accounts.models import Impersonation, User
from accounts.refusals import Refusal
from marketplace.api import policies
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.web.impersonation import SESSION
from marketplace.web.organisations import for_users

SHOWN_MAX = 20


@require_safe
@for_users
def support(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Whose eyes, and why."""
    principal.need_platform(impersonating.SUPPORTING)
    return _page(request, principal)


@require_POST
@for_users
def impersonate(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Start."""
    principal.need_platform(impersonating.SUPPORTING)
    email = request.POST.get("email", "").strip()
    target = User.objects.filter(email__iexact=email).first() if email else None
    if target is None:
        return _page(request, principal, email_fault=gettext("Nobody signs in with this address."), status=400)
    try:
        found = impersonating.start_impersonation(
            policies.user_of(principal), target=target, reason=request.POST.get("reason", "")
        )
    except impersonating.ImpersonationNeedsReason as refusal:
        return _page(request, principal, reason_fault=gettext(refusal.detail), status=400)
    except Refusal as refusal:
        status = problem_of(type(refusal)).status
        return _page(request, principal, email_fault=gettext(refusal.detail), status=status)
    request.session[SESSION] = found.pk
    return redirect("line")


@require_POST
@for_users
def stop(request: HttpRequest, principal: Principal) -> HttpResponse:
    """See with one's own eyes again."""
    impersonating.stop_impersonation(policies.user_of(principal))
    request.session.pop(SESSION, None)
    messages.success(request, gettext("You see with your own eyes again."))
    return redirect("support")


def _page(
    request: HttpRequest, principal: Principal, *, email_fault: str = "", reason_fault: str = "", status: int = 200
) -> HttpResponse:
    rows = Impersonation.objects.filter(supporter_id=principal.user_id).select_related("target").order_by("-pk")
    context = {
        "rows": rows[:SHOWN_MAX],
        "email": request.POST.get("email", ""),
        "reason": request.POST.get("reason", ""),
        "reason_max": impersonating.REASON_MAX,
        "email_fault": email_fault,
        "reason_fault": reason_fault,
    }
    return render(request, "support/page.html", context, status=status)

"""The page where people take along what is held about them, or put an end to it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts.queries import worker_of
from marketplace.api import policies
from marketplace.api.policies import Principal
from marketplace.api.privacy import archive_response, erase
from marketplace.api.problems import problem_of
from marketplace.api.refusals import FieldsRefused
from marketplace.web.organisations import for_users
from tasks import erasing


@require_safe
@for_users
def privacy(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What may be done with what is held about me."""
    return _page(request, principal, {})


@require_safe
@for_users
def export(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The download."""
    return cast(
        "HttpResponse", archive_response(policies.user_of(principal))
    )  # a stream, which decorators take as well


@require_POST
@for_users
def erase_me(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Erase the account, once its address has been typed again and nothing stands in the way."""
    form = request.POST
    try:
        erase(request, principal, email=form.get("email", ""), give_up_balance=form.get("give_up_balance") == "yes")
    except FieldsRefused as refusal:
        fault = gettext("This is not the address you sign in with.")
        return _page(request, principal, {"email_fault": fault}, status=problem_of(type(refusal)).status)
    except erasing.ErasureStopped as refusal:
        faults = [fault.detail for fault in refusal.faults]
        return _page(request, principal, {"in_the_way": faults}, status=problem_of(type(refusal)).status)
    messages.success(request, gettext("Your account is erased. Nothing here says who you were any more."))
    return redirect("line")


def _page(request: HttpRequest, principal: Principal, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    user = policies.user_of(principal)
    worker = worker_of(user)
    balances = [] if worker is None else erasing.balances_of(worker.pk)
    told = {"email": user.email, "typed": request.POST.get("email", ""), "balances": balances}
    return render(request, "me/privacy.html", {**told, **context}, status=status)

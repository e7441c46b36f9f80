"""Coming in: what one joins as, and the sessions one has open."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to join as; ``address`` leads to signing up, which then goes on to where it begins."""

    title: str
    text: str
    act: str
    address: str


@require_safe
def join_as(request: HttpRequest) -> HttpResponse:
    """What brings you here: to label, or to post jobs?"""
    choices = [
        Choice(
            gettext("I label"),
            gettext("Answer tasks at your own pace, prove what you know, and be paid for each accepted answer."),
            gettext("Join as a worker"),
            _then(request, reverse("welcome")),
        ),
        Choice(
            gettext("I post jobs"),
            gettext("Found an organisation, put money in, and take home a data set that can be defended."),
            gettext("Join as a requester"),
            _then(request, "/organisations"),
        ),
    ]
    return render(request, "join.html", {"choices": choices})


def _then(request: HttpRequest, place: str) -> str:
    """Where to go to sign up and end at ``place``; straight there for whoever is signed in."""
    return place if request.user.is_authenticated else f"{reverse('account_signup')}?{urlencode({'next': place})}"


@require_POST
@login_required
def session_end(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions; another's is left alone, without a word about whether it exists."""
    number = request.POST.get("session", "")
    own = UserSession.objects.filter(user_id=request.user.pk, pk=int(number) if number.isdecimal() else 0)
    if own:
        end_sessions(request, list(own))
        messages.success(request, gettext("The session has ended."))
    return redirect("usersessions_list")

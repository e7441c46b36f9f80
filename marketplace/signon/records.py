"""What signing in has left behind about a person: told when they ask, and taken away when they are erased."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings

from accounts.models import ApiKey, User
from marketplace.models import IdempotencyKey


def facts_about(user: User) -> dict[str, Any]:
    """Addresses, accounts elsewhere, second factors (never their secrets) and sessions."""
    return {
        "addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "accounts_elsewhere": list(
            SocialAccount.objects.filter(user=user).values("provider", "uid", "extra_data", "date_joined", "last_login")
        ),
        "second_factors": list(Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")),
        "sessions": list(
            UserSession.objects.filter(user=user).values("ip", "user_agent", "created_at", "last_seen_at")
        ),
    }


def addresses_of(user: User) -> tuple[str, ...]:
    """Every address the person has proved or tried to prove."""
    return tuple(EmailAddress.objects.filter(user=user).order_by("pk").values_list("email", flat=True))


def end_sessions(user: User) -> int:
    """End every session of this person, wherever it is signed in; returns how many."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    ended = list(UserSession.objects.filter(user=user).values_list("session_key", flat=True))
    for session_key in ended:
        store(session_key=session_key).delete()
    return len(ended)


def forget_answers(user: User) -> None:
    """Take away the answers remembered for repeats of this person's requests, by session and by their worker's keys."""
    keys = ApiKey.objects.filter(worker__user=user).values_list("pk", flat=True)
    principals = [f"user:{user.pk}", *(f"key:{key}" for key in keys)]
    IdempotencyKey.objects.filter(principal__in=principals).delete()

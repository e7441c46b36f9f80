"""Signing somebody in without the pages, as far as they would have got there."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from accounts.models import User
from marketplace.signon import assurance


def sign_in(client: Client, user: User, *, second_factor: bool = True) -> str:
    """Sign in and return the session's key; with a second factor as if it had been set up in this session."""
    client.force_login(user)
    session = client.session
    if second_factor:
        session[assurance.ENROLLED] = [a_factor(user).pk]
        session.save()
    return str(session.session_key)


def a_factor(user: User) -> Authenticator:
    """The user's authenticator app, set up now where there is none."""
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    return found or TOTP.activate(user, generate_totp_secret()).instance

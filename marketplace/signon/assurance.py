"""Has this session shown a second factor, and does its user need one?

allauth writes each step of a sign-in into the session. A passkey, a code from an app and a recovery code are steps of
the method ``mfa``; a factor set up in this very session counts too, for setting it up shows that one holds it. A factor
that was removed since counts no more.
"""

from __future__ import annotations

from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import Membership, PlatformRole, User

ENROLLED = "signon_factors_set_up"
"""The session's list of the factors that were set up in it."""

KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Factors that stand by themselves; recovery codes stand in for one of them."""

ROLES = (Membership.Role.OWNER, Membership.Role.FINANCE)
"""Roles in an organisation whose rights ask for a second factor."""


def assured(request: HttpRequest) -> bool:
    """True where this session has shown a second factor that its user still has, or where the site asks for none."""
    if not settings.MFA_REQUIRED:
        return True
    user = request.user
    if not isinstance(user, User):
        return False
    records = get_authentication_records(request, user)
    shown = {record.get("id") for record in records if record.get("method") == "mfa"}
    shown.update(request.session.get(ENROLLED, ()))
    return bool(shown and Authenticator.objects.filter(user_id=user.pk, pk__in=shown).exists())


def note_enrolment(request: HttpRequest, user: User) -> None:
    """Remember in the session that its user's newest factor was set up in it."""
    newest = Authenticator.objects.filter(user_id=user.pk, type__in=KINDS).order_by("pk").last()
    if newest is not None:
        request.session[ENROLLED] = [*request.session.get(ENROLLED, ()), newest.pk]


def wants_factor(user: User) -> bool:
    """True where some right of this user is withheld until a second factor is shown."""
    if not settings.MFA_REQUIRED:
        return False
    if user.is_staff or PlatformRole.objects.filter(user=user).exists():
        return True
    return Membership.objects.filter(user=user, role__in=ROLES).exists()


def has_factor(user: User) -> bool:
    """True where the user has set up a second factor."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=KINDS).exists())


def way_to_factor(user: User, back: str) -> str:
    """The address where this user sets up a second factor or, where they have one, shows it and goes on to ``back``."""
    kinds = set(Authenticator.objects.filter(user_id=user.pk, type__in=KINDS).values_list("type", flat=True))
    if not kinds:
        return reverse("mfa_index")
    page = "mfa_reauthenticate" if Authenticator.Type.TOTP in kinds else "mfa_reauthenticate_webauthn"
    return f"{reverse(page)}?{urlencode({'next': back})}"

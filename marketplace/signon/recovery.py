"""Letting somebody back in who has lost every second factor, recovery codes included."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.core.mail import send_mail
from django.utils.translation import gettext

from accounts.audit import acting
from accounts.models import User
from marketplace.signon import records


def remove_factors(user: User, *, actor: str) -> int:
    """Take away a person's second factors and end their sessions; returns how many factors that were.

    They sign in by what is left, are mailed that this was done, and set up a new factor before they use what asks for
    one. Whoever calls this has made sure of who asks: it opens the account to whoever holds its password or mailbox.
    """
    with acting(actor):
        factors = Authenticator.objects.filter(user_id=user.pk)
        gone = int(factors.exclude(type=Authenticator.Type.RECOVERY_CODES).count())
        factors.delete()
        records.end_sessions(user)
    lines = (
        gettext(
            "Your second factors were removed because somebody told us that they were lost, and you are signed out."
        ),
        gettext(
            "Sign in and set up a new one under Account. If it was not you who asked, change your password at once."
        ),
    )
    send_mail(gettext("Your second factors were removed"), "\n\n".join(lines), None, [user.email])
    return gone

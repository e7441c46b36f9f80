"""What this site tells allauth: mail, second factors, and what to do when an outside account is shown."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from accounts import sealing
from accounts.models import User
from marketplace.signon import assurance

ENROLMENTS = frozenset({"mfa/email/totp_activated", "mfa/email/webauthn_added"})
"""The notices that allauth sends when somebody has set up a second factor."""

_ABOUT = "second factor"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Mail in our words, and a note in the session of each factor set up."""

    def format_email_subject(self, subject: str) -> str:
        """The subject as it is: one site, one sender."""
        return str(subject)

    def send_notification_mail(self, template_prefix: str, user: User, *args: Any, **kwargs: Any) -> None:
        """Tell the user by mail; where they have just set up a factor, their session has shown it."""
        # allauth tells of a new factor by a signal and by this hook, for pages and headless alike; signals we do not use.
        if template_prefix in ENROLMENTS:
            assurance.note_enrolment(self.request, user)
        super().send_notification_mail(template_prefix, user, *args, **kwargs)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Secrets of second factors are sealed at rest."""

    def encrypt(self, text: str) -> str:
        """The text in a box under ``PII_KEY``, in base64."""
        return base64.b64encode(sealing.seal(_key(), text.encode(), about=_ABOUT)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What was sealed. Raises sealing.BoxRefused."""
        return sealing.unseal(_key(), base64.b64decode(encrypted_text), about=_ABOUT).decode()


def _key() -> bytes:
    return sealing.derived(settings.PII_KEY, "second factor")

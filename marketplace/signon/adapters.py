"""What this site tells allauth: mail, second factors, and what to do when an outside account is shown."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts import sealing
from accounts.models import User
from marketplace.signon import assurance, providers

ENROLMENTS = frozenset({"mfa/email/totp_activated", "mfa/email/webauthn_added"})
"""The notices that allauth sends when somebody has set up a second factor."""

_ABOUT = "second factor"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Mail in our words, and a note in the session of each factor set up."""

    def format_email_subject(self, subject: str) -> str:
        """The subject as it is: one site, one sender."""
        return str(subject)

    def post_login(self, request: HttpRequest, user: User, **told: Any) -> HttpResponse:
        """Go on; what an account elsewhere asserts of a worker who signs in with it is filed."""
        shown = (told.get("signal_kwargs") or {}).get("sociallogin")
        if shown is not None:
            providers.file_assertion_of(shown.account, user)
        response: HttpResponse = super().post_login(request, user, **told)
        return response

    def clean_password(self, password: str, user: User | None = None) -> str:
        """The password, checked; remembered of this request is only that one was given."""
        cleaned: str = super().clean_password(password, user)
        if self.request is not None:
            self.request.signon_password_given = True
        return cleaned

    def send_account_already_exists_mail(self, email: str) -> None:
        """Tell the owner of the address, after as much work as a new account would have been.

        Without that the time would tell a known address from a new one: a new one has its password hashed and rows made.
        """
        _work_as_for_a_new_account(email, password=getattr(self.request, "signon_password_given", False))
        super().send_account_already_exists_mail(email)

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


def _work_as_for_a_new_account(email: str, *, password: bool) -> None:
    """Hash and insert what a new account needs, keep none of it, and wait for the disk as often as it would."""
    with transaction.atomic():
        user = User.objects.create_user(
            f"{secrets.token_hex(16)}@touchstone.invalid", secrets.token_urlsafe(12) if password else None
        )
        EmailAddress.objects.create(user=user, email=user.email)
        transaction.set_rollback(True)
    for _ in range(2):
        EmailAddress.objects.filter(email=email).update(email=email)
    for _ in range(5):
        EmailAddress.objects.filter(email=email).first()

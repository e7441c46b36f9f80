"""Accounts elsewhere, ORCID and OpenID Connect: a way to sign in, and a credential where a type of their name is offered."""

from __future__ import annotations

import logging
from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount

from accounts import credentials
from accounts.audit import acting
from accounts.models import CredentialType, User, Worker
from accounts.refusals import Refusal

log = logging.getLogger(__name__)

CONNECTED = "socialaccount/email/account_connected"
"""The notice that allauth sends when somebody has connected an account."""


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """What an account elsewhere asserts is filed as a credential of the worker who connects it."""

    def send_notification_mail(self, template_prefix: str, user: User, context: Any = None, email: Any = None) -> None:
        """Tell the user by mail; file what a newly connected account asserts."""
        # The one hook that pages and headless share when an account is connected; signals we do not use.
        if template_prefix == CONNECTED and context is not None:
            file_assertion_of(context["account"], user)
        super().send_notification_mail(template_prefix, user, context, email)


def file_assertion_of(account: SocialAccount, user: User) -> None:
    """File what the account asserts, where its user is a worker and a type named like the provider is offered.

    A refusal is logged and otherwise ignored: signing in does not depend on it.
    """
    kind = CredentialType.objects.filter(slug=account.provider, active=True).first()
    worker = Worker.objects.filter(user=user).first()
    if kind is None or worker is None:
        return
    names = account.get_provider().extract_common_fields(account.extra_data)
    name = names.get("name") or " ".join(filter(None, (names.get("first_name"), names.get("last_name"))))
    claims = {"name": name, "asserted": account.extra_data}
    try:
        with acting(f"user:{user.pk}"):
            credentials.file_assertion(worker, kind, provider=account.provider, uid=account.uid, claims=claims)
    except Refusal as refusal:
        log.info(
            "the assertion of worker %s by %s was not filed: %s", worker.pk, account.provider, type(refusal).__name__
        )

"""What every page knows of the sign-on."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from marketplace.signon import assurance

MAILS_IN_LOG = settings.EMBEDDED_DATABASE and "console" in settings.MAILERS["default"]["BACKEND"]


def second_factor(request: HttpRequest) -> dict[str, Any]:
    """``second_factor_wanted``: where to set one up or show it, for whom some right waits for it; else empty. Lazy.

    ``mails_in_log``: true on an embedded stack without a mail server, where a code is read in the log.
    """

    def wanted() -> str:
        user = getattr(request, "user", None)
        if not isinstance(user, User) or assurance.assured(request) or not assurance.wants_factor(user):
            return ""
        return assurance.way_to_factor(user, request.path)

    return {"second_factor_wanted": SimpleLazyObject(wanted), "mails_in_log": MAILS_IN_LOG}

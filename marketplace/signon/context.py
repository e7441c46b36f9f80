"""What every page knows of the sign-on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from marketplace.signon import assurance


def second_factor(request: HttpRequest) -> dict[str, Any]:
    """``second_factor_wanted``: where to set one up or show it, for whom some right waits for it; else empty. Lazy."""

    def wanted() -> str:
        user = getattr(request, "user", None)
        if not isinstance(user, User) or assurance.assured(request) or not assurance.wants_factor(user):
            return ""
        return assurance.way_to_factor(user, request.path)

    return {"second_factor_wanted": SimpleLazyObject(wanted)}

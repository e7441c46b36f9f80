"""Which browser and which network a worker comes from, noted as signals once a day each.

A random name in a cookie stands for the browser, the /24 or /48 for the network. Both are kept as keyed hashes and serve
one question only: whether two accounts are one person (``accounts/matching.py``). Whoever shows an API key has no browser.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from accounts import matching
from accounts.models import Signal, User
from accounts.queries import worker_of
from marketplace.addresses import address_of

COOKIE = "ts_device"
SALT = "device"
DAY = 86_400
TWO_YEARS = 2 * 365 * DAY


class DeviceMiddleware:
    """Notes the signals of signed-in workers after the page is made, so that no page waits for them twice a day."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response, with the cookie where the browser had none."""
        response = self.get_response(request)
        if "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return response
        user = request.user
        # Support looking through somebody's eyes is not that somebody's browser.
        if isinstance(user, User) and getattr(request, "impersonation", None) is None:
            self._note(request, response, user)
        return response

    def _note(self, request: HttpRequest, response: HttpResponse, user: User) -> None:
        name = request.get_signed_cookie(COOKIE, default="", salt=SALT)
        if not name:
            name = secrets.token_urlsafe(16)
            response.set_signed_cookie(
                COOKIE,
                name,
                salt=SALT,
                max_age=TWO_YEARS,
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        seen = [(Signal.Kind.DEVICE.value, name)]
        with contextlib.suppress(ValueError):  # a socket has no address
            seen.append((Signal.Kind.ADDRESS.value, matching.address_block(address_of(request))))
        if not cache.add(f"device:{user.pk}:{name}:{seen[-1][1]}", 1, DAY):
            return
        worker = worker_of(user)
        if worker is not None:
            matching.note_signals(worker.pk, seen)

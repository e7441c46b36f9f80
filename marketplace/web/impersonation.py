"""While support looks through a user's eyes, every request is answered as the user would be, and nothing is changed.

``request.impersonation`` is the open one, or None. What may be seen is a list of addresses by name: whatever is not on it
is closed, so that a new page of money or documents is closed from its first day. Reading only is held twice: other methods
are refused here, and the view runs in a transaction that the database keeps read-only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.contrib import messages
from django.db import InternalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from accounts import impersonating
from accounts.models import Impersonation, User
from marketplace.api.problems import handle, problem_of
from marketplace.api.refusals import NotWhileImpersonating

SESSION = "impersonation"
STOP = "support_stop"

SHOWN = frozenset({
    "line", "line_now", "work", "welcome", "organisations", "organisation", "problems", "problem",
    "api:me", "api:worker", "api:worker-assignments", "api:worker-standing", "api:organisations", "api:organisation",
    "api:jobs", "api:job", "api:batches", "api:batch", "api:domains", "api:exams", "api:exam",
    "api:qualifications", "api:line", "api:open-jobs", "api:schema", "api:reference", "api:nowhere",
})  # fmt: skip
"""What support sees through a user's eyes. Never money, documents, keys, private facts, exports, or the audit."""

_SAFE = frozenset({"GET", "HEAD"})


class ImpersonationMiddleware:
    """Puts the user whose eyes are looked through in the place of who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as the user, or send the supporter back where it is over."""
        request.impersonation = None  # type: ignore[attr-defined]
        number = _number(request)
        if number is None:
            return self._get_response(request)
        supporter = request.user
        found = None
        if isinstance(supporter, User):
            found = impersonating.current_impersonation(number, supporter=supporter)
        if found is None:
            return _over(request, supporter if isinstance(supporter, User) else None)
        request.impersonation = found  # type: ignore[attr-defined]
        assert found.target is not None
        request.user = found.target
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Refuse what is closed; run what is open so that it cannot write."""
        found: Impersonation | None = getattr(request, "impersonation", None)
        if found is None:
            return None
        name = "" if request.resolver_match is None else request.resolver_match.view_name
        if name == STOP and found.supporter is not None:
            request.user = found.supporter
            return None
        if request.method not in _SAFE or name not in SHOWN:
            return _closed(request, name)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
                return view(request, *args, **kwargs)
        except InternalError as error:
            if isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction):
                return _closed(request, name)
            raise


def _number(request: HttpRequest) -> int | None:
    # A request without the cookie has no session to ask, and asking would make its answer depend on cookies.
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    found = request.session.get(SESSION)
    return found if isinstance(found, int) else None


def _over(request: HttpRequest, supporter: User | None) -> HttpResponse:
    """It ran out or may go on no longer. Nothing the supporter meant to do as the other is done as themself."""
    del request.session[SESSION]
    if supporter is not None:
        impersonating.end_passed(supporter)
    messages.info(request, gettext("You see with your own eyes again: the time is over."))
    return redirect("support")


def _closed(request: HttpRequest, name: str) -> HttpResponse:
    refusal = NotWhileImpersonating()
    if name.startswith("api:"):
        return handle(refusal)
    return render(request, "support/closed.html", {"detail": refusal.detail}, status=problem_of(type(refusal)).status)

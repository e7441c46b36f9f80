"""Whoever is signed in stands in the audit for what they change on allauth's own pages: addresses, passwords, factors."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.audit import named
from accounts.models import User

THEIRS = ("/accounts/", "/_allauth/")
"""Where allauth writes by itself, outside of our acts."""


class NamingMiddleware:
    """Names who is signed in for as long as allauth answers. Who signs in or up by this request is nobody as yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response."""
        if not request.path.startswith(THEIRS) or not isinstance(request.user, User):
            return self._get_response(request)
        with named(f"user:{request.user.pk}"):
            return self._get_response(request)

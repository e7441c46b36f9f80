"""Who asks: a key or an OAuth client's access token in the Authorization header, or a browser's session.

A key needs no CSRF token, a session does. A request that shows a key is judged by the key alone, even where a session
comes along.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import keys
from accounts.models import User
from marketplace import addresses, clients
from marketplace.api import policies
from marketplace.api.policies import Principal
from marketplace.api.refusals import CsrfFailed, KeyNotKnown
from marketplace.signon.assurance import assured

CHALLENGE = 'Bearer realm="touchstone"'
_SECRET_MAX = 100


def secret_in(request: HttpRequest) -> str | None:
    """The secret shown in ``Authorization: Bearer ...``; None without that header. Raises KeyNotKnown on any other."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        return None
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(secret) <= _SECRET_MAX or not secret.isascii():
        raise KeyNotKnown("Send Authorization: Bearer and your key.")
    return str(secret)


def principal_by(request: HttpRequest, secret: str) -> Principal:
    """Whoever shows this key or access token. Raises KeyNotKnown, KeyFromElsewhere."""
    key = keys.check_secret(secret, address=addresses.address_of(request))
    if key is not None:
        keys.mark_used(key)
        return policies.of_key(key)
    shown = clients.shown_by(secret)
    if shown is None:
        raise KeyNotKnown
    return policies.of_client(shown)


class KeyAuthentication(BaseAuthentication):
    """By API key, or by the access token of an OAuth client."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The principal; None where no key is shown."""
        secret = secret_in(request._request)  # noqa: SLF001  Django's own request is what carries the headers
        return None if secret is None else (principal_by(request._request, secret), None)  # noqa: SLF001  likewise

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return CHALLENGE


class SessionSignIn(BaseAuthentication):
    """By the session of a browser."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The user's principal; None where nobody is signed in. Raises CsrfFailed."""
        principal = signed_in(request._request)  # noqa: SLF001  Django's own request is what carries the session
        return None if principal is None else (principal, None)


def signed_in(request: HttpRequest) -> Principal | None:
    """The principal of this browser's session, its CSRF token checked; None where nobody is signed in."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    check = _CsrfCheck(_no_view)
    check.process_request(request)
    if check.process_view(request, _no_view, (), {}) is not None:
        raise CsrfFailed
    return policies.of_user(user, assured=assured(request))


def _no_view(request: HttpRequest) -> HttpResponse:
    """Never called: the check is all that is wanted."""
    return HttpResponse()


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason

"""Where OAuth clients get their tokens: the client-credentials grant of allauth's provider, and nothing else of it."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc import views
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from marketplace import clients
from marketplace.api import policies, throttling
from marketplace.api.reading import strict_json
from marketplace.api.refusals import TooManyRequests

GRANT = "client_credentials"


@csrf_exempt
@never_cache
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Hand out an access token for a client's id and secret (RFC 6749 §4.4)."""
    # Whoever guesses makes us hash; that is paid for by address, before anything is looked at.
    if wait := _too_fast(request):
        return wait
    if request.POST.get("grant_type") != GRANT:
        return _no(400, "unsupported_grant_type", f"Send grant_type={GRANT}.")
    if "resource" in request.POST:
        return _no(400, "invalid_target", "Tokens are for this site's API as a whole; send no resource.")
    with transaction.atomic():
        response: HttpResponse = views.token(request)
        # A token that would not work is not handed out: its client was revoked, or whoever made it may do so no more.
        if response.status_code == 200 and clients.shown_by(strict_json(response.content)["access_token"]) is None:
            transaction.set_rollback(True)
            return _no(401, "invalid_client", "This client is not known, or no longer works.")
    return response


@csrf_exempt
@never_cache
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """End a token before its time (RFC 7009)."""
    if wait := _too_fast(request):
        return wait
    response: HttpResponse = views.revoke(request)
    return response


@require_safe
def metadata(request: HttpRequest) -> HttpResponse:
    """What there is, for programs that look it up (RFC 8414)."""
    site = settings.SITE_URL.rstrip("/")
    methods = settings.IDP_OIDC_AUTH_METHODS
    return JsonResponse(
        {
            "issuer": site,
            "token_endpoint": f"{site}/identity/o/api/token",
            "revocation_endpoint": f"{site}/identity/o/api/revoke",
            "grant_types_supported": [GRANT],
            "response_types_supported": [],
            "scopes_supported": list(policies.SCOPES_OF_ORGANISATIONS),
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "service_documentation": f"{site}/api/v1/reference",
        }
    )


def _too_fast(request: HttpRequest) -> HttpResponse | None:
    try:
        throttling.count("secret", throttling.address_of(request))
    except TooManyRequests as refusal:
        response = _no(429, "temporarily_unavailable", refusal.detail)
        response["Retry-After"] = str(refusal.facts.get("retry_after", 60))
        return response
    return None


def _no(status: int, error: str, description: str) -> HttpResponse:
    said: dict[str, Any] = {"error": error, "error_description": description}
    response = JsonResponse(said, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="touchstone"'
    return response

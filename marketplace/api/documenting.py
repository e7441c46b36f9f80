"""How an operation is described to the OpenAPI schema, in one call."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from marketplace.api.fields import Nothing, Strict
from marketplace.api.hot_shapes import PROBLEMS

_ONCE = OpenApiParameter(
    name="Idempotency-Key",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    required=True,
    description="1 to 200 visible ASCII characters of your choice; a repeat with the same key is answered as the first time.",
)


def described(
    operation_id: str,
    tag: str,
    *,
    out: type[serializers.BaseSerializer[Any]] | OpenApiTypes | None = None,
    body: type[Strict] | dict[str, Any] | None = None,
    query: type[Strict] | None = None,
    status: int = 200,
    once: bool = False,
    public: bool = False,
    media_type: str = "application/json",
) -> dict[str, Any]:
    """Arguments for ``extend_schema``: ``once`` says that an Idempotency-Key is needed, ``public`` that nobody need sign in."""
    responses: dict[Any, Any] = (
        {(status, media_type): out} if out is not None else {status: OpenApiResponse(description="Done.")}
    )
    return {
        "operation_id": operation_id,
        "tags": [tag],
        "request": None if body is Nothing else body,
        "responses": {**responses, **PROBLEMS},
        "parameters": [*([query] if query else []), *([_ONCE] if once else [])],
        **({"auth": [{}]} if public else {}),
    }


class _Keys(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the package has no types
    target_class = "marketplace.api.auth.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer ts_...`."}


class _Sessions(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the package has no types
    target_class = "marketplace.api.auth.SessionSignIn"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A browser's session; writing needs X-CSRFToken.",
        }

"""What every resource's view is made of: who asks, how often, with which query and body, and in which words we say no."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.refusals import Fault
from marketplace.api import idempotency, throttling
from marketplace.api.auth import KeyAuthentication, SessionSignIn
from marketplace.api.fields import Strict
from marketplace.api.policies import NOBODY, Principal
from marketplace.api.problems import handle
from marketplace.api.reading import BODY_MAX, check, escaped, strict_json
from marketplace.api.refusals import FieldsRefused, MethodNotAllowed, NotSignedIn

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class StrictJson(BaseParser):
    """JSON as :mod:`marketplace.api.reading` takes it."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The value that was sent."""
        return strict_json(stream.read(BODY_MAX + 1))


class AlwaysJson(DefaultContentNegotiation):
    """We answer JSON whatever is asked for; what is sent must be of the right type all the same."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        """The first renderer."""
        return renderers[0], renderers[0].media_type


class Door(APIView):
    """One resource. Subclasses say ``queries`` (by method) and call ``body``, ``principal`` and ``once``."""

    authentication_classes = (KeyAuthentication, SessionSignIn)
    permission_classes = ()
    parser_classes: tuple[type[BaseParser], ...] = (StrictJson,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "post", "patch", "delete", "head"]

    public: ClassVar[bool] = False
    """Whether strangers may ask."""
    throttle_scope: ClassVar[str] = ""
    """Which limit of :mod:`throttling` holds; empty: ``read`` or ``write`` by method."""
    queries: ClassVar[dict[str, type[Strict]]] = {}
    """What may stand in the query string, by method."""

    asked: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who asks, how often, and whether the query string is known."""
        super().initial(request, *args, **kwargs)
        principal = self.principal
        if request.method and request.method.lower() not in self._methods():
            raise MethodNotAllowed(f"This address knows {', '.join(sorted(self._methods())).upper()}.")
        if not (self.public or principal.is_authenticated):
            raise NotSignedIn
        scope = self.throttle_scope or ("read" if request.method in _SAFE else "write")
        party = principal.actor if principal.is_authenticated else throttling.address_of(request._request)  # noqa: SLF001  the connection's own facts
        throttling.count(scope, party)
        check(kwargs)
        self.asked = self._query(request)

    @property
    def principal(self) -> Principal:
        """Whoever asks; NOBODY for strangers."""
        user: Any = self.request.user
        return user if isinstance(user, Principal) else NOBODY

    def body(self, shape: type[Strict]) -> dict[str, Any]:
        """The body, checked. Raises FieldsRefused naming each wrong field."""
        self._raw()
        data = self.request.data
        if not self.request.content_type and not data:
            data = {}
        return checked(shape, data)

    def acting(self) -> AbstractContextManager[None]:
        """A transaction whose changes are audited as the principal's."""
        return self.principal.acting()

    def once(self, endpoint: str, effect: Callable[[], tuple[int, Any]]) -> HttpResponse:
        """Answer an idempotent POST: ``effect`` returns status and body (a serializer's data)."""
        name = idempotency.named(self.request._request, self.principal, endpoint, self._raw())  # noqa: SLF001  its headers and path

        def rendered() -> tuple[int, bytes]:
            status, data = effect()
            return status, JSONRenderer().render(data)

        return idempotency.once(self.principal, name, rendered)

    def _raw(self) -> bytes:
        """The body as sent; read here first, since afterwards the framework has eaten it."""
        return self.request._request.body  # noqa: SLF001  the bytes as sent

    def get_exception_handler(self) -> Callable[..., Any]:
        """Problems, also where the settings say otherwise."""
        return handle

    def _methods(self) -> set[str]:
        return {name for name in self.http_method_names if hasattr(self, name)} | (
            {"head"} if hasattr(self, "get") else set()
        )

    def _query(self, request: Request) -> dict[str, Any]:
        shape = self.queries.get((request.method or "").lower(), Strict)
        sent: dict[str, Any] = {}
        for name in request.query_params:
            values = request.query_params.getlist(name)
            if len(values) > 1:
                raise FieldsRefused(faults=[Fault(f"/{escaped(name)}", "is given twice; send it once")])
            sent[name] = values[0]
        check(sent)
        return checked(shape, sent)


def checked(shape: type[Strict], data: Any) -> dict[str, Any]:
    """``data`` as ``shape`` reads it. Raises FieldsRefused."""
    serializer = shape(data=data)
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def shaped(shape: type[serializers.Serializer[Any]], value: Any, *, status: int = 200) -> Response:
    """``value`` as ``shape`` writes it."""
    return Response(shape(value).data, status=status)

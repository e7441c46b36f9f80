"""A client of the API as a test writes it: JSON in, JSON out, by key or by session."""

from __future__ import annotations

import itertools
import json
from typing import Any

from django.test import Client

from accounts.models import ApiKey, User
from tests.sign_in import sign_in

_numbers = itertools.count(1)
BASE = "/api/v1/"


class Api:
    """One caller. ``secret`` of a key, or a ``user`` who is signed in (with a second factor); neither: a stranger."""

    def __init__(
        self, secret: str = "", *, user: User | None = None, csrf: bool = False, second_factor: bool = True
    ) -> None:
        self.client = Client(enforce_csrf_checks=csrf)
        self.headers: dict[str, str] = {"Authorization": f"Bearer {secret}"} if secret else {}
        if user is not None:
            sign_in(self.client, user, second_factor=second_factor)

    def get(self, path: str, **query: str) -> Any:
        """The response to a GET."""
        return self.client.get(_address(path), query, headers=self.headers)

    def post(self, path: str, body: Any = None, *, once: bool | str = False, **headers: str) -> Any:
        """The response to a POST of ``body`` as JSON; ``once`` sends an Idempotency-Key, of that text where it is one."""
        return self.send("POST", path, body, once=once, **headers)

    def patch(self, path: str, body: Any) -> Any:
        """The response to a PATCH."""
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """The response to a DELETE."""
        return self.send("DELETE", path)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        once: bool | str = False,
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        """The response to anything; a body that is no bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if once:
            headers["Idempotency-Key"] = once if isinstance(once, str) else f"test-{next(_numbers)}"
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.generic(method, _address(path), raw, content_type if raw else "", headers=sent)


def with_key(issued: tuple[ApiKey, str]) -> Api:
    """A caller by that key."""
    return Api(issued[1])


def _address(path: str) -> str:
    return path if path.startswith("/") else BASE + path

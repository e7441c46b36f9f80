"""A client of the API that does not give up: it waits and sends again, for as long as that can do no harm."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3

PATIENCE_SECONDS = 90.0
WAIT_FIRST, WAIT_MAX = 0.1, 2.0
TIMEOUT = urllib3.Timeout(connect=3, read=20)
BUSY = {429, 500, 502, 503, 504}
"""Answers after which the same request may succeed: too often, starting again, or broken by what is being restarted."""


class Refused(RuntimeError):
    """The API said no. ``slug`` names the problem; ``repeated``: an earlier try was sent, and its answer was lost."""

    def __init__(self, problem: dict[str, Any], *, repeated: bool) -> None:
        super().__init__(f"{problem.get('title')}: {problem.get('detail')} {problem.get('errors', '')}".strip())
        self.slug = slug_of(problem)
        self.repeated = repeated


class Unreachable(RuntimeError):
    """The site did not answer, or could not."""


class Stopped(RuntimeError):
    """The demo is being ended."""


class Door:
    """The way to a site: connections that all clients share. ``stop`` ends all waiting."""

    def __init__(self, address: str, stop: threading.Event, *, connections: int = 48) -> None:
        parts = urlsplit(address)
        self.stop = stop
        self.lost = 0
        self._pool = urllib3.HTTPConnectionPool(
            parts.hostname or "", parts.port, maxsize=connections, timeout=TIMEOUT, retries=False
        )

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, float]:
        """Send once: the status, the body, and the seconds after which to try again. Raises Unreachable or Stopped."""
        if self.stop.is_set():
            raise Stopped
        try:
            answer = self._pool.request(method, path, body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.lost += 1
            raise Unreachable(f"{method} {path}: {error}") from error
        wait = answer.headers.get("Retry-After", "")
        return answer.status, answer.data, float(wait) if wait.isdigit() else 0.0

    def close(self) -> None:
        """Let the connections go."""
        self._pool.close()


class Api:
    """One principal at the door, by their key."""

    def __init__(self, door: Door, secret: str) -> None:
        self._door = door
        self._headers = {"Authorization": f"Bearer {secret}"}

    def get(self, path: str) -> Any:
        """Read something. Raises Refused, Unreachable, Stopped."""
        return json.loads(self._persist("GET", path, None, {}))

    def download(self, path: str) -> bytes:
        """Read something that is not JSON."""
        return self._persist("GET", path, None, {})

    def post(self, path: str, body: Any = None, *, kind: str = "application/json", done: str = "") -> Any:
        """Change something that happens once however often it is sent: by its Idempotency-Key, or by what it says.

        ``done`` is the problem by which the API says of a repeat that it had been done before; then the result is None.
        Raises Refused, Unreachable, Stopped.
        """
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        try:
            answer = self._persist("POST", path, raw, {"Content-Type": kind, "Idempotency-Key": str(uuid.uuid4())})
        except Refused as refused:
            if done and refused.repeated and refused.slug == done:
                return None
            raise
        return json.loads(answer)

    def post_once(self, path: str, body: Any) -> Any:
        """Send something once, whose loss the caller can deal with. Raises Refused, Unreachable, Stopped."""
        headers = {**self._headers, "Content-Type": "application/json"}
        status, answer, wait = self._door.send("POST", f"/api/v1{path}", json.dumps(body).encode(), headers)
        if status in BUSY:
            self._door.stop.wait(wait)
            raise Unreachable(f"POST {path}: {status}")
        return json.loads(_accepted(status, answer, repeated=False))

    def _persist(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        end, pause, repeated = time.monotonic() + PATIENCE_SECONDS, WAIT_FIRST, False
        while True:
            wait = 0.0
            try:
                status, answer, wait = self._door.send(method, f"/api/v1{path}", body, self._headers | headers)
                if status not in BUSY and not _is_running(status, answer):
                    return _accepted(status, answer, repeated=repeated)
                problem = Unreachable(f"{method} {path}: {status} {answer[:200]!r}")
            except Unreachable as error:
                problem = error
            if time.monotonic() > end:
                raise problem
            repeated = True
            if self._door.stop.wait(max(pause, wait)):
                raise Stopped
            pause = min(pause * 2, WAIT_MAX)


def wait_until(ready: Callable[[], bool], seconds: float, stop: threading.Event, *, every: float = 0.3) -> bool:
    """Wait for something, at most so long; whether it came. Raises Stopped."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        if stop.wait(every):
            raise Stopped
    return True


def slug_of(problem: dict[str, Any] | None) -> str:
    """The last part of a problem's type: its name."""
    return "" if problem is None else str(problem.get("type", "")).rpartition("/")[2]


def _is_running(status: int, answer: bytes) -> bool:
    return status == 409 and b"/problems/idempotency-key-busy" in answer


def _accepted(status: int, answer: bytes, *, repeated: bool) -> bytes:
    """The body of a yes. Raises Refused."""
    if 200 <= status < 300:
        return answer
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = {"title": f"status {status}", "detail": answer[:200].decode(errors="replace")}
    raise Refused(problem, repeated=repeated)

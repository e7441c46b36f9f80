"""The two ways in that the claim bench compares: the SQL functions straight, and the API over HTTP.

Both are driven by the same number of processes with one open connection each, both pick a worker at random and go
through whole cycles: claim, then submit. ``tens`` submits what the worker holds and claims ten more in one go.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg

CLAIM = "SELECT * FROM claim_tasks(%s::bigint, %s::bigint, %s::int, NULL::bigint, NULL::bigint[], NULL::timestamptz)"
OPEN = "SELECT * FROM submit_open(%s::bigint, %s::bigint, %s::bigint[], NULL::timestamptz)"
WRITE = (
    "SELECT submit_write(%s::bigint, %s::timestamptz, %s::bigint[], %s::text[]::jsonb[], %s::smallint[], %s::float8[], "
    "%s::int[], %s::text[], %s::text[], %s::text[])"
)
LABELS = ('{"class":"cat"}', '{"class":"dog"}')


class Person(NamedTuple):
    """A worker of the site, and the key they use."""

    worker_id: int
    key_id: int
    secret: str


class Window(NamedTuple):
    """What one client did in one window: whole cycles, the seconds of each call by kind, claims that found nothing."""

    cycles: int
    seconds: float
    claims: list[float]
    submits: list[float]
    empty: int


class Sql:
    """The functions, prepared, over a connection of the app role."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=0)

    def claim(self, person: Person, count: int) -> list[Any]:
        """Lease tasks; the assignment ids."""
        rows = self.connection.execute(CLAIM, (person.worker_id, person.key_id, count)).fetchall()
        return [] if rows[0][0] else [row[1] for row in rows]

    def submit(self, person: Person, held: list[Any]) -> int:
        """Answer what is held; how many answers were written."""
        size = len(held)
        said = [random.randrange(2) for _ in held]
        with self.connection.transaction():
            opened = self.connection.execute(OPEN, (person.worker_id, person.key_id, held)).fetchall()
            columns = (
                held, [LABELS[one] for one in said], said, [1.0] * size, [0] * size, ["dawid_skene"] * size,
                ["{-0.4,-1.2}"] * size, ["{0.7,0.3}"] * size,
            )  # fmt: skip
            row = self.connection.execute(WRITE, (person.worker_id, opened[0][1], *columns)).fetchone()
        assert row is not None
        return int(row[0])

    def work(self, person: Person, held: list[Any], count: int) -> tuple[int, list[Any]]:
        """Submit and claim: what one ``work`` call does."""
        done = self.submit(person, held) if held else 0
        return done, self.claim(person, count)


class Http:
    """The API over one kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def post(self, path: str, person: Person, body: dict[str, Any]) -> dict[str, Any]:
        """One request and its answer."""
        content = json.dumps(body).encode()
        head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {person.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + content)
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        headers, _, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(headers.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.buffer = rest
        while len(self.buffer) < length:
            self._more()
        answer, self.buffer = self.buffer[:length], self.buffer[length:]
        status = int(headers[9:12])
        told: dict[str, Any] = json.loads(answer)
        if status != 200 and told.get("type") != "/problems/nothing-to-claim":
            raise RuntimeError(f"{path}: {status} {told}")
        return told

    def _more(self) -> None:
        got = self.socket.recv(262_144)
        if not got:
            raise RuntimeError("the server hung up")
        self.buffer += got

    def claim(self, person: Person, count: int) -> list[Any]:
        """Lease tasks; the assignment ids."""
        return [lease["id"] for lease in self.post("claims", person, {"count": count}).get("assignments", [])]

    def submit(self, person: Person, held: list[Any]) -> int:
        """Answer what is held; how many answers were written."""
        return self._count(self.post("answers", person, {"answers": self._answers(held)}))

    def work(self, person: Person, held: list[Any], count: int) -> tuple[int, list[Any]]:
        """Submit and claim in one request."""
        told = self.post("work", person, {"answers": self._answers(held), "count": count})
        return self._count(told), [lease["id"] for lease in told["assignments"]]

    @staticmethod
    def _answers(held: list[Any]) -> list[dict[str, Any]]:
        return [
            {"assignment": one, "label": {"class": ("cat", "dog")[random.randrange(2)]}, "seconds": 1.0} for one in held
        ]

    @staticmethod
    def _count(told: dict[str, Any]) -> int:
        return sum(outcome["state"] == "submitted" for outcome in told["outcomes"])


def singly(way: Sql | Http, people: list[Person], until: float) -> Window:
    """Claim one task and answer it, in two calls, until the time is up."""
    cycles, empty, claims, submits = 0, 0, [], []
    begun = time.monotonic()
    while time.monotonic() < until:
        person = random.choice(people)
        started = time.perf_counter()
        held = way.claim(person, 1)
        claimed = time.perf_counter()
        claims.append(claimed - started)
        if not held:
            empty += 1
            continue
        cycles += way.submit(person, held)
        submits.append(time.perf_counter() - claimed)
    return Window(cycles, time.monotonic() - begun, claims, submits, empty)


def tens(way: Sql | Http, people: list[Person], until: float) -> Window:
    """Submit what a worker holds and claim ten more, in one go; what is left is handed in when the time is up."""
    cycles, empty, works = 0, 0, []
    held: dict[int, list[Any]] = {}
    crowd = random.sample(people, min(20, len(people)))
    begun = time.monotonic()
    while time.monotonic() < until:
        person = random.choice(crowd)
        started = time.perf_counter()
        done, held[person.worker_id] = way.work(person, held.get(person.worker_id, []), 10)
        works.append(time.perf_counter() - started)
        cycles += done
        empty += not held[person.worker_id]
    seconds = time.monotonic() - begun
    for person in crowd:
        if held.get(person.worker_id):
            way.submit(person, held[person.worker_id])
    return Window(cycles, seconds, works, [], empty)


STYLES: dict[str, Callable[[Sql | Http, list[Person], float], Window]] = {"1": singly, "10": tens}

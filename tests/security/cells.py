"""Running the matrix: each cell in a savepoint of its own that is undone, so that no cell knows of another."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.core import mail
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse

from marketplace.api import hot
from tests import canaries
from tests.security import fields, matrix, pages, rules, walking
from tests.security.pages import Page
from tests.security.rules import Entry, Told
from tests.security.scene import MINE, THEIRS, Scene, Tenant, a_scene

_keys = itertools.count(1)
AUDIENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        canaries.TENANT: ("owner_b", "other_worker", "admin"),
        MINE: ("worker", "worker key", "verifier", "admin"),
        THEIRS: ("other_worker", "verifier", "admin"),
        canaries.GOLD: ("owner_a", "one_factor_a", "manager_a", "key gold:read", "key gold:write", "owner_b", "admin"),
    }
)
"""Who may read what is private: its owner, who works on it, who verifies people, and who reads the audit."""


@dataclass(slots=True)
class Outcome:
    """What running the matrix found; ``wrong`` says each wrong cell in words."""

    fingerprint: str
    """Of the scene: each cell is undone, so it holds before every one."""
    endpoints: int = 0
    cells: int = 0
    wrong: list[str] = field(default_factory=list)
    canary_hits: list[str] = field(default_factory=list)
    fields_shown: set[str] = field(default_factory=set)
    canary_shown_to_insiders: dict[str, int] = field(default_factory=dict)


def run_all() -> Outcome:
    """Make the scene and run every cell of the API's matrix in it."""
    scene = a_scene()
    outcome = Outcome(fingerprint(), endpoints=len(matrix.API))
    for (name, method), entry in matrix.API.items():
        for caller in rules.CALLERS:
            own, foreign = rules.told(name, method, entry.rule, caller)
            _cell(outcome, scene, name, method, entry, caller, own, "own")
            if entry.path is not None or entry.body is not None:
                _cell(outcome, scene, name, method, entry, caller, foreign, "foreign")
        for number, smuggle in enumerate(entry.smuggled):
            body, query = smuggle(scene)
            with undone() as before:
                response = _ask(scene, name, method, entry, "owner_a", scene.a, body=body, query=dict(query))
                _judge(
                    outcome, response, 404, f"{method} {name} smuggled {number} by owner_a", before, caller="owner_a"
                )
    return outcome


def run_pages() -> Outcome:
    """Make the scene and run every cell of the pages' matrix in it."""
    scene = a_scene()
    outcome = Outcome(fingerprint(), endpoints=len(pages.PAGES))
    for (name, method), page in pages.PAGES.items():
        for caller in pages.CALLERS:
            own, foreign = pages.told(name, method, page, caller)
            _page(outcome, scene, name, method, page, caller, own, "own")
            if page.path is not None or page.side == "worker":
                _page(outcome, scene, name, method, page, caller, foreign, "foreign")
    return outcome


def _page(
    outcome: Outcome, scene: Scene, name: str, method: str, page: Page, caller: str, told: Told, whose: str
) -> None:
    side = _side(scene, page, whose)
    parts = {part: what[1:] if what.startswith("=") else side[what] for part, what in (page.path or {}).items()}
    parts |= {} if page.fresh is None else page.fresh(side)
    with undone() as before:
        client = scene.callers[caller].client
        address = reverse(name, kwargs=parts)
        response: Any = (
            client.get(address) if method == "GET" else client.post(address, page.form and page.form(side, scene))
        )
        _judge(outcome, response, told, f"{method} {name} {whose} by {caller}", before, caller=caller)
        mail.outbox.clear()


def _got(response: Any) -> Told:
    """What a response says, in the matrix's words."""
    status: int = response.status_code
    if status in {302, 303}:
        place = response["Location"]
        return "in" if place.startswith((reverse("account_login"), reverse("welcome"))) else "on"
    return "ok" if 200 <= status < 300 else status


@contextmanager
def undone() -> Iterator[int]:
    """A savepoint that is rolled back, with how many rows this transaction had written before."""
    cache.clear()
    hot.forget_keys()
    with transaction.atomic():
        yield written()
        transaction.set_rollback(True)


def written() -> int:
    """How many rows this transaction has written so far, those of undone savepoints too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0] or 0)


def fingerprint() -> str:
    """A hash of every row of every table of ours, but for what is only remembered: when keys were used, routes, and
    which browser somebody came with."""
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT)
        return "\n".join(f"{name} {digest}" for name, digest in sorted(_hashes(cursor)))


def _hashes(cursor: Any) -> Iterator[tuple[str, str]]:
    tables = [row[0] for row in cursor.fetchall()]
    union = " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {_row_of(table)} t"
        for table in tables
    )
    cursor.execute(union)
    yield from cursor.fetchall()


def _row_of(table: str) -> str:
    if table == "accounts_apikey":
        return "(SELECT id, name, scopes, expires_at, revoked_at FROM accounts_apikey)"
    return table


def _cell(
    outcome: Outcome, scene: Scene, name: str, method: str, entry: Entry, caller: str, told: Told, whose: str
) -> None:
    side = _side(scene, entry, whose)
    with undone() as before:
        body = None if entry.body is None else entry.body(side, scene)
        response = _ask(scene, name, method, entry, caller, side, body=body, query=dict(entry.query or {}))
        _judge(outcome, response, told, f"{method} {name} {whose} by {caller}", before, caller=caller)
    if caller == "owner_b":
        mail.outbox.clear()  # what B sends may name B: an invitation says who sent it


def _side(scene: Scene, entry: Entry | Page, whose: str) -> Tenant:
    if entry.side == "worker":
        return scene.mine if whose == "own" else scene.theirs
    return scene.a if whose == "own" else scene.b


def _ask(
    scene: Scene,
    name: str,
    method: str,
    entry: Entry,
    caller: str,
    side: Tenant,
    *,
    body: Any,
    query: dict[str, str],
) -> Any:
    path = entry.path or {}
    parts = {part: what[1:] if what.startswith("=") else side[what] for part, what in path.items()}
    address = reverse(f"api:{name}", kwargs=parts)
    api = scene.callers[caller]
    if method == "GET":
        return api.get(address, **query)
    key = f"cell-{next(_keys)}" if entry.once else False
    content_type = entry.content_type
    return api.send(method, address, body, once=key, content_type=content_type)


def _judge(outcome: Outcome, response: Any, told: Told, cell: str, before: int, *, caller: str) -> None:
    outcome.cells += 1
    content = b"".join(response.streaming_content) if response.streaming else response.content
    got = _got(response)
    if got != told:
        outcome.wrong.append(f"{cell}: told {got}, should be {told} {content[:160]!r}")
    elif told not in {"ok", "on"} and written() != before and (after := fingerprint()) != outcome.fingerprint:
        before_it = outcome.fingerprint
        changed = sorted({line.split()[0] for line in set(after.splitlines()) ^ set(before_it.splitlines())})
        outcome.wrong.append(f"{cell}: refused, and yet changed: {', '.join(changed)}")
    if response.headers.get("Content-Type", "").startswith("application/json"):
        shown = fields.keys_in(json.loads(content)) & fields.PRIVATE.keys()
        wrong = sorted(name for name in shown if caller not in fields.PRIVATE[name])
        outcome.wrong += [f"{cell}: the answer has the field {name}" for name in wrong]
        outcome.fields_shown |= shown
    said = content.decode(errors="replace").upper()
    for canary, audience in AUDIENCES.items():
        if canary in said and caller in audience:
            outcome.canary_shown_to_insiders[canary] = outcome.canary_shown_to_insiders.get(canary, 0) + 1
        elif canary in said:
            outcome.canary_hits.append(f"{cell}: the answer holds {canary}")


_FINGERPRINT = """
SELECT tablename FROM pg_tables WHERE schemaname = 'public'
   AND tablename NOT IN ('tasks_workerroute', 'tasks_workerbucket', 'accounts_signal')
   AND (tablename LIKE 'accounts_%' OR tablename LIKE 'ledger_%' OR tablename LIKE 'qualification_%'
        OR tablename LIKE 'tasks_%' OR tablename LIKE 'marketplace_%')
 ORDER BY tablename"""


def summary(outcome: Outcome, shown: Outcome) -> dict[str, Any]:
    """The figures that the bench prints: of the API and of the pages together, and of the pages alone."""
    return {
        "endpoints": outcome.endpoints + shown.endpoints,
        "pages": shown.endpoints,
        "principals": len({*rules.CALLERS, *pages.CALLERS}),
        "cells": outcome.cells + shown.cells,
        "wrong": len(outcome.wrong) + len(shown.wrong),
        "unlisted": len(walking.unlisted()) + len(walking.stale()),
        "canary_hits": len(outcome.canary_hits) + len(shown.canary_hits),
    }

"""Callers, what they hold, and the rules by which an entry of the matrix says what each of them is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.security.scene import Scene, Tenant

STRANGERS = ("anonymous", "revoked key")
WORKERS = ("worker", "other_worker", "specialist", "worker key", "model key")
SESSIONS_A = ("owner_a", "manager_a", "reviewer_a", "finance_a")
KEYS_A = (
    "key jobs:read", "key jobs:write", "key answers:read", "key gold:read", "key gold:write", "key releases",
    "key money:read", "key money:write", "key members",
)  # fmt: skip
OUTSIDERS = ("owner_b", "admin", "treasurer", "verifier", "support")
ONE_FACTOR = "one_factor_a"
"""An owner of A who has shown no second factor."""
LOOKER = "looker"
"""Support, looking through the eyes of A's owner."""
CALLERS = (*STRANGERS, *WORKERS, *SESSIONS_A, ONE_FACTOR, *KEYS_A, *OUTSIDERS, LOOKER)
SESSIONS = (*SESSIONS_A, ONE_FACTOR, *OUTSIDERS, "worker", "other_worker", "specialist")
WITHHELD = ("members", "members by hand", "jobs+money:write")
"""What an owner may not do with one factor."""
LOOKED_AT = (
    "me", "worker", "worker-assignments", "worker-standing", "organisations", "organisation", "jobs", "job",
    "batches", "batch", "domains", "exams", "exam", "qualifications", "line", "open-jobs", "schema", "reference", "nowhere",
)  # fmt: skip
"""What support may see through somebody's eyes."""

HOLDERS: Mapping[str, tuple[str, ...]] = {
    "jobs:read": (*SESSIONS_A, "key jobs:read", "key jobs:write"),
    "jobs:write": ("owner_a", "manager_a", "key jobs:write"),
    "answers:read": ("owner_a", "manager_a", "reviewer_a", "key answers:read"),
    "jobs+answers:read": ("owner_a", "manager_a", "reviewer_a"),
    "review": ("owner_a", "manager_a", "reviewer_a", "key jobs:write"),
    "gold:read": ("owner_a", "manager_a", "key gold:read"),
    "gold:write": ("owner_a", "manager_a", "key gold:write"),
    "jobs+gold:write": ("owner_a", "manager_a"),
    "releases": ("owner_a", "manager_a", "key releases"),
    "money:read": ("owner_a", "manager_a", "finance_a", "key money:read"),
    "jobs+money:write": ("owner_a",),
    "members": ("owner_a", "key members"),
    "members by hand": ("owner_a",),
    "leaving": ("manager_a", "reviewer_a", "finance_a"),
    "any": (*SESSIONS_A, *KEYS_A),
}

type Told = str | int
type Rule = Callable[[str], tuple[Told, Told]]


def tenants(right: str) -> Rule:
    """Objects of a tenant: who holds the right may, others of the tenant get 403, the rest of the world 404."""

    def rule(caller: str) -> tuple[Told, Told]:
        if caller in STRANGERS:
            return 401, 401
        if caller == "owner_b":
            return 404, "ok"
        if caller == ONE_FACTOR:
            return (403 if right in WITHHELD or "owner_a" not in HOLDERS[right] else "ok"), 404
        if caller in SESSIONS_A or caller in KEYS_A:
            return ("ok" if caller in HOLDERS[right] else 403), 404
        return 404, 404

    return rule


def told(name: str, method: str, rule: Rule, caller: str) -> tuple[Told, Told]:
    """What the rule says to this caller; to who looks through another's eyes, what the other is told or 403."""
    if caller != LOOKER:
        return rule(caller)
    return rule("owner_a") if method == "GET" and name in LOOKED_AT else (403, 403)


def workers_own(caller: str) -> tuple[Told, Told]:
    """What one worker holds: theirs alone; for other workers it does not exist, and others are no workers."""
    if caller in STRANGERS:
        return 401, 401
    if caller in {"worker", "worker key"}:
        return "ok", 404
    if caller == "other_worker":
        return 404, "ok"
    return (404, 404) if caller in WORKERS else (403, 403)


def among(*allowed: str, otherwise: int = 403) -> Rule:
    """No object of anybody's in it: these may, strangers get 401, the rest ``otherwise``."""

    def rule(caller: str) -> tuple[Told, Told]:
        told: Told = 401 if caller in STRANGERS else "ok" if caller in allowed else otherwise
        return told, told

    return rule


def credentials_by(verifying: Told, own: Told, key: Told) -> Rule:
    """A worker's credential: told what, who verifies, its worker, and any key; for the rest it does not exist."""

    def rule(caller: str) -> tuple[Told, Told]:
        if caller in STRANGERS:
            return 401, 401
        if caller in {"admin", "verifier"}:
            return verifying, verifying
        if "key" in caller:
            return key, key
        return (own if caller == "worker" else 404), (own if caller == "other_worker" else 404)

    return rule


def both(own: Rule, foreign: Rule) -> Rule:
    """The first rule for what is own, the second for what is foreign."""
    return lambda caller: (own(caller)[0], foreign(caller)[1])


def exceptions(rule: Rule, **told: tuple[Told, Told]) -> Rule:
    """The rule, with callers named apart (spaces as underscores)."""
    return lambda caller: told.get(caller.replace(" ", "_").replace(":", "_"), rule(caller))


def everybody(caller: str) -> tuple[Told, Told]:
    """Anybody at all; but a key that does not work is told so wherever it is shown."""
    return (401, 401) if caller == "revoked key" else ("ok", "ok")


def anybody(caller: str) -> tuple[Told, Told]:
    """Anybody at all, whatever they show: nobody looks."""
    return "ok", "ok"


def known(caller: str) -> tuple[Told, Told]:
    """Anybody who is known."""
    return (401, 401) if caller in STRANGERS else ("ok", "ok")


def hidden(caller: str) -> tuple[Told, Told]:
    """Nothing there for anybody."""
    return (401, 401) if caller == "revoked key" else (404, 404)


@dataclass(frozen=True, slots=True)
class Entry:
    """One address and method. ``path`` names what of the scene goes into the address; ``side`` whose scene that is.

    ``body`` makes a valid body from the tenant whose side it is; ``smuggled`` are bodies or queries of tenant A's
    owner in which something of B's is hidden.
    """

    rule: Rule
    path: Mapping[str, str] | None = None
    side: str = "tenant"
    body: Callable[[Tenant, Scene], Any] | None = None
    content_type: str = "application/json"
    once: bool = False
    query: Mapping[str, str] | None = None
    smuggled: tuple[Callable[[Scene], tuple[Any, Mapping[str, str]]], ...] = ()

"""Who is shown what on the pages, and what their forms do for whom: the matrix's other half.

Told are: "ok"; "on", sent to where the act leads; "in", sent to sign in or to the welcome; or the status of the refusal.
As in the API's half, what is written here is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accounts.models import Evidence, Worker
from marketplace.api import evidence_links, ids
from tests.security.rules import LOOKER, ONE_FACTOR, SESSIONS, SESSIONS_A, Rule, Told
from tests.security.scene import Scene, Tenant

CALLERS = ("anonymous", *SESSIONS, LOOKER)
WORKERS = ("worker", "other_worker", "specialist")
SHOWN_TO_LOOKERS = ("line", "line_now", "work", "welcome", "organisations", "organisation", "problems", "problem")


@dataclass(frozen=True, slots=True)
class Page:
    """One page, asked for, or with a ``form`` sent. ``path`` and ``side`` as in the API's entries."""

    rule: Rule
    path: Mapping[str, str] | None = None
    side: str = "tenant"
    form: Callable[[Tenant, Scene], dict[str, str]] | None = None
    fresh: Callable[[Tenant], Mapping[str, str]] | None = None
    """Parts of the address that do not live as long as the scene."""


def everybody(caller: str) -> tuple[Told, Told]:
    """Anybody at all."""
    return "ok", "ok"


def signed_in(told: Told = "ok", **others: Told) -> Rule:
    """Whoever is signed in; some are told otherwise."""

    def rule(caller: str) -> tuple[Told, Told]:
        one: Told = "in" if caller == "anonymous" else others.get(caller, told)
        return one, one

    return rule


def only(*callers: str, told: Told = "ok") -> Rule:
    """These, of all who are signed in."""
    return signed_in(403, **dict.fromkeys(callers, told))


def workers(told: Told) -> Rule:
    """Workers; whoever is none is welcomed."""

    def rule(caller: str) -> tuple[Told, Told]:
        one: Told = told if caller in WORKERS else "in"
        return one, one

    return rule


def own_credential(told: Told) -> Rule:
    """A worker's own."""

    def rule(caller: str) -> tuple[Told, Told]:
        if caller not in WORKERS:
            return "in", "in"
        return (told if caller == "worker" else 404), (told if caller == "other_worker" else 404)

    return rule


def members(told: Told, *holders: str, otherwise: Told = 403, alone: Told | None = None) -> Rule:
    """Of an organisation: its members who hold the right, and for the rest of the world it is not there.

    ``alone`` is what B's owner is told, who is alone there.
    """

    def rule(caller: str) -> tuple[Told, Told]:
        if caller == "anonymous":
            return "in", "in"
        if caller == "owner_b":
            return 404, told if alone is None else alone
        if caller in {*SESSIONS_A, ONE_FACTOR}:
            return (told if caller in holders else otherwise), 404
        return 404, 404

    return rule


def invited(told: Told, stranger: Told) -> Rule:
    """A's invitation is the worker's; B's is somebody else's. To a stranger every link looks alike."""

    def rule(caller: str) -> tuple[Told, Told]:
        if caller == "anonymous":
            return stranger, stranger
        return (told if caller == "worker" else 404), 404

    return rule


def a_link(of: Tenant) -> dict[str, str]:
    """A link to the first page of a worker's document, made for them."""
    viewer = Worker.objects.get(pk=ids.number("wrk", of["worker"])).user_id
    assert viewer is not None
    document = Evidence.objects.get(pk=ids.number("evd", of["document"]))
    return {"token": evidence_links.link(document, viewer_id=viewer, page=1).rsplit("/", 1)[1]}


def by_worker(mine: tuple[Told, Told], theirs: tuple[Told, Told], *, other: Told, **others: Told) -> Rule:
    """What the worker is told of their own and of the other's, what the other worker is, and what the rest."""

    def rule(caller: str) -> tuple[Told, Told]:
        one = others.get(caller, other)
        return {"worker": mine, "other_worker": theirs}.get(caller, (one, one))

    return rule


_ORG = {"organisation": "organisation"}
_ALL_OF_A = (*SESSIONS_A, ONE_FACTOR)
_OWNERS = members("on", "owner_a")

PAGES: Mapping[tuple[str, str], Page] = {
    ("line", "GET"): Page(everybody),
    ("line_now", "GET"): Page(everybody),
    ("problems", "GET"): Page(everybody),
    ("problem", "GET"): Page(everybody, {"slug": "=not-found"}),
    ("join_as", "GET"): Page(everybody),
    ("work", "GET"): Page(workers("ok")),
    ("welcome", "GET"): Page(lambda caller: ("on", "on") if caller in WORKERS else ("ok", "ok")),
    ("join", "POST"): Page(signed_in("on"), form=lambda *_: {"name": "Me"}),
    ("claim", "POST"): Page(workers("on"), form=lambda *_: {}),
    ("submit", "POST"): Page(
        by_worker(("on", 404), (404, "on"), other="in", specialist=404),
        side="worker",
        form=lambda mine, _: {"assignment": mine["leased"], "class": "cat"},
    ),
    # Giving back what is another's gives nothing back, and says nothing of it.
    ("give_back", "POST"): Page(workers("on"), side="worker", form=lambda mine, _: {"assignment": mine["leased"]}),
    ("resume", "POST"): Page(workers(409), form=lambda *_: {}),
    ("agree", "POST"): Page(workers("on"), form=lambda tenant, _: {"terms": tenant["terms"]}),
    ("me", "GET"): Page(signed_in()),
    ("me", "POST"): Page(signed_in("on"), form=lambda *_: {"act": "private", "legal_name": "Me"}),
    ("agreements", "GET"): Page(lambda caller: ("in", "in") if caller not in WORKERS else ("ok", "ok")),
    ("session_end", "POST"): Page(signed_in("on"), form=lambda *_: {}),
    ("keys", "GET"): Page(signed_in()),
    ("privacy", "GET"): Page(signed_in()),
    ("privacy_export", "GET"): Page(signed_in()),
    ("privacy_erase", "POST"): Page(signed_in(400), form=lambda *_: {"email": "somebody@example.org"}),
    ("audit", "GET"): Page(only("owner_a", "owner_b", "admin")),
    ("support", "GET"): Page(only("support", "admin")),
    ("support_impersonate", "POST"): Page(
        only("support", "admin", told="on"),
        form=lambda _, scene: {"email": scene.emails["nobody"], "reason": "They called."},
    ),
    ("support_stop", "POST"): Page(signed_in("on"), form=lambda *_: {}),
    ("platform_workers", "GET"): Page(only("admin")),
    ("platform_workers", "POST"): Page(
        only("admin", told="on"),
        form=lambda *_: {"act": "publish", "kind": "terms", "title": "Rules", "text": "Be honest."},
    ),
    ("credentials", "GET"): Page(workers("ok")),
    ("credential_file", "GET"): Page(workers("ok"), {"kind": "credential_slug"}, side="worker"),
    ("credential", "GET"): Page(own_credential("ok"), {"credential": "credential_filed"}, side="worker"),
    ("credential_answer", "GET"): Page(own_credential("ok"), {"credential": "credential_asked"}, side="worker"),
    ("credential_withdraw", "POST"): Page(
        own_credential("on"), {"credential": "credential_filed"}, side="worker", form=lambda *_: {}
    ),
    ("document", "GET"): Page(
        by_worker(("on", 404), (404, "on"), other=404, verifier="on", admin="on"),
        {"evidence": "document"},
        side="worker",
    ),
    # A link made for the worker, in another's hands.
    ("evidence", "GET"): Page(by_worker(("ok", 404), (404, "ok"), other=404), {}, side="worker", fresh=a_link),
    ("organisations", "GET"): Page(signed_in()),
    ("organisation_found", "POST"): Page(signed_in("on"), form=lambda *_: {"name": "New"}),
    ("organisation", "GET"): Page(members("ok", *_ALL_OF_A), _ORG),
    ("organisation_workers", "GET"): Page(members("ok", "owner_a", "manager_a", ONE_FACTOR), _ORG),
    ("organisation_keys", "GET"): Page(members("ok", "owner_a"), _ORG),
    ("organisation_invite", "POST"): Page(
        _OWNERS, _ORG, form=lambda _, scene: {"email": scene.emails["nobody"], "role": "finance"}
    ),
    ("organisation_withdraw", "POST"): Page(_OWNERS, _ORG, form=lambda tenant, _: {"invitation": tenant["invitation"]}),
    ("organisation_role", "POST"): Page(
        _OWNERS, _ORG, form=lambda tenant, _: {"member": tenant["member"], "role": "reviewer"}
    ),
    ("organisation_remove", "POST"): Page(_OWNERS, _ORG, form=lambda tenant, _: {"member": tenant["member"]}),
    ("organisation_transfer", "POST"): Page(_OWNERS, _ORG, form=lambda tenant, _: {"member": tenant["member"]}),
    ("organisation_leave", "POST"): Page(members("on", *_ALL_OF_A, alone=409), _ORG, form=lambda *_: {}),
    ("invitation", "GET"): Page(invited("ok", "ok"), {"token": "token"}),
    ("invitation_accept", "POST"): Page(invited("on", "in"), {"token": "token"}, form=lambda *_: {}),
}
"""Pages by name and method."""

ELSEWHERE = ("healthz", "readyz", "oauth_metadata", "oauth_token", "oauth_revoke")
"""Addresses that are no pages and no part of the API: machines ask them, and each has tests of its own."""


def told(name: str, method: str, page: Page, caller: str) -> tuple[Told, Told]:
    """What the rule says; to support looking through the eyes of A's owner, what the owner is told or 403."""
    if caller != LOOKER:
        return page.rule(caller)
    if name == "support_stop":
        return "on", "on"
    return page.rule("owner_a") if method == "GET" and name in SHOWN_TO_LOOKERS else (403, 403)

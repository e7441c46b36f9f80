"""Who may do what at every address: the one list that the tests walk.

Each entry says what every caller is told when they use what is theirs (``own``: of tenant A, or of the worker) and
what belongs to others (``foreign``: of tenant B, or of another worker): "ok", or the status of the refusal. Written
out by hand and not taken from the policies, so that both must be wrong in the same way for a mistake to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests import build
from tests.security.rules import (
    SESSIONS,
    WORKERS,
    Entry,
    among,
    anybody,
    both,
    credentials_by,
    everybody,
    exceptions,
    hidden,
    known,
    tenants,
    workers_own,
)
from tests.security.scene import Scene, Tenant


def _job(tenant: Tenant, _: Scene) -> dict[str, Any]:
    return {
        "organisation": tenant["organisation"],
        "name": "A job",
        "domain": tenant["subject"],
        "label_definition": build.CLASSES,
        "guidelines": "Look.",
        "price": "0.05",
        "budget": "5",
    }


def _gold_set(tenant: Tenant, _: Scene) -> dict[str, Any]:
    return {
        "organisation": tenant["organisation"],
        "name": "More gold",
        "domain": tenant["subject"],
        "label_definition": build.CLASSES,
    }


def _exam(tenant: Tenant, _: Scene) -> dict[str, Any]:
    return {"organisation": tenant["organisation"], "gold_set": tenant["gold"], "name": "Another", "questions": 2}


def _swap(body: Callable[[Tenant, Scene], Any], **fields: Callable[[Scene], Any]) -> Any:
    def made(scene: Scene) -> tuple[Any, Mapping[str, str]]:
        return {**body(scene.a, scene), **{name: value(scene) for name, value in fields.items()}}, {}

    return made


def _asked(**query: Callable[[Scene], str]) -> Any:
    return lambda scene: (None, {name: value(scene) for name, value in query.items()})


def _item(*_: Any) -> dict[str, Any]:
    return {"items": [{"payload": {"text": "new"}, "accepted": [{"label": build.CAT}]}]}


def _filing(*_: Any) -> dict[str, Any]:
    return {"issuer": "Board", "holder": "Me", "number": "2000000002"}


_READS_CREDENTIAL, _VERIFIES = credentials_by("ok", "ok", 404), credentials_by("ok", 403, 404)
_OWN_CREDENTIAL = credentials_by(403, "ok", 403)
# The admin has it in hand.
_VERIFIES_IT = exceptions(_VERIFIES, verifier=(409, 409))
_FILED, _IN_REVIEW = {"credential": "credential_filed"}, {"credential": "credential_in_review"}
_ORG, _JOB = {"organisation": "organisation"}, {"job": "live"}
_A_READ = tenants("jobs:read")
_MAKES = tenants("gold:write")

API: Mapping[tuple[str, str], Entry] = {
    # No job of this scene lets models answer: to them there is nothing to claim.
    ("claims", "POST"): Entry(exceptions(among(*WORKERS), model_key=(404, 404)), body=lambda *_: {}),
    ("answers", "POST"): Entry(
        among(*WORKERS),
        side="worker",
        body=lambda mine, _: {"answers": [{"assignment": mine["leased"], "label": build.CAT}]},
    ),
    ("work", "POST"): Entry(
        among(*WORKERS),
        side="worker",
        body=lambda mine, _: {"answers": [{"assignment": mine["leased"], "label": build.CAT}]},
    ),
    ("assignment", "GET"): Entry(workers_own, {"assignment": "leased"}, side="worker"),
    ("assignment-return", "POST"): Entry(workers_own, {"assignment": "leased"}, side="worker"),
    ("label-schema", "GET"): Entry(
        exceptions(tenants("any"), worker=("ok", 404), worker_key=("ok", 404), other_worker=("ok", "ok")),
        {"schema": "schema"},
    ),
    ("guidelines", "GET"): Entry(
        exceptions(tenants("any"), worker=("ok", 404), worker_key=("ok", 404), other_worker=("ok", "ok")),
        {"guidelines": "guidelines"},
    ),
    ("me", "GET"): Entry(known),
    ("export", "GET"): Entry(among(*SESSIONS)),
    # With another address than one's own; erasing itself is tested in tests/marketplace/test_privacy.py.
    ("erase", "POST"): Entry(
        exceptions(among(), **dict.fromkeys(SESSIONS, (400, 400))), body=lambda *_: {"email": "somebody@example.org"}
    ),
    ("workers", "POST"): Entry(
        exceptions(among(*SESSIONS), worker=(409, 409), other_worker=(409, 409), specialist=(409, 409)),
        body=lambda *_: {"name": "Me"},
    ),
    ("worker", "GET"): Entry(among(*WORKERS)),
    ("worker-pause", "POST"): Entry(among(*WORKERS)),
    ("worker-resume", "POST"): Entry(
        exceptions(among(*WORKERS), **{name.replace(" ", "_"): (409, 409) for name in WORKERS})
    ),
    ("worker-assignments", "GET"): Entry(among(*WORKERS)),
    ("worker-earnings", "GET"): Entry(among(*WORKERS)),
    ("worker-standing", "GET"): Entry(among(*WORKERS)),
    ("worker-profile", "GET"): Entry(among(*WORKERS)),
    ("worker-profile", "PATCH"): Entry(among(*WORKERS), body=lambda *_: {"country": "DE"}),
    ("worker-private", "GET"): Entry(among(*SESSIONS)),
    ("worker-private", "PATCH"): Entry(among(*SESSIONS), body=lambda *_: {"legal_name": "Me"}),
    ("worker-agreements", "GET"): Entry(among(*WORKERS)),
    # Whoever has work may ask any worker to agree; a key agrees for nobody.
    ("worker-agree", "POST"): Entry(among("worker", "other_worker", "specialist"), {"terms": "terms"}),
    ("worker-blocks", "GET"): Entry(among(*WORKERS)),
    ("terms", "GET"): Entry(among("admin")),
    ("terms", "POST"): Entry(among("admin"), body=lambda *_: {"title": "Rules", "text": "Be honest."}),
    ("organisation-terms", "GET"): Entry(_A_READ, _ORG),
    ("organisation-terms", "POST"): Entry(
        tenants("jobs:write"), _ORG, body=lambda *_: {"title": "Silence", "text": "Tell nobody."}
    ),
    ("terms-withdraw", "POST"): Entry(tenants("jobs:write"), {"terms": "terms"}),
    ("organisation-blocks", "GET"): Entry(tenants("jobs:write"), _ORG),
    ("organisation-blocks", "POST"): Entry(
        tenants("jobs:write"), _ORG, body=lambda tenant, _: {"answer": tenant["answer"], "reason": "Copied."}
    ),
    ("blocks", "GET"): Entry(among("admin")),
    ("blocks", "POST"): Entry(
        among("admin"), side="worker", body=lambda mine, _: {"worker": mine["worker"], "reason": "Copied."}
    ),
    ("block-lift", "POST"): Entry(tenants("jobs:write"), {"block": "block"}, body=lambda *_: {"reason": "A mistake."}),
    ("worker-keys", "GET"): Entry(among(*WORKERS)),
    ("worker-keys", "POST"): Entry(among("worker", "other_worker", "specialist"), body=lambda *_: {"name": "k"}),
    ("credential-types", "GET"): Entry(known),
    ("worker-credentials", "GET"): Entry(among("worker", "other_worker", "specialist")),
    ("worker-credentials", "POST"): Entry(
        among("worker", "other_worker", "specialist"),
        side="worker",
        body=lambda mine, _: {**_filing(), "type": mine["credential_type"]},
    ),
    ("credentials", "GET"): Entry(among("admin", "verifier")),
    ("credential", "GET"): Entry(_READS_CREDENTIAL, _FILED, side="worker"),
    ("credential-evidence", "GET"): Entry(_READS_CREDENTIAL, _FILED, side="worker"),
    ("credential-answer", "POST"): Entry(
        _OWN_CREDENTIAL, {"credential": "credential_asked"}, side="worker", body=_filing
    ),
    ("credential-withdraw", "POST"): Entry(_OWN_CREDENTIAL, _FILED, side="worker"),
    ("credential-claim", "POST"): Entry(_VERIFIES, _FILED, side="worker"),
    ("credential-release", "POST"): Entry(_VERIFIES_IT, _IN_REVIEW, side="worker"),
    ("credential-ask", "POST"): Entry(_VERIFIES_IT, _IN_REVIEW, side="worker", body=lambda *_: {"reason": "More."}),
    ("credential-approve", "POST"): Entry(_VERIFIES_IT, _IN_REVIEW, side="worker"),
    ("credential-refuse", "POST"): Entry(_VERIFIES_IT, _IN_REVIEW, side="worker", body=lambda *_: {"reason": "No."}),
    ("credential-look-up", "POST"): Entry(_VERIFIES_IT, _IN_REVIEW, side="worker"),
    ("credential-revoke", "POST"): Entry(
        _VERIFIES, {"credential": "credential_verified"}, side="worker", body=lambda *_: {"reason": "Over."}
    ),
    ("organisations", "GET"): Entry(known),
    ("organisations", "POST"): Entry(among(*SESSIONS), body=lambda *_: {"name": "New"}),
    ("organisation", "GET"): Entry(tenants("any"), _ORG),
    ("members", "GET"): Entry(tenants("members"), _ORG),
    ("member", "PATCH"): Entry(
        tenants("members by hand"), {**_ORG, "member": "member"}, body=lambda *_: {"role": "reviewer"}
    ),
    ("member", "DELETE"): Entry(tenants("members by hand"), {**_ORG, "member": "member"}),
    ("invitations", "GET"): Entry(tenants("members"), _ORG),
    ("invitations", "POST"): Entry(
        tenants("members by hand"), _ORG, body=lambda _, scene: {"email": scene.emails["nobody"], "role": "finance"}
    ),
    ("invitation", "DELETE"): Entry(tenants("members by hand"), {**_ORG, "invitation": "invitation"}),
    # Tenant A has invited the worker's own address, tenant B another one.
    ("invitation-accept", "POST"): Entry(
        exceptions(among(otherwise=403), **(dict.fromkeys(SESSIONS, (404, 404)) | {"worker": ("ok", 404)})),
        body=lambda tenant, _: {"token": tenant["token"]},
    ),
    ("ownership", "POST"): Entry(
        tenants("members by hand"),
        _ORG,
        body=lambda tenant, _: {"member": tenant["member"]},
        smuggled=(lambda scene: ({"member": scene.b["member"]}, {}),),
    ),
    ("organisation-leave", "POST"): Entry(
        exceptions(tenants("leaving"), owner_a=("ok", 404), one_factor_a=("ok", 404), owner_b=(404, 409)), _ORG
    ),
    ("wallet", "GET"): Entry(tenants("money:read"), _ORG),
    ("deposits", "POST"): Entry(
        exceptions(
            tenants("members by hand"),
            owner_a=(403, 404),
            owner_b=(404, 403),
            admin=("ok", "ok"),
            treasurer=("ok", "ok"),
        ),
        _ORG,
        body=lambda *_: {"amount": "5", "reference": "a transfer"},
        once=True,
    ),
    ("organisation-keys", "GET"): Entry(tenants("members"), _ORG),
    ("organisation-keys", "POST"): Entry(
        tenants("members by hand"), _ORG, body=lambda *_: {"name": "k", "scopes": ["jobs:read"]}
    ),
    ("key", "DELETE"): Entry(
        exceptions(among(otherwise=404), owner_a=("ok", 404), owner_b=(404, "ok"), key_members=(403, 404)),
        {"key": "key"},
    ),
    ("key-rotate", "POST"): Entry(
        exceptions(among(otherwise=404), owner_a=("ok", 404), owner_b=(404, "ok"), key_members=(403, 404)),
        {"key": "key"},
        body=lambda *_: {"overlap_seconds": 60},
    ),
    ("clients", "GET"): Entry(tenants("members"), _ORG),
    ("clients", "POST"): Entry(
        tenants("members by hand"), _ORG, body=lambda *_: {"name": "c", "scopes": ["jobs:read"]}
    ),
    ("client", "DELETE"): Entry(
        exceptions(among(otherwise=404), owner_a=("ok", 404), owner_b=(404, "ok"), key_members=(403, 404)),
        {"client": "client"},
    ),
    ("domains", "GET"): Entry(known),
    ("domains", "POST"): Entry(
        _MAKES, body=lambda tenant, _: {"organisation": tenant["organisation"], "path": "new", "name": "New"}
    ),
    ("gold-sets", "GET"): Entry(known),
    ("gold-sets", "POST"): Entry(
        _MAKES,
        body=_gold_set,
        smuggled=(
            _swap(_gold_set, organisation=lambda scene: scene.b["organisation"]),
            _swap(_gold_set, domain=lambda scene: scene.b["domain"]),
        ),
    ),
    ("gold-set", "GET"): Entry(tenants("gold:read"), {"gold_set": "gold"}),
    ("gold-items", "GET"): Entry(tenants("gold:read"), {"gold_set": "gold"}),
    ("gold-items", "POST"): Entry(_MAKES, {"gold_set": "gold_draft"}, body=_item),
    ("gold-set-publish", "POST"): Entry(_MAKES, {"gold_set": "gold_draft"}),
    ("exams", "GET"): Entry(known),
    ("exams", "POST"): Entry(
        _MAKES,
        body=_exam,
        smuggled=(
            _swap(_exam, organisation=lambda scene: scene.b["organisation"]),
            _swap(_exam, gold_set=lambda scene: scene.b["gold"]),
        ),
    ),
    ("exam", "GET"): Entry(both(known, tenants("any")), {"exam": "exam"}),
    ("attempts", "POST"): Entry(
        both(among(*WORKERS), exceptions(tenants("any"), owner_b=(404, 403))), {"exam": "exam"}
    ),
    ("attempt", "GET"): Entry(workers_own, {"attempt": "attempt"}, side="worker"),
    ("attempt-hand-in", "POST"): Entry(
        workers_own,
        {"attempt": "attempt"},
        side="worker",
        body=lambda *_: {"answers": [{"number": 1, "label": build.CAT}]},
    ),
    ("qualifications", "GET"): Entry(known),
    ("qualifications", "POST"): Entry(
        among("admin", "verifier"),
        side="worker",
        body=lambda mine, scene: {
            "worker": mine["worker"],
            "domain": scene.a["subject"],
            "level": 4,
            "reason": "known",
        },
    ),
    ("qualification-revoke", "POST"): Entry(
        exceptions(
            among(otherwise=404),
            worker=(403, 404),
            worker_key=(403, 404),
            other_worker=(404, 403),
            admin=("ok", "ok"),
            verifier=("ok", "ok"),
        ),
        {"qualification": "qualification"},
        side="worker",
        body=lambda *_: {"reason": "no longer"},
    ),
    ("jobs", "GET"): Entry(known, smuggled=(_asked(organisation=lambda scene: scene.b["organisation"]),)),
    ("jobs", "POST"): Entry(
        tenants("jobs:write"),
        body=_job,
        once=True,
        smuggled=(
            _swap(_job, organisation=lambda scene: scene.b["organisation"]),
            _swap(_job, domain=lambda scene: scene.b["domain"]),
            _swap(_job, requirements=lambda scene: [{"domain": scene.b["domain"], "level_min": 1}]),
        ),
    ),
    ("job", "GET"): Entry(_A_READ, _JOB),
    ("job", "PATCH"): Entry(
        tenants("jobs:write"),
        _JOB,
        body=lambda *_: {"guidelines": "Look again."},
        smuggled=(lambda scene: ({"requirements": [{"domain": scene.b["domain"]}]}, {}),),
    ),
    ("job-publish", "POST"): Entry(tenants("jobs:write"), {"job": "draft"}, once=True),
    ("job-pause", "POST"): Entry(tenants("jobs:write"), _JOB),
    ("job-resume", "POST"): Entry(tenants("jobs:write"), {"job": "paused"}),
    ("job-close", "POST"): Entry(tenants("jobs:write"), _JOB, once=True),
    ("job-budget", "POST"): Entry(tenants("jobs+money:write"), _JOB, body=lambda *_: {"amount": "1"}, once=True),
    ("job-report", "GET"): Entry(_A_READ, _JOB),
    ("batches", "GET"): Entry(_A_READ, _JOB),
    ("batches", "POST"): Entry(
        tenants("jobs:write"), _JOB, body=lambda *_: b"text\nnew\n", content_type="text/csv", once=True
    ),
    ("job-gold", "POST"): Entry(
        tenants("jobs+gold:write"),
        {"job": "paused"},
        body=lambda tenant, _: {"gold_set": tenant["gold"], "exposure_max": 2},
        once=True,
        smuggled=(lambda scene: ({"gold_set": scene.b["gold"]}, {}),),
    ),
    ("batch", "GET"): Entry(_A_READ, {"batch": "batch"}),
    ("tasks", "GET"): Entry(_A_READ, _JOB),
    ("task", "GET"): Entry(tenants("jobs+answers:read"), {"task": "task"}),
    ("answer-review", "POST"): Entry(
        tenants("review"), {"answer": "answer"}, body=lambda *_: {"verdict": "set_aside", "reason": "not used"}
    ),
    ("releases", "GET"): Entry(tenants("releases"), {"job": "done"}),
    ("releases", "POST"): Entry(tenants("releases"), {"job": "done"}, once=True),
    ("release", "GET"): Entry(tenants("releases"), {"release": "release"}),
    ("release-file", "GET"): Entry(tenants("releases"), {"release": "release", "name": "=data.jsonl"}),
    ("line", "GET"): Entry(everybody),
    ("open-jobs", "GET"): Entry(everybody),
    ("audit", "GET"): Entry(
        among("owner_a", "owner_b", "admin"), smuggled=(_asked(organisation=lambda scene: scene.b["organisation"]),)
    ),
    ("schema", "GET"): Entry(anybody),
    ("reference", "GET"): Entry(anybody),
    ("nowhere", "GET"): Entry(hidden, {"rest": "=no/such/thing"}),
    ("nowhere", "POST"): Entry(hidden, {"rest": "=no/such/thing"}),
    ("nowhere", "PATCH"): Entry(hidden, {"rest": "=no/such/thing"}),
    ("nowhere", "DELETE"): Entry(hidden, {"rest": "=no/such/thing"}),
}
"""The API, by the name within it."""

SIGN_ON = (
    "account_", "mfa_", "usersessions_", "socialaccount_", "orcid_", "openid_connect_", "headless:browser:",
    "accounts/social/",
)  # fmt: skip
"""allauth's own pages, tested by it; here, that they answer strangers without a server error."""
ADMIN = "admin:"
"""Django's admin: for staff alone."""

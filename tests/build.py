"""Valid rows for tests: each builder takes only what the test is about, and makes the rest up.

Builders go through the acts, so what they make is what the system makes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts import credentials, keys, organising, people, verifying
from accounts.ledger.depositing import deposit
from accounts.ledger.money import Money
from accounts.models import ApiKey, Credential, CredentialType, Organisation, PlatformRole, User, Worker
from qualification import crediting, examining, gold, granting
from qualification.models import Domain, Exam, GoldItem, GoldSet, Qualification
from qualification.queries import canonical
from tasks import claiming, importing, publishing, submitting
from tasks.formats.rows import TaskRow
from tasks.models import Assignment, Job, Task
from tests import canaries

UNIT = 1_000_000
"""One dollar in micros."""

_numbers = itertools.count(1)

CAT, DOG = {"class": "cat"}, {"class": "dog"}
CLASSES: dict[str, Any] = {
    "question": "What is in the picture?",
    "classes": [{"name": "cat", "title": "Cat"}, {"name": "dog", "title": "Dog"}],
}
"""A categorical definition in its normal form, and the two labels it allows."""


def a_user(name: str = "", *, password: str | None = None, **fields: Any) -> User:
    """Someone who can sign in, at an address that nobody else has."""
    number = next(_numbers)
    return User.objects.create_user(
        f"{name.lower() or 'user'}.{number}@example.org", password, name=name or f"User {number}", **fields
    )


def an_organisation(name: str = "", *, owner: User | None = None) -> Organisation:
    """A requester with one owner."""
    return organising.found_organisation(owner or a_user(), name=name or f"Organisation {next(_numbers)}")


def a_worker(name: str = "", *, user: User | None = None, at: datetime | None = None) -> Worker:
    """An active person who answers, and can sign in."""
    return people.register_worker(user or a_user(name), name=name or f"Worker {next(_numbers)}", at=at)


def a_model(name: str = "") -> Worker:
    """A version of a model."""
    return people.register_model(name or f"model-{next(_numbers)}", actor="system")


def a_worker_key(worker: Worker | None = None) -> tuple[ApiKey, str]:
    """A worker's key and its secret."""
    return keys.issue_key(worker=worker or a_worker(), name="mine", scopes=["work"])


def an_organisation_key(
    organisation: Organisation, scopes: Sequence[str] = keys.ORGANISATION_SCOPES, *, created_by: User | None = None
) -> tuple[ApiKey, str]:
    """An organisation's key, with every scope unless told, and its secret."""
    return keys.issue_key(organisation=organisation, name="ours", scopes=scopes, created_by=created_by)


def a_domain(path: str = "", *, organisation: Organisation | None = None) -> Domain:
    """A domain at ``path``; the domains above it are made where they are missing."""
    path = path or f"subject-{next(_numbers)}"
    above, _, slug = path.rpartition("/")
    if above and not Domain.objects.filter(path=above).exists():
        a_domain(above, organisation=organisation)
    return gold.create_domain(path=path, name=slug.replace("-", " ").capitalize(), organisation=organisation)


def gold_items(count: int, *, difficulties: Sequence[int] = (2,)) -> list[gold.NewGold]:
    """Items whose right answers are cat, dog, cat, …, with the difficulties in turn."""
    return [
        gold.NewGold(
            payload={"text": f"gold {next(_numbers)}"},
            accepted=[{"label": DOG if place % 2 else CAT, "weight": 1.0}],
            class_index=place % 2,
            difficulty=difficulties[place % len(difficulties)],
            explanation=f"See the ears, {canaries.GOLD}.",
        )
        for place in range(count)
    ]


def a_gold_set(
    domain: Domain | None = None,
    *,
    items: int = 4,
    difficulties: Sequence[int] = (2,),
    organisation: Organisation | None = None,
    published: bool = True,
) -> GoldSet:
    """A published set of ``items`` verified items."""
    gold_set = gold.create_gold_set(
        name=f"Gold {next(_numbers)}",
        domain=domain or a_domain(),
        label_kind="categorical",
        label_definition=CLASSES,
        organisation=organisation,
    )
    gold.add_gold_items(gold_set, gold_items(items, difficulties=difficulties))
    return gold.publish_gold_set(gold_set) if published else gold_set


def a_gold_item(gold_set: GoldSet | None = None) -> GoldItem:
    """The first item of a gold set."""
    return (gold_set or a_gold_set()).items.order_by("pk")[0]


def an_exam(
    gold_set: GoldSet | None = None,
    *,
    level: int = 1,
    questions: int = 2,
    pass_share: float = 0.8,
    time_limit_seconds: int = 600,
    attempts_max: int = 2,
    organisation: Organisation | None = None,
) -> Exam:
    """An open exam over a gold set."""
    return examining.create_exam(
        name=f"Exam {next(_numbers)}",
        gold_set=gold_set or a_gold_set(organisation=organisation),
        level=level,
        questions=questions,
        pass_share=pass_share,
        time_limit_seconds=time_limit_seconds,
        attempts_max=attempts_max,
        organisation=organisation,
    )


def a_qualification(
    worker: Worker | None = None,
    domain: Domain | None = None,
    *,
    level: int = 1,
    organisation: Organisation | None = None,
    expires_at: datetime | None = None,
    at: datetime | None = None,
) -> Qualification:
    """Standing that an admin granted."""
    return granting.grant_qualification(
        worker or a_worker(),
        domain or a_domain(),
        level=level,
        source="admin",
        organisation=organisation,
        expires_at=expires_at,
        reason="known to us",
        at=at,
    )


def a_credential_type(slug: str = "", **facts: Any) -> CredentialType:
    """A licence that asks for nothing but who issued it, and is verified by one verifier."""
    number = next(_numbers)
    plain = {"name": f"Licence {number}", "kind": "licence", "number_required": False, "evidence_required": False}
    return CredentialType.objects.create(slug=slug or f"licence-{number}", **(plain | facts))


def a_verifier(name: str = "") -> User:
    """Someone who verifies credentials."""
    user = a_user(name)
    PlatformRole.objects.create(user=user, role=PlatformRole.Role.VERIFIER)
    return user


def a_verified_credential(
    worker: Worker | None = None,
    type: CredentialType | None = None,  # noqa: A002  the word for it
    *,
    jurisdiction: str = "",
    verifier: User | None = None,
    at: datetime | None = None,
) -> Credential:
    """A credential that a verifier (a new one unless told) approved, with what the rules of its type open."""
    filing = credentials.Filing(issuer="Board of Radiology", jurisdiction=jurisdiction, holder="Rosa Ray")
    filed = credentials.file_credential(worker or a_worker(), type or a_credential_type(), filing, evidence=[], at=at)
    verifier = verifier or a_verifier()
    claimed = verifying.claim_review(filed, verifier=verifier, at=at)
    return crediting.approve_credential(claimed, verifier=verifier, at=at)


def money_for(organisation: Organisation, micros: int, currency: str = "USD") -> None:
    """Money in an organisation's wallet."""
    deposit(organisation.pk, Money(micros, currency), provider_ref=f"transfer {next(_numbers)}", actor="system")


def a_draft_job(
    organisation: Organisation | None = None,
    *,
    domain: Domain | None = None,
    slots: int = 3,
    policy: str = "",
    price_micros: int = UNIT // 20,
    budget_micros: int = 100 * UNIT,
    fee_bp: int = 2_000,
    **draft: Any,
) -> Job:
    """A complete job that is not published: cats and dogs, ``slots`` answers a task (or any ``policy``)."""
    said = publishing.JobDraft(
        name=draft.pop("name", f"Job {next(_numbers)}"),
        domain_id=(domain or a_domain()).pk,
        label_definition=draft.pop("label_definition", CLASSES),
        guidelines=draft.pop("guidelines", "Look closely."),
        price_micros=price_micros,
        budget_micros=budget_micros,
        policy=policy or f"fixed:{slots}",
        **draft,
    )
    return publishing.create_job(organisation or an_organisation(), said, fee_bp=fee_bp)


def a_live_job(organisation: Organisation | None = None, **job: Any) -> Job:
    """A published job, its budget paid in and in escrow; takes what `a_draft_job` takes."""
    drafted = a_draft_job(organisation, **job)
    if drafted.budget_micros:
        money_for(drafted.organisation, drafted.budget_micros, drafted.currency)
    return publishing.publish_job(drafted, actor="system")


def task_rows(count: int, *, price_micros: int | None = None, difficulty: int | None = None) -> list[TaskRow]:
    """Rows of an import, each with a payload and an external reference of its own."""
    rows = []
    for place in range(1, count + 1):
        number = next(_numbers)
        payload: dict[str, Any] = {"text": f"item {number}"}
        content = canonical(payload).encode()
        rows.append(
            TaskRow(
                row=place,
                external_ref=f"ref-{number}",
                payload=payload,
                difficulty=difficulty,
                price_micros=price_micros,
                stratum="",
                expires_at=None,
                content=content,
                content_hash=hashlib.sha256(content).digest(),
            )
        )
    return rows


def some_tasks(job: Job, count: int, *, slots: int | None = None, **row: Any) -> list[Task]:
    """``count`` new tasks of a live job, in one batch; with ``slots``, the job's plan is revised to ask that many."""
    if slots is not None and (job.plan is None or job.plan.overlap != slots):
        job = publishing.revise_job(job, publishing.Revision(policy=f"fixed:{slots}"))
    batch = importing.add_tasks(job, task_rows(count, **row), rng_seed=1)
    return list(Task.objects.filter(batch=batch).order_by("pk"))


def gold_tasks(job: Job, gold_set: GoldSet, *, exposure_max: int = 60) -> list[Task]:
    """The set's items as hidden gold tasks of a live job."""
    batch = importing.add_gold_tasks(job, gold_set, exposure_max=exposure_max)
    return list(Task.objects.filter(batch=batch).order_by("pk"))


def a_credential(
    worker: Worker | None = None,
    type_: CredentialType | None = None,
    *,
    verified: bool = False,
    at: datetime | None = None,
    **filing: Any,
) -> Credential:
    """A filed credential or, if asked for, one that as many verifiers approved as its type needs."""
    said = credentials.Filing(**{"issuer": "Board of Examples", "holder": "Ada Example", **filing})
    filed = credentials.file_credential(worker or a_worker(), type_ or a_credential_type(), said, evidence=(), at=at)
    for _ in range(filed.type.verifiers_needed if verified else 0):
        verifier = a_verifier()
        verifying.claim_review(filed, verifier=verifier, at=at)
        filed = verifying.record_approval(filed, verifier=verifier, at=at)
    return filed


def an_answer(
    task: Task, label: dict[str, Any] | None = None, *, worker: Worker | None = None, at: datetime | None = None
) -> Assignment:
    """An answer to this task, claimed and submitted by a worker (a new one unless told); cat unless told."""
    lease = a_lease(task, worker=worker, at=at)
    submitting.submit_answer(lease.worker_id, submitting.Submission(lease.pk, label or CAT), at=at)
    return Assignment.objects.get(pk=lease.pk)


def a_lease(task: Task, *, worker: Worker | None = None, at: datetime | None = None) -> Assignment:
    """A lease on this task, held by a worker (a new one unless told)."""
    [lease] = claiming.claim_tasks((worker or a_worker()).pk, only=[task.pk], at=at)
    return Assignment.objects.get(pk=lease.assignment_id)

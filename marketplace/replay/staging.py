"""Posting a data set as a job: a requester with money, the job, its tasks, its gold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from django.db import connection

from accounts.ledger.depositing import deposit
from accounts.ledger.money import Money, fee
from accounts.models import User, Worker
from accounts.organising import found_organisation
from accounts.people import register_worker
from marketplace.replay.dataset import Dataset
from marketplace.replay.script import Script
from qualification.gold import NewGold, add_gold_items, create_domain, create_gold_set, publish_gold_set
from qualification.inference.stopping import parse_policy
from tasks.importing import add_gold_tasks, add_tasks
from tasks.models import Job
from tasks.publishing import JobDraft, create_job, publish_job

ACTOR = "system:replay"
CURRENCY = "USD"
PRICE_MICROS = 50_000
FEE_BP = 2_000


@dataclass(frozen=True, slots=True)
class Posted:
    """A job that is open to the recorded workers, and which task is which item."""

    job: Job
    task_of: dict[str, int]
    item_of: dict[int, str]


def post_dataset(
    dataset: Dataset,
    script: Script,
    *,
    policy: str,
    engine: str,
    rng: np.random.Generator,
    tell: Callable[[int], None] | None = None,
) -> Posted:
    """Post the script's items through the acts, with a budget that allows every answer the policy may ask for."""
    slots = len(script.tasks) * parse_policy(policy).answers_max
    recorded = script.recorded()
    exposures = max((recorded[item] for item in script.gold), default=0)
    price = PRICE_MICROS + fee(PRICE_MICROS, FEE_BP)
    budget = Money((slots + exposures * len(script.gold)) * price, CURRENCY)
    owner = User.objects.create_user("requester@replay.example", None, name="Requester")
    organisation = found_organisation(owner, name="Replay")
    deposit(organisation.pk, budget, provider_ref="replay", actor=ACTOR)
    domain = create_domain(path="replay", name="Replay")
    draft = JobDraft(
        name=dataset.name[:100],
        domain_id=domain.pk,
        label_definition=dataset.definition,
        guidelines="Give the answer that was recorded.",
        price_micros=PRICE_MICROS,
        budget_micros=budget.micros,
        currency=CURRENCY,
        engine=engine,
        policy=policy,
    )
    job = publish_job(create_job(organisation, draft, fee_bp=FEE_BP), actor=ACTOR)
    rows = [dataset.rows[item] for item in script.tasks]
    add_tasks(job, rows, name="recorded", rng_seed=int(rng.integers(2**31)), progress=tell)
    if script.gold:
        gold_set = create_gold_set(
            name="Replay",
            domain=domain,
            label_kind="categorical",
            label_definition=dataset.definition,
            organisation=organisation,
        )
        add_gold_items(gold_set, [_gold(dataset, item) for item in script.gold])
        publish_gold_set(gold_set)
        gold_set.refresh_from_db()
        add_gold_tasks(job, gold_set, exposure_max=exposures, rng_seed=int(rng.integers(2**31)))
    task_of = _tasks_of(job)
    return Posted(job, task_of, {task_id: item for item, task_id in task_of.items()})


def enrol(recorded_name: str, number: int) -> int:
    """Make the ``number``-th recorded worker a worker here, marked simulated; returns the id."""
    user = User.objects.create_user(f"worker.{number}@replay.example", None, name=recorded_name[:100])
    worker = register_worker(user, name=recorded_name[:100])
    Worker.objects.filter(pk=worker.pk).update(simulated=True)
    return worker.pk


def _gold(dataset: Dataset, item: str) -> NewGold:
    class_index = dataset.truth[item]
    return NewGold(
        payload=dataset.rows[item].payload,
        accepted=[{"label": dataset.label(class_index), "weight": 1.0}],
        class_index=class_index,
    )


def _tasks_of(job: Job) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT p.content ->> 'item', p.task_id FROM tasks_payload p WHERE p.job_id = %s", [job.pk])
        return dict(cursor.fetchall())

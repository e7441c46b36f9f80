"""Fill a site for the claim bench: ``python -m tests.bench.claim_load FILE`` within the site's environment.

Twenty domains with one restricted job each and five difficulties, hence a hundred buckets; two thousand workers, each
qualified in two domains, hence ten buckets a worker. Prices, fees, gates, audit and the posterior are all on. Writes
the workers' ids and secrets to FILE. ``top_up`` adds tasks as the owner of the tables, set by set.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import psycopg

from accounts import keys, organising
from accounts.ledger.depositing import deposit
from accounts.ledger.money import Money
from accounts.models import User, Worker
from qualification import gold
from qualification.models import Domain, Qualification
from tasks import publishing
from tasks.models import Batch, Bucket

DOMAINS, WORKERS, DIFFICULTIES, SLOTS = 20, 2_000, 5, 3
BUDGET = Money(10**9 * 1_000_000, "USD")

TOP_UP = """
WITH added AS (
  INSERT INTO tasks_task (job_id, batch_id, bucket_id, state, waiting_for, round, stage, stratum, price_micros, fee_micros,
                          slots_needed, leased_count, answer_count, queue_key, contested_reason)
  SELECT b.job_id, (SELECT min(x.id) FROM tasks_batch x WHERE x.job_id = b.job_id), b.id, 'open', 'crowd', 0, 0, '',
         10000, 2000, %(slots)s, 0, 0, (random() * 2147483646)::int, ''
  FROM tasks_bucket b, generate_series(1, %(per_bucket)s) RETURNING id, job_id),
reserved AS (
  UPDATE tasks_job j SET reserved_micros = reserved_micros + a.n * %(slots)s * 12000
  FROM (SELECT job_id, count(*) AS n FROM added GROUP BY job_id) a WHERE j.id = a.job_id)
INSERT INTO tasks_payload (task_id, job_id, content, content_hash)
SELECT id, job_id, jsonb_build_object('text', 'Is this sentence number ' || id || ' about a cat or about a dog?'),
       sha256(id::text::bytea) FROM added"""


def top_up(owner: psycopg.Connection[Any], open_tasks: int) -> None:
    """Add tasks until about ``open_tasks`` are open, evenly over the buckets."""
    row = owner.execute("SELECT count(*), (SELECT count(*) FROM tasks_bucket) FROM tasks_task WHERE is_open").fetchone()
    assert row is not None
    missing = max(0, (open_tasks - row[0]) // row[1])
    for start in range(0, missing, 1_000):
        owner.execute(TOP_UP, {"per_bucket": min(1_000, missing - start), "slots": SLOTS})
    if missing:
        owner.execute("VACUUM ANALYZE tasks_task, tasks_payload, tasks_assignment, tasks_answer, tasks_consensus")


def main(file: Path) -> None:
    """Make the site's people and jobs through the acts, and its many workers and grants in bulk."""
    owner = User.objects.create_user("bench@example.org")
    organisation = organising.found_organisation(owner, name="Bench")
    deposit(organisation.pk, Money(DOMAINS * BUDGET.micros, "USD"), provider_ref="bench", actor="system")
    domains = [gold.create_domain(path=f"domain-{number}", name=f"Domain {number}") for number in range(DOMAINS)]
    for domain in domains:
        _a_job(organisation, domain)
    workers = Worker.objects.bulk_create(Worker(name=f"Worker {number}", simulated=True) for number in range(WORKERS))
    Qualification.objects.bulk_create(
        Qualification(worker=worker, domain=domains[(number * 7 + step) % DOMAINS], level=1 + number % 3, source="admin",
                      granted_at=owner.created_at)
        for number, worker in enumerate(workers)
        for step in (0, 3)
    )  # fmt: skip
    issued = [keys.issue_key(worker=worker, name="bench", scopes=["work"]) for worker in workers]
    file.write_text(
        json.dumps([[worker.pk, key.pk, secret] for worker, (key, secret) in zip(workers, issued, strict=True)])
    )


def _a_job(organisation: Any, domain: Domain) -> None:
    draft = publishing.JobDraft(
        name=f"Bench {domain.path}",
        domain_id=domain.pk,
        label_definition=["cat", "dog"],
        guidelines="Say what it is about.",
        price_micros=10_000,
        budget_micros=BUDGET.micros,
        requirements=((domain.pk, 1),),
        engine="dawid_skene",
        policy=f"fixed:{SLOTS}",
    )
    job = publishing.publish_job(publishing.create_job(organisation, draft, fee_bp=2_000), actor="system")
    Batch.objects.create(job=job, number=1, state="ready", name=secrets.token_hex(4))
    Bucket.objects.bulk_create(
        Bucket(job=job, domain=domain, difficulty=difficulty, priority=5) for difficulty in range(1, DIFFICULTIES + 1)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Revocations racing claims: ``make bench-revoke``. Real processes and threads, on a database of its own.

In each race a worker who holds a grant claims (and hands some of it in) while the grant, or the credential behind it, is
revoked at the same moment; now and then the grant itself comes while the worker is claiming already. Nobody may have
answered without a grant that was valid at the claim and at the answer; the next claim is refused; no lease is left that
needed what is gone; every answer that rests on it is flagged; and the proofs must hold.

Prints one JSON object last, and exits 1 unless all of that came out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from django.db import connection

from marketplace import sweeps
from marketplace.management.commands.verify import prove_all
from qualification import crediting
from tests import build
from tests.bench.race import own_database
from tests.bench.revoke_clients import Course, run_races

PRICE_MICROS = 10_000
SLOTS = 40
TASKS = 400
FOUND = """
SELECT
  (SELECT count(*) FROM tasks_answer n JOIN tasks_assignment a ON a.id = n.assignment_id
     LEFT JOIN qualification_qualification q ON q.id = a.grant_id
   WHERE q.id IS NULL OR q.worker_id <> a.worker_id OR q.granted_at > a.leased_at
      OR q.revoked_at <= a.leased_at OR q.expires_at <= a.leased_at OR q.revoked_at <= n.submitted_at),
  (SELECT count(*) FROM tasks_assignment WHERE state = 'leased'),
  (SELECT count(*) FROM tasks_answer n WHERE NOT EXISTS (
     SELECT FROM tasks_answerflag f WHERE f.assignment_id = n.assignment_id)),
  (SELECT count(*) FROM tasks_answer),
  (SELECT count(*) FROM tasks_assignment WHERE state = 'expired' AND reason <> ''),
  (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())"""


def race(name: str, *, processes: int, races: int, workers: int, seconds_max: float, seed: int = 0) -> dict[str, Any]:
    """Run the races in database ``name``, which is current and empty, and count what must not be."""
    started = time.monotonic()
    domain, type_ = build.a_domain(), build.a_credential_type()
    crediting.set_rule(type_, domain, level=2, actor="system")
    job = build.a_live_job(
        slots=SLOTS,
        domain=domain,
        requirements=((domain.pk, 2),),
        price_micros=PRICE_MICROS,
        budget_micros=TASKS * SLOTS * PRICE_MICROS * 2,
    )
    build.some_tasks(job, TASKS)
    course = Course(name, job.pk, domain.pk, type_.pk, seed)
    crowd = [build.a_worker().pk for _ in range(max(workers, processes))]
    connection.close()
    counted = Counter[str]()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        shares = [races // processes + (number < races % processes) for number in range(processes)]
        running = [
            pool.submit(run_races, course, number, crowd[number::processes], share, seconds_max)
            for number, share in enumerate(shares)
        ]
        for one in running:
            counted.update(one.result(seconds_max + 90))
    seconds = time.monotonic() - started
    while any(sweeps.step_all().values()):
        pass
    with connection.cursor() as cursor:
        cursor.execute(FOUND)
        without_grant, leases_left, unflagged, answers, taken_back, deadlocks = cursor.fetchone()
    broken = [proved.proof.name for proved in prove_all() if proved.finding is not None]
    return {
        "races": counted["races"],
        "answers_without_grant": int(without_grant),
        "claims_after_revocation": counted["claims_after_revocation"],
        "leases_ended": counted["leases_ended"],
        "verify": not broken,
        "broken": broken,
        "leases_left": int(leases_left),
        "answers": int(answers),
        "answers_unflagged": int(unflagged),
        "uncounted": abs(int(taken_back) - counted["leases_ended"]) + abs(int(answers) - counted["submitted"]),
        "deadlocks": int(deadlocks),
        "errors": counted["errors"],
        **{key: counted[key] for key in ("claim_first", "revocation_first", "granted_meanwhile", "submits_taken_back")},
        "processes": processes,
        "workers": len(crowd),
        "seconds": round(seconds, 1),
        "races_per_second": round(counted["races"] / seconds, 1),
    }


def passed(found: dict[str, Any]) -> bool:
    """Whether nothing happened that must not, and both orders came up."""
    zeros = (
        "answers_without_grant",
        "claims_after_revocation",
        "leases_left",
        "answers_unflagged",
        "uncounted",
        "deadlocks",
        "errors",
    )
    happened = ("claim_first", "revocation_first", "leases_ended", "answers", "submits_taken_back")
    return found["verify"] and not any(found[key] for key in zeros) and all(found[key] for key in happened)


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="bench-revoke", description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--races", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds-max", type=float, default=900.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with own_database() as name:
        found = race(
            name,
            processes=options.processes,
            races=options.races,
            workers=options.workers,
            seconds_max=options.seconds_max,
            seed=options.seed,
        )
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 0 if passed(found) and found["races"] >= options.races else 1


if __name__ == "__main__":
    sys.exit(main())

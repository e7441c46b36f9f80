"""``make bench-claim_cost``: what one claim and its return cost in one process; prints one JSON object last.

The best of ``--rounds`` means over 300 claims each, in milliseconds. To compare two commits, run it in a clone of each in
turn (copy this file into the older one): the machine's own speed changes by the minute.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tasks import claiming
from tests import bench, build
from tests.bench.race import own_database

FIRST = (bench,)
"""Imported for what it does: it sets the environment and Django up."""
CLAIMS = 300


def cost(rounds: int, *, tasks: int) -> list[float]:
    """Mean milliseconds of a claim and its return, for each round."""
    job = build.a_live_job(slots=3, budget_micros=10_000 * build.UNIT)
    build.some_tasks(job, tasks)
    worker = build.a_worker()
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(CLAIMS):
            [lease] = claiming.claim_tasks(worker.pk)
            claiming.return_leases(worker.pk, [lease.assignment_id])
        found.append((time.perf_counter() - began) / CLAIMS * 1_000)
    return found


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="bench-claim_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with own_database():
        rounds = cost(options.rounds, tasks=options.tasks)
    told = json.dumps({"claim_and_return_ms": round(min(rounds), 3), "rounds_ms": [round(one, 3) for one in rounds]})
    if options.out is not None:
        options.out.write_text(told + "\n", encoding="utf-8")
    print(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())

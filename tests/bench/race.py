"""Races on the line: ``make bench-race``. Many processes claim and submit the same tasks, as some of the same workers.

Nobody may get a slot that is not there, answer a task twice, go unpaid, or be paid twice; and the proofs must hold.
Prints one JSON object last, and exits 1 unless all of that came out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from marketplace import embedded, sweeps
from marketplace.management.commands.verify import prove_all
from marketplace.replay.fresh import fresh_database
from tasks import claiming
from tests import build
from tests.bench.race_clients import Course, Mishaps, run_sweeps, run_workers

SLOTS = 3
USUAL = Mishaps()
PRICE_MICROS = 10_000
START_SECONDS_MAX = 90.0
FOUND = """
WITH held AS (
  SELECT a.task_id, count(*) AS n FROM tasks_assignment a WHERE a.state NOT IN ('returned', 'expired', 'rejected')
  GROUP BY a.task_id),
paid AS (
  SELECT substr(t.key, 5)::bigint AS answer_id, count(*) AS n FROM ledger_transfer t WHERE t.kind = 'pay' GROUP BY 1)
SELECT
  (SELECT coalesce(sum(greatest(0, h.n - %(slots)s)), 0) FROM held h),
  (SELECT coalesce(sum(d.n - 1), 0) FROM (SELECT count(*) AS n FROM tasks_answer x
     GROUP BY x.task_id, x.round, x.worker_id HAVING count(*) > 1) d),
  (SELECT count(*) FROM tasks_answer x JOIN tasks_assignment a ON a.id = x.assignment_id
     LEFT JOIN paid p ON p.answer_id = x.assignment_id WHERE p.n IS NULL OR a.state <> 'settled'),
  (SELECT coalesce(sum(p.n - 1), 0) + count(*) FILTER (WHERE x.assignment_id IS NULL) FROM paid p
     LEFT JOIN tasks_answer x ON x.assignment_id = p.answer_id),
  (SELECT count(*) FROM tasks_answer), (SELECT count(*) FROM tasks_assignment WHERE state = 'expired')"""


def race(
    name: str,
    *,
    processes: int,
    cycles: int,
    workers: int,
    seconds_max: float,
    seed: int = 0,
    mishaps: Mishaps = USUAL,
) -> dict[str, Any]:
    """Run the race in database ``name``, which is current and empty, and count what must not be."""
    started = time.monotonic()
    course = _course(name, cycles, seed, mishaps)
    crowd = [build.a_worker().pk for _ in range(workers)]
    in_common, own = crowd[: workers // 5], crowd[workers // 5 :]
    crews = [[*in_common, *own[number::processes]] for number in range(processes)]
    counted, errors, seconds = _run(course, crews, seconds_max)
    _come_to_rest()
    with connection.cursor() as cursor:
        cursor.execute(FOUND, {"slots": SLOTS})
        over_claimed, twice, unpaid, double_paid, answers, expired = cursor.fetchone()
    broken = [proved.proof.name for proved in prove_all() if proved.finding is not None]
    return {
        "cycles": counted["cycles"],
        "over_claimed": int(over_claimed),
        # Also where two calls were told that they gave one and the same answer.
        "double_answers": int(twice) + max(0, counted["submitted"] - answers),
        "unpaid": int(unpaid),
        "double_paid": int(double_paid),
        "lost": max(0, answers - counted["submitted"]),
        "seconds": round(seconds, 1),
        "cycles_per_second": round(counted["cycles"] / seconds, 1),
        "verify_ok": not broken,
        "broken": broken,
        "processes": processes,
        "workers": workers,
        "answers": answers,
        "expired": expired,
        **{key: counted[key] for key in ("submitted", "repeated", "returned", "abandoned", "late", "nothing")},
        "refused": counted["refused"],
        "errors": counted["errors"],
        "first_errors": errors[:3],
        "seconds_in_all": round(time.monotonic() - started, 1),
    }


def passed(found: dict[str, Any]) -> bool:
    """Whether nothing happened that must not."""
    zeros = ("over_claimed", "double_answers", "unpaid", "double_paid", "lost", "errors", "refused")
    return found["verify_ok"] and not any(found[key] for key in zeros)


def _course(name: str, cycles: int, seed: int, mishaps: Mishaps) -> Course:
    """Two jobs: one with slots for somewhat more than all cycles, one whose leases last a second."""
    job = build.a_live_job(slots=SLOTS, price_micros=PRICE_MICROS, budget_micros=cycles * 20_000)
    short = build.a_live_job(slots=SLOTS, price_micros=PRICE_MICROS, budget_micros=cycles * 20_000, lease_seconds=1)
    tasks = build.some_tasks(job, cycles * 34 // 100)
    build.some_tasks(short, max(6, cycles * 2 // 100))
    return Course(name, job.pk, short.pk, tuple(task.pk for task in tasks), cycles, seed, mishaps)


def _run(course: Course, crews: list[list[int]], seconds_max: float) -> tuple[Counter[str], list[str], float]:
    """Run all processes; what they counted, the errors they met, and the seconds from a common start to the last end."""
    context = multiprocessing.get_context("spawn")
    done, stop, counts = context.Value("l", 0), context.Event(), context.Queue()
    start = context.Barrier(len(crews) + 1)
    clients = [
        context.Process(target=run_workers, args=(course, number, crew, done, counts, start), daemon=True)
        for number, crew in enumerate(crews)
    ]
    sweeper = context.Process(target=run_sweeps, args=(course.database, stop, counts), daemon=True)
    connection.close()
    for process in (*clients, sweeper):
        process.start()
    counted, errors = Counter[str](), list[str]()
    with contextlib.suppress(threading.BrokenBarrierError):  # one that cannot start is counted below
        start.wait(START_SECONDS_MAX)
    began = time.monotonic()
    end = began + seconds_max
    while time.monotonic() < end and any(process.is_alive() for process in clients):
        _drain(counts, counted, errors, 0.2)
    seconds = time.monotonic() - began
    stop.set()
    sweeper.join(max(5.0, end - time.monotonic()))
    _drain(counts, counted, errors, 0.5)
    hung = [process for process in (*clients, sweeper) if process.is_alive()]
    for process in hung:
        process.kill()
        process.join()
    crashed = [process for process in (*clients, sweeper) if process.exitcode and process not in hung]
    counted["cycles"] = done.value
    counted["errors"] += len(hung) + len(crashed)
    return counted, errors, seconds


def _drain(counts: Any, counted: Counter[str], errors: list[str], seconds: float) -> None:
    """Take what processes have counted out of the queue; they cannot end while it is full."""
    with contextlib.suppress(queue.Empty):
        while True:
            said = counts.get(timeout=seconds)
            if "error" in said:
                errors.append(said.pop("error"))
            counted.update(said)


def _come_to_rest() -> None:
    """Let the last short leases run out, and settle everything."""
    time.sleep(1.1)
    while any(sweeps.step_all().values()) or claiming.expire_leases():
        pass


@contextlib.contextmanager
def own_database() -> Iterator[str]:
    """A fresh database on the server of the settings, which is started where it is the embedded one."""
    with contextlib.ExitStack() as stack:
        if settings.EMBEDDED_DATABASE:
            stack.enter_context(embedded.use_database(Path(settings.TOUCHSTONE_HOME)))
        yield stack.enter_context(fresh_database())


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="bench-race", description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds-max", type=float, default=420.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with own_database() as name:
        found = race(
            name,
            processes=options.processes,
            cycles=options.cycles,
            workers=options.workers,
            seconds_max=options.seconds_max,
            seed=options.seed,
        )
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 0 if passed(found) and found["cycles"] >= options.cycles else 1


if __name__ == "__main__":
    sys.exit(main())

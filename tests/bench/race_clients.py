"""The processes of the race: workers that rush for the same slots, and one that runs the sweeps.

Each runs in a process of its own (spawned, so that nothing is shared but what is handed over), and counts what it did.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from typing import Any, Protocol

import numpy as np
from django.db import connection

from accounts.refusals import Refusal
from marketplace import databases, sweeps
from marketplace.settings import database
from tasks import claiming, submitting
from tasks.claiming import Lease
from tasks.submitting import Submission
from tests import build
from tests.races import at_once

WINDOW = 6
"""Tasks that a rush is for: half of the claims name these and no others."""


class Shared(Protocol):
    """A number that all processes add to."""

    value: int

    def get_lock(self) -> Any:
        """Held while adding."""


@dataclass(frozen=True, slots=True)
class Mishaps:
    """How often each thing goes wrong, as shares: of cycles, and (``late``) of the answered leases of a second."""

    returned: float = 0.05
    abandoned: float = 0.02
    repeated: float = 0.01
    late: float = 0.2


@dataclass(frozen=True, slots=True)
class Course:
    """What is run: the database, the jobs and the tasks of the first, how many cycles, and what goes wrong."""

    database: str
    job: int
    short_job: int
    tasks: tuple[int, ...]
    cycles: int
    seed: int
    mishaps: Mishaps


def run_workers(course: Course, number: int, workers: list[int], done: Shared, counts: Any, start: Barrier) -> None:
    """Claim and submit as these workers until all processes together have done the cycles; put the counts in a queue."""
    with databases.pointing_at(course.database, database("app")):
        counted = Counter[str]()
        rng = np.random.default_rng([course.seed, number])
        connection.ensure_connection()
        start.wait()
        idle = 0
        while done.value < course.cycles and idle < 400:
            try:
                taken = _cycle(course, int(rng.choice(workers)), done.value, rng, counted)
            except Exception:  # noqa: BLE001  (whatever it is, the race reports it and fails)
                counted["errors"] += 1
                counts.put({"error": traceback.format_exc()})
                taken = 0
            idle = 0 if taken else idle + 1
            with done.get_lock():
                done.value += taken
        counts.put(dict(counted))


def run_sweeps(name: str, stop: Event, counts: Any) -> None:
    """Run the sweeps until told to stop."""
    with databases.pointing_at(name, database("app")):
        while not stop.is_set():
            try:
                sweeps.run_for(1.0)
            except Exception:  # noqa: BLE001  (whatever it is, the race reports it and fails)
                counts.put({"errors": 1, "error": traceback.format_exc()})
        counts.put({})


def _cycle(course: Course, worker: int, done: int, rng: np.random.Generator, counted: Counter[str]) -> int:
    """One claim and what becomes of its leases; how many there were."""
    leases = _claim(course, worker, done, rng)
    if not leases:
        counted["nothing"] += 1
        return 0
    # Leases of a second are left to run out at twice the rate, since half of those claims are answered in time.
    short = leases[0].job_id == course.short_job
    if short and rng.random() < 0.5:
        counted["abandoned"] += len(leases)
    elif rng.random() < course.mishaps.returned:
        counted["returned"] += claiming.return_leases(worker, [lease.assignment_id for lease in leases])
    else:
        if short and rng.random() < course.mishaps.late:
            # To the moment when the lease ends, and somebody else may claim the task.
            time.sleep(0.97 + 0.03 * rng.random())
        _submit(worker, leases, rng.random() < course.mishaps.repeated, rng, counted)
    return len(leases)


def _claim(course: Course, worker: int, done: int, rng: np.random.Generator) -> list[Lease]:
    try:
        if rng.random() < 2 * course.mishaps.abandoned:
            return claiming.claim_tasks(worker, job_id=course.short_job)
        if rng.random() < 0.5:
            first = min(done * len(course.tasks) // course.cycles, len(course.tasks) - WINDOW)
            return claiming.claim_tasks(worker, only=course.tasks[first : first + WINDOW])
        return claiming.claim_tasks(worker, job_id=course.job, count=int(rng.choice([1, 1, 1, 4])))
    except claiming.NothingToClaim:
        return []


def _submit(worker: int, leases: list[Lease], twice: bool, rng: np.random.Generator, counted: Counter[str]) -> None:
    """Hand the answers in; ``twice`` in two threads at the same moment, of which one must find them given."""
    said = [Submission(lease.assignment_id, build.CAT if rng.random() < 0.7 else build.DOG) for lease in leases]
    rounds: list[Any] = (
        [submitting.submit_answers(worker, said)]
        if not twice
        else at_once([lambda: submitting.submit_answers(worker, said)] * 2)
    )
    for outcomes in rounds:
        if isinstance(outcomes, Refusal):
            raise outcomes
        for outcome in outcomes:
            counted["late" if isinstance(outcome.refusal, submitting.LeaseExpired) else outcome.state] += 1

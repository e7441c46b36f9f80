"""Everything that runs by itself, and how often. Each sweep is one domain call in bounded batches.

Rows are the message: a sweep asks the tables what is due, so it may run twice at once, be late, or die half-way, and
only time is lost. ``SWEEPS`` is the one table of names and periods; Celery's schedule is made from it, and
``docs/reference/sweeps.md`` is checked against it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from celery import shared_task
from django.db import connection
from kombu.exceptions import OperationalError

from accounts import noticing, privacy
from marketplace import clients
from marketplace.celery import app
from qualification import examining
from tasks import claiming, closing, grading, importing, judging, linking, reviewing, settling

PASSES_MAX = 50
"""A sweep that keeps finding full batches goes on this often before it lets others run."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A named, periodic piece of work; ``step`` does one batch and returns how much it found."""

    name: str
    every_seconds: float
    step: Callable[[datetime | None], int]
    batch: int
    does: str


def _refit(at: datetime | None) -> int:
    return sum(judging.refit_job(job_id, at=at) for job_id in judging.jobs_due_for_refit())


SWEEPS: Mapping[str, Sweep] = MappingProxyType(
    {
        sweep.name: sweep
        for sweep in (
            Sweep("grade", 1.0, lambda at: grading.grade_gold(limit=500, at=at), 500, "grades answers to hidden gold"),
            Sweep("judge", 0.5, lambda at: judging.judge_waiting(limit=500, at=at).moved, 500, "judges waiting tasks"),
            Sweep(
                "accept",
                0.5,
                lambda at: reviewing.accept_due(limit=1_000, at=at),
                1_000,
                "accepts answers after review",
            ),
            Sweep("settle", 1.0, lambda at: settling.settle_due(limit=1_000, at=at), 1_000, "pays accepted answers"),
            Sweep(
                "expire", 5.0, lambda at: claiming.expire_leases(limit=1_000, at=at), 1_000, "ends leases that ran out"
            ),
            Sweep("refit", 5.0, _refit, 1_000_000, "estimates workers and consensus of grown jobs anew"),
            Sweep(
                "release_rests",
                10.0,
                lambda at: closing.release_rests(limit=100, at=at),
                100,
                "returns what closed jobs left",
            ),
            Sweep(
                "abandon_imports",
                60.0,
                lambda at: importing.abandon_stale_imports(at=at),
                1_000,
                "refuses imports that died",
            ),
            Sweep(
                "notice_expiry",
                3600.0,
                lambda at: noticing.send_expiry_notices(limit=200, at=at),
                200,
                "writes to workers whose credentials end soon",
            ),
            Sweep(
                "expire_credentials",
                60.0,
                lambda at: noticing.expire_credentials(limit=500, at=at),
                500,
                "ends credentials that are no longer valid",
            ),
            Sweep(
                "retire_evidence",
                3600.0,
                lambda at: noticing.retire_evidence(limit=500, at=at),
                500,
                "lets documents go some time after the decision",
            ),
            Sweep(
                "remove_files",
                60.0,
                lambda at: privacy.remove_files(limit=100, at=at),
                100,
                "takes doomed files off the store",
            ),
            Sweep(
                "forget_tokens",
                3_600.0,
                lambda at: clients.forget_tokens(limit=1_000, at=at),
                1_000,
                "removes access tokens that ran out",
            ),
            Sweep(
                "expire_attempts",
                60.0,
                lambda at: examining.expire_attempts(limit=500, at=at),
                500,
                "marks exams whose time ran out",
            ),
            Sweep(
                "link_signals",
                30.0,
                lambda at: linking.link_signals(limit=1_000, at=at),
                1_000,
                "compares what accounts share, and links those of one person",
            ),
        )
    }
)

RINGS: Mapping[str, str] = MappingProxyType({"accept": "settle"})
"""Which sweep has something to do once another has done something; without the bell it waits for its period."""

app.conf.beat_schedule = {
    sweep.name: {
        "task": "marketplace.sweeps.run",
        "schedule": sweep.every_seconds,
        "args": (sweep.name,),
        # A message that nobody took before the next one was due is of no use to anybody.
        "options": {"expires": max(5.0, sweep.every_seconds)},
    }
    for sweep in SWEEPS.values()
}


@shared_task(name="marketplace.sweeps.run", ignore_result=True)
def run(name: str, **_: object) -> int:
    """Run one sweep until it finds less than a full batch. One of each runs at a time; a second one does nothing."""
    sweep = SWEEPS[name]
    with _alone(name) as first:
        if not first:
            return 0
        done = 0
        for _pass in range(PASSES_MAX):
            found = sweep.step(None)
            done += found
            if found < sweep.batch:
                break
    if done and name in RINGS:
        doorbell(RINGS[name])
    return done


def step_all(*, at: datetime | None = None) -> dict[str, int]:
    """Run every sweep once, in the order of the line, until nothing is due: for replays, tests and demonstrations."""
    done: dict[str, int] = {}
    for sweep in SWEEPS.values():
        for _pass in range(PASSES_MAX):
            found = sweep.step(at)
            done[sweep.name] = done.get(sweep.name, 0) + found
            if found < sweep.batch:
                break
    return done


@contextmanager
def _alone(name: str) -> Iterator[bool]:
    """Hold the sweep's advisory lock for this database session; yields whether we got it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(7, hashtext(%s))", [name])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(7, hashtext(%s))", [name])


def doorbell(name: str) -> None:
    """Wake a sweep before its time. Losing the message, or the broker, loses only the time to the next period."""
    with suppress(OperationalError, OSError):
        run.apply_async((name,), retry=False, expires=5.0)


def run_for(seconds: float) -> None:
    """Run the sweeps in this process at their periods, for benches and tests that want no broker."""
    due = dict.fromkeys(SWEEPS, 0.0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, sweep in SWEEPS.items():
            if due[name] <= time.monotonic():
                run(name)
                due[name] = time.monotonic() + sweep.every_seconds
        time.sleep(0.02)

"""Post, import, claim and submit here; judge and settle in a Celery worker behind the broker; then prove it all.

Prints one JSON object, and exits 1 when the line did not come to rest, paid and proved, in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from marketplace import databases, sweeps
from marketplace.celery import app
from marketplace.management.commands.verify import prove_all
from marketplace.settings import BASE_DIR, database
from tasks import claiming, closing, submitting
from tasks.models import Assignment, Job, Task
from tests import build

SECONDS_MAX = 90
TASKS, WORKERS, SLOTS = 30, 4, 3
SWEEPS = ("grade", "judge", "accept", "settle", "release_rests")
type Facts = dict[str, Any]


class OutOfTime(Exception):
    """The smoke took longer than it may."""


def migrate() -> None:
    """Bring the database's schema up to date, as its owner."""
    with databases.pointing_at(str(settings.DATABASES["default"]["NAME"]), database("owner")):
        call_command("migrate", verbosity=0, interactive=False)


@contextlib.contextmanager
def celery_worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker process on our queue; it is ended on leaving, and the queue removed from the broker."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = [
        "-m",
        "celery",
        "-A",
        "marketplace.celery",
        "worker",
        "--concurrency",
        "1",
        "--loglevel",
        "WARNING",
        *quiet,
    ]
    process = subprocess.Popen([sys.executable, *command], cwd=BASE_DIR, stdout=sys.stderr, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        remove_queue()


def remove_queue() -> None:
    """Leave nothing of our name at the broker."""
    with app.connection_for_write() as broker, broker.channel() as channel:
        queue = app.amqp.queues[settings.NAMESPACE].bind(channel)
        # Redis knows what belongs to a queue only on a channel that has declared it.
        queue.declare()
        queue.delete()
        queue.exchange.delete()


def post_and_answer() -> Job:
    """A job of thirty tasks, each claimed and answered by three of four workers."""
    job = build.a_live_job(slots=SLOTS)
    build.some_tasks(job, TASKS)
    for worker in [build.a_worker() for _ in range(WORKERS)]:
        with contextlib.suppress(claiming.NothingToClaim):
            while leases := claiming.claim_tasks(worker.pk, count=10):
                said = [submitting.Submission(lease.assignment_id, build.CAT) for lease in leases]
                submitting.submit_answers(worker.pk, said)
    return job


def ring_until(process: subprocess.Popen[bytes], job: Job) -> None:
    """Ring for the sweeps until the worker has judged every task and paid every answer."""
    while not at_rest(job):
        if process.poll() is not None:
            raise OutOfTime(f"the Celery worker ended by itself with {process.returncode}")
        for name in SWEEPS:
            sweeps.doorbell(name)
        time.sleep(0.5)


def at_rest(job: Job) -> bool:
    """Whether nothing of the job waits for a sweep."""
    unpaid = Assignment.objects.filter(job=job).exclude(state__in=["settled", "returned", "expired"])
    unjudged = Task.objects.filter(job=job).exclude(state__in=["resolved", "contested", "cancelled"])
    return not unpaid.exists() and not unjudged.exists()


def smoke(facts: Facts) -> None:
    """The whole of it; what is found on the way is written into ``facts``."""
    migrate()
    facts["migrated"] = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('server_version')")
        facts["role"], facts["postgresql"] = cursor.fetchone()
    with celery_worker() as process:
        job = post_and_answer()
        facts["answers"] = Assignment.objects.filter(job=job, submitted_at__isnull=False).count()
        ring_until(process, job)
    closing.close_job(job, actor="system:smoke")
    facts["tasks"] = dict(Counter(Task.objects.filter(job=job).values_list("state", flat=True)))
    facts["settled"] = Assignment.objects.filter(job=job, state="settled").count()
    facts["broken"] = [proved.proof.name for proved in prove_all() if proved.finding is not None]


def main() -> int:
    """Run within the time, whatever hangs, and say what was found."""
    if not (settings.DATABASE_URL and settings.BROKER_URL):
        print("tests.smoke needs DATABASE_URL and BROKER_URL of servers that run.", file=sys.stderr)
        return 2
    started = time.monotonic()
    facts: Facts = {"smoke": "line", "broker": settings.CELERY_BROKER_URL.partition("://")[0], "error": None}

    def out_of_time(*_: object) -> None:
        raise OutOfTime(f"not done within {SECONDS_MAX} s")

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SECONDS_MAX - 15)
    try:
        smoke(facts)
    except Exception as error:  # noqa: BLE001  (the one place that reports whatever went wrong)
        facts["error"] = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    wanted = {"tasks": {"resolved": TASKS}, "answers": TASKS * SLOTS, "settled": TASKS * SLOTS, "broken": []}
    facts["ok"] = facts["error"] is None and wanted.items() <= facts.items()
    facts["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(facts))
    return 0 if facts["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""The processes of ``revoke``: in each, one thread claims and submits as a worker while another takes the grant away."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from django.db import connections

from accounts.models import Credential, CredentialType, User, Worker
from marketplace import databases
from marketplace.settings import database
from qualification.models import Domain, Qualification
from tasks import claiming, submitting
from tasks.revoking import Revoked, revoke_credential, revoke_qualification
from tests import build

APART = 0.006
"""Seconds, about as long as each of the two takes: they start up to two of these apart, either of them first."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is run: the database, the job that asks for standing in the domain, and the type that opens it."""

    database: str
    job: int
    domain: int
    type: int
    seed: int


@dataclass(frozen=True, slots=True)
class Chances:
    """What the two of one race do, drawn before it starts."""

    by_credential: bool
    meanwhile: bool
    claims_wait: float
    revokes_wait: float
    submit_wait: float
    count: int
    submits: int


def run_races(course: Course, number: int, workers: list[int], races: int, seconds_max: float) -> dict[str, int]:
    """Race as these workers in turn; what was counted."""
    with databases.pointing_at(course.database, database("app")):
        counted = Counter[str]()
        rng = np.random.default_rng([course.seed, number])
        verifier = build.a_verifier(f"verifier-{number}")
        end = time.monotonic() + seconds_max
        with ThreadPoolExecutor(1) as claimer:
            for turn in range(races):
                if time.monotonic() > end:
                    break
                try:
                    _race(course, workers[turn % len(workers)], verifier, _drawn(rng), claimer, counted)
                except Exception:  # noqa: BLE001  (whatever it is, it is counted, shown, and fails the bench)
                    counted["errors"] += 1
                    if counted["errors"] <= 3:
                        traceback.print_exc()
                counted["races"] += 1
            claimer.submit(connections.close_all).result()  # those of its thread
        return dict(counted)


def _drawn(rng: np.random.Generator) -> Chances:
    return Chances(
        by_credential=bool(rng.random() < 0.5),
        meanwhile=bool(rng.random() < 0.2),
        claims_wait=APART * 2 * float(rng.random()),
        revokes_wait=APART * 2 * float(rng.random()),
        submit_wait=APART * float(rng.random()),
        count=int(rng.integers(1, 4)),
        submits=int(rng.integers(0, 3)),
    )


def _race(
    course: Course,
    worker_id: int,
    verifier: User,
    chances: Chances,
    claimer: ThreadPoolExecutor,
    counted: Counter[str],
) -> None:
    """One race, and the claim after it."""
    start, over = threading.Barrier(2), threading.Event()
    held = None if chances.meanwhile else _qualify(course, worker_id, verifier, by_credential=chances.by_credential)
    running: Future[Counter[str]] = claimer.submit(_claim, course, worker_id, chances, start, over)
    start.wait(20)
    try:
        if held is None:
            held = _qualify(course, worker_id, verifier, by_credential=chances.by_credential)
            counted["granted_meanwhile"] += 1
        time.sleep(chances.revokes_wait)
        came = _revoke(held)
    finally:
        over.set()
        said = running.result(60)
    counted.update(said)
    counted["leases_ended"] += came.leases
    with suppress(claiming.NotQualified):
        claiming.claim_tasks(worker_id, job_id=course.job)
        counted["claims_after_revocation"] += 1
    with suppress(claiming.NothingToClaim):
        claiming.claim_tasks(worker_id)
        counted["claims_after_revocation"] += 1


def _qualify(course: Course, worker_id: int, verifier: User, *, by_credential: bool) -> Credential | Qualification:
    worker = Worker.objects.get(pk=worker_id)
    if not by_credential:
        return build.a_qualification(worker, Domain.objects.get(pk=course.domain), level=2)
    return build.a_verified_credential(worker, CredentialType.objects.get(pk=course.type), verifier=verifier)


def _revoke(held: Credential | Qualification) -> Revoked:
    if isinstance(held, Credential):
        return revoke_credential(held, reason="The board withdrew the licence.", actor="bench")
    return revoke_qualification(held, reason="It was granted by mistake.", actor="bench")


def _claim(
    course: Course, worker_id: int, chances: Chances, start: threading.Barrier, over: threading.Event
) -> Counter[str]:
    """The worker's side: claim, and hand in as much of it as was drawn."""
    counted = Counter[str]()
    start.wait(20)
    time.sleep(chances.claims_wait)
    leases: list[claiming.Lease] = []
    while not leases:
        try:
            leases = claiming.claim_tasks(worker_id, job_id=course.job, count=chances.count)
        except claiming.NotQualified:
            pass
        except claiming.NothingToClaim:
            if not chances.meanwhile:  # a claim that looked around before the grant came finds nothing; the next does
                raise
        if not chances.meanwhile or over.is_set():
            break
    counted["claim_first" if leases else "revocation_first"] += 1
    time.sleep(chances.submit_wait)
    for lease in leases[: chances.submits]:
        label = build.CAT if lease.assignment_id % 3 else build.DOG
        try:
            submitting.submit_answer(worker_id, submitting.Submission(lease.assignment_id, label))
            counted["submitted"] += 1
        except submitting.LeaseTakenBack as refusal:
            counted["submits_taken_back"] += bool(refusal.facts["reason"])
    return counted

"""The demo from its first process to its last: a site of its own, three jobs, a crowd, releases, proofs, the report."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marketplace import embedded
from marketplace.demo import content
from marketplace.demo.client import Api, Door, Stopped, wait_until
from marketplace.demo.crowd import Person, draw_crowd
from marketplace.demo.display import Display
from marketplace.demo.posting import Posted, requester_with
from marketplace.demo.report import Outcome, WorkerFacts, job_facts, worker_facts, worker_json
from marketplace.demo.tally import Tally
from marketplace.demo.watching import Watcher
from marketplace.demo.working import Hand, World
from marketplace.embedded.supervisor import ROOT, Stack

CROWD = 40
MARK = "demo.json"
"""Stands in a home that a demo made, and so may wipe."""

CROWD_SECONDS_MAX = 600.0
SETTLE_SECONDS = 120.0


class DemoRefused(RuntimeError):
    """The demo cannot run like this; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line chose. ``stays``: whether the site stays up at the end, with a job for whoever runs it."""

    home: Path
    releases: Path
    seed: int = 0
    tasks: int = 150
    keep: bool = False
    stays: bool = False


@dataclass(slots=True)
class Told:
    """What the demo came to. ``broken`` names the first proof that does not hold; ``sign_in`` is by role."""

    address: str
    jobs: list[dict[str, Any]]
    workers: list[WorkerFacts]
    broken: str
    proofs: int
    seconds: float
    tally: Tally
    lost: int
    sign_in: dict[str, list[str]]

    def as_json(self, releases: Path) -> dict[str, Any]:
        """The report as other tools read it."""
        return {
            "books_ok": not self.broken,
            "seconds": round(self.seconds, 3),
            "release_path": str(releases),
            "jobs": self.jobs,
            "workers": [worker_json(one) for one in self.workers],
            "refused_not_qualified": self.tally.refusals["not-qualified"],
            "tasks_returned": self.tally.returned,
            "leases_abandoned": self.tally.abandoned,
            "requests_lost": self.lost,
        }


@contextlib.contextmanager
def own_home(home: Path, *, keep: bool) -> Iterator[None]:
    """A home for this demo alone, empty unless ``keep``. Raises DemoRefused.

    What a killed demo left running there is stopped first.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRefused(f"Another demo runs in {home}; wait for it, end it, or name another --home.") from None
        if home.exists() and any(home.iterdir()):
            if not (home / MARK).exists():
                raise DemoRefused(f"{home} holds something that no demo made; name another --home.")
            if not keep:
                embedded.postgres_at(home).stop()
                shutil.rmtree(home)
        home.mkdir(exist_ok=True)
        (home / MARK).write_text(json.dumps({"made_by": "manage.py demo"}) + "\n")
        yield


@dataclass(slots=True)
class Demo:
    """One run of the demo on a site that is up. Setting ``stop`` ends all waiting with Stopped."""

    stack: Stack
    choices: Choices
    display: Display
    stop: threading.Event
    started: float
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Told:
        """Everything up to the report. Raises Refused, Unreachable, Stopped, DemoRefused."""
        door = Door(self.stack.address(), self.stop)
        try:
            return self._run(door)
        finally:
            self.over.set()
            door.close()

    def _run(self, door: Door) -> Told:
        seed = self.choices.seed
        postings = content.the_jobs(np.random.default_rng([seed, 0]), tasks_max=self.choices.tasks)
        classes = {one.slug: len(one.classes) for one in postings}
        crowd = draw_crowd(classes, np.random.default_rng([seed, 1]), size=CROWD)
        made = self._people()
        api = Api(door, made["key"])
        self.display.done(f"{CROWD} simulated workers, and a requester with {made['deposited']} USD in the wallet")
        requester = requester_with(api, made["organisation"])
        posted = [requester.post(one) for one in postings]
        self.display.done("Three jobs posted through the API, with hidden gold, and an exam for the specialists' job")

        tally = Tally()
        world = World({one.job: one for one in posted}, content.by_what_is_shown(postings), tally, self.over)
        watcher = Watcher(api, door, posted, tally, crowd_size=CROWD)
        self._let_work(door, crowd, made["workers"], world, watcher)
        outcomes = [self._conclude(api, one, watcher) for one in posted]
        if self.choices.stays:
            requester.post(content.try_yourself(np.random.default_rng([seed, 2])))
        workers = self._ask_workers(door, crowd, made["workers"], tally, {one.domain: one.slug for one in postings})
        broken, proofs = self._prove()
        jobs = [job_facts(one, seed=seed, books_ok=not broken) for one in outcomes]
        return Told(
            address=self.stack.address(), jobs=jobs, workers=workers, broken=broken, proofs=proofs,
            seconds=time.monotonic() - self.started, tally=tally, lost=door.lost, sign_in=made["sign_in"],
        )  # fmt: skip

    def _people(self) -> dict[str, Any]:
        """People and money, made by a process that may use the site's database."""
        done = self._manage("demo", "--people", str(CROWD), "--home", str(self.choices.home))
        made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return made

    def _manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command on the site. Raises DemoRefused where it must not fail and does."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words], cwd=ROOT, env=self.stack.environment(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if self.stop.is_set():
            raise Stopped
        if check and done.returncode:
            raise DemoRefused(f"manage.py {words[0]} failed:\n{done.stderr[-3000:]}")
        return done

    def _let_work(
        self, door: Door, crowd: Sequence[Person], secrets: Sequence[str], world: World, watcher: Watcher
    ) -> None:
        """Let the crowd work until every task is judged and every answer paid."""
        hands = [
            Hand(person, Api(door, secret), world, np.random.default_rng([self.choices.seed, 3, person.number]))
            for person, secret in zip(crowd, secrets, strict=True)
        ]
        for hand in hands:
            hand.start()

        def judged() -> bool:
            self.display.show(watcher.look())
            self._check(world.tally)
            return watcher.all_judged()

        def settled() -> bool:
            self.display.show(watcher.look())
            return watcher.all_settled()

        try:
            if not wait_until(judged, CROWD_SECONDS_MAX, self.stop, every=0.5):
                self.display.say("Time is up; tasks that are still open are judged on what they have.")
            self.over.set()
            for hand in hands:
                hand.join(60)
            self._check(world.tally)
            wait_until(settled, SETTLE_SECONDS, self.stop)
        finally:
            self.display.rest()
        answers, gold = watcher.answers()
        refused = world.tally.refusals["not-qualified"]
        passed = sum("passed" in states for states in world.tally.exams.values())
        self.display.done(
            f"{answers} answers and {gold} to hidden gold, judged, accepted and paid; {passed} of"
            f" {len(world.tally.exams)} passed the exam, {refused} times somebody unqualified was turned away"
        )

    def _check(self, tally: Tally) -> None:
        if tally.crashes:
            raise DemoRefused(f"A simulated worker could not go on: {tally.crashes[0]}")

    def _conclude(self, api: Api, posted: Posted, watcher: Watcher) -> Outcome:
        """Close the job, wait until nothing of its money is owed, seal a release and write it."""
        api.post(f"/jobs/{posted.job}/close")
        report: dict[str, Any] = {}

        def quiet() -> bool:
            report.update(api.get(f"/jobs/{posted.job}/report"))
            return float(report["escrow"]) == 0 and report["open"] + report["waiting"] == 0

        if not wait_until(quiet, SETTLE_SECONDS, self.stop):
            raise DemoRefused(f"{posted.posting.name} did not come to rest; see the worker's log in {self.stack.home}")
        release = api.post(f"/jobs/{posted.job}/releases")
        folder = self.choices.releases / posted.posting.slug
        files = {
            one["name"]: _checked(api.download(f"/releases/{release['id']}/files/{one['name']}"), one["sha256"])
            for one in release["files"]
        }
        _write(folder, files)
        rows = [json.loads(line) for line in files["data.jsonl"].splitlines()]
        seconds = watcher.seconds_of(posted.job)
        return Outcome(posted.posting, report, rows, str(folder), release["content_hash"], seconds)

    def _ask_workers(
        self, door: Door, crowd: Sequence[Person], secrets: Sequence[str], tally: Tally, slugs: dict[str, str]
    ) -> list[WorkerFacts]:
        """What each worker has shown and earned, as they themselves may read it."""
        found = []
        for person, secret in zip(crowd, secrets, strict=True):
            api = Api(door, secret)
            earned = api.get("/workers/me/earnings?limit=1")["balance"]
            standing = api.get("/workers/me/standing")
            found.append(worker_facts(person, tally, slugs, standing=standing, earned=earned))
        return found

    def _prove(self) -> tuple[str, int]:
        """Run ``verify`` on the site: the first proof that does not hold, if any, and how many there are."""
        file = self.stack.home / "verify.json"
        file.unlink(missing_ok=True)
        done = self._manage("verify", "--json", str(file), check=False)
        if not file.exists():
            raise DemoRefused(f"manage.py verify failed:\n{done.stderr[-3000:]}")
        report = json.loads(file.read_text())
        return report["first_broken"] or "", len(report["proofs"])


def _checked(content_: bytes, sha256: str) -> bytes:
    """The file, if it is the one that was sealed. Raises DemoRefused."""
    if hashlib.sha256(content_).hexdigest() != sha256:
        raise DemoRefused("A released file is not the one that was sealed.")
    return content_


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Put a release where the last demo's was."""
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for name, content_ in files.items():
        (half / name).write_bytes(content_)
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)

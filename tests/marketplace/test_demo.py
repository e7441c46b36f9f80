"""The demo, whole and in small, on a stack of its own whose parts are killed under it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketplace import embedded
from marketplace.demo.running import MARK, DemoRefused, own_home
from marketplace.embedded import processes
from marketplace.embedded.supervisor import ROOT
from tests.environment import OUTSIDE

PATIENCE = 240
"""Seconds. What is waited for takes ten; a machine with other work on it may need many more."""

TASKS = 25
KEYS_OF_A_REPLAY = {
    "dataset", "policy", "seed", "tasks", "answers", "gold_answers", "expert_answers", "accuracy", "delivered_error",
    "certified_alpha", "cost_per_task", "labels_per_task", "contested", "ece", "seconds", "books_ok",
}  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="touchstone-demo-"))
    path.chmod(0o755)
    yield path
    embedded.postgres_at(path / "home").stop()
    shutil.rmtree(path)


class Running:
    """A demo in a process of its own, and what it has said so far."""

    def __init__(self, place: Path, *arguments: str) -> None:
        command = [sys.executable, "manage.py", "demo", "--home", str(place / "home"), *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=OUTSIDE | {"CI": "true"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.home = place / "home"
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)

    def heard(self, words: str) -> bool:
        """Has it said this?"""
        return any(words in line for line in tuple(self.said))

    def wait_for(self, words: str) -> None:
        self.wait_until(lambda: self.heard(words), words)

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        came = processes.wait_until(lambda: ready() or self.process.poll() is not None, PATIENCE)
        assert came, f"waited in vain for: {what}\n{self}"
        assert ready(), f"ended before: {what}\n{self}"

    def end(self) -> int:
        """Its exit status, once it has ended by itself."""
        status = self.process.wait(PATIENCE)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def __str__(self) -> str:
        return "".join(self.said)


def pids_of(home: Path, word: str) -> list[int]:
    """Live processes that run on this home, and whose command line has ``word``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if word.encode() in line and f"TOUCHSTONE_HOME={home}\0".encode() in environment:
            found.append(int(entry.name))
    return found


def kill(pids: list[int]) -> None:
    assert pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def released(report: dict[str, Any], slug: str) -> list[dict[str, Any]]:
    lines = (Path(report["release_path"]) / slug / "data.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.timeout(600)
def test_the_demo_survives_kill_9_of_web_database_and_worker_and_loses_nothing(place: Path) -> None:
    out = place / "report.json"
    demo = Running(place, "--tasks", str(TASKS), "--releases", str(place / "out"), "--out", str(out))
    try:
        demo.wait_for("answers · ")
        kill(pids_of(demo.home, "granian"))
        demo.wait_for("web ended with status -9")
        time.sleep(3)
        kill(processes.running_in(embedded.postgres_at(demo.home).data))
        demo.wait_for("PostgreSQL is gone")
        time.sleep(3)
        kill(pids_of(demo.home, "celery"))
        demo.wait_for("worker ended with status -9")
        status = demo.end()
    finally:
        demo.process.kill()

    assert status == 0, str(demo)
    report = json.loads(out.read_text())
    assert report["books_ok"] is True
    assert report["requests_lost"] > 0
    by_slug = {job["dataset"]: job for job in report["jobs"]}
    assert list(by_slug) == ["digits", "reviews", "notes"]
    for slug, job in by_slug.items():
        assert job.keys() >= KEYS_OF_A_REPLAY | {"name", "domain", "specialists_only", "release_path"}
        assert job["books_ok"] is True
        assert job["tasks"] == job["resolved"] + job["contested"] == TASKS
        rows = released(report, slug)
        assert len(rows) == TASKS
        assert sum(len(row["answers"]) for row in rows) == job["answers"]
        assert all(len({one["worker"] for one in row["answers"]}) == len(row["answers"]) for row in rows)
        assert {one["paid"] for row in rows for one in row["answers"]} == {job["price"]}
    # No answer was lost and none counted twice: a fixed overlap is met exactly.
    assert by_slug["digits"]["answers"] == by_slug["notes"]["answers"] == 3 * TASKS
    assert [slug for slug, job in by_slug.items() if job["specialists_only"]] == ["notes"]
    assert report["refused_not_qualified"] > 0
    assert len(report["workers"]) == 40
    assert sum(worker["kind"] == "spammer" for worker in report["workers"]) == 6
    assert demo.heard("Books and line proved")
    assert pids_of(demo.home, "") == []
    assert not embedded.postgres_at(demo.home).is_running()


@pytest.mark.timeout(300)
def test_ctrl_c_stops_everything_in_order(place: Path) -> None:
    demo = Running(place, "--releases", str(place / "out"))
    try:
        demo.wait_for("answers · ")
        demo.process.send_signal(signal.SIGINT)
        status = demo.end()
    finally:
        demo.process.kill()

    assert status == 130, str(demo)
    assert demo.heard("Stopped: web, worker, Valkey, PostgreSQL.")
    assert not demo.heard("Traceback")
    assert pids_of(demo.home, "") == []
    assert not embedded.postgres_at(demo.home).is_running()


class TestItsHome:
    def test_a_second_demo_at_once_is_refused(self, place: Path) -> None:
        with (
            own_home(place / "home", keep=False),
            pytest.raises(DemoRefused, match="Another demo runs"),
            own_home(place / "home", keep=False),
        ):
            pass

    def test_it_is_wiped_at_the_next_start_unless_kept(self, place: Path) -> None:
        home = place / "home"
        with own_home(home, keep=False):
            (home / "left").touch()

        with own_home(home, keep=True):
            assert (home / "left").exists()
        with own_home(home, keep=False):
            assert [file.name for file in home.iterdir()] == [MARK]

    def test_a_folder_that_no_demo_made_is_never_wiped(self, place: Path) -> None:
        home = place / "home"
        home.mkdir()
        (home / "thesis.txt").touch()

        with pytest.raises(DemoRefused, match="no demo made"), own_home(home, keep=False):
            pass

        assert (home / "thesis.txt").exists()


class TestTheCommand:
    def test_people_are_only_made_in_the_home_of_a_demo(self, db: None) -> None:
        with pytest.raises(CommandError, match="home that the demo has made"):
            call_command("demo", people=1)

    @pytest.mark.parametrize("wrong", [{"seed": -1}, {"tasks": 0}])
    def test_numbers_that_make_no_sense_are_refused(self, wrong: dict[str, int]) -> None:
        with pytest.raises(CommandError) as caught:
            call_command("demo", **wrong)

        assert caught.value.returncode == 2

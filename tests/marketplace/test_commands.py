"""The commands ``verify`` and ``release``."""

from __future__ import annotations

import hashlib
import json
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts import opaque
from accounts.ledger.proofs import PROOFS
from marketplace.management.commands import verify
from marketplace.management.commands.release import write_release
from tasks import judging, reviewing, settling
from tasks.models import Job, Release
from tasks.proofs import LINE_PROOFS
from tasks.releasing import seal_release
from tests import build


def a_paid_job() -> Job:
    """A job with two judged tasks, everybody paid."""
    job = build.a_live_job(slots=2, engine="majority")
    workers = [build.a_worker(), build.a_worker()]
    for task in build.some_tasks(job, 2):
        for worker in workers:
            build.an_answer(task, worker=worker)
    judging.judge_waiting()
    reviewing.accept_due()
    settling.settle_due()
    return job


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


class TestVerify:
    def test_it_says_of_every_proof_that_it_holds(self, committed_db: str, tmp_path: Path) -> None:
        a_paid_job()

        said = run("verify", "--json", tmp_path / "report.json")

        report = json.loads((tmp_path / "report.json").read_text())
        names = [proof.name for proof in (*PROOFS, *LINE_PROOFS)]
        assert [line for line in said.splitlines() if line.startswith("holds")] != []
        assert all(f"holds  {name} (" in said for name in names)
        assert said.splitlines()[-1].startswith(f"{len(names)} proofs hold")
        assert (report["ok"], report["first_broken"]) == (True, None)
        assert [(proof["name"], proof["holds"], proof["violations"]) for proof in report["proofs"]] == [
            (name, True, []) for name in names
        ]

    def test_it_exits_1_and_names_the_first_proof_that_does_not_hold(
        self, committed_db: str, tmp_path: Path, owner_connection: psycopg.Connection[Any]
    ) -> None:
        job = a_paid_job()
        owner_connection.execute("UPDATE tasks_task SET slots_needed = slots_needed + 1")
        out = StringIO()

        with pytest.raises(CommandError) as caught:
            call_command("verify", "--json", tmp_path / "report.json", stdout=out)

        assert caught.value.returncode == 1
        assert str(caught.value).startswith("line_slots_are_reserved: ")
        assert "BROKEN line_slots_are_reserved" in out.getvalue()
        assert f"id={job.pk}" in out.getvalue()
        report = json.loads((tmp_path / "report.json").read_text())
        assert (report["ok"], report["first_broken"]) == (False, "line_slots_are_reserved")
        broken = next(proof for proof in report["proofs"] if proof["name"] == "line_slots_are_reserved")
        assert broken["holds"] is False
        assert broken["violations"][0]["id"] == job.pk

    def test_all_proofs_see_one_moment(self, committed_db: str, app_connection: psycopg.Connection[Any]) -> None:
        a_paid_job()
        told: list[str] = []

        def meddle(proved: verify.Proved) -> None:
            if not told:
                app_connection.execute("UPDATE tasks_task SET slots_needed = slots_needed + 1")
            told.append(proved.proof.name)

        assert all(proved.finding is None for proved in verify.prove_all(meddle))
        assert any(proved.finding is not None for proved in verify.prove_all())

    def test_it_changes_nothing_and_refuses_an_older_snapshot(self, committed_db: str) -> None:
        verify.prove_all(lambda _: read_only())
        with transaction.atomic(), pytest.raises(RuntimeError):
            verify.prove_all()


def read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)


class TestRelease:
    def test_it_seals_and_writes_a_new_folder(self, committed_db: str, tmp_path: Path) -> None:
        job = a_paid_job()
        out = tmp_path / "release"

        said = run("release", str(job.pk), "--out", str(out))

        release = Release.objects.get(job=job)
        assert (release.state, release.created_by) == ("sealed", "command:release")
        assert said.splitlines()[0] == str(out)
        assert release.content_hash in said
        assert "2 tasks, 4 answers of 2 workers" in said
        assert {file.name for file in out.iterdir()} == {file.name for file in release.files.all()}
        for file in release.files.all():
            assert hashlib.sha256((out / file.name).read_bytes()).hexdigest() == file.sha256
        assert [path.name for path in tmp_path.iterdir()] == ["release"]

    def test_it_takes_the_public_id_and_gives_the_same_bytes(self, committed_db: str, tmp_path: Path) -> None:
        job = a_paid_job()
        run("release", opaque.encode("job", job.pk, settings.PUBLIC_ID_KEY), "--out", str(tmp_path / "a"))
        run("release", str(job.pk), "--out", str(tmp_path / "b"))
        for name in ("data.jsonl", "answers.csv", "tasks.csv", "guidelines.md", "schema.json"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    @pytest.mark.django_db
    def test_it_overwrites_nothing_and_seals_nothing_then(self, tmp_path: Path) -> None:
        job = a_paid_job()
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for name in ("folder", "file", "link", "no/such/parent"):
            with pytest.raises(CommandError):
                run("release", str(job.pk), "--out", str(tmp_path / name))
        assert (tmp_path / "file").read_text() == "mine"
        assert not Release.objects.exists()

    @pytest.mark.django_db
    def test_what_came_to_be_there_meanwhile_stays(self, tmp_path: Path) -> None:
        sealed = seal_release(a_paid_job(), actor="system")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("mine")
        with pytest.raises(CommandError, match="is sealed, but could not be written"):
            write_release(sealed, tmp_path / "out")
        assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]

    @pytest.mark.django_db
    def test_a_job_that_is_none_or_has_nothing_judged_is_named(self, tmp_path: Path) -> None:
        for text in ("99999", "job_nonsense", "9" * 30, "-1", ""):
            with pytest.raises(CommandError, match="There is no job"):
                run("release", "--out", str(tmp_path / "out"), "--", text)
        with pytest.raises(CommandError, match="No task of this job has been judged"):
            run("release", str(build.a_live_job().pk), "--out", str(tmp_path / "out"))
        assert not list(tmp_path.iterdir())

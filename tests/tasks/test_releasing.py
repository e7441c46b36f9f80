"""Sealing a release: what is in it, what is not, and that the same line gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import threading
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts import opaque
from accounts.queries import pseudonym_of
from qualification.inference.agreement import mean_pairwise_agreement
from tasks import importing, judging, publishing, releasing, reviewing, settling
from tasks.formats.release import read_release, write_answers_csv, write_csv, write_jsonl
from tasks.models import AnswerFlag, Assignment, Job, Release, ReleaseFile, Task
from tests import build
from tests.build import CAT, DOG
from tests.races import at_once

LATER = datetime(2035, 1, 1, tzinfo=UTC)


def a_worked_job(labels: str = "ccd ddd", **job: Any) -> tuple[Job, list[Task]]:
    """A job with a judged and paid task for each word: one answer a letter, cat or dog."""
    words = labels.split()
    live = build.a_live_job(slots=len(words[0]), engine="majority", **job)
    tasks = build.some_tasks(live, len(words))
    workers = [build.a_worker() for _ in words[0]]
    for task, word in zip(tasks, words, strict=True):
        for worker, letter in zip(workers, word, strict=True):
            build.an_answer(task, DOG if letter == "d" else CAT, worker=worker)
    run_line()
    return live, list(Task.objects.filter(job=live).order_by("pk"))


def run_line() -> None:
    judging.judge_waiting()
    reviewing.accept_due()
    settling.settle_due()


def content(release: Release, name: str) -> bytes:
    return b"".join(releasing.read_file(ReleaseFile.objects.defer("content").get(release=release, name=name)))


def public(task: Task) -> str:
    return opaque.encode("tsk", task.pk, settings.PUBLIC_ID_KEY)


@pytest.mark.django_db
class TestWhatIsInIt:
    def test_each_judged_task_stands_in_it_with_every_answer(self) -> None:
        job, tasks = a_worked_job()

        release = releasing.seal_release(job, actor="user:1", at=LATER)

        rows = {row.task: row for row in read_release(content(release, "data.jsonl"))}
        one = rows[public(tasks[0])]
        assert set(rows) == {public(task) for task in tasks}
        assert (one.state, one.reason, one.label, one.external_ref) == ("resolved", "", CAT, tasks[0].external_ref)
        assert one.payload == tasks[0].payload.content
        assert one.distribution is not None
        assert one.confidence == one.distribution["cat"] > one.distribution["dog"]
        assert sorted(json.dumps(answer.label) for answer in one.answers) == [json.dumps(CAT)] * 2 + [json.dumps(DOG)]
        answer = one.answers[0]
        assert (answer.purpose, answer.state, answer.paid) == ("label", "settled", "0.05")
        assert (answer.schema_version, answer.guidelines_version) == (1, 1)
        assert (release.number, release.state, release.created_by) == (1, "sealed", "user:1")
        assert (release.tasks_count, release.sealed_at) == (2, LATER)

    def test_workers_stand_under_the_organisations_pseudonyms(self) -> None:
        job, tasks = a_worked_job("cc")
        release = releasing.seal_release(job, actor="system")
        [row] = read_release(content(release, "data.jsonl"))
        ids = Assignment.objects.filter(task=tasks[0]).values_list("worker_id", flat=True)
        assert {answer.worker for answer in row.answers} == {pseudonym_of(job.organisation, pk) for pk in ids}

    def test_a_flagged_answer_says_so_and_nothing_else_moves_by_a_byte(self) -> None:
        job, tasks = a_worked_job("ccd ddd")
        before = releasing.seal_release(job, actor="system")
        doubted = Assignment.objects.filter(task=tasks[0]).earliest("pk")
        cleared = Assignment.objects.filter(task=tasks[1]).earliest("pk")
        doubt = {"job": job, "kind": "credential_revoked", "flagged_at": doubted.leased_at, "note": "Forged."}
        AnswerFlag.objects.create(assignment=doubted, **doubt)
        AnswerFlag.objects.create(assignment=cleared, **doubt, cleared_at=doubted.leased_at)

        after = releasing.seal_release(job, actor="system")

        data = content(after, "data.jsonl")
        flagged = {row.task: [one.flags for one in row.answers if one.flags] for row in read_release(data)}
        assert flagged == {public(tasks[0]): [("credential_revoked",)], public(tasks[1]): []}
        assert after.manifest is not None
        assert before.manifest is not None
        assert after.manifest["counts"] == before.manifest["counts"] | {"flags": {"credential_revoked": 1}}
        assert b"Forged" not in data
        assert data.replace(b'"flags":["credential_revoked"],', b"") == content(before, "data.jsonl")
        for name in ("answers.csv", "tasks.csv"):
            assert content(after, name) == content(before, name)

    def test_hidden_gold_is_left_out_and_so_is_what_is_not_judged(self) -> None:
        job, tasks = a_worked_job()
        gold = build.a_gold_set(items=2)
        importing.add_gold_tasks(job, gold, exposure_max=2)
        build.an_answer(Task.objects.filter(job=job, gold_item__isnull=False)[0])
        open_tasks = build.some_tasks(job, 3)
        build.an_answer(open_tasks[0])

        release = releasing.seal_release(job, actor="system")

        everything = b"".join(content(release, file.name) for file in release.files.defer("content"))
        assert {row.task for row in read_release(content(release, "data.jsonl"))} == {public(task) for task in tasks}
        assert release.manifest is not None
        assert release.manifest["not_released"] == {"open": 3}
        assert release.manifest["counts"]["tasks"] == release.tasks_count == 2
        assert not any(item.payload["text"].encode() in everything for item in gold.items.all())

    def test_a_contested_task_is_released_with_its_distribution_and_without_a_label(self) -> None:
        job = build.a_live_job(policy="confidence:0.95:2:2", engine="majority")
        [task] = build.some_tasks(job, 1)
        for label in (CAT, DOG):
            build.an_answer(task, label)
        run_line()

        [row] = read_release(content(releasing.seal_release(job, actor="system"), "data.jsonl"))

        assert (row.state, row.label, row.distribution) == ("contested", None, {"cat": 0.5, "dog": 0.5})
        assert row.reason

    def test_an_answer_that_was_set_aside_says_so_though_it_was_paid(self) -> None:
        job, tasks = a_worked_job("ccd")
        held = Assignment.objects.filter(task=tasks[0]).latest("pk")
        Assignment.objects.filter(pk=held.pk).update(used=False)
        [row] = read_release(content(releasing.seal_release(job, actor="system"), "data.jsonl"))
        assert sorted((answer.state, answer.paid) for answer in row.answers) == [
            ("set_aside", "0.05"),
            ("settled", "0.05"),
            ("settled", "0.05"),
        ]

    def test_an_answer_that_is_not_paid_yet_says_nothing_of_money(self) -> None:
        job = build.a_live_job(slots=1, review_window_seconds=3600)
        [task] = build.some_tasks(job, 1)
        build.an_answer(task)
        run_line()
        [row] = read_release(content(releasing.seal_release(job, actor="system"), "data.jsonl"))
        assert [(answer.state, answer.paid) for answer in row.answers] == [("submitted", "")]

    def test_each_answer_names_the_versions_it_was_given_under(self) -> None:
        job = build.a_live_job(slots=2, engine="majority")
        [old] = build.some_tasks(job, 1)
        build.an_answer(old)
        publishing.revise_job(job, publishing.Revision(guidelines="Look twice."))
        build.an_answer(old)
        run_line()
        grown = build.CLASSES | {"classes": [*build.CLASSES["classes"], {"name": "fox", "title": "Fox"}]}
        publishing.revise_job(job, publishing.Revision(label_definition=grown))
        [new] = build.some_tasks(job, 1)
        for _ in range(2):
            build.an_answer(new)
        run_line()
        job.refresh_from_db()

        release = releasing.seal_release(job, actor="system")

        rows = {row.task: row for row in read_release(content(release, "data.jsonl"))}
        versions = {
            name: sorted((answer.schema_version, answer.guidelines_version) for answer in row.answers)
            for name, row in rows.items()
        }
        assert versions == {public(old): [(1, 1), (1, 2)], public(new): [(2, 2), (2, 2)]}
        assert [set(row.distribution or {}) for row in rows.values()] == [{"cat", "dog", "fox"}] * 2
        text = content(release, "guidelines.md").decode()
        assert text == "# Guidelines, version 1\n\nLook closely.\n\n# Guidelines, version 2\n\nLook twice.\n"
        schemas = json.loads(content(release, "schema.json"))["versions"]
        assert [(one["version"], one["kind"], one["definition"]) for one in schemas] == [
            (1, "categorical", build.CLASSES),
            (2, "categorical", grown),
        ]

    def test_the_manifest_tells_counts_agreement_and_hashes(self) -> None:
        job, _ = a_worked_job("ccd ddd cdd")

        release = releasing.seal_release(job, actor="system", at=LATER)

        about = json.loads(content(release, "manifest.json"))
        assert about == release.manifest
        assert about["counts"] == {
            "tasks": 3,
            "states": {"resolved": 3},
            "labels": {"cat": 1, "dog": 2},
            "answers": 9,
            "purposes": {"label": 9},
            "workers": 3,
        }
        assert about["agreement"]["mean_pairwise"] == round(mean_pairwise_agreement([[2, 1], [0, 3], [1, 2]]) or 0, 6)
        assert (about["name"], about["version"], about["classes"]) == (job.name, 1, ["cat", "dog"])
        assert about["job"] == opaque.encode("job", job.pk, settings.PUBLIC_ID_KEY)
        assert about["created_at"] == "2035-01-01T00:00:00.000000Z"
        assert set(about["files"]) == {"data.jsonl", "answers.csv", "tasks.csv", "guidelines.md", "schema.json"}
        for file in release.files.all():
            assert file.sha256 == hashlib.sha256(bytes(file.content)).hexdigest()
            assert file.name == "manifest.json" or about["files"][file.name] == {
                "sha256": file.sha256,
                "size": file.size,
            }
        listing = "".join(f"{about['files'][name]['sha256']}  {name}\n" for name in sorted(about["files"]))
        assert release.content_hash == about["content_hash"] == hashlib.sha256(listing.encode()).hexdigest()

    def test_the_version_in_the_manifest_is_the_projects(self) -> None:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        assert project["version"] == releasing.GENERATOR_VERSION


@pytest.mark.django_db
class TestSameBytes:
    def test_sealing_an_unchanged_job_again_gives_the_same_hash_under_the_next_number(self) -> None:
        job, _ = a_worked_job("ccd ddd cdd dcd")
        first = releasing.seal_release(job, actor="user:1", at=LATER)
        second = releasing.seal_release(job, actor="user:2", at=LATER + timedelta(days=1))
        assert (first.number, second.number) == (1, 2)
        assert first.content_hash == second.content_hash
        for name in ("data.jsonl", "answers.csv", "tasks.csv", "guidelines.md", "schema.json"):
            assert content(first, name) == content(second, name)

    def test_another_answer_gives_another_hash(self) -> None:
        job, _ = a_worked_job()
        first = releasing.seal_release(job, actor="system")
        [task] = build.some_tasks(job, 1)
        for _ in range(3):
            build.an_answer(task)
        run_line()
        assert releasing.seal_release(job, actor="system").content_hash != first.content_hash

    @pytest.mark.parametrize("block", [1, 700, 1 << 20])
    def test_written_task_by_task_the_files_are_what_the_writers_make_of_all_rows(
        self, block: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job, _ = a_worked_job("cd dd cc dc cd dd cc")
        monkeypatch.setattr(releasing, "TASKS_AT_A_TIME", 3)
        monkeypatch.setattr(releasing, "BLOCK", block)

        release = releasing.seal_release(job, actor="system")

        rows = read_release(content(release, "data.jsonl"))
        assert len(rows) == 7
        assert content(release, "data.jsonl") == write_jsonl(rows)
        assert content(release, "answers.csv") == write_answers_csv(rows)
        assert content(release, "tasks.csv") == write_csv(rows)


@pytest.mark.django_db
class TestGuards:
    def test_without_a_judged_task_there_is_nothing_to_release(self) -> None:
        job = build.a_live_job()
        build.some_tasks(job, 2)
        for one in (job, build.a_draft_job()):
            with pytest.raises(releasing.NothingToRelease):
                releasing.seal_release(one, actor="system")
        assert not Release.objects.exists()

    def test_a_file_beyond_what_the_database_keeps_is_refused_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        job, _ = a_worked_job()
        monkeypatch.setattr(releasing, "FILE_BYTES_MAX", 100)
        with pytest.raises(releasing.ReleaseTooLarge):
            releasing.seal_release(job, actor="system")
        assert not Release.objects.exists()
        assert not ReleaseFile.objects.exists()

    def test_a_sealed_release_never_changes(self) -> None:
        job, _ = a_worked_job()
        release = releasing.seal_release(job, actor="system")
        changes: dict[str, Callable[[], Any]] = {
            "release_is_sealed": lambda: Release.objects.filter(pk=release.pk).update(content_hash="0" * 64),
            "releasefile_is_append_only": lambda: ReleaseFile.objects.filter(release=release).update(content=b""),
            "tasks_release_is_never_removed": lambda: connection.cursor().execute("DELETE FROM tasks_release"),
        }
        for name, change in changes.items():
            with pytest.raises(IntegrityError) as caught, transaction.atomic():
                change()
            cause = caught.value.__cause__
            assert isinstance(cause, psycopg.Error)
            assert cause.diag.constraint_name == name

    def test_a_release_is_sealed_whole_or_not_at_all(self) -> None:
        job, _ = a_worked_job()
        release = Release.objects.create(job=job, number=1)
        with pytest.raises(IntegrityError, match="a_sealed_release_is_whole"), transaction.atomic():
            Release.objects.filter(pk=release.pk).update(state="sealed")
        with pytest.raises(IntegrityError, match="one_release_a_number"), transaction.atomic():
            Release.objects.create(job=job, number=1)
        with (
            pytest.raises(IntegrityError, match=r"release_state_is_known|a_sealed_release_is_whole"),
            transaction.atomic(),
        ):
            Release.objects.create(job=job, number=2, state="lost")

    def test_a_file_has_one_name_and_its_size(self) -> None:
        job, _ = a_worked_job()
        release = releasing.seal_release(job, actor="system")
        row: dict[str, Any] = {"release": release, "media_type": "text/plain", "sha256": "0" * 64, "content": b"four"}
        with pytest.raises(IntegrityError, match="one_release_file_a_name"), transaction.atomic():
            ReleaseFile.objects.create(name="data.jsonl", size=4, **row)
        with pytest.raises(IntegrityError, match="a_release_file_has_its_size"), transaction.atomic():
            ReleaseFile.objects.create(name="more.txt", size=5, **row)


def test_releases_sealed_at_once_get_different_numbers_and_the_same_hash(committed_db: str) -> None:
    job, _ = a_worked_job()
    done = at_once([lambda: releasing.seal_release(job, actor="system")] * 4)
    releases = [one for one in done if isinstance(one, Release)]
    assert sorted(one.number for one in releases) == [1, 2, 3, 4]
    assert len({one.content_hash for one in releases}) == 1


def test_a_release_is_one_view_whatever_happens_meanwhile(
    committed_db: str, app_connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = a_worked_job("cd dd cc dc cd dd cc")
    before = releasing.seal_release(job, actor="system").content_hash
    monkeypatch.setattr(releasing, "TASKS_AT_A_TIME", 1)
    changed = threading.Event()

    def change(rows: Any) -> bytes:
        if rows and not changed.is_set():
            changed.set()
            app_connection.execute('UPDATE tasks_consensus SET label = \'{"class": "dog"}\', confidence = 1')
            app_connection.execute("UPDATE tasks_task SET stratum = 'moved'")
        return write_jsonl(rows)

    first, *others = releasing._BY_TASK
    monkeypatch.setattr(releasing, "_BY_TASK", (first._replace(write=change), *others))

    assert releasing.seal_release(job, actor="system").content_hash == before
    assert releasing.seal_release(job, actor="system").content_hash != before


@pytest.fixture
def many_tasks(committed_db: str) -> tuple[Job, int]:
    """A job of 4,000 judged tasks with five answers each, written straight into the tables."""
    job = build.a_live_job(slots=5, budget_micros=100_000 * build.UNIT)
    importing.add_tasks(job, build.task_rows(4_000))
    workers = [build.a_worker().pk for _ in range(40)]
    with connection.cursor() as cursor:
        cursor.execute(JUDGED_TASKS, {"job": job.pk, "workers": workers})
    return job, 4_000


JUDGED_TASKS = """
WITH answered AS (
  INSERT INTO tasks_assignment (job_id, task_id, worker_id, person_id, round, purpose, state, price_micros, fee_micros,
                                schema_id, guidelines_id, eligibility_id, leased_at, lease_ends_at, submitted_at, reason)
  SELECT t.job_id, t.id, w, w, 0, 'label', 'settled', t.price_micros, t.fee_micros, j.schema_id, j.guidelines_id,
         j.eligibility_id, now(), now() + interval '1 hour', now(), ''
    FROM tasks_task t JOIN tasks_job j ON j.id = t.job_id
    CROSS JOIN LATERAL (SELECT (%(workers)s::bigint[])[1 + (t.id * 7 + n * 8) %% 40] AS w FROM generate_series(0, 4) n) x
   WHERE t.job_id = %(job)s
  RETURNING *),
said AS (
  INSERT INTO tasks_answer (assignment_id, job_id, task_id, worker_id, round, label, class_index, schema_id, guidelines_id,
                            submitted_at)
  SELECT id, job_id, task_id, worker_id, 0, CASE WHEN id %% 3 = 0 THEN '{"class": "dog"}' ELSE '{"class": "cat"}' END::jsonb,
         CASE WHEN id %% 3 = 0 THEN 1 ELSE 0 END, schema_id, guidelines_id, submitted_at FROM answered),
believed AS (
  INSERT INTO tasks_consensus (task_id, job_id, state, engine, posterior, label, class_index, confidence, calibrated, answers,
                               updated_at)
  SELECT id, job_id, 'final', 'dawid_skene', '{0.75,0.25}', '{"class": "cat"}', 0, 0.75, false, 5, now()
    FROM tasks_task WHERE job_id = %(job)s)
UPDATE tasks_task SET state = 'resolved', judged_at = now(), answer_count = 5 WHERE job_id = %(job)s"""


def test_a_large_job_is_written_in_blocks(many_tasks: tuple[Job, int]) -> None:
    job, count = many_tasks
    release = releasing.seal_release(job, actor="system")
    rows = read_release(content(release, "data.jsonl"))
    assert len(rows) == release.tasks_count == count
    assert write_jsonl(rows) == content(release, "data.jsonl")
    assert release.manifest is not None
    assert release.manifest["counts"]["answers"] == 5 * count

"""Adding tasks: a whole batch or nothing, named faults, money behind every slot."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.refusals import Refusal
from tasks import closing, importing, publishing
from tasks.formats.csv import read_csv
from tasks.formats.jsonl import read_jsonl
from tasks.formats.rows import TaskRow, parse_row
from tasks.models import Batch, Bucket, Job, Payload, RouteEpoch, Task
from tests import build
from tests.build import UNIT

PRICE, FEE = UNIT // 20, UNIT // 100


def rows_of(lines: Iterable[bytes], reader: Any = read_jsonl, **options: Any) -> Iterator[Any]:
    return importing.task_rows(reader(lines, **options), currency="USD")


def jsonl(*records: Any) -> list[bytes]:
    return [json.dumps(record).encode() + b"\n" for record in records]


def many(count: int) -> Iterator[TaskRow]:
    for place in range(1, count + 1):
        yield parse_row(place, {"text": f"Item number {place}", "external_ref": f"r{place}"})


def refused(job: Job, rows: Iterable[Any], **options: Any) -> tuple[Refusal, Batch]:
    """The refusal of an import, having checked that it left a refused batch and nothing else."""
    before = counts(job)
    with pytest.raises(Refusal) as caught:
        importing.add_tasks(job, rows, **options)
    batch = Batch.objects.filter(job=job).latest("number")
    assert batch.state == "refused"
    assert batch.finished_at is not None
    assert counts(job) == before
    return caught.value, batch


def counts(job: Job) -> tuple[int, int, int]:
    job.refresh_from_db()
    return Task.objects.filter(job=job).count(), Payload.objects.filter(job=job).count(), job.reserved_micros


@pytest.mark.django_db
class TestAddTasks:
    def test_each_row_becomes_a_task_with_the_plans_first_slots(self) -> None:
        job = build.a_live_job(slots=2, difficulty=3)

        batch = importing.add_tasks(job, rows_of(jsonl({"text": "one"}, {"text": "tw\to\\", "stratum": "b"})))

        one, two = Task.objects.filter(job=job).order_by("pk")
        assert (batch.state, batch.number, batch.rows_read, batch.tasks_added) == ("ready", 1, 2, 2)
        assert batch.finished_at is not None
        assert [one.payload.content, two.payload.content] == [{"text": "one"}, {"text": "tw\to\\"}]
        assert (one.slots_needed, one.price_micros, one.fee_micros) == (2, PRICE, FEE)
        assert (one.state, one.waiting_for, one.is_open, one.batch_id) == ("open", "crowd", True, batch.pk)
        assert (one.bucket.difficulty, one.bucket.gold, one.bucket.domain_id) == (3, False, job.domain_id)
        assert two.stratum == "b"

    def test_the_money_for_every_slot_is_reserved(self) -> None:
        job = build.a_live_job(slots=3)

        importing.add_tasks(job, rows_of(jsonl({"text": "one"}, {"text": "two", "price": "0.50"})))

        job.refresh_from_db()
        assert job.reserved_micros == 3 * (PRICE + FEE) + 3 * (UNIT // 2 + UNIT // 10)
        assert list(Task.objects.filter(job=job).order_by("pk").values_list("price_micros", "fee_micros")) == [
            (PRICE, FEE),
            (UNIT // 2, UNIT // 10),
        ]

    def test_what_a_row_says_of_itself_is_kept(self) -> None:
        job = build.a_live_job()
        deadline = datetime(2031, 1, 1, tzinfo=UTC)
        record = {"text": "x", "external_ref": "a\tb\\N\n", "difficulty": 5, "expires_at": "2030-01-31T12:00:00+01:00"}

        importing.add_tasks(job, rows_of(jsonl(record, {"text": "y"})), priority=7, deadline=deadline, name="first")

        task, plain = Task.objects.filter(job=job).order_by("pk")
        assert task.external_ref == "a\tb\\N"
        assert task.expires_at == datetime(2030, 1, 31, 11, tzinfo=UTC)
        assert (task.bucket.difficulty, task.bucket.priority) == (5, 7)
        assert (plain.external_ref, plain.expires_at, plain.bucket.difficulty) == (None, deadline, job.difficulty)
        assert (task.batch.name, task.batch.deadline) == ("first", deadline)

    def test_payloads_are_stored_as_they_came(self) -> None:
        job = build.a_live_job()
        payload = {"text": 'a "quote", a \\ and a \n line', "é": ["ü", 1.5, None, {"deep": True}], "n": 2**63 - 1}

        importing.add_tasks(job, rows_of(jsonl({"payload": payload})))

        assert Payload.objects.get(job=job).content == payload

    def test_the_queue_order_is_random_and_repeats_with_its_seed(self) -> None:
        keys = []
        for seed in (5, 5, 6, None):
            job = build.a_live_job()
            importing.add_tasks(job, many(50), rng_seed=seed)
            keys.append(list(Task.objects.filter(job=job).order_by("pk").values_list("queue_key", flat=True)))
        assert keys[0] == keys[1]
        assert len({tuple(some) for some in keys}) == 3
        assert keys[0] != sorted(keys[0])
        assert all(0 <= key < 2**31 - 1 for some in keys for key in some)

    def test_batches_of_a_job_are_numbered_and_share_their_buckets(self) -> None:
        job = build.a_live_job()
        first = importing.add_tasks(job, build.task_rows(3))
        second = importing.add_tasks(job, build.task_rows(3, difficulty=4))
        third = importing.add_tasks(job, build.task_rows(3))
        assert [first.number, second.number, third.number] == [1, 2, 3]
        assert Bucket.objects.filter(job=job).count() == 2

    def test_routes_are_looked_at_again_for_new_and_for_dry_buckets_only(self) -> None:
        job = build.a_live_job()
        seen = [RouteEpoch.objects.get().epoch]

        def add(**row: Any) -> None:
            importing.add_tasks(job, build.task_rows(1, **row))
            seen.append(RouteEpoch.objects.get().epoch)

        add()
        add()
        Task.objects.filter(job=job).update(leased_count=F("slots_needed"))
        add()
        add(difficulty=5)

        assert [after - before for before, after in itertools.pairwise(seen)] == [1, 0, 1, 1]

    def test_a_paused_job_takes_tasks_and_a_draft_or_closed_one_does_not(self) -> None:
        job = build.a_live_job()
        publishing.pause_job(job)
        importing.add_tasks(job, build.task_rows(1))
        closing.close_job(job, actor="system")
        for other in (job, build.a_draft_job()):
            with pytest.raises(importing.JobNotInState):
                importing.add_tasks(other, build.task_rows(1))
        assert Batch.objects.count() == 1

    def test_also_joins_the_transaction_of_the_tasks(self) -> None:
        job = build.a_live_job()
        seen: list[Any] = []
        importing.add_tasks(job, build.task_rows(2), also=lambda batch: seen.append((batch.state, batch.tasks_added)))
        assert seen == [("ready", 2)]

        def fail(batch: Batch) -> None:
            raise RuntimeError("the door broke")

        before = counts(job)
        with pytest.raises(RuntimeError):
            importing.add_tasks(job, build.task_rows(2), also=fail)
        assert counts(job) == before
        assert Batch.objects.get(job=job, number=2).state == "refused"


@pytest.mark.django_db
class TestRefusals:
    def test_every_wrong_row_is_named_and_nothing_is_added(self) -> None:
        job = build.a_live_job()
        records = [{"text": "fine"}, {"text": "x", "difficulty": 9}, {"external_ref": "1"}, {"text": "y", "price": 1.5}]

        refusal, batch = refused(job, rows_of(jsonl(*records)))

        assert isinstance(refusal, importing.ImportRefused)
        assert [fault.pointer for fault in refusal.faults] == ["/row/2", "/row/3", "/row/4"]
        assert "difficulty" in refusal.faults[0].detail
        assert refusal.facts["faults_total"] == 3
        assert batch.rows_read == 4
        assert [fault["pointer"] for fault in batch.faults] == ["/row/2", "/row/3", "/row/4"]

    def test_the_first_hundred_faults_are_kept_and_all_are_counted(self) -> None:
        job = build.a_live_job()
        refusal, batch = refused(job, rows_of(jsonl(*({"text": "x", "difficulty": 0} for _ in range(130)))))
        assert (len(refusal.faults), refusal.facts["faults_total"]) == (100, 130)
        assert (len(batch.faults), batch.faults[-1]["detail"]) == (101, "130 faults in all; the first 100 are listed")

    def test_a_payload_or_reference_twice_in_the_file_is_refused(self) -> None:
        job = build.a_live_job()
        records = [
            {"text": "a", "external_ref": "1"},
            {"text": "b", "external_ref": "1"},
            {"text": "a", "external_ref": "2"},
            {"text": "c"},
            {"text": "d"},
        ]
        refusal, _ = refused(job, rows_of(jsonl(*records)))
        assert [(fault.pointer, fault.detail) for fault in refusal.faults] == [
            ("/row/2", "has the same external_ref as row 1"),
            ("/row/3", "has the same payload as row 1"),
        ]

    def test_a_payload_or_reference_that_the_job_has_is_refused_and_another_job_does_not_matter(self) -> None:
        job, other = build.a_live_job(), build.a_live_job()
        importing.add_tasks(job, rows_of(jsonl({"text": "a", "external_ref": "1"}, {"text": "b"})))

        refusal, _ = refused(job, rows_of(jsonl({"text": "new", "external_ref": "1"}, {"text": "b"})))

        assert [(fault.pointer, fault.detail) for fault in refusal.faults] == [
            ("/row/1", "has the same external_ref as a task of this job"),
            ("/row/2", "has the same payload as a task of this job"),
        ]
        importing.add_tasks(other, rows_of(jsonl({"text": "a", "external_ref": "1"}, {"text": "b"})))

    def test_the_database_itself_refuses_a_payload_or_reference_twice(self) -> None:
        job = build.a_live_job()
        task = build.some_tasks(job, 2)[0]
        with pytest.raises(IntegrityError, match="one_task_an_external_ref"), transaction.atomic():
            Task.objects.filter(job=job).update(external_ref="same")
        with pytest.raises(IntegrityError, match="one_task_a_payload"), transaction.atomic():
            Payload.objects.create(task_id=task.pk + 10, job=job, content={}, content_hash=task.payload.content_hash)

    def test_without_enough_free_budget_nothing_changes(self) -> None:
        job = build.a_live_job(budget_micros=6 * (PRICE + FEE))
        importing.add_tasks(job, build.task_rows(1))

        refusal, batch = refused(job, build.task_rows(2))

        assert isinstance(refusal, importing.NotEnoughBudget)
        assert (refusal.facts["needed_micros"], refusal.facts["free_micros"]) == (6 * (PRICE + FEE), 3 * (PRICE + FEE))
        assert "0.36 USD" in refusal.detail
        assert "0.18 USD" in refusal.detail
        assert batch.faults == [{"pointer": "", "detail": refusal.detail}]
        importing.add_tasks(job, build.task_rows(1))

    def test_a_price_beyond_all_money_is_a_refusal_too(self) -> None:
        record = {"text": "x", "price": "9000000000000"}
        refusal, _ = refused(build.a_live_job(), rows_of(jsonl(record, record | {"text": "y"})))
        assert isinstance(refusal, importing.NotEnoughBudget)

    def test_a_known_answer_belongs_into_a_gold_set(self) -> None:
        refusal, _ = refused(build.a_live_job(), rows_of(jsonl({"text": "x", "gold": "cat"})))
        assert "gold set" in refusal.faults[0].detail

    def test_a_file_without_rows_is_refused(self) -> None:
        job = build.a_live_job()
        files: list[Iterable[Any]] = [[], rows_of([b""]), rows_of([b"\n\n"]), rows_of([b"text,price\n"], read_csv)]
        for rows in files:
            refusal, _ = refused(job, rows)
            assert refusal.detail == "There are no rows."

    @pytest.mark.parametrize(
        ("reader", "content", "row", "says"),
        [
            (read_csv, b"text\nfine\n\xff\xfe\n", 3, "UTF-8"),
            (read_csv, b"text\nfine\nt\0o\n", 3, "NUL"),
            (read_csv, b"title\nfine\n", 1, "missing"),
            (read_csv, b"text\nfine\ntwo,cells\n", 3, "cells"),
            (read_csv, ",".join(f"c{n}" for n in range(10_000)).encode() + b"\n", 1, "10000 columns"),
            (read_csv, gzip.compress(b"text\n" + b"row\n" * 10)[:-9], None, "too early"),
            (read_csv, b"PK\x03\x04 and so on", 1, "ZIP"),
            (read_csv, b'text\nfine\n"open\n', None, "quotes"),
            (read_jsonl, b'{"text": "fine"}\n{"text": \n', 2, "not JSON"),
            (read_jsonl, b'{"text": "fine"}\n["text"]\n', 2, "not an object"),
            (read_jsonl, b'{"text": "fine"}\n{"text": "\\ud800"}\n', 2, "surrogate"),
            (read_jsonl, b'{"text": "fine"}\n{"text": "\\u0000"}\n', 2, "NUL"),
            (read_jsonl, b'{"text": "fine"}\n{"text": ' + b"[" * 10_000 + b"]" * 10_000 + b"}\n", 2, "nested"),
            (read_jsonl, b'{"text": "fine"}\n{"text": 1e999}\n', 2, "too large"),
            (read_jsonl, b'{"text": "fine"}\n{"text": "a", "text": "b"}\n', 2, "twice"),
        ],
    )
    def test_a_hostile_file_is_refused_with_its_row(
        self, reader: Any, content: bytes, row: int | None, says: str
    ) -> None:
        job = build.a_live_job()
        rows = rows_of([content], reader, required=["text"])

        refusal, batch = refused(job, rows)

        assert len(refusal.faults) == 1
        where = refusal.faults[0].pointer
        assert where == f"/row/{row}" if row else where.startswith("/row/")
        assert says in refusal.faults[0].detail
        assert batch.faults == [{"pointer": refusal.faults[0].pointer, "detail": refusal.faults[0].detail}]

    def test_whatever_else_goes_wrong_refuses_the_batch_and_is_not_hidden(self) -> None:
        def broken() -> Iterator[TaskRow]:
            yield from many(3)
            raise ConnectionResetError("the client went away")

        job = build.a_live_job()
        with pytest.raises(ConnectionResetError):
            importing.add_tasks(job, broken())
        assert Batch.objects.get(job=job).faults == [{"pointer": "", "detail": "the import was broken off"}]
        assert counts(job) == (0, 0, 0)

    @pytest.mark.parametrize(
        ("options", "pointer"),
        [
            ({"priority": 10}, "/priority"),
            ({"priority": -1}, "/priority"),
            ({"name": "x" * 121}, "/name"),
            ({"name": "\0"}, "/name"),
        ],
    )
    def test_a_batch_that_cannot_be_named_or_ranked_is_not_opened(self, options: Any, pointer: str) -> None:
        job = build.a_live_job()
        with pytest.raises(importing.ImportRefused) as caught:
            importing.add_tasks(job, build.task_rows(1), **options)
        assert [fault.pointer for fault in caught.value.faults] == [pointer]
        assert not Batch.objects.exists()

    def test_too_many_rows_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importing, "ROWS_MAX", 3)
        refusal, _ = refused(build.a_live_job(), many(4))
        assert "at most 3 rows" in refusal.detail


@pytest.mark.django_db
class TestStaleImports:
    def test_an_import_that_died_is_refused_by_the_sweep_once(self) -> None:
        job = build.a_live_job()
        at = datetime(2030, 1, 1, tzinfo=UTC)
        dead = Batch.objects.create(job=job, number=1, created_at=at - timedelta(hours=2))
        alive = Batch.objects.create(job=job, number=2, created_at=at - timedelta(minutes=5))
        assert importing.abandon_stale_imports(at=at) == 1
        assert importing.abandon_stale_imports(at=at) == 0
        dead.refresh_from_db()
        alive.refresh_from_db()
        assert (dead.state, dead.finished_at, alive.state) == ("refused", at, "importing")
        assert dead.faults == [{"pointer": "", "detail": "the import was broken off"}]

    def test_the_next_import_refuses_it_too(self) -> None:
        job = build.a_live_job()
        dead = Batch.objects.create(job=job, number=1, created_at=datetime(2020, 1, 1, tzinfo=UTC))
        batch = importing.add_tasks(job, build.task_rows(1))
        dead.refresh_from_db()
        assert (dead.state, batch.number, batch.state) == ("refused", 2, "ready")

    @pytest.mark.parametrize("when", ["reading", "read"])
    def test_an_import_that_was_given_up_adds_nothing(self, when: str) -> None:
        job = build.a_live_job()

        def give_up(*_: Any) -> None:
            assert importing.abandon_stale_imports(older_than=timedelta(0)) == 1

        def slow() -> Iterator[TaskRow]:
            yield from many(3)
            give_up()

        options: dict[str, Any] = {"progress": give_up} if when == "read" else {}
        refusal, batch = refused(job, many(3) if when == "read" else slow(), **options)
        assert refusal.detail == "The import took too long and was given up."
        assert batch.faults == [{"pointer": "", "detail": "the import was broken off"}]

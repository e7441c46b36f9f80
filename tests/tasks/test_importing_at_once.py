"""Imports that others watch, that run beside others, and that are large."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from tasks import closing, importing, staging
from tasks.formats.rows import TaskRow
from tasks.models import Batch, Task
from tests import build
from tests.build import UNIT
from tests.races import at_once
from tests.tasks.test_importing import many, refused, rows_of

PRICE, FEE = UNIT // 20, UNIT // 100


def test_progress_and_tasks_are_seen_from_outside_as_they_become_true(
    committed_db: str, app_connection: psycopg.Connection[Any]
) -> None:
    job = build.a_live_job(budget_micros=10_000 * UNIT)
    look = "SELECT state, rows_read, (SELECT count(*) FROM tasks_task) FROM tasks_batch"
    seen: list[Any] = []

    importing.add_tasks(job, many(12_000), progress=lambda _: seen.append(app_connection.execute(look).fetchone()))

    assert seen == [("importing", 5_000, 0), ("importing", 10_000, 0), ("importing", 12_000, 0)]
    assert app_connection.execute(look).fetchone() == ("ready", 12_000, 12_000)


def test_a_slow_upload_holds_no_transaction_open(committed_db: str, owner_connection: psycopg.Connection[Any]) -> None:
    job = build.a_live_job()
    open_now = """SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"""
    seen: list[Any] = []

    def slow() -> Iterator[TaskRow]:
        for row in many(10):
            seen.append(owner_connection.execute(open_now).fetchone())
            yield row

    importing.add_tasks(job, slow())
    assert set(seen) == {(0,)}


def test_two_imports_at_once_into_one_job_share_its_budget_without_waiting_in_a_circle(committed_db: str) -> None:
    job = build.a_live_job(budget_micros=900 * (PRICE + FEE))
    rows = build.task_rows(400)

    def add(part: list[TaskRow]) -> Batch:
        return importing.add_tasks(job, part)

    done = at_once(
        [lambda: add(rows[:100]), lambda: add(rows[100:200]), lambda: add(rows[200:300]), lambda: add(rows[300:])]
    )

    job.refresh_from_db()
    assert sum(isinstance(one, Batch) for one in done) == 3
    assert sum(isinstance(one, importing.NotEnoughBudget) for one in done) == 1
    assert (Task.objects.filter(job=job).count(), job.reserved_micros) == (300, job.funded_micros)
    assert sorted(Batch.objects.filter(job=job).values_list("number", flat=True)) == [1, 2, 3, 4]


def test_of_two_imports_of_the_same_file_one_is_refused(committed_db: str) -> None:
    job = build.a_live_job()
    rows = build.task_rows(200)
    done = at_once([lambda: importing.add_tasks(job, rows), lambda: importing.add_tasks(job, rows[::-1])])
    assert sorted(type(one).__name__ for one in done) == ["Batch", "ImportRefused"]
    assert Task.objects.filter(job=job).count() == 200


def test_a_job_that_closes_while_its_tasks_are_written_gets_none_even_where_nothing_is_paid(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build.a_live_job(price_micros=0, budget_micros=0)
    genuine = staging.insert

    def close_first(cursor: CursorWrapper, terms: staging.Terms) -> bool:
        at_once([lambda: closing.close_job(job, actor="system")])
        return genuine(cursor, terms)

    monkeypatch.setattr(staging, "insert", close_first)
    refusal, _ = refused(job, build.task_rows(3))
    assert isinstance(refusal, importing.JobNotInState)


@pytest.mark.parametrize("again", range(4))
def test_an_import_and_a_closing_at_once_leave_no_open_slot_behind(committed_db: str, again: int) -> None:
    job = build.a_live_job()
    rows = build.task_rows(100 * again)

    at_once([lambda: importing.add_tasks(job, rows), lambda: closing.close_job(job, actor="system")])

    closing.release_rests()
    job.refresh_from_db()
    assert not Task.objects.filter(job=job, is_open=True).exists()
    assert (job.reserved_micros, job.funded_micros) == (0, 0)


def test_a_hundred_thousand_rows_go_in_as_a_stream(committed_db: str) -> None:
    job = build.a_live_job(budget_micros=1_000_000 * UNIT)
    lines = (
        json.dumps({"external_ref": f"r{n}", "text": f"Row {n} " + "x" * 100}).encode() + b"\n" for n in range(100_000)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    started = time.perf_counter()
    batch = importing.add_tasks(job, rows_of(lines))
    seconds = time.perf_counter() - started

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"\n{100_000 / seconds:,.0f} rows/s, {grown} MiB more")
    assert (batch.rows_read, batch.tasks_added) == (100_000, 100_000)
    assert grown < 100
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT queue_key), min(slots_needed) FROM tasks_task")
        assert cursor.fetchone()[0::2] == (100_000, 3)

"""Sweeps: what runs by itself, once at a time, with or without a broker."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from marketplace import sweeps
from marketplace.celery import app
from tasks.models import Assignment
from tests import build
from tests.databases import connect_as


def test_accepting_rings_for_settling_so_that_pay_does_not_wait(committed_db: str) -> None:
    [task] = build.some_tasks(build.a_live_job(slots=1), 1)
    answer = build.an_answer(task)

    sweeps.run("accept")

    assert Assignment.objects.get(pk=answer.pk).state == "settled"


def test_a_bell_that_nobody_carries_is_no_fault() -> None:
    ring = "import django; django.setup(); from marketplace import sweeps; sweeps.doorbell('settle'); print('rung')"
    dead = {"BROKER_URL": "redis://127.0.0.1:9/0", "DJANGO_SETTINGS_MODULE": "marketplace.settings"}

    rung = subprocess.run(
        [sys.executable, "-c", ring],
        env={**os.environ, **dead},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (rung.returncode, rung.stdout.strip()) == (0, "rung"), rung.stderr


def test_a_second_one_of_a_sweep_does_nothing_while_the_first_runs(committed_db: str) -> None:
    [task] = build.some_tasks(build.a_live_job(slots=1), 1)
    build.an_answer(task)

    with connect_as("app") as other:
        other.execute("SELECT pg_advisory_lock(7, hashtext('accept'))")
        meanwhile = sweeps.run("accept")
        other.execute("SELECT pg_advisory_unlock(7, hashtext('accept'))")
    afterwards = sweeps.run("accept")

    assert (meanwhile, afterwards) == (0, 1)


@pytest.mark.django_db
def test_stepping_all_sweeps_leaves_nothing_due() -> None:
    job = build.a_live_job(slots=1)
    for task in build.some_tasks(job, 3):
        build.an_answer(task)

    first, second = sweeps.step_all(), sweeps.step_all()

    assert (first["judge"], first["accept"], first["settle"]) == (3, 3, 3)
    assert set(second.values()) == {0}
    assert connection.in_atomic_block


def test_every_sweep_is_on_the_clock() -> None:
    assert {entry["args"][0] for entry in app.conf.beat_schedule.values()} == set(sweeps.SWEEPS)

"""Hiding gold in a job: tasks like any other, paid for each showing, and refused where they would not fit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks import importing, publishing
from tasks.formats.rows import parse_row
from tasks.models import Batch, RouteEpoch, Task
from tests import build
from tests.build import UNIT

PRICE, FEE = UNIT // 20, UNIT // 100


@pytest.mark.django_db
class TestGold:
    def test_each_item_becomes_a_task_that_looks_like_any_other(self) -> None:
        job = build.a_live_job(slots=2)
        plain = build.some_tasks(job, 1)[0]
        gold = build.a_gold_set(items=2, difficulties=(2, 4))

        batch = importing.add_gold_tasks(job, gold, exposure_max=7)

        tasks = list(Task.objects.filter(batch=batch).order_by("pk"))
        assert (batch.tasks_added, [task.gold_item_id for task in tasks]) == (
            2,
            [item.pk for item in gold.items.order_by("pk")],
        )
        assert [task.payload.content for task in tasks] == [item.payload for item in gold.items.order_by("pk")]
        assert [task.slots_needed for task in tasks] == [7, 7]
        assert [(task.bucket.gold, task.bucket.difficulty) for task in tasks] == [(True, 2), (True, 4)]
        same = ("state", "waiting_for", "price_micros", "fee_micros", "round", "stage", "stratum", "expires_at")
        assert [getattr(tasks[0], name) for name in same] == [getattr(plain, name) for name in same]
        assert set(tasks[0].payload.content) == set(plain.payload.content)

    def test_every_showing_is_reserved(self) -> None:
        job = build.a_live_job(budget_micros=120 * (PRICE + FEE))
        importing.add_gold_tasks(job, build.a_gold_set(items=2))
        job.refresh_from_db()
        assert job.reserved_micros == job.funded_micros == 120 * (PRICE + FEE)
        with pytest.raises(importing.NotEnoughBudget):
            importing.add_gold_tasks(job, build.a_gold_set(items=1), exposure_max=1)

    def test_gold_changes_nobodys_route(self) -> None:
        job = build.a_live_job()
        before = RouteEpoch.objects.get().epoch
        importing.add_gold_tasks(job, build.a_gold_set())
        assert RouteEpoch.objects.get().epoch == before

    def test_an_item_that_is_also_a_task_of_the_job_is_refused(self) -> None:
        job = build.a_live_job()
        gold = build.a_gold_set(items=2)
        payload = gold.items.order_by("pk")[1].payload
        importing.add_tasks(job, [parse_row(1, payload)])

        with pytest.raises(importing.ImportRefused) as caught:
            importing.add_gold_tasks(job, gold)

        fault = caught.value.faults[0]
        assert (fault.pointer, fault.detail) == ("/item/2", "has the same payload as a task of this job")
        assert not Task.objects.filter(job=job, gold_item__isnull=False).exists()

    def test_items_that_stand_in_the_job_are_left_alone_and_retired_ones_left_out(self) -> None:
        job = build.a_live_job()
        gold = build.a_gold_set(items=3)
        gold.items.filter(pk=build.a_gold_item(gold).pk).update(retired_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert importing.add_gold_tasks(job, gold).tasks_added == 2
        with pytest.raises(importing.ImportRefused):
            importing.add_gold_tasks(job, gold)
        assert Task.objects.filter(job=job).count() == 2

    def test_gold_that_does_not_fit_the_job_is_refused(self) -> None:
        job = build.a_live_job()
        other = build.a_gold_set()
        other.label_definition = {
            "question": "?",
            "classes": [{"name": "dog", "title": "Dog"}, {"name": "cat", "title": "Cat"}],
        }
        other.save(update_fields=["label_definition"])
        kind = build.a_gold_set()
        kind.label_kind = "spans"
        kind.save(update_fields=["label_kind"])
        misfits = [
            build.a_gold_set(published=False),
            build.a_gold_set(organisation=build.an_organisation()),
            other,
            kind,
        ]
        for gold in misfits:
            with pytest.raises(importing.GoldSetDoesNotFit):
                importing.add_gold_tasks(job, gold)
        for exposure_max in (0, 10_001):
            with pytest.raises(importing.GoldSetDoesNotFit):
                importing.add_gold_tasks(job, build.a_gold_set(), exposure_max=exposure_max)
        assert not Batch.objects.filter(job=job).exists()

    def test_gold_fits_a_job_whose_schema_has_grown(self) -> None:
        job = build.a_live_job()
        grown = [*build.CLASSES["classes"], {"name": "fox", "title": "Fox"}]
        job = publishing.revise_job(job, publishing.Revision(label_definition=build.CLASSES | {"classes": grown}))
        assert importing.add_gold_tasks(job, build.a_gold_set()).state == "ready"

"""What the demo asks is sound before anybody is asked."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from marketplace.demo import content
from tasks.labels.categorical import Categorical


@pytest.fixture(scope="module")
def jobs() -> tuple[content.Posting, ...]:
    return content.the_jobs(np.random.default_rng(0))


def test_tasks_gold_and_exam_are_different_items(jobs: tuple[content.Posting, ...]) -> None:
    items = [item for job in jobs for item in (*job.tasks, *job.gold, *job.exam)]

    assert len({item.ref for item in items}) == len(items)
    assert len(content.by_what_is_shown(jobs)) == len(items)


def test_the_three_jobs_are_as_large_as_promised(jobs: tuple[content.Posting, ...]) -> None:
    digits, reviews, notes = jobs

    assert (len(digits.tasks), len(reviews.tasks)) == (150, 80)
    assert len(notes.tasks) >= 40
    assert all(len(job.gold) >= 10 for job in jobs)
    assert [job.specialists_only for job in jobs] == [False, False, True]


def test_every_class_of_a_job_comes_up_among_its_tasks(jobs: tuple[content.Posting, ...]) -> None:
    for job in jobs:
        assert {item.truth for item in job.tasks} == set(range(len(job.classes)))


def test_a_lure_is_a_class_and_never_the_right_one(jobs: tuple[content.Posting, ...]) -> None:
    for job in jobs[1:]:
        lures = [item for item in (*job.tasks, *job.gold, *job.exam) if item.lure is not None]
        assert lures
        assert all(item.lure != item.truth and item.lure in range(len(job.classes)) for item in lures)


def test_definitions_are_taken_as_label_schemas(jobs: tuple[content.Posting, ...]) -> None:
    kind = Categorical()

    assert [kind.classes(kind.validate_schema(job.definition)) for job in jobs] == [job.names for job in jobs]


def test_a_digit_is_a_picture_that_a_person_can_see(jobs: tuple[content.Posting, ...]) -> None:
    start, _, data = jobs[0].tasks[0].shown.partition(",")

    picture = Image.open(io.BytesIO(base64.b64decode(data)))

    assert start == "data:image/png;base64"
    assert picture.size == (content.PICTURE_SIDE, content.PICTURE_SIDE)
    darkest, lightest = picture.getextrema()
    assert (darkest, lightest) == pytest.approx((0, 255), abs=30)


def test_the_budget_covers_every_answer_and_showing_with_its_fee(jobs: tuple[content.Posting, ...]) -> None:
    digits, reviews, _ = jobs

    assert digits.budget >= (150 * 3 + 30 * content.GOLD_EXPOSURES) * digits.price * 11 / 10
    assert reviews.budget >= (80 * 5 + 16 * content.GOLD_EXPOSURES) * reviews.price * 11 / 10


def test_the_same_seed_chooses_the_same_items(jobs: tuple[content.Posting, ...]) -> None:
    again = content.the_jobs(np.random.default_rng(0))
    other = content.the_jobs(np.random.default_rng(1))

    assert again == jobs
    assert [item.ref for item in other[1].tasks] != [item.ref for item in jobs[1].tasks]


def test_a_smaller_demo_has_fewer_tasks_and_all_of_its_gold() -> None:
    jobs = content.the_jobs(np.random.default_rng(0), tasks_max=7)

    assert [len(job.tasks) for job in jobs] == [7, 7, 7]
    assert all(job.gold for job in jobs)


def test_the_job_for_whoever_runs_it_hides_nothing() -> None:
    yours = content.try_yourself(np.random.default_rng(0))

    assert (len(yours.tasks), yours.gold, yours.gold_share_bp, yours.policy) == (12, (), 0, "fixed:1")
    assert not yours.specialists_only

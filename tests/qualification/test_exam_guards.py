"""What the database refuses of exams and attempts, whoever writes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from qualification import examining
from qualification.models import Attempt, Exam
from tests import build
from tests.guards import violates

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.django_db
def test_one_open_attempt_an_exam() -> None:
    attempt = examining.start_attempt(build.an_exam(), build.a_worker())
    row = Attempt.objects.values().get(pk=attempt.pk)

    with violates("one_open_attempt_an_exam"):
        Attempt.objects.create(**{**row, "id": None})


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("attempt_ends_after_it_starts", {"ends_at": START}),
        ("a_finished_attempt_has_a_score", {"state": "passed"}),
        ("attempt_state_is_known", {"state": "lost", "right": 1, "finished_at": START}),
    ],
)
@pytest.mark.django_db
def test_the_database_refuses_an_attempt_that_cannot_be(constraint: str, change: dict[str, Any]) -> None:
    attempt = examining.start_attempt(build.an_exam(), build.a_worker(), at=START)

    with violates(constraint):
        Attempt.objects.filter(pk=attempt.pk).update(**change)


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("exam_level_in_band", {"level": 6}),
        ("exam_asks_something", {"questions": 0}),
        ("exam_pass_share_is_a_share", {"pass_share": 0.0}),
        ("exam_pass_share_is_a_share", {"pass_share": float("nan")}),
    ],
)
@pytest.mark.django_db
def test_the_database_refuses_an_exam_that_cannot_be(constraint: str, change: dict[str, Any]) -> None:
    exam = build.an_exam()

    with violates(constraint):
        Exam.objects.filter(pk=exam.pk).update(**change)


@pytest.mark.django_db
def test_one_exam_a_name() -> None:
    row = Exam.objects.values().get(pk=build.an_exam().pk)

    with violates("one_exam_a_name"):
        Exam.objects.create(**{**row, "id": None})

"""Exams draw fairly, grade by what is accepted, end by the database's clock, and grant on a pass."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from accounts import people
from accounts.models import AuditRow, Worker
from accounts.queries import instant
from qualification import examining, gold
from qualification.models import Attempt, Exam, GoldItem, Observation, Qualification
from qualification.observing import Seen, observe
from qualification.queries import questions_of, standings
from tests import build
from tests.races import at_once, waits_for

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLD_WORKER = "SELECT FROM accounts_worker WHERE id = %s FOR NO KEY UPDATE"
END_ATTEMPT = "UPDATE qualification_attempt SET state = 'expired' WHERE id = %s"


def right_answers(attempt: Attempt) -> dict[int, Any]:
    """What passes: the first accepted label of each item asked."""
    return {item.pk: item.accepted[0]["label"] for item in GoldItem.objects.filter(pk__in=attempt.item_ids)}


def wrong_answers(attempt: Attempt) -> dict[int, Any]:
    swapped = {"cat": build.DOG, "dog": build.CAT}
    return {item_id: swapped[label["class"]] for item_id, label in right_answers(attempt).items()}


# Creating


@pytest.mark.django_db
def test_an_exam_belongs_to_the_domain_of_its_gold() -> None:
    gold_set = build.a_gold_set()

    exam = build.an_exam(gold_set, level=3)

    assert (exam.domain, exam.level, exam.open) == (gold_set.domain, 3, True)
    assert AuditRow.objects.filter(subject="qualification_exam", subject_id=exam.pk).exists()  # exam_is_audited


@pytest.mark.django_db
def test_an_exam_that_makes_no_sense_is_refused_field_by_field() -> None:
    with pytest.raises(examining.ExamRefused) as refused:
        examining.create_exam(
            name="x",
            gold_set=build.a_gold_set(),
            level=0,
            questions=201,
            pass_share=float("nan"),
            time_limit_seconds=0,
            attempts_max=0,
            valid_days=0,
        )

    pointers = {fault.pointer for fault in refused.value.faults}
    fields = ("level", "questions", "pass_share", "time_limit_seconds", "attempts_max", "valid_days")
    assert pointers == {f"/{field}" for field in fields}


@pytest.mark.django_db
def test_an_exam_needs_published_gold_and_enough_of_it() -> None:
    draft, small = build.a_gold_set(published=False), build.a_gold_set(items=3)
    gold.retire_gold_item(build.a_gold_item(small))

    with pytest.raises(examining.GoldNotPublished):
        build.an_exam(draft)
    with pytest.raises(examining.NotEnoughGold, match="2 items; the exam asks 3"):
        build.an_exam(small, questions=3)


@pytest.mark.django_db
def test_an_exam_draws_from_its_own_gold_or_the_platforms() -> None:
    north, south = build.an_organisation(), build.an_organisation()
    own = build.a_gold_set(organisation=north)

    build.an_exam(own, organisation=north)
    build.an_exam(build.a_gold_set(), organisation=north)
    for other in (south, None):
        with pytest.raises(examining.GoldSetNotUsable):
            build.an_exam(own, organisation=other)


@pytest.mark.django_db
def test_one_name_is_one_exam() -> None:
    exam = build.an_exam()

    with pytest.raises(examining.ExamExists):
        examining.create_exam(name=exam.name, gold_set=exam.gold_set, questions=1)


# Starting


@pytest.mark.django_db
def test_an_attempt_freezes_its_items_and_its_time() -> None:
    attempt = examining.start_attempt(build.an_exam(questions=3), build.a_worker(), at=START)

    assert len(set(attempt.item_ids)) == 3
    assert (attempt.state, attempt.started_at, attempt.ends_at) == ("open", START, START + 10 * MINUTE)
    questions = questions_of(attempt)
    assert [one.item_id for one in questions] == attempt.item_ids
    assert all(set(one.payload) == {"text"} for one in questions)


@pytest.mark.django_db
def test_without_a_time_the_databases_clock_counts() -> None:
    before = instant(None)

    attempt = examining.start_attempt(build.an_exam(), build.a_worker())

    assert before <= attempt.started_at <= instant(None)


@pytest.mark.django_db
def test_starting_again_goes_on_with_the_open_attempt() -> None:
    exam, worker = build.an_exam(attempts_max=1), build.a_worker()

    first = examining.start_attempt(exam, worker, at=START)

    assert examining.start_attempt(exam, worker, at=START + MINUTE) == first


def test_of_two_starts_at_once_both_get_the_same_attempt(
    committed_db: str, app_connection: psycopg.Connection[Any]
) -> None:
    exam, worker = build.an_exam(), build.a_worker()

    told = at_once([lambda: examining.start_attempt(exam, worker)] * 2)

    assert told[0] == told[1]
    assert Attempt.objects.count() == 1
    waits_for(app_connection, HOLD_WORKER, [worker.pk], lambda: examining.start_attempt(exam, worker))


@pytest.mark.django_db
def test_attempts_are_used_up_by_failing_and_by_letting_time_run_out() -> None:
    exam, worker = build.an_exam(attempts_max=2), build.a_worker()
    first = examining.start_attempt(exam, worker, at=START)
    examining.hand_in(first, {}, at=START + MINUTE)
    second = examining.start_attempt(exam, worker, at=START + 2 * MINUTE)

    with pytest.raises(examining.AttemptsUsedUp) as refused:
        examining.start_attempt(exam, worker, at=second.ends_at)

    assert refused.value.facts == {"attempts_max": 2}
    assert examining.start_attempt(exam, build.a_worker(), at=second.ends_at).state == "open"


@pytest.mark.django_db
def test_an_attempt_whose_time_is_up_makes_room_for_the_next() -> None:
    exam, worker = build.an_exam(attempts_max=2), build.a_worker()
    first = examining.start_attempt(exam, worker, at=START)

    second = examining.start_attempt(exam, worker, at=first.ends_at)

    first.refresh_from_db()
    assert (first.state, first.finished_at) == ("expired", second.started_at)
    assert second.state == "open"


@pytest.mark.django_db
def test_a_closed_exam_starts_nobody_and_lets_the_started_finish() -> None:
    exam, worker = build.an_exam(), build.a_worker()
    attempt = examining.start_attempt(exam, worker, at=START)

    examining.close_exam(exam)
    with pytest.raises(examining.ExamClosed):
        examining.start_attempt(Exam.objects.get(pk=exam.pk), build.a_worker())
    assert examining.hand_in(attempt, right_answers(attempt), at=START).state == "passed"
    examining.open_exam(exam)
    assert examining.start_attempt(exam, build.a_worker()).state == "open"


@pytest.mark.django_db
def test_a_suspended_worker_is_not_admitted() -> None:
    worker = people.suspend_worker(build.a_worker(), reason="Fraud.", actor="user:1")

    with pytest.raises(examining.NotAdmitted):
        examining.start_attempt(build.an_exam(), worker)


@pytest.mark.django_db
def test_gold_that_was_retired_since_is_not_asked() -> None:
    gold_set = build.a_gold_set(items=4)
    exam = build.an_exam(gold_set, questions=3)
    gone = build.a_gold_item(gold_set)
    gold.retire_gold_item(gone)

    assert gone.pk not in examining.start_attempt(exam, build.a_worker()).item_ids
    gold.retire_gold_item(gold_set.items.filter(retired_at__isnull=True)[0])
    with pytest.raises(examining.NotEnoughGold):
        examining.start_attempt(exam, build.a_worker())
    gold.retire_gold_set(gold_set)
    with pytest.raises(examining.GoldNotPublished):
        examining.start_attempt(exam, build.a_worker())


@pytest.mark.django_db
def test_a_second_attempt_asks_what_the_first_did_not() -> None:
    gold_set = build.a_gold_set(items=7)
    exam, sibling = build.an_exam(gold_set, questions=3), build.an_exam(gold_set, questions=3)
    worker = build.a_worker()
    asked = []
    for sitting in (exam, sibling, exam):
        attempt = examining.start_attempt(sitting, worker, at=START)
        asked.append(set(attempt.item_ids))
        examining.hand_in(attempt, {}, at=START)

    assert not asked[0] & asked[1]
    assert len(asked[0] | asked[1] | asked[2]) == 7  # the one left comes before any that was seen


@pytest.mark.django_db
def test_gold_met_in_work_counts_as_seen() -> None:
    gold_set, worker = build.a_gold_set(items=3), build.a_worker()
    met = build.a_gold_item(gold_set)
    observe([Seen(worker.pk, gold_set.domain_id, 2, "gold", met.pk, 1, 0, 0, 1.0)])

    assert met.pk not in examining.start_attempt(build.an_exam(gold_set, questions=2), worker).item_ids


# Handing in


@pytest.mark.django_db
def test_a_pass_grants_the_level_and_is_observed() -> None:
    exam, worker = build.an_exam(level=2, questions=4), build.a_worker()
    attempt = examining.start_attempt(exam, worker, at=START)

    done = examining.hand_in(attempt, right_answers(attempt), at=START + MINUTE)

    assert (done.state, done.right, done.finished_at) == ("passed", 4, START + MINUTE)
    assert standings(worker.pk, at=START + 2 * MINUTE) == {exam.domain_id: 2}
    granted = Qualification.objects.get()
    assert (granted.source, granted.attempt) == ("exam", attempt)
    assert granted.expires_at == START + MINUTE + timedelta(days=365)
    assert Worker.objects.get(pk=worker.pk).standing_epoch == 1
    rows = Observation.objects.filter(worker=worker, source="exam", reference=attempt.pk)
    assert {(row.gold_item_id, row.true_class == row.said_class, row.credit) for row in rows} == {
        (item_id, True, 1.0) for item_id in attempt.item_ids
    }
    assert {row.observed_at for row in rows} == {START + MINUTE}


@pytest.mark.django_db
def test_wrong_answers_fail_grant_nothing_and_are_observed_with_what_was_said() -> None:
    exam, worker = build.an_exam(questions=4), build.a_worker()
    attempt = examining.start_attempt(exam, worker)

    done = examining.hand_in(attempt, wrong_answers(attempt))

    assert (done.state, done.right) == ("failed", 0)
    assert standings(worker.pk) == {}
    assert {(row.true_class, row.said_class) for row in Observation.objects.all()} == {(0, 1), (1, 0)}
    assert {row.credit for row in Observation.objects.all()} == {0.0}


@pytest.mark.django_db
def test_a_missing_answer_earns_nothing_and_is_not_observed() -> None:
    attempt = examining.start_attempt(build.an_exam(questions=2, pass_share=0.5), build.a_worker())
    answers = right_answers(attempt)
    answers.pop(attempt.item_ids[0])

    done = examining.hand_in(attempt, answers)

    assert (done.state, done.right) == ("passed", 1)
    assert Observation.objects.count() == 1


@pytest.mark.parametrize(
    ("weights", "share", "state", "right"),
    [((0.7, 0.1), 0.4, "passed", 0), ((0.7, 0.1), 0.41, "failed", 0), ((1.0, 0.5), 0.75, "passed", 1)],
)
@pytest.mark.django_db
def test_partly_right_answers_add_up(weights: tuple[float, float], share: float, state: str, right: int) -> None:
    gold_set = build.a_gold_set(items=0, published=False)
    accepted = [[{"label": build.CAT, "weight": weight}] for weight in weights]
    gold.add_gold_items(gold_set, [gold.NewGold(payload=place, accepted=one) for place, one in enumerate(accepted)])
    exam = build.an_exam(gold.publish_gold_set(gold_set), questions=2, pass_share=share)
    attempt = examining.start_attempt(exam, build.a_worker())

    done = examining.hand_in(attempt, dict.fromkeys(attempt.item_ids, build.CAT))

    assert (done.state, done.right) == (state, right)
    assert sorted(row.credit for row in Observation.objects.all()) == sorted(weights)
    assert {row.said_class for row in Observation.objects.all()} == {None}  # this gold names no classes


@pytest.mark.django_db
def test_an_item_that_turned_out_wrong_is_given_to_the_worker_and_not_observed() -> None:
    attempt = examining.start_attempt(build.an_exam(questions=2, pass_share=1.0), build.a_worker())
    answers = right_answers(attempt)
    bad = GoldItem.objects.get(pk=attempt.item_ids[0])
    gold.retire_gold_item(bad)
    answers[bad.pk] = {"class": "newt"}

    done = examining.hand_in(attempt, answers)

    assert (done.state, done.right) == ("passed", 2)
    assert not Observation.objects.filter(gold_item=bad).exists()


@pytest.mark.django_db
def test_answers_to_what_was_not_asked_are_refused_and_the_attempt_stays_open() -> None:
    attempt = examining.start_attempt(build.an_exam(), build.a_worker())

    with pytest.raises(examining.AnswersRefused) as refused:
        examining.hand_in(attempt, {0: build.CAT, **right_answers(attempt)})

    assert [fault.pointer for fault in refused.value.faults] == ["/answers/0"]
    assert Attempt.objects.get().state == "open"
    assert not Observation.objects.exists()


@pytest.mark.django_db
def test_a_finished_attempt_is_not_graded_again() -> None:
    attempt = examining.start_attempt(build.an_exam(), build.a_worker())
    examining.hand_in(attempt, {})

    with pytest.raises(examining.AttemptNotOpen) as refused:
        examining.hand_in(attempt, right_answers(attempt))
    assert refused.value.facts == {"state": "failed"}


def test_of_two_that_hand_in_at_once_one_counts(committed_db: str, app_connection: psycopg.Connection[Any]) -> None:
    exam = build.an_exam()
    attempt, other = (examining.start_attempt(exam, build.a_worker()) for _ in range(2))

    told = at_once([lambda: examining.hand_in(attempt, right_answers(attempt))] * 2)

    assert sorted(type(one).__name__ for one in told) == ["Attempt", "AttemptNotOpen"]
    assert Qualification.objects.count() == 1
    with pytest.raises(examining.AttemptNotOpen):
        waits_for(app_connection, END_ATTEMPT, [other.pk], lambda: examining.hand_in(other, {}))


@pytest.mark.django_db
def test_the_last_moment_is_in_time_and_the_end_is_not() -> None:
    exam, worker = build.an_exam(), build.a_worker()
    attempt = examining.start_attempt(exam, worker, at=START)

    with pytest.raises(examining.AttemptExpired):
        examining.hand_in(attempt, right_answers(attempt), at=attempt.ends_at)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.right) == ("expired", None)
    assert standings(worker.pk) == {}

    other = examining.start_attempt(exam, build.a_worker(), at=START)
    just = other.ends_at - timedelta(microseconds=1)
    assert examining.hand_in(other, right_answers(other), at=just).state == "passed"


@pytest.mark.django_db
def test_a_sweep_marks_attempts_whose_time_is_up() -> None:
    exam = build.an_exam()
    over = [examining.start_attempt(exam, build.a_worker(), at=START) for _ in range(3)]
    going = examining.start_attempt(exam, build.a_worker(), at=START + MINUTE)

    assert examining.expire_attempts(limit=2, at=over[0].ends_at) == 2
    assert examining.expire_attempts(at=over[0].ends_at) == 1
    assert examining.expire_attempts(at=over[0].ends_at) == 0

    assert {one.pk for one in Attempt.objects.filter(state="open")} == {going.pk}


@pytest.mark.django_db
def test_an_organisations_exam_grants_for_its_own_jobs() -> None:
    north = build.an_organisation()
    exam, worker = build.an_exam(organisation=north), build.a_worker()
    attempt = examining.start_attempt(exam, worker)

    examining.hand_in(attempt, right_answers(attempt))

    assert standings(worker.pk) == {}
    assert standings(worker.pk, organisation_id=north.pk) == {exam.domain_id: 1}

"""Drift: when an alarm comes, when none comes, and whose it is."""

from __future__ import annotations

import math
from dataclasses import astuple, fields, replace

import numpy as np
import pytest

from qualification.inference import drift
from qualification.inference.answers import FloatArray
from qualification.inference.drift import JOB, WORKER, Evidence, Rules, State

KNOWN = 10_000.0
"""Worth of a baseline that is as good as certain."""


def answers(accuracy: FloatArray, rng: np.random.Generator, certainty: float = 0.95) -> Evidence:
    """One answer of each worker to tasks of two classes whose label is right with ``certainty``."""
    right = rng.random(accuracy.shape) < accuracy
    return drift.evidence(right == (rng.random(accuracy.shape) < certainty), certainty)


def after(state: State, right: list[float], certainty: float = 1.0) -> State:
    return drift.steps(state, drift.evidence(right, certainty, at=np.arange(1.0, len(right) + 1)))


def test_the_statistic_sums_the_log_likelihood_ratio_of_gold_and_of_consensus() -> None:
    state = after(drift.begin(0.92, 1e9), [0.0])
    low = 0.92 - WORKER.drop
    assert float(state.statistic) == pytest.approx(math.log((1 - low) / 0.08), rel=1e-6)
    state = drift.step(state, drift.evidence(1.0, 0.95))
    agreed = math.log((0.95 * low + 0.05 * (1 - low)) / (0.95 * 0.92 + 0.05 * 0.08))
    assert float(state.statistic) == pytest.approx(math.log((1 - low) / 0.08) + agreed, rel=1e-6)


def test_a_label_of_which_nothing_is_known_says_nothing() -> None:
    state = after(drift.begin(0.92, 100), [0.0] * 50, certainty=0.5)
    assert float(state.statistic) == 0
    assert float(state.mean) == pytest.approx(0.92)


def test_of_many_classes_a_wrong_answer_seldom_equals_a_wrong_label() -> None:
    two, ten = (drift.step(drift.begin(0.9, KNOWN), drift.evidence(0, 0.8, classes=k)) for k in (2, 10))
    base = 0.2 / 9
    low = 0.9 - WORKER.drop
    want = math.log((1 - base - (0.8 - base) * low) / (1 - base - (0.8 - base) * 0.9))
    assert float(ten.statistic) == pytest.approx(want, rel=1e-2)
    assert float(two.statistic) != pytest.approx(float(ten.statistic), rel=1e-3)


def test_partial_credit_counts_for_its_part() -> None:
    wrong, half = (after(drift.begin(0.92, KNOWN), [credit]) for credit in (0.0, 0.5))
    assert 0 < float(half.statistic) < float(wrong.statistic)


def test_the_alarm_comes_when_the_sum_passes_the_threshold_and_stays_until_it_is_closed() -> None:
    state = after(drift.begin(0.92, KNOWN), [1.0] * 5 + [0.0] * 4)
    assert not state.alarmed
    state = after(state, [0.0])
    assert state.alarmed
    assert float(state.alarm_at) == 10
    state = after(state, [1.0] * 200)
    assert state.alarmed
    assert float(state.alarm_at) == 10
    assert not drift.close_alarm(state, dropped=False).alarmed


def test_a_margin_raises_the_threshold() -> None:
    seen = drift.evidence([0.0] * 5)
    assert drift.steps(drift.begin(0.92, KNOWN), seen).alarmed
    state = drift.begin(0.92, KNOWN)
    for number in range(5):
        state = drift.step(
            state, drift.pick(drift.evidence([0.0] * 5, [1.0] * 5, classes=[2] * 5, at=[0] * 5), number), margin=3
        )
    assert not state.alarmed


def test_the_window_begins_after_the_last_answer_before_the_fall() -> None:
    state = after(drift.begin(0.92, KNOWN), [1.0] * 7 + [0.0] * 6)
    window = drift.suspect_window(state)
    assert (float(window.first), float(window.last), float(window.after)) == (8, 13, 7.0)
    assert float(window.drop) == pytest.approx(0.92, abs=0.01)
    later = drift.suspect_window(after(state, [1.0] * 300))
    assert (float(later.first), float(later.after), float(later.last)) == (8, 7.0, 313)


def test_a_stream_at_rest_has_no_suspect_answer() -> None:
    window = drift.suspect_window(after(drift.begin(0.92, KNOWN), [1.0] * 7))
    assert float(window.last) < float(window.first)
    assert float(window.drop) == 0


def test_the_baseline_becomes_the_workers_own() -> None:
    rng = np.random.default_rng(1)
    accuracy = np.repeat([0.7, 0.85, 0.95], 200)
    state = drift.begin(np.full(600, 0.9), 10.0)
    for _ in range(600):
        state = drift.step(state, answers(accuracy, rng))
        false = np.nonzero(state.alarmed)
        drift.put(state, false, drift.close_alarm(drift.pick(state, false), dropped=False))
    assert np.abs(state.mean.reshape(3, 200).mean(axis=1) - [0.7, 0.85, 0.95]).max() < 0.015


def test_suspect_answers_join_the_baseline_only_when_a_person_says_so() -> None:
    fallen = after(drift.begin(0.92, 100.0), [0.0] * 6)
    assert float(after(fallen, [1.0] * 400).mean) == pytest.approx(0.92)
    false = drift.close_alarm(fallen, dropped=False)
    assert float(false.mean) == pytest.approx(92 / 106, abs=1e-6)
    anew = drift.close_alarm(after(fallen, [1.0, 0.0] * 20), dropped=True)
    assert float(anew.mean) == pytest.approx(20 / 46, abs=0.03)
    assert float(anew.precision * anew.mean * (1 - anew.mean)) < 100


def test_a_little_known_baseline_asks_for_more_evidence() -> None:
    fresh, settled = drift.begin(0.92, 20.0), drift.begin(0.92, KNOWN)
    for name, state in (("fresh", fresh), ("settled", settled)):
        count = next(n for n in range(1, 20) if after(state, [0.0] * n).alarmed)
        assert count == {"fresh": 10, "settled": 5}[name]
    assert float(after(drift.begin(0.92, 11.0), [0.0]).statistic) == 0


def test_one_step_of_many_streams_equals_the_steps_of_each() -> None:
    rng = np.random.default_rng(2)
    seen = drift.evidence(
        rng.random((80, 6)) < 0.8, rng.choice([1.0, 0.9], (80, 6)), classes=np.full((80, 6), 3), at=rng.random((80, 6))
    )
    together = drift.steps(drift.begin(np.linspace(0.7, 0.95, 6), 30.0), seen)
    for stream in range(6):
        alone = drift.steps(
            drift.begin(np.linspace(0.7, 0.95, 6)[stream], 30.0), drift.pick(seen, (slice(None), stream))
        )
        assert alone.as_row() == pytest.approx(drift.pick(together, stream).as_row())


def test_a_state_is_written_as_a_row_and_read_back_between_any_two_answers() -> None:
    given = [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    state = stored = drift.begin(0.9, 30.0)
    for number, credit in enumerate(given):
        seen = drift.evidence(credit, at=number)
        state, stored = drift.step(state, seen), State.from_row(drift.step(stored, seen).as_row())
    assert stored.as_row() == state.as_row()
    assert len(stored.as_row()) == len(fields(State))


@pytest.mark.parametrize("row", [(), (1.0,) * 10, (math.nan,) * 11])
def test_a_row_that_is_no_state_is_refused(row: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="11 finite numbers"):
        State.from_row(row)


def test_several_streams_are_no_row() -> None:
    with pytest.raises(ValueError, match="one stream"):
        drift.begin([0.9, 0.8], 10).as_row()


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"right": 1.1}, {"right": math.nan}, {"right": 1, "certainty": -0.1}, {"right": 1, "classes": 1}):
        with pytest.raises(ValueError, match="at least two classes"):
            drift.evidence(**wrong)
    for accuracy, worth in ((1.0, 5), (0.0, 5), (0.9, 0)):
        with pytest.raises(ValueError, match="worth is above 0"):
            drift.begin(accuracy, worth)
    for values in ((0, 4, 1, 9, 0), (0.1, 0, 1, 9, 0), (0.1, 4, 9, 9, 0), (0.1, 4, 1, 9, -1)):
        with pytest.raises(ValueError, match="drop in"):
            Rules(*values)


@pytest.mark.parametrize("accuracy", [0.02, 0.3, 0.98, 0.999])
def test_any_accuracy_gives_finite_numbers(accuracy: float) -> None:
    state = drift.steps(drift.begin(accuracy, 30.0), drift.evidence([0, 1] * 200, np.tile([1.0, 0.0, 0.5, 1.0], 100)))
    assert all(np.isfinite(value) for value in astuple(state))


def test_a_drop_is_found_in_time_and_seldom_where_none_is() -> None:
    rng = np.random.default_rng(3)
    state = drift.begin(np.full(2000, 0.92), 2000.0)
    alarms = 0
    for _ in range(400):
        state = drift.step(state, answers(np.full(2000, 0.92), rng))
        false = np.nonzero(state.alarmed)
        alarms += false[0].size
        drift.put(state, false, drift.close_alarm(drift.pick(state, false), dropped=False))
    assert 0.3 < alarms / 400 < 1.0  # in 2,000 answers
    start = state.answers[0]
    for _ in range(150):
        state = drift.step(state, answers(np.full(2000, 0.75), rng))
    delay = np.where(state.alarmed, state.alarm_at - start, 150)
    assert np.median(delay) <= 43  # on consensus alone
    assert np.percentile(delay, 90) <= 88


def work_in_jobs(
    jobs: int, workers: int, falling: int, *, relative: bool = True, more: int = 60
) -> tuple[State, State]:
    """Jobs whose first workers fall from 0.92 to 0.75 after 60 answers each, and do ``more``; the people and the jobs."""
    rng = np.random.default_rng(4)
    people, job = drift.begin(np.full((jobs, workers), 0.92), 1000.0), drift.begin_job((jobs,))
    parts, row = drift.begin_membership((jobs, workers)), np.arange(jobs)
    for tick in range((60 + more) * workers):
        who = rng.integers(workers, size=jobs)
        turn = (row, who)
        accuracy = np.where((tick >= 60 * workers) & (who < falling), 0.75, 0.92)
        seen = answers(accuracy, rng)
        worker, job, part = drift.observe(drift.pick(people, turn), job, drift.pick(parts, turn), seen)
        drift.put(people, turn, worker if relative else drift.step(drift.pick(people, turn), seen))
        drift.put(parts, turn, part)
    return people, job


def test_what_hits_everybody_is_the_jobs_alarm_and_nobodys_else() -> None:
    people, job = work_in_jobs(20, 20, 20)
    assert job.alarmed.all()
    assert (job.alarm_at > 60 * 20).all()
    assert np.median(np.abs(job.alarm_from - 60 * 20)) < 60
    assert people.alarmed.mean() <= 0.02
    blamed, _ = work_in_jobs(20, 20, 20, relative=False)
    assert blamed.alarmed.mean() > 0.6


def test_one_who_falls_alone_has_the_alarm_and_the_job_has_none() -> None:
    people, job = work_in_jobs(40, 10, 1, more=120)
    assert people.alarmed[:, 0].mean() > 0.75
    assert people.alarmed[:, 1:].mean() <= 0.03
    assert job.alarmed.mean() <= 0.05


def test_one_person_who_does_most_of_the_work_is_no_job() -> None:
    """Beyond a quarter of the run, what a worker says counts for less the more the worker has said."""
    job = replace(drift.begin_job(), run_information=np.asarray(10_000.0), precision=np.asarray(1e5))
    worker, part = drift.begin(0.92, KNOWN), drift.begin_membership()
    seen = drift.evidence(0.0)
    one_of_many, _ = drift.step_job(job, part, worker, seen)
    nearly_all, _ = drift.step_job(job, replace(part, information=np.asarray(9_000.0)), worker, seen)
    assert float(nearly_all.statistic) == pytest.approx(float(one_of_many.statistic) * 0.25 / 0.9, rel=0.05)


def test_while_the_job_is_suspected_a_workers_alarm_needs_more() -> None:
    worker = replace(drift.begin(0.92, KNOWN), statistic=np.asarray(WORKER.threshold - 0.1))
    suspected = replace(drift.begin_job(), statistic=np.asarray(10.0), precision=np.asarray(1e5))
    part = drift.begin_membership()
    assert drift.observe(worker, drift.begin_job(), part, drift.evidence(0.0))[0].alarmed
    assert not drift.observe(worker, suspected, part, drift.evidence(0.0))[0].alarmed


def test_what_was_given_before_the_shift_was_known_is_excused_by_it() -> None:
    worker = replace(drift.begin(0.92, KNOWN), statistic=np.asarray(3.0), run_information=np.asarray(100.0))
    job = replace(
        drift.begin_job(), run_information=np.asarray(5000.0), run_score=np.asarray(-800.0), statistic=np.asarray(5.0)
    )
    job = replace(job, precision=np.asarray(1e5))
    before = replace(drift.begin_membership(), information=np.asarray(100.0))
    known = replace(before, shift=drift.shift_of_others(job, before))
    late, early = (drift.observe(worker, job, part, drift.evidence(1.0))[0] for part in (before, known))
    assert float(late.statistic) < float(early.statistic) - 1
    assert float(late.run_score) > float(early.run_score)


def test_what_the_others_lack_leaves_the_worker_out_and_doubts_chance() -> None:
    job = replace(
        drift.begin_job(), run_information=np.asarray(1000.0), run_score=np.asarray(-170.0), run_from=np.asarray(7.0)
    )
    part = drift.begin_membership()
    assert float(drift.shift_of_others(job, part)) == pytest.approx(-0.17 * (1 - 4 * 1000 / 170**2))
    all_mine = replace(part, run_from=np.asarray(7.0), information=np.asarray(1000.0), score=np.asarray(-170.0))
    assert float(drift.shift_of_others(job, all_mine)) == 0
    earlier = replace(all_mine, run_from=np.asarray(3.0))
    assert float(drift.shift_of_others(job, earlier)) == pytest.approx(float(drift.shift_of_others(job, part)))
    chance = replace(job, run_score=np.asarray(-50.0))
    assert float(drift.shift_of_others(chance, part)) == 0


def test_a_job_that_is_hard_from_the_start_has_not_changed() -> None:
    rng = np.random.default_rng(6)
    people, job = drift.begin(np.full((30, 10), 0.9), 1000.0), drift.begin_job((30,))
    parts, row = drift.begin_membership((30, 10)), np.arange(30)
    for _ in range(1500):
        turn = (row, rng.integers(10, size=30))
        worker, job, part = drift.observe(
            drift.pick(people, turn), job, drift.pick(parts, turn), answers(np.full(30, 0.75), rng)
        )
        drift.put(people, turn, worker)
        drift.put(parts, turn, part)
    assert job.alarmed.mean() <= 0.1
    assert np.abs(job.mean[~job.alarmed] + 0.15).mean() < 0.05
    assert JOB.warm_up > WORKER.warm_up

"""Whether an accuracy has dropped: one sequential statistic from gold and from resolved consensus, of a worker and of a job.

A worker and a job each carry a `State` of a few numbers between answers.  `observe` takes one answer: the job's state is
moved by how far its workers fall short of their own baselines, and the worker's by what is left of the shortfall once
the shift of the job's other workers is taken off.  So a new guideline that hits everybody is the job's alarm, not theirs.

Every function works on states and evidence of any shape, one element a stream; a single stream has shape ().

Source: Page 1954, Biometrika 41(1-2), doi:10.1093/biomet/41.1-2.100 (cumulative sums); the end of the last stay at zero
as the estimate of the change: Hinkley 1971, Biometrika 58(3), doi:10.1093/biomet/58.3.509.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray

ACCURACY_MIN, ACCURACY_MAX = 0.02, 0.98
"""Accuracies are kept this far from certainty, so that one answer cannot be infinite evidence."""

SUM_MAX = 3.0
"""The statistic stops at so many thresholds, so that a return to the baseline shows soon."""

NO_ALARM = -1.0
"""`State.alarm_at` of a stream without an alarm."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one answer says; all fields of one shape, or broadcast together.

    ``right``: 1 where the answer is what was expected, 0 where it is not, between for partial credit.
    ``certainty``: probability that what was expected is right: 1 for gold, else the belief in the task's label *from the
    answers of others*.  ``coincidence``: probability that a wrong answer equals a wrong label: 1 / (classes - 1).
    ``at``: when the answer was given, in seconds; only carried along.
    """

    right: FloatArray
    certainty: FloatArray
    coincidence: FloatArray
    at: FloatArray


@dataclass(frozen=True, slots=True)
class Rules:
    """When to raise an alarm.

    ``drop``: the loss of accuracy that the statistic is tuned to; it finds others too, larger ones sooner.
    ``threshold``: the alarm is raised where the statistic (a log likelihood ratio, in nats) passes it.
    ``warm_up``: gold answers' worth of evidence on the baseline before the statistic moves at all.
    ``memory``: the baseline never counts for more gold answers than this, so that it follows slow change.
    ``caution``: the baseline is taken low by this many times its variance: where it is little known, an alarm needs more.
    """

    drop: float
    threshold: float
    warm_up: float
    memory: float
    caution: float

    def __post_init__(self) -> None:
        if not (0 < self.drop < 1 and self.threshold > 0 and 0 <= self.warm_up < self.memory and self.caution >= 0):
            raise ValueError("drop in (0, 1), threshold above 0, 0 <= warm_up < memory, caution not below 0")


WORKER = Rules(drop=0.12, threshold=4.15, warm_up=12.0, memory=2000.0, caution=35.0)
"""Measured by bench b8: at most one false alarm in 2,000 answers."""

JOB = Rules(drop=0.10, threshold=12.0, warm_up=200.0, memory=4000.0, caution=35.0)
"""A job sees many more answers than a worker, and its alarm concerns everybody: a higher threshold, a smaller drop."""

SHARE_MAX = 0.25
"""A worker with more than this share of a job's run has the rest of the influence taken off: one person is no job."""

SHARE_PRIOR = 20.0
"""Gold answers' worth by which shares of a short run are damped."""

SHIFT_DOUBT = 4.0
"""A job's unexplained shift counts in so far as its z squared passes this (positive-part shrinkage)."""


@dataclass(frozen=True, slots=True)
class State:
    """What is carried between answers of a stream; all fields of one shape, every one a float.

    ``statistic``: the cumulative sum, 0 or more.  ``mean``: the baseline, an accuracy of a worker, a shift from its
    workers' accuracies of a job.  ``precision``: 1 / variance of it.  ``run_information`` and ``run_score``: Fisher
    information of, and score from, the answers since the statistic was last 0; they join the baseline when it returns
    there.  ``answers``: how many were seen.  ``run_from``, ``run_time``: how many, and the time of the last, when the run
    began.  ``alarm_at``: ``answers`` when the alarm was raised, or `NO_ALARM`; ``alarm_from``, ``alarm_time``: the
    run's beginning, held for as long as the alarm is open.
    """

    statistic: FloatArray
    mean: FloatArray
    precision: FloatArray
    run_information: FloatArray
    run_score: FloatArray
    answers: FloatArray
    run_from: FloatArray
    run_time: FloatArray
    alarm_at: FloatArray
    alarm_from: FloatArray
    alarm_time: FloatArray

    @property
    def alarmed(self) -> npt.NDArray[np.bool_]:
        """Whether an alarm is open."""
        return np.asarray(self.alarm_at >= 0)

    def as_row(self) -> tuple[float, ...]:
        """The numbers of a single stream, in the order of the fields.  Raises ValueError where there are several."""
        if self.statistic.ndim:
            raise ValueError("a row holds one stream")
        return tuple(float(getattr(self, field.name)) for field in fields(self))

    @classmethod
    def from_row(cls, row: Iterable[float]) -> Self:
        """The single stream that `as_row` wrote.  Raises ValueError on another count of numbers or one not finite."""
        values = [np.asarray(value, np.float64) for value in row]
        if len(values) != len(fields(cls)) or not all(np.isfinite(value) for value in values):
            raise ValueError(f"a state is {len(fields(cls))} finite numbers")
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Membership:
    """A worker's part in the present run of a job: what is taken off when *others* are asked for; one shape.

    ``shift``: what the others' shift was thought to be at the worker's last answer in the job.
    """

    run_from: FloatArray
    information: FloatArray
    score: FloatArray
    shift: FloatArray


@dataclass(frozen=True, slots=True)
class Window:
    """The suspect answers of a stream: those numbered ``first`` to ``last`` (from 1), given later than ``after`` seconds.

    ``drop``: how far they lie under what was expected of them, 0 where there are none (``last`` < ``first``).
    """

    first: FloatArray
    last: FloatArray
    after: FloatArray
    drop: FloatArray


def evidence(
    right: npt.ArrayLike, certainty: npt.ArrayLike = 1.0, *, classes: npt.ArrayLike = 2, at: npt.ArrayLike = 0.0
) -> Evidence:
    """Evidence from answers to tasks of ``classes`` classes; see `Evidence` for the rest.

    Raises ValueError unless right and certainty lie in [0, 1] and there are at least two classes.
    """
    credit, sure, many, seconds = (np.asarray(value, np.float64) for value in (right, certainty, classes, at))
    if not (np.all((credit >= 0) & (credit <= 1)) and np.all((sure >= 0) & (sure <= 1)) and np.all(many >= 2)):
        raise ValueError("right and certainty lie in [0, 1], and there are at least two classes")
    return Evidence(credit, sure, np.asarray(1 / (many - 1)), seconds)


def begin(accuracy: npt.ArrayLike, worth: npt.ArrayLike) -> State:
    """The state of workers before any evidence: what is thought of each, worth so many gold answers.

    Give the posterior of the worker's accuracy so far, which is shrunk towards the population: Beta(a, b) has mean
    a / (a + b) and is worth a + b.  Raises ValueError unless accuracy lies in (0, 1) and worth is above 0.
    """
    mean, answers = np.broadcast_arrays(np.asarray(accuracy, np.float64), np.asarray(worth, np.float64))
    if not (np.all((mean > 0) & (mean < 1)) and np.all(answers > 0)):
        raise ValueError("accuracy lies in (0, 1), and worth is above 0")
    held = np.clip(mean, ACCURACY_MIN, ACCURACY_MAX)
    return _at_rest(held, answers / (held * (1 - held)))


def begin_job(shape: tuple[int, ...] = ()) -> State:
    """The state of jobs (of one version of the guideline) before any evidence: no shift, worth ten gold answers."""
    return _at_rest(np.zeros(shape), np.full(shape, 10 / (0.9 * 0.1)))


def begin_membership(shape: tuple[int, ...] = ()) -> Membership:
    """The part of workers in jobs in which they have given nothing yet."""
    return Membership(*(np.zeros(shape) for _ in fields(Membership)))


def step(
    state: State,
    seen: Evidence,
    *,
    shift: npt.ArrayLike = 0.0,
    margin: npt.ArrayLike = 0.0,
    rules: Rules = WORKER,
) -> State:
    """Take one answer of each worker; ``shift`` is what the worker's fellows in the job lack of their own baselines.

    ``margin`` raises the threshold, by so many nats.

    The statistic sums log P(seen | accuracy dropped) - log P(seen | baseline), never under 0, where the probability of
    agreement is p c + (1 - p)(1 - c) coincidence for accuracy p and certainty c.
    """
    return _advance(
        state, seen, state.mean + np.asarray(shift, np.float64), rules, margin=np.asarray(margin, np.float64)
    )


def steps(state: State, seen: Evidence, *, shift: npt.ArrayLike = 0.0, rules: Rules = WORKER) -> State:
    """Take many answers of each worker in turn: the first axis of ``seen`` is the order, the others are the streams."""
    shape = np.broadcast_shapes(*(getattr(seen, field.name).shape for field in fields(seen)))
    whole = Evidence(*(np.broadcast_to(getattr(seen, field.name), shape) for field in fields(seen)))
    for number in range(shape[0]):
        state = step(state, pick(whole, number), shift=shift, rules=rules)
    return state


def step_job(
    job: State, part: Membership, worker: State, seen: Evidence, *, rules: Rules = JOB
) -> tuple[State, Membership]:
    """Take one answer, by ``worker``, into each job and into the worker's part in its run.

    The evidence of a worker who gives more than `SHARE_MAX` of the run counts for less: the statistic is of the job, not
    of a person.
    """
    own = _in_run(part, job)
    usual = worker.mean + job.mean
    damping = SHARE_PRIOR / _spread(usual)
    share = own.information / (job.run_information + damping)
    influence = SHARE_MAX / np.maximum(share, SHARE_MAX)
    after = _advance(job, seen, usual, rules, influence=influence)
    same = after.run_from == own.run_from
    added = np.where(same, after.run_information - job.run_information, 0.0)
    scored = np.where(same, after.run_score - job.run_score, 0.0)
    return after, Membership(
        after.run_from, np.where(same, own.information + added, 0.0), np.where(same, own.score + scored, 0.0), own.shift
    )


def shift_of_others(job: State, part: Membership) -> FloatArray:
    """How far the answers of the job's other workers lie from their own baselines at present, as a difference of accuracies.

    The job's settled shift, and of its present run the others' mean, shrunk to 0 in so far as chance explains it.
    """
    own = _in_run(part, job)
    information = np.maximum(job.run_information - own.information, 1e-9)
    score = job.run_score - own.score
    trust = np.maximum(0.0, 1.0 - SHIFT_DOUBT * information / np.maximum(score * score, 1e-9))
    return np.asarray(job.mean + trust * score / information)


def observe(
    worker: State, job: State, part: Membership, seen: Evidence, *, rules: Rules = WORKER, job_rules: Rules = JOB
) -> tuple[State, State, Membership]:
    """Take one answer of each worker in each job: the job first, then the worker relative to the job's other workers."""
    moved, taken = step_job(job, part, worker, seen, rules=job_rules)
    shift = shift_of_others(moved, taken)
    # What the worker gave in this run before the shift was known is excused by it, to first order.
    unexplained = (shift - part.shift) * np.minimum(_in_run(part, moved).information, worker.run_information)
    revised = replace(
        worker,
        statistic=np.maximum(0.0, worker.statistic + rules.drop * np.minimum(unexplained, 0.0)),
        run_score=worker.run_score - unexplained,
    )
    # While the job is under suspicion itself, that is the likelier reason: a worker's alarm needs up to twice as much.
    margin = np.minimum(moved.statistic / 2, rules.threshold)
    return step(revised, seen, shift=shift, margin=margin, rules=rules), moved, replace(taken, shift=shift)


def suspect_window(state: State) -> Window:
    """The answers since the estimated change: of the open alarm, else of the present run."""
    first = np.where(state.alarmed, state.alarm_from, state.run_from) + 1
    after = np.where(state.alarmed, state.alarm_time, state.run_time)
    drop = np.maximum(0.0, -state.run_score / np.maximum(state.run_information, 1e-9))
    return Window(first, state.answers, after, drop)


def close_alarm(state: State, *, dropped: bool, worth: float = 20.0) -> State:
    """The state after a person has looked: the statistic is 0 and no alarm is open, also where none was.

    Where it ``dropped``, the baseline starts anew at the level of the suspect answers, worth at most ``worth`` gold
    answers; where it did not, they join the old baseline as if nothing had been.
    """
    information, score, prior = state.run_information, state.run_score, state.precision
    if dropped:
        kept = np.minimum(1.0, worth / _spread(state.mean) / np.maximum(information, 1e-9))
        information, score, prior = kept * information, kept * score, np.minimum(prior, 1.0)
    precision = prior + information
    at_rest = _at_rest(state.mean + score / precision, precision)
    return replace(at_rest, answers=state.answers, run_from=state.answers, run_time=state.run_time)


def pick[Streams: (State, Membership, Evidence)](streams: Streams, index: Any) -> Streams:
    """The streams at a NumPy index."""
    return replace(
        streams, **{field.name: np.asarray(getattr(streams, field.name)[index]) for field in fields(streams)}
    )


def put[Streams: (State, Membership)](streams: Streams, index: Any, part: Streams) -> None:
    """Write ``part`` into ``streams`` at a NumPy index, in place."""
    for field in fields(streams):
        getattr(streams, field.name)[index] = getattr(part, field.name)


def _advance(
    state: State,
    seen: Evidence,
    usual: FloatArray,
    rules: Rules,
    *,
    influence: FloatArray | float = 1.0,
    margin: FloatArray | float = 0.0,
) -> State:
    """One answer under accuracy ``usual`` against ``usual`` less the drop.

    ``influence`` in [0, 1] scales what it says, ``margin`` is added to the threshold.
    """
    spread = _spread(usual)
    base = (1 - seen.certainty) * seen.coincidence
    slope = seen.certainty - base

    def agreement(accuracy: FloatArray) -> FloatArray:
        return np.clip(base + slope * np.clip(accuracy, ACCURACY_MIN, ACCURACY_MAX), 1e-3, 1 - 1e-3)

    wary = np.maximum(usual - rules.caution / state.precision, ACCURACY_MIN)
    high, low = agreement(wary), agreement(np.maximum(wary - rules.drop, wary / 2))
    ratio = seen.right * np.log(low / high) + (1 - seen.right) * np.log((1 - low) / (1 - high))
    warm = state.precision * spread >= rules.warm_up
    summed = np.where(warm, np.clip(state.statistic + influence * ratio, 0.0, SUM_MAX * rules.threshold), 0.0)
    expected = agreement(usual)
    variance = expected * (1 - expected)
    information = state.run_information + influence * slope * slope / variance
    score = state.run_score + influence * slope * (seen.right - expected) / variance
    answers = state.answers + 1
    rest = summed <= 0
    # An alarm that is open keeps its run out of the baseline also where the statistic comes back to 0.
    joins = rest & ~state.alarmed
    precision = np.where(joins, np.minimum(state.precision, rules.memory / spread) + information, state.precision)
    mean = state.mean + np.where(joins, score / precision, 0.0)
    raised = ~state.alarmed & (summed > rules.threshold + margin)
    return State(
        statistic=summed,
        mean=mean,
        precision=precision,
        run_information=np.where(rest, 0.0, information),
        run_score=np.where(rest, 0.0, score),
        answers=answers,
        run_from=np.where(rest, answers, state.run_from),
        run_time=np.where(rest, seen.at, state.run_time),
        alarm_at=np.where(raised, answers, state.alarm_at),
        alarm_from=np.where(raised, state.run_from, state.alarm_from),
        alarm_time=np.where(raised, state.run_time, state.alarm_time),
    )


def _at_rest(mean: FloatArray, precision: FloatArray) -> State:
    """A state without a run: nothing seen, nothing summed."""

    def zeros() -> FloatArray:
        return np.zeros(np.shape(mean))

    return State(
        statistic=zeros(),
        mean=np.array(mean, np.float64),
        precision=np.array(precision, np.float64),
        run_information=zeros(),
        run_score=zeros(),
        answers=zeros(),
        run_from=zeros(),
        run_time=zeros(),
        alarm_at=np.full(np.shape(mean), NO_ALARM),
        alarm_from=zeros(),
        alarm_time=zeros(),
    )


def _spread(accuracy: FloatArray) -> FloatArray:
    """The variance of one answer's correctness."""
    held = np.clip(accuracy, ACCURACY_MIN, ACCURACY_MAX)
    return np.asarray(held * (1 - held))


def _in_run(part: Membership, job: State) -> Membership:
    """The part, emptied where the job has begun another run since."""
    same = part.run_from == job.run_from
    return Membership(job.run_from, np.where(same, part.information, 0.0), np.where(same, part.score, 0.0), part.shift)

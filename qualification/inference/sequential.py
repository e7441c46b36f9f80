"""When an exam is decided: a sequential test of an accuracy, with error rates that are computed and not hoped for.

A worker who is right with probability ``p0`` should not pass, one who is right with ``p1`` should.  Each answer adds
its log-likelihood ratio to the evidence; the exam ends when the evidence crosses a boundary, when its end can no longer
change, or after ``cap`` questions.  Source: Wald, Sequential Analysis (1947); truncated, with the boundaries chosen on
the exact distribution of the walk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from qualification.inference.answers import FloatArray

CAP_MAX = 200
"""Most questions that an exam may ask."""

_ROUNDING = 1e-9
"""Evidence nearer than this to a boundary is on it: it was added up answer by answer."""

_GRID = 28
"""How many boundaries `calibrated` tries on each side."""


class Verdict(StrEnum):
    """What follows for an exam."""

    PASSED = "passed"
    FAILED = "failed"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """A rule that decides between "right with probability ``p0``" (fail) and "with ``p1``" (pass).

    ``alpha`` is the stated P(pass | p0), ``beta`` the stated P(fail | p1); ``cap`` the most questions.  Evidence is in
    nats: at or above ``high`` passes, at or below ``low`` fails; after ``cap`` questions at least ``final`` passes.  Make
    one with `calibrated`, which keeps the stated rates; `wald` and `fixed` are there to compare with.

    Raises ValueError unless 0 < p0 < p1 < 1, the rates lie in [0, 1], 1 <= cap <= CAP_MAX, and
    low < 0 < high with low < final <= high.
    """

    p0: float
    p1: float
    alpha: float
    beta: float
    cap: int
    low: float
    high: float
    final: float

    def __post_init__(self) -> None:
        if not 0 < self.p0 < self.p1 < 1:
            raise ValueError(f"p0 is {self.p0} and p1 {self.p1}; 0 < p0 < p1 < 1")
        if not (0 <= self.alpha <= 1 and 0 <= self.beta <= 1):
            raise ValueError(f"alpha is {self.alpha} and beta {self.beta}; both lie between 0 and 1")
        if not 1 <= self.cap <= CAP_MAX:
            raise ValueError(f"cap is {self.cap}; it lies between 1 and {CAP_MAX}")
        if not (self.low < 0 < self.high and self.low < self.final <= self.high):
            raise ValueError("low is below 0 and final, high is above 0 and not below final")

    @property
    def gain(self) -> float:
        """What a right answer adds, in nats."""
        return math.log(self.p1 / self.p0)

    @property
    def loss(self) -> float:
        """What a wrong answer takes away, in nats."""
        return math.log((1 - self.p0) / (1 - self.p1))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an exam has come: questions answered, and the evidence of their answers in nats.  All that a row keeps."""

    asked: int = 0
    evidence: float = 0.0


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """The highest level won so far (1 is the lowest, 0 none), and whether no further question can win a higher one."""

    level: int
    ended: bool


@dataclass(frozen=True, eq=False, slots=True)
class Prospect:
    """What will become of a worker: P(pass), the mean number of questions, and P(the exam ends after question n).

    Shape: ``ends`` (cap,), the first entry for n = 1.
    """

    pass_probability: float
    expected_questions: float
    ends: FloatArray


def step(
    test: SequentialTest, progress: Progress, credit: float, *, chances: tuple[float, float] | None = None
) -> Progress:
    """The progress after one more answer that earned ``credit`` (0 wrong, 1 right, between for a part of it).

    Partial credit weighs the two log-likelihood ratios.  ``chances`` are P(right) of this very item at p0 and at p1, for
    items of known difficulty (`rasch.chances_at`); without them every item counts alike.  A decided exam stays as it
    is, so a late answer cannot change it.  Raises ValueError unless credit lies in [0, 1] and 0 < chances < 1.
    """
    if not 0 <= credit <= 1:
        raise ValueError(f"credit is {credit}; it lies between 0 and 1")
    if decide(test, progress) != Verdict.MORE:
        return progress
    p0, p1 = (test.p0, test.p1) if chances is None else chances
    if not (0 < p0 < 1 and 0 < p1 < 1):
        raise ValueError(f"chances are {p0} and {p1}; both lie between 0 and 1")
    ratio = credit * math.log(p1 / p0) + (1 - credit) * math.log((1 - p1) / (1 - p0))
    return Progress(progress.asked + 1, progress.evidence + ratio)


def decide(test: SequentialTest, progress: Progress) -> Verdict:
    """Whether the exam is passed, failed, or needs more answers.

    It also ends when the questions that are left cannot change the end any more, counting each as an item of the
    test's own p0 and p1: that saves questions and changes no pass and no fail.
    """
    left = max(0, test.cap - progress.asked)
    if progress.evidence >= min(test.high, test.final + left * test.loss) - _ROUNDING:
        return Verdict.PASSED
    if progress.evidence <= test.low + _ROUNDING or progress.evidence < test.final - left * test.gain - _ROUNDING:
        return Verdict.FAILED
    return Verdict.MORE


def decide_level(tests: Sequence[SequentialTest], progress: Sequence[Progress]) -> LevelDecision:
    """The level that one exam has won: ``tests`` has one test a level, the lowest first, each with its own progress.

    Every answer is a `step` of every test.  A level stands by its own test, so each keeps its own P(pass | p0).  The
    exam goes on while a level above the highest won is undecided; what lies above a failed level is out of reach.

    Raises ValueError when there is no level, the lengths differ, or the levels do not ask for more and more.
    """
    if not tests or len(tests) != len(progress):
        raise ValueError("there is one progress for each level, and at least one level")
    if any(above.p0 <= below.p0 or above.p1 <= below.p1 for below, above in pairwise(tests)):
        raise ValueError("each level asks for a higher p0 and p1 than the one below it")
    verdicts = [decide(test, state) for test, state in zip(tests, progress, strict=True)]
    level = max((place for place, verdict in enumerate(verdicts, 1) if verdict == Verdict.PASSED), default=0)
    return LevelDecision(level, ended=level == len(tests) or verdicts[level] == Verdict.FAILED)


def prospect(test: SequentialTest, p: float | Sequence[float] | FloatArray) -> Prospect:
    """The exact fate of a worker in a test whose items count alike, by dynamic programming over the walk.

    ``p`` is P(right); or, for partial credit, the chances of the credits 0, 1/m, 2/m, ... 1, shape (m + 1,), m >= 1.
    Cost O(cap² m).  Raises ValueError unless it is a distribution.
    """
    chances = np.array([1 - p, p] if isinstance(p, (int, float)) else p, dtype=np.float64)
    if chances.ndim != 1 or len(chances) < 2 or not (chances >= 0).all() or not abs(chances.sum() - 1) < 1e-9:
        raise ValueError("p is neither a probability nor the chances of the credits 0, 1/m, ... 1")
    parts = len(chances) - 1
    mass, passed, ends = np.ones(1), 0.0, np.zeros(test.cap)
    for asked in range(1, test.cap + 1):
        mass = np.convolve(mass, chances)
        credit = np.arange(len(mass)) / parts
        evidence, left = credit * test.gain - (asked - credit) * test.loss, test.cap - asked
        above = evidence >= min(test.high, test.final + left * test.loss) - _ROUNDING
        below = (evidence <= test.low + _ROUNDING) | (evidence < test.final - left * test.gain - _ROUNDING)
        passed += float(mass[above].sum())
        ends[asked - 1] = mass[above | below].sum()
        mass = np.where(above | below, 0.0, mass)
    return Prospect(min(passed, 1.0), float(ends @ np.arange(1, test.cap + 1)), ends)


def pass_probability(test: SequentialTest, p: float | Sequence[float] | FloatArray) -> float:
    """P(pass) of a worker who is right with probability ``p`` (or with the chances of credits of `prospect`)."""
    return prospect(test, p).pass_probability


def expected_questions(test: SequentialTest, p: float | Sequence[float] | FloatArray) -> float:
    """The mean number of questions for a worker who is right with probability ``p`` (or as in `prospect`)."""
    return prospect(test, p).expected_questions


def wald(p0: float, p1: float, alpha: float, beta: float, cap: int) -> SequentialTest:
    """Wald's own boundaries and, at the cap, the sign of the evidence: truncation makes both errors larger than stated.

    Raises ValueError unless alpha and beta lie in (0, 0.5), and as `SequentialTest`.
    """
    if not (0 < alpha < 0.5 and 0 < beta < 0.5):
        raise ValueError(f"alpha is {alpha} and beta {beta}; both lie between 0 and 0.5")
    return SequentialTest(
        p0, p1, alpha, beta, cap, low=math.log(beta / (1 - alpha)), high=math.log((1 - beta) / alpha), final=0.0
    )


def fixed(p0: float, p1: float, *, questions: int, right: int) -> SequentialTest:
    """The usual quiz: ``right`` of ``questions`` pass, and it ends once that is settled.

    Its alpha and beta are computed: what it does, not what one would like.  Raises ValueError as `SequentialTest`.
    """
    gain, loss = math.log(p1 / p0), math.log((1 - p0) / (1 - p1))
    final = right * gain - (questions - right) * loss
    quiz = SequentialTest(p0, p1, 0.5, 0.5, questions, low=-math.inf, high=math.inf, final=final)
    return replace(quiz, alpha=pass_probability(quiz, p0), beta=1 - pass_probability(quiz, p1))


def calibrated(
    p0: float = 0.70, p1: float = 0.90, alpha: float = 0.045, beta: float = 0.018, cap: int = 90
) -> SequentialTest:
    """The test that keeps P(pass | p0) <= alpha and P(fail | p1) <= beta, truncation included, with few questions.

    Tries a grid of constant boundaries, none among them, on the exact walk; each with the highest mark at the cap that
    keeps beta.  Of those that keep alpha too, takes the one with the fewest questions on the mean of p0 and p1, before
    `decide` saves some at the end.  The defaults make an exam whose passes mean 0.80 or better in six cases of seven
    (`make bench-b7`).  Takes about 0.2 s for a cap of 90 and 1 s for 200, so keep the result.

    Raises ValueError, also when no test of so few questions keeps the rates (the fixed one of ``cap`` questions is among
    those tried, and no sequential one has smaller errors).
    """
    plain = wald(p0, p1, alpha, beta, cap)
    reach = np.append(np.linspace(0.3, 1.5, _GRID), np.inf)
    lows, highs = np.meshgrid(math.log(beta) * reach, -math.log(alpha) * reach)
    low, high = lows.ravel(), highs.ravel()
    passed, asked, last = _walks(plain, low, high)
    evidence = _evidence(plain, cap)
    tails = passed[:, :, None] + np.cumsum(last[:, :, ::-1], axis=2)[:, :, ::-1]
    inside = (low[:, None] < evidence) & (evidence <= high[:, None])
    keeps = inside & (tails[:, 0] <= alpha) & (tails[:, 1] >= 1 - beta)
    marks = keeps.shape[1] - 1 - np.argmax(keeps[:, ::-1], axis=1)
    cost = np.where(keeps.any(axis=1), asked.mean(axis=1), np.inf)
    best = int(np.argmin(cost))
    if not math.isfinite(cost[best]):
        raise ValueError(f"no exam of {cap} questions tells {p0} from {p1} with errors {alpha} and {beta}")
    return SequentialTest(
        p0, p1, alpha, beta, cap, float(low[best]), float(high[best]), final=float(evidence[marks[best]])
    )


def _walks(test: SequentialTest, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For each pair of boundaries (B,) at p0 and p1: P(pass before the cap) and mean questions, both (B, 2), and the mass
    at the cap by right answers (B, 2, cap + 1).
    """
    chance = np.array([test.p0, test.p1])[:, None]
    mass = np.zeros((len(low), 2, test.cap + 1))
    mass[:, :, 0] = 1
    passed, questions = np.zeros((len(low), 2)), np.zeros((len(low), 2))
    for asked in range(1, test.cap + 1):
        questions += mass[:, :, :asked].sum(axis=2)
        moved = mass[:, :, :asked] * chance
        mass[:, :, :asked] -= moved
        mass[:, :, 1 : asked + 1] += moved
        if asked < test.cap:
            evidence = _evidence(test, asked)
            above = evidence >= high[:, None] - _ROUNDING
            out = above | (evidence <= low[:, None] + _ROUNDING)
            here = mass[:, :, : asked + 1]
            passed += (here * above[:, None]).sum(axis=2)
            here *= ~out[:, None]
    return passed, questions, mass


def _evidence(test: SequentialTest, asked: int) -> FloatArray:
    """The evidence after ``asked`` answers by the number of right ones, (asked + 1,)."""
    right = np.arange(asked + 1)
    return right * test.gain - (asked - right) * test.loss

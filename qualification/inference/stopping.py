"""When a task has enough answers: pure stop rules.

A plan says how many answers a task gets; `decide` looks at the belief and the number of answers and says what follows:
the label stands (resolved), n more answers are wanted (more), or no label stands (contested, and why).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from qualification.inference.answers import FloatArray

OVERLAP_MAX = 1000
"""Most answers that a plan may ask for."""

ROUNDING = 1e-6
"""Beliefs nearer than this are level: they may have been stored as 32-bit floats."""


class Policy(StrEnum):
    """The kinds of plan."""

    FIXED = "fixed"
    CONFIDENCE = "confidence"


class Outcome(StrEnum):
    """What follows for a task."""

    RESOLVED = "resolved"
    MORE = "more"
    CONTESTED = "contested"


class Reason(StrEnum):
    """Why no label stands.  `BUDGET` is given by the act that could not open a further slot."""

    TIE = "tie"
    ANSWERS_MAX = "answers_max"
    EXHAUSTED = "exhausted"
    NO_ANSWERS = "no_answers"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many answers a task gets.

    ``fixed``: exactly ``overlap`` answers, then the most believed class; ``threshold`` is None, ``answers_max`` equals
    ``overlap``.  ``confidence``: at least ``overlap`` answers, then one at a time until the most believed class reaches
    ``threshold`` (above 0.5, at most 1) or there are ``answers_max``.  Raises ValueError on anything else.
    """

    policy: str
    overlap: int
    threshold: float | None
    answers_max: int

    def __post_init__(self) -> None:
        if self.policy not in list(Policy):
            raise ValueError(f"there is no policy {self.policy!r}; choose one of {', '.join(Policy)}")
        if not 1 <= self.overlap <= OVERLAP_MAX:
            raise ValueError(f"overlap is {self.overlap}; it lies between 1 and {OVERLAP_MAX}")
        if self.policy == Policy.FIXED and (self.threshold is not None or self.answers_max != self.overlap):
            raise ValueError("a fixed plan has no threshold, and its answers_max is its overlap")
        if self.policy == Policy.CONFIDENCE:
            if self.threshold is None or not 0.5 < self.threshold <= 1:
                raise ValueError(f"threshold is {self.threshold}; it is above 0.5 and at most 1")
            if not self.overlap <= self.answers_max <= OVERLAP_MAX:
                raise ValueError(
                    f"answers_max is {self.answers_max}; it lies between overlap {self.overlap} and {OVERLAP_MAX}"
                )

    def __str__(self) -> str:
        """The text that `parse_policy` reads back."""
        if self.policy == Policy.FIXED:
            return f"{Policy.FIXED}:{self.overlap}"
        return f"{Policy.CONFIDENCE}:{self.threshold}:{self.overlap}:{self.answers_max}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for one task.

    ``label_index`` is the most believed class (the lowest index of those level with it), None without answers;
    ``confidence`` its belief; ``tied`` says that others are level with it; ``more`` is how many answers are wanted now;
    ``reason`` is set when contested.
    """

    outcome: Outcome
    label_index: int | None
    confidence: float
    tied: bool = False
    more: int = 0
    reason: Reason | None = None


def parse_policy(text: str) -> Plan:
    """Read "fixed:5" or "confidence:0.95:3:7" (threshold, least and most answers); ValueError says what is wrong."""
    name, *parts = text.split(":")
    if name == Policy.FIXED:
        if len(parts) != 1:
            raise ValueError(f"{text!r} is not fixed:K, for example fixed:5")
        overlap = _whole(parts[0], text)
        return Plan(Policy.FIXED, overlap, None, overlap)
    if name == Policy.CONFIDENCE:
        if len(parts) != 3:
            raise ValueError(f"{text!r} is not confidence:THRESHOLD:LEAST:MOST, for example confidence:0.95:3:7")
        if not re.fullmatch(r"[01](\.[0-9]{1,9})?", parts[0]):
            raise ValueError(f"{parts[0]!r} in {text!r} is not a threshold, for example 0.95")
        return Plan(Policy.CONFIDENCE, _whole(parts[1], text), float(parts[0]), _whole(parts[2], text))
    raise ValueError(f"there is no policy {name!r}; choose one of {', '.join(Policy)}")


def decide(plan: Plan, posterior: Sequence[float] | FloatArray, answers: int, *, exhausted: bool = False) -> Decision:
    """Say what follows for a task with belief ``posterior`` (K,) after ``answers`` answers.

    1. No answers: more, or contested (no_answers) when ``exhausted``, that is when no further answer can be had.
    2. Fewer than ``overlap``: more, unless exhausted.
    3. fixed: resolved as the most believed class; a tie takes the lowest class index and says ``tied``.
    4. confidence: resolved at the threshold; else contested when exhausted, or at ``answers_max`` (reason ``tie`` if
       the best classes are level, else ``answers_max``); else one more.

    Raises ValueError when ``posterior`` is empty or not a distribution.
    """
    beliefs = np.asarray(posterior, dtype=np.float64)
    if beliefs.ndim != 1 or not len(beliefs) or not abs(beliefs.sum() - 1) < 1e-3:
        raise ValueError("posterior is not a distribution over the classes")
    if answers <= 0:
        first = Decision(Outcome.MORE, None, 0.0, more=plan.overlap)
        return Decision(Outcome.CONTESTED, None, 0.0, reason=Reason.NO_ANSWERS) if exhausted else first
    best = float(beliefs.max())
    level = np.flatnonzero(beliefs >= best - ROUNDING)
    label, tied = int(level[0]), len(level) > 1
    if answers < plan.overlap and not exhausted:
        return Decision(Outcome.MORE, label, best, tied, more=plan.overlap - answers)
    if plan.threshold is None or best >= plan.threshold - ROUNDING:
        return Decision(Outcome.RESOLVED, label, best, tied)
    if answers >= plan.answers_max:
        return Decision(Outcome.CONTESTED, label, best, tied, reason=Reason.TIE if tied else Reason.ANSWERS_MAX)
    if exhausted:
        return Decision(Outcome.CONTESTED, label, best, tied, reason=Reason.EXHAUSTED)
    return Decision(Outcome.MORE, label, best, tied, more=1)


def _whole(text: str, policy: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError(f"{text!r} in {policy!r} is not a whole number")
    return int(text)

"""How good a replay was. Pure: arrays in, figures out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from qualification.inference.agreement import expected_calibration_error


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one task: its state, the most believed class and the belief in it; None without answers."""

    state: str
    class_index: int | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """Figures over the tasks with truth; None where there is none. Errors and accuracies are shares."""

    judged_tasks: int
    accuracy: float | None
    majority_accuracy: float | None
    ece: float | None


def score(
    judgements: Mapping[str, Judgement], votes: Iterable[tuple[str, int]], truth: Mapping[str, int], classes: int
) -> Score:
    """Compare judgements with ``truth`` (item to class), beside a plain majority of the same ``votes`` (item, class).

    A task that got no answer counts as wrong; in the majority tied classes share, which is the expected accuracy of
    breaking ties at random.
    """
    items = [item for item in judgements if item in truth]
    if not items:
        return Score(0, None, None, None)
    place = {item: number for number, item in enumerate(items)}
    right = np.array([judgements[item].class_index == truth[item] for item in items], dtype=np.float64)
    confidence = np.array([judgements[item].confidence or 0.0 for item in items])
    table = np.zeros((len(items), classes))
    for item, class_index in votes:
        if item in place:
            table[place[item], class_index] += 1
    leads = (table == table.max(axis=1, keepdims=True)) & (table > 0)
    wins = leads[np.arange(len(items)), [truth[item] for item in items]] / np.maximum(leads.sum(axis=1), 1)
    # Beliefs are stored as 32-bit floats, which may sum to a hair above 1.
    ece = expected_calibration_error(np.minimum(confidence, 1.0), right)
    return Score(len(items), float(right.mean()), float(wins.mean()), ece)

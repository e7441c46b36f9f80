"""Prediction: ``make bench-coverage DATA=DIR``. After 20 gold answers, how will the next ones turn out?

For each worker with at least 40 answers on items with truth: the first 20 are gold, and the 90 % interval of the share of
right ones among the others is held against what they were. The population is fitted on everybody's first 20 alone. Answers
come in the order of their times where the set has them; else, or with ``ARGS=--shuffled``, in a random order, one a seed.
Takes categorical and ordinal sets with at least 100 items with truth and 2 answers an item. Prints one JSON object last:
covered_90 and mean_width over all workers of all sets, and how many workers that are.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from marketplace.replay.dataset import Dataset
from qualification.inference.answers import FloatArray
from qualification.inference.prediction import predicted_shares
from qualification.inference.skill import fitted_population, remembered_all, skills
from tests.bench import recorded

KINDS = ("categorical", "ordinal")
TRUTH_MIN, ANSWERS_AN_ITEM_MIN = 100, 2.0
GOLD, NEXT_MIN = 20, 20


def fits(dataset: Dataset) -> bool:
    """Whether the bench takes this set."""
    items = len({answer.item for answer in dataset.answers})
    return len(dataset.truth) >= TRUTH_MIN and len(dataset.answers) / items >= ANSWERS_AN_ITEM_MIN


def coverage(
    dataset: Dataset, times: Mapping[tuple[str, str], str] | None, seeds: Sequence[int]
) -> tuple[dict[str, Any], FloatArray]:
    """One data set: its figures, and covered and width of every worker, (workers, 2), means over the seeds."""
    judged = [
        (answer.worker, float(answer.class_index == dataset.truth[answer.item]), (answer.item, answer.worker))
        for answer in dataset.answers
        if answer.item in dataset.truth
    ]
    if times is not None:
        judged.sort(key=lambda one: times[one[2]])
        seeds = seeds[:1]
    rows: list[FloatArray] = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        order = range(len(judged)) if times is not None else rng.permutation(len(judged))
        by_worker: dict[str, list[float]] = {worker: [] for worker in sorted({one[0] for one in judged})}
        for place in order:
            by_worker[judged[place][0]].append(judged[place][1])
        rows.append(_predicted(list(by_worker.values())))
    found: FloatArray = np.mean(rows, axis=0)
    figures = {
        "workers": len(found),
        "covered_90": float(found[:, 0].mean()) if len(found) else None,
        "mean_width": float(found[:, 1].mean()) if len(found) else None,
        "order": "shuffled" if times is None else "recorded",
    }
    return figures, found


def _predicted(hits: Sequence[Sequence[float]]) -> FloatArray:
    """Covered (1 or 0) and width of the interval of each worker who answered enough, (workers, 2)."""
    first = [one[:GOLD] for one in hits]
    workers = np.repeat(np.arange(len(hits)), [len(one) for one in first])
    right, wrong = remembered_all(workers, np.zeros_like(workers), np.concatenate(first), shape=(len(hits), 1))
    measured = skills(right, wrong, fitted_population(right, wrong))
    enough = [place for place, one in enumerate(hits) if len(one) >= GOLD + NEXT_MIN]
    if not enough:
        return np.empty((0, 2))
    later = [np.array(hits[place][GOLD:]) for place in enough]
    said = predicted_shares(measured.a[enough, 0], measured.b[enough, 0], [len(one) for one in later])
    observed = np.array([one.mean() for one in later])
    covered = (observed >= said.low - 1e-9) & (observed <= said.high + 1e-9)
    return np.stack([covered.astype(np.float64), said.high - said.low], axis=1)


def main() -> int:
    """Read the options, run, print; 1 when no set has a worker with enough answers."""
    asked = recorded.options("coverage", __doc__, seeds="0-4", flags=("shuffled",))
    sets, everybody = {}, [np.empty((0, 2))]
    for name, dataset in recorded.datasets(asked.data, KINDS):
        if fits(dataset):
            times = None if asked.shuffled else recorded.times(asked.data / name)
            sets[name], found = coverage(dataset, times, asked.seeds)
            everybody.append(found)
            print(name, sets[name])
    found = np.concatenate(everybody)
    figures = {
        "covered_90": float(found[:, 0].mean()) if len(found) else None,
        "mean_width": float(found[:, 1].mean()) if len(found) else None,
        "workers": len(found),
    }
    recorded.finish({**figures, "sets": sets}, asked.out)
    return 0 if len(found) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Hidden experts: ``make bench-experts DATA=DIR``. A third of the questions is gold; who answers the others?

For each draw of the gold, everybody's skill is measured on it, and the other questions go to the five best workers, whose
answers count by the engine's arithmetic with their measured accuracy. Beside it the plain majority of everybody. Prints
one JSON object last: routed_accuracy and majority_accuracy, means over the sets of kind `options` and over the draws.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from marketplace.replay.dataset import Dataset
from qualification.inference.answers import Answers, FloatArray, IntArray
from qualification.inference.engine import engine_named
from qualification.inference.fit import diagonal_confusion
from qualification.inference.skill import fitted_population, remembered_all, skills
from tests.bench import recorded

KINDS = ("options",)
EXPERTS = 5


def gold_of(questions: int) -> int:
    """How many questions are gold: the whole number nearest to a third."""
    return round(questions / 3)


def experts(dataset: Dataset, seeds: Sequence[int]) -> dict[str, Any]:
    """One data set: accuracies on the questions that are not gold, means over the seeds."""
    answers = Answers.of(
        [
            (answer.item, answer.worker, answer.class_index)
            for answer in dataset.answers
            if answer.item in dataset.truth
        ],
        classes=dataset.classes,
    )
    truth = np.array([dataset.truth[str(task)] for task in answers.tasks])
    routed, majority = [], []
    for seed in seeds:
        one, other = _draw(answers, truth, np.random.default_rng(seed))
        routed.append(one)
        majority.append(other)
    return {
        "questions": answers.n_tasks,
        "gold": gold_of(answers.n_tasks),
        "workers": answers.n_workers,
        "routed_accuracy": float(np.mean(routed)),
        "routed_standard_error": float(np.std(routed) / np.sqrt(len(routed))),
        "majority_accuracy": float(np.mean(majority)),
    }


def _draw(answers: Answers, truth: IntArray, rng: np.random.Generator) -> tuple[float, float]:
    """Draw the gold, measure, route: the routed accuracy and the majority's."""
    shuffled = rng.permutation(answers.n_tasks)
    is_gold = np.zeros(answers.n_tasks, dtype=bool)
    is_gold[shuffled[: gold_of(answers.n_tasks)]] = True
    accuracies = _measured(answers, truth, is_gold)
    # Equals come in an order by chance, which is not that of the file.
    best = np.lexsort((rng.random(answers.n_workers), -accuracies))[:EXPERTS]
    engine = engine_named("dawid_skene")
    evidence = np.zeros((answers.n_tasks, answers.n_classes))
    for worker in best:
        confusion = diagonal_confusion(answers.n_classes, float(accuracies[worker]))
        for place in np.flatnonzero(answers.worker_index == worker):
            label = int(answers.label_index[place])
            evidence[answers.task_index[place]] += engine.contribution(confusion, label, answers.n_classes)
    routed = engine.posterior(evidence, np.full(answers.n_classes, 1 / answers.n_classes))
    votes = engine_named("majority").fit(answers).posterior
    return _accuracy(routed[~is_gold], truth[~is_gold]), _accuracy(votes[~is_gold], truth[~is_gold])


def _measured(answers: Answers, truth: IntArray, is_gold: np.typing.NDArray[np.bool_]) -> FloatArray:
    """Everybody's expected accuracy after the gold, (n_workers,)."""
    on_gold = is_gold[answers.task_index]
    workers, tasks = answers.worker_index[on_gold], answers.task_index[on_gold]
    right, wrong = remembered_all(
        workers, np.zeros_like(workers), answers.label_index[on_gold] == truth[tasks], shape=(answers.n_workers, 1)
    )
    return skills(right, wrong, fitted_population(right, wrong)).mean[:, 0]


def _accuracy(posterior: FloatArray, truth: IntArray) -> float:
    """The share of questions whose most believed option is right; options that are level share one."""
    level = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return float(np.mean(level[np.arange(len(truth)), truth] / level.sum(axis=1)))


def main() -> int:
    """Read the options, run, print; 1 when there was no set of the kind."""
    asked = recorded.options("experts", __doc__, seeds="0-19")
    sets = {}
    for name, dataset in recorded.datasets(asked.data, KINDS):
        sets[name] = experts(dataset, asked.seeds)
        print(name, sets[name])
    keys = ("routed_accuracy", "majority_accuracy")
    means = {key: float(np.mean([one[key] for one in sets.values()])) if sets else None for key in keys}
    recorded.finish({**means, "draws": len(asked.seeds), "sets": sets}, asked.out)
    return 0 if sets else 1


if __name__ == "__main__":
    sys.exit(main())

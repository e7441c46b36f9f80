"""Recorded crowd answers, where a folder of them is at hand, and made-up ones where not."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qualification.inference.answers import Answers, FloatArray
from qualification.inference.fit import diagonal_confusion

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("TOUCHSTONE_DATA") or ROOT.parent / "shared" / "data")


@dataclass(frozen=True)
class Recording:
    """One recorded set: crowd answers as (item, worker, label), truth by item, and the classes in order."""

    answers: tuple[tuple[Hashable, Hashable, Hashable], ...]
    truth: Mapping[Hashable, Hashable]
    classes: tuple[str, ...]

    def cut(self, overlap: int, rng: np.random.Generator, items: int | None = None) -> Answers:
        """At most ``overlap`` answers of each of the first ``items`` items, in random order."""
        by_item: dict[Hashable, list[tuple[Hashable, Hashable, Hashable]]] = {}
        for answer in self.answers:
            by_item.setdefault(answer[0], []).append(answer)
        chosen = [
            answers[place]
            for answers in list(by_item.values())[:items]
            for place in rng.permutation(len(answers))[:overlap]
        ]
        return Answers.of(chosen, classes=self.classes)


def recording(name: str) -> Recording:
    """Read one folder of the data."""
    folder = DATA / name
    rows, truth = _rows(folder / "answers.csv.gz"), _rows(folder / "truth.csv.gz")
    return Recording(
        tuple((r["item_id"], r["worker_id"], r["label"]) for r in rows if r.get("worker_group", "crowd") == "crowd"),
        {r["item_id"]: r["label"] for r in truth},
        tuple(json.loads((folder / "dataset.json").read_text())["classes"]),
    )


def accuracy(
    posterior: FloatArray, answers: Answers, truth: Mapping[Hashable, Hashable], classes: tuple[str, ...]
) -> float:
    """The share of tasks whose best class is the truth; level classes share one task between them."""
    place = {task: index for index, task in enumerate(answers.tasks)}
    scores = []
    for task, label in truth.items():
        if task in place:
            level = posterior[place[task]] >= posterior[place[task]].max() - 1e-9
            scores.append(float(level[classes.index(str(label))]) / float(level.sum()))
    return float(np.mean(scores))


def a_crowd(
    *, tasks: int = 60, workers: int = 12, classes: int = 3, overlap: int = 5, gold: int = 0, seed: int = 0
) -> tuple[Answers, FloatArray]:
    """Made-up answers of workers of mixed skill, and the true classes (n_tasks,); the first ``gold`` tasks are gold."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=tasks)
    skills = [diagonal_confusion(classes, accuracy) for accuracy in rng.uniform(0.4, 0.95, size=workers)]
    triples = [
        (task, int(worker), int(rng.choice(classes, p=skills[worker][truth[task]])))
        for task in range(tasks)
        for worker in rng.choice(workers, size=overlap, replace=False)
    ]
    known: dict[Hashable, Hashable] = {task: int(truth[task]) for task in range(gold)}
    answers = Answers.of(triples, classes=classes, tasks=range(tasks), workers=range(workers), gold=known)
    return answers, truth.astype(np.float64)


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

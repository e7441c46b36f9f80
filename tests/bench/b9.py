"""Spam and rings: ``make bench-b9 DATA=DIR``.  Rings of four and random clickers that are made up, and recorded sets.

The product's own `rings` and `spam` read the answers; only the world is made up here.  A ring is one worker whom three others
copy with probability 0.9.  The recorded sets are read as they are, where nobody is known to copy, and with a ring put in and
no gold.  Prints one JSON object last, and exits 1 unless every bar of B9 holds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from marketplace.replay.dataset import Dataset
from qualification.inference import likeness, rings, spam
from qualification.inference.answers import Answers, FloatArray, IntArray
from qualification.inference.engine import engine_named
from tests.bench import recorded

KINDS = ("categorical", "ordinal", "options", "pairwise")
RING, COPIED, RING_ACCURACY = 4, 0.9, 0.72
WORKERS, TASKS, OVERLAP, GOLD_SHARE = 120, 300, 10, 0.2
HARD, HARDER, DECOY = 0.15, 0.6, 0.7
"""Share of hard tasks, the factor of accuracy there, and the share of its errors that go to one and the same class."""

CLICKERS, TASKS_OF_CLICKERS = 0.10, 900
"""Among so many tasks each worker meets 15 gold tasks and 60 others."""

SCENES = ((4, 40), (4, 80), (4, 150), (2, 40), (2, 80), (2, 150))
INJECTIONS = 5
ITEMS_MAX = 10_000
"""Of larger sets the first items are read."""

INJECTED_ANSWERS, INJECTED_SHARED = 40, 20


@dataclass(frozen=True)
class World:
    """Answers, the true classes, the accuracies of the workers, and answers that could be asked for in addition."""

    answers: Answers
    truth: IntArray
    accuracy: FloatArray
    spare: Answers


def made_up(
    classes: int, shared: int, seed: int, *, copied: float = COPIED, tasks: int = TASKS, clickers: int = 0
) -> World:
    """Workers of accuracy Beta(8, 3), the first four of whom share ``shared`` tasks and copy from the first.

    ``clickers`` of the workers answer evenly at random; with ``shared`` 0 there is no ring.
    """
    rng = np.random.default_rng([9, seed, classes, shared, clickers])
    truth, accuracy = rng.integers(classes, size=tasks), rng.beta(8, 3, WORKERS)
    if shared:
        accuracy[:RING] = RING_ACCURACY
    hard, decoy = rng.random(tasks) < HARD, (truth + rng.integers(1, classes, tasks)) % classes
    ringed = np.isin(np.arange(tasks), rng.choice(tasks, shared, replace=False))
    given: list[tuple[int, int, int]] = []
    spare: list[tuple[int, int, int]] = []
    for task in range(tasks):
        ring = list(range(RING)) if ringed[task] else []
        crew = rng.choice(np.arange(RING if shared else 0, WORKERS), OVERLAP - len(ring) + RING - 1, replace=False)
        source = -1
        for place, worker in enumerate([*ring, *map(int, crew)]):
            right = rng.random() < accuracy[worker] * (HARDER if hard[task] else 1)
            wrong = (
                decoy[task]
                if hard[task] and rng.random() < DECOY
                else (truth[task] + rng.integers(1, classes)) % classes
            )
            label = int(truth[task] if right else wrong)
            if worker >= WORKERS - clickers:
                label = int(rng.integers(classes))
            copies = rng.random() < copied
            source = label if place == 0 else source
            if ring and 0 < place < RING and copies:
                label = source
            (given if place < OVERLAP else spare).append((task, worker, label))
    gold = np.where(rng.random(tasks) < GOLD_SHARE, truth, -1)

    def answers(rows: list[tuple[int, int, int]]) -> Answers:
        columns = np.array(rows)
        return Answers(columns[:, 0], columns[:, 1], columns[:, 2], tasks, WORKERS, classes, gold=gold)

    return World(answers(given), truth, accuracy, answers(spare))


def read(answers: Answers) -> tuple[likeness.Scene, likeness.Pairs, tuple[rings.Ring, ...]]:
    """What the product makes of answers."""
    scene = likeness.scene(answers, engine_named("dawid_skene").fit(answers).posterior)
    scored = likeness.pairs(scene)
    return scene, scored, rings.rings(scene, scored)


def pairs_within(found: Sequence[rings.Ring], members: set[int]) -> int:
    """How many pairs of ``members`` are in one ring together."""
    hits = [len(members & set(ring.members)) for ring in found]
    return sum(hit * (hit - 1) // 2 for hit in hits)


def accuracy(answers: Answers, truth: IntArray) -> float:
    """The engine's accuracy on tasks without gold."""
    belief = engine_named("dawid_skene").fit(answers).posterior
    return float(np.mean((belief.argmax(axis=1) == truth)[answers.gold < 0]))


def joined(one: Answers, other: Answers, chosen: IntArray) -> Answers:
    """``one`` with the ``chosen`` answers of ``other``."""
    return replace(
        one,
        task_index=np.concatenate((one.task_index, other.task_index[chosen])),
        worker_index=np.concatenate((one.worker_index, other.worker_index[chosen])),
        label_index=np.concatenate((one.label_index, other.label_index[chosen])),
    )


def of_rings(classes: int, shared: int, seeds: Sequence[int]) -> dict[str, float]:
    """Rings of four: found pairs, innocents, and what becomes of the labels."""
    rows: list[tuple[float, ...]] = []
    for seed in seeds:
        world = made_up(classes, shared, seed)
        _, scored, found = read(world.answers)
        members = set(range(RING))
        innocents = sum(len(set(ring.members) - members) for ring in found)
        enough = scored.shared >= likeness.SHARED_MIN
        past = enough & (scored.scores > np.log(max(1, int(enough.sum())) / rings.ALPHA))
        one = rings.as_one(world.answers, found)
        # A ring counts as one voice, so its tasks are short of answers, and the line asks others for them.
        missing = np.bincount(world.answers.task_index, minlength=TASKS) - np.bincount(one.task_index, minlength=TASKS)
        nth = np.arange(len(world.spare)) % (RING - 1)
        refilled = joined(one, world.spare, np.flatnonzero(nth < missing[world.spare.task_index]))
        rows.append(
            (
                pairs_within(found, members) / 6,
                (past & (scored.second < RING)).sum() / 6,
                innocents,
                accuracy(made_up(classes, shared, seed, copied=0).answers, world.truth),
                accuracy(world.answers, world.truth),
                accuracy(one, world.truth),
                accuracy(refilled, world.truth),
            )
        )
    mean = np.mean(rows, axis=0)
    names = ("recall", "recall_of_pairs_alone", "innocents_per_1000", "accuracy_without_ring", "accuracy_untreated")
    figures = dict(zip((*names, "accuracy_as_one", "accuracy_refilled"), map(float, mean), strict=True))
    figures["innocents_per_1000"] *= 1000 / (WORKERS - RING)
    return {name: round(value, 4) for name, value in figures.items()}


def of_clickers(classes: int, seeds: Sequence[int]) -> dict[str, float]:
    """Ten in a hundred click at random: how many are shown, and how many of the others."""
    clickers = round(CLICKERS * WORKERS)
    caught, others, fair, ringed = [], [], [], 0
    for seed in seeds:
        world = made_up(classes, 0, seed, tasks=TASKS_OF_CLICKERS, clickers=clickers)
        scene, _, found = read(world.answers)
        shown = {flag.worker for flag in spam.flags(spam.tables(scene)) if flag.habit == spam.Habit.RANDOM}
        hit = np.isin(np.arange(WORKERS), list(shown))
        caught.append(hit[-clickers:])
        others.append(hit[:-clickers])
        fair.append(hit[:-clickers][world.accuracy[:-clickers] >= 0.6])
        ringed += sum(len(ring.members) for ring in found)
    return {
        "caught": round(float(np.mean(np.concatenate(caught))), 4),
        "others_shown": round(float(np.mean(np.concatenate(others))), 4),
        "others_shown_accuracy_60": round(float(np.mean(np.concatenate(fair))), 4),
        "in_rings": ringed,
    }


def crowd(dataset: Dataset) -> Answers:
    """The answers of a recorded set, without gold; of the first items where there are very many."""
    read_items = set(sorted({answer.item for answer in dataset.answers})[:ITEMS_MAX])
    return Answers.of(
        [(answer.item, answer.worker, answer.class_index) for answer in dataset.answers if answer.item in read_items],
        classes=dataset.classes,
    )


def signals(ring: rings.Ring, answers: Answers, times: Mapping[tuple[str, str], str] | None) -> list[str]:
    """The one second signal that a recorded set may hold: that two members take the tasks in step."""
    if times is None:
        return []
    at: dict[int, dict[int, float]] = {}
    for task, worker in zip(answers.task_index, answers.worker_index, strict=True):
        key = (str(answers.tasks[task]), str(answers.workers[worker]))
        at.setdefault(int(worker), {})[int(task)] = datetime.fromisoformat(times[key]).timestamp()

    def step(one: int, other: int) -> float:
        both = sorted(at[one].keys() & at[other].keys())
        return rings.in_step([at[one][task] for task in both], [at[other][task] for task in both])

    inside = [step(one, other) for one in ring.members for other in ring.members if one < other]
    outside = [step(one, other) for one in ring.members for other in at if other not in ring.members]
    return ["in step"] if rings.stands_out(max(inside), outside) else []


def with_ring(answers: Answers, rng: np.random.Generator) -> tuple[Answers, set[int]] | None:
    """Three who share enough tasks with a fourth copy from that one, and answer no other tasks; None where nobody does."""
    by: list[dict[int, int]] = [{} for _ in range(answers.n_workers)]
    for place, (task, worker) in enumerate(zip(answers.task_index, answers.worker_index, strict=True)):
        by[worker][int(task)] = place
    many = np.array([worker for worker, given in enumerate(by) if len(given) >= INJECTED_ANSWERS], dtype=np.intp)
    for source in rng.permutation(many):
        near = [w for w in range(len(by)) if w != source and len(by[w].keys() & by[source].keys()) >= INJECTED_SHARED]
        if len(near) >= RING - 1:
            break
    else:
        return None
    label, kept = answers.label_index.copy(), np.ones(len(answers), dtype=bool)
    copiers = [int(worker) for worker in rng.choice(near, RING - 1, replace=False)]
    for worker in copiers:
        for task, place in by[worker].items():
            kept[place] = task in by[source]
            if kept[place] and rng.random() < COPIED:
                label[place] = answers.label_index[by[source][task]]
    columns = (answers.task_index[kept], answers.worker_index[kept], label[kept])
    changed = Answers(*columns, answers.n_tasks, answers.n_workers, answers.n_classes)
    return changed, {int(source), *copiers}


def of_recorded(dataset: Dataset, times: Mapping[tuple[str, str], str] | None, seeds: Sequence[int]) -> dict[str, Any]:
    """A recorded set as it is, and with rings put in."""
    answers = crowd(dataset)
    scene, scored, found = read(answers)
    tiers = [rings.tier(ring, signals=signals(ring, answers, times)) for ring in found]
    shown = [flag.habit for flag in spam.flags(spam.tables(scene))]
    recall, innocents = [], []
    for seed in seeds:
        put_in = with_ring(answers, np.random.default_rng(seed))
        if put_in is None:
            break
        _, _, again = read(put_in[0])
        recall.append(pairs_within(again, put_in[1]) / 6)
        innocents.append(sum(len(set(r.members) - put_in[1]) for r in again if put_in[1] & set(r.members)))
    return {
        "workers": answers.n_workers,
        "pairs": int((scored.shared >= likeness.SHARED_MIN).sum()),
        "rings": [
            {"size": len(r.members), "margin": round(r.margin, 1), "shared": r.shared, "same": r.same} for r in found
        ],
        "tier1": sum(len(ring.members) for ring in found),
        "tier2": sum(len(ring.members) for ring, one in zip(found, tiers, strict=True) if one == rings.Tier.REVIEW),
        "times": times is not None,
        "random_shown": shown.count(spam.Habit.RANDOM),
        "single_shown": shown.count(spam.Habit.SINGLE),
        "injected": len(recall),
        "recall_injected": round(float(np.mean(recall)), 3) if recall else None,
        "innocents_beside_injected": round(float(np.mean(innocents)), 3) if innocents else None,
    }


def whole(
    made: Mapping[str, dict[str, float]], clicked: Mapping[str, dict[str, float]], sets: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures that B9 names."""
    injected = [one["recall_injected"] for one in sets.values() if one["recall_injected"] is not None]
    return {
        "recall_k4": made["k4_shared80"]["recall"],
        "recall_k2": made["k2_shared150"]["recall"],
        "innocents_per_1000": max(
            made["k4_shared80"]["innocents_per_1000"], made["k2_shared150"]["innocents_per_1000"]
        ),
        "clickers_caught": clicked["k4"]["caught"],
        "clickers_caught_k2": clicked["k2"]["caught"],
        "tier1_on_real_sets": sum(one["tier1"] for one in sets.values()) if sets else None,
        "tier2_on_real_sets": sum(one["tier2"] for one in sets.values()) if sets else None,
        "recall_injected": round(float(np.mean(injected)), 3) if injected else None,
        "accuracy_lost": max(
            round(made[name]["accuracy_without_ring"] - made[name]["accuracy_refilled"], 4)
            for name in ("k4_shared80", "k2_shared150")
        ),
    }


def passed(found: Mapping[str, Any]) -> bool:
    """Whether every bar of B9 holds; those on recorded sets where there are any."""
    return bool(
        found["recall_k4"] >= 0.95
        and found["recall_k2"] >= 0.90
        and found["innocents_per_1000"] <= 1
        and found["clickers_caught"] >= 0.95
        and found["accuracy_lost"] <= 0.005
        and found["tier2_on_real_sets"] in (0, None)
        and (found["recall_injected"] is None or found["recall_injected"] >= 0.35)
    )


def main() -> int:
    """Read the options, run, print."""
    asked = recorded.options("b9", __doc__, seeds="0-9")
    started = time.monotonic()
    made = {f"k{classes}_shared{shared}": of_rings(classes, shared, asked.seeds) for classes, shared in SCENES}
    clicked = {f"k{classes}": of_clickers(classes, asked.seeds) for classes in (4, 2)}
    print(made, clicked, flush=True)
    sets = {}
    for name, dataset in recorded.datasets(asked.data, KINDS):
        sets[name] = of_recorded(dataset, recorded.times(asked.data / name), asked.seeds[:INJECTIONS])
        print(name, sets[name], flush=True)
    found = whole(made, clicked, sets)
    found |= {"passed": passed(found), "seconds": round(time.monotonic() - started, 1)}
    recorded.finish(
        {**found, "seeds": list(asked.seeds), "made_up": made, "clickers": clicked, "sets": sets}, asked.out
    )
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

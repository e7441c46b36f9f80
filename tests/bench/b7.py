"""Exams: ``make bench-b7``. Who passes, after how many questions, and what a pass says: simulated workers, our own rule.

20,000 workers at each accuracy of science.md's B7 and as many of Beta(8, 2.5) sit the standard exam answer by answer;
beside what they did stand the exact figures and those of the pilot and of the usual quiz. Prints one JSON object last,
and exits 1 unless the bars are kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from qualification.inference import rasch
from qualification.inference.sequential import (
    Progress,
    SequentialTest,
    Verdict,
    calibrated,
    decide,
    fixed,
    prospect,
    step,
    wald,
)

ACCURACIES = (0.60, 0.70, 0.80, 0.85, 0.90, 0.95)
INDIFFERENT = (0.75, 0.85)
"""Between these a worker may pass or fail, and the mean number of questions is not held to the bar."""
NEAR = (0.74, 0.86)
POPULATION = (8.0, 2.5)
GOOD = 0.80
POOL = 320


def sit(test: SequentialTest, accuracy: float, rng: np.random.Generator) -> tuple[bool, int]:
    """One worker's exam: whether it was passed, and after how many questions."""
    progress, right = Progress(), rng.random(test.cap) < accuracy
    while (verdict := decide(test, progress)) == Verdict.MORE:
        progress = step(test, progress, float(right[progress.asked]))
    return verdict == Verdict.PASSED, progress.asked


def simulate(test: SequentialTest, workers: int, seed: int) -> dict[str, Any]:
    """Workers at each accuracy, and as many of the mixed population."""
    passes, questions = {}, {}
    for place, accuracy in enumerate(ACCURACIES):
        rng = np.random.default_rng([seed, place])
        sat = np.array([sit(test, accuracy, rng) for _ in range(workers)], dtype=np.float64)
        passes[accuracy], questions[accuracy] = sat.mean(axis=0).tolist()
    rng = np.random.default_rng([seed, len(ACCURACIES)])
    crowd = rng.beta(*POPULATION, workers)
    mixed = np.array([sit(test, accuracy, rng) for accuracy in crowd], dtype=np.float64)
    granted = crowd[mixed[:, 0] > 0]
    return {
        "passes": passes,
        "questions": questions,
        "granted_above_80": float((granted >= GOOD).mean()),
        "granted_share": len(granted) / workers,
        "questions_mixed": float(mixed[:, 1].mean()),
    }


def exact(test: SequentialTest) -> dict[str, Any]:
    """The same figures without chance, and those just outside the indifferent range."""
    fates = {accuracy: prospect(test, accuracy) for accuracy in (*ACCURACIES, *NEAR)}
    x = (np.arange(400) + 0.5) / 400
    weights = x ** (POPULATION[0] - 1) * (1 - x) ** (POPULATION[1] - 1)
    mixed = [prospect(test, float(accuracy)) for accuracy in x]
    passing = np.array([fate.pass_probability for fate in mixed]) * weights
    asked = np.array([fate.expected_questions for fate in mixed]) * weights
    return {
        "passes": {accuracy: round(fate.pass_probability, 4) for accuracy, fate in sorted(fates.items())},
        "questions": {accuracy: round(fate.expected_questions, 1) for accuracy, fate in sorted(fates.items())},
        "granted_above_80": round(float(passing[x >= GOOD].sum() / passing.sum()), 4),
        "granted_share": round(float(passing.sum() / weights.sum()), 4),
        "questions_mixed": round(float(asked.sum() / weights.sum()), 1),
    }


def adaptive(test: SequentialTest, workers: int, seed: int) -> dict[str, Any]:
    """The same exam on items of five difficulties, asked in adaptive order within exposure limits and quotas.

    Accuracies are means over the pool. Difficulties are estimated from 40 answers an item of a crowd whose abilities are
    known, so they err; the worker of each attempt is drawn in random order, so that exposure is shared as it comes.
    """
    rng = np.random.default_rng([seed, 99])
    stratum = np.arange(POOL) % 5
    hard = (stratum - 2) * 0.6 + rng.normal(0, 0.5, POOL)
    item, ability = np.repeat(np.arange(POOL), 40), rng.normal(1.5, 1.0, POOL * 40)
    earned = (rng.random(POOL * 40) < rasch.chance(ability, hard[item])).astype(np.float64)
    believed = rasch.estimate_difficulty(item, earned, ability, stratum)
    marks = (rasch.ability_for(test.p0, believed), rasch.ability_for(test.p1, believed))
    shown, sat = np.zeros(POOL, np.intp), []
    accuracies = sorted((*ACCURACIES, *NEAR))
    for attempts, accuracy in enumerate(rng.permutation(np.repeat(accuracies, workers))):
        progress, asked, got = Progress(), list[int](), list[float]()
        able = rasch.ability_for(float(accuracy), hard)
        while (verdict := decide(test, progress)) == Verdict.MORE:
            estimate = rasch.estimate_ability(got, believed[asked])
            usable = np.ones(POOL, np.bool_)
            usable[asked] = False
            chosen = rasch.choose_item(
                rasch.information(estimate.mean, believed),
                rasch.exposure(shown, attempts),
                stratum,
                np.ones(5),
                asked=np.bincount(stratum[asked], minlength=5),
                rng=rng,
                usable=usable,
            )
            shown[chosen] += 1
            asked.append(chosen)
            got.append(float(rng.random() < rasch.chance(able, hard[chosen])))
            progress = step(test, progress, got[-1], chances=rasch.chances_at(marks, float(believed[chosen])))
        sat.append((accuracy, verdict == Verdict.PASSED, progress.asked))
    rows = np.array(sat, dtype=np.float64)
    by = {accuracy: rows[rows[:, 0] == accuracy] for accuracy in accuracies}
    return {
        "workers": workers,
        "passes": {accuracy: round(float(found[:, 1].mean()), 4) for accuracy, found in by.items()},
        "questions": {accuracy: round(float(found[:, 2].mean()), 1) for accuracy, found in by.items()},
        "most_exposed": round(float(shown.max() / len(rows)), 3),
    }


def bench(seeds: list[int], *, workers: int, adaptive_workers: int) -> dict[str, Any]:
    """All of it; the main figures are means over the seeds."""
    started = time.monotonic()
    test = calibrated()
    runs = [simulate(test, workers, seed) for seed in seeds]
    passes = {p: float(np.mean([run["passes"][p] for run in runs])) for p in ACCURACIES}
    questions = {p: float(np.mean([run["questions"][p] for run in runs])) for p in ACCURACIES}
    outside = [p for p in ACCURACIES if not INDIFFERENT[0] <= p <= INDIFFERENT[1]]
    return {
        "pass_70": round(passes[0.70], 4),
        "pass_90": round(passes[0.90], 4),
        "questions_mean_max": round(max(questions[p] for p in outside), 2),
        "granted_above_80": round(float(np.mean([run["granted_above_80"] for run in runs])), 4),
        "granted_share": round(float(np.mean([run["granted_share"] for run in runs])), 4),
        "questions_mixed": round(float(np.mean([run["questions_mixed"] for run in runs])), 1),
        "passes": {p: round(share, 4) for p, share in passes.items()},
        "questions": {p: round(mean, 1) for p, mean in questions.items()},
        "workers": workers,
        "seeds": seeds,
        "exam": {"p0": test.p0, "p1": test.p1, "alpha": test.alpha, "beta": test.beta, "cap": test.cap},
        "exact": exact(test),
        "pilot": exact(wald(0.70, 0.85, 0.05, 0.05, 40)),
        "quiz_7_of_10": exact(fixed(0.70, 0.90, questions=10, right=7)),
        "adaptive": adaptive(test, adaptive_workers, seeds[0]),
        "seconds": round(time.monotonic() - started, 1),
    }


def passed(found: dict[str, Any]) -> bool:
    """Whether the bars of B7 are kept."""
    rates = found["pass_70"] <= 0.10 and found["pass_90"] >= 0.98
    return bool(rates and found["questions_mean_max"] <= 28 and found["granted_above_80"] >= 0.85)


def some_seeds(text: str) -> list[int]:
    """Read "3" or "0-4"."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="bench-b7", description=__doc__)
    parser.add_argument("--data", type=Path, help="not used: the workers are simulated")
    parser.add_argument("--seeds", type=some_seeds, default=[0])
    parser.add_argument("--workers", type=int, default=20_000)
    parser.add_argument("--adaptive-workers", type=int, default=400, help="at each accuracy")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = bench(options.seeds, workers=options.workers, adaptive_workers=options.adaptive_workers)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 0 if passed(found) else 1


if __name__ == "__main__":
    sys.exit(main())

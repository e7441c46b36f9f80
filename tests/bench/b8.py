"""Drift: ``make bench-b8``.  Simulated workers whose accuracy drops, and jobs whose guideline changes for everybody.

The product's own `qualification.inference.drift` reads the answers; only the world is made up here.  Prints one JSON
object last, and exits 1 unless every bar of B8 holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from qualification.inference import drift
from qualification.inference.answers import FloatArray

USUAL, DROPPED, FALLEN = 0.92, 0.75, 0.60
CERTAINTY = 0.95
GOLD_SHARE = 0.10
CHANGE = 60
"""Answers before the change."""
AFTER = 400
"""Answers after it; a drop that is not found by then counts as found then."""
EXAM = 20
PRIOR = (9.0, 1.0)
"""What is thought of a worker before the exam: mean 0.90, worth ten answers."""
HISTORY = 2000
"""Answers that an established worker has given before."""


def answers(accuracy: FloatArray, rng: np.random.Generator, gold: float = GOLD_SHARE) -> drift.Evidence:
    """One answer of each worker: to gold, or to a task whose label is right in 95 of 100 cases."""
    on_gold = rng.random(accuracy.shape) < gold
    right = rng.random(accuracy.shape) < accuracy
    agrees = right == (rng.random(accuracy.shape) < CERTAINTY)
    return drift.evidence(np.where(on_gold, right, agrees), np.where(on_gold, 1.0, CERTAINTY))


def newcomers(accuracy: FloatArray, rng: np.random.Generator) -> drift.State:
    """Workers of whom only an exam of twenty questions is known."""
    hits = rng.binomial(EXAM, accuracy)
    worth = sum(PRIOR) + EXAM
    return drift.begin((PRIOR[0] + hits) / worth, worth)


def established(accuracy: FloatArray, rng: np.random.Generator) -> drift.State:
    """Workers who have also given `HISTORY` answers; alarms that they raised were looked at and dismissed."""
    state = newcomers(accuracy, rng)
    for _ in range(HISTORY):
        state, _alarms = dismiss(drift.step(state, answers(accuracy, rng)))
    return drift.close_alarm(state, dropped=False)


def dismiss(state: drift.State) -> tuple[drift.State, int]:
    """Close every open alarm as false, and count them."""
    false = np.nonzero(state.alarmed)
    if false[0].size:
        drift.put(state, false, drift.close_alarm(drift.pick(state, false), dropped=False))
    return state, int(false[0].size)


def false_alarms(state: drift.State, accuracy: FloatArray, count: int, rng: np.random.Generator) -> float:
    """False alarms in 2,000 answers, over ``count`` answers of each worker, in which nothing changes."""
    alarms = 0
    for _ in range(count):
        state, raised = dismiss(drift.step(state, answers(accuracy, rng)))
        alarms += raised
    return alarms / (count * accuracy.size) * 2000


def delays(state: drift.State, before: FloatArray, after: FloatArray, rng: np.random.Generator) -> dict[str, float]:
    """How many answers after a change the alarm comes; streams with an alarm before it are left out and counted."""
    start = state.answers
    for _ in range(CHANGE):
        state = drift.step(state, answers(before, rng))
    early = state.alarmed
    for _ in range(AFTER):
        state = drift.step(state, answers(after, rng))
    found = state.alarmed & ~early
    delay = np.where(found, state.alarm_at - start - CHANGE, AFTER)[~early]
    first = (drift.suspect_window(state).first - start - CHANGE - 1)[found]
    return {
        "median": float(np.median(delay)),
        "p90": float(np.percentile(delay, 90)),
        "alarm_before": round(float(early.mean()), 4),
        "unfound": round(float((~found & ~early).mean()), 4),
        "window_error_median": float(np.median(np.abs(first))),
        "window_early_or_within_10": round(float((first <= 10).mean()), 3),
    }


def guideline(
    people: drift.State, usual: FloatArray, rng: np.random.Generator, *, falling: int, before: int = CHANGE
) -> dict[str, float]:
    """Jobs (rows of ``people``) in which the first ``falling`` of the workers (columns) drop to 75/92 at once.

    Alarms of the jobs before and after, and the share of workers with an alarm in their next 60 and 200 answers.
    """
    jobs, workers = usual.shape
    after = usual.copy()
    after[:, :falling] *= DROPPED / USUAL
    parts, job, row = drift.begin_membership((jobs, workers)), drift.begin_job((jobs,)), np.arange(jobs)
    job_before = job_alarms = 0
    ticks = before * workers
    alarmed = {CHANGE: np.zeros((jobs, workers), bool), 200: np.zeros((jobs, workers), bool)}
    for tick in range(ticks + 200 * workers):
        turn = (row, rng.integers(workers, size=jobs))
        seen = answers((usual if tick < ticks else after)[turn], rng)
        was = job.alarmed
        worker, job, part = drift.observe(drift.pick(people, turn), job, drift.pick(parts, turn), seen)
        drift.put(people, turn, worker)
        drift.put(parts, turn, part)
        if tick < ticks:
            job, raised = dismiss(job)
            people, _ = dismiss(people)
            job_before += raised
        else:
            job_alarms += int((job.alarmed & ~was).sum())
            for answers_after in alarmed:
                if tick < ticks + answers_after * workers:
                    alarmed[answers_after] |= people.alarmed
    others = slice(falling if falling < workers else 0, None)
    return {
        "workers": workers,
        "jobs": jobs,
        "job_alarms_before": job_before,
        "job_alarms_per_job": round(job_alarms / jobs, 3),
        "job_delay_median": float(np.median((job.alarm_at - ticks)[job.alarmed])) if job.alarmed.any() else -1.0,
        "workers_alarmed_60": round(float(alarmed[CHANGE][:, others].mean()), 4),
        "workers_alarmed_200": round(float(alarmed[200][:, others].mean()), 4),
        "falling_alarmed_200": round(float(alarmed[200][:, :falling].mean()), 4) if falling else 0.0,
    }


def bench(streams: int, horizon: int, workers: tuple[int, ...], seed: int) -> dict[str, Any]:
    """The whole bench on ``streams`` workers, ``horizon`` answers of each for false alarms, and jobs of so many workers."""
    rng = np.random.default_rng([8, seed])
    usual = np.full(streams, USUAL)
    found: dict[str, Any] = {}
    for name, known in (("established", established(usual, rng)), ("newcomers", newcomers(usual, rng))):
        found[name] = {
            "false_alarms_per_2000": round(false_alarms(copied(known), usual, horizon, rng), 3),
            "false_alarms_per_2000_first_200": round(false_alarms(copied(known), usual, 200, rng), 3),
            "to_75": delays(known, usual, np.full(streams, DROPPED), rng),
            "to_60": delays(known, usual, np.full(streams, FALLEN), rng),
        }
    mixed = rng.beta(18, 2, streams)
    settled = established(mixed, rng)
    found["mixed"] = {
        "false_alarms_per_2000": round(false_alarms(copied(settled), mixed, horizon, rng), 3),
        "to_75_of_92": delays(settled, mixed, mixed * DROPPED / USUAL, rng),
    }
    jobs = {}
    for crew in workers:
        count = max(4, min(200, 1600 // crew))
        many = np.full((count, crew), USUAL)
        crowd = established(many, rng)
        varied = rng.beta(18, 2, (count, crew))
        varied_crowd = established(varied, rng)
        jobs[f"{crew}_workers"] = {
            "all_drop": guideline(copied(crowd), many, rng, falling=crew),
            "all_drop_mixed": guideline(varied_crowd, varied, rng, falling=crew),
            "none_drops": guideline(copied(crowd), many, rng, falling=0),
            "one_drops": guideline(crowd, many, rng, falling=1),
        }
    found["guideline"] = jobs
    return found


def copied(state: drift.State) -> drift.State:
    """The same state, which may be written into."""
    return drift.State(*(np.array(getattr(state, field.name)) for field in fields(state)))


def whole(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that B8 names, means over seeds; of the jobs, those of twenty workers or more."""

    def mean(*path: str) -> float:
        values = []
        for each in found:
            value: Any = each
            for key in path:
                value = value[key]
            values.append(value)
        return round(float(np.mean(values)), 3)

    large = [
        job["all_drop"] for each in found for job in each["guideline"].values() if job["all_drop"]["workers"] >= 20
    ]
    return {
        "delay_median": mean("established", "to_75", "median"),
        "delay_p90": mean("established", "to_75", "p90"),
        "false_alarms_per_2000": mean("established", "false_alarms_per_2000"),
        "delay_median_to_60": mean("established", "to_60", "median"),
        "delay_p90_to_60": mean("established", "to_60", "p90"),
        "guideline_job_alarms": round(float(np.mean([job["job_alarms_per_job"] for job in large])), 3),
        "guideline_worker_alarms": round(float(np.mean([job["workers_alarmed_200"] for job in large])), 4),
    }


def passed(found: dict[str, Any]) -> bool:
    """Whether every bar of B8 holds."""
    return bool(
        found["delay_median"] <= 40
        and found["delay_p90"] <= 80
        and found["false_alarms_per_2000"] <= 1
        and found["delay_median_to_60"] <= 20
        and found["delay_p90_to_60"] <= 34
        and found["guideline_job_alarms"] == 1
        and found["guideline_worker_alarms"] <= 0.02
    )


def seeds_of(text: str) -> list[int]:
    """Read ``0-4`` or ``3``."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="bench-b8", description=__doc__)
    parser.add_argument("--data", type=Path, help="not read: the streams are simulated")
    parser.add_argument("--seeds", type=seeds_of, default=[0])
    parser.add_argument("--streams", type=int, default=3_000)
    parser.add_argument("--horizon", type=int, default=4_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[5, 20, 100], help="sizes of the jobs' crews")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    started = time.monotonic()
    runs = [bench(options.streams, options.horizon, tuple(options.workers), seed) for seed in options.seeds]
    found = whole(runs)
    found |= {"passed": passed(found), "streams": options.streams, "horizon": options.horizon}
    found |= {
        "seconds": round(time.monotonic() - started, 1),
        "seeds": dict(zip(map(str, options.seeds), runs, strict=True)),
    }
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""The sweep of skills: ``make bench-skill``. Everybody's accuracy in every cell from the states, in one go.

Made-up workers with real gaps: in half of the cells they have not answered. Prints one JSON object last: fit_s, skills_s and
seconds together, processor_s, and peak_gb of the whole process, for `workers` times `cells`.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

from qualification.inference.skill import fitted_population, skills
from tests.bench import recorded

SECONDS_MAX = 60.0


def main() -> int:
    """Read the options, run, print; 1 when it took longer than the sweep may."""
    parser = argparse.ArgumentParser(prog="bench-skill", description=__doc__)
    parser.add_argument("--workers", type=int, default=100_000)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    shape = (asked.workers, asked.cells)
    answers = np.where(rng.random(shape) < 0.5, 0.0, rng.uniform(0.0, 100.0, shape))
    accuracies = np.clip(rng.beta(8.0, 2.5, (asked.workers, 1)) + rng.normal(0.0, 0.05, shape), 0.02, 0.98)
    right = answers * accuracies
    wrong = answers - right
    began, used = time.perf_counter(), time.process_time()
    population = fitted_population(right, wrong)
    fitted = time.perf_counter() - began
    measured = skills(right, wrong, population)
    seconds = time.perf_counter() - began
    found = {
        "workers": asked.workers,
        "cells": asked.cells,
        "fit_s": round(fitted, 2),
        "skills_s": round(seconds - fitted, 2),
        "seconds": round(seconds, 2),
        "processor_s": round(time.process_time() - used, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "mean_width": round(float(np.mean(measured.high - measured.low)), 3),
    }
    recorded.finish(found, asked.out)
    return 0 if seconds <= SECONDS_MAX else 1


if __name__ == "__main__":
    sys.exit(main())

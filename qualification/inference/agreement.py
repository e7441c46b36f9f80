"""How far answers agree, and how far a stated confidence can be believed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray


def agreement_shares(counts: npt.ArrayLike) -> FloatArray:
    """The share of pairs of answers that agree, for each task.

    ``counts`` (n_tasks, K) says how often each class was answered.  Returns (n_tasks,), nan where a task has fewer
    than two answers.
    """
    rows = _counts(counts)
    n = rows.sum(axis=1)
    pairs = np.where(n >= 2, n * (n - 1), np.nan)
    shares: FloatArray = (rows * (rows - 1)).sum(axis=1) / pairs
    return shares


def mean_pairwise_agreement(counts: npt.ArrayLike) -> float | None:
    """The mean of `agreement_shares` over tasks with at least two answers; None when there is none."""
    shares = agreement_shares(counts)
    shares = shares[~np.isnan(shares)]
    return float(shares.mean()) if len(shares) else None


def krippendorff_alpha(counts: npt.ArrayLike) -> float | None:
    """Krippendorff's alpha for nominal labels; 1 is full agreement, 0 what chance would give.

    ``counts`` (n_tasks, K); tasks with fewer than two answers do not count.  alpha = 1 - observed / expected
    disagreement: observed weighs each task's unequal ordered pairs by 1 / (n_t - 1), expected pairs all answers.
    None when nothing can be paired or when only one class was ever answered (0 / 0: agreement is not measurable).

    Source: Krippendorff 2019, Content Analysis, 4th ed., section 12.3, nominal metric.
    """
    rows = _counts(counts)
    rows = rows[rows.sum(axis=1) >= 2]
    n = rows.sum(axis=1)
    total, by_class = n.sum(), rows.sum(axis=0)
    expected = total**2 - (by_class**2).sum()
    if expected == 0:
        return None
    observed = ((n**2 - (rows**2).sum(axis=1)) / (n - 1)).sum()
    return float(1 - (total - 1) * observed / expected)


def expected_calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = 10) -> float:
    """The mean distance between confidence and accuracy over bins of equal mass.

    ``confidence`` (n,) in [0, 1]; ``correct`` (n,) is 1, 0, or a share where a tie was scored in part.  Items of equal
    confidence share their mean accuracy, so the order of the items cannot matter.  Raises ValueError on no items, on
    unequal lengths and on fewer than one bin.
    """
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if stated.ndim != 1 or stated.shape != right.shape or not len(stated) or bins < 1:
        raise ValueError("confidence and correct are lists of one length, not empty, and there is at least one bin")
    values, group, size = np.unique(stated, return_inverse=True, return_counts=True)
    accuracy = np.bincount(group, weights=right) / size
    gaps = np.repeat(values - accuracy, size)
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))


def _counts(counts: npt.ArrayLike) -> FloatArray:
    rows = np.asarray(counts, dtype=np.float64)
    if rows.ndim != 2 or not np.all(rows >= 0):
        raise ValueError("counts is a table of tasks by classes without negative entries")
    return rows

"""The outcome of a fit, and the arithmetic that engines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray, IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """What an engine believes after seeing all answers.

    Shapes: ``posterior`` (n_tasks, K), rows sum to 1; ``prior`` (K,), the class shares; ``worker`` (n_workers, K, K),
    rows = true class, each row sums to 1, or None for engines without worker parameters.
    ``log_likelihood`` is of the answers in nats.  ``converged`` is False when the rounds ran out: the caller decides.
    """

    posterior: FloatArray
    prior: FloatArray
    worker: FloatArray | None
    log_likelihood: float
    rounds: int
    converged: bool


def diagonal_confusion(n_classes: int, accuracy: float) -> FloatArray:
    """A worker who is right with ``accuracy`` in every class and errs evenly, (K, K)."""
    table = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1))
    np.fill_diagonal(table, accuracy)
    return table


def require_answers(answers: Answers) -> None:
    """Raise ValueError when there is nothing to infer from."""
    if len(answers) == 0:
        raise ValueError("there are no answers to infer from")


def with_gold(posterior: FloatArray, gold: IntArray) -> FloatArray:
    """Set the rows of tasks with gold to one-hot, in place; returns ``posterior``."""
    known = np.flatnonzero(gold >= 0)
    posterior[known] = 0.0
    posterior[known, gold[known]] = 1.0
    return posterior


def softmax(scores: FloatArray) -> FloatArray:
    """Probabilities from log scores along the last axis."""
    shares: FloatArray = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def shares_or_prior(counts: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
    """Each row of ``counts`` (..., K) as shares; ``prior`` (K,) where a row is empty."""
    rows = np.asarray(counts, dtype=np.float64)
    total = rows.sum(axis=-1, keepdims=True)
    shares: FloatArray = np.where(
        total > 0, rows / np.where(total > 0, total, 1.0), np.asarray(prior, dtype=np.float64)
    )
    return shares

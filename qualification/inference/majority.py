"""Majority vote: every answer counts the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray
from qualification.inference.fit import Fit, diagonal_confusion, require_answers, shares_or_prior, with_gold


@dataclass(frozen=True, slots=True)
class Majority:
    """Believe in proportion to votes.

    Model: none; evidence is the vote counts (K,), belief their shares, so tied classes share and a task without answers
    has the prior (uniform).  There are no worker parameters: ``start`` and ``prior_workers`` change nothing.
    The likelihood is that of every vote under the shares of its own task.
    """

    name: str = "majority"
    version: int = 1

    def fit(
        self,
        answers: Answers,
        *,
        gold: npt.ArrayLike | None = None,
        start: npt.ArrayLike | None = None,  # noqa: ARG002  a vote has no starting point
        prior_workers: npt.ArrayLike | None = None,  # noqa: ARG002  a vote knows no workers
    ) -> Fit:
        """Count the votes; see `Engine.fit`."""
        require_answers(answers)
        prior = np.full(answers.n_classes, 1.0 / answers.n_classes)
        counts = answers.counts()
        posterior = self.posterior(counts, prior)
        voted = counts > 0
        log_likelihood = float((counts[voted] * np.log(posterior[voted])).sum())
        return Fit(with_gold(posterior, answers.gold_or(gold)), prior, None, log_likelihood, rounds=1, converged=True)

    def contribution(self, confusion: npt.ArrayLike | None, label_index: int, n_classes: int) -> FloatArray:  # noqa: ARG002
        """One vote for the class answered, whoever answered."""
        vote = np.zeros(n_classes)
        vote[label_index] = 1.0
        return vote

    def posterior(self, evidence: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
        """The shares of the votes; the prior where nobody voted."""
        return shares_or_prior(evidence, prior)

    def default_confusion(self, n_classes: int) -> FloatArray:
        """A mostly right worker; nothing here reads it."""
        return diagonal_confusion(n_classes, 0.7)

"""Dawid and Skene: each worker has a confusion matrix, estimated together with the tasks' classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray, IntArray
from qualification.inference.fit import Fit, diagonal_confusion, require_answers, shares_or_prior, softmax, with_gold

CELLS_MAX = 250_000_000
"""Most worker parameters (n_workers * K * K) that a fit takes on: 2 GB."""

FLOOR = 1e-12
"""Least probability read from a stored confusion, so that one rounded-off zero cannot veto a class."""


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """Estimate classes and confusions by expectation-maximisation, anchored on gold.

    Model: the class of task t is z ~ prior; an answer of worker w to t is drawn from row z of w's confusion.  Each row
    has a Dirichlet prior of ``strength`` pseudo-answers with mean ``accuracy`` on the diagonal, the class shares one of
    a pseudo-task a class.  Estimates are posterior means.  Gold tasks are one-hot in every round.
    Evidence of a task is the sum over its answers l of log confusion[:, l]; belief is softmax(log prior + evidence).
    ``converged`` says that no belief moved by more than ``tolerance`` in the last of at most ``rounds_max`` rounds.
    Memory grows with n_workers * K * K; more than `CELLS_MAX` is a ValueError, not a crash.

    Source: Dawid & Skene 1979, Applied Statistics 28(1), doi:10.2307/2346806, eqs. 2.3-2.5; the Dirichlet prior makes
    it Bayesian in the manner of Raykar et al. 2010, JMLR 11, section 2.4.
    """

    name: str = "dawid_skene"
    version: int = 1
    accuracy: float = 0.7
    strength: float = 1.0
    tolerance: float = 1e-3
    rounds_max: int = 300

    def __post_init__(self) -> None:
        if not (0 < self.accuracy < 1 and self.strength > 0 and self.tolerance > 0 and self.rounds_max >= 1):
            raise ValueError("accuracy lies in (0, 1); strength, tolerance and rounds_max are above 0")

    def fit(
        self,
        answers: Answers,
        *,
        gold: npt.ArrayLike | None = None,
        start: npt.ArrayLike | None = None,
        prior_workers: npt.ArrayLike | None = None,
    ) -> Fit:
        """Run EM from the votes, or from ``start``; see `Engine.fit`."""
        require_answers(answers)
        known = answers.gold_or(gold)
        pseudo = self._pseudo_counts(answers, prior_workers)
        table = _Table(answers)
        belief = with_gold(_begin(answers, start), known)
        converged, rounds = False, 0
        while not converged and rounds < self.rounds_max:
            rounds += 1
            prior = table.class_shares(belief)
            confusion = table.confusions(belief, pseudo)
            evidence = table.evidence(np.log(confusion))
            before, belief = belief, with_gold(self.posterior(evidence, prior), known)
            converged = bool(np.abs(belief - before).max() <= self.tolerance)
        worker = np.ascontiguousarray(confusion.transpose(0, 2, 1))
        return Fit(belief, prior, worker, _log_likelihood(evidence, prior, known), rounds, converged)

    def contribution(self, confusion: npt.ArrayLike | None, label_index: int, n_classes: int) -> FloatArray:
        """Log P(this label | class), for every class."""
        table = self.default_confusion(n_classes) if confusion is None else np.asarray(confusion, dtype=np.float64)
        return np.log(np.maximum(table[:, label_index], FLOOR))

    def posterior(self, evidence: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
        """The softmax of log prior + evidence."""
        return softmax(np.asarray(evidence, dtype=np.float64) + np.log(np.asarray(prior, dtype=np.float64)))

    def default_confusion(self, n_classes: int) -> FloatArray:
        """The prior mean: what a fit says of a worker without answers."""
        return diagonal_confusion(n_classes, self.accuracy)

    def _pseudo_counts(self, answers: Answers, prior_workers: npt.ArrayLike | None) -> FloatArray:
        """Dirichlet parameters, (K, K) or (n_workers, K, K), as [.., label, true class]."""
        k = answers.n_classes
        if answers.n_workers * k * k > CELLS_MAX:
            raise ValueError(
                f"{answers.n_workers} workers with {k} x {k} parameters are more than {CELLS_MAX}; use 'majority'"
            )
        base = self.strength * self.default_confusion(k)
        if prior_workers is None:
            return base.T
        seen = np.asarray(prior_workers, dtype=np.float64)
        if seen.shape != (answers.n_workers, k, k) or not np.all(seen >= 0):
            raise ValueError(f"prior_workers must be non-negative counts of shape ({answers.n_workers}, {k}, {k})")
        return (base + seen).transpose(0, 2, 1)


class _Table:
    """Answers sorted once by task, worker and label, so that their order cannot matter and memory is read in order."""

    def __init__(self, answers: Answers) -> None:
        order = np.lexsort((answers.label_index, answers.worker_index, answers.task_index))
        self.n_tasks, self.n_workers, self.n_classes = answers.n_tasks, answers.n_workers, answers.n_classes
        self.task: IntArray = answers.task_index[order]
        self.cell: IntArray = answers.worker_index[order] * self.n_classes + answers.label_index[order]
        self.answered = np.bincount(self.task, minlength=self.n_tasks) > 0

    def class_shares(self, belief: FloatArray) -> FloatArray:
        """Class shares (K,) over tasks with answers, one pseudo-task a class."""
        weight: FloatArray = belief[self.answered].sum(axis=0) + 1.0
        return weight / weight.sum()

    def confusions(self, belief: FloatArray, pseudo: FloatArray) -> FloatArray:
        """Posterior mean confusions (n_workers, K labels, K true classes)."""
        k = self.n_classes
        soft = np.empty((self.n_workers * k, k))
        for true in range(k):
            soft[:, true] = np.bincount(self.cell, weights=belief[:, true][self.task], minlength=self.n_workers * k)
        counts = soft.reshape(self.n_workers, k, k) + pseudo
        counts /= counts.sum(axis=1, keepdims=True)
        return counts

    def evidence(self, log_confusion: FloatArray) -> FloatArray:
        """Summed log P(label | class) of each task's answers, (n_tasks, K)."""
        k = self.n_classes
        rows = log_confusion.reshape(self.n_workers * k, k)
        evidence = np.empty((self.n_tasks, k))
        for true in range(k):
            evidence[:, true] = np.bincount(self.task, weights=rows[:, true][self.cell], minlength=self.n_tasks)
        return evidence


def _begin(answers: Answers, start: npt.ArrayLike | None) -> FloatArray:
    """The beliefs of round 0: ``start`` where it says something, else the shares of the votes."""
    k = answers.n_classes
    votes = shares_or_prior(answers.counts(), np.full(k, 1.0 / k))
    if start is None:
        return votes
    begin = np.asarray(start, dtype=np.float64)
    if begin.shape != votes.shape:
        raise ValueError(f"start has shape {begin.shape}; expected {votes.shape}")
    return np.where(np.isnan(begin).any(axis=1, keepdims=True), votes, begin)


def _log_likelihood(evidence: FloatArray, prior: FloatArray, known: IntArray) -> float:
    """Log P(answers, gold | parameters) in nats."""
    joint = evidence + np.log(prior)
    top = joint.max(axis=1)
    marginal = top + np.log(np.exp(joint - top[:, None]).sum(axis=1))
    gold = np.flatnonzero(known >= 0)
    marginal[gold] = joint[gold, known[gold]]
    return float(marginal.sum())

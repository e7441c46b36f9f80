"""How alike two workers answer, beyond what their tasks explain.

Two workers who both see that a photograph shows a dog agree, and prove nothing.  What counts is agreement that is not to
be expected: on an error, or where the others are divided.  So the answers of a pair are judged against what gold, or else
the answers of *everybody but the pair*, say of the task.

Source: likelihoods of copying against independence after Dong, Berti-Equille & Srivastava 2009, PVLDB 2(1),
doi:10.14778/1687627.1687690, with a mixture over copying rates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray, IntArray
from qualification.inference.confusion import shrunk_confusions
from qualification.inference.fit import shares_or_prior, softmax

COPY_RATES = (0.4, 0.7, 0.9)
"""The shares of answers that a copier copies; each is as likely as the others."""

SHARED_MIN = 8
"""Pairs with fewer tasks in common are not scored."""

TEMPER = 0.5
"""The weight of the others' answers as a reference: they share the task's difficulty, so they are not independent."""

COMMON = 0.25
"""The share of answers that follow what is commonly said of the task rather than its class: shared mistakes are innocent."""

LIKELY_MIN, LIKELY_MAX = 0.05, 0.98
"""No coincidence is taken for less, or more, likely: one shared slip cannot convict."""

_GOLD_DOUBT = 1e-3
_VOTES_PRIOR = 2.0


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Answers, and what independent workers would have said.

    One row an answer, sorted by task and then worker: ``task``, ``worker``, ``label`` (n,) and ``likely`` (n, K), P(this label | class) by
    its worker.  One row a task: ``evidence`` (T, K), summed log likely of its answers; ``votes`` (T, K); ``gold`` (T,) or -1.
    ``prior`` (K,) are the class shares, ``usual`` (K,) the shares of labels.
    """

    task: IntArray
    worker: IntArray
    label: IntArray
    likely: FloatArray
    evidence: FloatArray
    votes: FloatArray
    gold: IntArray
    prior: FloatArray
    usual: FloatArray
    n_workers: int


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Evidence on P pairs of workers; sums over shared tasks, so two batches of tasks are added by `merged`.

    ``first`` < ``second`` (P,); ``shared`` (P,) counts the tasks in common, ``same`` (P,) the equal answers; ``sums``
    (P, 2 * rates) are log likelihood ratios in nats, for each copying rate with the second as copier, then the first.
    """

    first: IntArray
    second: IntArray
    shared: IntArray
    same: IntArray
    sums: FloatArray

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.first)

    @property
    def scores(self) -> FloatArray:
        """The log likelihood ratio of copying, at any rate and in either direction, against independence (P,)."""
        return log_mean(self.sums)


def scene(answers: Answers, posterior: npt.ArrayLike) -> Scene:
    """Prepare ``answers``, whose tasks are believed to be ``posterior`` (T, K); gold is taken from the answers.

    Raises ValueError on another shape.
    """
    belief = np.asarray(posterior, dtype=np.float64)
    k = answers.n_classes
    if belief.shape != (answers.n_tasks, k):
        raise ValueError(f"posterior has shape {belief.shape}; expected ({answers.n_tasks}, {k})")
    order = np.lexsort((answers.worker_index, answers.task_index))
    task, worker, label = answers.task_index[order], answers.worker_index[order], answers.label_index[order]
    gold = answers.gold
    known = np.where(gold[:, None] >= 0, np.arange(k) == gold[:, None], belief)
    said = np.zeros((answers.n_workers, k, k))
    for true in range(k):
        cells = np.bincount(worker * k + label, weights=known[task, true], minlength=answers.n_workers * k)
        said[:, true] = cells.reshape(answers.n_workers, k)
    likely = shrunk_confusions(said).workers[worker, :, label]
    evidence = np.stack(
        [np.bincount(task, weights=np.log(likely[:, true]), minlength=answers.n_tasks) for true in range(k)], axis=1
    )
    answered = np.bincount(task, minlength=answers.n_tasks) > 0
    prior = shares_or_prior(known[answered].sum(axis=0) + 1.0, np.full(k, 1 / k))
    usual = shares_or_prior(np.bincount(label, minlength=k) + 1.0, np.full(k, 1 / k))
    return Scene(task, worker, label, likely, evidence, answers.counts(), gold, prior, usual, answers.n_workers)


def pairs(seen: Scene, tasks: npt.ArrayLike | None = None) -> Pairs:
    """Score everybody who shares a task, on all tasks or on those of the indexes ``tasks``.

    The cost is that of the pairs of answers to the same task.  For rings over time: score the tasks that were resolved since,
    and add with `merged`.
    """
    chosen = np.ones(len(seen.gold), dtype=bool)
    if tasks is not None:
        chosen[:] = False
        chosen[np.asarray(tasks, dtype=np.intp)] = True
    places = np.flatnonzero(chosen[seen.task])
    parts = [_no_pairs()]
    for apart in range(1, len(places)):
        one, other = places[:-apart], places[apart:]
        together = seen.task[one] == seen.task[other]
        if not together.any():
            break
        one, other = one[together], other[together]
        differ = seen.worker[one] != seen.worker[other]
        parts.append(_summed(_of_answers(seen, one[differ], other[differ]), seen.n_workers))
    return merged(*parts)


def merged(*parts: Pairs) -> Pairs:
    """The evidence of all the parts, which must be of different tasks."""
    rows = Pairs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Pairs)))
    return _summed(rows, 1 + int(rows.second.max(initial=0)))


def _of_answers(seen: Scene, one: IntArray, other: IntArray) -> Pairs:
    """A row for each of the answers at places ``one`` and ``other``, which are to the same tasks."""
    task = seen.task[one]
    without = seen.evidence[task] - np.log(seen.likely[one]) - np.log(seen.likely[other])
    votes = seen.votes[task].copy()
    rows = np.arange(len(task))
    votes[rows, seen.label[one]] -= 1
    votes[rows, seen.label[other]] -= 1
    classes, common = reference(seen, task, without, votes)
    says_one = independent_says(seen.likely[one], common[rows, seen.label[one]])
    says_other = independent_says(seen.likely[other], common[rows, seen.label[other]])
    both = (classes * says_one * says_other).sum(axis=1)
    given_one = np.clip(both / (classes * says_one).sum(axis=1), LIKELY_MIN, LIKELY_MAX)
    given_other = np.clip(both / (classes * says_other).sum(axis=1), LIKELY_MIN, LIKELY_MAX)
    same = seen.label[one] == seen.label[other]
    ratios = [
        np.where(same, np.log(rate / likely + (1 - rate)), np.log(1 - rate))
        for likely in (given_one, given_other)
        for rate in COPY_RATES
    ]
    # Within a task the answers of a scene are sorted by worker.
    count = np.ones(len(same), np.intp)
    return Pairs(seen.worker[one], seen.worker[other], count, same.astype(np.intp), np.stack(ratios, axis=1))


def reference(seen: Scene, task: IntArray, without: FloatArray, votes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Belief in the class (n, K) and what is commonly said (n, K), both by everybody but those whose answers are judged."""
    classes = softmax(TEMPER * without + np.log(seen.prior))
    gold = seen.gold[task]
    known = np.flatnonzero(gold >= 0)
    classes[known] = _GOLD_DOUBT / (classes.shape[1] - 1)
    classes[known, gold[known]] = 1 - _GOLD_DOUBT
    common = (votes + _VOTES_PRIOR * seen.usual) / (votes.sum(axis=1, keepdims=True) + _VOTES_PRIOR)
    return classes, common


def independent_says(likely: FloatArray, common: FloatArray) -> FloatArray:
    """P(the label | class) of an independent worker, (..., K), who sometimes says what is commonly said."""
    return (1 - COMMON) * likely + COMMON * common[..., None]


def _no_pairs() -> Pairs:
    none = np.empty(0, np.intp)
    return Pairs(none, none, none, none, np.empty((0, 2 * len(COPY_RATES))))


def _summed(rows: Pairs, size: int) -> Pairs:
    """One row a pair, from rows of which several may be of the same pair; worker indexes are below ``size``."""
    keys, back = np.unique(rows.first * size + rows.second, return_inverse=True)
    count = len(keys)
    sums = np.empty((count, rows.sums.shape[1]))
    for column, values in enumerate(rows.sums.T):
        sums[:, column] = np.bincount(back, weights=values, minlength=count)
    shared, same = (
        np.rint(np.bincount(back, weights=each, minlength=count)).astype(np.intp) for each in (rows.shared, rows.same)
    )
    return Pairs(keys // size, keys % size, shared, same, sums)


def log_mean(values: FloatArray) -> FloatArray:
    """The logarithm of the mean of exponentials along the last axis."""
    top = values.max(axis=-1, keepdims=True) if values.size else values
    return (
        np.asarray(top[..., 0] + np.log(np.exp(values - top).mean(axis=-1))) if values.size else np.zeros(len(values))
    )

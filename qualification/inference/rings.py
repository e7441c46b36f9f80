"""Who copies from whom: rings of workers who answer as one.

A ring of four hides itself from a look at pairs (`likeness`), since each pair is outvoted by the other two.  So rings are
grown from suspicious pairs, and a ring is judged against everybody but its members.

Nothing here acts.  Innocent workers depend on each other too (hard tasks, the same training, the same mistakes), so likeness
alone is `Tier.WATCH`: no work on the same tasks, more gold.  `Tier.REVIEW` needs a second signal, and then a person.

Source: as `likeness`.  A likelihood ratio has mean 1 under independence, so it passes N / alpha with probability alpha / N
at most (Markov); that pays for the N rings that could be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray
from qualification.inference.likeness import (
    COPY_RATES,
    LIKELY_MAX,
    LIKELY_MIN,
    SHARED_MIN,
    Pairs,
    Scene,
    independent_says,
    log_mean,
    reference,
)

ALPHA = 0.05
"""Expected number of rings found in a crowd without any, where the model of independence holds."""

SEEDS_MAX, TRIED_MAX = 40, 8
"""Rings are grown from so many pairs at most, and by the best of so many workers: those that are most like the members."""

MEMBERS_MAX = 10
"""Rings are grown no larger: beyond this a crowd that errs together is likelier, and the work grows with the square."""

STEP_MIN = 5.0
"""A z of `in_step` above this is a second signal."""


class Tier(StrEnum):
    """What likeness may lead to.  ``watch``: no common tasks and more gold.  ``review``: a person looks at it."""

    NONE = "none"
    WATCH = "watch"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Ring:
    """Workers who answer as one.

    ``members``: worker indexes, ascending.  ``source``: the one the others most probably copy from.  ``score``: the log
    likelihood ratio in nats, ``margin``: what it is above the price of having looked at so many possible rings; at least
    log(1 / alpha).  ``shared`` and ``same``: tasks in common and equal answers, summed over its pairs.
    """

    members: tuple[int, ...]
    source: int
    score: float
    margin: float
    shared: int
    same: int


def rings(seen: Scene, scored: Pairs, *, alpha: float = ALPHA) -> tuple[Ring, ...]:
    """The rings that likeness shows, the clearest first; no worker is in two.

    A ring is grown from a suspicious pair, by the worker who adds most, as long as each adds more than log(workers), the
    price of a choice among so many.  It is found when its margin passes log(1 / alpha).
    """
    enough = scored.shared >= SHARED_MIN
    price = float(np.log(max(1, int(np.count_nonzero(enough)))))
    step = float(np.log(max(2, seen.n_workers)))
    scores = np.where(enough, scored.scores, -np.inf)
    order = np.argsort(-scores, kind="stable")[:SEEDS_MAX]
    near = _neighbours(scored, scores)
    found: list[Ring] = []
    tried: list[set[int]] = []
    for place in order[scores[order] > 0]:
        start = (int(scored.first[place]), int(scored.second[place]))
        if any(set(start) <= members for members in tried):
            continue
        ring = _grown(seen, start, near, price, step)
        tried.append(set(ring.members))
        if ring.margin >= -np.log(alpha):
            found.append(ring)
    return _apart(found)


def tier(ring: Ring | None, *, signals: Sequence[str] = ()) -> Tier:
    """What may follow: nothing without a ring, whatever else; review only with a second signal beside the likeness.

    ``signals`` name what else ties the members: the same device or payout account, answers in step (`in_step`).
    """
    if ring is None:
        return Tier.NONE
    return Tier.REVIEW if signals else Tier.WATCH


def in_step(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """How far two workers take their common tasks in the same order: z of Kendall's tau of their times, 0 without an order.

    ``first`` and ``second`` (n,) are when each answered the same n tasks, in seconds.  It is a second signal above
    `STEP_MIN`, and only where each worker is given tasks in an order of chance: on a platform that serves everybody the
    same list, everybody is in step.  Raises ValueError on other shapes.

    Source: Kendall 1938, Biometrika 30(1-2), doi:10.1093/biomet/30.1-2.81, with the variance without ties.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError("times are two lists of equal length")
    count = len(one)
    if count < SHARED_MIN:
        return 0.0
    agree = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
    spread = np.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return float(agree.sum() / 2 / spread)


def stands_out(step: float, others: npt.ArrayLike) -> bool:
    """Whether a pair's `in_step` is a second signal: past `STEP_MIN`, and more than the members are with anybody else.

    ``others`` are the `in_step` of its members with outsiders: high ones say that the tasks come in one order for all.
    """
    return bool(step > np.max(np.asarray(others, np.float64), initial=STEP_MIN))


def as_one(answers: Answers, found: Iterable[Ring]) -> Answers:
    """The answers with each ring counted as one voice: of its members' answers to a task one is left, the most frequent.

    It is the answer of the member with the lowest index among those who gave it, and is put down to the ring's source, so
    that what the ring knows is learnt once.
    """
    place = np.arange(answers.n_workers)
    for ring in found:
        place[list(ring.members)] = ring.source
    voice = place[answers.worker_index]
    sizes = np.bincount(place, minlength=answers.n_workers)
    grouped = sizes[voice] > 1
    kept = np.flatnonzero(~grouped)
    inside = np.flatnonzero(grouped)
    if len(inside):
        cell = (answers.task_index[inside] * answers.n_workers + voice[inside]) * answers.n_classes
        cell += answers.label_index[inside]
        _, back, counts = np.unique(cell, return_inverse=True, return_counts=True)
        order = np.lexsort((answers.worker_index[inside], -counts[back], voice[inside], answers.task_index[inside]))
        of_task = answers.task_index[inside][order] * answers.n_workers + voice[inside][order]
        first = np.r_[True, of_task[1:] != of_task[:-1]]
        kept = np.sort(np.concatenate((kept, inside[order[first]])))
    return replace(
        answers,
        task_index=answers.task_index[kept],
        worker_index=voice[kept],
        label_index=answers.label_index[kept],
    )


def _neighbours(scored: Pairs, scores: FloatArray) -> dict[int, dict[int, float]]:
    """Whom each worker is at all like, and how much: the pairs with a score above 0."""
    near: dict[int, dict[int, float]] = {}
    for place in np.flatnonzero(scores > 0):
        one, other = int(scored.first[place]), int(scored.second[place])
        near.setdefault(one, {})[other] = float(scores[place])
        near.setdefault(other, {})[one] = float(scores[place])
    return near


def _grown(seen: Scene, start: tuple[int, int], near: dict[int, dict[int, float]], price: float, step: float) -> Ring:
    """The ring around a pair."""
    best = _judged(seen, start, price)
    while len(best.members) < MEMBERS_MAX:
        likeness: dict[int, float] = {}
        for member in best.members:
            for worker, score in near.get(member, {}).items():
                if worker not in best.members:
                    likeness[worker] = likeness.get(worker, 0.0) + score
        outside = sorted(likeness, key=lambda worker: (-likeness[worker], worker))[:TRIED_MAX]
        dearer = price + step * (len(best.members) - 1)
        grown = [_judged(seen, (*best.members, worker), dearer) for worker in outside]
        top = max(grown, key=lambda ring: ring.margin, default=best)
        if top.margin <= best.margin:
            break
        best = top
    return best


def _judged(seen: Scene, members: Sequence[int], price: float) -> Ring:
    """The members as a ring, against everybody else."""
    crew = np.sort(np.asarray(members, dtype=np.intp))
    places = np.flatnonzero(np.isin(seen.worker, crew))
    together = np.bincount(seen.task[places], minlength=len(seen.gold)) > 1
    places = places[together[seen.task[places]]]
    tasks, row = np.unique(seen.task[places], return_inverse=True)
    column = np.searchsorted(crew, seen.worker[places])
    label = np.full((len(tasks), len(crew)), -1)
    label[row, column] = seen.label[places]
    likely = np.ones((len(tasks), len(crew), seen.likely.shape[1]))
    likely[row, column] = seen.likely[places]
    votes = seen.votes[tasks].copy()
    np.subtract.at(votes, (row, seen.label[places]), 1)
    without = seen.evidence[tasks].copy()
    np.subtract.at(without, row, np.log(seen.likely[places]))
    classes, common = reference(seen, tasks, without, votes)
    there = label >= 0
    says = independent_says(likely, np.take_along_axis(common, np.maximum(label, 0), axis=1))
    says = np.where(there[:, :, None], np.clip(says, LIKELY_MIN, LIKELY_MAX), 1.0)
    independent = np.log((classes * says.prod(axis=1)).sum(axis=1))
    by_source = []
    for source in range(len(crew)):
        copies = there & there[:, [source]]
        copies[:, source] = False
        same = label == label[:, [source]]
        by_rate = []
        for rate in COPY_RATES:
            copied = np.where(copies[:, :, None], rate * same[:, :, None] + (1 - rate) * says, says)
            by_rate.append(float((np.log((classes * copied.prod(axis=1)).sum(axis=1)) - independent).sum()))
        by_source.append(float(log_mean(np.array(by_rate))))
    score = float(log_mean(np.array(by_source)))
    both = there[:, :, None] & there[:, None, :]
    equal = both & (label[:, :, None] == label[:, None, :])
    return Ring(
        members=tuple(int(worker) for worker in crew),
        source=int(crew[int(np.argmax(by_source))]),
        score=score,
        margin=score - price,
        shared=int((both.sum() - there.sum()) // 2),
        same=int((equal.sum() - there.sum()) // 2),
    )


def _apart(found: Sequence[Ring]) -> tuple[Ring, ...]:
    """The clearest of the rings that have a member in common."""
    kept: list[Ring] = []
    for ring in sorted(found, key=lambda one: (-one.margin, one.members)):
        if not any(set(ring.members) & set(other.members) for other in kept):
            kept.append(ring)
    return tuple(kept)

"""Who the simulated workers are and what they say. Pure: whatever is left to chance comes from the generator given.

Model: a worker's answer to an item of class t is drawn from row t of a confusion matrix of their own. A hard item moves
a share of that row to its lure, the wrong class that it suggests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

SPAMMER_SHARE = 0.15
SPECIALISTS = 6
WEAK_SPECIALISTS = 1
"""Of the specialists, so many are none, and should fail their exam."""

CURIOUS_SHARE = 0.3
"""Of the generalists, so many try the specialists' job without a qualification."""

GENERALIST_ACCURACY = {"digits": (46.0, 4.0), "reviews": (34.0, 6.0), "notes": (9.0, 11.0)}
SPECIALIST_ACCURACY = {"digits": (46.0, 4.0), "reviews": (34.0, 6.0), "notes": (93.0, 7.0)}
"""Parameters of the Beta distributions that accuracies are drawn from: means .92, .85, .45, and .93."""


class Kind(StrEnum):
    """The kinds of simulated workers."""

    GENERALIST = "generalist"
    SPECIALIST = "specialist"
    SPAMMER = "spammer"


@dataclass(frozen=True, slots=True)
class Person:
    """A simulated worker.

    ``confusions``: for each job by slug, rows = truth, (K, K). ``accuracy``: their mean diagonal, which is the share of
    right answers on items without a lure. ``pull``: the share of answers that a lure wins. ``habit``: how a spammer
    spams. ``curious``: tries the specialists' job without being one. ``forgetful``: once leaves tasks to expire.
    """

    number: int
    kind: Kind
    accuracy: Mapping[str, float]
    confusions: Mapping[str, NDArray[np.float64]]
    pull: float
    habit: str = ""
    curious: bool = False
    forgetful: bool = False

    @property
    def name(self) -> str:
        """How they are called, so that nobody takes them for a person."""
        return name_of(self.number)


def name_of(number: int) -> str:
    """The name of a worker by number, from 1."""
    return f"Simulated worker {number:02}"


def draw_crowd(classes: Mapping[str, int], rng: np.random.Generator, *, size: int = 40) -> tuple[Person, ...]:
    """Draw ``size`` workers for jobs with so many ``classes`` (by slug): some spam, six are specialists, the rest are not.

    Who is what is drawn too, so numbers tell nothing. Raises ValueError where there is no room for the specialists.
    """
    spammers = round(size * SPAMMER_SHARE)
    if size < spammers + SPECIALISTS:
        raise ValueError(f"a crowd of {size} has no room for {SPECIALISTS} specialists")
    order = [int(number) for number in rng.permutation(size)]
    roles = dict.fromkeys(order[:spammers], Kind.SPAMMER)
    roles |= dict.fromkeys(order[spammers : spammers + SPECIALISTS], Kind.SPECIALIST)
    weak = set(order[spammers : spammers + WEAK_SPECIALISTS])
    forgetful = set(order[-3:])
    return tuple(
        _spammer(number + 1, classes, rng)
        if roles.get(number) is Kind.SPAMMER
        else _worker(
            number + 1,
            roles.get(number, Kind.GENERALIST),
            classes,
            rng,
            weak=number in weak,
            forgetful=number in forgetful,
        )
        for number in range(size)
    )


def say(person: Person, slug: str, truth: int, lure: int | None, rng: np.random.Generator) -> int:
    """The class that ``person`` says of an item of class ``truth``."""
    row = person.confusions[slug][truth]
    if lure is not None:
        row = (1 - person.pull) * row
        row[lure] += person.pull
    return int(rng.choice(len(row), p=row))


def _worker(
    number: int, kind: Kind, classes: Mapping[str, int], rng: np.random.Generator, *, weak: bool, forgetful: bool
) -> Person:
    skilled = kind is Kind.SPECIALIST and not weak
    shapes = SPECIALIST_ACCURACY if skilled else GENERALIST_ACCURACY
    confusions = {slug: _confusion(float(rng.beta(*shapes[slug])), size, rng) for slug, size in classes.items()}
    return Person(
        number=number,
        kind=kind,
        accuracy={slug: float(confusion.diagonal().mean()) for slug, confusion in confusions.items()},
        confusions=confusions,
        pull=float(rng.uniform(0.05, 0.12) if skilled else rng.uniform(0.15, 0.4)),
        curious=kind is Kind.GENERALIST and bool(rng.random() < CURIOUS_SHARE),
        forgetful=forgetful,
    )


def _spammer(number: int, classes: Mapping[str, int], rng: np.random.Generator) -> Person:
    """Answers without looking: any class, or the same one every time."""
    habit = "any class" if rng.random() < 0.5 else "one class"
    confusions = {}
    for slug, size in classes.items():
        row = np.full(size, 1 / size) if habit == "any class" else np.eye(size)[int(rng.integers(size))]
        confusions[slug] = np.tile(row, (size, 1))
    accuracy = {slug: float(confusion.diagonal().mean()) for slug, confusion in confusions.items()}
    return Person(number, Kind.SPAMMER, accuracy, confusions, pull=0.0, habit=habit)


def _confusion(accuracy: float, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A matrix with ``accuracy`` on its diagonal, give or take a little a class, and the rest where chance puts it."""
    right = np.clip(accuracy + rng.normal(0, 0.02, size), 0.05, 0.995)
    matrix = np.zeros((size, size))
    for truth in range(size):
        others = [place for place in range(size) if place != truth]
        matrix[truth, others] = (1 - right[truth]) * rng.dirichlet(np.full(size - 1, 0.7))
        matrix[truth, truth] = right[truth]
    return matrix

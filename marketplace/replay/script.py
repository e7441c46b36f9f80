"""Who will say what in which order: a replay's script, drawn from a data set. Pure; all chance comes from ``rng``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from marketplace.replay.dataset import Dataset, DatasetInvalid, Recorded


@dataclass(frozen=True, slots=True)
class Script:
    """The items to post as tasks and as gold, and the recorded answers to both, in the order in which they come."""

    tasks: tuple[str, ...]
    gold: tuple[str, ...]
    events: tuple[Recorded, ...]

    def recorded(self) -> Counter[str]:
        """How many answers were recorded for each item."""
        return Counter(event.item for event in self.events)

    def answers_possible(self, answers_max: int) -> int:
        """How many answers the tasks can get, gold not counted."""
        recorded = self.recorded()
        return sum(min(answers_max, recorded[item]) for item in self.tasks)


def write_script(dataset: Dataset, *, gold: int, limit: int | None, rng: np.random.Generator) -> Script:
    """Choose at most ``limit`` items, ``gold`` of them (with known truth) as gold, and shuffle the answers.

    Raises DatasetInvalid when there is not enough truth: gold leaves at least one task.
    """
    items = sorted(dataset.rows)
    if limit is not None and limit < len(items):
        items = sorted(items[place] for place in rng.choice(len(items), size=limit, replace=False))
    known = [item for item in items if item in dataset.truth]
    if gold > len(known) or gold >= len(items):
        raise DatasetInvalid(
            f"{dataset.name} has {len(known)} items with truth among the {len(items)} chosen; ask for less gold than {gold}."
        )
    golden = sorted(known[place] for place in rng.choice(len(known), size=gold, replace=False)) if gold else []
    chosen = set(items)
    events = [answer for answer in dataset.answers if answer.item in chosen]
    order = rng.permutation(len(events)).tolist()
    hidden = set(golden)
    return Script(
        tuple(item for item in items if item not in hidden), tuple(golden), tuple(events[place] for place in order)
    )

"""The answers that inference reads, as plain index arrays."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

type IntArray = npt.NDArray[np.intp]
type FloatArray = npt.NDArray[np.float64]

UNKNOWN = -1
"""The gold class of a task whose answer is not known."""


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """Who answered what, one entry an answer.

    Shapes: ``task_index``, ``worker_index``, ``label_index`` (n_answers,); ``gold`` (n_tasks,), the verified class of a
    task or -1.  The arrays are copies and read-only.  A task may have no answer, and a worker may answer a task twice
    (rework): both answers count.

    Raises ValueError when lengths differ or an index is out of its range.
    """

    task_index: IntArray
    worker_index: IntArray
    label_index: IntArray
    n_tasks: int
    n_workers: int
    n_classes: int
    gold: IntArray = field(default_factory=lambda: np.empty(0, np.intp))
    tasks: tuple[Hashable, ...] = ()
    workers: tuple[Hashable, ...] = ()

    def __post_init__(self) -> None:
        if self.n_tasks < 0 or self.n_workers < 0:
            raise ValueError("n_tasks and n_workers cannot be negative")
        if self.n_classes < 2:
            raise ValueError(f"n_classes is {self.n_classes}; a question needs at least 2 classes")
        gold = np.full(self.n_tasks, UNKNOWN) if len(self.gold) == 0 else self.gold
        for name, value, low, high, length in (
            ("task_index", self.task_index, 0, self.n_tasks, len(self.label_index)),
            ("worker_index", self.worker_index, 0, self.n_workers, len(self.label_index)),
            ("label_index", self.label_index, 0, self.n_classes, len(self.label_index)),
            ("gold", gold, UNKNOWN, self.n_classes, self.n_tasks),
        ):
            object.__setattr__(self, name, _indexes(name, value, low, high, length))

    def __len__(self) -> int:
        """The number of answers."""
        return len(self.label_index)

    @classmethod
    def of(
        cls,
        triples: Iterable[tuple[Hashable, Hashable, Hashable]],
        *,
        classes: Sequence[Hashable] | int,
        tasks: Sequence[Hashable] = (),
        workers: Sequence[Hashable] = (),
        gold: Mapping[Hashable, Hashable] | None = None,
    ) -> Answers:
        """Build from (task, worker, label) by name.

        ``classes`` are the labels in class order, or their number when labels are class indexes already.  ``tasks`` and
        ``workers`` fix the order of the indexes; names that come later are appended as they appear.  ``gold`` maps task
        to label.  Raises ValueError on a label that is no class and on gold for a task that is not there.
        """
        class_of = _places(range(classes) if isinstance(classes, int) else classes, "class")
        task_of, worker_of = _places(tasks, "task"), _places(workers, "worker")
        rows = [
            (_place(task_of, task), _place(worker_of, worker), _class(class_of, label))
            for task, worker, label in triples
        ]
        known = np.full(len(task_of), UNKNOWN)
        for task, label in (gold or {}).items():
            if task not in task_of:
                raise ValueError(f"gold names task {task!r}, which is not among the tasks")
            known[task_of[task]] = _class(class_of, label)
        columns = np.array(rows, dtype=np.intp).reshape(len(rows), 3)
        return cls(
            columns[:, 0],
            columns[:, 1],
            columns[:, 2],
            n_tasks=len(task_of),
            n_workers=len(worker_of),
            n_classes=len(class_of),
            gold=known,
            tasks=tuple(task_of),
            workers=tuple(worker_of),
        )

    def counts(self) -> FloatArray:
        """How often each class was answered for each task, (n_tasks, n_classes)."""
        cells = self.task_index * self.n_classes + self.label_index
        flat = np.bincount(cells, minlength=self.n_tasks * self.n_classes)
        return flat.reshape(self.n_tasks, self.n_classes).astype(np.float64)

    def gold_or(self, gold: npt.ArrayLike | None) -> IntArray:
        """The gold given for one fit, checked, or else the gold these answers carry."""
        return self.gold if gold is None else _indexes("gold", np.asarray(gold), UNKNOWN, self.n_classes, self.n_tasks)


def _indexes(name: str, value: npt.ArrayLike, low: int, high: int, length: int) -> IntArray:
    """A read-only copy of one index array, checked for kind, length and range [low, high)."""
    array = np.asarray(value)
    if array.ndim != 1 or len(array) != length:
        raise ValueError(f"{name} has shape {array.shape}; expected ({length},)")
    if length and array.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {array.dtype}; expected integers")
    copy = np.array(array, dtype=np.intp)
    if length and (copy.min() < low or copy.max() >= high):
        raise ValueError(f"{name} runs from {copy.min()} to {copy.max()}; allowed is {low} to {high - 1}")
    copy.setflags(write=False)
    return copy


def _places(names: Iterable[Hashable], what: str) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    for name in names:
        if name in places:
            raise ValueError(f"{what} {name!r} is named twice")
        places[name] = len(places)
    return places


def _place(places: dict[Hashable, int], name: Hashable) -> int:
    return places.setdefault(name, len(places))


def _class(class_of: Mapping[Hashable, int], label: Hashable) -> int:
    try:
        return class_of[label]
    except KeyError:
        raise ValueError(f"label {label!r} is not one of the {len(class_of)} classes") from None

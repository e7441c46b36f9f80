"""What every inference engine promises, and the register of engines.

An engine turns answers into beliefs twice over, by the same arithmetic: in bulk (`fit`, a refit of a whole job) and
answer by answer (`contribution` added to a task's evidence, then `posterior`).  Worker parameters move only in `fit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy.typing as npt

from qualification.inference.answers import Answers, FloatArray
from qualification.inference.dawid_skene import DawidSkene
from qualification.inference.fit import Fit
from qualification.inference.majority import Majority

__all__ = ["ENGINES", "Engine", "Fit", "engine_named"]


class Engine(Protocol):
    """A way to believe something from answers.  Stateless; all methods are pure and deterministic.

    K is the number of classes.  For every task without gold, `fit` and the online path agree:
    ``fit.posterior[t] == posterior(sum of contribution(fit.worker[w], label, K) over t's answers, fit.prior)``.
    """

    @property
    def name(self) -> str:
        """The name a job's quality plan asks for."""
        ...

    @property
    def version(self) -> int:
        """Grows whenever the same answers would lead to other beliefs; stored with every consensus."""
        ...

    def fit(
        self,
        answers: Answers,
        *,
        gold: npt.ArrayLike | None = None,
        start: npt.ArrayLike | None = None,
        prior_workers: npt.ArrayLike | None = None,
    ) -> Fit:
        """Estimate beliefs and worker parameters from all answers at once.

        ``gold`` (n_tasks,) replaces ``answers.gold``; tasks with gold come back one-hot.  ``start`` (n_tasks, K) is a
        posterior to begin from; rows with nan begin from the votes.  ``prior_workers`` (n_workers, K, K) are
        pseudo-counts, true class by label, of what is known of the workers from elsewhere.
        Raises ValueError on empty answers and wrong shapes.
        """
        ...

    def contribution(self, confusion: npt.ArrayLike | None, label_index: int, n_classes: int) -> FloatArray:
        """The evidence (K,) that one answer adds to its task; ``confusion`` (K, K) is its worker's, None if unknown."""
        ...

    def posterior(self, evidence: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
        """The belief (..., K) after summed evidence (..., K), given class prior (K,)."""
        ...

    def default_confusion(self, n_classes: int) -> FloatArray:
        """The confusion (K, K) assumed of a worker nobody has parameters for."""
        ...


ENGINES: Mapping[str, Engine] = MappingProxyType({engine.name: engine for engine in (Majority(), DawidSkene())})


def engine_named(name: str) -> Engine:
    """The engine of that name; ValueError lists the names there are."""
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}; choose one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name]

"""Every no has its row in the one table, and its words in the documentation."""

from __future__ import annotations

import importlib
import inspect
import re

from accounts.refusals import Refusal
from marketplace.api.problems import INTERNAL, PROBLEMS, problem_of
from tests.architecture.tree import FLOORS, ROOT, document, listed, python

SLUG = re.compile(r"[a-z]+(-[a-z]+)*")


def refusals_below_marketplace() -> list[type[Refusal]]:
    """Every refusal class that a domain package defines."""
    found = []
    for path in python(*FLOORS[:-1]):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for _name, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if issubclass(kind, Refusal) and kind is not Refusal and kind.__module__ == name:
                found.append(kind)
    return found


def test_every_refusal_has_its_row_in_the_table_of_problems() -> None:
    without = [f"{kind.__module__}.{kind.__name__}" for kind in refusals_below_marketplace() if kind not in PROBLEMS]

    assert not without, listed(without)


def test_every_refusal_says_a_sentence() -> None:
    mute = [
        f"{kind.__module__}.{kind.__name__}: {kind.sentence()!r}"
        for kind in refusals_below_marketplace()
        if kind.__doc__ == Refusal.__doc__ or not re.fullmatch(r"[A-Z].{10,}[.?]", kind.sentence())
    ]

    assert not mute, listed(mute)


def test_every_slug_is_used_once_and_is_a_word_of_an_address() -> None:
    by_slug: dict[str, set[str]] = {}
    for kind, problem in PROBLEMS.items():
        by_slug.setdefault(problem.slug, set()).add(f"{problem.status} {problem.title}")
        if issubclass(kind, Refusal):
            by_slug[problem.slug].add(kind.__qualname__ + kind.__module__)
    twice = [f"{slug}: {sorted(uses)}" for slug, uses in by_slug.items() if len(uses) > 2]
    strange = [slug for slug in by_slug if not SLUG.fullmatch(slug)]

    assert not twice + strange, listed(twice + strange)


def test_every_problem_has_a_row_in_the_reference_and_no_other() -> None:
    told = set(re.findall(r"^\| \d+ \| `([^`]+)` \|", document("reference/problems.md"), re.MULTILINE))
    slugs = {problem.slug for problem in (*PROBLEMS.values(), INTERNAL)}

    assert told == slugs, listed(
        [f"{slug}: only in the {'page' if slug in told else 'table'}" for slug in told ^ slugs]
    )


def test_a_refusal_without_a_row_of_its_own_is_told_as_an_internal_error() -> None:
    class Unforeseen(Refusal):
        """Nobody wrote a row for this."""

    assert problem_of(Unforeseen) is INTERNAL

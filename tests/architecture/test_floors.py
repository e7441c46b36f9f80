"""Four floors, imports point down, and no row of a lower floor shows a way up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import django
from django.apps import apps
from django.db.models import ForeignObject

from tests.architecture.tree import FLOORS, ROOT, called, functions, listed, parsed, python, text

ACTS = {
    "accounts": (
        "people",
        "keys",
        "organising",
        "inviting",
        "profiling",
        "consenting",
        "blocking",
        "credentials",
        "verifying",
        "assessing",
        "noticing",
        "matching",
        "privacy",
        "impersonating",
    ),
    "qualification": ("gold", "examining", "crediting"),
    "tasks": (
        "publishing",
        "importing",
        "claiming",
        "submitting",
        "judging",
        "grading",
        "reviewing",
        "settling",
        "closing",
        "releasing",
        "revoking",
        "linking",
        "erasing",
    ),
}
"""The act modules of each floor. Acts that others of their floor may call are not here: granting, observing."""

ABOVE_ONLY = re.compile(r"(rest_framework|celery|allauth|environs|redis|django_htmx|drf_spectacular|django\.http)\b")
"""What only marketplace may know."""

CLOCKS = {"now", "utcnow", "today", "localtime", "localdate", "time"}
PURE = ("accounts/ledger/money.py", "qualification/inference", "tasks/routing", "tasks/labels", "tasks/formats")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a file imports, in full, with its line."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"


def test_the_framework_is_the_one_we_tried() -> None:
    assert django.VERSION[:2] == (6, 1)


def test_a_floor_imports_only_what_is_below_it() -> None:
    upward = [
        f"{called(path)}:{line} imports {name}"
        for height, floor in enumerate(FLOORS)
        for path in python(floor)
        for line, name in imported(path)
        if name.split(".")[0] in FLOORS[height + 1 :]
    ]

    assert not upward, listed(upward)


def test_acts_of_one_floor_do_not_know_each_other() -> None:
    known = [
        f"{called(path)}:{line} imports {name}"
        for floor, acts in ACTS.items()
        for act in acts
        if (path := ROOT / floor / f"{act}.py").exists()
        for line, name in imported(path)
        for other in acts
        if other != act and (name == f"{floor}.{other}" or name.startswith(f"{floor}.{other}."))
    ]

    assert not known, listed(known)


def test_every_module_named_by_a_gerund_is_listed_as_an_act_or_as_one_that_acts_use() -> None:
    shared = {"granting", "observing", "sealing"}
    unlisted = [
        called(path)
        for floor, acts in ACTS.items()
        for path in (ROOT / floor).glob("*ing.py")
        if path.stem not in {*acts, *shared} and path.stem != "staging"
    ]

    assert not unlisted, listed(unlisted)


def test_only_marketplace_knows_the_web_the_queue_and_the_environment() -> None:
    known = [
        f"{called(path)}:{line} imports {name}"
        for path in python(*FLOORS[:-1])
        for line, name in imported(path)
        if ABOVE_ONLY.match(name) or name == "os.environ"
    ]
    known += [f"{called(path)} reads os.environ" for path in python(*FLOORS[:-1]) if "os.environ" in text(path)]

    assert not known, listed(known)


def test_only_marketplace_reads_the_clock() -> None:
    read = [
        f"{called(path)}:{node.lineno} calls {ast.unparse(node.func)}"
        for path in python(*FLOORS[:-1])
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
        and ast.unparse(node.func.value).split(".")[-1] in {"timezone", "datetime", "date", "time"}
    ]

    assert not read, listed(read)


def test_the_pure_cores_know_no_django_and_no_driver() -> None:
    impure = [
        f"{called(path)}:{line} imports {name}"
        for core in PURE
        for path in ([ROOT / core] if core.endswith(".py") else python(core))
        for line, name in imported(path)
        if name.split(".")[0] in {"django", "psycopg", "marketplace"}
    ]

    assert not impure, listed(impure)


def test_no_reverse_accessor_leads_from_a_row_to_another_app() -> None:
    ours = {config.label for config in apps.get_app_configs() if config.name.split(".")[0] in FLOORS}
    visible = [
        f"{model._meta.label}.{field.name}: say related_name='+'"
        for model in apps.get_models()
        if model._meta.app_label in ours
        for field in model._meta.local_fields
        if isinstance(field, ForeignObject)
        and field.remote_field.model._meta.app_label != model._meta.app_label
        and not field.remote_field.hidden
    ]

    assert not visible, listed(visible)


def test_no_signals_no_logic_in_save_and_no_model_serializers() -> None:
    found = []
    for path in python(*FLOORS):
        found += [f"{called(path)}:{line} imports {name}" for line, name in imported(path) if _is_signal(name)]
        found += [
            f"{called(path)}:{node.lineno} overrides {node.name}"
            for node in functions(parsed(path))
            if node.name in {"save", "save_base"}
        ]
        found += [
            f"{called(path)}:{node.lineno} uses {node.id}"
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Name) and node.id in {"ModelSerializer", "HyperlinkedModelSerializer"}
        ]
        found += [
            f"{called(path)}:{node.lineno} uses {node.attr}"
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Attribute) and node.attr in {"ModelSerializer", "HyperlinkedModelSerializer"}
        ]

    assert not found, listed(found)


def _is_signal(name: str) -> bool:
    return "signals" in name.split(".") or name.startswith("django.dispatch")

"""What the documentation says is what the code does: settings, sweeps, states, commands, proofs, names and links."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.db import models

from accounts.ledger.proofs import PROOFS
from marketplace.sweeps import SWEEPS
from tasks.proofs import LINE_PROOFS
from tests.architecture.tree import FLOORS, ROOT, called, document, files, listed, parsed, python, text

VARIABLE = r"[A-Z][A-Z0-9_]{2,}"
FLAGS_OF_EVERY_COMMAND = {"-h", "--help", "--version", "-v", "--verbosity", "--settings", "--pythonpath", "--traceback"}
FLAGS_OF_EVERY_COMMAND |= {"--no-color", "--force-color", "--skip-checks"}
DJANGOS = {"migrate", "makemigrations", "help", "shell", "dbshell", "collectstatic", "spectacular", "createsuperuser"}


def section(markdown: str, title: str) -> str:
    """What stands under the heading of that title, up to the next heading of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\s*$(.*?)(?=^\1 |\Z)", markdown, re.MULTILINE | re.DOTALL)
    return found.group(2) if found else ""


def rows(markdown: str) -> list[list[str]]:
    """The cells of every row of every table, without the lines under the heads."""
    lines = [line.strip() for line in markdown.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


def read_from_the_environment() -> set[str]:
    """Every variable that marketplace asks the environment for, by name."""
    found = set()
    for path in python("marketplace"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                owner, first = ast.unparse(node.func.value), node.args[0]
                asks = owner == "env" or (owner.endswith("environ") and node.func.attr == "get")
                if asks and isinstance(first, ast.Constant) and re.fullmatch(VARIABLE, str(first.value)):
                    found.add(str(first.value))
    return found


def test_every_setting_stands_in_the_reference_and_no_other() -> None:
    told = {
        name
        for row in rows(document("reference/settings.md"))
        for name in re.findall(rf"`({VARIABLE})`", row[0])
    }  # fmt: skip
    asked = read_from_the_environment()

    assert asked - told == set(), listed([f"{name} is read and has no row" for name in asked - told])
    assert told - asked == set(), listed([f"{name} has a row and is not read" for name in told - asked])


def test_every_sweep_and_its_period_stand_in_the_reference_and_no_other() -> None:
    told = {(row[0].strip("`"), row[1]) for row in rows(document("reference/sweeps.md")) if row[0].startswith("`")}
    run = {(sweep.name, f"{sweep.every_seconds:g} s") for sweep in SWEEPS.values()}

    assert told == run, listed([f"{what} {where}" for what, where in told ^ run])


def test_every_state_stands_in_the_reference_under_its_model() -> None:
    states = document("reference/states.md")
    missing = [
        f"{model.__name__}: {choices.__name__.lower()} {value}"
        for model in apps.get_models()
        if model.__module__.split(".")[0] in FLOORS
        for choices in vars(model).values()
        if isinstance(choices, type) and issubclass(choices, models.TextChoices)
        for value in choices.values
        if f"`{value}`" not in section(states, model.__name__)
    ]

    assert not missing, listed(missing)


def test_every_move_in_the_reference_is_between_states_that_exist() -> None:
    wrong = []
    for model in apps.get_models():
        choices = getattr(model, "State", None)
        if choices is None or model.__module__.split(".")[0] not in FLOORS:
            continue
        moves = [row for row in rows(section(document("reference/states.md"), model.__name__)) if "`" in row[0]]
        named = {name for row in moves for cell in row[:2] for name in re.findall(r"`(\w+)`", cell)}
        wrong += [f"{model.__name__} has no state {name}" for name in named - set(choices.values)]
        wrong += [f"{model.__name__}: no move from or to {name}" for name in set(choices.values) - named]

    assert not wrong, listed(wrong)


def test_every_command_of_ours_and_its_flags_stand_in_the_reference() -> None:
    reference = document("reference/commands.md")
    ours = {name: app for name, app in get_commands().items() if str(app).split(".")[0] in FLOORS}
    missing = []
    for name, app in ours.items():
        parser = load_command_class(str(app), name).create_parser("manage.py", name)
        told = section(reference, f"`manage.py {name}`")
        flags = {flag for action in parser._actions for flag in _flags(action)} - FLAGS_OF_EVERY_COMMAND
        missing += [f"{name} {flag}" for flag in flags if not re.search(rf"`{flag}\b", told)]
        if not told:
            missing.append(f"{name}: no section")

    assert not missing, listed(missing)


def _flags(action: argparse.Action) -> list[str]:
    return [flag for flag in action.option_strings if flag.startswith("--")]


def targets() -> set[str]:
    """What ``make`` can make, files apart."""
    return set(re.findall(r"^([a-z]+(?:-%)?):", text(ROOT / "Makefile"), re.MULTILINE))


def test_every_target_stands_in_the_reference() -> None:
    told = set(re.findall(r"`make ([a-z]+(?:-ID)?)", document("reference/commands.md")))
    missing = {target.replace("-%", "-ID") for target in targets()} - told

    assert not missing, listed(list(missing))


def test_every_proof_stands_among_the_invariants() -> None:
    told = document("explanation/invariants.md")
    missing = [proof.name for proof in (*PROOFS, *LINE_PROOFS) if f"`{proof.name}`" not in told]

    assert not missing, listed(missing)


def test_every_command_that_a_document_names_exists() -> None:
    known = {*get_commands(), *DJANGOS}
    wrong = []
    for path in files(".md"):
        words = text(path)
        made = set(re.findall(r"(?:`|^)make ([a-z]+)(?:-[a-zA-Z0-9]+)?\b", words, re.MULTILINE))
        wrong += [f"{called(path)}: make {name}" for name in made - {t.removesuffix("-%") for t in targets()}]
        managed = set(re.findall(r"manage\.py ([a-z_]+)", words))
        wrong += [f"{called(path)}: manage.py {name}" for name in managed - known]

    assert not wrong, listed(wrong)


def test_every_file_and_function_that_a_document_names_exists() -> None:
    wrong = []
    for path in files(".md"):
        for name in re.findall(r"`((?:accounts|qualification|tasks|marketplace|tests|docs)[/.][\w./*-]+)`", text(path)):
            if "/" in name and not _is_there(name):
                wrong.append(f"{called(path)}: {name}")
            if "/" not in name and not name.endswith(".csv") and not _is_defined(name):
                wrong.append(f"{called(path)}: {name}")

    assert not wrong, listed(wrong)


def _is_there(name: str) -> bool:
    return any(ROOT.glob(name.rstrip("/")))


def _is_defined(dotted: str) -> bool:
    """Whether a dotted name is a module of ours, or something in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").exists() or path.is_dir():
            thing: Any = importlib.import_module(".".join(parts[:length]))
            for part in parts[length:]:
                thing = getattr(thing, part, None)
            return thing is not None
    return False


def test_every_link_of_a_document_leads_somewhere() -> None:
    broken = []
    for path in files(".md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", text(path)):
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = target.partition("#")
            goal = (path.parent / place).resolve() if place else path
            if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in _anchors(goal)):
                broken.append(f"{called(path)}: {target}")

    assert not broken, listed(broken)


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_document_is_reached_from_the_index() -> None:
    index = text(ROOT / "docs" / "README.md") if (ROOT / "docs" / "README.md").exists() else ""
    pages = [path for path in files(".md") if (ROOT / "docs") in path.parents and path.name != "README.md"]
    lost = [called(path) for path in pages if f"({path.relative_to(ROOT / 'docs').as_posix()})" not in index]

    assert not lost, listed(lost)


def test_a_decision_is_short_and_its_title_is_the_decision() -> None:
    wrong = []
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        number, _, rest = path.stem.partition("-")
        lines = text(path).strip().splitlines()
        slug = re.sub(r"[^a-z0-9]+", "-", lines[0].removeprefix(f"# {int(number)}. ").lower()).strip("-")
        if slug != rest:
            wrong.append(f"{called(path)}: its title says {slug}")
        if len(lines) > 20:
            wrong.append(f"{called(path)}: {len(lines)} lines")

    assert not wrong, listed(wrong)

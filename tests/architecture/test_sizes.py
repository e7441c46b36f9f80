"""Files and functions stay small enough to be read, and a module's imports stand at its head."""

from __future__ import annotations

import ast

from tests.architecture.tree import FLOORS, OURS, ROOT, called, functions, listed, parsed, python, text

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
NAMES_REFUSED = {"services", "utils", "helpers", "common", "base", "misc", "signals"}

SOURCES = (*python(*OURS), ROOT / "manage.py")


def test_a_file_has_at_most_four_hundred_lines() -> None:
    sql = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.sql")]
    lengths = {called(path): text(path).count("\n") for path in (*SOURCES, *sql)}

    long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > LINES_MAX]

    assert not long, listed(long)


def test_a_function_has_at_most_sixty_lines() -> None:
    long = [
        f"{called(path)}:{node.lineno} {node.name}: {length} lines"
        for path in SOURCES
        for node in functions(parsed(path))
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not long, listed(long)


def test_nothing_is_imported_inside_a_function() -> None:
    hidden = [
        f"{called(path)}:{inner.lineno} in {node.name}"
        for path in SOURCES
        for node in functions(parsed(path))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert not hidden, listed(hidden)


def test_a_module_is_named_for_what_it_does() -> None:
    nameless = [
        called(path)
        for path in (*SOURCES, *(ROOT / floor for floor in FLOORS))
        if NAMES_REFUSED & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]

    assert not nameless, listed(nameless)

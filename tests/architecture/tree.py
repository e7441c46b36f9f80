"""The tree that the architecture tests read: which files are ours, and what stands in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("accounts", "qualification", "tasks", "marketplace")
"""From the lowest to the highest: a floor knows those before it."""
OURS = (*FLOORS, "tests")

_NOT_OURS = {"__pycache__", "staticfiles", "vendor"}
_DOTTED_AND_OURS = {".ci", ".github"}


@cache
def python(*packages: str) -> tuple[Path, ...]:
    """The Python files of these packages, without migrations, in order."""
    found = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    return tuple(sorted(path for path in found if not {"migrations", "__pycache__"} & set(path.parts)))


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """Every file of the tree that is ours, or only those with these endings, in order."""
    found = (Path(folder) / name for folder, _folders, names in _walk() for name in names)
    return tuple(sorted(path for path in found if path.is_file() and (not endings or path.suffix in endings)))


def _walk() -> Iterator[tuple[Path, list[str], list[str]]]:
    for folder, folders, names in ROOT.walk():
        folders[:] = [
            name for name in folders if name not in _NOT_OURS and (name[0] != "." or name in _DOTTED_AND_OURS)
        ]
        yield folder, folders, names


@cache
def text(path: Path) -> str:
    """What stands in the file; bytes that are not text are passed over."""
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text(path), str(path))


def called(path: Path) -> str:
    """The file's name as people say it: from the root of the tree."""
    return path.relative_to(ROOT).as_posix()


def document(name: str) -> str:
    """What stands in ``docs/<name>``; nothing where it is not written yet."""
    path = ROOT / "docs" / name
    return text(path) if path.exists() else ""


def functions(module: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods and nested ones too."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def listed(faults: list[str]) -> str:
    """All faults at once, one a line."""
    return "\n".join(["", *sorted(faults)])

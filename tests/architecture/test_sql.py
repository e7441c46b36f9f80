"""SQL of a floor says in its head which tables of lower floors it reads, and reads no others."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

from tests.architecture.tree import FLOORS, ROOT, called, listed, text

LOWER = re.compile(r"\b((?:accounts|qualification|ledger)_[a-z]+)\b")


def head_and_body(path: Path) -> tuple[str, str]:
    """The comment at the head of a script, and the statements after it without their comments."""
    lines = text(path).splitlines()
    head = list(takewhile(lambda line: line.startswith("--"), lines))
    return "\n".join(head), "\n".join(line.split("--")[0] for line in lines[len(head) :])


def test_sql_of_the_line_lists_the_tables_of_lower_floors_it_reads() -> None:
    wrong = []
    for path in sorted((ROOT / "tasks" / "sql").glob("*.sql")):
        head, body = head_and_body(path)
        told, read = set(LOWER.findall(head)), set(LOWER.findall(body))
        wrong += [f"{called(path)} reads {table} and does not say so" for table in read - told]
        wrong += [f"{called(path)} does not read {table} and says so" for table in told - read]

    assert not wrong, listed(wrong)


def test_sql_never_reads_the_tables_of_a_higher_floor() -> None:
    wrong = []
    for height, floor in enumerate(FLOORS):
        higher = re.compile(rf"\b(?:{'|'.join(FLOORS[height + 1 :]) or 'none'})_[a-z]+\b")
        for path in (ROOT / floor).rglob("*.sql"):
            wrong += [f"{called(path)} reads {table}" for table in higher.findall(head_and_body(path)[1])]

    assert not wrong, listed(wrong)

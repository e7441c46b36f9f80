"""How the demo is told, on a terminal and without one."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from marketplace.demo.display import JobNow, Lines, Now, Terminal, accounts_table, live_view, near, workers_table
from marketplace.demo.report import WorkerFacts


def a_now() -> Now:
    job = JobNow("digits", "Handwritten digits", 150, 30, 2, 120, Decimal("2.64"), Decimal("31.10"), 0.9)
    return Now(12.0, (job,), 40, 38, 412, 3, 17, 7, 0)


def said_by(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=140)


def test_without_a_terminal_it_is_one_plain_line_every_three_seconds(console: Console) -> None:
    clock = iter([100.0, 100.0, 100.0, 102.0, 103.5, 103.5])
    lines = Lines(console, lambda: next(clock))

    for _ in range(3):
        lines.show(a_now())

    assert (
        said_by(console).splitlines()
        == ["  12 s  Handwritten digits 32/150 (90% right) · 120 answers · 412/min · 2.64 USD · to judge 3, to pay 17"]
        * 2
    )


def test_the_live_view_shows_progress_money_accuracy_and_the_backlog(console: Console) -> None:
    console.print(live_view(a_now()))

    said = said_by(console)
    for words in ("32/150", "2.64", "31.10", "90.0%", "38 of 40 workers active", "412 answers a minute"):
        assert words in said
    assert "to judge 3 · to pay 17" in said
    assert "which only the demo knows" in said


def test_a_narrow_terminal_sees_every_figure_whole() -> None:
    narrow = Console(file=io.StringIO(), width=80)

    narrow.print(live_view(a_now(), 80))
    narrow.print(
        accounts_table(
            "http://localhost:8000",
            dict.fromkeys(("worker", "requester", "administrator"), ("requester@localhost", "0123456789ab")),
        )
    )

    assert "…" not in said_by(narrow)
    for words in ("digits", "32/150", "31.10", "90.0%", "http://localhost:8000/api/v1/docs", "0123456789ab"):
        assert words in said_by(narrow)


def test_what_happens_meanwhile_is_told_on_a_terminal_too(console: Console) -> None:
    terminal = Terminal(console)

    terminal.show(a_now())
    terminal.say("web ended with status -9; starting it again in 0.5 s")
    terminal.rest()

    assert "web ended" in said_by(console)


def test_spammers_are_named(console: Console) -> None:
    def worker(number: int, habit: str) -> WorkerFacts:
        kind = "spammer" if habit else "generalist"
        return WorkerFacts(f"Simulated worker {number:02}", kind, habit, "", 9, Decimal(1), 0.5, 0.5, 0.4, 0.6, 4)

    console.print(workers_table([worker(1, ""), worker(2, "any class"), worker(3, "one class")]))

    assert "Spammers among the 3: 02, 03." in said_by(console)
    assert "spammer, any class" in said_by(console)


def test_a_path_is_told_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert near(str(tmp_path / "out" / "demo")) == "out/demo"
    assert near("/elsewhere") == "/elsewhere"

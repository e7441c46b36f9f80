"""How the demo is told: a live display and tables on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marketplace.demo.report import WorkerFacts, best_and_worst

EVERY_SECONDS = 3.0
NARROW = 104
"""Columns below which the live display shortens what it can."""


@dataclass(frozen=True, slots=True)
class JobNow:
    """A job while it runs. Money in its currency; ``accuracy`` against the truth, None before anything is judged."""

    slug: str
    name: str
    tasks: int
    resolved: int
    contested: int
    answers: int
    spent: Decimal
    escrow: Decimal
    accuracy: float | None

    @property
    def done(self) -> int:
        """Tasks that are over."""
        return self.resolved + self.contested


@dataclass(frozen=True, slots=True)
class Now:
    """The line while it runs. ``waiting`` tasks are to be judged, ``unpaid`` answers to be paid: the sweeps' backlog."""

    seconds: float
    jobs: tuple[JobNow, ...]
    workers: int
    active: int
    per_minute: int
    waiting: int
    unpaid: int
    refused: int
    lost: int


class Display(Protocol):
    """Whatever the demo is told on."""

    def say(self, text: str) -> None:
        """Tell something that happened, a sentence."""

    def done(self, text: str) -> None:
        """Tell that a step is done."""

    def show(self, now: Now) -> None:
        """Tell how far the line is."""

    def rest(self) -> None:
        """End the live part; what is told from here on stays."""

    def tables(self, parts: Sequence[RenderableType]) -> None:
        """Print the report."""


class Lines:
    """For logs: plain text, one line at a time."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._said = clock() - EVERY_SECONDS

    def say(self, text: str) -> None:
        """Tell something that happened."""
        self._line(text)

    def done(self, text: str) -> None:
        """Tell that a step is done."""
        self._line(text)

    def show(self, now: Now) -> None:
        """A line every few seconds."""
        if self._clock() - self._said < EVERY_SECONDS:
            return
        self._said = self._clock()
        jobs = " · ".join(f"{job.name} {job.done}/{job.tasks}{_percent_so_far(job.accuracy)}" for job in now.jobs)
        spent = sum((job.spent for job in now.jobs), Decimal(0))
        answers = sum(job.answers for job in now.jobs)
        self._line(
            f"{now.seconds:4.0f} s  {jobs} · {answers} answers · {now.per_minute}/min · {spent:.2f} USD"
            f" · to judge {now.waiting}, to pay {now.unpaid}"
        )

    def rest(self) -> None:
        """Nothing is live here."""

    def tables(self, parts: Sequence[RenderableType]) -> None:
        """Print the report."""
        for part in parts:
            self._console.print(part)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Terminal:
    """For people: a display that moves."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Tell something that happened, above whatever moves."""
        self._console.print(Text(f"  {text}", style="dim"))

    def done(self, text: str) -> None:
        """Tell that a step is done."""
        self._console.print(Text.assemble(("✓ ", "green"), text))

    def show(self, now: Now) -> None:
        """Draw the line as it is."""
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        self._live.update(live_view(now, self._console.width))

    def rest(self) -> None:
        """Take away what moved."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def tables(self, parts: Sequence[RenderableType]) -> None:
        """Print the report."""
        for part in parts:
            self._console.print(part)


def live_view(now: Now, width: int = 120) -> RenderableType:
    """The line while it runs, on so many columns: a row for each job, and a line about all."""
    narrow = width < NARROW
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("job", no_wrap=True)
    table.add_column("tasks", no_wrap=True)
    for name in ("done", "answers", "spent", "escrow", "accuracy*", "contested"):
        table.add_column(name, justify="right", no_wrap=True)
    for job in now.jobs:
        table.add_row(
            job.slug if narrow else job.name,
            ProgressBar(total=max(1, job.tasks), completed=job.done, width=8 if narrow else 24),
            f"{job.done}/{job.tasks}", str(job.answers), f"{job.spent:.2f}", f"{job.escrow:.2f}",
            "–" if job.accuracy is None else f"{job.accuracy:.1%}", str(job.contested),
        )  # fmt: skip
    about = (
        f"{now.seconds:.0f} s · {now.active} of {now.workers} workers active · {now.per_minute} answers a minute"
        f" · to judge {now.waiting} · to pay {now.unpaid} · refused at the specialists' job {now.refused}"
    )
    if now.lost:
        about += f" · requests lost and sent again {now.lost}"
    note = "* share of resolved tasks whose label is right, which only the demo knows"
    return Group("", table, "", Text(about), Text(note, style="dim"))


def near(path: str) -> str:
    """A path as seen from here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def jobs_table(jobs: Sequence[Mapping[str, Any]]) -> Table:
    """The jobs at their end."""
    caption = (
        "Accuracy: labels against the truth, which only the demo knows. Plain majority: of the same answers."
        " Workers on gold: their answers to hidden gold."
    )
    table = _a_table("Jobs", caption)
    table.add_column("")
    for job in jobs:
        name = job["name"] + ("\n(specialists only)" if job["specialists_only"] else "")
        table.add_column(name, justify="right", overflow="fold")
    rows: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "domain": lambda job: job["domain"],
        "policy": lambda job: job["policy"],
        "tasks resolved": lambda job: f"{job['resolved']} of {job['tasks']}",
        "contested": lambda job: str(job["contested"]),
        "answers + gold": lambda job: f"{job['answers']} + {job['gold_answers']}",
        "labels per task": lambda job: f"{job['labels_per_task']:.2f}",
        "accuracy": lambda job: _percent(job["accuracy"]),
        "plain majority": lambda job: _percent(job["majority_accuracy"]),
        "workers on gold": lambda job: _percent(job["accuracy_on_gold"]),
        "paid to workers": lambda job: f"{Decimal(job['paid']):.2f} {job['currency']}",
        "platform's fee": lambda job: f"{Decimal(job['fee']):.2f} {job['currency']}",
        "cost per task": lambda job: f"{Decimal(job['cost']) / job['tasks']:.3f} {job['currency']}",
        "release": lambda job: near(job["release_path"]),
    }
    for title, cell in rows.items():
        table.add_row(title, *(cell(job) for job in jobs))
    return table


def workers_table(workers: Sequence[WorkerFacts], count: int = 5) -> Table:
    """The best and the worst workers by what they showed on gold, and who the spammers were."""
    spammers = ", ".join(_number(one) for one in workers if one.habit)
    caption = (
        "Drawn: what the demo gave them, on easy items. Measured: what the site learned from gold and exams, with its"
        f" 90 % interval. Spammers among the {len(workers)}: {spammers}."
    )
    table = _a_table("Simulated workers, best and worst on gold", caption)
    table.add_column("no.")
    table.add_column("is")
    for name in ("drawn", "measured", "gold", "answers", "earned"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in best_and_worst(workers, count):
        for one in part:
            remark = one.habit or (f"exam {one.exam}" if one.exam else "")
            kind = Text(f"{one.kind}, {remark}" if remark else one.kind, style="red" if one.habit else "")
            measured = f"{one.measured:.0%} ({one.low:.0%} to {one.high:.0%})"
            drawn = _percent(one.drawn)
            table.add_row(_number(one), kind, drawn, measured, str(one.gold), str(one.answers), f"{one.earned:.2f}")
        table.add_section()
    return table


def accounts_table(address: str, sign_in: Mapping[str, Sequence[str]]) -> Table:
    """Where to look, and as whom."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("to", "open", "and sign in as", "with"):
        table.add_column(name, overflow="fold")
    table.add_row("watch", f"{address}/", "(open to all)", "")
    for what, path, role in (
        ("label", "/work", "worker"), ("post", "/api/v1/docs", "requester"), ("manage", "/admin/", "administrator"),
    ):  # fmt: skip
        table.add_row(what, address + path, *sign_in[role])
    return table


def _a_table(title: str, caption: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD, pad_edge=False,
        caption=caption, caption_justify="left",
    )  # fmt: skip


def _number(worker: WorkerFacts) -> str:
    return worker.name.rpartition(" ")[2]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _percent_so_far(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%} right)"

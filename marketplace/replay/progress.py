"""Telling how far a replay is: a bar on a terminal, a line every few seconds elsewhere. Speaks on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

EVERY_SECONDS = 5.0


@contextlib.contextmanager
def telling(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield what is told how many of ``total`` are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task(title, total=total)
        yield lambda done: progress.update(bar, completed=done)


def _lines(title: str, total: int) -> Callable[[int], None]:
    started = said = time.monotonic()

    def tell(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= EVERY_SECONDS:
            said = now
            print(f"{title}: {done:,} of {total:,} ({now - started:.0f} s)", file=sys.stderr, flush=True)  # noqa: T201  (progress is for people)

    return tell

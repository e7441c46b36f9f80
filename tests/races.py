"""Doing things at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from accounts.refusals import Refusal


def at_once[T](acts: Sequence[Callable[[], T]]) -> list[T | Refusal]:
    """Run ``acts`` in threads that start together; what each returned, or the refusal it got. Needs ``committed_db``."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T | Refusal:
        try:
            start.wait(timeout=20)
            return act()
        except Refusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))

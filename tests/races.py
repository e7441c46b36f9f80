"""Doing things at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import psycopg
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


def waits_for[T](
    lock: psycopg.Connection[Any],
    statement: str,
    parameters: Sequence[Any],
    act: Callable[[], T],
    *,
    meanwhile: Callable[[], object] = lambda: None,
) -> T:
    """Run ``act`` while ``lock`` holds what ``statement`` locked: it must not finish before that is let go.

    ``meanwhile`` is done while it waits, such as taking a lock that ``act`` must not hold by then.
    """
    with ThreadPoolExecutor(1) as pool:
        with lock.transaction():
            lock.execute(statement, parameters)
            running = pool.submit(_closing, act)
            assert not wait([running], timeout=0.5).done, "it did not wait"
            meanwhile()
        return running.result(timeout=20)


def _closing[T](act: Callable[[], T]) -> T:
    try:
        return act()
    finally:
        connection.close()

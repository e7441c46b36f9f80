"""What all simulated workers together have done, counted by all their threads."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Tally:
    """What all workers together have done; every method may be called by any thread."""

    answers: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    by_worker: Counter[tuple[int, str]] = field(default_factory=Counter)
    exams: dict[int, list[str]] = field(default_factory=dict)
    returned: int = 0
    abandoned: int = 0
    recovered: int = 0
    crashes: list[str] = field(default_factory=list)
    _seen: dict[int, float] = field(default_factory=dict)
    _times: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, number: int, slugs: Sequence[str]) -> None:
        """Note answers that stand, by the jobs they were to."""
        now = time.monotonic()
        with self._lock:
            self._seen[number] = now
            for slug in slugs:
                self.answers[slug] += 1
                self.by_worker[number, slug] += 1
                self._times.append(now)

    def refused(self, slug: str) -> None:
        """Note a no, by the name of the problem."""
        with self._lock:
            self.refusals[slug] += 1

    def sat(self, number: int, state: str) -> None:
        """Note how a sitting ended."""
        with self._lock:
            self.exams.setdefault(number, []).append(state)

    def add(self, *, returned: int = 0, abandoned: int = 0, recovered: int = 0) -> None:
        """Count tasks that were given back, left to expire, or found again after a lost answer."""
        with self._lock:
            self.returned += returned
            self.abandoned += abandoned
            self.recovered += recovered

    def crashed(self, what: str) -> None:
        """Note that a thread died, which is a fault of the demo's or the site's."""
        with self._lock:
            self.crashes.append(what)

    def per_minute(self) -> int:
        """Answers in the last minute; while there was less than a minute, at the rate so far."""
        now = time.monotonic()
        with self._lock:
            while self._times and self._times[0] < now - MINUTE:
                self._times.popleft()
            if not self._times:
                return 0
            return round(len(self._times) * MINUTE / max(5.0, now - self._times[0]))

    def active(self, seconds: float = 10.0) -> int:
        """Workers who answered something in the last seconds."""
        since = time.monotonic() - seconds
        with self._lock:
            return sum(then > since for then in self._seen.values())

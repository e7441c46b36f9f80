"""Watching the line through the API while the crowd works, and scoring it against the truth that only the demo knows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from marketplace.demo.client import Api, Door
from marketplace.demo.display import JobNow, Now
from marketplace.demo.posting import Posted
from marketplace.demo.tally import Tally

LABELS_EVERY_SECONDS = 1.5
LABELS_AT_A_TIME = 25
"""Labels are read one by one, and reading must not take the machine from the workers."""


class Watcher:
    """What a requester sees of their jobs, again and again."""

    def __init__(self, requester: Api, door: Door, posted: Sequence[Posted], tally: Tally, *, crowd_size: int) -> None:
        self._requester, self._door, self._posted, self._tally = requester, door, posted, tally
        self._crowd_size = crowd_size
        self._began = time.monotonic()
        self._reports: dict[str, dict[str, Any]] = {}
        self._ended: dict[str, float] = {}
        self._right: dict[str, dict[str, bool]] = {one.job: {} for one in posted}
        self._labels_at = 0.0

    def look(self) -> Now:
        """Read every job's report, and some labels that are new."""
        for one in self._posted:
            report = self._requester.get(f"/jobs/{one.job}/report")
            self._reports[one.job] = report
            if not report["open"] + report["waiting"]:
                self._ended.setdefault(one.job, time.monotonic())
        if time.monotonic() - self._labels_at > LABELS_EVERY_SECONDS:
            self._read_labels()
            self._labels_at = time.monotonic()
        return self._now()

    def all_judged(self) -> bool:
        """Has every task of every job its label, or none for good?"""
        return len(self._ended) == len(self._posted)

    def all_settled(self) -> bool:
        """Is every answer paid, as far as the reports know of it?"""
        return all(self._unpaid(one) <= 0 for one in self._posted)

    def answers(self) -> tuple[int, int]:
        """Answers to tasks, and to hidden gold."""
        reports = self._reports.values()
        return sum(one["answers"] for one in reports), sum(one["gold_answers"] for one in reports)

    def seconds_of(self, job: str) -> float:
        """From the crowd's first claim until the job's last task was judged."""
        return self._ended.get(job, time.monotonic()) - self._began

    def _unpaid(self, posted: Posted) -> int:
        report = self._reports[posted.job]
        paid = Decimal(report["paid"]) / posted.posting.price
        return int(report["answers"] + report["gold_answers"] - paid)

    def _read_labels(self) -> None:
        """Compare labels that have not been read yet with the truth."""
        for one in self._posted:
            known = self._right[one.job]
            if self._reports[one.job]["resolved"] <= len(known):
                continue
            truth = {item.ref: one.posting.names[item.truth] for item in one.posting.tasks}
            listed = self._requester.get(f"/jobs/{one.job}/tasks?state=resolved&limit=200")["results"]
            new = [task for task in listed if not task["gold"] and task["external_ref"] not in known]
            for task in new[:LABELS_AT_A_TIME]:
                label = self._requester.get(f"/tasks/{task['id']}")["consensus"]["label"]
                known[task["external_ref"]] = label == {"class": truth[task["external_ref"]]}

    def _now(self) -> Now:
        reports = self._reports
        return Now(
            seconds=time.monotonic() - self._began,
            jobs=tuple(self._job_now(one, reports[one.job]) for one in self._posted),
            workers=self._crowd_size,
            active=self._tally.active(),
            per_minute=self._tally.per_minute(),
            waiting=sum(report["waiting"] for report in reports.values()),
            unpaid=sum(max(0, self._unpaid(one)) for one in self._posted),
            refused=self._tally.refusals["not-qualified"],
            lost=self._door.lost,
        )

    def _job_now(self, posted: Posted, report: dict[str, Any]) -> JobNow:
        right = self._right[posted.job]
        return JobNow(
            slug=posted.posting.slug,
            name=posted.posting.name,
            tasks=len(posted.posting.tasks),
            resolved=report["resolved"],
            contested=report["contested"],
            answers=report["answers"],
            spent=Decimal(report["paid"]) + Decimal(report["fee"]),
            escrow=Decimal(report["escrow"]),
            accuracy=sum(right.values()) / len(right) if right else None,
        )

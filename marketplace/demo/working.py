"""Simulated workers at work: each a thread that sits exams, claims, thinks, answers, and survives a site that dies.

A lost answer does no harm: answers are sent again (the site says ``repeated``), and tasks that were leased to us
without our hearing of it are read back from our own assignments.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marketplace.demo.client import Api, Stopped, Unreachable, slug_of
from marketplace.demo.content import Item, shown_of
from marketplace.demo.crowd import Kind, Person, say
from marketplace.demo.posting import Posted
from marketplace.demo.tally import Tally

THINKING_SECONDS = 0.85
"""On average, for one answer: long enough to watch the line, short enough for a demo."""

AT_A_TIME_MAX = 10
RETURN_SHARE = 0.02
SHORT_LEASE_SECONDS = 20
IDLE_FIRST, IDLE_MAX = 0.4, 2.0

Lease = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What all workers share: the jobs, what the items really are, the tally, and the end of the day (``over``)."""

    jobs: Mapping[str, Posted]
    items: Mapping[str, Item]
    tally: Tally
    over: threading.Event

    @property
    def reserved(self) -> Posted:
        """The job for specialists."""
        return next(posted for posted in self.jobs.values() if posted.exam)


class Hand(threading.Thread):
    """One simulated worker, from the exam to the end of the day."""

    def __init__(self, person: Person, api: Api, world: World, rng: np.random.Generator) -> None:
        super().__init__(name=person.name, daemon=True)
        self._person, self._api, self._world, self._rng = person, api, world, rng
        self._pace = THINKING_SECONDS * float(rng.uniform(0.7, 1.3)) * (0.8 if person.kind is Kind.SPAMMER else 1.0)
        self._forgetful = person.forgetful
        self._appetite = AT_A_TIME_MAX
        self._jobs: dict[str, str] = {}

    def run(self) -> None:
        """Work until there is nothing more to do, or the demo is stopped."""
        try:
            self._work(specialist=self._person.kind is Kind.SPECIALIST and self._passes())
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  a dead thread must not be a silent one
            self._world.tally.crashed(f"{self._person.name}: {type(error).__name__}: {error}")

    def _passes(self) -> bool:
        """Sit the exam, a second time if need be."""
        reserved = self._world.reserved
        state = ""
        for _ in range(2):
            attempt = self._api.post(f"/exams/{reserved.exam}/attempts")
            answers = [
                {"number": question["number"], "label": self._label(reserved, question["payload"])}
                for question in attempt["questions"]
            ]
            self._think(len(answers) / 4)
            path = f"/attempts/{attempt['id']}"
            graded = self._api.post(f"{path}/hand-in", {"answers": answers}, done="attempt-not-open")
            state = str((graded or self._api.get(path))["state"])
            self._world.tally.sat(self._person.number, state)
            if state == "passed":
                return True
        return False

    def _work(self, *, specialist: bool) -> None:
        """Hand in and claim in turn, from the specialists' job where it is open to us, else from whatever suits."""
        tries_reserved = specialist or self._person.curious
        answers: list[dict[str, Any]] = []
        idle = IDLE_FIRST
        while not self._world.over.is_set():
            job = self._world.reserved.job if tries_reserved else None
            leases, problem = self._exchange(answers, job)
            answers = self._answers_to(leases)
            if problem == "not-qualified":
                tries_reserved = False
            elif leases:
                idle = IDLE_FIRST
            elif job is not None:  # nothing there for now: something else meanwhile
                leases, _ = self._exchange([], None)
                answers = self._answers_to(leases)
            if not leases:
                self._world.over.wait(idle * float(self._rng.uniform(0.7, 1.3)))
                idle = min(idle * 1.5, IDLE_MAX)
        if answers:
            self._hand_in(answers)
        for lease in self._held():
            self._give_back(lease)

    def _exchange(self, answers: list[dict[str, Any]], job: str | None) -> tuple[list[Lease], str]:
        """One ``work`` call: answers in, tasks out, or the name of the problem why there are none."""
        count = int(self._rng.integers(1, self._appetite + 1))
        body = {"answers": answers, "count": count, "job": job}
        try:
            done = self._api.post_once("/work", body)
        except Unreachable:
            return self._recover(answers), ""
        self._note(done["outcomes"], answers)
        problem = slug_of(done["problem"])
        if problem and problem != "nothing-to-claim":
            self._world.tally.refused(problem)
        return done["assignments"], problem

    def _recover(self, answers: list[dict[str, Any]]) -> list[Lease]:
        """After a lost answer: hand in again, and take up the tasks that are ours, whether we heard of them or not."""
        if answers:
            self._hand_in(answers)
        held = self._held()
        self._world.tally.add(recovered=len(held))
        return held

    def _held(self) -> list[Lease]:
        found = self._api.get("/workers/me/assignments?state=leased&limit=200")["results"]
        return [lease for lease in found if lease["payload"] is not None]

    def _hand_in(self, answers: list[dict[str, Any]]) -> None:
        self._note(self._api.post("/answers", {"answers": answers})["outcomes"], answers)

    def _note(self, outcomes: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
        for outcome in outcomes:
            if outcome["state"] == "refused":
                self._world.tally.refused(slug_of(outcome["problem"]))
                if slug_of(outcome["problem"]) == "lease-expired":  # bit off too much
                    self._appetite = max(1, self._appetite // 2)
        stand = {outcome["assignment"] for outcome in outcomes if outcome["state"] != "refused"}
        slugs = [self._jobs.pop(name, "") for name in (answer["assignment"] for answer in answers) if name in stand]
        self._world.tally.answered(self._person.number, [slug for slug in slugs if slug])

    def _answers_to(self, leases: Sequence[Lease]) -> list[dict[str, Any]]:
        """Think about each task in hand; a few are given back, and whoever is forgetful once leaves some to expire."""
        if self._forgetful and any(self._is_short(lease) for lease in leases):
            self._forgetful = False
            kept = [lease for lease in leases if not self._is_short(lease)]
            self._world.tally.add(abandoned=len(leases) - len(kept))
            leases = kept
        answers = []
        for lease in leases:
            if self._rng.random() < RETURN_SHARE:
                self._give_back(lease)
                continue
            seconds = self._pace * float(self._rng.lognormal(-0.125, 0.5))
            posted = self._world.jobs[lease["job"]]
            self._jobs[lease["id"]] = posted.posting.slug
            label = self._label(posted, lease["payload"])
            answers.append({"assignment": lease["id"], "label": label, "seconds": round(seconds, 2)})
        self._think(sum(float(answer["seconds"]) for answer in answers))
        return answers

    def _is_short(self, lease: Lease) -> bool:
        """Would everybody else have to wait only for seconds if this were left to expire?"""
        return self._world.jobs[lease["job"]].posting.lease_seconds <= SHORT_LEASE_SECONDS

    def _give_back(self, lease: Lease) -> None:
        self._api.post(f"/assignments/{lease['id']}/return")
        self._world.tally.add(returned=1)

    def _label(self, posted: Posted, payload: dict[str, Any]) -> dict[str, str]:
        item = self._world.items[shown_of(payload)]
        said = say(self._person, posted.posting.slug, item.truth, item.lure, self._rng)
        return {"class": posted.posting.names[said]}

    def _think(self, seconds: float) -> None:
        self._world.over.wait(seconds)

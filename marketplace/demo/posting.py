"""Posting the demo's jobs through the API, as any requester would: gold, exam, job, money, tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.demo.client import Api
from marketplace.demo.content import EXAM_LEVEL, GOLD_EXPOSURES, Item, Posting

QUESTIONS = 10
PASS_SHARE = 0.8
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Posted:
    """A job that is live, and the exam that leads to it, if any."""

    posting: Posting
    job: str
    exam: str | None = None


@dataclass(frozen=True, slots=True)
class Requester:
    """Who posts: the organisation whose key ``api`` sends, and the platform's domains (path to id)."""

    api: Api
    organisation: str
    domains: dict[str, str]

    def post(self, posting: Posting) -> Posted:
        """Post one job with all that belongs to it, and open it to workers."""
        gold = self._gold_set(posting, "hidden", posting.gold) if posting.gold else None
        exam = self._exam(posting, self._gold_set(posting, "exam", posting.exam)) if posting.exam else None
        job = self.api.post("/jobs", self._said(posting))["id"]
        self.api.post(f"/jobs/{job}/publish")
        if gold:
            self.api.post(f"/jobs/{job}/gold", {"gold_set": gold, "exposure_max": GOLD_EXPOSURES})
        # Tasks come last: with gold first, the first claims of all may meet it.
        rows = b"".join(_row(item) for item in posting.tasks)
        self.api.post(f"/jobs/{job}/batches?name=demo", rows, kind="application/x-ndjson")
        return Posted(posting, job, exam)

    def _said(self, posting: Posting) -> dict[str, Any]:
        domain = self.domains[posting.domain]
        return {
            "organisation": self.organisation,
            "domain": domain,
            "name": posting.name,
            "description": posting.description,
            "label_definition": posting.definition,
            "guidelines": posting.guidelines,
            "requirements": [{"domain": domain, "level_min": EXAM_LEVEL}] if posting.specialists_only else [],
            "price": str(posting.price),
            "budget": str(posting.budget),
            "policy": posting.policy,
            "gold_share_bp": posting.gold_share_bp,
            "lease_seconds": posting.lease_seconds,
        }

    def _gold_set(self, posting: Posting, use: str, items: Sequence[Item]) -> str:
        """A published gold set of these items; its id."""
        said = {
            "organisation": self.organisation,
            "name": f"{posting.name} ({use})",
            "domain": self.domains[posting.domain],
            "label_definition": posting.definition,
        }
        made = str(self.api.post("/gold-sets", said)["id"])
        verified = [
            {"payload": one.payload, "accepted": [{"label": {"class": posting.names[one.truth]}}]} for one in items
        ]
        self.api.post(f"/gold-sets/{made}/items", {"items": verified}, done="gold-refused")
        self.api.post(f"/gold-sets/{made}/publish", done="gold-set-not-draft")
        return made

    def _exam(self, posting: Posting, gold_set: str) -> str:
        name = f"{posting.name}: exam"
        said = {
            "organisation": self.organisation,
            "gold_set": gold_set,
            "name": name,
            "level": EXAM_LEVEL,
            "questions": QUESTIONS,
            "pass_share": PASS_SHARE,
            "attempts_max": ATTEMPTS,
        }
        made = self.api.post("/exams", said, done="exam-exists")
        if made is None:
            exams = self.api.get("/exams?limit=200")["results"]
            made = next(one for one in exams if (one["name"], one["organisation"]) == (name, self.organisation))
        return str(made["id"])


def requester_with(api: Api, organisation: str) -> Requester:
    """The organisation's requester, who has looked up the platform's domains."""
    return Requester(api, organisation, {one["path"]: one["id"] for one in api.get("/domains?limit=200")["results"]})


def _row(item: Item) -> bytes:
    return json.dumps({"external_ref": item.ref, "payload": item.payload}).encode() + b"\n"

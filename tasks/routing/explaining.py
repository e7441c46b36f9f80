"""What a worker is told when a gate says no.

Pure.  The keys are the words that ``tasks/sql/claim.sql`` answers with; they are API and are never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Gate:
    """One reason for no: a sentence for the worker, and what would change it."""

    title: str
    remedy: str


GATES: Mapping[str, Gate] = MappingProxyType(
    {
        "no_such_worker": Gate(
            "This account is not a worker's.",
            "Sign up as a worker, or use a key that belongs to one.",
        ),
        "key_revoked": Gate(
            "This key no longer opens anything.",
            "Issue a new key and use that.",
        ),
        "worker_suspended": Gate(
            "Your account is suspended.",
            "Write to support; the notice of the suspension says why and until when.",
        ),
        "worker_paused": Gate(
            "You have paused work.",
            "Resume work on your profile when you want to go on.",
        ),
        "consent_missing": Gate(
            "You have not agreed to the terms of this work.",
            "Read what is asked for on your page of agreements, and agree to it there.",
        ),
        "blocked": Gate(
            "You are kept from this work by a block.",
            "Choose a job of another organisation, or wait; the block says why and until when.",
        ),
        "model_not_allowed": Gate(
            "This job is for people only.",
            "Choose a job that allows models.",
        ),
        "conflict_of_interest": Gate(
            "You belong to the organisation that posted this job.",
            "Choose a job of another organisation.",
        ),
        "not_qualified": Gate(
            "This job asks for a qualification that you do not hold, or hold at a lower level.",
            "Take the exam of the domain named in the job, or have a credential verified.",
        ),
        "cap_reached": Gate(
            "You have given as many answers as one person may give to this job.",
            "Choose another job.",
        ),
        "job_not_live": Gate(
            "This job takes no answers now.",
            "Choose another job, or come back when it is live.",
        ),
        "too_many_leases": Gate(
            "You hold as many tasks as you may at a time.",
            "Answer or return some of them first.",
        ),
        "no_open_task": Gate(
            "There is no open task for you now.",
            "Try again in a little while; new tasks come in, and unfinished ones come back.",
        ),
    }
)

"""Which open work a worker is offered first.

Pure.  ``tasks/sql/claim.sql`` computes the same score where the rows are; a test compares the two.  Gates (who may do a
job at all) are decided elsewhere; here everything in the list may be done, and the question is only in which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PRIORITY_WEIGHT = 1000
EXPERT_WEIGHT = 100
LEVEL_WEIGHT = 10
SPECIALIST_WEIGHT = 1
"""Each weight outweighs all smaller ones together: levels run from 0 to 9, and a job is specialist or not."""


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """What the score reads of a bucket: tasks that are alike to the router.

    ``priority`` 0 (last) to 9 (first); ``waiting_for`` crowd, expert or review; ``specialist`` says that the job
    requires a qualification; ``opened_seq`` orders buckets by age for reports and does not move the score.
    """

    bucket_id: int
    domain_id: int
    difficulty: int
    priority: int
    waiting_for: str
    specialist: bool
    opened_seq: int = 0


@dataclass(frozen=True, slots=True)
class WorkerStanding:
    """The worker's level in each domain where there is a standing qualification."""

    levels: Mapping[int, int] = field(default_factory=dict)


def score(facts: BucketFacts, standing: WorkerStanding) -> float:
    """How early this worker is offered this bucket; larger is earlier.

    1000 * priority + 100 if an expert is awaited + 10 * the worker's level in the bucket's domain + 1 if specialist.
    So priority comes first, and inside one priority the qualified serve what only they can before common work.
    """
    return float(
        PRIORITY_WEIGHT * facts.priority
        + EXPERT_WEIGHT * (facts.waiting_for == "expert")
        + LEVEL_WEIGHT * standing.levels.get(facts.domain_id, 0)
        + SPECIALIST_WEIGHT * facts.specialist
    )


def order(buckets: Iterable[BucketFacts], standing: WorkerStanding) -> list[int]:
    """The bucket ids, best score first, equal scores by ascending id."""
    ranked = sorted(buckets, key=lambda facts: (-score(facts, standing), facts.bucket_id))
    return [facts.bucket_id for facts in ranked]

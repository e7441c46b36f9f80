"""The line's tables. Each module's head lists the states and the moves between them."""

from tasks.models.assignments import Answer, Assignment
from tasks.models.consensus import Consensus, Release, ReleaseFile
from tasks.models.flags import AnswerFlag
from tasks.models.jobs import Eligibility, Guidelines, Job, LabelSchema, QualityPlan, Requirement
from tasks.models.queue import RouteEpoch, WorkerBucket, WorkerRoute
from tasks.models.tasks import Batch, Bucket, Payload, Task

__all__ = [
    "Answer",
    "AnswerFlag",
    "Assignment",
    "Batch",
    "Bucket",
    "Consensus",
    "Eligibility",
    "Guidelines",
    "Job",
    "LabelSchema",
    "Payload",
    "QualityPlan",
    "Release",
    "ReleaseFile",
    "Requirement",
    "RouteEpoch",
    "Task",
    "WorkerBucket",
    "WorkerRoute",
]

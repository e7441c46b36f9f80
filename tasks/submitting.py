"""Submitting: a worker hands in labels for leases they hold.

1. ``submit_open`` locks the tasks, in id order, and tells what is known of each (one round trip).
2. The label is checked against the schema version of the assignment, and the engine's pure functions say what the
   answer does to the task's evidence and posterior: the same functions that refits and replays use.
3. ``submit_write`` writes assignment, answer, counters and consensus (one round trip), for gold and plain tasks alike.

A submit may be repeated: the same label for the same assignment is answered as the first time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from django.db import transaction

from accounts import statements
from accounts.refusals import Fault, KeyRevoked, NoSuchWorker, Refusal
from qualification.inference.engine import ENGINES
from tasks import beliefs, queries
from tasks.labels.registry import KINDS, LabelInvalid

COUNT_MAX = 100
SECONDS_MAX = 7 * 86_400.0


class NoSuchAssignment(Refusal):
    """You hold no such assignment."""


class LeaseExpired(Refusal):
    """Your time on this task ran out, and it went back to the queue."""


class LeaseTakenBack(LeaseExpired):
    """This task was taken back, because something that it asks for was revoked."""


class AlreadyAnswered(Refusal):
    """You have already given another answer to this assignment."""


class LabelRefused(Refusal):
    """The label does not fit the job's schema."""


class AnswersOutOfRange(Refusal):
    """Hand in 1 to 100 answers at a time, each assignment once."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A label for one assignment. ``seconds`` is the active time, where the page measured it."""

    assignment_id: int
    label: Any
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one submission: ``submitted``, ``repeated`` (said the same before), or ``refused`` and why."""

    assignment_id: int
    state: str
    refusal: Refusal | None = None


class Opened(NamedTuple):
    """One row of ``submit_open``."""

    refusal: str | None
    at: datetime
    assignment_id: int
    state: str
    lease_ended: bool
    reason: str
    task_id: int
    job_id: int
    schema_id: int
    engine: str
    review_seconds: int
    evidence: list[float] | None
    answers: int
    confusion: list[float] | None
    prior: list[float] | None
    said: str | None


class Written(NamedTuple):
    """One answer as ``submit_write`` takes it."""

    assignment_id: int
    label: str
    class_index: int | None
    seconds: float | None
    review_seconds: int
    engine: str
    evidence: str | None
    posterior: str | None


def submit_answer(
    worker_id: int, submission: Submission, *, key_id: int | None = None, at: datetime | None = None
) -> Outcome:
    """Hand in one answer; raises its refusal."""
    outcome = submit_answers(worker_id, [submission], key_id=key_id, at=at)[0]
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def submit_answers(
    worker_id: int, submissions: Sequence[Submission], *, key_id: int | None = None, at: datetime | None = None
) -> list[Outcome]:
    """Hand in 1..100 answers; each stands or is refused by itself, and the outcomes come back in the same order.

    Raises AnswersOutOfRange, KeyRevoked or NoSuchWorker for the request as a whole.
    """
    ids = [submission.assignment_id for submission in submissions]
    if not 1 <= len(ids) <= COUNT_MAX or len(set(ids)) != len(ids):
        raise AnswersOutOfRange
    with transaction.atomic():
        opened = _open(worker_id, ids, key_id, at)
        outcomes: list[Outcome] = []
        written: list[Written] = []
        for submission in submissions:
            row = opened.get(submission.assignment_id)
            try:
                answer = _judge(submission, row)
            except Refusal as refusal:
                outcomes.append(Outcome(submission.assignment_id, "refused", refusal))
                continue
            outcomes.append(Outcome(submission.assignment_id, "submitted" if answer else "repeated"))
            if answer:
                written.append(answer)
        if written:
            _write(worker_id, next(iter(opened.values())).at, written)
    return outcomes


def _open(worker_id: int, ids: list[int], key_id: int | None, at: datetime | None) -> dict[int, Opened]:
    found = [
        Opened(*row)
        for row in statements.rows(
            "SELECT * FROM submit_open(%s::bigint, %s::bigint, %s::bigint[], %s::timestamptz)",
            (worker_id, key_id, ids, at),
        )
    ]
    if found and found[0].refusal is not None:
        raise KeyRevoked if found[0].refusal == "key_revoked" else NoSuchWorker
    return {row.assignment_id: row for row in found}


def _judge(submission: Submission, row: Opened | None) -> Written | None:
    """What to write for this submission; None when the same was said before. Raises its refusal."""
    if row is None:
        raise NoSuchAssignment
    schema = queries.label_schema(row.schema_id)
    kind = KINDS[schema.kind]
    try:
        label = kind.validate_label(schema.definition, submission.label)
    except LabelInvalid as invalid:
        pointer = "/label" + "".join(f"/{part}" for part in invalid.path.split(".") if part)
        raise LabelRefused(faults=[Fault(pointer, f"{invalid.reason}; {invalid.remedy}")]) from invalid
    if row.state not in ("leased", "returned", "expired"):
        if row.said is not None and msgspec.json.decode(row.said) == label:
            return None
        raise AlreadyAnswered
    if row.state == "expired" and row.reason:
        raise LeaseTakenBack(f"{LeaseTakenBack.sentence()} The reason: {row.reason}", reason=row.reason)
    if row.state != "leased" or row.lease_ended:
        raise LeaseExpired
    seconds = submission.seconds
    if seconds is not None and not 0 <= seconds <= SECONDS_MAX:
        raise LabelRefused(faults=[Fault("/seconds", "is not a time; send seconds from 0 to 604800, or nothing")])
    index = kind.class_index(schema.definition, label)
    evidence, posterior = (None, None) if index is None else _believe(row, index, len(schema.classes))
    return Written(
        row.assignment_id,
        msgspec.json.encode(label).decode(),
        index,
        seconds,
        row.review_seconds,
        row.engine,
        evidence,
        posterior,
    )


def _believe(row: Opened, index: int, classes: int) -> tuple[str, str]:
    """The task's evidence and posterior after this answer, as array literals.

    Classes are only ever added to a schema, so the longer of what the assignment knows and what the task has stands.
    Evidence from before a class was added is computed anew, from the answers it came from.
    """
    engine = ENGINES[row.engine]
    known = len(row.evidence or ())
    classes = max(classes, known)
    before = np.zeros(classes) if row.evidence is None else np.asarray(row.evidence)
    if 0 < known < classes:
        before = beliefs.beliefs_of(row.job_id, row.engine, classes, [row.task_id])[row.task_id].evidence
    evidence = before + engine.contribution(beliefs.confusion_for(row.confusion, classes), index, classes)
    posterior = engine.posterior(evidence, beliefs.prior_for(row.prior, classes))
    return beliefs.literal(evidence), beliefs.literal(posterior)


def _write(worker_id: int, at: datetime, written: list[Written]) -> None:
    columns = [list(column) for column in zip(*written, strict=True)]
    moved = statements.value(
        "SELECT submit_write(%s::bigint, %s::timestamptz, %s::bigint[], %s::text[]::jsonb[], %s::smallint[], "
        "%s::float8[], %s::int[], %s::text[], %s::text[], %s::text[])",
        (worker_id, at, *columns),
    )
    if moved < 0:  # cannot be, while submit_open's locks are held
        raise LeaseExpired

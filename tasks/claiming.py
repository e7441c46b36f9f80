"""Claiming: a worker takes leases on the open tasks that suit them best, gives them back, or lets them run out.

Everything is decided by one SQL function in one round trip (``tasks/sql/claim.sql``): who may, which task, the slot,
the price and the grant it rests on. Three promises are kept by the database: a task never has more takers than slots
(``a_task_is_never_overbooked``), a person never has it twice (``one_answer_a_person``), and a lease that ran out is
open again for the very next claim, whether or not a sweep is running.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts import blocking, consenting, statements
from accounts.models import Terms, Worker
from accounts.refusals import KeyRevoked, NoSuchWorker, Refusal
from tasks.models import Job

COUNT_MAX = 100


class NothingToClaim(Refusal):
    """No open task suits you right now."""


class NotQualified(Refusal):
    """This job asks for a qualification that you do not hold."""


class ConflictOfInterest(Refusal):
    """You belong to the organisation that posted this job."""


class CapReached(Refusal):
    """You have given as many answers as this job takes from one worker."""


class JobNotOpen(Refusal):
    """This job is not taking answers now."""


class ModelNotAllowed(Refusal):
    """This job takes answers from people only."""


class WorkerPaused(Refusal):
    """You have paused your work; resume it to claim tasks."""


class WorkerSuspended(Refusal):
    """This worker account is suspended."""


class ConsentMissing(Refusal):
    """Agree to the terms of this work first.

    ``terms`` are the texts, for the door that shows them.
    """

    def __init__(self, terms: Sequence[Terms] = ()) -> None:
        self.terms = tuple(terms)
        names = "; ".join(map(_named, self.terms))
        super().__init__(f"Read and agree first to: {names}." if names else "", missing=len(self.terms))


class Blocked(Refusal):
    """You are blocked from this work."""


class TooManyLeases(Refusal):
    """You hold as many tasks as one worker may; answer or return some first."""


class CountOutOfRange(Refusal):
    """Ask for 1 to 100 tasks at a time."""


REFUSALS: dict[str, type[Refusal]] = {
    "no_open_task": NothingToClaim,
    "not_qualified": NotQualified,
    "conflict_of_interest": ConflictOfInterest,
    "cap_reached": CapReached,
    "job_not_live": JobNotOpen,
    "model_not_allowed": ModelNotAllowed,
    "worker_paused": WorkerPaused,
    "worker_suspended": WorkerSuspended,
    "worker_erased": NoSuchWorker,
    "consent_missing": ConsentMissing,
    "blocked": Blocked,
    "too_many_leases": TooManyLeases,
    "key_revoked": KeyRevoked,
    "no_such_worker": NoSuchWorker,
}


@dataclass(frozen=True, slots=True)
class Lease:
    """One task held by one worker. ``payload`` is JSON text, passed on without being parsed."""

    assignment_id: int
    task_id: int
    job_id: int
    schema_id: int
    guidelines_id: int
    price_micros: int
    currency: str
    lease_ends_at: datetime
    payload: str


def claim_tasks(
    worker_id: int,
    *,
    count: int = 1,
    job_id: int | None = None,
    only: Sequence[int] | None = None,
    key_id: int | None = None,
    at: datetime | None = None,
) -> list[Lease]:
    """Lease up to ``count`` (1..100) tasks to the worker; at least one, or a refusal.

    ``job_id`` asks for one job's tasks, and the refusal then names the gate that said no. ``only`` offers these tasks
    and no others (an invitation, or a replay of recorded answers). ``key_id`` is checked again inside the statement,
    so that a revoked key claims nothing however long a door has cached it.

    Raises one of this module's refusals.
    """
    if not 1 <= count <= COUNT_MAX:
        raise CountOutOfRange
    found = statements.rows(
        "SELECT * FROM claim_tasks(%s::bigint, %s::bigint, %s::int, %s::bigint, %s::bigint[], %s::timestamptz)",
        (worker_id, key_id, count, job_id, None if only is None else list(only), at),
    )
    refusal = found[0][0]
    if refusal is not None:
        raise _told(refusal, worker_id, job_id, at)
    return [Lease(*row[1:]) for row in found]


def return_leases(
    worker_id: int, assignment_ids: Sequence[int], *, key_id: int | None = None, at: datetime | None = None
) -> int:
    """Give back leases that will not be answered; their slots are open again at once. Returns how many there were.

    Assignments of others, and leases already ended, are passed over. Raises NoSuchWorker or KeyRevoked.
    """
    refusal, returned = statements.rows(
        "SELECT * FROM return_leases(%s::bigint, %s::bigint, %s::bigint[], %s::timestamptz)",
        (worker_id, key_id, list(assignment_ids), at),
    )[0]
    if refusal is not None:
        raise REFUSALS[refusal]
    return int(returned)


def expire_leases(*, limit: int = 1_000, at: datetime | None = None) -> int:
    """End leases that ran out, for the books' sake; claims do the same for themselves. Returns how many tasks it freed."""
    freed: int = statements.value(
        "SELECT expire_leases(%s::int, coalesce(%s::timestamptz, clock_timestamp()))", (limit, at)
    )
    return freed


def _told(refusal: str, worker_id: int, job_id: int | None, at: datetime | None) -> Refusal:
    """The refusal with what the worker may know of it; asked for only once a claim has been refused."""
    if refusal not in {"consent_missing", "blocked", "worker_suspended"}:
        return REFUSALS[refusal]()
    worker = Worker.objects.get(pk=worker_id)
    if refusal == "worker_suspended":
        said = worker.state_reason
        return WorkerSuspended(f"{WorkerSuspended.sentence()} The reason: {said}" if said else "", reason=said or None)
    jobs = Job.objects.filter(pk__in=[] if job_id is None else [job_id])
    organisation_id = jobs.values_list("organisation_id", flat=True).first()
    if refusal == "consent_missing":
        return ConsentMissing(consenting.missing_of(worker, organisation_id))
    block = blocking.holding(worker, organisation_id, at=at)
    if block is None:  # it ended a moment ago
        return Blocked()
    until = "it is lifted" if block.ends_at is None else f"{block.ends_at:%Y-%m-%d %H:%M} UTC"
    whose = "by the platform" if block.organisation is None else f"by {block.organisation.name}"
    return Blocked(
        f"You are blocked {whose} until {until}. The reason: {block.reason}",
        reason=block.reason,
        until=None if block.ends_at is None else block.ends_at.isoformat(),
    )


def _named(terms: Terms) -> str:
    whose = "" if terms.organisation is None else f" of {terms.organisation.name}"
    return f"{terms.title}{whose} (version {terms.version})"

"""Blocks: a person is kept from one organisation's jobs, or from all, for a time and for a reason that they read.

A block holds for every account of the person, from the next claim on. Tasks in hand may still be answered, and what was
earned stays earned. Whoever blocks takes the same locks as a claim: a lease either came before the block or is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Block, Organisation, User, Worker
from accounts.queries import instant
from accounts.refusals import Refusal

REASON_MAX = 500
DAYS_MAX = 3_650


class BlockNeedsReason(Refusal):
    """Say in 1 to 500 letters why; the worker will read it."""


class BlockDaysOutOfRange(Refusal):
    """A block lasts 1 to 3,650 days, or until somebody lifts it."""


class AlreadyBlocked(Refusal):
    """This person is blocked here already; lift that block first."""


class BlockEnded(Refusal):
    """This block has ended or was lifted before."""


@transaction.atomic
def block_worker(
    worker: Worker,
    *,
    organisation: Organisation | None = None,
    reason: str,
    days: int | None = None,
    blocked_by: User | None,
    at: datetime | None = None,
) -> Block:
    """Keep the person behind ``worker`` from this organisation's jobs, or from all; ``days`` None: until it is lifted.

    Raises BlockNeedsReason, BlockDaysOutOfRange, AlreadyBlocked.
    """
    reason = _checked(reason)
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise BlockDaysOutOfRange
    person_id = _hold_person(worker.pk)
    now = instant(at)
    if standing(Block.objects.filter(person_id=person_id, organisation=organisation), at=now).exists():
        raise AlreadyBlocked
    _look_again(person_id)
    return Block.objects.create(
        person_id=person_id,
        worker=worker,
        organisation=organisation,
        reason=reason,
        blocked_by=blocked_by,
        starts_at=now,
        ends_at=None if days is None else now + timedelta(days=days),
    )


@transaction.atomic
def lift_block(block: Block, *, reason: str, at: datetime | None = None) -> Block:
    """End a block before its time. Raises BlockNeedsReason, BlockEnded."""
    reason = _checked(reason)
    now = instant(at)
    # Compare and set: of two who lift it, the second is told.
    standing = Block.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now), pk=block.pk, lifted_at__isnull=True)
    if standing.update(lifted_at=now, lifted_reason=reason) != 1:
        raise BlockEnded
    block.refresh_from_db()
    _look_again(block.person_id)
    return block


def blocks_of(worker: Worker) -> QuerySet[Block]:
    """Every block of the person behind the worker, those that have ended too; the last first."""
    persons = Worker.objects.filter(pk=worker.pk).values("person_id")
    return Block.objects.filter(person_id__in=persons).select_related("organisation").order_by("-pk")


def standing(blocks: QuerySet[Block], *, at: datetime | None = None) -> QuerySet[Block]:
    """Those of the blocks that hold now."""
    now = instant(at)
    in_time = Q(starts_at__lte=now) & (Q(ends_at__isnull=True) | Q(ends_at__gt=now))
    return blocks.filter(in_time, lifted_at__isnull=True)


def holding(worker: Worker, organisation_id: int | None = None, *, at: datetime | None = None) -> Block | None:
    """The block that keeps the worker from any work, or from work for this organisation; of several, the longest."""
    where = Q(organisation__isnull=True) | Q(organisation_id=organisation_id)
    return standing(blocks_of(worker), at=at).filter(where).order_by(F("ends_at").desc(nulls_first=True), "pk").first()


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_MAX or "\0" in reason:
        raise BlockNeedsReason
    return reason


def _hold_person(worker_id: int) -> int:
    """Lock out the claims of every account of the person, as claims lock out each other; the person's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT pg_advisory_xact_lock(o.id) FROM (
                 SELECT w.id FROM accounts_worker w
                 WHERE w.person_id = (SELECT me.person_id FROM accounts_worker me WHERE me.id = %s) ORDER BY w.id) o""",
            [worker_id],
        )
    person_id = Worker.objects.select_for_update(no_key=True, of=("self",)).get(pk=worker_id).person_id
    assert person_id is not None
    return person_id


def _look_again(person_id: int) -> None:
    Worker.objects.filter(person_id=person_id).update(standing_epoch=F("standing_epoch") + 1)

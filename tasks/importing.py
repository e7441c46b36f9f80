"""Importing: tasks are added to a job in batches, all of a batch or none of it.

How a batch goes in, and why like this:

1. The batch's row is committed, ``importing``, so that others can watch it.
2. The rows are read, however slowly they come, into a nameless temporary file. No transaction is open meanwhile, so a
   slow upload holds no lock and keeps no dead row of the hot tables alive. Progress is an ordinary committed UPDATE
   every :data:`CHUNK` rows; it needs no second connection, and works behind a transaction pooler.
3. One transaction copies the file into a temporary table, looks for duplicates there and in the job, inserts tasks and
   payloads, reserves the money, and moves the batch to ``ready``. The job's row is locked only at the end of it, by
   the one conditional UPDATE that reserves, for milliseconds: judging needs that row all the time. Nobody can hold or
   wait for a task that is not committed yet, so job before task is kept where it matters. Imports of one job follow
   each other (an advisory lock), so that two of them never wait for each other's rows in a circle.
4. Whatever was wrong is written to the batch, ``refused``. A crash leaves it ``importing`` and without tasks, for
   :func:`abandon_stale_imports` to find.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched
from typing import IO

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from accounts.refusals import Fault, Refusal
from qualification.models import GoldItem, GoldSet
from tasks import staging
from tasks.formats.faults import RowError
from tasks.formats.rows import TaskRow, parse_row
from tasks.formats.values import Json, canonical
from tasks.labels.registry import kind_named
from tasks.labels.text import encoding_fault
from tasks.models import Batch, Job, Task
from tasks.staging import Terms

CHUNK = 5_000
"""Rows between two reports of progress, and the most that are held in memory."""

FAULTS_MAX = 100
"""Faults that are kept of one batch; all are counted."""

ROWS_MAX = 1_000_000
"""Rows of one batch: more would keep the one transaction open for minutes."""

NAME_MAX = 120
EXPOSURES_MAX = 10_000

STALE_AFTER = timedelta(hours=1)
"""An import that is not done by then has crashed, or will find that it was given up."""

_OPEN_STATES = ["piloting", "live", "paused"]
_QUEUE_KEYS = 2**31 - 1
_GIVEN_UP = "The import took too long and was given up."


class JobNotInState(Refusal):
    """Tasks can be added to a job that is piloting, live or paused."""


class ImportRefused(Refusal):
    """These rows cannot be taken as they are; nothing was added."""


class NotEnoughBudget(Refusal):
    """The job has not enough free budget for these tasks; nothing was added."""


class GoldSetDoesNotFit(Refusal):
    """This gold set cannot be used in this job."""


type Also = Callable[[Batch], None]
"""What a door must remember if, and only if, the tasks are there: called last in their transaction."""


@dataclass(slots=True)
class _Faults:
    """What is wrong with the rows read so far: all of it counted, the first of it kept."""

    kept: list[Fault] = field(default_factory=list)
    total: int = 0

    def add(self, error: RowError) -> None:
        self.total += 1
        if len(self.kept) < FAULTS_MAX:
            where = "" if error.column is None else f"column {error.column[:60]!a}: "
            self.kept.append(Fault(f"/row/{error.row}", f"{where}{error.message}; {error.remedy}"))


def task_rows(records: Iterable[tuple[int, Mapping[str, Json]]], *, currency: str) -> Iterator[TaskRow | RowError]:
    """What ``read_csv`` or ``read_jsonl`` read, as tasks; a row that is none comes as its error, and reading goes on."""
    for row, record in records:
        try:
            yield parse_row(row, record, currency=currency)
        except RowError as error:
            yield error


def add_tasks(
    job: Job,
    rows: Iterable[TaskRow | RowError],
    *,
    name: str = "",
    priority: int = 5,
    deadline: datetime | None = None,
    rng_seed: int | None = None,
    progress: Callable[[int], None] | None = None,
    also: Also | None = None,
    at: datetime | None = None,
) -> Batch:
    """Add all ``rows`` to the job as one batch, or none of them.

    Each task gets the plan's first slots, paid for out of the job's free budget, and a random place in the queue
    (``rng_seed`` makes it repeatable); after ``deadline`` it is handed out no more. ``progress`` is told how many rows
    have been read. Inside a caller's transaction it does all the same, but nobody can watch.

    Raises JobNotInState, and ImportRefused for a wrong name or priority; or, with the batch kept as ``refused``,
    ImportRefused (its faults name the rows) and NotEnoughBudget. What else ``rows`` or ``also`` raises passes through, and refuses the batch too.
    """
    batch = _open_batch(job.pk, name, priority, deadline, at)
    faults = _Faults()
    with _refusing(batch, at), tempfile.TemporaryFile() as spool:
        read = _spool(_lines(rows, job.fee_bp, faults), batch, spool, rng_seed, progress)
        if faults.total:
            raise ImportRefused(faults=faults.kept, faults_total=faults.total)
        if read == 0:
            raise ImportRefused("There are no rows.")
        with transaction.atomic():
            fresh = Job.objects.select_related("plan").get(pk=job.pk)
            assert fresh.plan is not None
            _write(Terms(fresh, batch, fresh.plan.overlap, gold=False, at=at), spool, also)
    return batch


def add_gold_tasks(
    job: Job,
    gold_set: GoldSet,
    *,
    exposure_max: int = 60,
    priority: int = 5,
    rng_seed: int | None = None,
    also: Also | None = None,
    at: datetime | None = None,
) -> Batch:
    """Hide the items of a gold set in the job: a task each, shown to at most ``exposure_max`` workers.

    To a worker a gold task is any task. Every showing is paid, so the money for all of them is reserved. Items that
    stand in the job already are left as they are.

    Raises JobNotInState and GoldSetDoesNotFit; or, with the batch kept as ``refused``, ImportRefused (an item is also
    a task of the job, or none is left to add) and NotEnoughBudget.
    """
    _check_gold_set(job, gold_set, exposure_max)
    standing = Task.objects.filter(job=job, gold_item__isnull=False).values("gold_item_id")
    items = GoldItem.objects.filter(gold_set=gold_set, retired_at__isnull=True).exclude(pk__in=standing).order_by("pk")
    batch = _open_batch(job.pk, f"gold: {gold_set}"[:NAME_MAX], priority, None, at)
    with _refusing(batch, at), tempfile.TemporaryFile() as spool:
        if _spool(_gold_lines(items.iterator(chunk_size=CHUNK)), batch, spool, rng_seed, None) == 0:
            raise ImportRefused(f"Every item of {gold_set} stands in the job already.")
        with transaction.atomic():
            _write(Terms(Job.objects.get(pk=job.pk), batch, exposure_max, gold=True, at=at), spool, also)
    return batch


def abandon_stale_imports(*, older_than: timedelta = STALE_AFTER, at: datetime | None = None) -> int:
    """Refuse the batches whose import crashed; returns how many.

    Should one of them still be running after all, it finds its batch refused, and adds nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ABANDON, [at, _faults_json([Fault("", "the import was broken off")]), at, older_than.total_seconds()]
        )
        return int(cursor.rowcount)


def _open_batch(job_id: int, name: str, priority: int, deadline: datetime | None, at: datetime | None) -> Batch:
    """The batch's row, committed, under the job's next number."""
    faults = []
    if len(name) > NAME_MAX or encoding_fault(name):
        faults.append(Fault("/name", f"must have at most {NAME_MAX} readable characters"))
    if not 0 <= priority <= 9:
        faults.append(Fault("/priority", "must be from 0 (last) to 9 (first)"))
    if faults:
        raise ImportRefused("The batch cannot be named or ranked like this.", faults=faults)
    abandon_stale_imports(at=at)
    with transaction.atomic():
        job = Job.objects.select_for_update(of=("self",), no_key=True).get(pk=job_id)
        _check_state(job)
        last = Batch.objects.filter(job_id=job_id).aggregate(last=Max("number"))["last"] or 0
        return Batch.objects.create(
            job_id=job_id, number=last + 1, name=name, priority=priority, deadline=deadline, created_at=at or Now()
        )


@contextmanager
def _refusing(batch: Batch, at: datetime | None) -> Iterator[None]:
    """Write on the batch why it was refused, whatever it was, and let the error pass."""
    try:
        yield
    except Exception as error:
        faults = [Fault("", "the import was broken off")]
        if isinstance(error, Refusal):
            faults = list(error.faults) or [Fault("", error.detail)]
            total = error.facts.get("faults_total") or len(faults)
            if isinstance(total, int) and total > len(faults):
                faults.append(Fault("", f"{total} faults in all; the first {len(faults)} are listed"))
            error.facts["batch_number"] = batch.number
        # Should this fail too (the database is gone), the sweep will find the batch.
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(_REFUSE, [at, _faults_json(faults), batch.pk])
        raise


def _faults_json(faults: Sequence[Fault]) -> str:
    return json.dumps([{"pointer": fault.pointer, "detail": fault.detail} for fault in faults])


def _check_gold_set(job: Job, gold_set: GoldSet, exposure_max: int) -> None:
    """Refuse gold that is not meant for this job, or that could not be graded in it."""
    assert job.schema is not None
    schema = job.schema
    if not 1 <= exposure_max <= EXPOSURES_MAX:
        raise GoldSetDoesNotFit(f"A gold task is shown to 1 to {EXPOSURES_MAX} workers.")
    if gold_set.state != GoldSet.State.PUBLISHED:
        raise GoldSetDoesNotFit(f"Gold set {gold_set} is {gold_set.state}; publish it first.")
    if gold_set.organisation_id not in (None, job.organisation_id):
        raise GoldSetDoesNotFit("This gold set belongs to another organisation.")
    if gold_set.label_kind != schema.kind:
        raise GoldSetDoesNotFit(f"Gold set {gold_set} holds {gold_set.label_kind} labels, the job {schema.kind} ones.")
    # Class indexes of gold are read in the job's schema, which may have got more classes since.
    kind = kind_named(schema.kind)
    known, needed = kind.classes(schema.definition), kind.classes(gold_set.label_definition)
    if needed is not None and (known or [])[: len(needed)] != needed:
        raise GoldSetDoesNotFit(f"Gold set {gold_set} has other classes than the job, or in another order.")


def _lines(rows: Iterable[TaskRow | RowError], fee_bp: int, faults: _Faults) -> Iterator[str]:
    """Each row as COPY reads it, without its queue key. Once a row is wrong, the rest is only looked at."""
    try:
        for row in rows:
            if isinstance(row, RowError):
                faults.add(row)
            elif row.gold is not None:
                remedy = "put verified answers into a gold set, and add that to the job"
                faults.add(RowError(row.row, "gold", "a task has no known answer", remedy))
            yield "" if faults.total or isinstance(row, RowError) else staging.task_line(row, fee_bp)
    except RowError as error:
        faults.add(error)


def _gold_lines(items: Iterable[GoldItem]) -> Iterator[str]:
    """Each gold item in the same form; its row is its place among them."""
    for row, item in enumerate(items, 1):
        content = canonical(item.payload)
        yield staging.gold_line(row, content, hashlib.sha256(content).digest(), item.difficulty, item.pk)


def _spool(
    lines: Iterable[str],
    batch: Batch,
    spool: IO[bytes],
    rng_seed: int | None,
    progress: Callable[[int], None] | None,
) -> int:
    """Write the rows down as COPY reads them, each with its place in the queue, report every so many, and count."""
    rng = np.random.default_rng(secrets.randbits(128) if rng_seed is None else rng_seed)
    read = 0
    for chunk in batched(lines, CHUNK):
        keys = rng.integers(0, _QUEUE_KEYS, size=CHUNK)
        spool.write("".join([f"{line}\t{key}\n" for line, key in zip(chunk, keys.tolist(), strict=False)]).encode())
        read += len(chunk)
        if read > ROWS_MAX:
            raise ImportRefused(f"One batch takes at most {ROWS_MAX:,} rows; send the rest as another batch.")
        if Batch.objects.filter(pk=batch.pk, state=Batch.State.IMPORTING).update(rows_read=read) != 1:
            raise ImportRefused(_GIVEN_UP)
        if progress is not None:
            progress(read)
    return read


def _write(terms: Terms, spool: IO[bytes], also: Also | None) -> None:
    """Everything that changes the line, in the caller's transaction: the tasks, the money behind them, the batch."""
    with connection.cursor() as cursor:
        staging.stage(cursor, terms.job, spool)
        found, total = staging.duplicates(cursor, terms.job, FAULTS_MAX)
        if found:
            what = "item" if terms.gold else "row"
            raise ImportRefused(faults=[Fault(f"/{what}/{row}", why) for row, why in found], faults_total=total)
        rows, needed = staging.needed(cursor, terms)
        # A look before the work; the conditional UPDATE after it has the last word.
        _check_budget(terms.job, needed)
        routes_changed = staging.insert(cursor, terms)
        if not staging.reserve(cursor, terms.job, needed, _OPEN_STATES):
            terms.job.refresh_from_db()
            _check_budget(terms.job, needed)
        cursor.execute(_READY, [rows, rows, terms.at, terms.batch.pk])
        if cursor.rowcount != 1:
            raise ImportRefused(_GIVEN_UP)
        terms.batch.refresh_from_db()
        if also is not None:
            also(terms.batch)
        # Last, since every claim reads this row and every publisher writes it.
        if routes_changed:
            cursor.execute("UPDATE tasks_routeepoch SET epoch = epoch + 1")


def _check_state(job: Job) -> None:
    if job.state not in _OPEN_STATES:
        raise JobNotInState(f"Job {job.name} is {job.state}; tasks can be added while it is piloting, live or paused.")


def _check_budget(job: Job, needed: int) -> None:
    _check_state(job)
    free = job.funded_micros - job.reserved_micros
    if needed > free:
        raise NotEnoughBudget(
            f"These tasks need {_decimal(needed)} {job.currency}, and {_decimal(free)} {job.currency} of the job's"
            " budget is free. Add budget, or send fewer tasks.",
            needed_micros=needed,
            free_micros=free,
            currency=job.currency,
        )


def _decimal(micros: int) -> str:
    """For a sentence; what is needed may be more than Money can hold."""
    return f"{Decimal(micros) / 1_000_000:,.2f}"


_ABANDON = """
UPDATE tasks_batch SET state = 'refused', finished_at = coalesce(%s, clock_timestamp()), faults = %s
 WHERE state = 'importing' AND created_at < coalesce(%s, clock_timestamp()) - make_interval(secs => %s)"""
_REFUSE = """
UPDATE tasks_batch SET state = 'refused', finished_at = coalesce(%s, clock_timestamp()), faults = %s
 WHERE id = %s AND state = 'importing'"""
_READY = """
UPDATE tasks_batch SET state = 'ready', rows_read = %s, tasks_added = %s, finished_at = coalesce(%s, clock_timestamp())
 WHERE id = %s AND state = 'importing'"""

"""The set-based statements of an import: a spooled file becomes a temporary table, and that becomes tasks.

All of them run on the cursor of the caller's transaction, in the order in which they stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.db.backends.utils import CursorWrapper

from accounts.ledger.money import fee
from tasks.formats.rows import TaskRow
from tasks.models import Batch, Job

NULL = "\\N"

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Terms:
    """What all tasks of one batch have in common; where a row names no price or difficulty, the job's are meant."""

    job: Job
    batch: Batch
    slots: int
    gold: bool
    at: datetime | None

    def parameters(self) -> dict[str, Any]:
        """As the statements name them."""
        return {
            "job": self.job.pk,
            "domain": self.job.domain_id,
            "difficulty": self.job.difficulty,
            "price": self.job.price_micros,
            "fee": fee(self.job.price_micros, self.job.fee_bp),
            "batch": self.batch.pk,
            "priority": self.batch.priority,
            "deadline": self.batch.deadline,
            "slots": self.slots,
            "gold": self.gold,
            "at": self.at,
        }


def task_line(row: TaskRow, fee_bp: int) -> str:
    """A row as COPY reads it (tabs between, backslashes before what COPY would misread), but for its queue key."""
    price = row.price_micros
    return "\t".join((
        str(row.row),
        _json(row.content),
        "\\\\x" + row.content_hash.hex(),
        NULL if row.external_ref is None else row.external_ref.translate(_ESCAPES),
        row.stratum.translate(_ESCAPES),
        NULL if row.difficulty is None else str(row.difficulty),
        NULL if price is None else str(price),
        NULL if price is None else str(fee(price, fee_bp)),
        NULL if row.expires_at is None else row.expires_at.isoformat(),
        NULL,
    ))  # fmt: skip


def gold_line(row: int, content: bytes, content_hash: bytes, difficulty: int, gold_item_id: int) -> str:
    """A gold item in the same form; ``content`` is its payload as canonical JSON."""
    nothing = f"{NULL}\t{NULL}\t{NULL}"
    return f"{row}\t{_json(content)}\t\\\\x{content_hash.hex()}\t{NULL}\t\t{difficulty}\t{nothing}\t{gold_item_id}"


def _json(content: bytes) -> str:
    # Canonical JSON holds no raw tab or line break.
    return content.decode().replace("\\", "\\\\")


def stage(cursor: CursorWrapper, job: Job, spool: IO[bytes]) -> None:
    """Wait for imports into this job that came before, and copy the file into a temporary table."""
    cursor.execute(_PATIENCE)
    cursor.execute(_ONE_IMPORT_A_JOB, [job.pk])
    cursor.execute(_STAGE)
    spool.seek(0)
    with cursor.copy(_COPY) as copy:
        while block := spool.read(_BLOCK):
            copy.write(block)
    cursor.execute("ANALYZE staged")


def duplicates(cursor: CursorWrapper, job: Job, most: int) -> tuple[list[tuple[int, str]], int]:
    """The first rows that say what another row or a task of the job says already, why, and how many there are."""
    cursor.execute(_DUPLICATES, {"job": job.pk, "most": most})
    found = cursor.fetchall()
    return [(row, why) for row, why, _ in found], found[0][2] if found else 0


def needed(cursor: CursorWrapper, terms: Terms) -> tuple[int, int]:
    """How many tasks there are, and the micros that all their slots may cost."""
    cursor.execute(_NEEDED, terms.parameters())
    rows, micros = cursor.fetchone()
    return int(rows), int(micros)


def insert(cursor: CursorWrapper, terms: Terms) -> bool:
    """Make buckets, tasks and payloads of what is staged; whether workers' routes must be looked at again.

    They must where a bucket is new or had run dry. Gold is in nobody's route: it is handed out beside the route.
    """
    parameters = terms.parameters()
    cursor.execute(_INSERT_BUCKETS, parameters)
    made = cursor.rowcount
    cursor.execute(_ONE_IS_DRY, parameters)
    dry = cursor.fetchone()[0]
    cursor.execute(_INSERT_TASKS, parameters)
    cursor.execute(_INSERT_PAYLOADS, parameters)
    # Not left to the commit: inside a caller's transaction another import may follow.
    cursor.execute("DROP TABLE staged")
    return not terms.gold and bool(made or dry)


def reserve(cursor: CursorWrapper, job: Job, micros: int, states: list[str]) -> bool:
    """Reserve the money for the slots out of what is free; False when the job has not enough or is in no such state."""
    cursor.execute(_RESERVE, [micros, job.pk, states, micros])
    return bool(cursor.rowcount == 1)


# The app role waits 2 s for a lock and 10 s for a statement; a million rows, or an import before this one, take longer.
_PATIENCE = "SET LOCAL lock_timeout = '120s'; SET LOCAL statement_timeout = '600s'"
_ONE_IMPORT_A_JOB = "SELECT pg_advisory_xact_lock(hashtext('tasks.importing'), hashint8(%s))"
_STAGE = """
CREATE TEMPORARY TABLE staged (
  row int, content text, hash bytea, external_ref text, stratum text, difficulty smallint, price_micros bigint,
  fee_micros bigint, expires_at timestamptz, gold_item_id bigint, queue_key int,
  id bigint DEFAULT nextval(pg_get_serial_sequence('tasks_task', 'id'))
)"""
_COPY = """
COPY staged (row, content, hash, external_ref, stratum, difficulty, price_micros, fee_micros, expires_at, gold_item_id,
             queue_key)
FROM STDIN"""
_DUPLICATES = """
SELECT row, detail, count(*) OVER () FROM (
  SELECT row, 'has the same payload as row ' || first AS detail
    FROM (SELECT row, min(row) OVER (PARTITION BY hash) AS first FROM staged) f WHERE row > first
  UNION ALL
  SELECT row, 'has the same external_ref as row ' || first
    FROM (SELECT row, min(row) OVER (PARTITION BY external_ref) AS first FROM staged WHERE external_ref IS NOT NULL) f
   WHERE row > first
  UNION ALL
  SELECT s.row, 'has the same payload as a task of this job'
    FROM staged s JOIN tasks_payload p ON p.job_id = %(job)s AND p.content_hash = s.hash
  UNION ALL
  SELECT s.row, 'has the same external_ref as a task of this job'
    FROM staged s JOIN tasks_task t ON t.job_id = %(job)s AND t.external_ref = s.external_ref) d
ORDER BY row, detail LIMIT %(most)s"""
_NEEDED = """
SELECT count(*), %(slots)s * sum(coalesce(price_micros, %(price)s)::numeric + coalesce(fee_micros, %(fee)s)) FROM staged"""
_INSERT_BUCKETS = """
INSERT INTO tasks_bucket (job_id, domain_id, difficulty, priority, waiting_for, gold)
SELECT DISTINCT %(job)s, %(domain)s, coalesce(difficulty, %(difficulty)s), %(priority)s, 'crowd', %(gold)s FROM staged
ON CONFLICT ON CONSTRAINT one_bucket_a_kind DO NOTHING"""
_ONE_IS_DRY = """
SELECT EXISTS (
  SELECT FROM tasks_bucket b
   WHERE b.job_id = %(job)s AND b.domain_id = %(domain)s AND b.priority = %(priority)s AND b.waiting_for = 'crowd'
     AND b.gold = %(gold)s AND b.difficulty IN (SELECT DISTINCT coalesce(difficulty, %(difficulty)s) FROM staged)
     AND NOT EXISTS (SELECT FROM tasks_task t WHERE t.bucket_id = b.id AND t.is_open))"""
_INSERT_TASKS = """
INSERT INTO tasks_task (id, job_id, batch_id, bucket_id, external_ref, state, waiting_for, round, stage, stratum,
                        gold_item_id, price_micros, fee_micros, slots_needed, leased_count, answer_count, queue_key,
                        contested_reason, expires_at, created_at)
SELECT s.id, %(job)s, %(batch)s, b.id, s.external_ref, 'open', 'crowd', 0, 0, s.stratum, s.gold_item_id,
       coalesce(s.price_micros, %(price)s), coalesce(s.fee_micros, %(fee)s), %(slots)s, 0, 0, s.queue_key, '',
       coalesce(s.expires_at, %(deadline)s), coalesce(%(at)s, clock_timestamp())
  FROM staged s
  JOIN tasks_bucket b
    ON b.job_id = %(job)s AND b.domain_id = %(domain)s AND b.priority = %(priority)s AND b.waiting_for = 'crowd'
   AND b.gold = %(gold)s AND b.difficulty = coalesce(s.difficulty, %(difficulty)s)
 ORDER BY s.row"""
_INSERT_PAYLOADS = """
INSERT INTO tasks_payload (task_id, job_id, content, content_hash)
SELECT id, %(job)s, content::jsonb, hash FROM staged ORDER BY row"""
_RESERVE = """
UPDATE tasks_job SET reserved_micros = reserved_micros + %s
 WHERE id = %s AND state = ANY (%s) AND reserved_micros + %s <= funded_micros"""

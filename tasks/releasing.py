"""Releasing: freeze what is known of a job's tasks as a dataset, and seal it.

Everything is read by one statement, which is one snapshot whatever happens meanwhile, and whatever transaction the
caller is in. It comes through a cursor and is written to temporary files at once, a task at a time; only where each
task's lines lie is kept, so that they can be put into the order the format asks for (that of the public ids). So the
bytes are those that the writers of ``tasks.formats`` give for all rows together, in the memory of a few.

Left out: hidden gold, and tasks that are not judged yet, which are counted. The content hash covers the data and the
versions it was made under, not when, by whom and under which number it was sealed: sealing an unchanged job twice
gives the same hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import IO, Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Max

from accounts import opaque
from accounts.audit import acting
from accounts.ledger import money
from accounts.ledger.money import Money
from accounts.queries import instant, pseudonym_of
from accounts.refusals import Refusal
from tasks import queries
from tasks.formats import csv, jsonl
from tasks.formats.manifest import FileFacts, content_hash, manifest
from tasks.formats.release import ReleasedAnswer, ReleasedTask, write_answers_csv, write_csv, write_jsonl
from tasks.formats.values import Json, canonical
from tasks.models import Guidelines, Job, LabelSchema, Release, ReleaseFile

GENERATOR_VERSION = "0.1.0"
"""Ours, as ``pyproject.toml`` has it."""

FILE_BYTES_MAX = 1_000_000_000
"""PostgreSQL keeps no value of more than a gigabyte."""

TASKS_AT_A_TIME = 500
BLOCK = 1 << 20


class NothingToRelease(Refusal):
    """No task of this job has been judged yet."""


class ReleaseTooLarge(Refusal):
    """A file of this release would have more than a gigabyte."""


class _Written(NamedTuple):
    """A file that is written task by task: its name, and the pure writer of its lines."""

    name: str
    media_type: str
    write: Callable[[Sequence[ReleasedTask]], bytes]


_BY_TASK = (
    _Written("data.jsonl", jsonl.MEDIA_TYPE, write_jsonl),
    _Written("answers.csv", csv.MEDIA_TYPE, write_answers_csv),
    _Written("tasks.csv", csv.MEDIA_TYPE, write_csv),
)


@dataclass(slots=True)
class _Draft:
    """What has been read: ``spools`` hold the lines in the order they came, ``places`` each task's share of them.

    ``summary`` is the tasks without what is bulky, for the manifest, which counts them and measures agreement.
    """

    spools: Sequence[IO[bytes]]
    places: list[tuple[str, tuple[tuple[int, int], ...]]] = field(default_factory=list)
    summary: list[ReleasedTask] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def seal_release(job: Job, *, actor: str, at: datetime | None = None) -> Release:
    """Freeze the job's judged tasks as its next release. Raises NothingToRelease or ReleaseTooLarge.

    Files: ``data.jsonl`` (everything), ``answers.csv`` and ``tasks.csv`` (for spreadsheets), ``guidelines.md`` and
    ``schema.json`` (every version), ``manifest.json`` (counts, agreement, hashes).
    """
    with acting(actor), ExitStack() as stack:
        with connection.cursor() as cursor:
            # The app role's limit is for requests; writing a hundred thousand tasks takes longer.
            cursor.execute("SET LOCAL statement_timeout = '600s'")
        draft = _Draft([stack.enter_context(tempfile.TemporaryFile()) for _ in _BY_TASK])
        _read(job, draft)
        if not draft.places:
            raise NothingToRelease
        release = _open_release(job, actor, at)
        files = list(_store_all(release, job, draft))
        sealed_at = instant(at)
        about = _manifest(release, job, draft, files, sealed_at)
        _store(release, "manifest.json", "application/json", iter((about,)))
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE released_block")
        moved = Release.objects.filter(pk=release.pk, state=Release.State.BUILDING).update(
            state=Release.State.SEALED,
            manifest=json.loads(about),
            content_hash=content_hash(files),
            tasks_count=len(draft.places),
            sealed_at=sealed_at,
        )
        assert moved == 1
    release.refresh_from_db()
    return release


def read_file(file: ReleaseFile) -> Iterator[bytes]:
    """The bytes of one file of a release, a block at a time. Load the row without its content, which may be large."""
    for start in range(1, file.size + 1, BLOCK):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT substring(content FROM %s FOR %s) FROM tasks_releasefile WHERE id = %s", [start, BLOCK, file.pk]
            )
            yield bytes(cursor.fetchone()[0])


def _read(job: Job, draft: _Draft) -> None:
    """Write every judged task down as it comes, and count the others."""
    headers = [len(written.write(())) for written in _BY_TASK]
    ends = [0] * len(_BY_TASK)
    shape = _Shape(job)
    with connection.chunked_cursor() as cursor:
        cursor.execute(_JUDGED, {"job": job.pk})
        while rows := cursor.fetchmany(TASKS_AT_A_TIME):
            judged = [row for row in rows if row[3] in ("resolved", "contested")]
            draft.left_out.update(row[3] for row in rows if row[3] not in ("resolved", "contested"))
            ids = opaque.encode_many("tsk", [row[0] for row in judged], settings.PUBLIC_ID_KEY)
            for public_id, row in zip(ids, judged, strict=True):
                task, counted = shape.task(public_id, row)
                places = []
                for number, written in enumerate(_BY_TASK):
                    lines = written.write((task,))[headers[number] :]
                    draft.spools[number].write(lines)
                    places.append((ends[number], len(lines)))
                    ends[number] += len(lines)
                draft.places.append((public_id, tuple(places)))
                draft.summary.append(counted)
    for spool in draft.spools:
        spool.flush()
    draft.places.sort()


class _Said(NamedTuple):
    """One answer as the statement tells it."""

    worker: int
    label: str
    submitted_at: datetime
    purpose: str
    state: str
    schema: int
    guidelines: int
    paid_micros: int
    flags: str | None


class _Shape:
    """Turns rows of the one statement into released tasks, remembering what comes up again and again."""

    def __init__(self, job: Job) -> None:
        organisation = job.organisation
        currency = job.currency
        assert job.schema_id is not None
        self._classes = queries.label_schema(job.schema_id).classes
        self._pseudonym = lru_cache(maxsize=None)(lambda worker_id: pseudonym_of(organisation, worker_id))
        self._amount = lru_cache(maxsize=4_096)(lambda micros: money.format(Money(micros, currency)) if micros else "")
        self._label = lru_cache(maxsize=4_096)(json.loads)
        self._schema_version = lru_cache(maxsize=None)(lambda schema_id: queries.label_schema(schema_id).version)
        self._guidelines_version = lru_cache(maxsize=None)(lambda pk: Guidelines.objects.get(pk=pk).version)
        self._alike: dict[tuple[int, str, str, int, int, str | None], ReleasedAnswer] = {}

    def task(self, public_id: str, row: Sequence[Any]) -> tuple[ReleasedTask, ReleasedTask]:
        """The task, and the same without payload and beliefs, for the manifest.

        In the second, answers that differ in nothing the manifest counts are one object.
        """
        _, external_ref, stratum, state, reason, payload, label, posterior, confidence, calibrated, *answers = row
        distribution = None
        if self._classes and posterior is not None:
            beliefs = [*posterior, *([0.0] * (len(self._classes) - len(posterior)))]
            distribution = dict(zip(self._classes, beliefs, strict=False))
        said = [] if answers[0] is None else [_Said(*one) for one in zip(*answers, strict=True)]
        task = ReleasedTask(
            task=public_id,
            external_ref=external_ref,
            stratum=stratum,
            payload=json.loads(payload),
            state=state,
            reason=reason,
            label=self._label(label) if label is not None and state == "resolved" else None,
            distribution=distribution,
            confidence=confidence,
            calibrated=bool(calibrated),
            answers=[self._answer(one) for one in said],
        )
        alike = [
            self._alike.setdefault((one.worker, one.label, one.purpose, one.schema, one.guidelines, one.flags), answer)
            for one, answer in zip(said, task.answers, strict=True)
        ]
        return task, replace(task, payload={}, distribution=None, external_ref=None, stratum="", answers=alike)

    def _answer(self, said: _Said) -> ReleasedAnswer:
        return ReleasedAnswer(
            worker=self._pseudonym(said.worker),
            label=self._label(said.label),
            submitted_at=said.submitted_at,
            purpose=said.purpose,
            state=said.state,
            schema_version=self._schema_version(said.schema),
            guidelines_version=self._guidelines_version(said.guidelines),
            paid=self._amount(said.paid_micros),
            flags=tuple(said.flags.split(",")) if said.flags else (),
        )


def _open_release(job: Job, actor: str, at: datetime | None) -> Release:
    """The release's row under the job's next number; releases of one job are numbered one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '120s'")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tasks.releasing'), hashint8(%s))", [job.pk])
        cursor.execute("CREATE TEMPORARY TABLE released_block (place int, content bytea)")
    last = Release.objects.filter(job=job).aggregate(last=Max("number"))["last"] or 0
    return Release.objects.create(job=job, number=last + 1, created_by=actor, created_at=instant(at))


def _store_all(release: Release, job: Job, draft: _Draft) -> Iterator[FileFacts]:
    """Keep the files that the content hash covers."""
    for number, written in enumerate(_BY_TASK):
        blocks = _in_order(written.write(()), draft, number)
        yield _store(release, written.name, written.media_type, blocks)
    yield _store(release, "guidelines.md", "text/markdown", iter((_guidelines(job),)))
    yield _store(release, "schema.json", "application/json", iter((_schemas(job),)))


def _in_order(header: bytes, draft: _Draft, number: int) -> Iterator[bytes]:
    """The header and every task's lines in the order of the tasks, in blocks."""
    descriptor = draft.spools[number].fileno()
    block = bytearray(header)
    for _, places in draft.places:
        start, length = places[number]
        block += os.pread(descriptor, length, start)
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _store(release: Release, name: str, media_type: str, blocks: Iterator[bytes]) -> FileFacts:
    """Keep one file of the release; it is put together by the database, so that we never hold all of it."""
    digest, size = hashlib.sha256(), 0
    with connection.cursor() as cursor:
        with cursor.copy("COPY released_block FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "bytea"])
            for place, block in enumerate(blocks):
                digest.update(block)
                size += len(block)
                if size > FILE_BYTES_MAX:
                    raise ReleaseTooLarge(file=name)
                copy.write_row((place, block))
        cursor.execute(_KEEP, [release.pk, name, media_type, digest.hexdigest(), size])
        cursor.execute("TRUNCATE released_block")
    return FileFacts(name, digest.hexdigest(), size)


def _guidelines(job: Job) -> bytes:
    """All versions, oldest first."""
    versions = Guidelines.objects.filter(job=job).order_by("version")
    return "\n".join(f"# Guidelines, version {one.version}\n\n{one.text.rstrip()}\n" for one in versions).encode()


def _schemas(job: Job) -> bytes:
    """All versions, oldest first."""
    versions = LabelSchema.objects.filter(job=job).order_by("version")
    listed: list[Json] = [{"version": one.version, "kind": one.kind, "definition": one.definition} for one in versions]
    return canonical({"versions": listed}) + b"\n"


def _manifest(release: Release, job: Job, draft: _Draft, files: Sequence[FileFacts], sealed_at: datetime) -> bytes:
    assert job.schema_id is not None
    written = manifest(
        draft.summary,
        files,
        name=job.name,
        version=release.number,
        created_at=sealed_at,
        classes=queries.label_schema(job.schema_id).classes or None,
        currency=job.currency,
        generator_version=GENERATOR_VERSION,
    )
    about: dict[str, Json] = json.loads(written)
    about["job"] = opaque.encode("job", job.pk, settings.PUBLIC_ID_KEY)
    about["not_released"] = dict(draft.left_out)
    return canonical(about) + b"\n"


_JUDGED = """
SELECT t.id, t.external_ref, t.stratum, t.state, t.contested_reason, p.content::text, c.label::text, c.posterior,
       c.confidence, c.calibrated,
       a.workers, a.labels, a.times, a.purposes, a.states, a.schemas, a.guidelines, a.paid, a.flags
  FROM tasks_task t
  JOIN tasks_payload p ON p.task_id = t.id
  LEFT JOIN tasks_consensus c ON c.task_id = t.id
  LEFT JOIN LATERAL (
    SELECT array_agg(n.worker_id) AS workers, array_agg(n.label::text) AS labels, array_agg(n.submitted_at) AS times,
           array_agg(s.purpose::text) AS purposes,
           -- A settled answer no longer says by itself whether it was used.
           array_agg(CASE WHEN s.state = 'settled' AND NOT s.used THEN 'set_aside' ELSE s.state::text END) AS states,
           array_agg(n.schema_id) AS schemas, array_agg(n.guidelines_id) AS guidelines,
           array_agg(CASE WHEN s.state = 'settled' THEN s.price_micros ELSE 0 END) AS paid,
           array_agg((SELECT string_agg(DISTINCT f.kind, ',' ORDER BY f.kind) FROM tasks_answerflag f
                       WHERE f.assignment_id = s.id AND f.cleared_at IS NULL)) AS flags
      FROM tasks_answer n JOIN tasks_assignment s ON s.id = n.assignment_id
     WHERE n.job_id = t.job_id AND n.task_id = t.id AND t.state IN ('resolved', 'contested')) a ON true
 WHERE t.job_id = %(job)s AND t.gold_item_id IS NULL
 ORDER BY t.id"""
_KEEP = """
INSERT INTO tasks_releasefile (release_id, name, media_type, sha256, size, content)
SELECT %s, %s, %s, %s, %s, string_agg(content, ''::bytea ORDER BY place) FROM released_block"""

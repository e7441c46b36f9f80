"""Batches: many tasks at once, as a stream of CSV or JSON lines, all of a batch or none of it."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, ClassVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.refusals import Refusal
from marketplace.api import idempotency, ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Id, Moment, Out, QueryWhole, Strict, Text, Whole
from marketplace.api.hot_shapes import ProblemFaultOut
from marketplace.api.jobs import job_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import BodyTooLarge, Malformed, NotFound, WrongContentType
from tasks.formats import csv, jsonl
from tasks.formats.faults import RowError
from tasks.formats.rows import TaskRow, parse_row
from tasks.importing import add_gold_tasks, add_tasks
from tasks.models import Batch

UPLOAD_MAX = 1024**3
_PIECE = 256 * 1024
_READERS: dict[str, Callable[[Iterable[bytes]], Iterable[tuple[int, Any]]]] = {
    csv.MEDIA_TYPE: csv.read_csv,
    jsonl.MEDIA_TYPE: jsonl.read_jsonl,
}


class BatchOut(Out):
    """A batch and how far it has come."""

    id = Id("bat")
    job = Id("job")
    number = serializers.IntegerField()
    name = serializers.CharField()
    priority = serializers.IntegerField()
    deadline = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(Batch.State.choices)
    rows_read = serializers.IntegerField()
    tasks_added = serializers.IntegerField()
    errors = ProblemFaultOut(many=True, help_text="The first wrong rows of a refused batch.")  # type: ignore[assignment]  # named as the wire names it
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchQuery(Strict):
    """What to call the batch, and when its tasks come up."""

    name = Text(most=120, required=False)
    priority = QueryWhole(min_value=0, max_value=9, required=False, help_text="0 last to 9 first; 5 unless told.")
    deadline = Moment(required=False, help_text="After it the tasks are handed out no more.")


class GoldTasksIn(Strict):
    """Which gold to hide in the job, and how often each item may be shown."""

    gold_set = Id("gst")
    exposure_max = Whole(least=1, most=10_000, default=60)
    priority = Whole(least=0, most=9, default=5)


class BatchesView(Door):
    """The batches of a job."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery, "post": BatchQuery}
    parser_classes = ()

    @extend_schema(**described("batches_list", "batches", query=PageQuery, out=pages_of(BatchOut)))
    def get(self, request: Request, job: str) -> Response:
        """The batches of a job, newest first."""
        found = job_for(self.principal, job, "jobs:read")
        rows = policies.batches_of(self.principal).filter(job=found)
        return Response(
            page(rows, self.asked, lambda some: BatchOut([batch_facts(one) for one in some], many=True).data)
        )

    @extend_schema(
        **described(
            "batches_add",
            "batches",
            body=dict.fromkeys(_READERS, OpenApiTypes.BINARY),
            query=BatchQuery,
            out=BatchOut,
            status=201,
            once=True,
        )
    )
    def post(self, request: Request, job: str) -> HttpResponse:
        """Add tasks: CSV (`text/csv`) or JSON lines (`application/x-ndjson`), plain or gzip, up to 1 GiB, all or none.

        Every column is part of what workers see, except `external_ref`, `difficulty`, `price`, `stratum` and
        `expires_at`. Wrong rows are named by number, and then nothing is added.
        """
        found = job_for(self.principal, job, "jobs:write")
        http = request._request  # noqa: SLF001  the framework would read the whole body into memory
        read = _READERS.get(http.content_type or "")
        if read is None or http.headers.get("Content-Encoding", "gzip").lower() not in {"gzip", "identity"}:
            raise WrongContentType("Send text/csv or application/x-ndjson, plain or gzip.")
        with tempfile.TemporaryFile() as spool:
            name = idempotency.named(http, self.principal, "jobs/batches", _received(http, spool))
            with idempotency.alone(name):
                before = idempotency.remembered(name)
                if before is not None:
                    return before
                answer = _Kept(name)
                try:
                    add_tasks(found, _rows(read(_chunks(spool)), found.currency), also=answer.keep, **self.asked)
                except Refusal as refusal:
                    _name_batch(refusal, found.pk)
                    raise
        return HttpResponse(answer.body, status=201, content_type="application/json")


class GoldTasksView(Door):
    """Hidden gold of a job."""

    @extend_schema(**described("batches_add_gold", "batches", body=GoldTasksIn, out=BatchOut, status=201, once=True))
    def post(self, request: Request, job: str) -> HttpResponse:
        """Hide the items of a published gold set among the job's tasks; every showing is paid like any task."""
        found = job_for(self.principal, job, "jobs:write")
        self.principal.need("gold:write", found.organisation_id)
        said = self.body(GoldTasksIn)
        gold_set = policies.usable_gold(found.organisation_id).filter(pk=said.pop("gold_set")).first()
        if gold_set is None:
            raise NotFound
        name = idempotency.named(request._request, self.principal, "jobs/gold", self._raw())  # noqa: SLF001  its headers
        with idempotency.alone(name):
            before = idempotency.remembered(name)
            if before is not None:
                return before
            answer = _Kept(name)
            add_gold_tasks(found, gold_set, also=answer.keep, **said)
        return HttpResponse(answer.body, status=201, content_type="application/json")


class BatchView(Door):
    """One batch."""

    @extend_schema(**described("batches_read", "batches", out=BatchOut))
    def get(self, request: Request, batch: str) -> Response:
        """A batch, and how far its import has come."""
        found = policies.batches_of(self.principal).filter(pk=ids.number("bat", batch)).first()
        if found is None:
            raise NotFound
        self.principal.need("jobs:read", found.job.organisation_id)
        return shaped(BatchOut, batch_facts(found))


class _Kept:
    """The answer to an import, rendered and remembered inside the transaction that makes the batch ready."""

    def __init__(self, name: idempotency.Named) -> None:
        self._name = name
        self.body = b""

    def keep(self, batch: Batch) -> None:
        self.body = JSONRenderer().render(BatchOut(batch_facts(batch)).data)
        idempotency.remember(self._name, 201, self.body)


def batch_facts(batch: Batch) -> dict[str, Any]:
    """What :class:`BatchOut` shows of a batch."""
    same = (
        "number", "name", "priority", "deadline", "state", "rows_read", "tasks_added", "created_at", "finished_at",
    )  # fmt: skip
    return {
        **{name: getattr(batch, name) for name in same},
        "id": batch.pk,
        "job": batch.job_id,
        "errors": batch.faults,
    }


def _received(request: HttpRequest, spool: IO[bytes]) -> bytes:
    """Write the upload down, however slowly it comes, and return its hash. Raises BodyTooLarge or Malformed."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > UPLOAD_MAX:
        raise BodyTooLarge("A batch has at most 1 GiB; send it in several parts.")
    digest, size = hashlib.sha256(), 0
    while piece := request.read(_PIECE):
        size += len(piece)
        if size > UPLOAD_MAX:
            raise BodyTooLarge("A batch has at most 1 GiB; send it in several parts.")
        digest.update(piece)
        spool.write(piece)
    if size == 0:
        raise Malformed("The body is empty; send the rows of the batch.")
    spool.seek(0)
    return digest.digest()


def _chunks(spool: IO[bytes]) -> Iterator[bytes]:
    while piece := spool.read(_PIECE):
        yield piece


def _rows(raw: Iterable[tuple[int, Any]], currency: str) -> Iterator[TaskRow | RowError]:
    """Each row, or what is wrong with it; a fault of the file itself ends the reading."""
    for number, row in raw:
        try:
            yield parse_row(number, row, currency=currency)
        except RowError as error:
            yield error


def _name_batch(refusal: Refusal, job_id: int) -> None:
    """Say which batch was refused by its public id, in place of its number within the job."""
    number = refusal.facts.pop("batch_number", None)
    if isinstance(number, int):
        refusal.facts["batch"] = ids.public("bat", policies.batch_numbered(job_id, number).pk)

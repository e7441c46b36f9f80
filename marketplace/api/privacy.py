"""Everything about me, to take along; and an end to it."""

import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import batched
from typing import IO, Any

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import privacy, profiling
from accounts.models import User, Worker
from accounts.queries import worker_of
from accounts.refusals import Fault
from marketplace.api import auditing, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door
from marketplace.api.fields import Strict, Text, YesNo
from marketplace.api.policies import Principal
from marketplace.api.refusals import FieldsRefused
from marketplace.signon import records
from tasks import erasing

ARCHIVE_NAME = "about-me.zip"
_MEMORY_MAX = 4 * 1024 * 1024
_AT_ONCE = 500


class EraseIn(Strict):
    """The wish to be erased. ``email`` is the address you sign in with, typed again."""

    email = Text(most=254)
    give_up_balance = YesNo(default=False, help_text="Give up money that was earned and not paid out.")


class ExportView(Door):
    """What is held about you."""

    throttle_scope = "money"

    @extend_schema(**described("export_read", "me", out=OpenApiTypes.BINARY, media_type="application/zip"))
    def get(self, request: Request) -> HttpResponseBase:
        """Everything held about you: a ZIP of JSON, of your answers line by line, and of the documents you filed."""
        return archive_response(policies.user_of(self.principal))


class EraseView(Door):
    """An end to it."""

    throttle_scope = "money"

    @extend_schema(**described("erase", "me", body=EraseIn, status=204))
    def post(self, request: Request) -> Response:
        """Erase your account. What you earned must be paid out or given up first; this cannot be undone."""
        said = self.body(EraseIn)
        erase(request._request, self.principal, email=said["email"], give_up_balance=said["give_up_balance"])  # noqa: SLF001  its session
        return Response(status=204)


def archive_response(user: User) -> FileResponse:
    """The archive as a download that no cache keeps."""
    response = FileResponse(archive(user), as_attachment=True, filename=ARCHIVE_NAME, content_type="application/zip")
    response["Cache-Control"] = "no-store"
    return response


def archive(user: User) -> IO[bytes]:
    """Everything held about a person, zipped: ``data.json``, ``answers.jsonl``, ``changes.jsonl``, ``documents/``."""
    worker = worker_of(user)
    told: dict[str, Any] = privacy.facts_about(user) | {
        "private_data": profiling.private_of(user),
        "sign_in": records.facts_about(user),
    }
    if worker is not None:
        told |= erasing.facts_about(worker.pk)
    # Kept in memory while it is small; the file has no name and goes with its handle.
    file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_MAX)  # noqa: SIM115  the response closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("data.json", json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        _write_lines(zipped, "changes.jsonl", _changes(user, worker))
        if worker is not None:
            _write_lines(zipped, "answers.jsonl", erasing.answers_by(worker.pk))
        for document in privacy.documents_of(user):
            zipped.writestr(document.name, document.content)
    file.seek(0)
    return file


def erase(request: HttpRequest, principal: Principal, *, email: str, give_up_balance: bool) -> erasing.Erased:
    """Erase the person who asks and end all their sessions. Raises FieldsRefused, ErasureStopped, NotAllowed."""
    user = policies.user_of(principal)
    if email.strip().lower() != user.email.lower():
        raise FieldsRefused(faults=[Fault("/email", "is not the address you sign in with")])
    with principal.acting():
        addresses = records.addresses_of(user)
        records.end_sessions(user)
        records.forget_answers(user)
        erased = erasing.erase_person(user, addresses=addresses, give_up_balance=give_up_balance, actor=principal.actor)
    request.session.flush()
    request.user = AnonymousUser()
    return erased


def _changes(user: User, worker: Worker | None) -> Iterator[dict[str, Any]]:
    """What they changed. The audit's rows hold numbers of other people, by which two employers could compare notes."""
    for rows in batched(privacy.changes_by(user), _AT_ONCE):
        yield from auditing.told_to_oneself(user.pk, None if worker is None else worker.pk, rows)


def _write_lines(zipped: zipfile.ZipFile, name: str, rows: Iterable[dict[str, Any]]) -> None:
    with zipped.open(name, "w") as lines:
        for row in rows:
            lines.write(json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False).encode() + b"\n")

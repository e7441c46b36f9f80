"""Claims and answers: the hot addresses.

They skip what the others go through, because each piece of it costs as much as the claim itself: no token query (a key
is remembered in this process, and the SQL function checks its id again, so that a revoked key does nothing however
long it is remembered here), no serializer (msgspec reads bodies straight into structs and writes answers; payloads are
passed on as the text they are stored as), no cache (a token bucket in this process).

Gold and plain tasks take the same way through here and look the same; only assignment ids are ever told.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from accounts import keys
from accounts.ledger import money
from accounts.ledger.money import Money
from accounts.refusals import Fault, Refusal
from marketplace import addresses
from marketplace.api import auth, hot_shapes, ids, problems
from marketplace.api.reading import strict_json
from marketplace.api.refusals import (
    FieldsRefused,
    MethodNotAllowed,
    NotAWorker,
    NotSignedIn,
    WrongContentType,
)
from marketplace.api.throttling import HOT_BURST, HOT_PER_SECOND, Buckets
from tasks.claiming import Lease, claim_tasks
from tasks.submitting import Outcome, Submission, submit_answers

REMEMBER_SECONDS = 600.0
_REMEMBERED_MAX = 20_000

_known: dict[bytes, tuple[float, keys.WorkingKey]] = {}
"""Digest of a secret -> until when, and which key it is. Secrets themselves are not kept."""
_buckets = Buckets(HOT_PER_SECOND, HOT_BURST)


class ClaimIn(msgspec.Struct, forbid_unknown_fields=True):
    """How many tasks to claim, and of which job."""

    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    job: str | None = None


class AnswerIn(msgspec.Struct, forbid_unknown_fields=True):
    """One answer: which assignment, what label, and how long it took."""

    assignment: str
    label: Any
    seconds: Annotated[float, msgspec.Meta(ge=0, le=604_800)] | None = None


class AnswersIn(msgspec.Struct, forbid_unknown_fields=True):
    """Answers to hand in."""

    answers: Annotated[list[AnswerIn], msgspec.Meta(min_length=1, max_length=100)]


class WorkIn(msgspec.Struct, forbid_unknown_fields=True):
    """Answers to hand in, and how many tasks to claim after that."""

    answers: Annotated[list[AnswerIn], msgspec.Meta(max_length=100)] = []
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    job: str | None = None


class LeaseOut(msgspec.Struct):
    """One task that the worker now holds, by its assignment."""

    id: str
    job: str
    schema: str
    guidelines: str
    price: str
    currency: str
    lease_ends_at: datetime
    payload: msgspec.Raw


class OutcomeOut(msgspec.Struct, omit_defaults=True):
    """What became of one answer."""

    assignment: str
    state: str
    problem: dict[str, Any] | None = None


class LeasesOut(msgspec.Struct):
    """The claimed tasks."""

    assignments: list[LeaseOut]


class OutcomesOut(msgspec.Struct):
    """What became of the answers, in their order."""

    outcomes: list[OutcomeOut]


class WorkOut(msgspec.Struct):
    """What became of the answers, and the next tasks; or why there are none (``problem``)."""

    outcomes: list[OutcomeOut]
    assignments: list[LeaseOut]
    problem: dict[str, Any] | None


_encoder = msgspec.json.Encoder()


class Hot(APIView):
    """What the three have in common. Their ``handle`` gets the worker, the key's id (None: a session) and the body."""

    authentication_classes = (auth.KeyAuthentication, auth.SessionSignIn)

    shape: ClassVar[type[msgspec.Struct]]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Who, how often, what; every no is a problem."""
        try:
            worker_id, key_id = _caller(request)
            _buckets.take(worker_id)
            return HttpResponse(
                _encoder.encode(self.handle(worker_id, key_id, _body(request, self.shape))),
                content_type="application/json",
            )
        except Exception as error:  # noqa: BLE001  the edge of the system: whatever it is becomes an answer, and is logged there
            return problems.handle(error)

    def handle(self, worker_id: int, key_id: int | None, body: Any) -> msgspec.Struct:
        """The one domain call, shaped."""
        raise NotImplementedError


class ClaimsView(Hot):
    """Claiming tasks."""

    shape = ClaimIn

    @extend_schema(
        operation_id="claim_tasks",
        tags=["work"],
        request=hot_shapes.ClaimIn,
        responses={200: hot_shapes.LeasesOut, **hot_shapes.PROBLEMS},
        summary="Claim up to 100 tasks",
    )
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Lease the open tasks that suit the worker best; of one job where `job` is given.

        Needs no Idempotency-Key: leases whose answer was lost are read back from the worker's assignments.
        """
        return self.dispatch(request)

    def handle(self, worker_id: int, key_id: int | None, body: ClaimIn) -> LeasesOut:
        """Claim."""
        return LeasesOut(_claim(worker_id, key_id, body))


class AnswersView(Hot):
    """Handing in answers."""

    shape = AnswersIn

    @extend_schema(
        operation_id="submit_answers",
        tags=["work"],
        request=hot_shapes.AnswersIn,
        responses={200: hot_shapes.OutcomesOut, **hot_shapes.PROBLEMS},
        summary="Hand in 1 to 100 answers",
    )
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Each answer stands or is refused by itself. The same answer sent again says `repeated` and changes nothing."""
        return self.dispatch(request)

    def handle(self, worker_id: int, key_id: int | None, body: AnswersIn) -> OutcomesOut:
        """Submit."""
        return OutcomesOut(_submit(worker_id, key_id, body.answers))


class WorkView(Hot):
    """Handing in answers and claiming the next tasks, in one request."""

    shape = WorkIn

    @extend_schema(
        operation_id="work",
        tags=["work"],
        request=hot_shapes.WorkIn,
        responses={200: hot_shapes.WorkOut, **hot_shapes.PROBLEMS},
        summary="Hand in answers and claim the next tasks",
    )
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """The answers stand whether or not there is anything to claim; why there is not, is told in `problem`."""
        return self.dispatch(request)

    def handle(self, worker_id: int, key_id: int | None, body: WorkIn) -> WorkOut:
        """Submit, then claim."""
        # A job that does not exist is refused before anything is done; what the claim says comes after it.
        job_id = _job_number(body.job)
        outcomes = _submit(worker_id, key_id, body.answers) if body.answers else []
        try:
            leases = claim_tasks(worker_id, count=body.count, job_id=job_id, key_id=key_id)
        except Refusal as refusal:
            return WorkOut(outcomes, [], problems.told_inside(refusal))
        return WorkOut(outcomes, _leases(leases), None)


def forget_keys() -> None:
    """Remember no key any more (tests, and whoever changes scopes by hand)."""
    _known.clear()


def _caller(request: HttpRequest) -> tuple[int, int | None]:
    """The worker, and the key's id where a key was shown.

    Raises MethodNotAllowed, NotSignedIn, KeyNotKnown, KeyFromElsewhere, NotAWorker, CsrfFailed.
    """
    if request.method != "POST":
        raise MethodNotAllowed("This address knows POST.")
    secret = auth.secret_in(request)
    if secret is None:
        principal = auth.signed_in(request)
        if principal is None:
            raise NotSignedIn
        return principal.need_worker(), None
    digest = hashlib.sha256(secret.encode()).digest()
    known = _known.get(digest)
    now = time.monotonic()
    if known is not None and known[0] > now:
        found = known[1]
    else:
        found = _look_up(request, secret, digest)
        _known[digest] = (now + REMEMBER_SECONDS, found)
    if found.networks and not keys.works_from(found.networks, addresses.address_of(request)):
        raise keys.KeyFromElsewhere
    return found.worker_id, found.key_id


def _look_up(request: HttpRequest, secret: str, digest: bytes) -> keys.WorkingKey:
    found = keys.working_key(secret)
    if found is None:
        _known.pop(digest, None)
        auth.principal_by(request, secret)
        raise NotAWorker("This key acts for no worker.")
    if len(_known) >= _REMEMBERED_MAX:
        _known.clear()
    return found


_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")


def _body(request: HttpRequest, shape: type[msgspec.Struct]) -> Any:
    """The body as ``shape``. Raises WrongContentType, Malformed, BodyTooLarge, FieldsRefused."""
    raw = request.body
    if request.content_type != "application/json" and (raw or request.content_type):
        raise WrongContentType("Send application/json.")
    try:
        return msgspec.convert(strict_json(raw) if raw or request.content_type else {}, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        path = _PATH.search(text)
        pointer = re.sub(r"[.\[]", "/", path.group(1).replace("]", "")) if path else ""
        raise FieldsRefused(faults=[Fault(pointer, _PATH.sub("", text))]) from None


def _job_number(job: str | None) -> int | None:
    return None if job is None else ids.number("job", job)


def _claim(worker_id: int, key_id: int | None, body: ClaimIn) -> list[LeaseOut]:
    return _leases(claim_tasks(worker_id, count=body.count, job_id=_job_number(body.job), key_id=key_id))


def _leases(leases: Sequence[Lease]) -> list[LeaseOut]:
    names = ids.public_many("asg", [lease.assignment_id for lease in leases])
    return [
        LeaseOut(
            name,
            ids.public("job", lease.job_id),
            ids.public("sch", lease.schema_id),
            ids.public("gdl", lease.guidelines_id),
            money.format(Money(lease.price_micros, lease.currency)),
            lease.currency,
            lease.lease_ends_at,
            msgspec.Raw(lease.payload.encode()),
        )
        for name, lease in zip(names, leases, strict=True)
    ]


def _submit(worker_id: int, key_id: int | None, answers: Sequence[AnswerIn]) -> list[OutcomeOut]:
    numbers = []
    for place, answer in enumerate(answers):
        try:
            numbers.append(ids.number("asg", answer.assignment))
        except Refusal as refusal:
            raise FieldsRefused(
                faults=[Fault(f"/answers/{place}/assignment", "is not the id of an assignment; send it as claimed")]
            ) from refusal
    outcomes = submit_answers(
        worker_id,
        [Submission(number, answer.label, answer.seconds) for number, answer in zip(numbers, answers, strict=True)],
        key_id=key_id,
    )
    return [_outcome(answer.assignment, outcome) for answer, outcome in zip(answers, outcomes, strict=True)]


def _outcome(name: str, outcome: Outcome) -> OutcomeOut:
    problem = None if outcome.refusal is None else problems.told_inside(outcome.refusal)
    return OutcomeOut(name, outcome.state, problem)

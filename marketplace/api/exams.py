"""Exams: created over gold, sat by workers."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.refusals import Fault
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Anything, Id, Nothing, Number, Out, Strict, Text, Whole, some
from marketplace.api.gold import owner_of
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import FieldsRefused, NotFound
from qualification import examining, queries
from qualification.models import Attempt, Exam
from tasks.labels.registry import LabelInvalid, kind_named


class ExamIn(Strict):
    """An exam to create; passing it grants ``level`` in the gold set's domain."""

    organisation = Id("org", required=False, allow_null=True, help_text="Left out: the platform's.")
    gold_set = Id("gst")
    name = Text(most=120)
    level = Whole(least=1, most=5, default=1)
    questions = Whole(least=1, most=200, default=10)
    pass_share = Number(least=0.01, most=1, default=0.8)
    time_limit_seconds = Whole(least=1, most=86_400, default=1_800)
    attempts_max = Whole(least=1, most=100, default=2)
    valid_days = Whole(least=1, most=3_650, default=365)


class ExamOut(Out):
    """An exam as anybody sees it."""

    id = Id("exm")
    organisation = Id("org", allow_null=True)
    domain = Id("dom")
    domain_path = serializers.CharField()
    name = serializers.CharField()
    level = serializers.IntegerField()
    questions = serializers.IntegerField()
    pass_share = serializers.FloatField()
    time_limit_seconds = serializers.IntegerField()
    attempts_max = serializers.IntegerField()
    valid_days = serializers.IntegerField()
    open = serializers.BooleanField()


class QuestionOut(Out):
    """A question by its place; nothing tells which gold item it is."""

    number = serializers.IntegerField()
    payload = Anything()


class AttemptOut(Out):
    """A sitting. Questions are shown while it is open."""

    id = Id("att")
    exam = Id("exm")
    state = serializers.ChoiceField(Attempt.State.choices)
    started_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    right = serializers.IntegerField(allow_null=True)
    label_kind = serializers.CharField()
    label_definition = Anything()
    questions = QuestionOut(many=True)


class ExamAnswerIn(Strict):
    """An answer to one question."""

    number = Whole(least=1, most=200)
    label = Anything()  # type: ignore[assignment]  # named as the wire names it


class HandInIn(Strict):
    """The answers; a question left out counts as wrong."""

    answers = some(ExamAnswerIn, most=200)


class ExamsView(Door):
    """Exams."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("exams_list", "exams", query=PageQuery, out=pages_of(ExamOut)))
    def get(self, request: Request) -> Response:
        """Exams that are open to workers, and all of your organisations'."""
        rows = policies.exams_of(self.principal)
        return Response(page(rows, self.asked, lambda some: ExamOut([_exam(one) for one in some], many=True).data))

    @extend_schema(**described("exams_create", "exams", body=ExamIn, out=ExamOut, status=201))
    def post(self, request: Request) -> Response:
        """Create an exam over a published gold set."""
        said = self.body(ExamIn)
        organisation = owner_of(self.principal, said.pop("organisation", None), "gold:write")
        drawable = policies.usable_gold(None if organisation is None else organisation.pk)
        gold_set = drawable.filter(pk=said.pop("gold_set")).first()
        if gold_set is None:
            raise NotFound("There is no such gold set here.")
        with self.acting():
            exam = examining.create_exam(gold_set=gold_set, organisation=organisation, **said)
        return shaped(ExamOut, _exam(exam), status=201)


class ExamView(Door):
    """One exam."""

    @extend_schema(**described("exams_read", "exams", out=ExamOut))
    def get(self, request: Request, exam: str) -> Response:
        """An exam."""
        return shaped(ExamOut, _exam(_exam_for(self.principal, exam)))


class AttemptsView(Door):
    """Sittings of an exam."""

    @extend_schema(**described("attempts_start", "exams", body=Nothing, out=AttemptOut, status=201))
    def post(self, request: Request, exam: str) -> Response:
        """Sit the exam, or go on with the sitting that is open. The time runs from here."""
        found = _exam_for(self.principal, exam)
        worker = policies.worker_of(self.principal)
        self.body(Nothing)
        with self.acting():
            attempt = examining.start_attempt(found, worker)
        return shaped(AttemptOut, _attempt(attempt), status=201)


class AttemptView(Door):
    """One sitting."""

    @extend_schema(**described("attempts_read", "exams", out=AttemptOut))
    def get(self, request: Request, attempt: str) -> Response:
        """One of your sittings."""
        return shaped(AttemptOut, _attempt(_attempt_for(self.principal, attempt)))


class HandInView(Door):
    """Handing in."""

    @extend_schema(**described("attempts_hand_in", "exams", body=HandInIn, out=AttemptOut))
    def post(self, request: Request, attempt: str) -> Response:
        """Hand in your answers; a pass grants the qualification at once."""
        found = _attempt_for(self.principal, attempt)
        said = self.body(HandInIn)
        answers = _answers(found, said["answers"])
        # No transaction of ours around it: that an attempt ran out is kept, also where that is what we say.
        return shaped(AttemptOut, _attempt(examining.hand_in(found, answers)))


def _exam_for(principal: policies.Principal, text: str) -> Exam:
    found = policies.exams_of(principal).filter(pk=ids.number("exm", text)).first()
    if found is None:
        raise NotFound
    return found


def _attempt_for(principal: policies.Principal, text: str) -> Attempt:
    found = policies.attempts_of(principal).filter(pk=ids.number("att", text)).first()
    if found is None:
        raise NotFound
    return found


def _answers(attempt: Attempt, said: list[dict[str, Any]]) -> dict[int, Any]:
    """Item id -> label in its normal form. Raises FieldsRefused."""
    gold_set = attempt.exam.gold_set
    kind = kind_named(gold_set.label_kind)
    found: dict[int, Any] = {}
    for place, one in enumerate(said):
        if one["number"] > len(attempt.item_ids):
            raise FieldsRefused(faults=[Fault(f"/answers/{place}/number", "was not asked")])
        item_id = attempt.item_ids[one["number"] - 1]
        if item_id in found:
            raise FieldsRefused(faults=[Fault(f"/answers/{place}/number", "is answered twice; answer it once")])
        try:
            found[item_id] = kind.validate_label(gold_set.label_definition, one["label"])
        except LabelInvalid as invalid:
            detail = f"{invalid.reason}; {invalid.remedy}"
            raise FieldsRefused(faults=[Fault(f"/answers/{place}/label", detail)]) from invalid
    return found


def _exam(exam: Exam) -> dict[str, Any]:
    names = (
        "name", "level", "questions", "pass_share", "time_limit_seconds", "attempts_max", "valid_days", "open",
    )  # fmt: skip
    return {
        **{name: getattr(exam, name) for name in names},
        "id": exam.pk,
        "organisation": exam.organisation_id,
        "domain": exam.domain_id,
        "domain_path": exam.domain.path,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    names = ("state", "started_at", "ends_at", "finished_at", "right")
    is_open = attempt.state == Attempt.State.OPEN
    questions = queries.questions_of(attempt) if is_open else []
    return {
        **{name: getattr(attempt, name) for name in names},
        "id": attempt.pk,
        "exam": attempt.exam_id,
        "label_kind": attempt.exam.gold_set.label_kind,
        "label_definition": attempt.exam.gold_set.label_definition,
        "questions": [{"number": place, "payload": one.payload} for place, one in enumerate(questions, 1)],
    }

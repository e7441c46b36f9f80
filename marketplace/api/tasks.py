"""Tasks of a job as its organisation sees them, with answers under pseudonyms; and the review of those answers."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger.money import Money
from accounts.models import Organisation
from accounts.queries import pseudonym_of
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Amount, Anything, Choice, Id, Out, Strict, Text
from marketplace.api.jobs import job_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound
from tasks.models import Answer, AnswerFlag, Assignment, Consensus, Task
from tasks.reviewing import review_answer

_VERDICTS = (Assignment.State.ACCEPTED.value, Assignment.State.SET_ASIDE.value, Assignment.State.REJECTED.value)


class TaskOut(Out):
    """One task."""

    id = Id("tsk")
    job = Id("job")
    batch = Id("bat")
    external_ref = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(Task.State.choices)
    waiting_for = serializers.ChoiceField(Task.WaitingFor.choices)
    contested_reason = serializers.CharField()
    gold = serializers.BooleanField(help_text="Only shown to who may read gold.")
    stratum = serializers.CharField()
    price = Amount()
    slots_needed = serializers.IntegerField()
    answers = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    judged_at = serializers.DateTimeField(allow_null=True)


class ConsensusOut(Out):
    """What the engine believes of a task."""

    state = serializers.ChoiceField(Consensus.State.choices)
    engine = serializers.CharField()
    label = Anything()  # type: ignore[assignment]  # named as the wire names it
    confidence = serializers.FloatField(allow_null=True)
    calibrated = serializers.BooleanField()
    posterior = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="In class order.")
    answers = serializers.IntegerField()


class FlagOut(Out):
    """A doubt about an answer. It is for whoever reviews and releases, and no reason by itself not to pay."""

    kind = serializers.ChoiceField(AnswerFlag.Kind.choices)
    flagged_at = serializers.DateTimeField()


class AnswerOut(Out):
    """One answer, under the worker's pseudonym."""

    id = Id("ans")
    worker = serializers.CharField(help_text="A pseudonym of this organisation's own.")
    label = Anything()  # type: ignore[assignment]  # named as the wire names it
    state = serializers.ChoiceField(Assignment.State.choices)
    reason = serializers.CharField()
    seconds = serializers.FloatField(allow_null=True)
    submitted_at = serializers.DateTimeField()
    flags = FlagOut(many=True, help_text="What its worker held for it and was revoked afterwards.")


class TaskWholeOut(TaskOut):
    """One task with its payload, its answers and its consensus."""

    payload = Anything()
    answers_given = AnswerOut(many=True)
    consensus = ConsensusOut(allow_null=True)


class TasksQuery(PageQuery):
    """Which tasks."""

    state = Choice(Task.State.values, required=False)
    external_ref = Text(most=200, required=False)


class ReviewIn(Strict):
    """A verdict on one answer."""

    verdict = Choice(_VERDICTS)
    reason = Text(most=500, lines=True, allow_blank=True, default="", help_text="A rejection needs 20 characters.")


class ReviewOut(Out):
    """The answer after its review."""

    id = Id("ans")
    state = serializers.ChoiceField(Assignment.State.choices)
    reason = serializers.CharField()


class TasksView(Door):
    """The tasks of a job."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": TasksQuery}

    @extend_schema(**described("tasks_list", "tasks", query=TasksQuery, out=pages_of(TaskOut)))
    def get(self, request: Request, job: str) -> Response:
        """The tasks of a job in the order they were added. Hidden gold is left out for who may not read gold."""
        found = job_for(self.principal, job, "jobs:read")
        rows = policies.tasks_of(self.principal).filter(job=found)
        for name in ("state", "external_ref"):
            if name in self.asked:
                rows = rows.filter(**{name: self.asked[name]})
        facts = page(
            rows,
            self.asked,
            lambda some: TaskOut([_facts(one, found.currency) for one in some], many=True).data,
            newest_first=False,
        )
        return Response(facts)


class TaskView(Door):
    """One task."""

    @extend_schema(**described("tasks_read", "tasks", out=TaskWholeOut))
    def get(self, request: Request, task: str) -> Response:
        """A task with its payload, the answers given so far, and what the engine believes."""
        found = (
            policies.tasks_of(self.principal)
            .select_related("job", "payload", "consensus")
            .filter(pk=ids.number("tsk", task))
            .first()
        )
        if found is None:
            raise NotFound
        organisation_id = found.job.organisation_id
        self.principal.need("jobs:read", organisation_id)
        organisation = policies.organisation_for(self.principal, organisation_id, "answers:read")
        return shaped(TaskWholeOut, _whole_facts(found, organisation))


class ReviewView(Door):
    """The review of one answer."""

    throttle_scope = "write"

    @extend_schema(**described("answers_review", "tasks", body=ReviewIn, out=ReviewOut))
    def post(self, request: Request, answer: str) -> Response:
        """Accept, set aside (paid, not used) or reject an answer that waits for review."""
        found = policies.answers_of(self.principal).select_related("job").filter(pk=ids.number("ans", answer)).first()
        if found is None:
            raise NotFound
        self.principal.need("review", found.job.organisation_id)
        said = self.body(ReviewIn)
        with self.acting():
            reviewed = review_answer(
                found.pk, Assignment.State(said["verdict"]), reason=said["reason"], actor=self.principal.actor
            )
        return shaped(ReviewOut, {"id": reviewed.pk, "state": reviewed.state, "reason": reviewed.reason})


def _facts(task: Task, currency: str) -> dict[str, Any]:
    same = (
        "external_ref", "state", "waiting_for", "contested_reason", "stratum", "slots_needed", "created_at", "judged_at",
    )  # fmt: skip
    return {
        **{name: getattr(task, name) for name in same},
        "id": task.pk,
        "job": task.job_id,
        "batch": task.batch_id,
        "gold": task.gold_item_id is not None,
        "price": Money(task.price_micros, currency),
        "answers": task.answer_count,
    }


def _whole_facts(task: Task, organisation: Organisation) -> dict[str, Any]:
    answers = policies.answers_to(task)
    consensus = getattr(task, "consensus", None)
    return {
        **_facts(task, task.job.currency),
        "payload": task.payload.content,
        "answers_given": [_answer_facts(answer, organisation) for answer in answers],
        "consensus": None if consensus is None or task.gold_item_id is not None else _consensus_facts(consensus),
    }


def _answer_facts(answer: Answer, organisation: Organisation) -> dict[str, Any]:
    return {
        "id": answer.pk,
        "worker": pseudonym_of(organisation, answer.worker_id),
        "label": answer.label,
        "state": answer.assignment.state,
        "reason": answer.assignment.reason,
        "seconds": answer.seconds,
        "submitted_at": answer.submitted_at,
        "flags": policies.flags_on(answer),
    }


def _consensus_facts(consensus: Consensus) -> dict[str, Any]:
    names = ("state", "engine", "label", "confidence", "calibrated", "posterior", "answers")
    return {name: getattr(consensus, name) for name in names}

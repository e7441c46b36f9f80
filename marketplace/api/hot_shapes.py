"""The hot addresses' bodies once more, as the schema documents them; a test compares them with the structs."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.api.fields import Anything, Out, Strict, Whole


class ProblemFaultOut(Out):
    """One thing that is wrong, and where."""

    pointer = serializers.CharField(help_text="A JSON pointer into the body; /row/N for a file; empty for the whole.")
    detail = serializers.CharField()


class ProblemOut(Out):
    """A no (RFC 9457)."""

    type = serializers.CharField(help_text="`/problems/<slug>`, which leads to an explanation.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ProblemFaultOut(many=True, required=False)  # type: ignore[assignment]  # named as the wire names it
    retry_after = serializers.IntegerField(required=False, help_text="Seconds after which trying again may help.")


PROBLEMS = {(code, "application/problem+json"): ProblemOut for code in ("4XX", "5XX")}
"""For every operation: what any no looks like."""


class ClaimIn(Strict):
    """How many tasks to claim, and of which job."""

    count = Whole(least=1, most=100, default=1)
    job = serializers.CharField(required=False, allow_null=True, help_text="Only tasks of this job.")


class AnswerIn(Strict):
    """One answer."""

    assignment = serializers.CharField()
    label = Anything(help_text='In the job\'s label schema, such as {"class": "cat"}.')  # type: ignore[assignment]  # named as the wire names it
    seconds = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=604_800)


class AnswersIn(Strict):
    """Answers to hand in."""

    answers = serializers.ListField(child=AnswerIn(), min_length=1, max_length=100)


class WorkIn(Strict):
    """Answers to hand in, and how many tasks to claim after that."""

    answers = serializers.ListField(child=AnswerIn(), max_length=100, default=list)
    count = Whole(least=1, most=100, default=1)
    job = serializers.CharField(required=False, allow_null=True)


@extend_schema_field(OpenApiTypes.OBJECT)
class PayloadField(serializers.JSONField):
    """What the worker looks at."""


class LeaseOut(Out):
    """One task that the worker now holds, by its assignment."""

    id = serializers.CharField()
    job = serializers.CharField()
    schema = serializers.CharField(help_text="The label schema; read it once at `/label-schemas/{id}`.")
    guidelines = serializers.CharField(help_text="Read them once at `/guidelines/{id}`.")
    price = serializers.CharField()
    currency = serializers.CharField()
    lease_ends_at = serializers.DateTimeField()
    payload = PayloadField()


class OutcomeOut(Out):
    """What became of one answer."""

    assignment = serializers.CharField()
    state = serializers.ChoiceField(["submitted", "repeated", "refused"])
    problem = ProblemOut(required=False)


class LeasesOut(Out):
    """The claimed tasks."""

    assignments = LeaseOut(many=True)


class OutcomesOut(Out):
    """What became of the answers, in their order."""

    outcomes = OutcomeOut(many=True)


class WorkOut(Out):
    """What became of the answers, and the next tasks."""

    outcomes = OutcomeOut(many=True)
    assignments = LeaseOut(many=True)
    problem = ProblemOut(allow_null=True, help_text="Why no task was claimed.")

"""The line as anybody may see it: what is open, how fast it goes, where the money is; and what workers may choose from."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger.money import Money
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Amount, Anything, Id, Out, Strict
from marketplace.api.jobs import RequirementOut
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound
from tasks import queries
from tasks.models import Job


class SpendOut(Out):
    """The money of all jobs in one currency."""

    currency = serializers.CharField()
    escrow = Amount()
    paid = Amount(help_text="To workers.")
    fee = Amount(help_text="To the platform.")


class LineOut(Out):
    """The line at this moment, all jobs together."""

    jobs = serializers.IntegerField()
    tasks_open = serializers.IntegerField()
    tasks_waiting = serializers.IntegerField()
    tasks_resolved = serializers.IntegerField()
    tasks_contested = serializers.IntegerField()
    answers = serializers.IntegerField()
    answers_per_minute = serializers.ListField(
        child=serializers.IntegerField(), help_text="The last half hour, oldest first."
    )
    spend = SpendOut(many=True)


class OpenJobOut(Out):
    """A job that takes answers now, as anybody may see it."""

    id = Id("job")
    name = serializers.CharField()
    description = serializers.CharField()
    organisation_name = serializers.CharField()
    domain_path = serializers.CharField()
    difficulty = serializers.IntegerField()
    language = serializers.CharField()
    price = Amount()
    currency = serializers.CharField()
    requirements = RequirementOut(many=True)
    models_allowed = serializers.BooleanField()


class LabelSchemaOut(Out):
    """What may be answered. A version never changes, so it may be kept."""

    id = Id("sch")
    job = Id("job")
    version = serializers.IntegerField()
    kind = serializers.CharField()
    definition = Anything()


class GuidelinesOut(Out):
    """How to answer. A version never changes, so it may be kept."""

    id = Id("gdl")
    job = Id("job")
    version = serializers.IntegerField()
    language = serializers.CharField()
    text = serializers.CharField()


class LineView(Door):
    """The line."""

    public = True

    @extend_schema(**described("line", "line", out=LineOut, public=True))
    def get(self, request: Request) -> Response:
        """The live state of the line; sums only, nothing of anybody's."""
        state = queries.line_state()
        names = ("tasks_open", "tasks_waiting", "tasks_resolved", "tasks_contested", "answers_per_minute")
        facts: dict[str, Any] = {name: getattr(state, name) for name in names}
        facts["jobs"] = len(state.jobs)
        facts["answers"] = state.answers_total
        facts["spend"] = [
            {"currency": spend.currency}
            | {name: Money(getattr(spend, f"{name}_micros"), spend.currency) for name in ("escrow", "paid", "fee")}
            for spend in state.spend
        ]
        return shaped(LineOut, facts)


class OpenJobsView(Door):
    """The public list of jobs."""

    public = True
    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("open_jobs_list", "line", query=PageQuery, out=pages_of(OpenJobOut), public=True))
    def get(self, request: Request) -> Response:
        """Jobs that take answers now, newest first, and what they ask of workers."""
        rows = policies.open_jobs().prefetch_related("eligibility__requirements__domain")
        return Response(
            page(rows, self.asked, lambda some: OpenJobOut([_open_job(one) for one in some], many=True).data)
        )


class LabelSchemaView(Door):
    """A label schema."""

    @extend_schema(**described("label_schemas_read", "work", out=LabelSchemaOut))
    def get(self, request: Request, schema: str) -> Response:
        """A version of a label schema that you were given tasks under, or that is your organisation's."""
        found = policies.schemas_of(self.principal).filter(pk=ids.number("sch", schema)).first()
        if found is None:
            raise NotFound
        names = ("version", "kind", "definition")
        facts = {"id": found.pk, "job": found.job_id, **{name: getattr(found, name) for name in names}}
        return shaped(LabelSchemaOut, facts)


class GuidelinesView(Door):
    """Guidelines."""

    @extend_schema(**described("guidelines_read", "work", out=GuidelinesOut))
    def get(self, request: Request, guidelines: str) -> Response:
        """A version of guidelines that you were given tasks under, or that is your organisation's."""
        found = policies.guidelines_of(self.principal).filter(pk=ids.number("gdl", guidelines)).first()
        if found is None:
            raise NotFound
        names = ("version", "language", "text")
        facts = {"id": found.pk, "job": found.job_id, **{name: getattr(found, name) for name in names}}
        return shaped(GuidelinesOut, facts)


def _open_job(job: Job) -> dict[str, Any]:
    assert job.eligibility is not None
    names = ("name", "description", "difficulty", "language", "currency")
    return {
        **{name: getattr(job, name) for name in names},
        "id": job.pk,
        "organisation_name": job.organisation.name,
        "domain_path": job.domain.path,
        "price": Money(job.price_micros, job.currency),
        "requirements": [
            {"domain": need.domain_id, "path": need.domain.path, "level_min": need.level_min}
            for need in sorted(job.eligibility.requirements.all(), key=lambda need: need.pk)
        ],
        "models_allowed": job.eligibility.models_allowed,
    }

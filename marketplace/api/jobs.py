"""Jobs: written down, revised, published, paused, closed; and what has become of them."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.ledger.money import Money
from accounts.refusals import Fault
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import (
    Amount,
    Anything,
    Choice,
    Currency,
    Id,
    Nothing,
    Out,
    Strict,
    Text,
    Whole,
    YesNo,
    some,
)
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import FieldsRefused, NotFound
from tasks import closing, publishing, queries
from tasks.models import Job

_WEEK = 7 * 86_400
_RELATED = ("domain", "schema", "guidelines", "eligibility", "plan")


class RequirementIn(Strict):
    """A qualification that workers must hold."""

    domain = Id("dom")
    level_min = Whole(least=1, most=5, default=1)


class JobIn(Strict):
    """A job to be. What has a default may be left out."""

    organisation = Id("org")
    name = Text(most=120)
    description = Text(most=10_000, lines=True, default="", allow_blank=True)
    domain = Id("dom")
    difficulty = Whole(least=1, most=5, default=2)
    language = Text(most=16, default="en")
    label_kind = Text(most=32, default="categorical")
    label_definition = Anything(help_text='For categorical: {"question": ..., "classes": [...]}.')
    guidelines = Text(most=200_000, lines=True)
    requirements = some(RequirementIn, most=20, default=list)
    models_allowed = YesNo(default=False)
    answers_per_worker_max = Whole(least=1, most=1_000_000, allow_null=True, default=None)
    currency = Currency(default="USD")
    price = Amount(help_text="For one answer.")
    budget = Amount(help_text="What publishing moves from the wallet to the job's escrow.")
    engine = Text(most=24, default="dawid_skene")
    policy = Text(most=64, default="fixed:3", help_text="`fixed:K`, or a confidence threshold.")
    gold_share_bp = Whole(least=0, most=5_000, default=0)
    lease_seconds = Whole(least=1, most=_WEEK, default=1_800)
    review_window_seconds = Whole(least=0, most=90 * 86_400, default=0)


class RevisionIn(Strict):
    """What to change; what is left out stays."""

    name = Text(most=120, required=False)
    description = Text(most=10_000, lines=True, allow_blank=True, required=False)
    label_definition = Anything(required=False)
    guidelines = Text(most=200_000, lines=True, required=False)
    requirements = some(RequirementIn, most=20, required=False)
    models_allowed = YesNo(required=False)
    answers_per_worker_max = Whole(least=1, most=1_000_000, required=False)
    price = Amount(required=False)
    budget = Amount(required=False, help_text="Of a draft.")
    engine = Text(most=24, required=False)
    policy = Text(most=64, required=False)
    gold_share_bp = Whole(least=0, most=5_000, required=False)


class BudgetIn(Strict):
    """Money to add to a job's budget."""

    amount = Amount()
    currency = Currency(default="USD")


class RequirementOut(Out):
    """A qualification that workers must hold."""

    domain = Id("dom")
    path = serializers.CharField()
    level_min = serializers.IntegerField()


class JobOut(Out):
    """A job as its organisation sees it."""

    id = Id("job")
    organisation = Id("org")
    name = serializers.CharField()
    description = serializers.CharField()
    state = serializers.ChoiceField(Job.State.choices)
    domain = Id("dom")
    domain_path = serializers.CharField()
    difficulty = serializers.IntegerField()
    language = serializers.CharField()
    label_kind = serializers.CharField()
    label_schema = Id("sch")
    label_schema_version = serializers.IntegerField()
    label_definition = Anything()
    guidelines_version = serializers.IntegerField()
    guidelines = serializers.CharField()
    requirements = RequirementOut(many=True)
    models_allowed = serializers.BooleanField()
    answers_per_worker_max = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    price = Amount()
    fee_bp = serializers.IntegerField()
    budget = Amount()
    funded = Amount(help_text="Moved to escrow and not released.")
    reserved = Amount(help_text="Of that, set aside for slots that were opened.")
    engine = serializers.CharField()
    policy = serializers.CharField()
    gold_share_bp = serializers.IntegerField()
    lease_seconds = serializers.IntegerField()
    review_window_seconds = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class ReportOut(Out):
    """What has become of a job so far."""

    job = Id("job")
    state = serializers.CharField()
    currency = serializers.CharField()
    tasks = serializers.IntegerField()
    open = serializers.IntegerField()
    waiting = serializers.IntegerField()
    resolved = serializers.IntegerField()
    contested = serializers.IntegerField()
    answers = serializers.IntegerField()
    gold_answers = serializers.IntegerField()
    accuracy_on_gold = serializers.FloatField(allow_null=True)
    funded = Amount()
    reserved = Amount()
    paid = Amount(help_text="To workers.")
    fee = Amount(help_text="To the platform.")
    escrow = Amount(help_text="What is left in escrow.")


class JobsQuery(PageQuery):
    """Which jobs."""

    organisation = Id("org", required=False)
    state = Choice(Job.State.values, required=False)


class JobsView(Door):
    """All jobs of the caller's organisations."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": JobsQuery}

    @extend_schema(**described("jobs_list", "jobs", query=JobsQuery, out=pages_of(JobOut)))
    def get(self, request: Request) -> Response:
        """The jobs of your organisations, newest first."""
        found = policies.jobs_of(self.principal).filter(organisation_id__in=self.principal.with_right("jobs:read"))
        if "organisation" in self.asked:
            self.principal.need("jobs:read", self.asked["organisation"])
            found = found.filter(organisation_id=self.asked["organisation"])
        if "state" in self.asked:
            found = found.filter(state=self.asked["state"])
        found = found.select_related(*_RELATED).prefetch_related("eligibility__requirements__domain")
        return Response(page(found, self.asked, lambda rows: JobOut([job_facts(job) for job in rows], many=True).data))

    @extend_schema(**described("jobs_create", "jobs", body=JobIn, out=JobOut, status=201, once=True))
    def post(self, request: Request) -> HttpResponse:
        """Write down a job, in state draft. Costs nothing until it is published."""
        said = self.body(JobIn)
        organisation = policies.organisation_for(self.principal, said.pop("organisation"), "jobs:write")
        _need_domains(self.principal, organisation.pk, said)
        draft = publishing.JobDraft(**_micros(said))

        def effect() -> tuple[int, Any]:
            job = publishing.create_job(organisation, draft, fee_bp=policies.PLATFORM_FEE_BP)
            return 201, JobOut(job_facts(job)).data

        return self.once("jobs", effect)


class JobView(Door):
    """One job."""

    @extend_schema(**described("jobs_read", "jobs", out=JobOut))
    def get(self, request: Request, job: str) -> Response:
        """A job of your organisation."""
        return shaped(JobOut, job_facts(job_for(self.principal, job, "jobs:read")))

    @extend_schema(**described("jobs_revise", "jobs", body=RevisionIn, out=JobOut))
    def patch(self, request: Request, job: str) -> Response:
        """Change a job that is not closed; a changed value becomes its next version, for claims from now on."""
        found = job_for(self.principal, job, "jobs:write")
        said = self.body(RevisionIn)
        if not said:
            raise FieldsRefused(faults=[Fault("", "names nothing to change; send at least one field")])
        _need_domains(self.principal, found.organisation_id, said)
        with self.acting():
            revised = publishing.revise_job(found, publishing.Revision(**_micros(said)))
        return shaped(JobOut, job_facts(revised))


class JobActView(Door):
    """A step in a job's life. Steps that move money need an Idempotency-Key."""

    throttle_scope = "money"

    def count_spending(self, money: Money) -> None:
        """Count what a key has put behind a job, in the same transaction. Raises SpendCapReached, KeyRevoked."""
        if self.principal.key_id is not None:
            keys.spend(self.principal.key_id, money)


class PublishView(JobActView):
    """Publishing."""

    @extend_schema(**described("jobs_publish", "jobs", body=Nothing, out=JobOut, once=True))
    def post(self, request: Request, job: str) -> HttpResponse:
        """Move the budget to escrow and open the job to workers."""
        found = job_for(self.principal, job, "jobs:write")
        self.body(Nothing)

        def effect() -> tuple[int, Any]:
            published = publishing.publish_job(found, actor=self.principal.actor)
            self.count_spending(Money(published.budget_micros, published.currency))
            return 200, JobOut(job_facts(published)).data

        return self.once("jobs/publish", effect)


class BudgetView(JobActView):
    """Adding budget."""

    @extend_schema(**described("jobs_add_budget", "jobs", body=BudgetIn, out=JobOut, once=True))
    def post(self, request: Request, job: str) -> HttpResponse:
        """Move more money from the wallet to the job's escrow."""
        found = job_for(self.principal, job, "jobs:write")
        self.principal.need("money:write", found.organisation_id)
        said = self.body(BudgetIn)
        money = Money(said["amount"], said["currency"])

        def effect() -> tuple[int, Any]:
            funded = publishing.add_budget(found, money, actor=self.principal.actor)
            self.count_spending(money)
            return 200, JobOut(job_facts(funded)).data

        return self.once("jobs/budget", effect)


class CloseView(JobActView):
    """Closing."""

    @extend_schema(**described("jobs_close", "jobs", body=Nothing, out=JobOut, once=True))
    def post(self, request: Request, job: str) -> HttpResponse:
        """End the job: no more claims; work in hand is honoured, and what nobody can earn any more goes back."""
        found = job_for(self.principal, job, "jobs:write")
        self.body(Nothing)

        def effect() -> tuple[int, Any]:
            return 200, JobOut(job_facts(closing.close_job(found, actor=self.principal.actor))).data

        return self.once("jobs/close", effect)


class PauseView(Door):
    """Pausing."""

    @extend_schema(**described("jobs_pause", "jobs", body=Nothing, out=JobOut))
    def post(self, request: Request, job: str) -> Response:
        """Hand out no more tasks for now."""
        found = job_for(self.principal, job, "jobs:write")
        self.body(Nothing)
        with self.acting():
            return shaped(JobOut, job_facts(publishing.pause_job(found)))


class ResumeView(Door):
    """Resuming."""

    @extend_schema(**described("jobs_resume", "jobs", body=Nothing, out=JobOut))
    def post(self, request: Request, job: str) -> Response:
        """Hand out tasks again."""
        found = job_for(self.principal, job, "jobs:write")
        self.body(Nothing)
        with self.acting():
            return shaped(JobOut, job_facts(publishing.resume_job(found)))


class ReportView(Door):
    """What has become of a job."""

    @extend_schema(**described("jobs_report", "jobs", out=ReportOut))
    def get(self, request: Request, job: str) -> Response:
        """Tasks by state, answers, accuracy on gold, and where the money is."""
        found = job_for(self.principal, job, "jobs:read")
        line = queries.job_line(found.pk)
        if line is None:
            raise NotFound
        names = ("state", "currency", "tasks", "open", "waiting", "resolved", "contested", "answers")
        facts: dict[str, Any] = {name: getattr(line, name) for name in names}
        may_gold = "gold:read" in self.principal.rights[found.organisation_id]
        facts["gold_answers"] = line.gold_answers if may_gold else 0
        facts["accuracy_on_gold"] = line.accuracy_on_gold if may_gold else None
        for name in ("funded", "reserved", "paid", "fee", "escrow"):
            facts[name] = Money(getattr(line, f"{name}_micros"), line.currency)
        return shaped(ReportOut, {"job": found.pk, **facts})


def job_for(principal: policies.Principal, text: str, right: str) -> Job:
    """The job of that public id, if the principal holds ``right`` for it. Raises NotFound or NotAllowed."""
    found = policies.jobs_of(principal).select_related(*_RELATED).filter(pk=ids.number("job", text)).first()
    if found is None:
        raise NotFound
    principal.need(right, found.organisation_id)
    return found


def job_facts(job: Job) -> dict[str, Any]:
    """What :class:`JobOut` shows of a job."""
    schema, guidelines, eligibility, plan = job.schema, job.guidelines, job.eligibility, job.plan
    assert schema is not None
    assert guidelines is not None
    assert eligibility is not None
    assert plan is not None
    same = (
        "name", "description", "state", "difficulty", "language", "currency", "fee_bp", "gold_share_bp",
        "lease_seconds", "review_window_seconds", "created_at", "published_at", "closed_at",
    )  # fmt: skip
    return {
        **{name: getattr(job, name) for name in same},
        "id": job.pk,
        "organisation": job.organisation_id,
        "domain": job.domain_id,
        "domain_path": job.domain.path,
        "label_kind": schema.kind,
        "label_schema": schema.pk,
        "label_schema_version": schema.version,
        "label_definition": schema.definition,
        "guidelines_version": guidelines.version,
        "guidelines": guidelines.text,
        "requirements": [
            {"domain": need.domain_id, "path": need.domain.path, "level_min": need.level_min}
            for need in sorted(eligibility.requirements.all(), key=lambda need: need.pk)
        ],
        "models_allowed": eligibility.models_allowed,
        "answers_per_worker_max": eligibility.answers_per_worker_max,
        "engine": plan.engine,
        "policy": publishing.policy_text(plan),
        "price": Money(job.price_micros, job.currency),
        "budget": Money(job.budget_micros, job.currency),
        "funded": Money(job.funded_micros, job.currency),
        "reserved": Money(job.reserved_micros, job.currency),
    }


def _micros(said: dict[str, Any]) -> dict[str, Any]:
    """The serializer's values under the act's names."""
    renamed = {"price": "price_micros", "budget": "budget_micros", "domain": "domain_id"}
    found = {renamed.get(name, name): value for name, value in said.items()}
    if "requirements" in found:
        found["requirements"] = tuple((need["domain"], need["level_min"]) for need in found["requirements"])
    return found


def _need_domains(principal: policies.Principal, organisation_id: int, said: dict[str, Any]) -> None:
    """Refuse domains that this organisation cannot see. Raises NotFound."""
    wanted = {need["domain"] for need in said.get("requirements", ())}
    if "domain" in said:
        wanted.add(said["domain"])
    seen = policies.domains_of(principal).filter(pk__in=wanted)
    if sum(domain.organisation_id in {None, organisation_id} for domain in seen) != len(wanted):
        raise NotFound("There is no such domain here.")

"""Workers: registering, what they hold, what they earned, what they have shown."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import people, profiling
from accounts.ledger import drafts
from accounts.ledger.money import Money
from accounts.models import Profile, SpokenLanguage, Worker
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Amount, Anything, Choice, Id, Nothing, Out, Strict, Text, some
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound
from marketplace.api.wallets import StatementOut, StatementQuery, statement_facts
from qualification import queries as standing
from tasks.claiming import return_leases
from tasks.models import Assignment


class WorkerIn(Strict):
    """How to be called."""

    name = Text(most=120)


class WorkerOut(Out):
    """A worker as they see themself."""

    id = Id("wrk")
    name = serializers.CharField()
    kind = serializers.ChoiceField(Worker.Kind.choices)
    state = serializers.ChoiceField(Worker.State.choices)
    state_reason = serializers.CharField(help_text="Why it is suspended.")
    simulated = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class LanguageIn(Strict):
    """A language and how well it is spoken."""

    language = Text(most=16)
    level = Choice(SpokenLanguage.Level.values)


class ProfileIn(Strict):
    """What to change of the profile; what is left out stays, and what is empty is no longer told."""

    country = Text(most=2, allow_blank=True, required=False, help_text="ISO 3166-1, two letters.")
    time_zone = Text(most=64, allow_blank=True, required=False, help_text="IANA, such as Europe/Berlin.")
    education = Choice(["", *Profile.Education.values], required=False)
    device = Choice(["", *Profile.Device.values], required=False)
    languages = some(LanguageIn, most=profiling.LANGUAGES_MAX, required=False)


class LanguageOut(Out):
    """A language: a BCP 47 tag, and the level of the Common European Framework, or native."""

    language = serializers.CharField()
    level = serializers.ChoiceField(SpokenLanguage.Level.values)


class ProfileOut(Out):
    """What a worker says of themself. No requester sees it."""

    country = serializers.CharField()
    time_zone = serializers.CharField()
    education = serializers.CharField()
    device = serializers.CharField()
    languages = LanguageOut(many=True)


class PrivateFactsIn(Strict):
    """Which private facts to change; what is left out stays, and what is empty is forgotten."""

    legal_name = Text(most=profiling.PRIVATE_FACTS["legal_name"], allow_blank=True, required=False)
    birth_date = Text(most=10, allow_blank=True, required=False, help_text="YYYY-MM-DD.")
    address = Text(most=profiling.PRIVATE_FACTS["address"], lines=True, allow_blank=True, required=False)
    phone = Text(most=30, allow_blank=True, required=False, help_text="With a + and the country's number.")


class PrivateFactsOut(Out):
    """What only you and those who pay or verify you may know; kept sealed."""

    legal_name = serializers.CharField()
    birth_date = serializers.CharField()
    address = serializers.CharField()
    phone = serializers.CharField()


class AssignmentOut(Out):
    """One assignment as its worker sees it. Nothing tells which task it is, or whether the answer was known."""

    id = Id("asg")
    job = Id("job")
    schema = Id("sch")
    guidelines = Id("gdl")
    state = serializers.ChoiceField(Assignment.State.choices)
    price = Amount()
    currency = serializers.CharField()
    leased_at = serializers.DateTimeField()
    lease_ends_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(help_text="Why it was rejected.")
    payload = Anything(help_text="While the lease runs.")
    label = Anything(help_text="What was answered.")  # type: ignore[assignment]  # named as the wire names it


class AssignmentsQuery(PageQuery):
    """Which assignments."""

    state = Choice(Assignment.State.values, required=False)


class LevelOut(Out):
    """A level in a domain, held now."""

    domain = Id("dom")
    path = serializers.CharField()
    level = serializers.IntegerField()


class AccuracyOut(Out):
    """How often the worker was right on verified items of a domain and difficulty; low to high holds it with 90 %."""

    domain = Id("dom")
    path = serializers.CharField()
    difficulty = serializers.IntegerField()
    right = serializers.FloatField()
    total = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class StandingOut(Out):
    """What a worker has shown."""

    qualifications = LevelOut(many=True)
    accuracy = AccuracyOut(many=True)


class WorkersView(Door):
    """Becoming a worker."""

    @extend_schema(**described("workers_register", "workers", body=WorkerIn, out=WorkerOut, status=201))
    def post(self, request: Request) -> Response:
        """Register yourself as a worker."""
        user = policies.user_of(self.principal)
        said = self.body(WorkerIn)
        with self.acting():
            worker = people.register_worker(user, name=said["name"])
        return shaped(WorkerOut, _facts(worker), status=201)


class MyWorkerView(Door):
    """The caller's own worker."""

    @extend_schema(**described("workers_me", "workers", out=WorkerOut))
    def get(self, request: Request) -> Response:
        """Who you are as a worker."""
        return shaped(WorkerOut, _facts(policies.worker_of(self.principal)))


class PauseWorkerView(Door):
    """A break."""

    @extend_schema(**described("workers_pause", "workers", body=Nothing, out=WorkerOut))
    def post(self, request: Request) -> Response:
        """Take a break: no claims until you resume."""
        worker = policies.worker_of(self.principal)
        self.body(Nothing)
        with self.acting():
            return shaped(WorkerOut, _facts(people.pause_worker(worker)))


class ResumeWorkerView(Door):
    """Back from a break."""

    @extend_schema(**described("workers_resume", "workers", body=Nothing, out=WorkerOut))
    def post(self, request: Request) -> Response:
        """Come back from a break."""
        worker = policies.worker_of(self.principal)
        self.body(Nothing)
        with self.acting():
            return shaped(WorkerOut, _facts(people.unpause_worker(worker)))


class ProfileView(Door):
    """The worker's profile."""

    @extend_schema(**described("workers_profile", "workers", out=ProfileOut))
    def get(self, request: Request) -> Response:
        """What you say of yourself: languages, country, time zone, education, device."""
        return shaped(ProfileOut, _profile(policies.worker_of(self.principal)))

    @extend_schema(**described("workers_profile_save", "workers", body=ProfileIn, out=ProfileOut))
    def patch(self, request: Request) -> Response:
        """Change what you say of yourself."""
        worker = policies.worker_of(self.principal)
        said = self.body(ProfileIn)
        kept = _profile(worker) | said
        kept["languages"] = [(one["language"], one["level"]) for one in kept["languages"]]
        with self.acting():
            profiling.save_profile(worker, **kept)
        return shaped(ProfileOut, _profile(worker))


class PrivateFactsView(Door):
    """What names the person; for the person alone, and never by a key."""

    @extend_schema(**described("workers_private", "workers", out=PrivateFactsOut))
    def get(self, request: Request) -> Response:
        """Your private facts. Needs you to be signed in: a key may not read them."""
        return shaped(PrivateFactsOut, _private(profiling.private_of(policies.user_of(self.principal))))

    @extend_schema(**described("workers_private_save", "workers", body=PrivateFactsIn, out=PrivateFactsOut))
    def patch(self, request: Request) -> Response:
        """Change your private facts."""
        user = policies.user_of(self.principal)
        kept = profiling.private_of(user) | self.body(PrivateFactsIn)
        with self.acting():
            profiling.save_private(user, kept)
        return shaped(PrivateFactsOut, _private(profiling.private_of(user)))


class AssignmentsView(Door):
    """The caller's assignments."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": AssignmentsQuery}

    @extend_schema(**described("workers_assignments", "work", query=AssignmentsQuery, out=pages_of(AssignmentOut)))
    def get(self, request: Request) -> Response:
        """Your assignments, newest first. With `state=leased`: what you hold, also where a claim's answer was lost."""
        rows = policies.assignments_of(self.principal)
        if "state" in self.asked:
            rows = rows.filter(state=self.asked["state"])
        rows = rows.select_related("job", "task__payload", "answer")
        return Response(
            page(rows, self.asked, lambda some: AssignmentOut([_assignment(one) for one in some], many=True).data)
        )


class AssignmentView(Door):
    """One assignment."""

    @extend_schema(**described("assignments_read", "work", out=AssignmentOut))
    def get(self, request: Request, assignment: str) -> Response:
        """One of your assignments."""
        return shaped(AssignmentOut, _assignment(_assignment_for(self.principal, assignment)))


class ReturnView(Door):
    """Giving back."""

    @extend_schema(**described("assignments_return", "work", body=Nothing, out=AssignmentOut))
    def post(self, request: Request, assignment: str) -> Response:
        """Give back a task that you will not answer. Giving back what has ended already changes nothing."""
        found = _assignment_for(self.principal, assignment)
        self.body(Nothing)
        return_leases(self.principal.need_worker(), [found.pk], key_id=self.principal.key_id)
        found.refresh_from_db()
        return shaped(AssignmentOut, _assignment(found))


class EarningsView(Door):
    """Money earned."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": StatementQuery}

    @extend_schema(**described("workers_earnings", "workers", query=StatementQuery, out=StatementOut))
    def get(self, request: Request) -> Response:
        """What you have earned and not yet been paid out, and how it came together."""
        currency = self.asked.get("currency", "USD")
        address = drafts.payable(self.principal.need_worker(), currency)
        return shaped(StatementOut, statement_facts(address, self.asked))


class StandingView(Door):
    """Standing."""

    @extend_schema(**described("workers_standing", "workers", out=StandingOut))
    def get(self, request: Request) -> Response:
        """Your qualifications, and your measured accuracy on verified items."""
        worker_id = self.principal.need_worker()
        levels = standing.standings(worker_id)
        paths = dict(policies.paths_of(levels))
        facts = {
            "qualifications": [{"domain": pk, "path": paths[pk], "level": level} for pk, level in levels.items()],
            "accuracy": [
                {"domain": one.domain_id, "path": one.domain}
                | {name: getattr(one, name) for name in ("difficulty", "right", "total", "mean", "low", "high")}
                for one in standing.accuracy(worker_id)
            ],
        }
        return shaped(StandingOut, facts)


def _facts(worker: Worker) -> dict[str, Any]:
    names = ("name", "kind", "state", "state_reason", "simulated", "created_at")
    return {"id": worker.pk, **{name: getattr(worker, name) for name in names}}


def _profile(worker: Worker) -> dict[str, Any]:
    profile = profiling.profile_of(worker)
    names = ("country", "time_zone", "education", "device")
    spoken = [{"language": tag, "level": level} for tag, level in profiling.languages_of(worker)]
    return {**{name: getattr(profile, name) for name in names}, "languages": spoken}


def _private(facts: dict[str, str]) -> dict[str, str]:
    return {name: facts.get(name, "") for name in profiling.PRIVATE_FACTS}


def _assignment_for(principal: policies.Principal, text: str) -> Assignment:
    rows = policies.assignments_of(principal).select_related("job", "task__payload", "answer")
    found = rows.filter(pk=ids.number("asg", text)).first()
    if found is None:
        raise NotFound
    return found


def _assignment(assignment: Assignment) -> dict[str, Any]:
    names = ("state", "leased_at", "lease_ends_at", "submitted_at", "ended_at", "reason")
    answer = getattr(assignment, "answer", None)
    leased = assignment.state == Assignment.State.LEASED
    currency = assignment.job.currency
    return {
        **{name: getattr(assignment, name) for name in names},
        "id": assignment.pk,
        "job": assignment.job_id,
        "schema": assignment.schema_id,
        "guidelines": assignment.guidelines_id,
        "price": Money(assignment.price_micros, currency),
        "currency": currency,
        "payload": assignment.task.payload.content if leased else None,
        "label": None if answer is None else answer.label,
    }

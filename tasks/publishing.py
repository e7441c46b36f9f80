"""Publishing: a requester writes a job down, puts money behind it, and opens it.

Label schema, guidelines, eligibility and quality plan are versioned values: revising a job adds a version, and what
was claimed before keeps the version it was claimed under. Publishing moves the job's budget from the organisation's
wallet to the job's escrow (posting rule P3); tasks can only be added against money that is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.audit import acting
from accounts.ledger import drafts, posting
from accounts.ledger.money import MINOR_DIGITS, Money
from accounts.models import Organisation
from accounts.refusals import Fault, Refusal
from qualification.inference.engine import ENGINES
from qualification.inference.stopping import Plan, parse_policy
from qualification.models import Domain
from tasks.labels.registry import SchemaInvalid, kind_named
from tasks.models import Eligibility, Guidelines, Job, LabelSchema, QualityPlan, Requirement, RouteEpoch

NAME_MAX = 120
GUIDELINES_MAX = 200_000
PRICE_MAX_MICROS = 10_000 * 1_000_000
FITTED_CLASSES_MAX = 200
"""An engine that fits workers keeps K x K numbers of each: more classes than this are for majority."""
BUDGET_MAX_MICROS = 10**12 * 1_000_000


class JobNotInState(Refusal):
    """The job is not in a state that allows this."""


class JobRefused(Refusal):
    """The job cannot be written down like this."""


@dataclass(frozen=True, slots=True)
class JobDraft:
    """Everything a requester says about a job. Money in micros; ``policy`` as :func:`parse_policy` reads it."""

    name: str
    domain_id: int
    label_definition: Any
    guidelines: str
    price_micros: int
    budget_micros: int
    description: str = ""
    difficulty: int = 2
    language: str = "en"
    label_kind: str = "categorical"
    requirements: tuple[tuple[int, int], ...] = ()
    models_allowed: bool = False
    answers_per_worker_max: int | None = None
    currency: str = "USD"
    engine: str = "dawid_skene"
    policy: str = "fixed:3"
    gold_share_bp: int = 0
    lease_seconds: int = 1800
    review_window_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Revision:
    """What to change of a job; None leaves a thing as it is. A changed value becomes its next version."""

    name: str | None = None
    description: str | None = None
    label_definition: Any = None
    guidelines: str | None = None
    requirements: tuple[tuple[int, int], ...] | None = None
    models_allowed: bool | None = None
    answers_per_worker_max: int | None = None
    engine: str | None = None
    policy: str | None = None
    price_micros: int | None = None
    budget_micros: int | None = None
    gold_share_bp: int | None = None


def create_job(organisation: Organisation, draft: JobDraft, *, fee_bp: int) -> Job:
    """Write down a job in state draft, with the first version of everything. Raises JobRefused naming each field."""
    faults = _faults_of(draft)
    definition = _definition(draft.label_kind, draft.label_definition, faults)
    plan = _plan(draft.engine, draft.policy, faults)
    if definition is not None and draft.engine != "majority":
        classes = len(kind_named(draft.label_kind).classes(definition) or [])
        if classes > FITTED_CLASSES_MAX:
            faults.append(Fault("/engine", f"fits at most {FITTED_CLASSES_MAX} classes; choose majority"))
    if faults or plan is None:
        raise JobRefused(faults=faults)
    with transaction.atomic():
        job = Job.objects.create(
            organisation=organisation,
            name=draft.name.strip(),
            description=draft.description,
            domain_id=draft.domain_id,
            difficulty=draft.difficulty,
            language=draft.language,
            currency=draft.currency,
            price_micros=draft.price_micros,
            fee_bp=fee_bp,
            budget_micros=draft.budget_micros,
            gold_share_bp=draft.gold_share_bp,
            lease_seconds=draft.lease_seconds,
            review_window_seconds=draft.review_window_seconds,
        )
        job.schema = LabelSchema.objects.create(job=job, version=1, kind=draft.label_kind, definition=definition)
        job.guidelines = Guidelines.objects.create(job=job, version=1, language=draft.language, text=draft.guidelines)
        job.eligibility = _eligibility(
            job,
            1,
            models_allowed=draft.models_allowed,
            cap=draft.answers_per_worker_max,
            needs=draft.requirements,
        )
        job.plan = _write_plan(job, 1, draft.engine, plan)
        job.save(update_fields=["schema", "guidelines", "eligibility", "plan"])
    return job


def revise_job(job: Job, revision: Revision) -> Job:
    """Change a job that is not closed: each changed value becomes its next version, for claims from now on.

    The label schema's kind stays; a new price holds for tasks added from now on; the budget only of a draft.
    Raises JobRefused or JobNotInState.
    """
    with transaction.atomic():
        job = hold_job(job.pk)
        if job.state == Job.State.CLOSED:
            raise JobNotInState(f"job {job.name} is closed")
        if revision.budget_micros is not None and job.state != Job.State.DRAFT:
            raise JobNotInState("a published job's budget is raised by adding money, not by revising it")
        faults = _faults_of(revision)
        if revision.label_definition is not None:
            assert job.schema is not None
            definition = _definition(job.schema.kind, revision.label_definition, faults)
            faults += _classes_lost(job.schema, definition) if not faults else []
            if not faults:
                job.schema = LabelSchema.objects.create(
                    job=job, version=job.schema.version + 1, kind=job.schema.kind, definition=definition
                )
        if revision.engine is not None or revision.policy is not None:
            assert job.plan is not None
            engine = revision.engine or job.plan.engine
            plan = _plan(engine, revision.policy or policy_text(job.plan), faults)
            if plan is not None:
                job.plan = _write_plan(job, job.plan.version + 1, engine, plan)
        if faults:
            raise JobRefused(faults=faults)
        _revise_rest(job, revision)
        job.save()
        _look_again()
    return job


def publish_job(job: Job, *, actor: str, at: datetime | None = None) -> Job:
    """Move the job's budget to escrow and open it to workers. Raises JobNotInState or InsufficientFunds."""
    with acting(actor):
        job = hold_job(job.pk)
        _require(job, Job.State.DRAFT)
        _fund(job, Money(job.budget_micros, job.currency), actor, at)
        Job.objects.filter(pk=job.pk).update(state=Job.State.LIVE, published_at=at or Now())
        _look_again()
        job.refresh_from_db()
    return job


def add_budget(job: Job, money: Money, *, actor: str, at: datetime | None = None) -> Job:
    """Move more money to the escrow of a job that is open. Raises JobRefused, JobNotInState or InsufficientFunds."""
    if money.micros <= 0 or money.currency != job.currency:
        raise JobRefused(faults=[Fault("/amount", f"must be more than nothing, in {job.currency}")])
    with acting(actor):
        job = hold_job(job.pk)
        _require(job, Job.State.PILOTING, Job.State.LIVE, Job.State.PAUSED)
        _fund(job, money, actor, at)
        job.budget_micros = F("budget_micros") + money.micros
        job.save(update_fields=["budget_micros"])
        job.refresh_from_db()
    return job


def pause_job(job: Job) -> Job:
    """Hand out no more tasks of the job for now; leases already out may be answered. Raises JobNotInState."""
    return _move(job, Job.State.LIVE, Job.State.PAUSED)


def resume_job(job: Job) -> Job:
    """Hand out tasks of a paused job again. Raises JobNotInState."""
    return _move(job, Job.State.PAUSED, Job.State.LIVE)


def hold_job(job_id: int) -> Job:
    """The job's row, locked until the transaction ends. Jobs are locked before tasks and before the books."""
    return Job.objects.select_for_update(of=("self",)).get(pk=job_id)


def policy_text(plan: QualityPlan) -> str:
    """The plan as :func:`parse_policy` reads it."""
    return str(Plan(plan.policy, plan.overlap, plan.threshold, plan.answers_max))


def _move(job: Job, old: Job.State, new: Job.State) -> Job:
    with transaction.atomic():
        if Job.objects.filter(pk=job.pk, state=old).update(state=new) != 1:
            job.refresh_from_db()
            raise JobNotInState(f"job {job.name} is {job.state}, not {old.value}")
        _look_again()
        job.refresh_from_db()
    return job


def _require(job: Job, *states: Job.State) -> None:
    if job.state not in states:
        wanted = " or ".join(state.value for state in states)
        raise JobNotInState(f"job {job.name} is {job.state}, not {wanted}")


def _fund(job: Job, money: Money, actor: str, at: datetime | None) -> None:
    """Posting rule P3, with the job's own counters in the same transaction; the job's row is held."""
    if money.micros:
        draft = drafts.fund_job(job.pk, job.fundings + 1, job.organisation_id, money, actor=actor)
        posting.post(draft, at=at)
    job.fundings += 1
    job.funded_micros += money.micros
    job.save(update_fields=["fundings", "funded_micros"])


def _look_again() -> None:
    """Tell the claim that routes have changed. Last in the transaction: the row is shared by all publishers."""
    RouteEpoch.objects.filter(pk=1).update(epoch=F("epoch") + 1)


def _revise_rest(job: Job, revision: Revision) -> None:
    if revision.guidelines is not None:
        assert job.guidelines is not None
        job.guidelines = Guidelines.objects.create(
            job=job, version=job.guidelines.version + 1, language=job.language, text=revision.guidelines
        )
    who = (revision.requirements, revision.models_allowed, revision.answers_per_worker_max)
    if any(value is not None for value in who):
        before = job.eligibility
        assert before is not None
        needs = revision.requirements
        if needs is None:
            needs = tuple(before.requirements.values_list("domain_id", "level_min"))
        allowed = before.models_allowed if revision.models_allowed is None else revision.models_allowed
        cap = revision.answers_per_worker_max or before.answers_per_worker_max
        job.eligibility = _eligibility(job, before.version + 1, models_allowed=allowed, cap=cap, needs=needs)
    for name in ("name", "description", "price_micros", "budget_micros", "gold_share_bp"):
        value = getattr(revision, name)
        if value is not None:
            setattr(job, name, value)


def _eligibility(
    job: Job, version: int, *, models_allowed: bool, cap: int | None, needs: tuple[tuple[int, int], ...]
) -> Eligibility:
    eligibility = Eligibility.objects.create(
        job=job, version=version, models_allowed=models_allowed, answers_per_worker_max=cap
    )
    Requirement.objects.bulk_create(
        Requirement(eligibility=eligibility, domain_id=domain_id, level_min=level) for domain_id, level in needs
    )
    return eligibility


def _write_plan(job: Job, version: int, engine: str, plan: Plan) -> QualityPlan:
    return QualityPlan.objects.create(
        job=job,
        version=version,
        engine=engine,
        policy=plan.policy,
        overlap=plan.overlap,
        threshold=plan.threshold,
        answers_max=plan.answers_max,
    )


def _definition(kind: str, definition: Any, faults: list[Fault]) -> Any:
    try:
        return kind_named(kind).validate_schema(definition)
    except SchemaInvalid as invalid:
        pointer = (
            "/label_kind" if invalid.path == "kind" else "/" + "/".join(["label_definition", *_parts(invalid.path)])
        )
        faults.append(Fault(pointer, f"{invalid.reason}; {invalid.remedy}"))
        return None


def _classes_lost(before: LabelSchema, definition: Any) -> list[Fault]:
    """Answers are kept by the place of their class, so classes keep their places: new ones come after them."""
    kind = kind_named(before.kind)
    old, new = kind.classes(before.definition) or [], kind.classes(definition) or []
    if new[: len(old)] == old:
        return []
    names = ", ".join(old[:20])
    return [Fault("/label_definition/classes", f"must begin with the classes there are, in their order: {names}")]


def _parts(path: str) -> list[str]:
    return [part for part in path.split(".") if part]


def _plan(engine: str, policy: str, faults: list[Fault]) -> Plan | None:
    if engine not in ENGINES:
        faults.append(Fault("/engine", f"is not an engine; choose one of {', '.join(sorted(ENGINES))}"))
    try:
        plan = parse_policy(policy)
    except ValueError as invalid:
        faults.append(Fault("/policy", str(invalid)))
        return None
    if plan.answers_max > 100:
        faults.append(Fault("/policy", "asks more than 100 answers of a task"))
    if plan.threshold is not None and plan.threshold >= 1:
        faults.append(Fault("/policy", "has a threshold that nothing reaches; choose one below 1"))
    return None if any(fault.pointer in ("/policy", "/engine") for fault in faults) else plan


def _faults_of(said: JobDraft | Revision) -> list[Fault]:
    """Everything wrong with what was said that a look at the fields alone can tell."""
    rules = [*_rules_for_both(said), *(_rules_for_draft(said) if isinstance(said, JobDraft) else [])]
    faults = [Fault(pointer, detail) for holds, pointer, detail in rules if not holds]
    needs = [domain_id for domain_id, _ in said.requirements or ()]
    domains = {*needs, said.domain_id} if isinstance(said, JobDraft) else set(needs)
    known = set(Domain.objects.filter(pk__in=domains).values_list("pk", flat=True))
    if domains - known:
        pointer = "/requirements" if set(needs) - known else "/domain"
        faults.append(Fault(pointer, "names a domain that does not exist"))
    return faults


type Rule = tuple[bool, str, str]
"""Whether it holds, the field it is about, and what to say when it does not."""


def _rules_for_both(said: JobDraft | Revision) -> list[Rule]:
    name, text, price, budget = said.name, said.guidelines, said.price_micros, said.budget_micros
    share, cap, needs = said.gold_share_bp, said.answers_per_worker_max, said.requirements or ()
    domains = [domain_id for domain_id, _ in needs]
    return [
        (name is None or 0 < len(name.strip()) <= NAME_MAX, "/name", f"must have 1 to {NAME_MAX} characters"),
        (
            text is None or 0 < len(text.strip()) <= GUIDELINES_MAX,
            "/guidelines",
            f"must have 1 to {GUIDELINES_MAX} characters",
        ),
        (price is None or 0 <= price <= PRICE_MAX_MICROS, "/price", "must be from 0 to 10000"),
        (budget is None or 0 <= budget < BUDGET_MAX_MICROS, "/budget", "must be from 0 to a million million"),
        (share is None or 0 <= share <= 5_000, "/gold_share_bp", "must be from 0 to 5000 (half)"),
        (cap is None or 1 <= cap <= 1_000_000, "/answers_per_worker_max", "must be from 1 to 1000000"),
        (len(set(domains)) == len(domains), "/requirements", "names a domain twice; name each once"),
        (all(1 <= level <= 5 for _, level in needs), "/requirements", "has a level that is not 1 to 5"),
    ]


def _rules_for_draft(draft: JobDraft) -> list[Rule]:
    lease, window = draft.lease_seconds, draft.review_window_seconds
    return [
        (1 <= draft.difficulty <= 5, "/difficulty", "must be from 1 (routine) to 5 (hard)"),
        (1 <= lease <= 7 * 86_400, "/lease_seconds", "must be from a second to a week"),
        (0 <= window <= 90 * 86_400, "/review_window_seconds", "must be from 0 to 90 days"),
        (draft.currency in MINOR_DIGITS, "/currency", f"must be one of {', '.join(sorted(MINOR_DIGITS))}"),
    ]

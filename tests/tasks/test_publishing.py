"""Publishing: jobs, their versions, and the money behind them."""

from typing import Any

import pytest

from accounts.ledger import drafts
from accounts.ledger import queries as books
from accounts.ledger.money import Money
from accounts.ledger.posting import InsufficientFunds
from accounts.models import AuditRow
from tasks import closing, publishing
from tasks.models import Guidelines, Job, LabelSchema
from tests import build
from tests.build import CLASSES, UNIT
from tests.races import at_once


@pytest.mark.django_db
def test_publishing_moves_the_budget_to_escrow_and_opens_the_job() -> None:
    job = build.a_draft_job(budget_micros=30 * UNIT)
    build.money_for(job.organisation, 50 * UNIT)

    job = publishing.publish_job(job, actor="user:7")

    assert (job.state, job.funded_micros, job.reserved_micros) == ("live", 30 * UNIT, 0)
    assert job.published_at is not None
    assert books.balance(drafts.escrow(job.pk, "USD")) == Money(30 * UNIT, "USD")
    assert books.balance(drafts.wallet(job.organisation_id, "USD")) == Money(20 * UNIT, "USD")
    assert AuditRow.objects.filter(subject="tasks_job", subject_id=job.pk, actor="user:7").exists()


@pytest.mark.django_db
def test_without_the_money_nothing_is_published() -> None:
    job = build.a_draft_job(budget_micros=30 * UNIT)
    build.money_for(job.organisation, 30 * UNIT - 1)

    with pytest.raises(InsufficientFunds):
        publishing.publish_job(job, actor="user:7")

    job.refresh_from_db()
    assert (job.state, job.funded_micros, job.fundings) == ("draft", 0, 0)
    assert books.balance(drafts.wallet(job.organisation_id, "USD")).micros == 30 * UNIT - 1


def test_a_job_published_by_many_at_once_is_funded_once(committed_db: str) -> None:
    job = build.a_draft_job(budget_micros=30 * UNIT)
    build.money_for(job.organisation, 300 * UNIT)

    outcomes = at_once([lambda: publishing.publish_job(job, actor="user:7")] * 8)

    refused = [one for one in outcomes if isinstance(one, publishing.JobNotInState)]
    assert len(refused) == 7
    assert books.balance(drafts.escrow(job.pk, "USD")).micros == 30 * UNIT


@pytest.mark.django_db
def test_money_is_added_to_an_open_job_in_its_own_currency_only() -> None:
    job = build.a_live_job(budget_micros=UNIT)
    build.money_for(job.organisation, 5 * UNIT)

    job = publishing.add_budget(job, Money(5 * UNIT, "USD"), actor="user:7")

    assert (job.budget_micros, job.funded_micros, job.fundings) == (6 * UNIT, 6 * UNIT, 2)
    for wrong in (Money(0, "USD"), Money(UNIT, "EUR")):
        with pytest.raises(publishing.JobRefused):
            publishing.add_budget(job, wrong, actor="user:7")
    with pytest.raises(publishing.JobNotInState):
        publishing.add_budget(build.a_draft_job(), Money(UNIT, "USD"), actor="user:7")


@pytest.mark.django_db
def test_revising_adds_versions_and_keeps_the_old_ones() -> None:
    job = build.a_live_job()

    job = publishing.revise_job(
        job, publishing.Revision(guidelines="Look twice.", label_definition=["cat", "dog", "fox"])
    )

    assert job.guidelines is not None
    assert job.schema is not None
    assert (job.guidelines.version, job.guidelines.text, job.schema.version) == (2, "Look twice.", 2)
    assert Guidelines.objects.filter(job=job).count() == 2
    assert LabelSchema.objects.get(job=job, version=1).definition["classes"][0]["name"] == "cat"


@pytest.mark.django_db
def test_revising_keeps_what_is_not_named() -> None:
    domain = build.a_domain()
    job = build.a_live_job(requirements=((domain.pk, 2),), answers_per_worker_max=7)

    job = publishing.revise_job(job, publishing.Revision(models_allowed=True, policy="fixed:4", price_micros=7))

    assert job.eligibility is not None
    assert job.plan is not None
    assert (job.eligibility.models_allowed, job.eligibility.answers_per_worker_max) == (True, 7)
    assert list(job.eligibility.requirements.values_list("domain_id", "level_min")) == [(domain.pk, 2)]
    assert (publishing.policy_text(job.plan), job.plan.engine, job.price_micros) == ("fixed:4", "dawid_skene", 7)


@pytest.mark.django_db
def test_a_closed_job_is_not_revised_and_a_live_one_keeps_its_budget() -> None:
    live, closed = build.a_live_job(), build.a_live_job()
    closing.close_job(closed, actor="user:7")

    with pytest.raises(publishing.JobNotInState):
        publishing.revise_job(closed, publishing.Revision(name="New"))
    with pytest.raises(publishing.JobNotInState):
        publishing.revise_job(live, publishing.Revision(budget_micros=1))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("name", "", "/name"),
        ("name", "x" * 121, "/name"),
        ("guidelines", " ", "/guidelines"),
        ("price_micros", -1, "/price"),
        ("budget_micros", -1, "/budget"),
        ("budget_micros", 2**63, "/budget"),
        ("gold_share_bp", 5_001, "/gold_share_bp"),
        ("answers_per_worker_max", 0, "/answers_per_worker_max"),
        ("difficulty", 6, "/difficulty"),
        ("lease_seconds", 0, "/lease_seconds"),
        ("review_window_seconds", -1, "/review_window_seconds"),
        ("currency", "XXX", "/currency"),
        ("engine", "oracle", "/engine"),
        ("policy", "fixed:0", "/policy"),
        ("policy", "fixed:101", "/policy"),
        ("policy", "confidence:1:2:3", "/policy"),
        ("label_kind", "telepathy", "/label_kind"),
        ("label_definition", [f"class-{number}" for number in range(201)], "/engine"),
        ("label_definition", ["one"], "/label_definition"),
        ("requirements", ((10**9, 1),), "/requirements"),
        ("domain_id", 10**9, "/domain"),
    ],
)
def test_a_job_that_cannot_be_is_refused_naming_the_field(field: str, value: Any, pointer: str) -> None:
    said: dict[str, Any] = {
        "name": "Cats",
        "domain_id": build.a_domain().pk,
        "label_definition": CLASSES,
        "guidelines": "Look closely.",
        "price_micros": 1,
        "budget_micros": 1,
    }

    with pytest.raises(publishing.JobRefused) as refused:
        publishing.create_job(build.an_organisation(), publishing.JobDraft(**{**said, field: value}), fee_bp=0)

    assert any(fault.pointer.startswith(pointer) for fault in refused.value.faults), refused.value.faults
    assert Job.objects.count() == 0


@pytest.mark.django_db
def test_pausing_and_resuming_move_only_from_where_they_start() -> None:
    job = build.a_live_job()

    assert publishing.pause_job(job).state == "paused"
    with pytest.raises(publishing.JobNotInState):
        publishing.pause_job(job)
    assert publishing.resume_job(job).state == "live"
    with pytest.raises(publishing.JobNotInState):
        publishing.resume_job(job)


@pytest.mark.django_db
@pytest.mark.parametrize("classes", [["dog", "cat"], ["cat"], ["cat", "fox", "dog"], ["cats", "dog"]])
def test_a_revised_schema_keeps_its_classes_in_their_places(classes: list[str]) -> None:
    job = build.a_live_job()

    with pytest.raises(publishing.JobRefused) as refused:
        publishing.revise_job(job, publishing.Revision(label_definition=classes))

    assert refused.value.faults[0].pointer.startswith("/label_definition")
    assert LabelSchema.objects.filter(job=job).count() == 1

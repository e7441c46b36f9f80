"""The admin shows gold, exams and standing usefully and changes them only through the acts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts import organising
from accounts.models import AuditRow, User
from qualification import crediting, examining
from qualification.models import (
    Attempt,
    CredentialRule,
    Domain,
    Exam,
    GoldItem,
    GoldSet,
    Observation,
    Qualification,
    ScopeFit,
    SkillFit,
)
from qualification.observing import Seen, observe, save_fit
from qualification.queries import standings
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def fay(client: Client) -> User:
    """An admin, signed in with ``client``."""
    fay = build.a_user("Fay")
    organising.give_platform_role(fay, "admin")
    sign_in(client, fay)
    return fay


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def act(client: Client, row: Model, action: str) -> Any:
    url = reverse(f"admin:qualification_{row._meta.model_name}_changelist")
    return client.post(url, {"action": action, "_selected_action": [row.pk]})


def change_page(row: Model) -> str:
    return reverse(f"admin:qualification_{row._meta.model_name}_change", args=[row.pk])


def an_observation() -> Observation:
    item = build.a_gold_item()
    observe([Seen(build.a_worker().pk, item.gold_set.domain_id, 2, "gold", item.pk, 1, 0, 0, 1.0)])
    return Observation.objects.get()


def a_fit() -> SkillFit:
    save_fit(
        "job:1",
        "majority",
        np.array([0.5, 0.5]),
        {build.a_worker().pk: np.eye(2)},
        answers=1,
        gold=0,
        rounds=1,
        converged=True,
    )
    return SkillFit.objects.get()


ROWS: dict[type[Model], Callable[[], Model]] = {
    Domain: build.a_domain,
    GoldSet: build.a_gold_set,
    GoldItem: build.a_gold_item,
    Exam: build.an_exam,
    Attempt: lambda: examining.start_attempt(build.an_exam(), build.a_worker()),
    Qualification: build.a_qualification,
    CredentialRule: lambda: crediting.set_rule(build.a_credential_type(), build.a_domain(), level=1, actor="system"),
    Observation: an_observation,
    ScopeFit: lambda: (a_fit(), ScopeFit.objects.get())[1],
    SkillFit: a_fit,
}


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_every_table_is_listed_searched_and_shown(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()
    listing = reverse(f"admin:qualification_{model._meta.model_name}_changelist")

    for url in (listing, f"{listing}?q={row.pk}", change_page(row)):
        response = client.get(url)
        assert response.status_code == 200, url


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_nothing_is_deleted_in_the_admin(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()

    assert client.post(change_page(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    "model",
    [Domain, GoldSet, GoldItem, Exam, Attempt, Observation, ScopeFit, SkillFit],
    ids=lambda model: model.__name__,
)
def test_what_has_no_act_for_it_is_not_edited(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()

    assert client.post(change_page(row), {"name": "x", "credit": 0}).status_code == 403


@pytest.mark.parametrize(
    "model", [GoldSet, GoldItem, Attempt, Observation, ScopeFit, SkillFit], ids=lambda model: model.__name__
)
def test_evidence_is_not_written_by_hand(model: type[Model], client: Client, fay: User) -> None:
    assert client.get(reverse(f"admin:qualification_{model._meta.model_name}_add")).status_code == 403


def test_a_grant_goes_through_the_act(client: Client, fay: User) -> None:
    worker, domain = build.a_worker(), build.a_domain()
    form = {"worker": worker.pk, "domain": domain.pk, "level": 2, "reason": "Known to us."}
    add = reverse("admin:qualification_qualification_add")

    assert client.get(add).status_code == 200
    assert client.post(add, form).status_code == 302
    assert standings(worker.pk) == {domain.pk: 2}
    assert client.post(add, {**form, "level": 4}).status_code == 302

    assert standings(worker.pk) == {domain.pk: 4}
    first, second = Qualification.objects.order_by("id")
    assert (first.revoked_reason, second.granted_by, second.source) == ("replaced by level 4", fay, "admin")
    worker.refresh_from_db()
    assert worker.standing_epoch == 2


def test_a_grant_that_is_refused_says_why(client: Client, fay: User) -> None:
    worker, domain = build.a_worker(), build.a_domain()
    form = {"worker": worker.pk, "domain": domain.pk, "level": 2, "reason": ""}

    refused = client.post(
        reverse("admin:qualification_qualification_add"),
        {**form, "expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"},
    )

    assert "expired before it was granted" in said(refused)
    assert not Qualification.objects.exists()


def test_a_revocation_goes_through_the_act(client: Client, fay: User) -> None:
    held = build.a_qualification(level=2)

    refused = client.post(change_page(held), {"revoked_reason": ""})
    assert "Say why" in said(refused)
    client.post(change_page(held), {"revoked_reason": "The licence lapsed.", "level": 5})

    held.refresh_from_db()
    assert (held.level, held.revoked_reason) == (2, "The licence lapsed.")
    assert held.revoked_at is not None
    row = AuditRow.objects.filter(subject="qualification_qualification", subject_id=held.pk).latest("id")
    assert row.actor == f"user:{fay.pk}"
    assert client.get(change_page(held)).status_code == 200
    assert "revoked before" in said(client.post(change_page(held), {"revoked_reason": "Again."}))


def test_a_domain_is_added_through_the_act(client: Client, fay: User) -> None:
    add = reverse("admin:qualification_domain_add")

    client.post(add, {"path": "law", "name": "Law"})
    client.post(add, {"path": "law/tax", "name": "Tax"})
    refused = client.post(add, {"path": "art/oil", "name": "Oil"})

    assert Domain.objects.get(path="law/tax").parent == Domain.objects.get(path="law")
    assert "no domain art" in said(refused)


def test_gold_is_published_and_retired_by_action(client: Client, fay: User) -> None:
    gold_set = build.a_gold_set(published=False)
    item = build.a_gold_item(gold_set)

    act(client, gold_set, "publish")
    act(client, item, "retire")
    act(client, gold_set, "retire")
    refused = act(client, gold_set, "publish")

    assert GoldSet.objects.get(pk=gold_set.pk).state == "retired"
    assert GoldItem.objects.get(pk=item.pk).retired_at is not None
    assert "Only a draft" in said(refused)


def test_an_exam_is_added_closed_and_opened_through_the_acts(client: Client, fay: User) -> None:
    gold_set = build.a_gold_set()
    terms = {
        "level": 2,
        "questions": 3,
        "pass_share": 0.75,
        "time_limit_seconds": 60,
        "attempts_max": 1,
        "valid_days": 9,
    }
    add = reverse("admin:qualification_exam_add")

    client.post(add, {"name": "Owls", "gold_set": gold_set.pk, **terms})
    exam = Exam.objects.get(name="Owls")
    assert (exam.domain, exam.questions) == (gold_set.domain, 3)
    act(client, exam, "close_exams")
    assert not Exam.objects.get(pk=exam.pk).open
    act(client, exam, "open_exams")
    assert Exam.objects.get(pk=exam.pk).open
    refused = client.post(add, {"name": "Crows", "gold_set": gold_set.pk, **terms, "questions": 5})

    assert "has 4 items" in said(refused)
    refused = client.post(add, {"name": "Crows", "gold_set": gold_set.pk, **terms, "valid_days": 0})
    assert "valid_days: is not 1 to 3650" in said(refused)


def test_every_model_of_qualification_is_registered() -> None:
    assert {model for model in admin.site._registry if model._meta.app_label == "qualification"} == set(ROWS)

"""A POST that moves money or creates something happens once, however often it is sent."""

import pytest
from django.db import IntegrityError, OperationalError, transaction

from accounts import organising
from accounts.ledger import drafts, queries
from accounts.models import Organisation, User
from marketplace.api import idempotency, ids
from marketplace.models import IdempotencyKey
from tasks.models import Batch, Job, Task
from tests import build
from tests.databases import connect_as
from tests.marketplace.api.client import Api

pytestmark = pytest.mark.django_db


def _treasurer() -> User:
    user = build.a_user()
    organising.give_platform_role(user, "treasurer")
    return user


def _balance(organisation: Organisation) -> int:
    return queries.balance(drafts.wallet(organisation.pk, "USD")).micros


def _deposits(organisation: Organisation) -> str:
    return f"organisations/{ids.public('org', organisation.pk)}/deposits"


def test_a_repeat_is_answered_with_the_same_bytes_and_moves_nothing() -> None:
    organisation, api = build.an_organisation(), Api(user=_treasurer())
    body = {"amount": "5", "reference": "r1"}

    first = api.post(_deposits(organisation), body, once="k1")
    again = api.post(_deposits(organisation), body, once="k1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert _balance(organisation) == 5 * build.UNIT


def test_the_same_key_with_another_body_or_another_address_is_refused() -> None:
    one, two, api = build.an_organisation(), build.an_organisation(), Api(user=_treasurer())
    body = {"amount": "5", "reference": "r1"}
    api.post(_deposits(one), body, once="k1")

    for response in (
        api.post(_deposits(one), {**body, "amount": "6"}, once="k1"),
        api.post(_deposits(two), body, once="k1"),
    ):
        assert response.status_code == 422
        assert response.json()["type"] == "/problems/idempotency-key-reused"
    assert (_balance(one), _balance(two)) == (5 * build.UNIT, 0)


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "ümlaut"])
def test_a_key_is_needed_and_is_visible_ascii(key: str) -> None:
    organisation, api = build.an_organisation(), Api(user=_treasurer())
    headers = {"Idempotency_Key": key} if key else {}

    response = api.post(_deposits(organisation), {"amount": "5", "reference": "r"}, **headers)

    assert response.status_code == 400
    assert response.json()["type"].startswith("/problems/idempotency-key-")
    assert _balance(organisation) == 0


def test_a_refusal_is_not_remembered() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    job = build.a_draft_job(organisation, budget_micros=5 * build.UNIT)
    address, api = f"jobs/{ids.public('job', job.pk)}/publish", Api(user=owner)

    poor = api.post(address, once="k")
    build.money_for(organisation, 5 * build.UNIT)
    rich = api.post(address, once="k")

    assert (poor.status_code, poor.json()["type"]) == (409, "/problems/insufficient-funds")
    assert rich.status_code == 200


def test_keys_of_two_callers_do_not_meet() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    domain = ids.public("dom", build.a_domain().pk)
    body = {
        "organisation": ids.public("org", organisation.pk),
        "name": "A job",
        "domain": domain,
        "label_definition": build.CLASSES,
        "guidelines": "Look.",
        "price": "0.05",
        "budget": "5",
    }
    by_session = Api(user=owner).post("jobs", body, once="k")
    by_key = Api(build.an_organisation_key(organisation)[1]).post("jobs", body, once="k")

    assert (by_session.status_code, by_key.status_code) == (201, 201)
    assert Job.objects.filter(organisation=organisation).count() == 2


def test_a_batch_sent_twice_is_added_once() -> None:
    owner = build.a_user()
    job = build.a_live_job(build.an_organisation(owner=owner))
    address, api = f"jobs/{ids.public('job', job.pk)}/batches", Api(user=owner)

    first = api.send("POST", address, b"text\none\ntwo\n", content_type="text/csv", once="k")
    again = api.send("POST", address, b"text\none\ntwo\n", content_type="text/csv", once="k")
    other = api.send("POST", address, b"text\nthree\n", content_type="text/csv", once="k")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert Batch.objects.filter(job=job).count() == 1


def test_a_refused_batch_is_named_and_its_key_stays_free() -> None:
    owner = build.a_user()
    job = build.a_live_job(build.an_organisation(owner=owner))
    address, api = f"jobs/{ids.public('job', job.pk)}/batches", Api(user=owner)

    refused = api.send("POST", address, b"text\none\none\n", content_type="text/csv", once="k")

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/row/3"
    assert api.get(f"batches/{refused.json()['batch']}").json()["state"] == "refused"
    assert not IdempotencyKey.objects.filter(key="k").exists()


def test_without_its_remembered_answer_no_batch_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = build.a_user()
    job = build.a_live_job(build.an_organisation(owner=owner))
    address, api = f"jobs/{ids.public('job', job.pk)}/batches", Api(user=owner)

    def broken(*_: object) -> None:
        raise OperationalError("the server went away")

    monkeypatch.setattr(idempotency, "remember", broken)
    response = api.send("POST", address, b"text\none\n", content_type="text/csv", once="k")

    assert response.status_code == 503
    assert not Task.objects.filter(job=job).exists()


def test_one_answer_an_idempotency_key_and_only_a_yes_is_remembered() -> None:
    name = idempotency.Named("user:1", "deposits", "k1", b"x" * 32)
    idempotency.remember(name, 201, b"{}")

    with pytest.raises(IntegrityError, match="one_answer_an_idempotency_key"), transaction.atomic():
        idempotency.remember(name, 201, b"{}")
    with pytest.raises(IntegrityError, match="only_a_yes_is_remembered"), transaction.atomic():
        idempotency.remember(idempotency.Named("user:1", "deposits", "k2", b""), 409, b"{}")


def test_the_second_of_two_at_once_is_told_that_the_first_is_running() -> None:
    organisation, treasurer = build.an_organisation(), _treasurer()
    name = idempotency.Named(f"user:{treasurer.pk}", "deposits", "k1", b"")

    with connect_as("app") as first:
        first.execute("SELECT pg_advisory_lock(%s)", [name.number()])
        response = Api(user=treasurer).post(_deposits(organisation), {"amount": "5", "reference": "r"}, once="k1")

    assert response.status_code == 409
    assert response.json()["type"] == "/problems/idempotency-key-busy"
    assert response["Retry-After"] == "1"

"""Keys over HTTP: shown once, tied to networks and caps, rotated, and refused from the very next request on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import keys, organising
from accounts.ledger.money import Money
from accounts.models import ApiKey, Organisation, User
from accounts.queries import instant
from marketplace.api import hot, ids
from tasks.models import Job
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db


def _owner() -> tuple[User, Organisation, Api, str]:
    user = build.a_user("Olga")
    organisation = build.an_organisation(owner=user)
    return user, organisation, Api(user=user), f"organisations/{ids.public('org', organisation.pk)}/keys"


def test_a_secret_is_shown_once_and_the_list_tells_everything_else() -> None:
    _, organisation, owner, path = _owner()
    body = {
        "name": "importer",
        "scopes": ["jobs:write", "money:write"],
        "addresses": ["192.0.2.0/24"],
        "spend_cap": "250.00",
        "spend_currency": "EUR",
    }

    issued = owner.post(path, body)
    [listed] = owner.get(path).json()["results"]

    assert issued.status_code == 201
    told = issued.json()
    secret = told.pop("secret")
    assert secret.startswith(f"ts_{told['handle']}_")
    assert told == listed
    assert (told["spend_cap"], told["spent"], told["spend_currency"]) == ("250.00", "0.00", "EUR")
    assert told["addresses"] == ["192.0.2.0/24"]
    assert ApiKey.objects.get().organisation == organisation


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"addresses": ["here"]}, "/addresses/0"),
        ({"addresses": "192.0.2.1"}, "/addresses"),
        ({"spend_cap": "0"}, "/spend_cap"),
        ({"spend_cap": 5}, "/spend_cap"),
        ({"spend_currency": "XXX"}, "/spend_currency"),
        ({"scopes": ["work"]}, "/scopes/0"),
        ({"scopes": []}, "/scopes"),
        ({"name": ""}, "/name"),
    ],
)
def test_what_is_wrong_with_a_key_is_told_by_field(wrong: dict[str, Any], pointer: str) -> None:
    _, _, owner, path = _owner()

    refused = owner.post(path, {"name": "k", "scopes": ["jobs:read"], **wrong})

    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert not ApiKey.objects.exists()


def test_a_worker_ties_a_key_to_networks_but_has_nothing_to_spend() -> None:
    worker = build.a_worker()
    assert worker.user is not None
    me = Api(user=worker.user)

    issued = me.post("workers/me/keys", {"name": "box", "addresses": ["2001:db8::/48"]})
    refused = me.post("workers/me/keys", {"name": "box", "spend_cap": "5"})

    assert issued.json()["addresses"] == ["2001:db8::/48"]
    assert refused.status_code == 400


def _refused(api: Api) -> tuple[Any, Any]:
    """What the two kinds of doors say to this caller."""
    return tuple((answer.status_code, answer.json().get("type")) for answer in (api.get("me"), api.post("claims", {})))  # type: ignore[return-value]


def _revoke(key: ApiKey) -> None:
    keys.revoke_key(key)


def _rotate(key: ApiKey) -> None:
    keys.rotate_key(key, overlap=timedelta(0))


def _expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=instant(None))


def _deactivate(key: ApiKey) -> None:
    User.objects.filter(worker=key.worker_id).update(is_active=False)


@pytest.mark.parametrize("end", [_revoke, _rotate, _expire, _deactivate])
def test_a_key_that_ended_is_refused_by_the_very_next_request_of_every_door(end: Callable[[ApiKey], None]) -> None:
    build.some_tasks(build.a_live_job(), 3)
    key, secret = build.a_worker_key()
    api = Api(secret)
    assert [status for status, _ in _refused(api)] == [200, 200], "and the hot doors now remember the key"

    end(key)

    not_known, revoked = (401, "/problems/key-not-known"), (401, "/problems/key-revoked")
    assert _refused(api) == (not_known, revoked)
    hot.forget_keys()
    assert _refused(api) == (not_known, not_known)


def test_an_organisations_key_ends_with_the_account_of_whoever_made_it() -> None:
    user, organisation, _, _ = _owner()
    api = with_key(build.an_organisation_key(organisation, created_by=user))
    assert api.get("me").status_code == 200

    User.objects.filter(pk=user.pk).update(is_active=False)

    assert api.get("me").json()["type"] == "/problems/key-not-known"
    assert api.post("claims", {}).json()["type"] == "/problems/key-not-known"


def test_a_session_ends_with_its_account_on_every_door() -> None:
    build.some_tasks(build.a_live_job(), 3)
    worker = build.a_worker()
    assert worker.user is not None
    api = Api(user=worker.user)
    assert [status for status, _ in _refused(api)] == [200, 200]

    User.objects.filter(pk=worker.user.pk).update(is_active=False)

    assert [status for status, _ in _refused(api)] == [401, 401]


@pytest.mark.parametrize(("proxies", "forwarded"), [(0, "192.0.2.1"), (1, "192.0.2.1, 203.0.113.9")])
def test_no_forged_header_brings_a_key_into_its_network(settings: Settings, proxies: int, forwarded: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    build.some_tasks(build.a_live_job(), 3)
    _, secret = keys.issue_key(worker=build.a_worker(), name="k", scopes=["work"], addresses=["192.0.2.0/24"])
    here, away = Api(secret), Api(secret)
    here.client = Client(REMOTE_ADDR="192.0.2.77")
    away.client = Client(REMOTE_ADDR="203.0.113.9")
    away.headers |= {"X-Forwarded-For": forwarded, "X-Real-Ip": "192.0.2.1", "Forwarded": "for=192.0.2.1"}

    elsewhere = (403, "/problems/key-from-elsewhere")
    assert _refused(away) == (elsewhere, elsewhere)
    assert [status for status, _ in _refused(here)] == [200, 200]
    assert _refused(away) == (elsewhere, elsewhere), "also when the hot doors remember the key"


def test_behind_a_proxy_of_ours_a_key_works_from_its_network(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    build.some_tasks(build.a_live_job(), 3)
    _, secret = keys.issue_key(worker=build.a_worker(), name="k", scopes=["work"], addresses=["192.0.2.0/24"])
    api = Api(secret)
    api.client = Client(REMOTE_ADDR="10.0.0.1")
    api.headers["X-Forwarded-For"] = "203.0.113.9, 192.0.2.8"

    assert [status for status, _ in _refused(api)] == [200, 200]


def test_using_a_key_notes_when() -> None:
    key, secret = build.an_organisation_key(build.an_organisation())

    Api(secret).get("me")

    assert ApiKey.objects.get(pk=key.pk).last_used_at is not None


def _capped(organisation: Organisation, cap: str) -> Api:
    _, secret = keys.issue_key(
        organisation=organisation,
        name="capped",
        scopes=["jobs:write", "money:write"],
        spend_cap=Money(int(cap) * build.UNIT, "USD"),
    )
    return Api(secret)


def test_a_key_publishes_and_adds_budget_up_to_its_cap_and_a_refusal_moves_no_money() -> None:
    organisation = build.an_organisation()
    build.money_for(organisation, 1_000 * build.UNIT)
    job = build.a_draft_job(organisation, budget_micros=60 * build.UNIT)
    api = _capped(organisation, "100")
    path = f"jobs/{ids.public('job', job.pk)}"

    published = api.post(f"{path}/publish", once=True)
    beyond = api.post(f"{path}/budget", {"amount": "41"}, once=True)
    within = api.post(f"{path}/budget", {"amount": "40"}, once=True)
    last = api.post(f"{path}/budget", {"amount": "0.01"}, once=True)

    assert [answer.status_code for answer in (published, beyond, within, last)] == [200, 403, 200, 403]
    assert beyond.json()["type"] == last.json()["type"] == "/problems/spend-cap-reached"
    job.refresh_from_db()
    assert job.funded_micros == 100 * build.UNIT
    assert ApiKey.objects.get().spent_micros == 100 * build.UNIT


def test_a_job_beyond_the_cap_stays_a_draft() -> None:
    organisation = build.an_organisation()
    build.money_for(organisation, 1_000 * build.UNIT)
    job = build.a_draft_job(organisation, budget_micros=60 * build.UNIT)

    refused = _capped(organisation, "59").post(f"jobs/{ids.public('job', job.pk)}/publish", once=True)

    assert refused.json()["type"] == "/problems/spend-cap-reached"
    job.refresh_from_db()
    assert (job.state, job.funded_micros) == (Job.State.DRAFT, 0)


def test_repeating_a_request_spends_once() -> None:
    organisation = build.an_organisation()
    build.money_for(organisation, 1_000 * build.UNIT)
    job = build.a_draft_job(organisation, budget_micros=60 * build.UNIT)
    api = _capped(organisation, "100")

    for _ in range(3):
        assert api.post(f"jobs/{ids.public('job', job.pk)}/publish", once="the-same").status_code == 200

    assert ApiKey.objects.get().spent_micros == 60 * build.UNIT


def test_an_owner_rotates_a_key_of_the_organisation_and_answers_for_the_new_one() -> None:
    user, organisation, owner, _ = _owner()
    key, old = build.an_organisation_key(organisation, ["jobs:read"])

    rotated = owner.post(f"keys/{ids.public('key', key.pk)}/rotate", {"overlap_seconds": 3600})

    assert rotated.status_code == 201
    told = rotated.json()
    assert (told["replaces"], told["scopes"]) == (ids.public("key", key.pk), ["jobs:read"])
    assert Api(told["secret"]).get("me").status_code == Api(old).get("me").status_code == 200
    assert ApiKey.objects.get(replaces=key).created_by == user
    again = owner.post(f"keys/{ids.public('key', key.pk)}/rotate")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/key-not-in-use")


def test_no_key_issues_rotates_or_revokes_a_key() -> None:
    _, organisation, _, path = _owner()
    key, secret = build.an_organisation_key(organisation)
    api, name = Api(secret), ids.public("key", key.pk)

    for answer in (
        api.post(path, {"name": "another", "scopes": ["members"]}),
        api.post(f"keys/{name}/rotate"),
        api.delete(f"keys/{name}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    assert ApiKey.objects.filter(revoked_at__isnull=True).count() == 1


def test_a_manager_sees_no_keys_and_another_organisation_finds_none() -> None:
    _, organisation, _, path = _owner()
    key, _ = build.an_organisation_key(organisation)
    manager = build.a_user("Mona")
    organising.add_member(organisation, user=manager, role="manager")
    _, _, stranger, _ = _owner()

    assert Api(user=manager).get(path).status_code == 403
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"keys/{ids.public('key', key.pk)}/rotate").status_code == 404
    assert stranger.delete(f"keys/{ids.public('key', key.pk)}").status_code == 404

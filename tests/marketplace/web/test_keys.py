"""The pages of keys: shown once, by forms alone, with what is wrong told in place."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from accounts import keys, organising
from accounts.models import ApiKey, AuditRow, Organisation, User
from accounts.queries import instant
from marketplace import clients
from marketplace.api import ids, throttling
from marketplace.models import OrganisationClient
from tests import build
from tests.marketplace.api.client import Api
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db
MINE = "/me/keys"


@pytest.fixture(autouse=True)
def _nobody_was_counted() -> None:
    cache.clear()


@pytest.fixture
def dora(client: Client) -> User:
    """An owner, signed in with a second factor."""
    user = build.a_user("Dora")
    sign_in(client, user)
    return user


@pytest.fixture
def north(dora: User) -> Organisation:
    return build.an_organisation("North", owner=dora)


def _page_of(organisation: Organisation) -> str:
    return f"/organisations/{ids.public('org', organisation.pk)}/keys"


def _secret_in(answer: Any) -> str:
    found = re.search(r'id="fresh-secret"[^>]* value="([^"]+)"', answer.content.decode())
    assert found is not None
    return unescape(found[1])


def test_an_owner_issues_a_key_and_sees_its_secret_on_that_one_page(
    client: Client, dora: User, north: Organisation
) -> None:
    said = {
        "act": "issue", "name": "importer", "scopes": ["jobs:read", "money:read"], "days": "30",
        "addresses": "192.0.2.0/24\r\n127.0.0.1", "spend_cap": "250", "spend_currency": "EUR",
    }  # fmt: skip

    answer = client.post(_page_of(north), said)

    assert answer.status_code == 200
    secret = _secret_in(answer)
    key = ApiKey.objects.get()
    assert (key.organisation, key.created_by, key.scopes) == (north, dora, ["jobs:read", "money:read"])
    assert (key.addresses, key.spend_cap_micros, key.spend_currency) == (
        ["127.0.0.1/32", "192.0.2.0/24"],
        250 * build.UNIT,
        "EUR",
    )
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - instant(None) < timedelta(days=31)
    assert Api(secret).get("me").status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert AuditRow.objects.filter(subject="accounts_apikey", actor=f"user:{dora.pk}").exists()
    again = client.get(_page_of(north)).content.decode()
    assert secret not in again
    assert f"ts_{key.handle}_…" in again
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())


def test_a_worker_issues_rotates_and_revokes_a_key_of_their_own(client: Client) -> None:
    worker = build.a_worker()
    assert worker.user is not None
    sign_in(client, worker.user)

    first = _secret_in(client.post(MINE, {"act": "issue", "name": "laptop", "days": ""}))
    key = ApiKey.objects.get()
    rotated = {"act": "rotate", "key": ids.public("key", key.pk), "overlap_seconds": "3600"}
    second = _secret_in(client.post(MINE, rotated))
    assert [Api(secret).get("me").status_code for secret in (first, second)] == [200, 200]
    new = ApiKey.objects.get(replaces=key)
    client.post(MINE, {"act": "revoke", "key": ids.public("key", new.pk)})

    assert (key.worker, key.scopes, key.expires_at) == (worker, ["work"], None)
    assert [Api(secret).get("me").status_code for secret in (first, second)] == [200, 401]
    refused = client.post(MINE, rotated)
    assert refused.status_code == 409
    assert keys.KeyNotInUse.sentence().split(";")[0] in refused.content.decode()


def test_an_owner_makes_and_revokes_a_client(client: Client, north: Organisation) -> None:
    answer = client.post(_page_of(north), {"act": "make", "name": "nightly", "scopes": ["jobs:read"]})

    made = OrganisationClient.objects.get()
    assert made.client_id in answer.content.decode()
    body = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": _secret_in(answer)}
    token = Client().post("/identity/o/api/token", body).json()["access_token"]
    assert Api(token).get("me").status_code == 200

    client.post(_page_of(north), {"act": "end", "client": ids.public("cli", made.pk)})

    assert Api(token).get("me").status_code == 401


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "key-name-wrong"),
        ({"name": "a" * 81}, "key-name-wrong"),
        ({"scopes": []}, "issue-scopes-wrong"),
        ({"scopes": ["work"]}, "issue-scopes-wrong"),
        ({"addresses": "192.0.2.1 here"}, "key-addresses-wrong"),
        ({"spend_cap": "1,000"}, "key-cap-wrong"),
        ({"spend_cap": "0"}, "key-cap-wrong"),
        ({"spend_cap": "<script>"}, "key-cap-wrong"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_the_rest_is_kept(
    client: Client, north: Organisation, wrong: dict[str, Any], told: str
) -> None:
    said = {"act": "issue", "name": "importer", "scopes": ["jobs:read"], "spend_cap": "5", "days": "365", **wrong}

    answer = client.post(_page_of(north), said)

    page = answer.content.decode()
    assert answer.status_code == 400
    assert f'id="{told}"' in page
    assert "<script>" not in page.replace("<script src", "")
    assert wrong.get("name", "importer") in page
    assert 'value="365" selected' in page
    assert not ApiKey.objects.exists()


def test_which_address_is_wrong_is_told_by_its_place(client: Client, north: Organisation) -> None:
    page = client.post(
        _page_of(north), {"act": "issue", "name": "k", "scopes": ["jobs:read"], "addresses": "192.0.2.1\nhere"}
    ).content.decode()

    assert "Entry 2: is no IP address or network such as 192.0.2.0/24" in page


def test_a_manager_is_refused_a_stranger_finds_nothing_and_nobody_is_sent_to_sign_in(
    client: Client, north: Organisation
) -> None:
    key, _ = build.an_organisation_key(north)
    manager, stranger = build.a_user("Mona"), build.a_user("Stan")
    organising.add_member(north, user=manager, role="manager")
    own = build.an_organisation(owner=stranger)
    revoke = {"act": "revoke", "key": ids.public("key", key.pk)}

    for user, status in ((manager, 403), (stranger, 404)):
        browser = Client()
        sign_in(browser, user)
        assert browser.get(_page_of(north)).status_code == status
        assert browser.post(_page_of(north), revoke).status_code == status
        assert browser.post(_page_of(own), revoke).status_code == 404
    assert Client().get(_page_of(north)).status_code == 302
    assert Client().post(_page_of(north), revoke).status_code in {302, 403}
    key.refresh_from_db()
    assert key.revoked_at is None


def test_an_owner_without_a_second_factor_is_told_where_to_set_one_up(north: Organisation, dora: User) -> None:
    browser = Client()
    sign_in(browser, dora, second_factor=False)

    answer = browser.get(_page_of(north))

    assert answer.status_code == 403
    assert "/accounts/2fa/" in answer.content.decode()


def test_a_page_ends_no_key_and_no_client_of_another_organisation_of_the_same_owner(
    client: Client, dora: User, north: Organisation
) -> None:
    south = build.an_organisation("South", owner=dora)
    key, _ = build.an_organisation_key(south)
    other, _ = clients.make_client(south, name="c", scopes=["jobs:read"], created_by=dora)

    for said in (
        {"act": "revoke", "key": ids.public("key", key.pk)},
        {"act": "rotate", "key": ids.public("key", key.pk), "overlap_seconds": "0"},
        {"act": "end", "client": ids.public("cli", other.pk)},
        {"act": "no such act"},
    ):
        assert client.post(_page_of(north), said).status_code == 404
    assert ApiKey.objects.get().revoked_at is None
    assert OrganisationClient.objects.get().revoked_at is None


def test_who_is_no_worker_is_told_where_keys_are(client: Client, dora: User) -> None:
    answer = client.get(MINE)

    assert answer.status_code == 200
    assert "You are no worker yet" in answer.content.decode()
    assert client.post(MINE, {"act": "issue", "name": "k"}).status_code == 200
    assert not ApiKey.objects.exists()


def test_issuing_counts_as_handing_out_secrets(
    client: Client, north: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttling.PER_MINUTE, "secret", 2)

    told = [
        client.post(_page_of(north), {"act": "issue", "name": f"k{n}", "scopes": ["jobs:read"]}).status_code
        for n in range(4)
    ]

    assert told == [200, 200, 429, 429]

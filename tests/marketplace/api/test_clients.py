"""OAuth clients: a token for a client's secret, the same rights as a key's, and nothing else of OAuth."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.idp.oidc.models import Client as OAuthClient
from allauth.idp.oidc.models import Token
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import keys, organising
from accounts.models import AuditRow, Organisation, User
from accounts.queries import instant
from marketplace import clients
from marketplace.api import ids, throttling
from marketplace.models import OrganisationClient
from tests import build
from tests.marketplace.api.client import Api

pytestmark = pytest.mark.django_db

TOKEN = "/identity/o/api/token"


def _client(*scopes: str, owner: User | None = None) -> tuple[Organisation, OrganisationClient, str]:
    cache.clear()
    user = owner or build.a_user("Olga")
    organisation = build.an_organisation(owner=user)
    client, secret = clients.make_client(
        organisation, name="importer", scopes=scopes or keys.ORGANISATION_SCOPES, created_by=user
    )
    return organisation, client, secret


def _ask(client: OrganisationClient, secret: str, **said: str) -> Any:
    basic = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
    body = {"grant_type": "client_credentials", **said}
    return Client().post(TOKEN, body, headers={"Authorization": f"Basic {basic}"})


def _token(client: OrganisationClient, secret: str, **said: str) -> str:
    answer = _ask(client, secret, **said)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


def test_a_client_gets_a_token_for_its_secret_and_acts_for_its_organisation() -> None:
    organisation, client, secret = _client("jobs:read", "answers:read")

    answer = _ask(client, secret)
    me = Api(answer.json()["access_token"]).get("me").json()

    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    assert set(told["scope"].split()) == {"jobs:read", "answers:read"}
    assert "refresh_token" not in told
    assert "no-store" in answer["Cache-Control"]
    assert me["client"] == ids.public("cli", client.pk)
    assert (me["user"], me["key"], me["worker"], me["platform_roles"]) == (None, None, None, [])
    [mine] = me["organisations"]
    assert mine["id"] == ids.public("org", organisation.pk)
    assert mine["rights"] == ["answers:read", "jobs:read"]


def test_the_secret_may_also_stand_in_the_body() -> None:
    _, client, secret = _client()
    body = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret}

    assert Client().post(TOKEN, body).status_code == 200


def test_a_token_may_do_less_than_its_client_but_never_more() -> None:
    _, client, secret = _client("jobs:read", "jobs:write")
    all_of_it = _token(client, secret)

    less = _token(client, secret, scope="jobs:read")
    more = _ask(client, secret, scope="jobs:read money:write")

    rights = [Api(token).get("me").json()["organisations"][0]["rights"] for token in (less, all_of_it)]
    assert rights == [["jobs:read"], ["jobs:read", "jobs:write", "review"]]
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")


def test_what_a_client_does_is_done_in_its_name() -> None:
    organisation, client, secret = _client("jobs:write")
    token = _token(client, secret)
    domain = ids.public("dom", build.a_domain().pk)

    created = Api(token).post(
        "jobs",
        {
            "organisation": ids.public("org", organisation.pk),
            "name": "A job",
            "domain": domain,
            "label_definition": build.CLASSES,
            "guidelines": "Look.",
            "price": "0.05",
            "budget": "10",
        },
        once=True,
    )

    assert created.status_code == 201, created.content
    assert AuditRow.objects.filter(actor=f"client:{client.pk}", organisation_id=organisation.pk).exists()


def _revoke(client: OrganisationClient) -> None:
    clients.revoke_client(client)


def _revoke_row(client: OrganisationClient) -> None:
    """As a token handed out at the very moment of the revocation finds it."""
    OrganisationClient.objects.filter(pk=client.pk).update(revoked_at=instant(None))


def _deactivate(client: OrganisationClient) -> None:
    assert client.created_by is not None
    User.objects.filter(pk=client.created_by.pk).update(is_active=False)


def _demote(client: OrganisationClient) -> None:
    organising.add_member(client.organisation, user=build.a_user(), role="owner")
    assert client.created_by is not None
    organising.change_role(client.organisation, user=client.created_by, role="reviewer")


def _erase_maker(client: OrganisationClient) -> None:
    OrganisationClient.objects.filter(pk=client.pk).update(created_by=None)


@pytest.mark.parametrize("end", [_revoke, _revoke_row, _deactivate, _demote, _erase_maker])
def test_a_token_is_refused_by_the_very_next_request_of_every_door(
    end: Callable[[OrganisationClient], None],
) -> None:
    _, client, secret = _client()
    api = Api(_token(client, secret))
    assert api.get("me").status_code == 200
    assert api.post("claims", {}).json()["type"] == "/problems/not-a-worker"

    end(client)

    for answer in (api.get("me"), api.post("claims", {}), api.post("answers", {}), api.post("work", {})):
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/key-not-known")
    again = _ask(client, secret)
    assert again.status_code in {400, 401}
    assert "access_token" not in again.json()


def test_a_token_ends_with_its_hour() -> None:
    _, client, secret = _client()
    token = _token(client, secret)

    Token.objects.update(expires_at=instant(None))

    assert Api(token).get("me").status_code == 401


def test_a_client_may_end_its_token_itself() -> None:
    _, client, secret = _client()
    token = _token(client, secret)
    body = {"token": token, "client_id": client.client_id, "client_secret": secret}

    assert Client().post("/identity/o/api/revoke", {**body, "client_secret": "wrong"}).status_code == 401
    assert Api(token).get("me").status_code == 200
    assert Client().post("/identity/o/api/revoke", body).status_code == 200
    assert Api(token).get("me").status_code == 401


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ({"grant_type": "password", "username": "a", "password": "b"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"resource": "https://example.org/"}, 400, "invalid_target"),
        ({"scope": "openid"}, 400, "invalid_scope"),
    ],
)
def test_nothing_but_client_credentials_is_granted(said: dict[str, str], status: int, error: str) -> None:
    _, client, secret = _client()

    refused = _ask(client, secret, **said)

    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert not Token.objects.exists()


def test_a_client_that_somebody_opened_to_other_grants_is_still_given_none() -> None:
    _, client, secret = _client()
    OAuthClient.objects.update(grant_types="authorization_code\nrefresh_token\nclient_credentials\npassword")

    assert _ask(client, secret, grant_type="refresh_token", refresh_token="x").status_code == 400
    for path in ("authorize", "device", "api/device/code", "api/userinfo", "api/clients", "api/introspect", "logout"):
        assert Client().post(f"/identity/o/{path}", {"client_id": client.client_id}).status_code == 404


@pytest.mark.parametrize("secret", ["wrong", "", "\0", "é" * 50, "x" * 10_000])
def test_a_wrong_secret_gets_no_token(secret: str) -> None:
    _, client, _ = _client()

    refused = _ask(client, secret)

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_guessing_a_secret_is_soon_too_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    _, client, secret = _client()
    monkeypatch.setitem(throttling.PER_MINUTE, "secret", 3)

    told = [_ask(client, "wrong").status_code for _ in range(5)]

    assert told == [401, 401, 401, 429, 429]
    assert _ask(client, secret).json()["error"] == "temporarily_unavailable"


def test_what_cannot_be_a_token_is_turned_away_without_a_query() -> None:
    with CaptureQueriesContext(connection) as asked:
        for text in ("", "a" * 85, "a" * 87, "a" * 85 + "\n", "é" * 86, "a" * 85 + "\0"):
            assert clients.shown_by(text) is None
    assert len(asked) == 0


def test_neither_secret_nor_token_is_stored() -> None:
    _, client, secret = _client()
    token = _token(client, secret)

    stored = repr([list(model.objects.values_list()) for model in (OAuthClient, OrganisationClient, Token)])

    assert secret not in stored
    assert token not in stored


def test_tokens_that_ran_out_are_forgotten() -> None:
    _, client, secret = _client()
    _token(client, secret)
    live = _token(client, secret)
    first = Token.objects.order_by("pk")[0]
    Token.objects.filter(pk=first.pk).update(expires_at=instant(None) - timedelta(seconds=1))

    assert clients.forget_tokens(limit=10) == 1
    assert clients.forget_tokens(limit=10) == 0
    assert Api(live).get("me").status_code == 200


def test_an_owner_makes_sees_and_revokes_clients_over_http() -> None:
    cache.clear()
    user = build.a_user("Olga")
    organisation = build.an_organisation(owner=user)
    owner, path = Api(user=user), f"organisations/{ids.public('org', organisation.pk)}/clients"

    made = owner.post(path, {"name": "importer", "scopes": ["jobs:read"]}).json()
    [listed] = owner.get(path).json()["results"]
    secret = made.pop("client_secret")
    assert made == listed
    client = OrganisationClient.objects.get()
    api = Api(_token(client, secret))
    assert api.get("me").status_code == 200

    assert owner.delete(f"clients/{made['id']}").status_code == 204

    assert api.get("me").status_code == 401
    assert owner.get(path).json()["results"][0]["revoked_at"] is not None
    assert owner.delete(f"clients/{made['id']}").status_code == 204, "twice is no harm"


def test_clients_are_an_owners_business_and_no_keys_and_no_strangers() -> None:
    organisation, client, secret = _client()
    path = f"organisations/{ids.public('org', organisation.pk)}/clients"
    body = {"name": "another", "scopes": ["members"]}
    manager = build.a_user("Mona")
    organising.add_member(organisation, user=manager, role="manager")
    key = Api(build.an_organisation_key(organisation)[1])
    token = Api(_token(client, secret))
    stranger = build.a_user("Stan")
    build.an_organisation(owner=stranger)

    for caller, status in ((Api(user=manager), 403), (key, 403), (token, 403), (Api(user=stranger), 404), (Api(), 401)):
        assert caller.post(path, body).status_code == status
        assert caller.delete(f"clients/{ids.public('cli', client.pk)}").status_code in {status, 404}
    assert OrganisationClient.objects.filter(revoked_at__isnull=True).count() == 1


def test_where_tokens_come_from_is_told_to_programs_that_ask() -> None:
    told = Client().get("/.well-known/oauth-authorization-server").json()

    assert told["grant_types_supported"] == ["client_credentials"]
    assert told["token_endpoint"].endswith(TOKEN)
    assert "jobs:read" in told["scopes_supported"]

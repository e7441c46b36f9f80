"""A dump of the database opens nothing: no secret, token, code or factor in it can be used as it stands (T-S9)."""

from __future__ import annotations

import hashlib

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.utils import decrypt
from allauth.socialaccount import app_settings as social
from django.db import connection
from django.test import Client

from accounts import inviting, keys
from marketplace import clients
from tests import build
from tests.marketplace.api.client import Api

pytestmark = pytest.mark.django_db


def a_dump() -> str:
    """Every row of every table as text, bytes as hexadecimal digits: what `pg_dump` would write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t")
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_secret_of_a_key_a_client_or_a_token_is_in_a_dump() -> None:
    owner = build.a_user("Olga")
    organisation = build.an_organisation(owner=owner)
    issued, ours = build.an_organisation_key(organisation, created_by=owner)
    _, mine = build.a_worker_key()
    client, secret = clients.make_client(organisation, name="c", scopes=["jobs:read"], created_by=owner)
    body = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret}
    token = Client().post("/identity/o/api/token", body).json()["access_token"]
    _, invited = inviting.invite_member(organisation, email="new@example.org", role="finance", invited_by=owner)
    assert Api(token).get("me").status_code == 200

    dump = a_dump()

    assert issued.handle in dump, "the dump is whole"
    for kept in (ours, mine, secret, token, invited):
        assert kept not in dump
        assert kept[-32:] not in dump
    # What is kept of a key is its hash, and showing that opens nothing.
    assert hashlib.sha256(ours.encode()).hexdigest() in dump
    for shown in (hashlib.sha256(ours.encode()).hexdigest(), hashlib.sha256(token.encode()).hexdigest()):
        assert keys.check_secret(shown) is None
        assert clients.shown_by(shown) is None
        assert Api(shown).get("me").status_code == 401


def test_no_totp_secret_and_no_password_is_in_a_dump() -> None:
    user = build.a_user("Tom", password="correct horse battery")
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    assert Authenticator.objects.filter(user=user).exists()

    dump = a_dump()

    assert user.email in dump
    assert secret not in dump
    assert "correct horse battery" not in dump


def test_recovery_codes_are_in_no_dump_and_no_token_of_a_provider_is_ever_kept() -> None:
    user = build.a_user("Rea")
    TOTP.activate(user, generate_totp_secret())
    codes = RecoveryCodes.activate(user)
    seed = decrypt(codes.instance.data["seed"])

    dump = a_dump()

    assert not any(code in dump for code in codes.generate_codes())
    assert seed not in dump
    assert not social.STORE_TOKENS

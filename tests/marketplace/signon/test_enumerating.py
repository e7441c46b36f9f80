"""An address with an account and one without are answered alike, with the same work; the bench takes the time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tests.marketplace.signon import enumerating

pytestmark = pytest.mark.django_db
PLACES = ("sign_in", "sign_in_by_code", "sign_up", "reset", "headless_sign_up", "invitation")


@pytest.mark.parametrize("place", PLACES)
def test_a_known_address_and_an_unknown_one_are_answered_alike(
    place: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    ask = enumerating.asks()[place]
    enumerating._people(0, 2)
    hashed: Counter[bool] = Counter()
    encode = MD5PasswordHasher.encode
    seen: dict[bool, Any] = {}
    queries: dict[bool, Any] = {}
    for there in (True, False):

        def counted(self: MD5PasswordHasher, password: str, salt: str, there: bool = there) -> str:
            hashed[there] += 1
            return encode(self, password, salt)

        cache.clear()
        mail.outbox.clear()
        monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
        with CaptureQueriesContext(connection) as queries[there]:
            answers = ask("k0-00001@example.org" if there else "u0-00001@example.org")
        seen[there] = [(one.status_code, enumerating._length(one)) for one in answers], len(mail.outbox)

    assert seen[True] == seen[False]
    assert hashed[True] == hashed[False] <= 1, "and no password is hashed twice"
    assert abs(len(queries[True]) - len(queries[False])) <= 3

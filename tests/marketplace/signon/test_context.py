"""What pages say where mails go to the log."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from marketplace.signon import context


@pytest.mark.django_db
@pytest.mark.parametrize("in_log", [True, False])
def test_who_waits_for_a_code_is_told_where_mails_are_without_a_mail_server(
    in_log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()  # nobody has been counted yet
    monkeypatch.setattr(context, "MAILS_IN_LOG", in_log)
    client = Client()
    secret = "correct horse 12"
    client.post("/accounts/signup/", {"email": "new@example.org", "password1": secret, "password2": secret})

    page = client.get("/accounts/confirm-email/").content.decode()

    assert ("web.log" in page) is in_log

"""Committed books for tests that look at them from plain connections and roll back what they try."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from accounts.ledger.holding import capture_hold, place_hold
from accounts.ledger.models import TransferKind
from accounts.ledger.posting import Line, post, post_many
from tests.accounts.ledger.scenes import UNIT, WALLET, a_deposit, a_funding, a_payment, findings
from tests.conftest import SERVER


@pytest.fixture(scope="module")
def settled_books(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Payments to two workers, one of them reversed; an open hold of 5, one that expired, and one of 5 captured for 1."""
    with django_db_blocker.unblock(), SERVER.fresh_database():
        post_many([a_deposit(100), a_funding(60), a_payment(1), a_payment(3, worker=4)])
        mistake = a_payment(2)
        post(
            replace(
                mistake,
                key="rev:2",
                kind=TransferKind.REVERSAL,
                lines=tuple(Line(line.books, -line.micros) for line in mistake.lines),
                approver="user:2",
                reason="why",
                reverses=post(mistake),
            )
        )
        post(a_funding(1, job=8))
        place_hold("open", WALLET, 5 * UNIT, actor="user:1")
        place_hold("stale", WALLET, UNIT, actor="user:1", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
        capture_hold(place_hold("ended", WALLET, 5 * UNIT, actor="user:1"), a_funding(1, job=9))
        assert findings() == []
        yield
        connection.close()

"""Money set apart: not spendable, ended once, captured for what was held at most."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from accounts.ledger.holding import CaptureExceedsHold, HoldEnded, capture_hold, place_hold, void_hold
from accounts.ledger.posting import InsufficientFunds, KeyReused, post
from accounts.ledger.queries import available, balance
from tests.accounts.ledger.scenes import (
    ESCROW,
    FEES,
    UNIT,
    WALLET,
    a_deposit,
    a_funding,
    count,
    findings,
    fire_deferred_checks,
    usd,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def a_wallet_of_100() -> None:
    post(a_deposit(100), at=NOON)


def a_hold(units: int = 60, key: str = "hold:1") -> int:
    return place_hold(key, WALLET, units * UNIT, actor="user:1", expires_at=NOON + timedelta(hours=1), at=NOON)


def test_held_money_is_there_but_cannot_be_spent() -> None:
    a_hold(60)  # the trigger holds_set_money_apart

    assert (balance(WALLET), available(WALLET)) == (usd(100), usd(40))
    with pytest.raises(InsufficientFunds) as refused, transaction.atomic():
        post(a_funding(41))
    assert refused.value.facts["missing_micros"] == UNIT


def test_more_than_there_is_cannot_be_held() -> None:
    with pytest.raises(InsufficientFunds) as refused, transaction.atomic():
        a_hold(101)

    assert refused.value.facts == {"books": "wallet org:1 USD", "missing_micros": UNIT, "currency": "USD"}
    assert count("ledger_hold") == 0


def test_the_repeat_of_a_hold_is_the_first_and_another_under_its_key_is_refused() -> None:
    first = a_hold(60)

    assert a_hold(60) == first
    assert available(WALLET) == usd(40)
    with pytest.raises(KeyReused), transaction.atomic():
        a_hold(30)


def test_a_capture_posts_and_frees_the_rest() -> None:
    hold = a_hold(60)

    posted = capture_hold(hold, a_funding(45), at=NOON)  # the trigger hold_results_let_money_go

    assert capture_hold(hold, a_funding(45), at=NOON + timedelta(days=1)) == posted
    assert (balance(WALLET), available(WALLET), balance(ESCROW)) == (usd(55), usd(55), usd(45))
    fire_deferred_checks()
    assert findings() == []


def test_a_capture_of_more_than_was_held_is_refused() -> None:
    hold = a_hold(60)

    with pytest.raises(CaptureExceedsHold), transaction.atomic():
        capture_hold(hold, a_funding(61), at=NOON)
    assert available(WALLET) == usd(40)


def test_a_capture_after_the_hold_expired_is_refused() -> None:
    hold = a_hold(60)

    with pytest.raises(CaptureExceedsHold), transaction.atomic():
        capture_hold(hold, a_funding(45), at=NOON + timedelta(hours=2))


def test_a_void_hold_frees_all_and_cannot_be_captured() -> None:
    hold = a_hold(60)

    void_hold(hold, actor="user:1", at=NOON)
    void_hold(hold, actor="user:1", at=NOON)

    assert available(WALLET) == usd(100)
    with pytest.raises(HoldEnded), transaction.atomic():
        capture_hold(hold, a_funding(45), at=NOON)


def test_a_captured_hold_cannot_be_voided_or_captured_by_another_transfer() -> None:
    hold = a_hold(60)
    capture_hold(hold, a_funding(45), at=NOON)

    with pytest.raises(HoldEnded), transaction.atomic():
        void_hold(hold, actor="user:1")
    with pytest.raises(HoldEnded), transaction.atomic():
        capture_hold(hold, a_funding(45, revision=2), at=NOON)


def test_recorded_books_hold_nothing() -> None:
    with pytest.raises(Exception, match="only limited books"), transaction.atomic():
        place_hold("hold:2", FEES, UNIT, actor="user:1")


def test_a_hold_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(LookupError), transaction.atomic():
        capture_hold(-1, a_funding(1))
    with pytest.raises(LookupError), transaction.atomic():
        void_hold(-1, actor="user:1")

"""Balances and statements, recomputed from the legs (T-L8)."""

import random

import pytest

from accounts.ledger.drafts import payable, wallet
from accounts.ledger.models import BooksKind
from accounts.ledger.posting import post, post_many
from accounts.ledger.queries import TrialRow, balance, balances, statement, trial_balance
from tests.accounts.ledger.scenes import (
    CLEARING,
    ESCROW,
    FEES,
    UNIT,
    WALLET,
    a_deposit,
    a_funding,
    a_payment,
    rows,
    usd,
)

pytestmark = pytest.mark.django_db


def test_books_that_do_not_exist_hold_nothing() -> None:
    assert balance(WALLET) == usd(0)
    assert statement(WALLET) == []


def test_recorded_books_are_summed_from_their_legs() -> None:
    post_many([a_deposit(100), a_funding(60), *(a_payment(answer) for answer in range(30))])

    assert balances([FEES, CLEARING, ESCROW, FEES]) == {FEES: usd(0.3), CLEARING: usd(-100), ESCROW: usd(58.2)}


def test_a_statement_runs_on_from_page_to_page() -> None:
    post_many([a_deposit(100), a_funding(60)])
    for answer in range(5):
        post(a_payment(answer))

    first = statement(ESCROW, limit=4)
    rest = statement(ESCROW, after=first[-1].leg_id)

    assert [line.key for line in first + rest] == ["fund:7:1", *(f"pay:{answer}" for answer in range(5))]
    assert [line.balance_micros for line in first + rest] == [60 * UNIT - 60_000 * paid for paid in range(6)]
    assert rest[-1].balance_micros == balance(ESCROW).micros


def test_every_statement_of_many_parties_ends_at_the_balance_and_all_of_them_sum_to_zero() -> None:
    rng = random.Random(0)
    organisations, workers = range(1, 21), range(1, 61)
    post_many([a_deposit(rng.randint(50, 90), ref=str(n), organisation=n) for n in organisations])
    post_many([a_funding(rng.randint(20, 40), job=n, organisation=n) for n in organisations])
    payments = [a_payment(n, job=rng.choice(organisations), worker=rng.choice(workers)) for n in range(600)]
    for start in range(0, len(payments), 50):
        post_many(payments[start : start + 50])

    parties = [*(payable(n, "USD") for n in workers), *(wallet(n, "USD") for n in organisations), FEES, CLEARING]
    held = balances(parties)
    for party in parties:
        lines = statement(party, limit=1_000)
        assert sum(line.micros for line in lines) == held[party].micros
        assert not lines or lines[-1].balance_micros == held[party].micros
    assert rows("SELECT sum(amount_micros) FROM ledger_leg") == [(0,)]


def test_the_trial_balance_shows_both_sides_of_every_kind() -> None:
    post_many([a_deposit(100), a_funding(60), a_payment(1)])

    assert trial_balance() == [
        TrialRow(BooksKind.CLEARING, "USD", 1, 100 * UNIT, 0),
        TrialRow(BooksKind.ESCROW, "USD", 1, 60_000, 60 * UNIT),
        TrialRow(BooksKind.FEE_REVENUE, "USD", 1, 0, 10_000),
        TrialRow(BooksKind.PAYABLE, "USD", 1, 0, 50_000),
        TrialRow(BooksKind.WALLET, "USD", 1, 60 * UNIT, 100 * UNIT),
    ]

"""Many threads at once, on a database where commits are real."""

from collections.abc import Callable
from functools import partial

import psycopg
import pytest
from django.db import IntegrityError, transaction

from accounts.ledger.holding import HoldEnded, capture_hold, place_hold, void_hold
from accounts.ledger.posting import InsufficientFunds, lock_books, post, post_many
from accounts.ledger.queries import balance
from accounts.refusals import Refusal
from tests.accounts.ledger.scenes import (
    ESCROW,
    FEES,
    PAYABLE,
    UNIT,
    WALLET,
    a_deposit,
    a_funding,
    a_payment,
    count,
    findings,
    rows,
    usd,
)
from tests.races import at_once

THREADS = 8


def rush(work: Callable[[int], object]) -> None:
    """Do ``work`` in eight threads that start together; each is told its number."""
    assert not any(isinstance(end, Refusal) for end in at_once([partial(work, number) for number in range(THREADS)]))


def test_eight_threads_overdraw_one_escrow_and_it_never_goes_below_zero(committed_db: str) -> None:
    post_many([a_deposit(100), a_funding(6)])
    refused: list[int] = []

    def spend(number: int) -> None:
        for attempt in range(25):
            answer = number * 1_000 + attempt
            try:
                post(a_payment(answer, pay=0.05, fee=0.01, worker=answer % 7 + 1))
            except InsufficientFunds:
                refused.append(answer)

    rush(spend)

    assert len(refused) == THREADS * 25 - 100
    assert (balance(ESCROW), balance(FEES)) == (usd(0), usd(1))
    assert findings() == []


def test_the_same_payments_posted_by_eight_threads_are_paid_once_each(committed_db: str) -> None:
    post_many([a_deposit(100), a_funding(60)])
    answers = [a_payment(answer, worker=answer % 5 + 1) for answer in range(200)]
    seen: list[dict[str, int]] = []

    def pay(number: int) -> None:
        turned = answers[number * 25 :] + answers[: number * 25]
        found: dict[str, int] = {}
        for start in range(0, 200, 40):
            found |= post_many(turned[start : start + 40])
        seen.append(found)

    rush(pay)

    assert count("ledger_transfer") == 202
    assert all(found == seen[0] for found in seen)
    assert balance(ESCROW) == usd(60 - 200 * 0.06)
    assert findings() == []


def test_new_books_opened_by_eight_threads_at_once_are_opened_once(committed_db: str) -> None:
    post_many([a_deposit(100), a_funding(60)])

    rush(lambda number: post_many(a_payment(number * 100 + n, worker=n) for n in range(1, 40)))

    assert rows("SELECT count(*) FROM ledger_books WHERE kind = 'payable'") == [(39,)]
    assert findings() == []


def test_transactions_that_post_twice_and_lock_first_do_not_deadlock(committed_db: str) -> None:
    post_many([a_deposit(100), a_funding(60), a_payment(0)])

    def there_and_back(number: int) -> None:
        for turn in range(10):
            answer = 1 + number * 100 + turn
            with transaction.atomic():
                lock_books([WALLET, ESCROW, PAYABLE])
                steps = [a_payment(answer), a_funding(0.01, revision=answer + 10)]
                for draft in steps if number % 2 else reversed(steps):
                    post(draft)

    rush(there_and_back)

    assert count("ledger_transfer") == 3 + THREADS * 20
    assert findings() == []


def test_a_hold_raced_by_captures_and_voids_ends_once(committed_db: str) -> None:
    post(a_deposit(100))
    holds = [place_hold(f"hold:{n}", WALLET, UNIT, actor="user:1") for n in range(20)]
    lost: list[int] = []

    def end(number: int) -> None:
        for n, hold in enumerate(holds):
            try:
                if number % 2:
                    capture_hold(hold, a_funding(1, revision=n))
                else:
                    void_hold(hold, actor="user:1")
            except HoldEnded:
                lost.append(hold)

    rush(end)

    captured = count("ledger_transfer") - 1
    assert (balance(ESCROW), balance(WALLET)) == (usd(captured), usd(100 - captured))
    assert len(lost) == THREADS // 2 * len(holds)
    assert findings() == []


def test_a_header_without_legs_is_refused_at_the_commit(committed_db: str) -> None:
    reached = []

    def write_a_header_alone() -> None:
        with transaction.atomic():
            rows(
                "INSERT INTO ledger_transfer (key, kind, ref, effective_at, actor, reason, digest)"
                " VALUES ('x', 'deposit', '', now(), 'user:1', '', sha256('x')) RETURNING 1"
            )
            reached.append("end of the transaction")

    with pytest.raises(IntegrityError, match="does not balance") as refused:
        write_a_header_alone()

    assert reached
    assert isinstance(refused.value.__cause__, psycopg.errors.CheckViolation)
    assert refused.value.__cause__.diag.constraint_name == "transfer_balances"
    assert count("ledger_transfer") == 0

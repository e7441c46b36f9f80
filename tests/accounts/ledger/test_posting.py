"""Posting: once, whole, balanced, within what there is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from accounts.ledger.models import BooksKind, Leg, Transfer, TransferKind
from accounts.ledger.posting import (
    BooksAddress,
    Draft,
    InsufficientFunds,
    KeyReused,
    Line,
    Unbalanced,
    lock_books,
    post,
    post_many,
)
from accounts.ledger.queries import balance
from tests.accounts.ledger.scenes import (
    ESCROW,
    FEES,
    PAYABLE,
    WALLET,
    a_deposit,
    a_funding,
    a_payment,
    count,
    findings,
    rows,
    usd,
)

pytestmark = pytest.mark.django_db


def test_a_repeat_answers_the_first_transfer_and_writes_nothing() -> None:
    first = post(a_deposit())

    again = post(a_deposit())

    assert again == first
    assert (count("ledger_transfer"), count("ledger_leg")) == (1, 2)
    assert balance(WALLET) == usd(100)


def test_a_key_with_other_legs_is_refused() -> None:
    post(a_deposit(100))

    with pytest.raises(KeyReused) as refused, transaction.atomic():
        post(a_deposit(101))

    assert refused.value.facts["key"] == "dep:manual:first"
    assert balance(WALLET) == usd(100)


def test_the_order_of_the_legs_is_not_content() -> None:
    draft = a_deposit()
    first = post(draft)

    assert post(replace(draft, lines=draft.lines[::-1])) == first


def test_a_key_twice_in_one_batch_counts_once_or_is_refused() -> None:
    assert len(post_many([a_deposit(), a_deposit()])) == 1

    with pytest.raises(KeyReused):
        post_many([a_deposit(1, ref="x"), a_deposit(2, ref="x")])
    assert count("ledger_transfer") == 1


def test_what_is_missing_is_said_with_the_books_and_the_amount() -> None:
    post_many([a_deposit(100), a_funding(60)])

    with pytest.raises(InsufficientFunds) as refused, transaction.atomic():
        post(a_payment(pay=75, fee=5.5))

    assert refused.value.facts == {"books": "escrow job:7 USD", "missing_micros": 20_500_000, "currency": "USD"}
    assert "escrow job:7" in refused.value.detail
    assert balance(ESCROW) == usd(60)


def test_a_batch_with_one_bad_draft_changes_nothing() -> None:
    post_many([a_deposit(100), a_funding(60)])
    batch = [*(a_payment(answer) for answer in range(1, 50)), a_payment(50, pay=1_000)]

    with pytest.raises(InsufficientFunds), transaction.atomic():
        post_many(batch)

    assert count("ledger_transfer") == 2
    assert (balance(ESCROW), balance(PAYABLE), balance(FEES)) == (usd(60), usd(0), usd(0))
    assert not rows("SELECT 1 FROM ledger_books WHERE owner = 'worker:3'")


def test_a_batch_may_spend_what_it_brings() -> None:
    ids = post_many([a_payment(1), a_funding(60), a_deposit(100)])

    assert set(ids) == {"pay:1", "fund:7:1", "dep:manual:first"}
    assert balance(ESCROW) == usd(59.94)
    assert findings() == []


def test_an_empty_batch_is_nothing() -> None:
    assert post_many([]) == {}


@pytest.mark.parametrize("amounts", [(), (5, -4), (0, 0), (5, -5, 0)])
def test_lines_that_do_not_add_up_are_refused_before_the_database(amounts: tuple[int, ...]) -> None:
    lines = tuple(Line(BooksAddress(BooksKind.FEE_REVENUE, "platform", "USD"), amount) for amount in amounts)

    with pytest.raises(Unbalanced):
        post(Draft("adj:1", TransferKind.ADJUSTMENT, "ticket:1", lines, "user:1", "why", "user:2"))


def test_each_currency_balances_by_itself() -> None:
    dollars, yen = (BooksAddress(BooksKind.FX, "platform", currency) for currency in ("USD", "JPY"))

    with pytest.raises(Unbalanced):
        post(Draft("fx:1", TransferKind.EXCHANGE, "", (Line(dollars, 5), Line(yen, -5)), "user:1"))


def test_a_correction_without_a_second_person_is_refused() -> None:
    lines = (Line(FEES, 5), Line(BooksAddress(BooksKind.SUSPENSE, "platform", "USD"), -5))

    for approver in (None, "user:1"):
        with pytest.raises(Exception, match="a_correction_has_two_people_and_a_reason"), transaction.atomic():
            post(Draft("adj:1", TransferKind.ADJUSTMENT, "ticket:1", lines, "user:1", "why", approver))


def test_a_reversal_must_mirror_and_then_undoes_all() -> None:
    post_many([a_deposit(100), a_funding(60)])
    paid = a_payment()
    paid_id = post(paid)
    mirrored = tuple(Line(line.books, -line.micros) for line in paid.lines)
    reversal = Draft("rev:1", TransferKind.REVERSAL, "", mirrored, "user:1", "fraud", "user:2", reverses=paid_id)

    post(reversal)

    assert (balance(ESCROW), balance(PAYABLE), balance(FEES)) == (usd(60), usd(0), usd(0))
    assert findings() == []


def test_the_transfer_says_when_and_for_what() -> None:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)

    transfer = Transfer.objects.get(pk=post(a_deposit(), at=at))

    assert (transfer.effective_at, transfer.kind, transfer.ref, transfer.actor) == (at, "deposit", "org:1", "user:1")
    assert bytes(transfer.digest) == a_deposit().digest()
    assert transfer.xid > 0
    assert Leg.objects.filter(transfer=transfer).count() == 2


def test_locking_opens_the_books_it_names() -> None:
    lock_books([ESCROW, WALLET, FEES])

    assert rows("SELECT kind FROM ledger_books ORDER BY kind") == [("escrow",), ("fee_revenue",), ("wallet",)]
    assert count("ledger_balance") == 2  # the trigger limited_books_open_a_balance; fees are not limited


def test_posting_joins_the_transaction_of_its_caller() -> None:
    with transaction.atomic():
        post(a_deposit())
        transaction.set_rollback(True)

    assert count("ledger_transfer") == 0


def test_a_refused_post_leaves_its_callers_transaction_unusable() -> None:
    with transaction.atomic():
        with pytest.raises(InsufficientFunds):
            post(a_funding())
        with pytest.raises(transaction.TransactionManagementError):
            post(a_deposit())


def test_the_books_are_named_by_opaque_owners_only() -> None:
    for owner in ("Ada Lovelace", "ada@example.org", "worker:3;x", ""):
        lines = (Line(FEES, 5), Line(BooksAddress(BooksKind.SUSPENSE, owner, "USD"), -5))
        with pytest.raises(Exception, match="books_owner_is_opaque"), transaction.atomic():
            post(Draft("adj:1", TransferKind.ADJUSTMENT, "", lines, "user:1", "why", "user:2"))


def test_raw_errors_stay_errors_of_the_database() -> None:
    post(a_deposit())

    with pytest.raises(IntegrityError, match="one_transfer_per_key"), transaction.atomic():
        rows(
            "INSERT INTO ledger_transfer (key, kind, ref, effective_at, actor, reason, digest)"
            " SELECT key, kind, ref, effective_at, actor, reason, digest FROM ledger_transfer RETURNING 1"
        )

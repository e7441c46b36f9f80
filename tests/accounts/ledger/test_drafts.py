"""The posting rules: whose books, which key."""

import pytest

from accounts.ledger.drafts import fund_job, pay_answer, release_rest
from accounts.ledger.posting import Line
from tests.accounts.ledger.scenes import ESCROW, FEES, PAYABLE, UNIT, WALLET, usd


def test_funding_moves_from_wallet_to_escrow() -> None:
    draft = fund_job(7, 2, 1, usd(60))

    assert (draft.key, draft.ref) == ("fund:7:2", "job:7")
    assert draft.lines == (Line(WALLET, -60 * UNIT), Line(ESCROW, 60 * UNIT))


def test_an_answer_is_paid_from_escrow_with_the_platforms_fee() -> None:
    draft = pay_answer(101, 7, 3, 50_000, 10_000, "USD")

    assert (draft.key, draft.ref) == ("pay:101", "answer:101")
    assert draft.lines == (Line(ESCROW, -60_000), Line(PAYABLE, 50_000), Line(FEES, 10_000))


def test_a_payment_without_a_fee_has_no_empty_leg() -> None:
    assert pay_answer(101, 7, 3, 50_000, 0, "USD").lines == (Line(ESCROW, -50_000), Line(PAYABLE, 50_000))


@pytest.mark.parametrize(("pay", "fee"), [(0, 0), (-1, 5), (5, -1)])
def test_an_answer_is_never_paid_nothing_or_less(pay: int, fee: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        pay_answer(101, 7, 3, pay, fee, "USD")


def test_the_rest_goes_back_to_the_wallet() -> None:
    draft = release_rest(7, 1, 1, usd(5))

    assert (draft.key, draft.ref) == ("rel:7:1", "job:7")
    assert draft.lines == (Line(ESCROW, -5 * UNIT), Line(WALLET, 5 * UNIT))

"""One job's money from the deposit to the last cent. The same numbers stand in ``docs/explanation/money.md``."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.ledger.depositing import deposit
from accounts.ledger.drafts import fund_job, pay_answer, payable, release_rest
from accounts.ledger.money import Money, fee
from accounts.ledger.posting import post, post_many
from accounts.ledger.queries import TrialRow, balances, statement, trial_balance
from tests.accounts.ledger.scenes import (
    CLEARING,
    COSTS,
    ESCROW,
    FEES,
    PAYABLE,
    WALLET,
    findings,
    fire_deferred_checks,
    usd,
)

BOOKS = (CLEARING, COSTS, WALLET, ESCROW, PAYABLE, payable(4, "USD"), FEES)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "money.md"


@dataclass(frozen=True)
class Step:
    """What the books hold after a step, in the order of BOOKS."""

    title: str
    held: tuple[str, ...]


STORY = (
    Step("deposit", ("-97.00", "-3.00", "100.00", "0.00", "0.00", "0.00", "0.00")),
    Step("fund", ("-97.00", "-3.00", "40.00", "60.00", "0.00", "0.00", "0.00")),
    Step("pay three answers", ("-97.00", "-3.00", "40.00", "59.8416", "0.088", "0.044", "0.0264")),
    Step("release the rest", ("-97.00", "-3.00", "99.8416", "0.00", "0.088", "0.044", "0.0264")),
)


@pytest.mark.django_db
def test_a_job_from_deposit_to_release() -> None:
    deposit(1, usd(100), provider_ref="card-1", actor="user:1", cost=usd(3))
    assert held() == STORY[0].held

    post(fund_job(7, 1, 1, usd(60)))
    assert held() == STORY[1].held

    pay = usd(0.044).micros
    paid = [(101, 3), (102, 3), (103, 4)]
    drafts = [pay_answer(answer, 7, worker, pay, fee(pay, 2_000), "USD") for answer, worker in paid]
    first = post_many(drafts)
    assert held() == STORY[2].held

    assert post_many(drafts) == first
    assert held() == STORY[2].held

    post(release_rest(7, 1, 1, Money(59_841_600, "USD")))
    assert held() == STORY[3].held

    fire_deferred_checks()
    assert findings() == []
    assert [line.balance_micros for line in statement(ESCROW)] == [60_000_000, 59_947_200, 59_894_400, 59_841_600, 0]
    debited, credited = both_sides(trial_balance())
    assert debited == credited == 223_000_000


def held() -> tuple[str, ...]:
    """What BOOKS hold, as people write it."""
    found = balances(BOOKS)
    return tuple(str(found[address]).removesuffix(" USD") for address in BOOKS)


def both_sides(table: list[TrialRow]) -> tuple[int, int]:
    return sum(row.debit_micros for row in table), sum(row.credit_micros for row in table)


def test_the_page_tells_the_same_numbers() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for step in STORY:
        assert f"| {step.title} | {' | '.join(step.held)} |" in page

"""Money that arrived counts once."""

import pytest
from django.db import transaction

from accounts.ledger.depositing import deposit
from accounts.ledger.money import Money
from accounts.ledger.posting import KeyReused
from accounts.ledger.queries import balance
from tests.accounts.ledger.scenes import CLEARING, COSTS, WALLET, count, usd

pytestmark = pytest.mark.django_db


def test_the_wallet_gets_the_deposit_whole_and_the_provider_its_cost() -> None:
    deposit(1, usd(100), provider_ref="card-1", actor="user:1", cost=usd(3))

    assert (balance(WALLET), balance(COSTS), balance(CLEARING)) == (usd(100), usd(-3), usd(-97))


def test_a_deposit_reported_twice_counts_once() -> None:
    first = deposit(1, usd(100), provider_ref="card-1", actor="user:1")

    assert deposit(1, usd(100), provider_ref="card-1", actor="user:1") == first
    assert balance(WALLET) == usd(100)


def test_a_deposit_reported_with_another_amount_is_refused() -> None:
    deposit(1, usd(100), provider_ref="card-1", actor="user:1")

    with pytest.raises(KeyReused), transaction.atomic():
        deposit(1, usd(90), provider_ref="card-1", actor="user:1")


def test_a_cost_in_another_currency_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cost in JPY"):
        deposit(1, usd(100), provider_ref="card-1", actor="user:1", cost=Money(1, "JPY"))


@pytest.mark.parametrize("units", [0, -1])
def test_only_an_amount_above_zero_is_deposited(units: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        deposit(1, usd(units), provider_ref="card-1", actor="user:1")
    assert count("ledger_transfer") == 0

"""Take in money that arrived at a payment provider."""

from datetime import datetime

from django.db import transaction

from accounts.ledger.drafts import deposit_money
from accounts.ledger.money import Money
from accounts.ledger.posting import post


def deposit(
    organisation_id: int,
    money: Money,
    *,
    provider: str = "manual",
    provider_ref: str,
    actor: str,
    cost: Money | None = None,
    at: datetime | None = None,
) -> int:
    """Credit an organisation's wallet with what arrived (P1) and return the transfer's id.

    ``cost`` is what the provider keeps; the wallet gets ``money`` whole. One ``provider_ref`` counts once,
    however often it is reported; with another amount it raises KeyReused.
    """
    draft = deposit_money(organisation_id, money, provider=provider, provider_ref=provider_ref, actor=actor, cost=cost)
    with transaction.atomic():
        return post(draft, at=at)

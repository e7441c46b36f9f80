"""Balances and statements: how what the books hold is told."""

from typing import Any

from rest_framework import serializers

from accounts.ledger import queries as books
from accounts.ledger.money import Money
from accounts.ledger.posting import BooksAddress
from marketplace.api import ids
from marketplace.api.fields import Amount, Currency, Id, Out
from marketplace.api.pagination import LIMIT, PageQuery


class StatementQuery(PageQuery):
    """Which currency, and which page of the statement."""

    currency = Currency(required=False, help_text="USD unless told.")


class MovementOut(Out):
    """One movement of money."""

    transfer = Id("trf")
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    amount = Amount(help_text="What came in; negative: what went out.")
    balance = Amount(help_text="After it.")


class StatementOut(Out):
    """A balance and the movements that made it, oldest first."""

    currency = serializers.CharField()
    balance = Amount()
    available = Amount(help_text="Less what is set apart.")
    results = MovementOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it as `cursor` for the next page.")


def statement_facts(address: BooksAddress, asked: dict[str, Any]) -> dict[str, Any]:
    """What :class:`StatementOut` shows of these books. Raises NotFound on a bad cursor."""
    limit = asked.get("limit", LIMIT)
    after = ids.number("cur", asked["cursor"]) if "cursor" in asked else 0
    lines = books.statement(address, after=after, limit=limit + 1)
    more = len(lines) > limit
    lines = lines[:limit]
    return {
        "currency": address.currency,
        "balance": books.balance(address),
        "available": books.available(address),
        "results": [
            {
                "transfer": line.transfer_id,
                "kind": line.kind,
                "at": line.effective_at,
                "amount": Money(line.micros, address.currency),
                "balance": Money(line.balance_micros, address.currency),
            }
            for line in lines
        ],
        "next": ids.public("cur", lines[-1].leg_id) if more else None,
    }

"""What others may ask of the ledger. Amounts are credits minus debits, in micros.

Limited books answer from their balance row; recorded books (fees, clearing, costs) have none and are
summed from their legs through an index.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.ledger.models import BooksKind
from accounts.ledger.money import Money
from accounts.ledger.posting import BooksAddress


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One leg as its owner reads it, with what the books held after it."""

    leg_id: int
    transfer_id: int
    key: str
    kind: str
    ref: str
    effective_at: datetime
    micros: int
    balance_micros: int


@dataclass(frozen=True, slots=True)
class TrialRow:
    """All books of one kind and currency together; over a currency debits equal credits."""

    kind: BooksKind
    currency: str
    books: int
    debit_micros: int
    credit_micros: int


def balance(address: BooksAddress) -> Money:
    """What these books hold, held money included; zero for books that do not exist."""
    return balances([address])[address]


def balances(addresses: Iterable[BooksAddress]) -> dict[BooksAddress, Money]:
    """What each of these books holds, in one question."""
    return {address: Money(posted, address.currency) for address, (posted, _) in _amounts(addresses).items()}


def available(address: BooksAddress) -> Money:
    """What can be spent from these books: what they hold less what is set apart."""
    posted, held = _amounts([address])[address]
    return Money(posted - held, address.currency)


def statement(address: BooksAddress, *, after: int = 0, limit: int = 100) -> list[StatementLine]:
    """The legs of these books in the order they were written, from the one after leg ``after`` on."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, [address.kind, address.owner, address.currency, after, after, limit])
        return [StatementLine(*row) for row in cursor.fetchall()]


def trial_balance() -> list[TrialRow]:
    """Debits and credits of every kind and currency, summed from the legs."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIAL_BALANCE)
        return [TrialRow(BooksKind(kind), *rest) for kind, *rest in cursor.fetchall()]


def _amounts(addresses: Iterable[BooksAddress]) -> dict[BooksAddress, tuple[int, int]]:
    """Posted and held micros of each."""
    wanted = list(dict.fromkeys(addresses))
    kinds = [address.kind for address in wanted]
    owners = [address.owner for address in wanted]
    currencies = [address.currency for address in wanted]
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, [kinds, owners, currencies])
        return {wanted[n - 1]: (int(posted), int(held)) for n, posted, held in cursor.fetchall()}


_BALANCES = """
SELECT a.n, coalesce(s.posted_micros, (SELECT sum(amount_micros) FROM ledger_leg WHERE books_id = b.id), 0),
       coalesce(s.held_micros, 0)
  FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS a (kind, owner, currency, n)
  LEFT JOIN ledger_books b ON b.kind = a.kind AND b.owner = a.owner AND b.currency = a.currency
  LEFT JOIN ledger_balance s ON s.books_id = b.id"""
_STATEMENT = """
WITH these AS (SELECT id FROM ledger_books WHERE kind = %s AND owner = %s AND currency = %s)
SELECT l.id, t.id, t.key, t.kind, t.ref, t.effective_at, l.amount_micros,
       (sum(l.amount_micros) OVER (ORDER BY l.id)
         + (SELECT coalesce(sum(e.amount_micros), 0) FROM ledger_leg e, these WHERE e.books_id = these.id AND e.id <= %s)
       )::bigint
  FROM these JOIN ledger_leg l ON l.books_id = these.id JOIN ledger_transfer t ON t.id = l.transfer_id
 WHERE l.id > %s ORDER BY l.id LIMIT %s"""
_TRIAL_BALANCE = """
SELECT b.kind, b.currency, count(*),
       coalesce(sum(l.debits), 0)::bigint, coalesce(sum(l.credits), 0)::bigint
  FROM ledger_books b
  LEFT JOIN (SELECT books_id, -sum(amount_micros) FILTER (WHERE amount_micros < 0) AS debits,
                    sum(amount_micros) FILTER (WHERE amount_micros > 0) AS credits
               FROM ledger_leg GROUP BY books_id) l ON l.books_id = b.id
 GROUP BY b.kind, b.currency ORDER BY b.kind, b.currency"""

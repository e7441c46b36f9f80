"""Post transfers: the one way money moves.

A *draft* says what should happen; ``post`` makes it a transfer, once. Its key is the idempotency key:
the same key with the same content answers the first transfer, with other content it is refused. The
database judges (``sql/guards.sql``): this module only makes its verdicts readable. Posting joins the
caller's transaction. Books are locked in the order of their ids, once for a whole batch; a transaction
that posts more than once calls ``lock_books`` first with all the books it will touch.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.db import IntegrityError, transaction

from accounts import statements
from accounts.ledger.models import LIMITED_KINDS, BooksKind, TransferKind
from accounts.ledger.money import Money
from accounts.refusals import Refusal


class InsufficientFunds(Refusal):
    """There is not enough money in the books for this."""


class KeyReused(Refusal):
    """This key was used before for something else."""


class Unbalanced(Refusal):
    """What is taken and what is given must add up to zero in every currency."""


@dataclass(frozen=True, slots=True, order=True)
class BooksAddress:
    """Whose books, of which kind, in which currency; ``owner`` is opaque ("org:12"), never a name."""

    kind: BooksKind
    owner: str
    currency: str

    def __str__(self) -> str:
        return f"{self.kind} {self.owner} {self.currency}"

    @property
    def limited(self) -> bool:
        """Whether these books may never go below zero."""
        return self.kind in LIMITED_KINDS


@dataclass(frozen=True, slots=True)
class Line:
    """One side of a transfer, in micros of the books' currency: credit above zero, debit below."""

    books: BooksAddress
    micros: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A transfer to be. ``reverses`` is the id of the transfer that this one mirrors."""

    key: str
    kind: TransferKind
    ref: str
    lines: tuple[Line, ...]
    actor: str
    reason: str = ""
    approver: str | None = None
    reverses: int | None = None

    def digest(self) -> bytes:
        """SHA-256 of the content: the kind, then each leg as kind/owner/currency/micros, sorted, one a line."""
        legs = sorted(
            f"{line.books.kind}/{line.books.owner}/{line.books.currency}/{line.micros}" for line in self.lines
        )
        return hashlib.sha256("\n".join([self.kind, *legs]).encode()).digest()


def post(draft: Draft, *, at: datetime | None = None) -> int:
    """Make ``draft`` a transfer and return its id, or the id it got the first time.

    Raises InsufficientFunds, KeyReused, Unbalanced; then the caller's transaction cannot go on.
    """
    return post_many((draft,), at=at)[draft.key]


def post_many(drafts: Iterable[Draft], *, at: datetime | None = None) -> dict[str, int]:
    """Make all ``drafts`` transfers in one round trip, or none; return the transfer id of each key.

    Balances are judged after the whole batch: a draft may spend what another one of it brings.
    """
    batch = _distinct(drafts)
    if not batch:
        return {}
    with transaction.atomic(savepoint=False), refusals_of_the_database():
        rows = statements.cursor().execute(_POST, _arrays(batch, at)).fetchall()
        for key, _, same_content in rows:
            if not same_content:
                raise KeyReused(f"{key} was used before for something else.", key=key)
    return {key: transfer_id for key, transfer_id, _ in rows}


def lock_books(addresses: Iterable[BooksAddress]) -> None:
    """Lock these books' balances until the transaction ends, opening books that do not exist yet."""
    wanted = sorted(set(addresses))
    if wanted:
        statements.cursor().execute(_LOCK, _address_arrays(wanted))


@contextmanager
def refusals_of_the_database() -> Iterator[None]:
    """Turn the ledger's constraint errors into refusals; other errors pass."""
    try:
        yield
    except (psycopg.errors.CheckViolation, IntegrityError) as error:
        broken = error if isinstance(error, psycopg.Error) else error.__cause__
        if not isinstance(broken, psycopg.errors.CheckViolation):
            raise
        if broken.diag.constraint_name == "balance_covers_what_is_held":
            raise _insufficient(broken.diag.message_detail or "") from error
        raise


def _insufficient(detail: str) -> InsufficientFunds:
    """Read the trigger's detail ("escrow/job:7/USD/1500000"): which books, and how much is missing."""
    parts = detail.split("/")
    if len(parts) != 4:
        return InsufficientFunds()
    kind, owner, currency, missing = parts
    return InsufficientFunds(
        f"{kind} {owner} lacks {Money(int(missing), currency)}.",
        books=f"{kind} {owner} {currency}",
        missing_micros=int(missing),
        currency=currency,
    )


def _distinct(drafts: Iterable[Draft]) -> list[Draft]:
    """The drafts sorted by key, each key once, each balanced in itself."""
    by_key: dict[str, Draft] = {}
    for draft in drafts:
        first = by_key.setdefault(draft.key, draft)
        if first is not draft and first.digest() != draft.digest():
            raise KeyReused(f"{draft.key} stands twice in one batch, for different things.", key=draft.key)
        _check_balance(draft)
    return [by_key[key] for key in sorted(by_key)]


def _check_balance(draft: Draft) -> None:
    sums: dict[str, int] = {}
    for line in draft.lines:
        sums[line.books.currency] = sums.get(line.books.currency, 0) + line.micros
    if not sums or any(sums.values()) or not all(line.micros for line in draft.lines):
        raise Unbalanced(key=draft.key)


_POST = """SELECT draft_key, posted_as, same_content FROM ledger_post(
    %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bytea[],
    %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::timestamptz)"""
_LOCK = "SELECT ledger_lock_books(%s::text[], %s::text[], %s::text[])"


def _arrays(batch: Sequence[Draft], at: datetime | None) -> list[object]:
    """The parameters of ledger_post: legs name their draft and their books by position, from 1."""
    books: dict[BooksAddress, int] = {}
    leg_drafts: list[int] = []
    leg_books: list[int] = []
    leg_micros: list[int] = []
    for position, draft in enumerate(batch, 1):
        for line in draft.lines:
            leg_drafts.append(position)
            leg_books.append(books.setdefault(line.books, len(books) + 1))
            leg_micros.append(line.micros)
    heads = [
        [draft.key for draft in batch],
        [draft.kind for draft in batch],
        [draft.ref for draft in batch],
        [draft.reverses for draft in batch],
        [draft.actor for draft in batch],
        [draft.approver for draft in batch],
        [draft.reason for draft in batch],
        [draft.digest() for draft in batch],
    ]
    return [*heads, *_address_arrays(list(books)), leg_drafts, leg_books, leg_micros, at]


def _address_arrays(addresses: Sequence[BooksAddress]) -> list[list[str]]:
    return [
        [address.kind for address in addresses],
        [address.owner for address in addresses],
        [address.currency for address in addresses],
    ]

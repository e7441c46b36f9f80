"""Set money apart in limited books, and end that once: captured by a transfer, or void.

Every act here locks the books before it writes, so that a capture and a void of one hold queue up.
"""

from datetime import datetime

from django.db import connection, transaction

from accounts.ledger.models import BooksKind, HoldOutcome
from accounts.ledger.posting import BooksAddress, Draft, KeyReused, lock_books, post, refusals_of_the_database
from accounts.refusals import Refusal


class HoldEnded(Refusal):
    """This hold was captured or let go before."""


class CaptureExceedsHold(Refusal):
    """A capture takes from the hold's books no more than was held, before the hold expires."""


def place_hold(
    key: str,
    address: BooksAddress,
    micros: int,
    *,
    actor: str,
    ref: str = "",
    expires_at: datetime | None = None,
    at: datetime | None = None,
) -> int:
    """Set ``micros`` apart in the books at ``address`` and return the hold's id; a repeat returns the first.

    Raises InsufficientFunds, and KeyReused where the key stands for another hold.
    """
    with transaction.atomic(savepoint=False), refusals_of_the_database(), connection.cursor() as cursor:
        lock_books([address])
        cursor.execute(_PLACE, [key, micros, ref, actor, at, expires_at, address.kind, address.owner, address.currency])
        cursor.execute(_FIND_BY_KEY, [key])
        hold_id, kind, owner, currency, held = cursor.fetchone()
        if (BooksAddress(BooksKind(kind), owner, currency), held) != (address, micros):
            raise KeyReused(f"{key} was used before for another hold.", key=key)
    return int(hold_id)


def capture_hold(hold_id: int, draft: Draft, *, at: datetime | None = None) -> int:
    """End a hold by posting ``draft``, which takes at most what was held; the rest is free again.

    Returns the transfer's id, also for a repeat. Raises LookupError, HoldEnded, CaptureExceedsHold and
    whatever posting raises.
    """
    with transaction.atomic(savepoint=False), refusals_of_the_database():
        address, held, alive = _hold(hold_id, at)
        lock_books([address, *(line.books for line in draft.lines)])
        taken = -sum(line.micros for line in draft.lines if line.books == address)
        if not 0 < taken <= held:
            raise CaptureExceedsHold(held_micros=held, taken_micros=taken)
        if _end(hold_id, HoldOutcome.CAPTURED, draft.key, draft.actor, at) and not alive:
            raise CaptureExceedsHold("This hold has expired.", hold=hold_id)
        return post(draft, at=at)


def void_hold(hold_id: int, *, actor: str, at: datetime | None = None) -> None:
    """Let the held money go. A repeat does nothing; raises LookupError, and HoldEnded after a capture."""
    with transaction.atomic(savepoint=False):
        address, _, _ = _hold(hold_id, at)
        lock_books([address])
        _end(hold_id, HoldOutcome.VOID, None, actor, at)


def _hold(hold_id: int, at: datetime | None) -> tuple[BooksAddress, int, bool]:
    """Where it is held, how much, and whether it has not expired."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [at, hold_id])
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"there is no hold {hold_id}")
    kind, owner, currency, micros, alive = row
    return BooksAddress(BooksKind(kind), owner, currency), micros, alive


def _end(hold_id: int, outcome: HoldOutcome, transfer_key: str | None, actor: str, at: datetime | None) -> bool:
    """Write how the hold ended. False if it had ended in this very way before; raises HoldEnded if in another."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [hold_id, outcome, transfer_key, actor, at])
        if cursor.rowcount == 1:
            return True
        cursor.execute("SELECT outcome, transfer_key FROM ledger_hold_result WHERE hold_id = %s", [hold_id])
        if cursor.fetchone() != (outcome, transfer_key):
            raise HoldEnded(hold=hold_id)
    return False


_PLACE = """
INSERT INTO ledger_hold (key, books_id, amount_micros, ref, actor, created_at, expires_at)
SELECT %s, id, %s, %s, %s, coalesce(%s, clock_timestamp()), %s
  FROM ledger_books WHERE kind = %s AND owner = %s AND currency = %s
ON CONFLICT (key) DO NOTHING"""
_FIND_BY_KEY = """
SELECT h.id, b.kind, b.owner, b.currency, h.amount_micros
  FROM ledger_hold h JOIN ledger_books b ON b.id = h.books_id WHERE h.key = %s"""
_FIND = """
SELECT b.kind, b.owner, b.currency, h.amount_micros,
       coalesce(%s, clock_timestamp()) <= coalesce(h.expires_at, 'infinity')
  FROM ledger_hold h JOIN ledger_books b ON b.id = h.books_id WHERE h.id = %s"""
_END = """
INSERT INTO ledger_hold_result (hold_id, outcome, transfer_key, actor, ended_at)
VALUES (%s, %s, %s, %s, coalesce(%s, clock_timestamp()))
ON CONFLICT (hold_id) DO NOTHING"""

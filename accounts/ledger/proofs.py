"""Prove the books again, from the rows alone.

A *proof* is one statement that must hold and the query for its violations; a *finding* is a proof that
does not hold, with the first of them. The proofs of the ledger are I-1 to I-5 of
``docs/explanation/money.md``; other floors write theirs with the same types. The caller runs them all
on one snapshot (REPEATABLE READ, read only), so that nothing moves in between.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.backends.utils import CursorWrapper

SQL = Path(__file__).resolve().parent / "sql"


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement that must hold. ``sql`` returns its violations, each row telling which and how."""

    name: str
    sentence: str
    sql: str
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A proof that does not hold: its name and sentence, the columns and the first violations."""

    name: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def run(proofs: Iterable[Proof], cursor: CursorWrapper) -> list[Finding]:
    """Run the proofs in their order; return a finding for each that does not hold."""
    return [finding for proof in proofs if (finding := run_one(proof, cursor)) is not None]


def run_one(proof: Proof, cursor: CursorWrapper) -> Finding | None:
    """Run one proof. The query's own plan may sort and hash in memory; it reads each table once."""
    cursor.execute(proof.sql)
    rows = tuple(tuple(row) for row in cursor.fetchmany(proof.limit))
    if not rows:
        return None
    return Finding(proof.name, proof.sentence, tuple(column[0] for column in cursor.description), rows)


def guard_lines(cursor: CursorWrapper) -> list[str]:
    """The guards in force in this database, one line each, sorted."""
    cursor.execute(_GUARD_LINES)
    return sorted(line for (line,) in cursor.fetchall())


def accept_guards(cursor: CursorWrapper) -> None:
    """Write the guards in force into ``guards.txt``: only when a change of them is meant and reviewed."""
    (SQL / "guards.txt").write_text("\n".join(guard_lines(cursor)) + "\n", encoding="utf-8")


def guards_fingerprint(cursor: CursorWrapper) -> str:
    """SHA-256 over the guards in force: triggers, constraints, functions and grants of the ledger."""
    return hashlib.sha256("\n".join(guard_lines(cursor)).encode()).hexdigest()


_GUARD_LINES = (SQL / "guard_lines.sql").read_text(encoding="utf-8")
_EXPECTED_GUARDS = (SQL / "guards.txt").read_text(encoding="utf-8").strip()

_GUARDS_IN_FORCE = f"""
WITH expected AS (
  SELECT line FROM string_to_table($guards${_EXPECTED_GUARDS}$guards$, E'\\n') AS line
   WHERE line NOT LIKE 'touchstone\\_app may %' OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app')
), found AS ({_GUARD_LINES})
SELECT 'missing' AS what, line FROM (SELECT line FROM expected EXCEPT SELECT line FROM found) m
UNION ALL
SELECT 'not expected', line FROM (SELECT line FROM found EXCEPT SELECT line FROM expected) u"""  # noqa: S608  no text of a stranger

PROOFS = (
    Proof(
        "I-1 every transfer balances",
        "Every transfer has legs, and they add up to zero in each currency.",
        """SELECT t.id, t.key, l.currency, l.micros
             FROM ledger_transfer t
             LEFT JOIN (SELECT transfer_id, currency, sum(amount_micros) AS micros
                          FROM ledger_leg GROUP BY transfer_id, currency) l ON l.transfer_id = t.id
            WHERE l.micros IS DISTINCT FROM 0""",
    ),
    Proof(
        "I-1 every leg has its place",
        "Every leg belongs to a transfer and is in the currency of its books.",
        """SELECT l.id, l.transfer_id, l.books_id, l.currency
             FROM ledger_leg l
             LEFT JOIN ledger_transfer t ON t.id = l.transfer_id
             LEFT JOIN ledger_books b ON b.id = l.books_id AND b.currency = l.currency
            WHERE t.id IS NULL OR b.id IS NULL""",
    ),
    Proof(
        "I-2 guards in force",
        "The triggers, constraints, functions and grants that guard the ledger are those it was built with.",
        _GUARDS_IN_FORCE,
    ),
    Proof(
        "I-2 posted means sealed",
        "Every transfer still has the kind and the legs it was posted with.",
        """SELECT t.id, t.key
             FROM ledger_transfer t
             JOIN (SELECT l.transfer_id,
                          string_agg(format('%s/%s/%s/%s', b.kind, b.owner, b.currency, l.amount_micros), E'\\n'
                            ORDER BY format('%s/%s/%s/%s', b.kind, b.owner, b.currency, l.amount_micros) COLLATE "C")
                            AS legs
                     FROM ledger_leg l JOIN ledger_books b ON b.id = l.books_id GROUP BY l.transfer_id) c
               ON c.transfer_id = t.id
            WHERE t.digest <> sha256(convert_to(t.kind || E'\\n' || c.legs, 'UTF8'))""",
    ),
    Proof(
        "I-2 reversals mirror",
        "A reversal mirrors the transfer it reverses leg by leg, and a transfer is reversed at most once.",
        """SELECT t.id, t.key, l.books_id, l.micros
             FROM ledger_transfer t
             CROSS JOIN LATERAL (
               SELECT books_id, micros FROM (
                 SELECT books_id, amount_micros AS micros, 1 AS side FROM ledger_leg WHERE transfer_id = t.reverses_id
                 UNION ALL
                 SELECT books_id, -amount_micros, -1 FROM ledger_leg WHERE transfer_id = t.id) x
               GROUP BY books_id, micros HAVING sum(side) <> 0) l
            WHERE t.reverses_id IS NOT NULL
           UNION ALL
           SELECT reverses_id, string_agg(key, ' '), NULL, NULL FROM ledger_transfer
            WHERE reverses_id IS NOT NULL GROUP BY reverses_id HAVING count(*) > 1""",
    ),
    Proof(
        "I-3 one effect per key",
        "No two transfers and no two holds bear one key.",
        """SELECT 'transfer' AS what, key, count(*) FROM ledger_transfer GROUP BY key HAVING count(*) > 1
           UNION ALL
           SELECT 'hold', key, count(*) FROM ledger_hold GROUP BY key HAVING count(*) > 1""",
    ),
    Proof(
        "I-4 limited books",
        "Limited books, and only they, have a balance row; it equals the sum of their legs and covers what is held.",
        """SELECT b.id, b.kind, b.owner, b.currency, s.posted_micros, l.micros AS legs_micros, s.held_micros
             FROM ledger_books b
             LEFT JOIN ledger_balance s ON s.books_id = b.id
             LEFT JOIN (SELECT books_id, sum(amount_micros) AS micros FROM ledger_leg GROUP BY books_id) l
               ON l.books_id = b.id
            WHERE b.limited <> (s.books_id IS NOT NULL)
               OR b.limited AND (s.posted_micros <> coalesce(l.micros, 0) OR s.posted_micros < 0
                                 OR s.held_micros < 0 OR s.posted_micros < s.held_micros)""",
    ),
    Proof(
        "I-5 holds",
        "What books hold is the sum of their open holds.",
        """SELECT s.books_id, s.held_micros, coalesce(o.micros, 0) AS open_holds_micros
             FROM ledger_balance s
             LEFT JOIN (SELECT h.books_id, sum(h.amount_micros) AS micros
                          FROM ledger_hold h LEFT JOIN ledger_hold_result r ON r.hold_id = h.id
                         WHERE r.hold_id IS NULL GROUP BY h.books_id) o ON o.books_id = s.books_id
            WHERE s.held_micros <> coalesce(o.micros, 0)""",
    ),
    Proof(
        "I-5 captures",
        "A captured hold was captured by one transfer that took no more than was held.",
        """SELECT h.id, h.key, h.amount_micros, r.transfer_key, l.micros AS taken_micros
             FROM ledger_hold_result r
             JOIN ledger_hold h ON h.id = r.hold_id
             LEFT JOIN ledger_transfer t ON t.key = r.transfer_key
             LEFT JOIN LATERAL (SELECT -sum(amount_micros) AS micros FROM ledger_leg
                                 WHERE transfer_id = t.id AND books_id = h.books_id) l ON true
            WHERE r.outcome = 'captured' AND (l.micros BETWEEN 1 AND h.amount_micros) IS NOT TRUE""",
    ),
)
"""What must hold of the ledger at every commit."""

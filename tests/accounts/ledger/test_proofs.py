"""What the proofs find: each corruption, by name (T-L7, in small)."""

from typing import Any, LiteralString, cast

import psycopg
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts.ledger import proofs
from tests.databases import connect_as

CORRUPTIONS: dict[str, tuple[LiteralString, str]] = {
    "a leg is raised": (
        "UPDATE ledger_leg SET amount_micros = amount_micros + 1 WHERE id = (SELECT max(id) FROM ledger_leg)",
        "I-1 every transfer balances",
    ),
    "a transfer loses its legs": (
        "DELETE FROM ledger_leg WHERE transfer_id = (SELECT id FROM ledger_transfer WHERE key = 'pay:1')",
        "I-1 every transfer balances",
    ),
    "a payment goes to another worker": (
        (
            "UPDATE ledger_leg SET books_id = (SELECT id FROM ledger_books WHERE owner = 'worker:4')"
            " WHERE books_id = (SELECT id FROM ledger_books WHERE owner = 'worker:3')"
        ),
        "I-2 posted means sealed",
    ),
    "both sides of a payment are raised": (
        (
            "UPDATE ledger_leg SET amount_micros = amount_micros * 2"
            " WHERE transfer_id = (SELECT id FROM ledger_transfer WHERE key = 'pay:1')"
        ),
        "I-2 posted means sealed",
    ),
    "a deposit becomes a gift": (
        "UPDATE ledger_transfer SET kind = 'bonus' WHERE kind = 'deposit'",
        "I-2 posted means sealed",
    ),
    "a balance is raised": (
        (
            "UPDATE ledger_balance SET posted_micros = posted_micros + 1"
            " WHERE books_id = (SELECT id FROM ledger_books WHERE owner = 'worker:3')"
        ),
        "I-4 limited books",
    ),
    "a balance is lost": (
        "DELETE FROM ledger_balance WHERE books_id = (SELECT id FROM ledger_books WHERE owner = 'worker:3')",
        "I-4 limited books",
    ),
    "recorded books get a balance": (
        "INSERT INTO ledger_balance (books_id) SELECT id FROM ledger_books WHERE kind = 'fee_revenue'",
        "I-4 limited books",
    ),
    "held money is let go": ("UPDATE ledger_balance SET held_micros = 0", "I-5 holds"),
    "a captured hold shrinks": ("UPDATE ledger_hold SET amount_micros = 1 WHERE key = 'ended'", "I-5 captures"),
    "a leg changes its books' currency": (
        (
            "ALTER TABLE ledger_leg DROP CONSTRAINT leg_is_in_the_currency_of_its_books;"
            " UPDATE ledger_leg SET currency = 'EUR'"
        ),
        "I-1 every leg has its place",
    ),
    "a key is doubled": (
        (
            "ALTER TABLE ledger_transfer DROP CONSTRAINT one_transfer_per_key CASCADE;"
            " UPDATE ledger_transfer SET key = 'pay:1' WHERE key = 'pay:2'"
        ),
        "I-3 one effect per key",
    ),
    "a reversal does not mirror": (
        (
            "UPDATE ledger_transfer SET kind = 'reversal', approver = 'user:2', reason = 'why',"
            " reverses_id = (SELECT id FROM ledger_transfer WHERE key = 'pay:1') WHERE key = 'pay:2'"
        ),
        "I-2 reversals mirror",
    ),
}
LOOSENED: tuple[LiteralString, ...] = (
    "ALTER TABLE ledger_leg DISABLE TRIGGER legs_move_balances",
    "ALTER TABLE ledger_transfer DISABLE TRIGGER USER",
    "DROP TRIGGER legs_come_once_and_balanced ON ledger_leg",
    "CREATE OR REPLACE FUNCTION ledger_seal_legs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "ALTER TABLE ledger_balance DROP CONSTRAINT balance_covers_what_is_held",
    "ALTER TABLE ledger_transfer DROP CONSTRAINT one_transfer_per_key CASCADE",
    "GRANT UPDATE ON ledger_balance TO touchstone_app",
    "GRANT DELETE ON ledger_leg TO PUBLIC",
    "GRANT EXECUTE ON FUNCTION ledger_move_balances() TO touchstone_app",
    "ALTER FUNCTION ledger_move_balances() SET search_path = pg_temp",
    "CREATE TRIGGER more BEFORE INSERT ON ledger_leg FOR EACH ROW EXECUTE FUNCTION ledger_stamp_transfer()",
)


TABLES: tuple[LiteralString, ...] = ("books", "transfer", "leg", "balance", "hold", "hold_result")


def found_by(owner: psycopg.Connection[Any]) -> list[str]:
    """The names of the proofs that do not hold, as this connection sees it."""
    cursor = cast("CursorWrapper", owner.cursor())  # the same three methods
    found = proofs.run(proofs.PROOFS, cursor)
    assert all(finding.rows and finding.columns for finding in found)
    return [finding.name for finding in found]


def test_nothing_is_found_in_sound_books(settled_books: None) -> None:
    with connect_as("owner") as owner:
        assert found_by(owner) == []


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_it_is_found_that(corruption: str, settled_books: None) -> None:
    sql, name = CORRUPTIONS[corruption]
    with connect_as("owner") as owner, owner.transaction(force_rollback=True):
        for table in TABLES:
            owner.execute(f"ALTER TABLE ledger_{table} DISABLE TRIGGER USER")
        owner.execute(sql)

        assert name in found_by(owner)


@pytest.mark.parametrize("change", LOOSENED)
def test_a_guard_that_was_loosened_is_found(change: LiteralString, settled_books: None) -> None:
    with connect_as("owner") as owner, owner.transaction(force_rollback=True):
        owner.execute(change)

        assert found_by(owner) == ["I-2 guards in force"]


@pytest.mark.django_db
def test_the_guards_are_those_that_were_reviewed() -> None:
    """When a guard is meant to change: look at the difference, then let ``proofs.accept_guards`` write the file."""
    with connection.cursor() as cursor:
        found = proofs.guard_lines(cursor)

        assert found == (proofs.SQL / "guards.txt").read_text(encoding="utf-8").splitlines()
        assert len(proofs.guards_fingerprint(cursor)) == 64


@pytest.mark.django_db
def test_a_finding_shows_the_first_violations_only() -> None:
    proof = proofs.Proof("numbers", "There are no numbers.", "SELECT n FROM generate_series(1, 100) n", limit=3)
    with connection.cursor() as cursor:
        assert proofs.run([proof], cursor) == [
            proofs.Finding("numbers", "There are no numbers.", ("n",), ((1,), (2,), (3,)))
        ]

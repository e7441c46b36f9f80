"""T-L1: everything that nobody may do to the ledger, tried as the application's role and as the owner.

Each operation is one line below: its name, the rule that refuses the owner, and the SQL. The
application's role is refused by the same rule or has not even the right. Nothing may have changed.
"""

from typing import Any

import psycopg
import pytest

from tests.accounts.ledger.scenes import UNIT
from tests.databases import connect_as

HEAD = """INSERT INTO ledger_transfer (key, kind, ref, effective_at, actor, approver, reason, digest, reverses_id)
VALUES ('bad', 'adjustment', '', now(), 'user:1', 'user:2', 'why', sha256('x'), NULL)"""
REVERSAL = HEAD.replace("'adjustment'", "'reversal'")
FUNDING = "(SELECT id FROM ledger_transfer WHERE key = 'fund:7:1')"
PAYMENT = "(SELECT id FROM ledger_transfer WHERE key = 'pay:1')"
REVERSED = "(SELECT id FROM ledger_transfer WHERE key = 'pay:2')"
BAD = "(SELECT id FROM ledger_transfer WHERE key = 'bad')"
OPEN_HOLD = "(SELECT id FROM ledger_hold WHERE key = 'open')"
STALE_HOLD = "(SELECT id FROM ledger_hold WHERE key = 'stale')"
ENDED_HOLD = "(SELECT id FROM ledger_hold WHERE key = 'ended')"
WALLET_ID = "(SELECT id FROM ledger_books WHERE kind = 'wallet' AND owner = 'org:1')"
ESCROW_ID = "(SELECT id FROM ledger_books WHERE kind = 'escrow' AND owner = 'job:7')"
FEES_ID = "(SELECT id FROM ledger_books WHERE kind = 'fee_revenue')"


def legs(transfer: str, *lines: tuple[str, int], currency: str = "USD") -> str:
    """One statement that adds legs."""
    values = ", ".join(f"({transfer}, {books}, '{currency}', {micros})" for books, micros in lines)
    return f"INSERT INTO ledger_leg (transfer_id, books_id, currency, amount_micros) VALUES {values}"


def moves(*lines: tuple[str, int]) -> str:
    """A whole transfer: header, then legs."""
    return f"{HEAD}; {legs(BAD, *lines)}"


def hold(books: str, micros: int, key: str = "more") -> str:
    return (
        "INSERT INTO ledger_hold (key, books_id, amount_micros, ref, actor)"
        f" VALUES ('{key}', {books}, {micros}, '', 'user:1')"
    )


def result(hold_id: str, outcome: str, transfer: str) -> str:
    return (
        "INSERT INTO ledger_hold_result (hold_id, outcome, transfer_key, actor)"
        f" VALUES ({hold_id}, '{outcome}', {transfer}, 'user:1')"
    )


def opens(kind: str, owner: str = "org:9", currency: str = "USD") -> str:
    return f"INSERT INTO ledger_books (kind, owner, currency) VALUES ('{kind}', '{owner}', '{currency}')"


BALANCED = ((ESCROW_ID, -5), (FEES_ID, 5))
NEW_LEGS = legs(BAD, *BALANCED)
OPERATIONS: dict[str, tuple[str, str]] = {
    # What is posted never changes.
    "edit the amount of a leg": ("legs_never_change", "UPDATE ledger_leg SET amount_micros = amount_micros * 10"),
    "move a leg to another transfer": ("legs_never_change", f"UPDATE ledger_leg SET transfer_id = {FUNDING}"),
    "delete a leg": ("legs_never_change", f"DELETE FROM ledger_leg WHERE transfer_id = {PAYMENT}"),
    "empty the legs": ("legs_never_change", "TRUNCATE ledger_leg"),
    "edit a transfer": ("transfers_never_change", "UPDATE ledger_transfer SET reason = 'other'"),
    "give a transfer a new key": ("transfers_never_change", "UPDATE ledger_transfer SET key = key || '!'"),
    "delete a transfer": ("transfers_never_change", f"DELETE FROM ledger_transfer WHERE id = {PAYMENT}"),
    "empty the transfers": ("transfers_never_change", "TRUNCATE ledger_transfer CASCADE"),
    "overwrite a transfer by its key": (
        "transfers_never_change",
        HEAD.replace("'bad'", "'pay:1'") + " ON CONFLICT (key) DO UPDATE SET reason = 'other'",
    ),
    "merge into the legs": (
        "legs_never_change",
        (
            "MERGE INTO ledger_leg l USING ledger_transfer t ON t.id = l.transfer_id"
            " WHEN MATCHED THEN UPDATE SET amount_micros = 1"
        ),
    ),
    "give books to another owner": ("books_never_change", "UPDATE ledger_books SET owner = 'org:2'"),
    "delete books": ("books_never_change", "DELETE FROM ledger_books"),
    "empty the books": ("books_never_change", "TRUNCATE ledger_books CASCADE"),
    "edit a hold": ("holds_never_change", "UPDATE ledger_hold SET amount_micros = 1"),
    "delete a hold": ("holds_never_change", "DELETE FROM ledger_hold"),
    "empty the holds": ("holds_never_change", "TRUNCATE ledger_hold CASCADE"),
    "edit how a hold ended": ("hold_results_never_change", "UPDATE ledger_hold_result SET actor = 'user:2'"),
    "forget how a hold ended": ("hold_results_never_change", "DELETE FROM ledger_hold_result"),
    "empty how holds ended": ("hold_results_never_change", "TRUNCATE ledger_hold_result"),
    # Balances follow the legs.
    "raise a balance": ("balances_follow_the_legs", "UPDATE ledger_balance SET posted_micros = posted_micros + 1"),
    "free held money": ("balances_follow_the_legs", "UPDATE ledger_balance SET held_micros = 0"),
    "write a balance row": ("balances_follow_the_legs", f"INSERT INTO ledger_balance (books_id) VALUES ({FEES_ID})"),
    "delete a balance": ("balances_are_never_removed", "DELETE FROM ledger_balance"),
    "empty the balances": ("balances_are_never_removed", "TRUNCATE ledger_balance"),
    "borrow the trigger that moves balances": (
        "",
        (
            "CREATE TEMP TABLE mine (books_id bigint, amount_micros bigint);"
            "CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS added"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_move_balances();"
            f"INSERT INTO mine VALUES ({WALLET_ID}, 1000000)"
        ),
    ),
    "borrow the trigger that ends holds": (
        "",
        (
            "CREATE TEMP TABLE mine (hold_id bigint);"
            "CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS ended"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_end_holds();"
            f"INSERT INTO mine VALUES ({OPEN_HOLD})"
        ),
    ),
    "borrow the trigger that places holds": (
        "",
        (
            "CREATE TEMP TABLE mine (books_id bigint, amount_micros bigint);"
            "CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS placed"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_place_holds();"
            f"INSERT INTO mine VALUES ({WALLET_ID}, -1000)"
        ),
    ),
    "borrow the trigger that opens balances": (
        "",
        (
            "CREATE TEMP TABLE mine (id bigint, limited boolean);"
            "CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS opened"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_open_balances();"
            f"INSERT INTO mine VALUES ({FEES_ID}, true)"
        ),
    ),
    # Transfers balance, and are sealed.
    "post an unbalanced transfer": ("legs_balance", moves((ESCROW_ID, -5), (FEES_ID, 4))),
    "post one leg": ("legs_balance", moves((FEES_ID, 5))),
    "post a transfer without legs": ("transfer_balances", HEAD),
    "balance dollars with nothing moved": ("leg_moves_something", moves((ESCROW_ID, -5), (FEES_ID, 5), (FEES_ID, 0))),
    "add a balanced pair to an old transfer": ("posted_means_sealed", legs(PAYMENT, *BALANCED)),
    "add a pair to a transfer of this transaction": ("posted_means_sealed", f"{moves(*BALANCED)}; {NEW_LEGS}"),
    "add a leg after an early check": (
        "posted_means_sealed",
        f"{moves(*BALANCED)}; SET CONSTRAINTS ALL IMMEDIATE; {legs(BAD, (FEES_ID, 7))}",
    ),
    "add a leg to no transfer": ("leg_belongs_to_a_transfer", legs("-1", *BALANCED)),
    "post in another currency than the books'": (
        "leg_is_in_the_currency_of_its_books",
        f"{HEAD}; {legs(BAD, *BALANCED, currency='EUR')}",
    ),
    # Limits.
    "overdraw an escrow": ("balance_covers_what_is_held", moves((ESCROW_ID, -900 * UNIT), (FEES_ID, 900 * UNIT))),
    "spend what is held": ("balance_covers_what_is_held", moves((WALLET_ID, -36 * UNIT), (FEES_ID, 36 * UNIT))),
    "open a wallet without a limit": (
        "",
        "INSERT INTO ledger_books (kind, owner, currency, limited) VALUES ('wallet', 'org:9', 'USD', false)",
    ),
    # Once.
    "use a key twice": ("one_transfer_per_key", HEAD.replace("'bad'", "'pay:1'")),
    "open the same books twice": ("one_books_per_owner_kind_and_currency", opens("escrow", "job:7")),
    "reverse a transfer twice": (
        "one_reversal_per_transfer",
        REVERSAL.replace("NULL)", f"{REVERSED})"),
    ),
    "reverse with other legs": (
        "reversal_mirrors_the_original",
        f"{REVERSAL.replace('NULL)', f'{PAYMENT})')}; {NEW_LEGS}",
    ),
    "reverse nothing": ("only_a_reversal_reverses", REVERSAL),
    "reverse under another name": ("only_a_reversal_reverses", HEAD.replace("NULL)", f"{PAYMENT})")),
    "correct alone": ("a_correction_has_two_people_and_a_reason", HEAD.replace("'user:2'", "NULL")),
    "approve one's own correction": ("a_correction_has_two_people_and_a_reason", HEAD.replace("'user:2'", "'user:1'")),
    "correct without a reason": ("a_correction_has_two_people_and_a_reason", HEAD.replace("'why'", "''")),
    "post without a key": ("transfer_has_a_key_and_an_actor", HEAD.replace("'bad'", "''")),
    "post as nobody": ("transfer_has_a_key_and_an_actor", HEAD.replace("'user:1'", "''")),
    "post a kind that does not exist": ("transfer_kind_is_known", HEAD.replace("'adjustment'", "'gift'")),
    "post with a digest that is none": ("digest_is_a_sha256", HEAD.replace("sha256('x')", "'x'")),
    "open books of a kind that does not exist": ("books_kind_is_known", opens("pocket")),
    "open books under a person's name": ("books_owner_is_opaque", opens("wallet", "Ada Lovelace")),
    "open books in no currency": ("books_currency_is_three_letters", opens("wallet", currency="usd")),
    # Holds.
    "hold more than there is": ("balance_covers_what_is_held", hold(WALLET_ID, 500 * UNIT)),
    "hold on recorded books": ("holds_are_on_limited_books", hold(FEES_ID, 1)),
    "hold less than nothing": ("hold_is_of_something", hold(WALLET_ID, -5)),
    "use the key of a hold twice": ("one_hold_per_key", hold(WALLET_ID, 1, key="open")),
    "end a hold twice": ("ledger_hold_result_pkey", result(ENDED_HOLD, "void", "NULL")),
    "capture a hold by nothing": ("a_hold_is_captured_by_a_transfer_or_void", result(OPEN_HOLD, "captured", "NULL")),
    "capture a hold by an earlier transfer": (
        "capture_takes_what_was_held_at_most",
        result(OPEN_HOLD, "captured", "'fund:8:1'"),
    ),
    "capture more than was held": (
        "capture_takes_what_was_held_at_most",
        f"{result(OPEN_HOLD, 'captured', "'bad'")}; {moves((WALLET_ID, -6 * UNIT), (FEES_ID, 6 * UNIT))}",
    ),
    "capture a hold after it expired": (
        "capture_takes_what_was_held_at_most",
        f"{result(STALE_HOLD, 'captured', "'bad'")}; {moves((WALLET_ID, -UNIT), (FEES_ID, UNIT))}",
    ),
    "capture two holds by one transfer": (
        "one_transfer_captures_one_hold",
        result(OPEN_HOLD, "captured", "'fund:9:1'"),
    ),
}


def everything(ledger: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """All rows of the ledger, as text."""
    tables = ("books", "transfer", "leg", "balance", "hold", "hold_result")
    return [
        row
        for table in tables
        for row in ledger.execute(f"SELECT '{table}', t::text FROM ledger_{table} t ORDER BY 2").fetchall()
    ]


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nobody_can(operation: str, role: str, settled_books: None) -> None:
    rule, sql = OPERATIONS[operation]
    with connect_as("owner") as owner, connect_as(role) as actor:
        before = everything(owner)

        with pytest.raises(psycopg.Error) as refused, actor.transaction():
            actor.execute(sql)

        no_right = isinstance(refused.value, psycopg.errors.InsufficientPrivilege)
        if rule and not (role == "app" and no_right):
            assert refused.value.diag.constraint_name == rule
        elif not rule:
            assert no_right or isinstance(refused.value, psycopg.errors.GeneratedAlways)
        assert everything(owner) == before


@pytest.mark.parametrize("role", ["app", "owner"])
def test_a_forged_transaction_id_is_overwritten(role: str, settled_books: None) -> None:
    forged = HEAD.replace("(key,", "(xid, key,").replace("('bad'", "('1', 'bad'")
    with connect_as(role) as actor, actor.transaction(force_rollback=True):
        actor.execute(f"{forged}; {NEW_LEGS}")

        stamped = actor.execute("SELECT xid = pg_current_xact_id() FROM ledger_transfer WHERE key = 'bad'").fetchone()

        assert stamped == (True,)  # the trigger transfer_is_stamped


@pytest.mark.parametrize("role", ["app", "owner"])
def test_the_repeat_of_a_key_is_ignored(role: str, settled_books: None) -> None:
    with connect_as("owner") as owner, connect_as(role) as actor:
        before = everything(owner)

        posted = actor.execute(
            """SELECT same_content FROM ledger_post(ARRAY['pay:1'], ARRAY['pay'], ARRAY[''], ARRAY[NULL]::bigint[],
            ARRAY['x'], ARRAY[NULL]::text[], ARRAY[''], ARRAY[sha256('other')], ARRAY['escrow', 'fee_revenue'],
            ARRAY['job:7', 'platform'], ARRAY['USD', 'USD'], ARRAY[1, 1], ARRAY[1, 2], ARRAY[-5, 5]::bigint[], NULL)"""
        ).fetchall()

        assert posted == [(False,)]
        assert everything(owner) == before


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("posted_micros = held_micros - 1", "balance_covers_what_is_held"),
        ("posted_micros = posted_micros - held_micros - 1, held_micros = -1", "held_is_never_negative"),
    ],
)
def test_the_checks_have_the_last_word_where_a_trigger_is_off(change: str, rule: str, settled_books: None) -> None:
    with connect_as("owner") as owner, owner.transaction(force_rollback=True):
        owner.execute("ALTER TABLE ledger_balance DISABLE TRIGGER balances_follow_the_legs")

        with pytest.raises(psycopg.errors.CheckViolation) as refused, owner.transaction():
            owner.execute(f"UPDATE ledger_balance SET {change} WHERE books_id = {ESCROW_ID}")

        assert refused.value.diag.constraint_name == rule


def test_legs_torn_out_of_an_old_transfer_cannot_be_replaced(settled_books: None) -> None:
    with connect_as("owner") as owner, owner.transaction(force_rollback=True):
        owner.execute("ALTER TABLE ledger_leg DISABLE TRIGGER legs_never_change")
        owner.execute(f"DELETE FROM ledger_leg WHERE transfer_id = {PAYMENT}")

        with pytest.raises(psycopg.errors.RestrictViolation) as refused, owner.transaction():
            owner.execute(legs(PAYMENT, *BALANCED))

        assert refused.value.diag.constraint_name == "posted_means_sealed"


def test_a_set_of_books_has_one_currency_for_ever(settled_books: None) -> None:
    """``books_are_of_one_currency`` is what a leg's foreign key leans on; without it the key could not exist."""
    with connect_as("owner") as owner, pytest.raises(psycopg.errors.DependentObjectsStillExist):
        owner.execute("ALTER TABLE ledger_books DROP CONSTRAINT books_are_of_one_currency")

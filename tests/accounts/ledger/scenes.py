"""Small valid scenes for the ledger's tests: organisation 1 pays, job 7 spends, workers 3 and 4 earn."""

from typing import Any

from django.db import connection

from accounts.ledger import drafts, proofs
from accounts.ledger.models import BooksKind
from accounts.ledger.money import Money
from accounts.ledger.posting import BooksAddress, Draft

UNIT = 1_000_000
WALLET = drafts.wallet(1, "USD")
ESCROW = drafts.escrow(7, "USD")
PAYABLE = drafts.payable(3, "USD")
FEES = drafts.platform(BooksKind.FEE_REVENUE, "USD")
COSTS = drafts.platform(BooksKind.PROCESSING_COST, "USD")
CLEARING = BooksAddress(BooksKind.CLEARING, "provider:manual", "USD")


def usd(units: float) -> Money:
    """``units`` dollars."""
    return Money(round(units * UNIT), "USD")


def a_deposit(units: float = 100, *, ref: str = "first", organisation: int = 1) -> Draft:
    return drafts.deposit_money(organisation, usd(units), provider="manual", provider_ref=ref, actor="user:1")


def a_funding(units: float = 60, *, job: int = 7, revision: int = 1, organisation: int = 1) -> Draft:
    return drafts.fund_job(job, revision, organisation, usd(units), actor="user:1")


def a_payment(answer: int = 1, *, pay: float = 0.05, fee: float = 0.01, job: int = 7, worker: int = 3) -> Draft:
    return drafts.pay_answer(answer, job, worker, usd(pay).micros, usd(fee).micros, "USD")


def findings() -> list[proofs.Finding]:
    """What the proofs of the ledger find in the current database."""
    with connection.cursor() as cursor:
        return proofs.run(proofs.PROOFS, cursor)


def rows(sql: str, *values: str | int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def count(table: str) -> int:
    return int(rows(f"SELECT count(*) FROM {table}")[0][0])


def fire_deferred_checks() -> None:
    """What a commit would check, checked now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")

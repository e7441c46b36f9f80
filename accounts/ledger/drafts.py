"""Drafts for the posting rules: who pays whom, under which key.

The rules (P1 to P22) stand in ``docs/explanation/money.md``. The key of a draft names the event, not
the attempt, so that whoever repeats or races it pays once.
"""

from accounts.ledger.models import BooksKind, TransferKind
from accounts.ledger.money import Money
from accounts.ledger.posting import BooksAddress, Draft, Line

PLATFORM = "platform"
"""The owner of the platform's own books, and the actor of what runs by itself."""


def wallet(organisation_id: int, currency: str) -> BooksAddress:
    """What an organisation has paid in and not yet spent."""
    return BooksAddress(BooksKind.WALLET, f"org:{organisation_id}", currency)


def escrow(job_id: int, currency: str) -> BooksAddress:
    """A job's budget, set apart for its workers."""
    return BooksAddress(BooksKind.ESCROW, f"job:{job_id}", currency)


def payable(worker_id: int, currency: str) -> BooksAddress:
    """What a worker has earned and not yet been paid out."""
    return BooksAddress(BooksKind.PAYABLE, f"worker:{worker_id}", currency)


def platform(kind: BooksKind, currency: str) -> BooksAddress:
    """The platform's own books of a kind (fees, costs)."""
    return BooksAddress(kind, PLATFORM, currency)


def deposit_money(
    organisation_id: int, money: Money, *, provider: str, provider_ref: str, actor: str, cost: Money | None = None
) -> Draft:
    """P1: money arrived at a provider: into the wallet whole; what the provider keeps is our cost."""
    clearing = BooksAddress(BooksKind.CLEARING, f"provider:{provider}", money.currency)
    lines = _move(clearing, wallet(organisation_id, money.currency), money)
    if cost is not None and cost.micros:
        if cost.currency != money.currency:
            raise ValueError(f"a deposit in {money.currency} cannot have a cost in {cost.currency}")
        lines += _move(platform(BooksKind.PROCESSING_COST, cost.currency), clearing, cost)
    key = f"dep:{provider}:{provider_ref}"
    return Draft(key, TransferKind.DEPOSIT, f"org:{organisation_id}", lines, actor)


def fund_job(job_id: int, revision: int, organisation_id: int, money: Money, *, actor: str = PLATFORM) -> Draft:
    """P3: a job was published, or its budget raised: wallet to escrow."""
    lines = _move(wallet(organisation_id, money.currency), escrow(job_id, money.currency), money)
    return Draft(f"fund:{job_id}:{revision}", TransferKind.FUND, f"job:{job_id}", lines, actor)


def pay_answer(  # noqa: PLR0917  the order of the story: answer, job, worker, pay, fee
    answer_id: int,
    job_id: int,
    worker_id: int,
    pay_micros: int,
    fee_micros: int,
    currency: str,
    *,
    actor: str = PLATFORM,
) -> Draft:
    """P4: an answer is paid out of escrow: to the worker, and the platform's fee.

    Raises ValueError where neither is above zero: an unpaid answer has no transfer.
    """
    if min(pay_micros, fee_micros) < 0 or pay_micros + fee_micros == 0:
        raise ValueError("an answer is paid an amount above zero")
    parts = (
        (escrow(job_id, currency), -pay_micros - fee_micros),
        (payable(worker_id, currency), pay_micros),
        (platform(BooksKind.FEE_REVENUE, currency), fee_micros),
    )
    lines = tuple(Line(books, micros) for books, micros in parts if micros)
    return Draft(f"pay:{answer_id}", TransferKind.PAY, f"answer:{answer_id}", lines, actor)


def release_rest(job_id: int, n: int, organisation_id: int, money: Money, *, actor: str = PLATFORM) -> Draft:
    """P9: what a job no longer needs goes back: escrow to wallet."""
    lines = _move(escrow(job_id, money.currency), wallet(organisation_id, money.currency), money)
    return Draft(f"rel:{job_id}:{n}", TransferKind.RELEASE, f"job:{job_id}", lines, actor)


def give_up_balance(worker_id: int, money: Money, *, actor: str) -> Draft:
    """P22: a worker leaves and gives up what they earned: payable to unclaimed. A worker leaves once."""
    unclaimed = platform(BooksKind.UNCLAIMED, money.currency)
    lines = _move(payable(worker_id, money.currency), unclaimed, money)
    return Draft(f"dorm:{worker_id}:{money.currency}", TransferKind.DORMANCY, f"worker:{worker_id}", lines, actor)


def _move(debited: BooksAddress, credited: BooksAddress, money: Money) -> tuple[Line, ...]:
    if money.micros <= 0:
        raise ValueError("only an amount above zero can move")
    return (Line(debited, -money.micros), Line(credited, money.micros))

"""The ledger's tables. Only ``accounts.ledger`` may import them; everybody else asks ``queries``.

One *transfer* is a header and two or more *legs*; a leg is one signed line (credit above zero) in
somebody's *books*. Nothing here is ever changed or deleted: a correction is a new transfer. The
rules that a table definition cannot say (legs balance, posted means sealed, who may write what)
are triggers and grants in ``sql/``; ``docs/explanation/money.md`` tells them in plain words.
"""

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from .fields import TransactionIdField


class BooksKind(models.TextChoices):
    """What a set of books is for."""

    BANK = "bank"
    CLEARING = "clearing"
    WALLET = "wallet"
    ESCROW = "escrow"
    PAYABLE = "payable"
    PAYOUT_TRANSIT = "payout_transit"
    REFUND_TRANSIT = "refund_transit"
    TAX_WITHHELD = "tax_withheld"
    UNCLAIMED = "unclaimed"
    FEE_REVENUE = "fee_revenue"
    PROCESSING_COST = "processing_cost"
    GOODWILL = "goodwill"
    BAD_DEBT = "bad_debt"
    RECEIVABLE = "receivable"
    FX = "fx"
    ROUNDING = "rounding"
    SUSPENSE = "suspense"


LIMITED_KINDS = (
    BooksKind.WALLET,
    BooksKind.ESCROW,
    BooksKind.PAYABLE,
    BooksKind.PAYOUT_TRANSIT,
    BooksKind.REFUND_TRANSIT,
    BooksKind.TAX_WITHHELD,
)
"""Money we hold for somebody: these books never go below zero."""

DEBIT_KINDS = (
    BooksKind.BANK,
    BooksKind.CLEARING,
    BooksKind.PROCESSING_COST,
    BooksKind.GOODWILL,
    BooksKind.BAD_DEBT,
    BooksKind.RECEIVABLE,
)
"""Assets and expenses: what they hold is shown as debits minus credits."""


class TransferKind(models.TextChoices):
    """Which posting rule made the transfer (P1 to P22 of ``docs/explanation/money.md``)."""

    DEPOSIT = "deposit"
    SETTLEMENT = "settlement"
    FUND = "fund"
    PAY = "pay"
    BONUS = "bonus"
    RELEASE = "release"
    REFUND = "refund"
    REFUND_OUTCOME = "refund_outcome"
    REVERSAL = "reversal"
    CLAWBACK = "clawback"
    PAYOUT = "payout"
    PAYOUT_OUTCOME = "payout_outcome"
    CHARGEBACK = "chargeback"
    CHARGEBACK_OUTCOME = "chargeback_outcome"
    TAX_REMITTANCE = "tax_remittance"
    EXCHANGE = "exchange"
    ADJUSTMENT = "adjustment"
    DORMANCY = "dormancy"


class HoldOutcome(models.TextChoices):
    """How a hold ended."""

    CAPTURED = "captured"
    VOID = "void"


class Books(models.Model):
    """One party's books of one kind in one currency: what accountants call a ledger account.

    ``owner`` is an opaque party or job ("org:12", "job:7", "worker:3", "platform"): no person's data
    stands in the ledger, so that erasing a person touches nothing here.
    """

    kind = models.TextField(choices=BooksKind.choices)
    owner = models.TextField()
    currency = models.CharField(max_length=3)
    normal_side = models.GeneratedField(
        expression=Case(When(kind__in=DEBIT_KINDS, then=Value("debit")), default=Value("credit")),
        output_field=models.TextField(),
        db_persist=True,
    )
    limited = models.GeneratedField(
        expression=Case(When(kind__in=LIMITED_KINDS, then=Value(True)), default=Value(False)),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        db_table = "ledger_books"
        verbose_name = verbose_name_plural = "books"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=BooksKind.values), name="books_kind_is_known"),
            models.CheckConstraint(
                condition=Q(owner__regex=r"^[a-z][a-z_]*(:[A-Za-z0-9_.-]+)?$"), name="books_owner_is_opaque"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="books_currency_is_three_letters"),
            models.UniqueConstraint(fields=["kind", "owner", "currency"], name="one_books_per_owner_kind_and_currency"),
            models.UniqueConstraint(fields=["id", "currency"], name="books_are_of_one_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.owner} {self.currency}"


class Transfer(models.Model):
    """The head of one balanced movement of money. ``key`` makes it happen once, whoever repeats it."""

    key = models.TextField()
    kind = models.TextField(choices=TransferKind.choices)
    ref = models.TextField()
    reverses = models.ForeignKey("self", models.PROTECT, null=True, related_name="+", db_index=False)
    xid = TransactionIdField(editable=False)
    effective_at = models.DateTimeField()
    actor = models.TextField()
    approver = models.TextField(null=True)  # noqa: DJ001  NULL is nobody; a rule asks for it
    reason = models.TextField(default="")
    digest = models.BinaryField(max_length=32)

    class Meta:
        db_table = "ledger_transfer"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=TransferKind.values), name="transfer_kind_is_known"),
            models.CheckConstraint(
                condition=Q(kind=TransferKind.REVERSAL, reverses__isnull=False)
                | (~Q(kind=TransferKind.REVERSAL) & Q(reverses__isnull=True)),
                name="only_a_reversal_reverses",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=[TransferKind.REVERSAL, TransferKind.ADJUSTMENT])
                | (Q(approver__isnull=False) & ~Q(approver=F("actor")) & ~Q(reason="")),
                name="a_correction_has_two_people_and_a_reason",
            ),
            models.CheckConstraint(condition=~Q(key="") & ~Q(actor=""), name="transfer_has_a_key_and_an_actor"),
            models.UniqueConstraint(fields=["key"], name="one_transfer_per_key"),
            models.UniqueConstraint(fields=["reverses"], name="one_reversal_per_transfer"),
        ]

    def __str__(self) -> str:
        return self.key


class Leg(models.Model):
    """One signed line of a transfer: credit above zero, debit below."""

    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="legs", db_constraint=False)
    books = models.ForeignKey(Books, models.PROTECT, related_name="legs", db_constraint=False, db_index=False)
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()

    class Meta:
        db_table = "ledger_leg"
        constraints = [
            models.CheckConstraint(condition=~Q(amount_micros=0), name="leg_moves_something"),
        ]
        indexes = [models.Index(fields=["books", "id"], name="leg_by_books")]

    def __str__(self) -> str:
        return f"{self.amount_micros} {self.currency}"


class Balance(models.Model):
    """What limited books hold. One row for each limited books, written by the ledger's triggers alone."""

    books = models.OneToOneField(Books, models.PROTECT, primary_key=True, related_name="balance")
    posted_micros = models.BigIntegerField(db_default=0)
    held_micros = models.BigIntegerField(db_default=0)
    version = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "ledger_balance"
        constraints = [
            models.CheckConstraint(
                condition=Q(posted_micros__gte=F("held_micros")), name="balance_covers_what_is_held"
            ),
            models.CheckConstraint(condition=Q(held_micros__gte=0), name="held_is_never_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.posted_micros} posted, {self.held_micros} held"


class Hold(models.Model):
    """Money set apart in limited books until it is captured by one transfer or let go."""

    key = models.TextField()
    books = models.ForeignKey(Books, models.PROTECT, related_name="holds")
    amount_micros = models.BigIntegerField()
    ref = models.TextField(default="")
    actor = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ledger_hold"
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="hold_is_of_something"),
            models.UniqueConstraint(fields=["key"], name="one_hold_per_key"),
        ]

    def __str__(self) -> str:
        return self.key


class HoldResult(models.Model):
    """How a hold ended: its key is the hold's, so a hold ends at most once."""

    hold = models.OneToOneField(Hold, models.PROTECT, primary_key=True, related_name="result")
    outcome = models.TextField(choices=HoldOutcome.choices)
    transfer = models.ForeignKey(
        Transfer,
        models.PROTECT,
        to_field="key",
        db_column="transfer_key",
        null=True,
        related_name="+",
        db_index=False,
    )
    actor = models.TextField()
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "ledger_hold_result"
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome=HoldOutcome.CAPTURED, transfer__isnull=False)
                | Q(outcome=HoldOutcome.VOID, transfer__isnull=True),
                name="a_hold_is_captured_by_a_transfer_or_void",
            ),
            models.UniqueConstraint(fields=["transfer"], name="one_transfer_captures_one_hold"),
        ]

    def __str__(self) -> str:
        return self.outcome

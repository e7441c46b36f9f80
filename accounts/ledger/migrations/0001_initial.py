"""The ledger's tables; their guards are the next migration."""

import accounts.ledger.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Books",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("bank", "Bank"),
                            ("clearing", "Clearing"),
                            ("wallet", "Wallet"),
                            ("escrow", "Escrow"),
                            ("payable", "Payable"),
                            ("payout_transit", "Payout Transit"),
                            ("refund_transit", "Refund Transit"),
                            ("tax_withheld", "Tax Withheld"),
                            ("unclaimed", "Unclaimed"),
                            ("fee_revenue", "Fee Revenue"),
                            ("processing_cost", "Processing Cost"),
                            ("goodwill", "Goodwill"),
                            ("bad_debt", "Bad Debt"),
                            ("receivable", "Receivable"),
                            ("fx", "Fx"),
                            ("rounding", "Rounding"),
                            ("suspense", "Suspense"),
                        ]
                    ),
                ),
                ("owner", models.TextField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "normal_side",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(
                                kind__in=(
                                    "bank",
                                    "clearing",
                                    "processing_cost",
                                    "goodwill",
                                    "bad_debt",
                                    "receivable",
                                ),
                                then=models.Value("debit"),
                            ),
                            default=models.Value("credit"),
                        ),
                        output_field=models.TextField(),
                    ),
                ),
                (
                    "limited",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(
                                kind__in=(
                                    "wallet",
                                    "escrow",
                                    "payable",
                                    "payout_transit",
                                    "refund_transit",
                                    "tax_withheld",
                                ),
                                then=models.Value(True),
                            ),
                            default=models.Value(False),
                        ),
                        output_field=models.BooleanField(),
                    ),
                ),
            ],
            options={
                "verbose_name": "books",
                "verbose_name_plural": "books",
                "db_table": "ledger_books",
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("key", models.TextField()),
                ("amount_micros", models.BigIntegerField()),
                ("ref", models.TextField(default="")),
                ("actor", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "ledger_hold",
            },
        ),
        migrations.CreateModel(
            name="Leg",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("amount_micros", models.BigIntegerField()),
            ],
            options={
                "db_table": "ledger_leg",
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("key", models.TextField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("deposit", "Deposit"),
                            ("settlement", "Settlement"),
                            ("fund", "Fund"),
                            ("pay", "Pay"),
                            ("bonus", "Bonus"),
                            ("release", "Release"),
                            ("refund", "Refund"),
                            ("refund_outcome", "Refund Outcome"),
                            ("reversal", "Reversal"),
                            ("clawback", "Clawback"),
                            ("payout", "Payout"),
                            ("payout_outcome", "Payout Outcome"),
                            ("chargeback", "Chargeback"),
                            ("chargeback_outcome", "Chargeback Outcome"),
                            ("tax_remittance", "Tax Remittance"),
                            ("exchange", "Exchange"),
                            ("adjustment", "Adjustment"),
                            ("dormancy", "Dormancy"),
                        ]
                    ),
                ),
                ("ref", models.TextField()),
                ("xid", accounts.ledger.fields.TransactionIdField(editable=False)),
                ("effective_at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("approver", models.TextField(null=True)),
                ("reason", models.TextField(default="")),
                ("digest", models.BinaryField(max_length=32)),
            ],
            options={
                "db_table": "ledger_transfer",
            },
        ),
        migrations.CreateModel(
            name="Balance",
            fields=[
                (
                    "books",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="balance",
                        serialize=False,
                        to="ledger.books",
                    ),
                ),
                ("posted_micros", models.BigIntegerField(db_default=0)),
                ("held_micros", models.BigIntegerField(db_default=0)),
                ("version", models.BigIntegerField(db_default=0)),
            ],
            options={
                "db_table": "ledger_balance",
            },
        ),
        migrations.AddConstraint(
            model_name="books",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "bank",
                            "clearing",
                            "wallet",
                            "escrow",
                            "payable",
                            "payout_transit",
                            "refund_transit",
                            "tax_withheld",
                            "unclaimed",
                            "fee_revenue",
                            "processing_cost",
                            "goodwill",
                            "bad_debt",
                            "receivable",
                            "fx",
                            "rounding",
                            "suspense",
                        ],
                    )
                ),
                name="books_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="books",
            constraint=models.CheckConstraint(
                condition=models.Q(("owner__regex", "^[a-z][a-z_]*(:[A-Za-z0-9_.-]+)?$")),
                name="books_owner_is_opaque",
            ),
        ),
        migrations.AddConstraint(
            model_name="books",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                name="books_currency_is_three_letters",
            ),
        ),
        migrations.AddConstraint(
            model_name="books",
            constraint=models.UniqueConstraint(
                fields=("kind", "owner", "currency"),
                name="one_books_per_owner_kind_and_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="books",
            constraint=models.UniqueConstraint(fields=("id", "currency"), name="books_are_of_one_currency"),
        ),
        migrations.CreateModel(
            name="HoldResult",
            fields=[
                (
                    "hold",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="result",
                        serialize=False,
                        to="ledger.hold",
                    ),
                ),
                (
                    "outcome",
                    models.TextField(choices=[("captured", "Captured"), ("void", "Void")]),
                ),
                ("actor", models.TextField()),
                (
                    "ended_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "ledger_hold_result",
            },
        ),
        migrations.AddField(
            model_name="hold",
            name="books",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="holds",
                to="ledger.books",
            ),
        ),
        migrations.AddField(
            model_name="leg",
            name="books",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="legs",
                to="ledger.books",
            ),
        ),
        migrations.AddField(
            model_name="transfer",
            name="reverses",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="ledger.transfer",
            ),
        ),
        migrations.AddField(
            model_name="leg",
            name="transfer",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="legs",
                to="ledger.transfer",
            ),
        ),
        migrations.AddConstraint(
            model_name="balance",
            constraint=models.CheckConstraint(
                condition=models.Q(("posted_micros__gte", models.F("held_micros"))),
                name="balance_covers_what_is_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="balance",
            constraint=models.CheckConstraint(
                condition=models.Q(("held_micros__gte", 0)),
                name="held_is_never_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.UniqueConstraint(fields=("key",), name="one_transfer_per_key"),
        ),
        migrations.AddField(
            model_name="holdresult",
            name="transfer",
            field=models.ForeignKey(
                db_column="transfer_key",
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="ledger.transfer",
                to_field="key",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_micros__gt", 0)),
                name="hold_is_of_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.UniqueConstraint(fields=("key",), name="one_hold_per_key"),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "deposit",
                            "settlement",
                            "fund",
                            "pay",
                            "bonus",
                            "release",
                            "refund",
                            "refund_outcome",
                            "reversal",
                            "clawback",
                            "payout",
                            "payout_outcome",
                            "chargeback",
                            "chargeback_outcome",
                            "tax_remittance",
                            "exchange",
                            "adjustment",
                            "dormancy",
                        ],
                    )
                ),
                name="transfer_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "reversal"), ("reverses__isnull", False)),
                    models.Q(
                        models.Q(("kind", "reversal"), _negated=True),
                        ("reverses__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="only_a_reversal_reverses",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["reversal", "adjustment"]), _negated=True),
                    models.Q(
                        ("approver__isnull", False),
                        models.Q(("approver", models.F("actor")), _negated=True),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="a_correction_has_two_people_and_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("key", ""), _negated=True),
                    models.Q(("actor", ""), _negated=True),
                ),
                name="transfer_has_a_key_and_an_actor",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.UniqueConstraint(fields=("reverses",), name="one_reversal_per_transfer"),
        ),
        migrations.AddIndex(
            model_name="leg",
            index=models.Index(fields=["books", "id"], name="leg_by_books"),
        ),
        migrations.AddConstraint(
            model_name="leg",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_micros", 0), _negated=True),
                name="leg_moves_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="holdresult",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", "captured"), ("transfer__isnull", False)),
                    models.Q(("outcome", "void"), ("transfer__isnull", True)),
                    _connector="OR",
                ),
                name="a_hold_is_captured_by_a_transfer_or_void",
            ),
        ),
        migrations.AddConstraint(
            model_name="holdresult",
            constraint=models.UniqueConstraint(fields=("transfer",), name="one_transfer_captures_one_hold"),
        ),
    ]

"""The ledger as its own Django app."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Books, transfers, legs and holds: money, and who may move it."""

    name = "accounts.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Ledger"

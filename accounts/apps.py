"""The accounts floor: people, and (in ``accounts.ledger``) their money."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, organisations, keys and the audit."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

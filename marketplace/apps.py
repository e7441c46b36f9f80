"""How Django finds this floor, and whose admin site it uses."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.utils.module_loading import autodiscover_modules


class MarketplaceConfig(AppConfig):
    """The floor that faces outward."""

    name = "marketplace"
    default = True


class AdminConfig(admin.AdminConfig):
    """Django's admin, on our site."""

    default_site = "marketplace.admin.Site"
    default = False

    def ready(self) -> None:
        """What each floor registers, and then the verifiers' queue, which builds upon it."""
        super().ready()
        autodiscover_modules("verifier_admin")

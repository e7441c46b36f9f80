"""How Django finds this floor, and whose admin site it uses."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin


class MarketplaceConfig(AppConfig):
    """The floor that faces outward."""

    name = "marketplace"
    default = True


class AdminConfig(admin.AdminConfig):
    """Django's admin, on our site."""

    default_site = "marketplace.admin.Site"
    default = False

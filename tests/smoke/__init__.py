"""A smoke of the line over real servers: ``python -m tests.smoke`` with DATABASE_URL and BROKER_URL set.

Importing this package sets Django up, under a NAMESPACE of its own unless one is given.
"""

import os
import secrets

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ.setdefault("NAMESPACE", f"touchstone-smoke-{secrets.token_hex(4)}")
if not apps.ready:
    django.setup()

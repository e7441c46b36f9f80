"""Benches: ``make bench-NAME``, or ``python -m tests.bench.NAME``. Each prints one JSON object last.

Importing this package sets Django up, so that a bench and its parts import models like any other module.
"""

import os

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
if not apps.ready:
    django.setup()

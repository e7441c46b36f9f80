"""The Celery application. It is a doorbell: what has to be done is a row's state, found by a sweep.

Start one with ``celery -A marketplace.celery worker`` and exactly one beat.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["marketplace"], related_name="sweeps")

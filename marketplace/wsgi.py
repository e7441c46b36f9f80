"""The web application, as a WSGI server wants it: ``granian --interface wsgi marketplace.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
# Web processes answer on several threads, which share a pool; a connection a request costs four fifths of the speed.
os.environ.setdefault("DATABASE_POOL_SIZE", "8")

application = get_wsgi_application()

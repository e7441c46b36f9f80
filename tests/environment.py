"""The variables that tests run under; loaded by pytest's ``-p`` before Django reads its settings.

Tests have a PostgreSQL cluster of their own, no Valkey, and run Celery's tasks in place, so that
``make test`` never touches what ``make run`` keeps. With ``DATABASE_URL`` set they use that server
instead; its role must be able to create databases and roles.
"""

import os
import secrets
from pathlib import Path

from marketplace import embedded

HOME = Path(__file__).resolve().parent.parent / ".local" / "pg-test"
SERVER_URL = os.environ.get("DATABASE_URL", "")
"""The server given to us, as given; empty for our own."""

OUTSIDE = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
"""The environment before ours: for tests that start the embedded stack as a user would."""


os.environ["TOUCHSTONE_HOME"] = str(HOME)
if SERVER_URL:
    os.environ["DATABASE_URL"] = embedded.acting_as(SERVER_URL, embedded.APP)
    os.environ["DATABASE_OWNER_URL"] = embedded.acting_as(SERVER_URL, embedded.OWNER)
os.environ |= {
    "DATABASE_ROLE": "app",
    "DATABASE_POOL_SIZE": "0",
    "BROKER_URL": "memory://",
    "CACHE_URL": "locmem://",
    "SITE_URL": "http://localhost",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "PUBLIC_ID_KEY": secrets.token_urlsafe(48),
    "PII_KEY": secrets.token_urlsafe(48),
    "PASSWORD_HASHERS": "django.contrib.auth.hashers.MD5PasswordHasher",
    "LOG_LEVEL": "INFO",
}

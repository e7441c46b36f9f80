"""Making, cloning and dropping whole databases: for tests, and for a replay that runs in a fresh one.

`DATABASES` of Django's settings says where the server is; the functions here take such a dictionary.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql

from marketplace import embedded
from marketplace.settings import BASE_DIR

MAINTENANCE = "postgres"
APPS = ("accounts", "qualification", "tasks", "marketplace")


def connect(settings: Mapping[str, Any], name: str, *, user: str | None = None) -> psycopg.Connection[Any]:
    """A plain autocommit connection to database ``name`` on the server of ``settings``."""
    options = {key: value for key, value in settings.get("OPTIONS", {}).items() if key != "pool"}
    address = {
        "host": settings.get("HOST"),
        "port": settings.get("PORT"),
        "user": user or settings.get("USER"),
        "password": settings.get("PASSWORD"),
    }
    given: dict[str, Any] = {key: value for key, value in address.items() if value}
    return psycopg.connect(dbname=name, autocommit=True, **given, **options)


def run(connection: psycopg.Connection[Any], statements: list[str]) -> None:
    """Run trusted statements one by one, each in its own transaction."""
    for statement in statements:
        connection.execute(statement)


def create(settings: Mapping[str, Any], name: str) -> None:
    """An empty database of the owner's, with the privileges the app role is to have on what comes."""
    with connect(settings, MAINTENANCE) as connection:
        run(connection, embedded.database_statements(name))
    with connect(settings, name) as connection:
        run(connection, embedded.privilege_statements())


def clone(connection: psycopg.Connection[Any], name: str, *, template: str) -> None:
    """A copy of a database that nobody is connected to; tables, rows and their privileges come along."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(embedded.OWNER), sql.Identifier(template)
        )
    )


def drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Remove a database, ending every connection to it."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def pointing_at(name: str, server: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Make Django's connections, in every thread, lead to database ``name`` (by default as the app role)."""
    connection = connections["default"]
    # One dictionary is shared by the wrappers of all threads, so changing it in place moves them all.
    shared = connection.settings_dict
    before = dict(shared)
    connection.close()
    shared.update({**(server or {}), "NAME": name})
    try:
        yield
    finally:
        connection.close()
        shared.clear()
        shared.update(before)


def schema_hash() -> str:
    """Of everything that decides what migrating makes: migrations, their SQL, and the versions of what they use.

    A migrated database whose name carries it can be copied instead of migrating again.
    """
    files = [BASE_DIR / "uv.lock", BASE_DIR / "marketplace" / "embedded" / "roles.py"]
    for app in APPS:
        files += sorted((BASE_DIR / app).rglob("migrations/*.py")) + sorted((BASE_DIR / app).rglob("*.sql"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(BASE_DIR)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]

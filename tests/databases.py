"""Databases for tests: one migrated template, and as many copies of it as are wanted.

The template is migrated once as ``touchstone_owner`` and kept between runs; its name carries a hash
of everything that decides what is in it, so a changed migration makes a new one. A copy takes a
twentieth of a second. Nothing is ever flushed: the guards refuse TRUNCATE, also to us.

Several test runs may share the server. Each holds an advisory lock on the names it uses, so that
one run's cleaning never drops what another works in, and a killed run's leftovers are free to go.
"""

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from typing import Any

import dj_database_url
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from marketplace import databases, embedded
from marketplace.databases import pointing_at
from marketplace.settings import database
from tests import environment

PREFIX = "touchstone_test_"
TEMPLATE_PREFIX = "touchstone_template_"


class TestServer:
    """The server of one test run, with the database that is current and the connection that holds our locks."""

    __test__ = False

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._token = f"{PREFIX}{os.getpid()}_{secrets.token_hex(3)}"
        self._numbers = itertools.count()
        self._admin: psycopg.Connection[Any] | None = None
        self.template = ""

    @property
    def admin(self) -> psycopg.Connection[Any]:
        """A connection that may create databases; the first use starts the server and makes the template."""
        if self._admin is None:
            self._start()
        assert self._admin is not None
        return self._admin

    def _start(self) -> None:
        if not environment.SERVER_URL:
            self._stack.enter_context(embedded.postgres_at(environment.HOME, *embedded.FORGETFUL).use())
        self._admin = self._stack.enter_context(databases.connect(_admin_settings(), databases.MAINTENANCE))
        with _advisory_lock(self._admin, "touchstone_roles"):
            databases.run(self._admin, [*embedded.role_statements(), *_membership_statements(self._admin)])
        self._admin.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [self._token])
        self.template = f"{TEMPLATE_PREFIX}{databases.schema_hash()}"
        self._make_template()
        self._drop_leftovers()

    def stop(self) -> None:
        """Leave the server: the last run to leave stops our own, and takes the template off a server given to us."""
        if self._admin and environment.SERVER_URL:
            self._admin.execute("SELECT pg_advisory_unlock_shared(hashtext(%s))", [self.template])
            if _try_advisory_lock(self._admin, self.template):
                databases.drop(self._admin, self.template)
        self._stack.close()
        self._admin = None

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Point Django, in every thread, at a new copy of the template for the length of a ``with`` block."""
        name = f"{self._token}_{next(self._numbers)}"
        # Cloning takes a lock on the template that others' cloning refuses to wait for.
        with _advisory_lock(self.admin, "touchstone_cloning"):
            databases.clone(self.admin, name, template=self.template)
        try:
            with pointing_at(name):
                yield name
        finally:
            databases.drop(self.admin, name)

    def _make_template(self) -> None:
        assert self._admin is not None
        self._admin.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [self.template])
        with _advisory_lock(self._admin, "touchstone_template"):
            if _exists(self._admin, self.template):
                return
            half = f"{PREFIX}half"
            databases.drop(self._admin, half)
            databases.create(_admin_settings(), half)
            with pointing_at(half, database("owner")):
                call_command("migrate", verbosity=0, interactive=False)
            databases.run(self._admin, [f"ALTER DATABASE {half} RENAME TO {self.template}"])

    def _drop_leftovers(self) -> None:
        """Drop databases of killed runs, and templates of former migrations, that nobody uses any more."""
        assert self._admin is not None
        names = "SELECT datname FROM pg_database WHERE datname LIKE %s OR datname LIKE %s"
        for (name,) in self._admin.execute(names, [f"{PREFIX}%\\_%\\_%", f"{TEMPLATE_PREFIX}%"]).fetchall():
            owner = name if name.startswith(TEMPLATE_PREFIX) else name.rpartition("_")[0]
            if owner not in {self.template, self._token} and _try_advisory_lock(self._admin, owner):
                databases.drop(self._admin, name)
                self._admin.execute("SELECT pg_advisory_unlock(hashtext(%s))", [owner])


def connect_as(role: str) -> psycopg.Connection[Any]:
    """A plain autocommit connection of ``app`` or ``owner`` to the database that is current."""
    return databases.connect(database(role), str(connections["default"].settings_dict["NAME"]))


def _admin_settings() -> dict[str, Any]:
    if environment.SERVER_URL:
        return dict(dj_database_url.parse(environment.SERVER_URL))
    return {**settings.DATABASES["default"], "USER": "postgres"}


def _membership_statements(connection: psycopg.Connection[Any]) -> list[str]:
    """A login that is not superuser may act as our roles only as a member of them."""
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return [] if row and row[0] else [f"GRANT {embedded.OWNER}, {embedded.APP} TO CURRENT_USER"]


@contextlib.contextmanager
def _advisory_lock(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def _try_advisory_lock(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
    return bool(row and row[0])


def _exists(connection: psycopg.Connection[Any], name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

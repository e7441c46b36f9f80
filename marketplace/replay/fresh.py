"""A database that a replay or a bench has for itself: migrated, empty, and gone afterwards.

It is copied from a database that was migrated once and bears the hash of what migrating makes. All names are guarded by
advisory locks, so that whoever comes next can drop what a killed run left, and never what another one works in.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.core.management import call_command
from psycopg import sql

from marketplace import databases
from marketplace.settings import database

PREFIX = "touchstone_replay_"
KEPT_PREFIX = "touchstone_kept_"
MIGRATED_PREFIX = "touchstone_migrated_"


@contextlib.contextmanager
def fresh_database(*, keep: bool = False) -> Iterator[str]:
    """Point Django, in every thread, at a new database for the length of a ``with`` block; yields its name.

    It is dropped on leaving unless ``keep``. Commits in it are not waited for to reach the disk.
    """
    owner, app = (_without_pool(database(role)) for role in ("owner", "app"))
    name = f"{KEPT_PREFIX if keep else PREFIX}{secrets.token_hex(6)}"
    with databases.connect(owner, databases.MAINTENANCE) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        template = _migrated(admin, owner)
        _drop_leftovers(admin, template)
        # Copying takes a lock on the template that another copying does not wait for.
        with _locked(admin, "touchstone_cloning"):
            databases.clone(admin, name, template=template)
        try:
            databases.run(admin, [f"ALTER DATABASE {name} SET synchronous_commit = off"])
            with databases.pointing_at(name, app):
                yield name
        finally:
            if not keep:
                _drop(admin, name, app)


def _migrated(admin: psycopg.Connection[Any], owner: Mapping[str, Any]) -> str:
    """The migrated database to copy from, made if it is not there; it is ours to use while ``admin`` is open."""
    name = f"{MIGRATED_PREFIX}{databases.schema_hash()}"
    admin.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [name])
    with _locked(admin, "touchstone_migrating"):
        if name not in _names(admin, name):
            # Built under another name: a database that bears the final one is complete, whatever was killed meanwhile.
            half = f"{PREFIX}half"
            _drop_quietly(admin, half)
            databases.create(owner, half)
            with databases.pointing_at(half, owner):
                call_command("migrate", verbosity=0, interactive=False)
            databases.run(admin, [f"ALTER DATABASE {half} RENAME TO {name}"])
    return name


def _drop_leftovers(admin: psycopg.Connection[Any], template: str) -> None:
    """Drop databases of killed runs and of former migrations that nobody uses any more."""
    with _locked(admin, "touchstone_migrating"):
        for name in (*_names(admin, f"{PREFIX}%"), *_names(admin, f"{MIGRATED_PREFIX}%")):
            if name != template and _try_lock(admin, name):
                _drop_quietly(admin, name)
                admin.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def _drop(admin: psycopg.Connection[Any], name: str, app: Mapping[str, Any]) -> None:
    """Drop a database in which processes of ours may still be at work; only the role they came as may end them."""
    try:
        _drop_quietly(admin, name)
    except psycopg.errors.ObjectInUse:
        with databases.connect(app, databases.MAINTENANCE) as worker:
            worker.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
                [name],
            )
        _drop_quietly(admin, name)


def _drop_quietly(admin: psycopg.Connection[Any], name: str) -> None:
    """Without force, which would try to end autovacuum as well and may not; the server waits for that by itself."""
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _names(admin: psycopg.Connection[Any], pattern: str) -> list[str]:
    like = pattern.replace("_", "\\_")
    return [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [like])]


def _try_lock(admin: psycopg.Connection[Any], name: str) -> bool:
    row = admin.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
    return bool(row and row[0])


@contextlib.contextmanager
def _locked(admin: psycopg.Connection[Any], name: str) -> Iterator[None]:
    admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
    try:
        yield
    finally:
        admin.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def _without_pool(settings: dict[str, Any]) -> dict[str, Any]:
    """One process, one connection: a pool would go on leading to the database it was made for."""
    options = {key: value for key, value in settings.get("OPTIONS", {}).items() if key != "pool"}
    return {**settings, "OPTIONS": options}

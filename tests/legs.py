"""The line over servers that the machine has: PostgreSQL with RabbitMQ, then with Redis.

``python -m tests.legs`` runs `tests.smoke` once for each broker that answers on loopback, in a
database, a queue and a key prefix of its own, and removes them. It says SKIPPED for what it could
not find, and exits 1 only when something that is there does not work. ``CI_DATABASE_URL``,
``CI_RABBITMQ_URL`` and ``CI_REDIS_URL`` name other servers. The database's log-in must be able to
create databases and roles.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import dj_database_url
import kombu
import psycopg
import redis

from marketplace import databases, embedded

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL = os.environ.get("CI_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
RABBITMQ = os.environ.get("CI_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
COMMANDS = (["manage.py", "migrate", "--verbosity", "0"], ["-m", "tests.smoke"])
REDIS = os.environ.get("CI_REDIS_URL", "redis://127.0.0.1:6379")


def listens(url: str) -> bool:
    """Whether anything takes connections at the URL's host and port."""
    address = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((address.hostname or "", address.port or 0), 2):
        return True
    return False


def maintenance() -> psycopg.Connection[Any] | None:
    """A connection to the system's PostgreSQL, or None where we are not let in or may not create anything."""
    try:
        connection = databases.connect(dj_database_url.parse(POSTGRESQL), databases.MAINTENANCE)
    except psycopg.OperationalError:
        return None
    able = "SELECT rolsuper OR (rolcreatedb AND rolcreaterole) FROM pg_roles WHERE rolname = current_user"
    row = connection.execute(able).fetchone()
    return connection if row and row[0] else None


@contextlib.contextmanager
def own_database(connection: psycopg.Connection[Any], name: str) -> Iterator[Mapping[str, str]]:
    """The environment that leads to a fresh database; it is dropped afterwards, and so are roles that were not there."""
    known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    databases.run(connection, embedded.role_statements())
    try:
        databases.create(dj_database_url.parse(POSTGRESQL), name)
        url = urlunsplit(urlsplit(POSTGRESQL)._replace(path=f"/{name}"))
        yield {
            "DATABASE_URL": embedded.acting_as(url, embedded.APP),
            "DATABASE_OWNER_URL": embedded.acting_as(url, embedded.OWNER),
        }
    finally:
        databases.drop(connection, name)
        for role in {embedded.APP, embedded.OWNER} - known:
            with contextlib.suppress(psycopg.errors.DependentObjectsStillExist):
                databases.run(connection, [f"DROP ROLE IF EXISTS {role}"])


@contextlib.contextmanager
def own_queue(broker: str, cache: str, name: str) -> Iterator[None]:
    """Afterwards, take our queue off the broker and our keys out of the cache."""
    try:
        yield
    finally:
        with kombu.Connection(broker) as connection:
            kombu.Queue(name, channel=connection.default_channel).delete()
            kombu.Exchange(name, channel=connection.default_channel).delete()
        stores = {url for url in (broker, cache) if url.startswith("redis")}
        for store in stores:
            with redis.Redis.from_url(store) as client:
                for key in client.scan_iter(f"*{name}*"):
                    client.delete(key)


def run_leg(connection: psycopg.Connection[Any], broker: str, cache: str) -> bool:
    """Migrate a fresh database and run the smoke over one broker; whether all of it passed."""
    name = f"touchstone_ci_{os.getpid()}_{secrets.token_hex(3)}"
    with own_database(connection, name) as addresses, tempfile.TemporaryDirectory(prefix="touchstone-") as home:
        environment = {
            **os.environ,
            **addresses,
            "BROKER_URL": broker,
            "CACHE_URL": cache,
            "NAMESPACE": name,
            "TOUCHSTONE_HOME": home,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "PUBLIC_ID_KEY": secrets.token_urlsafe(48),
            "PII_KEY": secrets.token_urlsafe(48),
        }
        with own_queue(broker, cache, name):
            return all(succeeds(command, environment) for command in COMMANDS)


def succeeds(command: list[str], environment: Mapping[str, str]) -> bool:
    """Run Python with these arguments; whether it ended with status 0."""
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Run every leg that can be run; the last lines say which could not."""
    connection = maintenance() if listens(POSTGRESQL) else None
    cache = f"{REDIS}/14" if listens(REDIS) else "locmem://"
    legs = {"RabbitMQ": (RABBITMQ, cache), "Redis": (f"{REDIS}/15", cache)}
    failed, skipped = [], []
    for name, (broker, shared_cache) in legs.items():
        if connection is None or not listens(broker):
            skipped.append(name)
            continue
        print(f"== the line over the system's PostgreSQL and {name}", flush=True)
        if not run_leg(connection, broker, shared_cache):
            failed.append(name)
    if failed:
        print(f"FAILED: the line over PostgreSQL and {', '.join(failed)}")
    if skipped:
        what = "no PostgreSQL answers or lets us create databases" if connection is None else "does not answer"
        print(f"SKIPPED: the line over PostgreSQL and {', '.join(skipped)} ({what})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The stack in a box: PostgreSQL and Valkey from wheels, kept under one folder, the *home*.

Standard library only, so that it can run before anything else can. A home holds::

    secrets.json   the keys, mode 0600        pg/      the PostgreSQL cluster and its log
    valkey/        queue and cache            log/     what the processes said

Where ``DATABASE_URL``, ``BROKER_URL`` or ``CACHE_URL`` name a real server, nothing here is started
for that part.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .keys import load_secrets
from .postgres import FORGETFUL, Postgres, PostgresFailed
from .roles import APP, OWNER, acting_as, database_statements, privilege_statements, role_statements
from .valkey import socket_path as valkey_socket

__all__ = [
    "APP",
    "DATABASE",
    "FORGETFUL",
    "OWNER",
    "Postgres",
    "PostgresFailed",
    "acting_as",
    "database_statements",
    "ensure",
    "load_secrets",
    "postgres_at",
    "privilege_statements",
    "role_statements",
    "use_database",
    "valkey_socket",
]

DATABASE = "touchstone"


def postgres_at(home: Path, *options: str) -> Postgres:
    """The PostgreSQL of a home; nothing is started or created by asking."""
    return Postgres(home / "pg", *options)


def ensure(home: Path) -> Postgres:
    """A running PostgreSQL in this home, with both roles and an (empty) database. Repeating is cheap."""
    server = postgres_at(home).ensure()
    _ensure_database(server)
    return server


@contextlib.contextmanager
def use_database(home: Path) -> Iterator[Postgres]:
    """`ensure` for the length of a ``with`` block; the last user of the home stops the server on leaving."""
    with postgres_at(home).use() as server:
        _ensure_database(server)
        yield server


def _ensure_database(server: Postgres) -> None:
    if _is_there(server):
        return
    # Two processes may be first at once: the lock makes one of them wait and then find it there.
    with server.locked("create.lock"):
        if _is_there(server):
            return
        # Built under another name: a database that bears the final one is complete, whatever was killed meanwhile.
        half = f"{DATABASE}_half"
        create = [f"DROP DATABASE IF EXISTS {half} WITH (FORCE)", *role_statements(), *database_statements(half)]
        server.execute(_script(create))
        server.execute(_script(privilege_statements()), database=half)
        server.execute(f"ALTER DATABASE {half} RENAME TO {DATABASE};")


def _is_there(server: Postgres) -> bool:
    return DATABASE in server.execute("SELECT datname FROM pg_database").split()


def _script(statements: list[str]) -> str:
    return "".join(f"{statement};\n" for statement in statements)

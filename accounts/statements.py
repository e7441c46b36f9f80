"""Prepared statements over Django's own connection: the hot path's way to its SQL functions.

No ORM object is built, nothing is planned twice, and parameters are bound by the server. The statement joins
whatever transaction the connection is in; outside one it is its own.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection


def rows(statement: LiteralString, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run ``statement`` and return its rows. Errors are psycopg's own, so that an act can name what was violated."""
    return cursor().execute(statement, parameters, prepare=True).fetchall()


def value(statement: LiteralString, parameters: Sequence[Any]) -> Any:
    """Run ``statement`` and return the one value it yields."""
    return rows(statement, parameters)[0][0]


def cursor() -> psycopg.Cursor[tuple[Any, ...]]:
    """The driver's own cursor: Django's binds on the client and plans anew each time, which costs more than the work."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    return psycopg.Cursor(connection.connection)

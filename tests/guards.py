"""Breaking a guard of the database on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction


@contextmanager
def violates(constraint: str) -> Iterator[None]:
    """Expect the block to be refused by this constraint or trigger, and by no other; the transaction goes on."""
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # so that a deferred one speaks now
    except IntegrityError as error:
        cause = error.__cause__
        assert isinstance(cause, psycopg.errors.IntegrityError)
        assert cause.diag.constraint_name == constraint
    else:
        pytest.fail(f"{constraint} let it pass")

"""A column type of PostgreSQL that Django does not know."""

from typing import override

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class TransactionIdField(models.BigIntegerField):  # type: ignore[type-arg]  # it cannot be subscripted at run time
    """``xid8``: the 64-bit id of the database transaction that wrote the row."""

    @override
    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"

    def from_db_value(self, value: str | int | None, *_: object) -> int | None:
        """The id as a number; the driver has no loader for xid8 and hands over its text."""
        return None if value is None else int(value)

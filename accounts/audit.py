"""In whose name something is done, as the audit's triggers write it down (``accounts/sql/audit.sql``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

ACTOR_MAX = 80


@contextmanager
def acting(actor: str, impersonator: str = "") -> Iterator[None]:
    """Within the block, changes of people, permissions and configuration are on record as done by ``actor``.

    Actors are written ``user:3``, ``key:9``, ``sweep:settle``, ``command:seed``; ``impersonator`` is who is really
    behind the keyboard when support acts as somebody else. Opens a transaction where none is open. Blocks nest: the
    inner name holds inside it and the outer one again afterwards, also when the inner block fails.

    Raises ValueError on an empty name or one longer than its column.
    """
    if not actor or max(len(actor), len(impersonator)) > ACTOR_MAX:
        raise ValueError(f"an actor has 1 to {ACTOR_MAX} characters")
    nested = connection.in_atomic_block
    with transaction.atomic():
        before = _names() if nested else None
        _set(actor, impersonator)
        yield
        # A transaction of our own ends here and takes the names with it; a failed block is undone by its savepoint.
        if before is not None:
            _set(*before)


@contextmanager
def named(actor: str) -> Iterator[None]:
    """Within the block, changes outside of any `acting` are on record as done by ``actor``, each as it is committed.

    For code that is not ours and has transactions of its own: it opens none. Raises ValueError as `acting` does.
    """
    if not 0 < len(actor) <= ACTOR_MAX:
        raise ValueError(f"an actor has 1 to {ACTOR_MAX} characters")
    _set(actor, "", local=False)
    try:
        yield
    finally:
        # Of a connection that is given to somebody else the name must be gone; a broken one takes it along.
        if connection.connection is not None and not connection.needs_rollback:
            _set("", "", local=False)


def _names() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting('touchstone.actor', true), ''),"
            " coalesce(current_setting('touchstone.impersonator', true), '')"
        )
        actor, impersonator = cursor.fetchone()
    return actor, impersonator


def _set(actor: str, impersonator: str, *, local: bool = True) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('touchstone.actor', %s, %s), set_config('touchstone.impersonator', %s, %s)",
            [actor, local, impersonator, local],
        )

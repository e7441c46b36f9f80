"""Public ids on the wire: opaque texts in place of row numbers."""

from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings

from accounts import opaque
from marketplace.api.refusals import NotFound


@lru_cache(maxsize=16_384)
def public(kind: str, number: int) -> str:
    """The public id of one row; remembered, since jobs, schemas and guidelines come up again and again."""
    return opaque.encode(kind, number, settings.PUBLIC_ID_KEY)


def public_many(kind: str, numbers: Iterable[int]) -> list[str]:
    """The public ids of many rows of one kind, in their order."""
    return opaque.encode_many(kind, numbers, settings.PUBLIC_ID_KEY)


def number(kind: str, text: str) -> int:
    """The row number behind a public id. Raises NotFound: an id that is none leads nowhere, like any other."""
    try:
        return opaque.decode(kind, text, settings.PUBLIC_ID_KEY)
    except opaque.NotAnId:
        raise NotFound from None

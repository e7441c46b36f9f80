"""Lists, a page at a time: by cursor, so that a page costs the same wherever it is and shows no row twice.

The cursor is the last row's number, made opaque like every id.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

from marketplace.api import ids
from marketplace.api.fields import Out, QueryWhole, Strict

LIMIT = 50
LIMIT_MAX = 200


class PageQuery(Strict):
    """Which page of a list."""

    limit = QueryWhole(min_value=1, max_value=LIMIT_MAX, required=False, help_text="Rows on the page; 50 unless told.")
    cursor = serializers.CharField(required=False, max_length=40, help_text="`next` of the page before.")


def page[T: Model](
    rows: QuerySet[T], asked: dict[str, Any], shape: Callable[[list[T]], Any], *, newest_first: bool = True
) -> dict[str, Any]:
    """One page of ``rows`` as ``{"results", "next"}``; ``next`` is null on the last one. Raises NotFound on a bad cursor."""
    limit = asked.get("limit", LIMIT)
    order = "-pk" if newest_first else "pk"
    if "cursor" in asked:
        last = ids.number("cur", asked["cursor"])
        rows = rows.filter(pk__lt=last) if newest_first else rows.filter(pk__gt=last)
    found = list(rows.order_by(order)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return {"results": shape(found), "next": ids.public("cur", found[-1].pk) if more else None}


@functools.cache
def pages_of(item: type[Out]) -> type[Out]:
    """The serializer of a page of ``item``, for the schema."""
    name = item.__name__.removesuffix("Out")
    members = {
        "results": item(many=True),
        "next": serializers.CharField(allow_null=True, help_text="Send it as `cursor` for the next page."),
        "__doc__": f"A page of {name}.",
        "__module__": item.__module__,
    }
    return type(f"{name}PageOut", (Out,), members)

"""Every field that the API reads or writes stands in the list, under who it is for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import get_resolver
from rest_framework import serializers

from marketplace.api.fields import Out, Strict
from tests.security import fields


def shapes_of(base: type[serializers.Serializer[object]]) -> Iterator[type[serializers.Serializer[object]]]:
    """Every shape of that kind; those that only hold a page of others say nothing of their own."""
    _ = get_resolver().url_patterns
    for shape in base.__subclasses__():
        yield shape
        yield from shapes_of(shape)


def written_down(base: type[serializers.Serializer[object]]) -> dict[str, str]:
    """The fields of each, as the list writes them."""
    shapes = {shape.__name__: " ".join(shape().fields) for shape in shapes_of(base)}
    return {name: told for name, told in shapes.items() if told not in {"results next", ""}}


def test_every_field_that_is_read_is_listed_under_its_audience() -> None:
    listed = {name: told for shapes in fields.READ.values() for name, told in shapes.items()}

    assert written_down(Out) == listed


def test_every_field_that_may_be_written_is_listed() -> None:
    assert written_down(Strict) == dict(fields.WRITTEN)


@pytest.mark.parametrize("audience", ["anybody", "whoever is known", "the worker themself"])
def test_what_gold_tells_is_for_none_who_are_no_requesters(audience: str) -> None:
    told = {name for shape in fields.READ[audience].values() for name in shape.split()}

    assert not told & {"gold", "gold_share_bp", "accepted", "explanation", "posterior", "confidence", "consensus"}


def test_private_facts_are_for_the_worker_alone() -> None:
    for audience, shapes in fields.READ.items():
        told = {name for shape in shapes.values() for name in shape.split()}
        if audience != "the worker themself":
            assert not told & {"legal_name", "birth_date", "address", "phone"}, audience

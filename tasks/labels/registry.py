"""The kinds of label there are, and what each must be able to do.

To add a kind: write one module with a class that satisfies `LabelKind`, and name it in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from tasks.labels.categorical import Categorical
from tasks.labels.faults import LabelInvalid, SchemaInvalid
from tasks.labels.text import Json

__all__ = ["KINDS", "Json", "LabelInvalid", "LabelKind", "SchemaInvalid", "kind_named"]


class LabelKind(Protocol):
    """One kind of label: how a requester defines it and what a worker may answer.  Stateless and pure.

    A definition is what `validate_schema` returned; the other methods rely on it.  Class kinds are those whose labels
    are one of a fixed list of classes; engines see such a label as its class index.
    """

    @property
    def kind(self) -> str:
        """The name by which a schema asks for this kind."""
        ...

    def validate_schema(self, definition: Json) -> dict[str, Json]:
        """The definition in its one normal form; raises SchemaInvalid."""
        ...

    def validate_label(self, definition: Mapping[str, Json], label: Json) -> dict[str, Json]:
        """The label in its one normal form; raises LabelInvalid."""
        ...

    def class_index(self, definition: Mapping[str, Json], label: Mapping[str, Json]) -> int | None:
        """Which class a valid label is; None for kinds without classes."""
        ...

    def classes(self, definition: Mapping[str, Json]) -> list[str] | None:
        """The names of the classes in class order; None for kinds without classes."""
        ...

    def label_of(self, definition: Mapping[str, Json], class_index: int) -> dict[str, Json]:
        """The label that is this class; raises LabelInvalid where there is no such class."""
        ...


KINDS: Mapping[str, LabelKind] = MappingProxyType({kind.kind: kind for kind in (Categorical(),)})


def kind_named(name: str) -> LabelKind:
    """The kind of that name; raises SchemaInvalid."""
    if name not in KINDS:
        raise SchemaInvalid("kind", f"there is no label kind {name!r}", f"choose one of: {', '.join(sorted(KINDS))}")
    return KINDS[name]

"""The parent of every named reason for no.

A refusal stands beside the act that raises it. Its docstring's first line is the sentence a person
reads; ``marketplace/api/problems.py`` gives each one its row (status, slug, title), and a test
refuses a class without a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent: where, what, and what would mend it.

    ``pointer`` is a JSON pointer into the request body (``/labels/0/class``), or ``/row/17`` for a file.
    """

    pointer: str
    detail: str


class Refusal(Exception):
    """The request was refused."""

    def __init__(self, detail: str = "", *, faults: Sequence[Fault] = (), **facts: str | int | None) -> None:
        self.detail = detail or self.sentence()
        self.faults = tuple(faults)
        self.facts = facts
        super().__init__(self.detail)

    @classmethod
    def sentence(cls) -> str:
        """The first line of the class's docstring."""
        return (cls.__doc__ or "").strip().split("\n", 1)[0]


class KeyRevoked(Refusal):
    """This API key no longer works."""


class NoSuchWorker(Refusal):
    """There is no such worker."""

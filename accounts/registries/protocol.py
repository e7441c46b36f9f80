"""What a registry is to us: a number goes in, what is on record comes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """What a registry has under a number. ``holder`` is for comparing only and is never stored."""

    status: Literal["active", "lapsed", "revoked"]
    holder: str
    issuer: str = ""
    specialty: str = ""
    expires_on: date | None = None


class RegistryUnreachable(Exception):
    """The registry did not answer, or not in words we know; nothing follows from that for the number."""


class Registry(Protocol):
    """A register of numbers that somebody outside keeps. Asked outside of any transaction: it may take its time."""

    @property
    def title(self) -> str:
        """What people call it, with where the answers come from."""

    def look_up(self, number: str, *, jurisdiction: str) -> Entry | None:
        """What stands under ``number`` (in its normal form); None where nothing does. Raises RegistryUnreachable."""

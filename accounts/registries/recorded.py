"""A registry that answers from a file of recorded entries: ``recordings/<name>.json``.

The file holds ``title``, ``recorded_on`` and ``entries`` by number (``<jurisdiction>:<number>`` where a number belongs to
a place). The entries are made up, under numbers that no registry gives out.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from accounts.registries.protocol import Entry, RegistryUnreachable

FOLDER = Path(__file__).parent / "recordings"


class Recorded:
    """Answers of the registry ``name`` as they were recorded in ``folder``."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.name = name
        self._folder = folder

    @property
    def title(self) -> str:
        return f"{self._file['title']} (recorded {self._file['recorded_on']})"

    def look_up(self, number: str, *, jurisdiction: str) -> Entry | None:
        """What was recorded under the number, of this place or of no place. Raises RegistryUnreachable."""
        entries = self._file["entries"]
        found = entries.get(f"{jurisdiction}:{number}") or entries.get(number)
        if found is None:
            return None
        if found["status"] == "unreachable":  # recorded, too: a registry that is down
            raise RegistryUnreachable(f"{self.name} did not answer")
        ends = found.get("expires_on")
        return Entry(
            status=found["status"],
            holder=found["holder"],
            issuer=found.get("issuer", ""),
            specialty=found.get("specialty", ""),
            expires_on=date.fromisoformat(ends) if ends else None,
        )

    @cached_property
    def _file(self) -> dict[str, Any]:
        return dict(json.loads((self._folder / f"{self.name}.json").read_text(encoding="utf-8")))

"""A registry says what stands under a number, and its silence says nothing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from accounts import numbers
from accounts.registries import REGISTRIES, Entry, Recorded, Registry, RegistryUnreachable
from accounts.registries.recorded import FOLDER


def test_a_recorded_registry_knows_its_entries_and_no_others() -> None:
    nppes: Registry = REGISTRIES["nppes"]

    assert nppes.look_up("2000000002", jurisdiction="US") == Entry(
        "active", "Ada Example", issuer="NPPES", specialty="Diagnostic Radiology"
    )
    assert nppes.look_up("2000000028", jurisdiction="US") is None
    assert "recorded 20" in nppes.title


def test_a_number_that_belongs_to_a_place_is_another_in_another_place() -> None:
    boards = REGISTRIES["licences"]

    there, elsewhere = (boards.look_up("EXAMPLE-1001", jurisdiction=place) for place in ("US-CA", "US-NY"))

    assert there is not None
    assert elsewhere is not None
    assert (there.status, there.expires_on) == ("active", date(2028, 3, 31))
    assert elsewhere.status == "revoked"
    assert boards.look_up("EXAMPLE-1001", jurisdiction="US-TX") is None


def test_a_registry_that_is_down_says_so() -> None:
    with pytest.raises(RegistryUnreachable):
        REGISTRIES["nppes"].look_up("2000000036", jurisdiction="US")


def test_every_recording_can_be_read_and_its_numbers_pass_their_checks(tmp_path: Path) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(REGISTRIES)
    kinds = {"nppes": "npi", "orcid": "orcid", "gleif": "lei", "licences": "none"}
    for name, kind in kinds.items():
        for number in json.loads((FOLDER / f"{name}.json").read_text())["entries"]:
            assert numbers.check(kind, number.rpartition(":")[2]) == number.rpartition(":")[2]


def test_recordings_may_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(
        json.dumps({"title": "Own", "recorded_on": "2026-01-01", "entries": {"1": {"status": "lapsed", "holder": "A"}}})
    )

    found = Recorded("own", tmp_path).look_up("1", jurisdiction="")

    assert found == Entry("lapsed", "A")

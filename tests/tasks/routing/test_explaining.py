from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.routing import explaining
from tasks.routing.explaining import GATES

CLAIM_SQL = Path(explaining.__file__).parents[1] / "sql" / "claim.sql"


@pytest.mark.parametrize("name", sorted(GATES))
def test_a_gate_says_what_is_so_and_what_to_do(name: str) -> None:
    gate = GATES[name]

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert gate.title.endswith(".")
    assert gate.remedy.endswith(".")


def test_every_gate_of_the_claim_is_explained() -> None:
    said = set(re.findall(r"refusal := '([a-z_]+)';", CLAIM_SQL.read_text()))

    assert len(said) >= 5
    assert said <= set(GATES)


def test_a_worker_who_may_not_work_is_told_why() -> None:
    assert {"worker_suspended", "worker_paused"} <= set(GATES)

"""The register of guards: every constraint and trigger of the database is named by a test that breaks it."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import connection

from tests.architecture.tree import FLOORS, ROOT, listed, python, text

TRIGGERS = r"""
SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
  AND c.relname ~ '^(accounts|qualification|tasks|ledger|marketplace)_'"""

NAMED = r"(?:CONSTRAINT\s*=\s*|ADD CONSTRAINT\s+|forbid_change\()'?(\w+)'?"
"""How SQL of ours raises or adds a constraint by name."""


def written_in_models() -> set[str]:
    """The names of constraints that our models declare."""
    return {
        constraint.name
        for model in apps.get_models()
        if model.__module__.split(".")[0] in FLOORS
        for constraint in model._meta.constraints
    }


def written_in_sql() -> set[str]:
    """The names that SQL files of ours raise as violated, or add to a table."""
    scripts = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.sql")]
    return {name for path in scripts for name in re.findall(NAMED, text(path))} - {"TG_ARGV"}


def in_force() -> set[str]:
    """The names of the triggers on our tables, those too whose names SQL puts together."""
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        return {name for (name,) in cursor.fetchall()}


def mentioned() -> set[str]:
    """Every word of every test, but those of the architecture."""
    tests = [path for path in python("tests") if "architecture" not in path.parts]
    return {word for path in tests for word in re.findall(r"\w+", text(path))}


@pytest.mark.django_db
def test_every_guard_of_the_database_is_named_by_a_test_that_breaks_it() -> None:
    unbroken = (written_in_models() | written_in_sql() | in_force()) - mentioned()

    assert not unbroken, listed(list(unbroken))


@pytest.mark.django_db
def test_the_register_sees_models_sql_and_triggers() -> None:
    assert "one_answer_a_person" in written_in_models()
    assert "posted_means_sealed" in written_in_sql()
    assert {"answer_is_append_only", "transfer_balances", "audit_is_append_only"} <= in_force()


def test_the_name_of_a_guard_is_a_sentence() -> None:
    names = written_in_models() | written_in_sql()
    terse = [
        name for name in names if not re.fullmatch(r"[a-z]+[a-z0-9]*(_[a-z0-9]+)+", name) or name.startswith("fk_")
    ]

    assert not terse, listed(terse)

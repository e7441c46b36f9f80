"""The tutorial is true: its Python runs from top to bottom against a site, and says what it says it says."""

from __future__ import annotations

import re
import threading

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from marketplace import sweeps
from marketplace.management.commands.verify import prove_all
from tests.architecture.tree import ROOT, text

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"


def blocks(markdown: str) -> list[str]:
    """Its blocks of Python, in order."""
    return re.findall(r"^```python\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)


def test_the_tutorial_runs_from_top_to_bottom(
    committed_server: LiveServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = EMAIL, PASSWORD
    # As the tutorial starts the site.
    settings.MFA_REQUIRED, settings.ACCOUNT_EMAIL_VERIFICATION = False, "none"
    call_command("seed")
    script = "\n".join(blocks(text(ROOT / "docs" / "tutorial.md")))
    script = script.replace("http://localhost:8000", committed_server.url)
    script = script.replace("admin@localhost", EMAIL).replace("the password that was printed", PASSWORD)
    over = threading.Event()
    sweeper = threading.Thread(target=_sweep, args=(over,))
    sweeper.start()

    try:
        exec(compile(script, "docs/tutorial.md", "exec"), {})
    finally:
        over.set()
        sweeper.join()

    said = capsys.readouterr().out
    assert "ready 4" in said
    assert "12 answers, 0.60 to workers, 0.06 to the platform" in said
    assert "labels.csv" in said or "tasks.csv" in said
    assert [proved.proof.name for proved in prove_all() if proved.finding is not None] == []


def _sweep(over: threading.Event) -> None:
    while not over.wait(0.1):
        sweeps.step_all()
    connection.close()

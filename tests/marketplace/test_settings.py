"""Settings: documented without gaps, and strict about secrets."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import django
import pytest

from marketplace import embedded
from marketplace.embedded import sql
from marketplace.embedded.postgres import FORGETFUL, Postgres
from tests.environment import OUTSIDE

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ROOT / "marketplace" / "settings.py"
STRONG = "0123456789abcdefghijklmnopqrstuvwxyz"


def load(**variables: str) -> "subprocess.CompletedProcess[str]":
    """Import the settings in a fresh process, as a site with servers of its own would."""
    environment = {name: value for name, value in OUTSIDE.items() if not name.endswith("_KEY")} | variables
    command = [sys.executable, "-c", "import marketplace.settings as s; print(s.DATABASES)"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', SETTINGS.read_text()))
    rows = re.findall(r"^\|([^|]+)\|", (ROOT / "docs/reference/settings.md").read_text(), re.MULTILINE)
    table = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert read == table


def test_only_the_settings_read_the_environment() -> None:
    allowed = {SETTINGS, ROOT / "marketplace/wsgi.py", ROOT / "marketplace/celery.py"}
    allowed |= set((ROOT / "marketplace/embedded").glob("*.py"))
    allowed.add(ROOT / "marketplace/management/commands/demo.py")  # makes the environment of the site it starts
    floors = ("accounts", "qualification", "tasks", "marketplace")
    files = (file for floor in floors for file in (ROOT / floor).rglob("*.py"))
    assert [
        file for file in files if file not in allowed and re.search(r"os\.(environ|getenv)", file.read_text())
    ] == []


@pytest.mark.parametrize(
    ("name", "weak"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "a" * 60),
        ("SECRET_KEY", "django-insecure-" + STRONG),
        ("PUBLIC_ID_KEY", "short"),
    ],
)
def test_a_site_with_its_own_database_refuses_a_weak_secret(name: str, weak: str) -> None:
    keys = {"SECRET_KEY": STRONG, "PUBLIC_ID_KEY": STRONG, "PII_KEY": STRONG, name: weak}
    done = load(DATABASE_URL="postgresql://h/d", **keys)
    assert done.returncode != 0
    assert f"{name} is missing or weak" in done.stderr


def test_the_role_decides_which_address_is_used() -> None:
    addresses = {"DATABASE_URL": "postgresql://app@h/d", "DATABASE_OWNER_URL": "postgresql://owner@h/d"}
    keys = {"SECRET_KEY": STRONG, "PUBLIC_ID_KEY": STRONG, "PII_KEY": STRONG}
    assert "'USER': 'app'" in load(**addresses, **keys).stdout
    assert "'USER': 'owner'" in load(**addresses, **keys, DATABASE_ROLE="owner").stdout
    assert "not 'root'" in load(**addresses, **keys, DATABASE_ROLE="root").stderr


def test_no_dependency_has_downgraded_django() -> None:
    assert django.VERSION[:2] == (6, 1)


def test_the_operators_script_makes_a_database_for_both_roles() -> None:
    home = ROOT / ".local" / f"pg-script-{os.getpid()}"
    try:
        with Postgres(home, *FORGETFUL).use() as server:
            server.execute(sql.script("shop"))
            owners = "SELECT datdba::regrole FROM pg_database WHERE datname = 'shop'"
            assert server.execute(owners).strip() == embedded.OWNER
            assert "lock_timeout=2s" in server.execute(
                "SELECT rolconfig FROM pg_roles WHERE rolname = 'touchstone_app'"
            )
    finally:
        shutil.rmtree(home)

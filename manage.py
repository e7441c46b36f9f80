#!/usr/bin/env python
"""Django's command line, with the embedded database started around commands that need one.

Commands that change or own the schema connect as ``touchstone_owner``; all others connect as
``touchstone_app``, like web and workers. Whatever this command had to start, it stops again.
"""

import contextlib
import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line

from marketplace import embedded

OWNER_COMMANDS = {
    "createsuperuser", "dbshell", "flush", "inspectdb", "makemigrations", "migrate", "optimizemigration",
    "remove_stale_contenttypes", "showmigrations", "sqlflush", "sqlmigrate", "sqlsequencereset", "squashmigrations",
}  # fmt: skip
WITHOUT_DATABASE = {
    "collectstatic", "compilemessages", "demo", "diffsettings", "findstatic", "help", "makemessages", "run",
    "startapp", "version",
}  # fmt: skip


def main(arguments: list[str]) -> None:
    """Run one management command."""
    command = next((word for word in arguments[1:] if not word.startswith("-")), "help")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    if command in OWNER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "owner")
    wants_help = not {"-h", "--help"}.isdisjoint(arguments)
    with contextlib.ExitStack() as stack:
        if command not in WITHOUT_DATABASE and not wants_help and settings.EMBEDDED_DATABASE:
            stack.enter_context(embedded.use_database(Path(settings.TOUCHSTONE_HOME)))
        execute_from_command_line(arguments)


if __name__ == "__main__":
    main(sys.argv)

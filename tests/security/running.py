"""The authorization matrix on a database of its own, outside pytest: ``python -m tests.security.running``."""

import json
import sys

from tests import environment  # the variables come before Django reads its settings

# isort: split
from tests import bench  # and Django before anything that imports models

# isort: split
from django.test.utils import setup_test_environment

from tests.databases import TestServer
from tests.security import cells

FIRST = (environment, bench)
"""Imported for what they do."""


def main() -> int:
    """Run it; what is wrong is said on standard error."""
    setup_test_environment()
    server = TestServer()
    try:
        with server.fresh_database():
            outcome = cells.run_all()
        with server.fresh_database():
            shown = cells.run_pages()
    finally:
        server.stop()
    for line in outcome.wrong + outcome.canary_hits + shown.wrong + shown.canary_hits:
        print(line, file=sys.stderr)
    found = cells.summary(outcome, shown)
    print(json.dumps(found))
    return 1 if found["wrong"] or found["unlisted"] or found["canary_hits"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""``make bench-roles``: the whole authorization matrix; prints one JSON object last.

endpoints, principals, cells; and what should be nothing: wrong cells, unlisted or stale addresses, canary_hits. Runs
in a process of its own, because it needs the variables that tests run under from the very start.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run it; with ``--out`` the object also goes to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.running"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    if asked.out is not None and done.stdout:
        asked.out.write_text(done.stdout.splitlines()[-1] + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

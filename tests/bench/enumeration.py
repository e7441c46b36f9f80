"""``make bench-enumeration``: whether an address with an account can be told from one without; prints one JSON object last.

For sign-in, sign-in by code, sign-up (pages and headless), reset and invitation: pairs, statuses and lengths that
differ, and the median difference in milliseconds, of time and of work. Exits 1 above 5 ms or where anything differs.
``ARGS="--pairs 40 --iterations 50000"`` for a quick look.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Run it; with ``--out FILE`` the object also goes to a file."""
    out = arguments.index("--out") if "--out" in arguments else None
    rest = arguments if out is None else arguments[:out] + arguments[out + 2 :]
    command = [sys.executable, "-m", "tests.marketplace.signon.enumerating", *rest]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    if out is not None and done.stdout:
        Path(arguments[out + 1]).write_text(done.stdout.splitlines()[-1] + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Run a program that dies with its parent: ``python -S leash.py PARENT_PID PROGRAM [ARGUMENT ...]``.

The kernel is asked to send SIGTERM to this process when its parent dies, also by kill -9; that wish
survives becoming another program. It is a program of its own because the wish has to be made after
the fork, where a process with threads may not safely run Python. Without Linux it only starts the program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make the wish, check that the parent had not died before it, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(0)
    os.execv(program[0], program)  # noqa: S606  (the supervisor's own command, no shell)


if __name__ == "__main__":
    main()

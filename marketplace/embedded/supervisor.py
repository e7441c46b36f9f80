"""The whole site as one thing to start and stop: ``python -m marketplace.embedded.supervisor``.

PostgreSQL, Valkey, migrations, seed, web and worker, in this order; a dead one is started again;
on Ctrl-C or SIGTERM they end in the order web, worker, Valkey, PostgreSQL. kill -9 of the
supervisor ends its children too (PostgreSQL excepted, which the next start finds and takes over).
"""

import argparse
import contextlib
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from marketplace import embedded
from marketplace.embedded import valkey
from marketplace.embedded.child import Child

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
NAME = "localhost"
"""What people call it: passkeys belong to a host's name, never to its number."""
PORTS = range(8000, 8100)
"""Tried in order. All lie below the range from which the kernel takes the ports of outgoing connections."""
ENDINGS = (signal.SIGINT, signal.SIGTERM)
START_SECONDS = 180.0
THREADS_PER_WEB_WORKER = 4


class StackFailed(RuntimeError):
    """A part of the stack did not start; the message holds the end of its log."""


class StackRunning(RuntimeError):
    """Another supervisor runs in this home."""


class Stack:
    """A site in a home folder of its own. Use it as a ``with`` block, or call `start` and `stop`.

    ``port``: None takes the first free one from 8000 on. ``celery``: whether the worker, with the
    sweeps' clock inside, runs as well. ``say`` is told in a sentence what happens. Parts for which
    ``DATABASE_URL``, or both ``BROKER_URL`` and ``CACHE_URL``, are set are not started here.
    """

    def __init__(
        self, home: Path, port: int | None = None, web_workers: int = 2, *, celery: bool = True,
        say: Callable[[str], None] = print,
    ) -> None:  # fmt: skip
        self.home = home.resolve()
        self._wanted_port, self._web_workers, self._celery, self._say = port, web_workers, celery, say
        self.port = 0
        self.children: dict[str, Child] = {}
        self._server: embedded.Postgres | None = None
        self._held = contextlib.ExitStack()
        self._tending = threading.Lock()
        self._quiet = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def address(self) -> str:
        """Where the site answers, such as ``http://localhost:8000``."""
        return f"http://{NAME}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The environment in which a ``manage.py`` command works on this site."""
        ours = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_ROLE", "DATABASE_POOL_SIZE"}
        }
        return ours | {"TOUCHSTONE_HOME": str(self.home), "SITE_URL": self.address(), "PYTHONUNBUFFERED": "1"}

    def start(self) -> None:
        """Bring everything up; returns once the site answers. On failure nothing is left running.

        Raises StackFailed, StackRunning or PostgresFailed.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        (self.home / "log").mkdir(parents=True, exist_ok=True)
        self._held.enter_context(_only_one(self.home))
        self.port = free_port() if self._wanted_port is None else self._wanted_port
        if "DATABASE_URL" not in os.environ:
            self._server = self._held.enter_context(embedded.use_database(self.home))
        self._watch()
        if not {"BROKER_URL", "CACHE_URL"} <= os.environ.keys():
            self._launch("valkey", valkey.command(self.home), prepare=lambda: valkey.prepare(self.home))
            self._wait("valkey", lambda: _accepts(valkey.socket_path(self.home)))
        self._manage("migrate", "--verbosity", "0")
        if (ROOT / "marketplace" / "management" / "commands" / "seed.py").exists():
            for line in self._manage("seed").splitlines():
                self._say(line)  # the first administrator's password is told here and nowhere else
        if self._celery:
            self._launch("worker", self._worker_command())
        self._launch("web", self._web_command())
        self._wait("web", lambda: _answers(self.port))

    def stop(self) -> None:
        """End web, worker, Valkey and PostgreSQL, in this order. Quiet when nothing runs."""
        with self._tending:
            self._quiet = True
        self._held.close()  # undoes what was started, last first
        self.children.clear()
        self._quiet = False

    def _launch(self, name: str, command: list[str], prepare: Callable[[], None] = lambda: None) -> None:
        log = self.home / "log" / f"{name}.log"
        child = Child(name, command, environment=self.environment(), folder=ROOT, log=log, prepare=prepare)
        self.children[name] = child
        self._held.callback(child.stop)
        child.start()

    def _web_command(self) -> list[str]:
        options = {"host": HOST, "port": self.port, "workers": self._web_workers, "log-level": "warning"}
        options |= {"interface": "wsgi", "blocking-threads": THREADS_PER_WEB_WORKER}
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "granian", *flags, "--respawn-failed-workers", "marketplace.wsgi:application"]

    def _worker_command(self) -> list[str]:
        celery = [sys.executable, "-m", "celery", "-A", "marketplace", "worker"]
        clock = ["--beat", "--schedule", str(self.home / "beat")]
        return [*celery, *clock, "--concurrency=2", "--loglevel=WARNING", "--without-gossip", "--without-mingle"]

    def _manage(self, *words: str) -> str:
        """Run a management command to its end; returns what it said."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words], cwd=ROOT, env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StackFailed(f"manage.py {words[0]} failed:\n{done.stdout[-3000:]}")
        return done.stdout

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait for a child to be ready. One that dies meanwhile is a failure, not a case for patience."""
        end = time.monotonic() + START_SECONDS
        while not ready():
            if time.monotonic() > end or self.children[name].pid is None:
                raise StackFailed(f"{name} did not start:\n{self.children[name].log_tail()}")
            time.sleep(0.05)

    def _watch(self) -> None:
        """Start the thread that restarts what dies.

        It outlives all children: the kernel takes the end of the thread that started a child for the
        parent's death, and would end restarted ones out of order.
        """

        def watch() -> None:
            while not self._over.wait(0.25):
                with self._tending:
                    self._tend()

        self._over.clear()
        thread = threading.Thread(target=watch, name="supervisor", daemon=True)
        thread.start()
        self._held.callback(thread.join)
        self._held.callback(self._over.set)

    def _tend(self) -> None:
        if self._quiet:
            return
        if self._server and not self._server.is_running():
            self._say("PostgreSQL is gone; starting it again")
            with contextlib.suppress(embedded.PostgresFailed):
                self._server.ensure()
        for child in tuple(self.children.values()):
            if news := child.tend():
                self._say(news)


def free_port() -> int:
    """The first free port of `PORTS`, else any free one."""
    for port in (*PORTS, 0):
        with socket.socket() as probe:
            # As the web server will bind: an old connection in its last wait does not count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise StackFailed("No port is free.")


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    with (home / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackRunning(f"The stack in {home} runs already.") from None
        yield


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _end(*_: object) -> None:
    """Leave, once: a second Ctrl-C must not interrupt the orderly stop."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run the site until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--home", type=Path, default=Path(environ.get("TOUCHSTONE_HOME") or ROOT / ".local"))
    parser.add_argument("--port", type=int, help="default: the first free one from 8000 on")
    parser.add_argument("--web-workers", type=int, default=2)
    given = parser.parse_args(arguments)
    for number in ENDINGS:
        signal.signal(number, _end)
    try:
        with Stack(given.home, given.port, given.web_workers) as stack:
            print(
                f"Touchstone answers at {stack.address()}   (Ctrl-C ends it; logs in {stack.home / 'log'})", flush=True
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        print("Stopped: web, worker, Valkey, PostgreSQL.", flush=True)
    except (StackFailed, StackRunning, embedded.PostgresFailed, valkey.ValkeyMissing) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

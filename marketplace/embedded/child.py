"""One process under supervision: started on a leash, restarted with back-off, stopped with its whole group."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
BACK_OFF_FIRST, BACK_OFF_MAX = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that ran this long has recovered; its next death is a new story."""


class Child:
    """A named process with a log file. ``prepare`` runs before every start, for example to drop a stale socket."""

    def __init__(
        self, name: str, command: list[str], *, environment: Mapping[str, str], folder: Path, log: Path,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.name, self.command, self.environment = name, command, dict(environment)
        self.folder, self.log, self.prepare = folder, log, prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._retry_at = 0.0
        self._back_off = BACK_OFF_FIRST

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process in a group of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
        self.prepare()
        leashed = [sys.executable, "-S", str(LEASH), str(os.getpid()), *self.command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = time.monotonic()

    def tend(self) -> str | None:
        """Restart the process if it is dead and its waiting time has passed; a sentence if something happened."""
        if self._process is None or self._process.poll() is None:
            return None
        now = time.monotonic()
        if not self._retry_at:
            # Its own children may have outlived it, and may hold its port.
            self._signal_group(signal.SIGKILL)
            self._back_off = BACK_OFF_FIRST if now - self._started > STEADY_SECONDS else self._back_off
            self._retry_at = now + self._back_off
            wait, self._back_off = self._back_off, min(self._back_off * 2, BACK_OFF_MAX)
            return f"{self.name} ended with status {self._process.returncode}; starting it again in {wait:g} s"
        if now >= self._retry_at:
            self._retry_at = 0.0
            self.start()
        return None

    def stop(self, seconds: float = 15.0) -> None:
        """Ask the process to end, and after ``seconds`` make its whole group end."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def log_tail(self, size: int = 3000) -> str:
        """The end of what the process said."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

"""The supervisor brings the site up, keeps it up, and takes it down in order."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace import embedded
from marketplace.embedded import processes, supervisor, valkey
from marketplace.embedded.child import Child
from tests.environment import OUTSIDE

PATIENCE = 60
"""Seconds. What is waited for takes two or three; a machine with other work on it may need many more."""


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="touchstone-tests-"))
    path.chmod(0o755)
    yield path
    embedded.postgres_at(path).stop()
    shutil.rmtree(path)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    child = Child("sleeper", command, environment=dict(os.environ), folder=tmp_path, log=tmp_path / "log")
    yield child
    child.stop()


def pid_of(child: Child) -> int:
    assert child.pid
    return child.pid


def pids_of(home: Path, word: str) -> list[int]:
    """Live processes whose command line or environment names this home, and whose command line has ``word``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
            ours = str(home).encode() in line + (entry / "environ").read_bytes()
        except OSError:
            continue
        if ours and word.encode() in line and processes.is_running(int(entry.name)):
            found.append(int(entry.name))
    return found


def answers(address: str) -> bool:
    """Whether the site says anything at all; what it says is for other tests."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 600
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def running_supervisor(command: list[str], *, tells: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address it printed, after ``tells``; killed if the test leaves it running."""
    with subprocess.Popen(command, env=OUTSIDE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            said = line = process.stdout.readline()
            while line and "http://" not in line:
                line = process.stdout.readline()
                said += line
            address = re.search(r"http://[\w.:]+", line)
            assert address, said
            assert tells in said
            yield process, address[0]
        finally:
            process.kill()


@pytest.mark.timeout(400)
def test_the_whole_stack_survives_kill_9_of_its_parts_and_of_itself(home: Path) -> None:
    """One story, because starting takes seconds: parts die, the supervisor dies, the next one takes over and ends."""
    command = [sys.executable, "-m", "marketplace.embedded.supervisor", "--home", str(home), "--web-workers", "1"]

    with running_supervisor(command, tells="Made the administrator admin@localhost with the password") as (
        first,
        address,
    ):
        assert answers(address)
        for word in ("granian", "valkey-server", "celery"):
            for pid in pids_of(home, word):
                os.kill(pid, signal.SIGKILL)
        for pid in processes.running_in(embedded.postgres_at(home).data):
            os.kill(pid, signal.SIGKILL)
        assert processes.wait_until(lambda: bool(pids_of(home, "valkey-server") and pids_of(home, "celery")), PATIENCE)
        assert processes.wait_until(lambda: answers(address), PATIENCE)
        again = subprocess.run(command, env=OUTSIDE, capture_output=True, text=True, check=False)
        assert again.returncode == 1
        assert "runs already" in again.stderr
        first.kill()
    assert processes.wait_until(
        lambda: not any(pids_of(home, word) for word in ("granian", "valkey", "celery")), PATIENCE
    )

    with running_supervisor(command) as (second, address):
        assert answers(address)
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE) == 0
    assert pids_of(home, "") == []
    assert not embedded.postgres_at(home).is_running()


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((supervisor.HOST, supervisor.free_port()))
        taken.listen()
        assert supervisor.free_port() != taken.getsockname()[1]


def test_a_child_that_dies_is_started_again_ever_later(sleeper: Child) -> None:
    sleeper.start()
    for wait in ("0.5 s", "1 s"):
        os.kill(pid_of(sleeper), signal.SIGKILL)
        assert processes.wait_until(lambda: sleeper.pid is None, 5)
        assert wait in (sleeper.tend() or "")
        assert sleeper.tend() is None
        assert sleeper.pid is None
        assert processes.wait_until(lambda: sleeper.tend() is None and sleeper.pid is not None, 5)


def test_a_child_stops_with_its_own_children(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program]
    child = Child("parent", command, environment=dict(os.environ), folder=tmp_path, log=tmp_path / "log")
    child.start()
    assert processes.wait_until(lambda: child.log_tail().endswith("\n"), 10)
    grandchild = int(child.log_tail())
    assert processes.is_running(grandchild)
    child.stop()
    assert processes.wait_until(lambda: not processes.is_running(grandchild), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from pathlib import Path
from marketplace.embedded.child import Child
child = Child("c", ["/bin/sleep", "60"], environment=dict(os.environ), folder=Path("/"), log=Path({str(tmp_path / "log")!r}))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert processes.is_running(child)
        parent.kill()
    assert processes.wait_until(lambda: not processes.is_running(child), 10)


def test_valkey_keeps_what_is_queued_over_kill_9(home: Path) -> None:
    child = Child(
        "valkey", valkey.command(home), environment=dict(os.environ), folder=home, log=home / "valkey.log",
        prepare=lambda: valkey.prepare(home),
    )  # fmt: skip

    def ask(words: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(valkey.socket_path(home)))
            client.sendall(words + b"\r\n")
            return client.recv(1000)

    def is_up() -> bool:
        try:
            return ask(b"PING") == b"+PONG\r\n"
        except OSError:
            return False

    child.start()
    assert processes.wait_until(is_up, 10)
    assert ask(b"RPUSH queue a b c") == b":3\r\n"
    os.kill(pid_of(child), signal.SIGKILL)
    child.stop()
    child.start()
    assert processes.wait_until(is_up, 10)
    assert ask(b"LLEN queue") == b":3\r\n"
    child.stop()

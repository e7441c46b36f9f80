"""``manage.py demo``: the main job on a site of its own, from posting to release, with simulated workers."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from marketplace import embedded
from marketplace.demo.client import Refused, Stopped, Unreachable
from marketplace.demo.crowd import name_of
from marketplace.demo.display import Display, Lines, Terminal, accounts_table, jobs_table, near, workers_table
from marketplace.demo.running import MARK, Choices, Demo, DemoRefused, Told, own_home
from marketplace.demo.staging import make_people
from marketplace.embedded.supervisor import ROOT, Stack, StackFailed, StackRunning
from marketplace.embedded.valkey import ValkeyMissing

SERVERS = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "CACHE_URL")
INTERRUPTED = 130


class Command(BaseCommand):
    """Runs the demo. Exit 0: it ran and the books are proved; 1: it could not, or they are not; 130: Ctrl-C."""

    help = "Run the main job on a site of its own, with simulated workers, and report."
    # The checks ask a database for its version, and none runs yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where to run and how large."""
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="write the report there as JSON, and do not stay up"
        )
        parser.add_argument("--keep", action="store_true", help="go on in the home of the last demo; else it is wiped")
        parser.add_argument("--seed", type=int, default=0, metavar="S", help="what chance follows in the crowd")
        parser.add_argument("--tasks", type=int, default=150, metavar="N", help="at most so many tasks a job")
        parser.add_argument("--home", type=Path, default=ROOT / ".local" / "demo", metavar="DIR")
        parser.add_argument("--releases", type=Path, default=ROOT / "out" / "demo", metavar="DIR")
        parser.add_argument(
            "--people", type=int, metavar="N", help="make people in the demo's database (it calls this)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run, tell, and stay up where somebody is there to look."""
        if options["people"] is not None:
            self._make_people(options["people"])
            return
        if options["seed"] < 0 or options["tasks"] < 1:
            raise CommandError("--seed is not negative, and --tasks is at least 1.", returncode=2)
        console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 140)
        display: Display = Terminal(console) if console.is_terminal and not _ci() else Lines(console)
        choices = Choices(
            home=options["home"].resolve(), releases=options["releases"].resolve(), seed=options["seed"],
            tasks=options["tasks"], keep=options["keep"],
            stays=console.is_terminal and not _ci() and options["out"] is None,
        )  # fmt: skip
        for name in SERVERS:
            if os.environ.pop(name, None):
                display.say(f"{name} is set; the demo leaves it alone and uses servers of its own.")
        # Whoever looks round the demo as its administrator has no telephone to set up for it.
        os.environ.setdefault("MFA_REQUIRED", "false")
        try:
            self._run(choices, display, console, options["out"])
        except (
            DemoRefused,
            Refused,
            Unreachable,
            StackFailed,
            StackRunning,
            embedded.PostgresFailed,
            ValkeyMissing,
        ) as no:
            raise CommandError(str(no), returncode=1) from no

    def _run(self, choices: Choices, display: Display, console: Console, out: Path | None) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        started = time.monotonic()
        told: Told | None = None
        try:
            with own_home(choices.home, keep=choices.keep):
                up = threading.Event()
                # What starting says is for whoever runs a site: an administrator's password, which ours replaces.
                stack = Stack(choices.home, say=lambda text: display.say(text) if up.is_set() else None)
                display.say("Starting PostgreSQL, Valkey, the web server and a worker…")
                with stack:
                    up.set()
                    display.done(f"The site is up at {stack.address()}")
                    try:
                        told = Demo(stack, choices, display, stop, started).run()
                        _report(told, choices, display, out)
                        if choices.stays:
                            _invite(told, console)
                            stop.wait()
                    finally:
                        stop.set()
                        display.rest()
        except (KeyboardInterrupt, Stopped):
            display.say("Stopped: web, worker, Valkey, PostgreSQL.")
            if told is None:
                raise SystemExit(INTERRUPTED) from None
        if told.broken:
            raise CommandError(f"{told.broken}: this proof does not hold.", returncode=1)

    def _make_people(self, count: int) -> None:
        """For the demo's own child process, whose environment leads to the demo's database."""
        if not (settings.TOUCHSTONE_HOME / MARK).exists():
            raise CommandError("People are only made in a home that the demo has made.")
        names = [name_of(number) for number in range(1, count + 1)]
        self.stdout.write(json.dumps(make_people(names)))


def _ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _interrupt(*_: object) -> None:
    """End, once: a second Ctrl-C must not interrupt the orderly stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _report(told: Told, choices: Choices, display: Display, out: Path | None) -> None:
    display.tables(["", jobs_table(told.jobs), "", workers_table(told.workers), ""])
    proved = f"Books and line proved: {told.proofs} proofs hold." if not told.broken else f"BROKEN: {told.broken}"
    display.done(proved)
    display.done(f"Releases written to {near(str(choices.releases))}")
    display.done(f"{told.seconds:.0f} seconds in all")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(told.as_json(choices.releases), indent=2) + "\n", encoding="utf-8")


def _invite(told: Told, console: Console) -> None:
    """How to look around and to label a few tasks oneself."""
    console.print(
        "\n[bold]Look around[/bold] (Ctrl-C ends everything)\n", accounts_table(told.address, told.sign_in), sep="\n"
    )
    console.print(
        "\nA few digits are left open for you to label: keys 0 to 9 answer.\nPasswords hold until the next demo.\n"
    )

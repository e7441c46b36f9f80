"""``manage.py verify``: prove the books and the line again, from the rows alone."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.ledger.proofs import PROOFS, Finding, Proof, run_one
from tasks.proofs import LINE_PROOFS


@dataclass(frozen=True, slots=True)
class Proved:
    """One proof that was run: how long it took, and what it found (None: it holds)."""

    proof: Proof
    seconds: float
    finding: Finding | None


def prove_all(tell: Callable[[Proved], None] | None = None) -> list[Proved]:
    """Run every proof of the books and of the line on one snapshot; ``tell`` hears of each when it is done.

    Must not be called inside a transaction, whose snapshot would be an older one.
    """
    done = []
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # The app role's limits are for requests; a proof reads whole tables.
        cursor.execute("SET LOCAL statement_timeout = 0")
        for proof in (*PROOFS, *LINE_PROOFS):
            started = time.perf_counter()
            finding = run_one(proof, cursor)
            proved = Proved(proof, time.perf_counter() - started, finding)
            done.append(proved)
            if tell is not None:
                tell(proved)
    return done


class Command(BaseCommand):
    """Runs every proof, prints a line for each, and exits 1 when one does not hold, naming the first."""

    help = "Prove the books and the line again; exit 1 names the first proof that does not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file for the report."""
        parser.add_argument("--json", metavar="FILE", type=Path, help="write the report there too")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print, write, and judge."""
        started = time.perf_counter()
        done = prove_all(self._tell)
        broken = [proved.finding for proved in done if proved.finding is not None]
        report = _report(done, time.perf_counter() - started)
        if options["json"] is not None:
            options["json"].write_text(json.dumps(report, indent=2, default=_text) + "\n", encoding="utf-8")
        if broken:
            raise CommandError(f"{broken[0].name}: {broken[0].sentence} This does not hold.", returncode=1)
        self.stdout.write(f"{len(done)} proofs hold ({report['seconds']:.2f} s)")

    def _tell(self, proved: Proved) -> None:
        mark = "holds " if proved.finding is None else "BROKEN"
        self.stdout.write(f"{mark} {proved.proof.name} ({proved.seconds:.2f} s)")
        if proved.finding is not None:
            self.stdout.write(f"       {proved.proof.sentence}")
            for row in proved.finding.rows[:3]:
                facts = zip(proved.finding.columns, row, strict=True)
                self.stdout.write("       " + ", ".join(f"{column}={_text(value)}" for column, value in facts))


def _report(done: list[Proved], seconds: float) -> dict[str, Any]:
    """The report as JSON: ``ok``, ``first_broken``, and each proof with its first violations."""
    broken = [proved.proof.name for proved in done if proved.finding is not None]
    return {
        "ok": not broken,
        "first_broken": broken[0] if broken else None,
        "seconds": round(seconds, 3),
        "proofs": [
            {
                "name": proved.proof.name,
                "sentence": proved.proof.sentence,
                "holds": proved.finding is None,
                "seconds": round(proved.seconds, 3),
                "violations": [dict(zip(proved.finding.columns, row, strict=True)) for row in proved.finding.rows]
                if proved.finding is not None
                else [],
            }
            for proved in done
        ],
    }


def _text(value: object) -> str:
    """A value of a violation for people: bytes as hexadecimal digits."""
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)

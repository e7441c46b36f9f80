"""``manage.py replay DIR``: post a data set as a job, and let its recorded workers answer through the real acts."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from marketplace.management.commands.verify import prove_all
from marketplace.replay.dataset import Dataset, read_dataset
from marketplace.replay.fresh import fresh_database
from marketplace.replay.progress import telling
from marketplace.replay.results import read_results, report
from marketplace.replay.script import Script, write_script
from marketplace.replay.staging import post_dataset
from marketplace.replay.stepping import Player
from qualification.inference.engine import engine_named
from qualification.inference.stopping import parse_policy

CERTIFIED = "certified"


@dataclass(frozen=True)
class Choices:
    """What the command line chose. ``alpha`` and ``expert_cost`` are for policies that certify and that ask experts."""

    policy: str = "fixed:5"
    engine: str = "dawid_skene"
    gold: int = 0
    seed: int = 0
    limit: int | None = None
    alpha: float = 0.1
    expert_cost: float = 10.0


class Command(BaseCommand):
    """Plays a folder of recorded answers in a database of its own, and prints the report as one JSON object."""

    help = "Replay recorded answers through the line in a fresh database; exit 2 names what is wrong with the folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the folder and how to play it."""
        parser.add_argument("folder", metavar="DIR", type=Path, help="with answers.csv.gz, truth.csv.gz, dataset.json")
        parser.add_argument("--policy", default=Choices.policy, help="fixed:K or confidence:THRESHOLD:LEAST:MOST")
        parser.add_argument("--engine", default=Choices.engine, help="dawid_skene or majority")
        parser.add_argument(
            "--gold", type=int, default=Choices.gold, metavar="G", help="items with truth to hide as gold"
        )
        parser.add_argument("--seed", type=int, default=Choices.seed, metavar="S")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many items, chosen by the seed")
        parser.add_argument("--alpha", type=float, default=Choices.alpha, metavar="A", help="error to certify")
        parser.add_argument(
            "--expert-cost", type=float, default=Choices.expert_cost, metavar="C", help="in crowd answers"
        )
        parser.add_argument("--json", metavar="FILE", type=Path, help="write the report there too")
        parser.add_argument("--keep", action="store_true", help="keep the database, and say its name")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read, play, prove, report."""
        choices = Choices(**{name: options[name] for name in Choices.__annotations__})
        try:
            _check(choices)
            dataset = read_dataset(options["folder"])
            script = _script(dataset, choices)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        with fresh_database(keep=options["keep"]) as name:
            title = f"{dataset.name}, {choices.policy}, seed {choices.seed}"
            with telling(title, len(script.events)) as tell:
                found, broken = play(dataset, script, choices, tell)
        text = json.dumps(found, indent=2)
        if options["json"] is not None:
            options["json"].write_text(text + "\n", encoding="utf-8")
        self.stdout.write(text)
        if options["keep"]:
            self.stderr.write(f"The database is kept: {name}")
        if broken:
            raise CommandError(f"{broken} This does not hold.", returncode=1)


def play(dataset: Dataset, script: Script, choices: Choices, tell: Callable[[int], None]) -> tuple[dict[str, Any], str]:
    """Play ``script`` in the current database, which must be fresh; the report, and the first proof that is broken."""
    started = time.perf_counter()
    rng = np.random.default_rng([choices.seed, 1])
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(%s)", [float(rng.uniform(-1, 1))])
    posted = post_dataset(dataset, script, policy=choices.policy, engine=choices.engine, rng=rng)
    Player(dataset, script, posted, tell).play()
    broken = [proved.proof for proved in prove_all() if proved.finding is not None]
    results = read_results(dataset, posted)
    found = report(dataset, script, results, policy=choices.policy, engine=choices.engine, seed=choices.seed)
    found |= {"seconds": round(time.perf_counter() - started, 3), "books_ok": not broken}
    return found, f"{broken[0].name}: {broken[0].sentence}" if broken else ""


def _script(dataset: Dataset, choices: Choices) -> Script:
    rng = np.random.default_rng([choices.seed, 0])
    return write_script(dataset, gold=choices.gold, limit=choices.limit, rng=rng)


def _check(choices: Choices) -> None:
    """Raise ValueError for what cannot be played, before anything is made."""
    if choices.policy == CERTIFIED or choices.policy.startswith(f"{CERTIFIED}:"):
        raise ValueError(
            "The policy certified comes with the certified engine and cannot be played yet; use fixed:K or"
            " confidence:THRESHOLD:LEAST:MOST."
        )
    parse_policy(choices.policy)
    engine_named(choices.engine)
    if choices.gold < 0 or choices.seed < 0 or (choices.limit is not None and choices.limit < 1):
        raise ValueError("--gold and --seed are not negative, and --limit is at least 1.")
    if not 0 < choices.alpha < 1 or not choices.expert_cost > 0:
        raise ValueError("--alpha lies between 0 and 1, and --expert-cost is above 0.")

"""What the benches on recorded answers share: options, choice of folders, truth beside answers, and the way to print."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from marketplace.replay.dataset import EXPERT, Dataset, DatasetInvalid, read_dataset

DATA = os.environ.get("TOUCHSTONE_DATA", "../shared/data")


def options(name: str, about: str | None, *, seeds: str, flags: Sequence[str] = ()) -> argparse.Namespace:
    """Read ``--data``, ``--seeds`` (as ``0-4`` or ``1,5``), ``--out`` and ``flags``; ``seeds`` says how many are usual."""
    parser = argparse.ArgumentParser(prog=f"bench-{name}", description=about)
    parser.add_argument("--data", type=Path, default=Path(DATA), help="a folder of data sets")
    parser.add_argument("--seeds", type=_seeds, default=_seeds(seeds))
    parser.add_argument("--out", type=Path)
    for flag in flags:
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


def datasets(folder: Path, kinds: Sequence[str]) -> Iterator[tuple[str, Dataset]]:
    """The data sets in ``folder`` whose kind is one of ``kinds``, by name; those that cannot be read are passed over."""
    for description in sorted(folder.glob("*/dataset.json")):
        try:
            said = json.loads(description.read_text(encoding="utf-8"))
            if isinstance(said, dict) and said.get("kind") in kinds:
                yield description.parent.name, read_dataset(description.parent)
        except (DatasetInvalid, ValueError, OSError) as fault:
            print(f"{description.parent.name} is passed over: {fault}")


def times(folder: Path) -> Mapping[tuple[str, str], str] | None:
    """When each (item, worker) was answered by the crowd, as texts that sort; None where a row does not say."""
    found: dict[tuple[str, str], str] = {}
    with gzip.open(folder / "answers.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.get("worker_group") == EXPERT:
                continue
            at = row.get("submitted_at") or row.get("started_at")
            if not at:
                return None
            found.setdefault((row["item_id"], row["worker_id"]), at)
    return found


def finish(found: Mapping[str, Any], out: Path | None) -> None:
    """Print the object last, and write it to ``out``."""
    if out is not None:
        out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))


def _seeds(text: str) -> tuple[int, ...]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return tuple(seeds)

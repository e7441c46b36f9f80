"""What the demo's three jobs ask, and the right answers, which only the demo knows.

Pictures are the handwritten digits that scikit-learn ships; the texts are ours (``texts/*.csv``). An item with a
``lure`` is a hard one, and the lure is the wrong class that it suggests: sarcasm, for example.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from qualification.inference.stopping import parse_policy

TEXTS = Path(__file__).with_name("texts")
PICTURE_SIDE = 140
"""Pixels. The originals have eight, too few for a person to look at."""

GOLD_EXPOSURES = 40
ROOM_FOR_FEE = Decimal("1.2")
EXAM_LEVEL = 2


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to label. ``shown`` is what a worker sees and names the item; ``truth`` and ``lure`` are class indices."""

    ref: str
    payload: dict[str, Any]
    shown: str
    truth: int
    lure: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A job to post. ``gold`` and ``exam`` hold other items than ``tasks``; an exam makes it a specialists' job."""

    slug: str
    name: str
    domain: str
    description: str
    question: str
    classes: tuple[dict[str, str], ...]
    guidelines: str
    price: Decimal
    policy: str
    gold_share_bp: int
    lease_seconds: int
    tasks: tuple[Item, ...]
    gold: tuple[Item, ...] = ()
    exam: tuple[Item, ...] = ()

    @property
    def names(self) -> list[str]:
        """The classes by name, in order."""
        return [one["name"] for one in self.classes]

    @property
    def definition(self) -> dict[str, Any]:
        """The label definition, as the API takes it."""
        return {"question": self.question, "classes": list(self.classes)}

    @property
    def specialists_only(self) -> bool:
        """Does it need a qualification?"""
        return bool(self.exam)

    @property
    def budget(self) -> Decimal:
        """Enough for every answer that its policy may ask for, every showing of its gold, and the fee."""
        answers = len(self.tasks) * parse_policy(self.policy).answers_max + len(self.gold) * GOLD_EXPOSURES
        return (answers * self.price * ROOM_FOR_FEE).quantize(Decimal(1), ROUND_UP)


def the_jobs(rng: np.random.Generator, *, tasks_max: int = 150) -> tuple[Posting, ...]:
    """The three jobs, each of at most ``tasks_max`` tasks; ``rng`` chooses which items are tasks and which are gold."""
    digits, reviews, notes = (_shuffled(items, rng) for items in (_digits(), _reviews(), _notes()))
    return (
        replace(DIGITS, tasks=digits[: min(150, tasks_max)], gold=digits[150:180]),
        replace(REVIEWS, tasks=reviews[16:][:tasks_max], gold=reviews[:16]),
        replace(NOTES, tasks=notes[24:][:tasks_max], gold=notes[:10], exam=notes[10:24]),
    )


def try_yourself(rng: np.random.Generator, *, tasks: int = 12) -> Posting:
    """A small job for whoever runs the demo: one answer a task, and nothing hidden."""
    items = _shuffled(_digits(), rng)[:tasks]
    return replace(
        DIGITS, slug="yours", name="Try it yourself: handwritten digits", policy="fixed:1", price=Decimal("0.05"),
        gold_share_bp=0, lease_seconds=1_800, tasks=items,
    )  # fmt: skip


def by_what_is_shown(postings: Sequence[Posting]) -> dict[str, Item]:
    """Every item by what a worker sees of it: tasks, gold and exam alike, since a worker cannot tell them apart."""
    return {item.shown: item for job in postings for item in (*job.tasks, *job.gold, *job.exam)}


def shown_of(payload: dict[str, Any]) -> str:
    """What a worker sees of a payload."""
    return str(payload.get("image") or payload.get("text"))


def _shuffled(items: list[Item], rng: np.random.Generator) -> tuple[Item, ...]:
    return tuple(items[place] for place in rng.permutation(len(items)))


def _digits() -> list[Item]:
    bunch = load_digits()
    items = []
    for number, (pixels, digit) in enumerate(zip(bunch.images[:400], bunch.target[:400], strict=True), start=1):
        picture = _picture(pixels)
        items.append(Item(f"digit-{number:04}", {"image": picture}, picture, int(digit)))
    return items


def _picture(pixels: np.ndarray) -> str:
    """Ink 0 to 16 on 8 × 8 as a data URI: dark on white with a margin, and smooth at a size that can be looked at."""
    ink = Image.fromarray((255 - np.pad(pixels, 1) * (255 / 16)).astype("uint8"))
    file = io.BytesIO()
    ink.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _reviews() -> list[Item]:
    return _texts("reviews.csv", "review", REVIEWS)


def _notes() -> list[Item]:
    return _texts("notes.csv", "note", NOTES)


def _texts(file: str, kind: str, job: Posting) -> list[Item]:
    places = {name: place for place, name in enumerate(job.names)}
    with (TEXTS / file).open(encoding="utf-8", newline="") as lines:
        return [
            Item(
                f"{kind}-{number:03}", {"text": row["text"]}, row["text"], places[row["label"]], places.get(row["lure"])
            )
            for number, row in enumerate(csv.DictReader(lines), start=1)
        ]


DIGITS = Posting(
    slug="digits",
    name="Handwritten digits",
    domain="vision/handwriting",
    description="Say which digit was written. Pictures from scikit-learn's collection of digits.",
    question="Which digit is written here?",
    classes=tuple({"name": str(digit), "title": str(digit)} for digit in range(10)),
    guidelines=(
        "Look at the whole stroke before you decide.\n\nA seven may have a bar. A one may be no more than a slanted line."
        "\n\nIf two digits seem possible, choose the one that you would read in a telephone number."
    ),
    price=Decimal("0.02"),
    policy="fixed:3",
    gold_share_bp=2_000,
    lease_seconds=20,
    tasks=(),
)
REVIEWS = Posting(
    slug="reviews",
    name="What buyers say",
    domain="language/sentiment",
    description="Say how the writer feels about what they bought, ate or saw. Short texts, written for this demo.",
    question="How does the writer feel about it?",
    classes=(
        {"name": "positive", "title": "Positive", "description": "They would choose it again."},
        {"name": "neutral", "title": "Neutral", "description": "No feeling shows, or neither side prevails."},
        {"name": "negative", "title": "Negative", "description": "They would not, or warn against it."},
    ),
    guidelines=(
        "Read the whole text before you answer.\n\nJudge what the writer means, not the words they use: some praise in"
        " jest, and some complain with love.\n\nChoose neutral only where no feeling shows. Where praise and blame are"
        " mixed, ask whether the writer would choose it again."
    ),
    price=Decimal("0.03"),
    policy="confidence:0.9:2:5",
    gold_share_bp=2_000,
    lease_seconds=30,
    tasks=(),
)
NOTES = Posting(
    slug="notes",
    name="Fractures in radiology notes",
    domain="medicine/radiology",
    description="Say whether the note reports a fracture. The notes are invented; the job is for qualified readers only.",
    question="Does this note report a fracture?",
    classes=(
        {"name": "fracture", "title": "Fracture", "description": "The note says that there is one, fresh or healing."},
        {"name": "no_fracture", "title": "No fracture", "description": "The note says that there is none."},
        {"name": "unclear", "title": "Unclear", "description": "The note leaves it open."},
    ),
    guidelines=(
        "Judge what the note says, not what you would expect to see.\n\nA healing fracture counts as one; one that healed"
        " long ago does not.\n\nVessel grooves, growth plates and variants are no fractures. Where the reader asks for"
        " another picture before deciding, the answer is unclear."
    ),
    price=Decimal("0.40"),
    policy="fixed:3",
    gold_share_bp=1_500,
    lease_seconds=60,
    tasks=(),
)

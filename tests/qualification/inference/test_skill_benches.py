"""The benches of skill on made-up workers, and on recorded ones where the data folder is at hand (TOUCHSTONE_DATA)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from marketplace.replay.dataset import Dataset, Recorded, read_dataset
from tests.bench.coverage import coverage, fits
from tests.bench.experts import experts
from tests.bench.recorded import datasets, times
from tests.qualification.inference.recordings import DATA


def a_set(*, workers: int, items: int, classes: int, experts_of: int = 0, seed: int = 0) -> Dataset:
    """Everybody answers every item; the first ``experts_of`` workers are right nearly always, the others seldom."""
    rng = np.random.default_rng(seed)
    truth = {f"i{item:03}": int(rng.integers(classes)) for item in range(items)}
    answers = [
        Recorded(item, f"w{worker:02}", label if rng.random() < (0.95 if worker < experts_of else 0.6) else int(wrong))
        for item, label in truth.items()
        for worker, wrong in enumerate(rng.integers(classes, size=workers))
    ]
    return Dataset("made_up", "options", {"classes": [{}] * classes}, tuple(answers), truth, {}, 0, 0, 0)


def test_the_few_who_know_are_found_and_asked() -> None:
    found = experts(a_set(workers=30, items=60, classes=4, experts_of=5), range(5))

    assert found["gold"] == 20
    assert found["routed_accuracy"] > 0.98


def test_what_is_said_of_the_next_answers_comes_true() -> None:
    dataset = a_set(workers=300, items=80, classes=2)

    figures, found = coverage(dataset, None, (0,))

    assert fits(dataset) is False
    assert (figures["workers"], figures["order"]) == (300, "shuffled")
    assert 0.84 < figures["covered_90"] < 0.97
    assert found.shape == (300, 2)


def test_workers_with_fewer_than_forty_judged_answers_are_left_out() -> None:
    figures, _ = coverage(a_set(workers=5, items=39, classes=2), None, (0,))

    assert figures["workers"] == 0
    assert figures["covered_90"] is None


def test_a_folder_says_its_kind_and_when_the_crowd_answered(tmp_path: Path) -> None:
    header, crowd = "item_id,worker_id,label,worker_group,submitted_at", "i1,w1,a,crowd,2020-01-01T00:00:00Z"
    for name, kind, rows in (
        ("dated", "categorical", [crowd, "i1,w2,b,expert,", "i1,w1,b,crowd,2020-01-02T00:00:00Z"]),
        ("undated", "categorical", [crowd, "i1,w2,b,crowd,"]),
        ("other", "options", [crowd]),
        ("broken", "categorical", []),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.json").write_text(json.dumps({"kind": kind, "classes": ["a", "b"]}))
        for file, lines in (("answers", [header, *rows]), ("truth", ["item_id,label,source", "i1,a,gold"])):
            (tmp_path / name / f"{file}.csv.gz").write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))

    assert [name for name, _ in datasets(tmp_path, ("categorical",))] == ["dated", "undated"]
    assert times(tmp_path / "dated") == {("i1", "w1"): "2020-01-01T00:00:00Z"}
    assert times(tmp_path / "undated") is None


@pytest.mark.skipif(not (DATA / "quiz_english").is_dir(), reason=f"no recorded answers in {DATA}")
@pytest.mark.parametrize(("name", "figure"), [("quiz_medicine", 0.92), ("quiz_english", 0.68), ("quiz_science", 0.63)])
def test_five_measured_workers_beat_the_crowd_on_hard_questions(name: str, figure: float) -> None:
    found = experts(read_dataset(DATA / name), range(20))

    assert found["routed_accuracy"] >= figure
    assert found["routed_accuracy"] > found["majority_accuracy"] + 0.1


@pytest.mark.skipif(not (DATA / "cid_relation").is_dir(), reason=f"no recorded answers in {DATA}")
def test_recorded_workers_do_next_what_was_said() -> None:
    found = [
        coverage(read_dataset(DATA / name), times(DATA / name), (0,))[1]
        for name in ("cid_relation", "sentiment_polarity")
    ]

    covered, width = np.concatenate(found).mean(axis=0)
    assert 0.87 <= covered <= 0.97
    assert width <= 0.40

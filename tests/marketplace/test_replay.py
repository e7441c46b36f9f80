"""Recorded answers go through the real line, in a database of their own, and the report is what they come to."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Worker
from marketplace import databases
from marketplace.management.commands.replay import Choices, play
from marketplace.replay import fresh
from marketplace.replay.dataset import DatasetInvalid, Recorded, read_dataset
from marketplace.replay.fresh import fresh_database
from marketplace.replay.scoring import Judgement, score
from marketplace.replay.script import write_script
from marketplace.settings import database
from tasks.models import Assignment, Task

BINDING = {
    "dataset", "policy", "seed", "tasks", "answers", "gold_answers", "expert_answers", "accuracy", "delivered_error",
    "certified_alpha", "cost_per_task", "labels_per_task", "contested", "ece", "seconds", "books_ok",
}  # fmt: skip
"""The keys that other tools read."""

ITEMS, WORKERS = 12, 6
type Rows = Sequence[Sequence[str]]


def write_table(file: Path, header: Sequence[str], rows: Rows) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    file.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def right(item: int) -> str:
    return "yes" if item % 3 else "no"


def crowd(each: int = 5) -> list[list[str]]:
    """``each`` answers to every item; the sixth worker is always wrong."""
    other = {"yes": "no", "no": "yes"}
    return [
        [f"i{item:02}", f"w{worker}", other[right(item)] if worker == WORKERS - 1 else right(item)]
        for item in range(ITEMS)
        for worker in [(item + place) % WORKERS for place in range(each)]
    ]


@pytest.fixture
def a_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a data set into a folder of the test's own."""

    def write(
        answers: Rows | None = None,
        truth: Rows | None = None,
        header: Sequence[str] = ("item_id", "worker_id", "label"),
        **said: Any,
    ) -> Path:
        folder = tmp_path / "made_up"
        folder.mkdir()
        description = {"name": "made_up", "kind": "categorical", "classes": ["no", "yes"], **said}
        (folder / "dataset.json").write_text(json.dumps(description))
        write_table(folder / "answers.csv.gz", header, crowd() if answers is None else answers)
        known = [[f"i{item:02}", right(item), "gold"] for item in range(ITEMS)]
        write_table(folder / "truth.csv.gz", ["item_id", "label", "source"], known if truth is None else truth)
        write_table(
            folder / "items.csv.gz", ["item_id", "text"], [[f"i{item:02}", f"Is it {item}?"] for item in range(ITEMS)]
        )
        return folder

    return write


@pytest.fixture
def server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The tests' server, on which replays make databases of their own."""
    with django_db_blocker.unblock():
        yield


def replay(folder: Path, *options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("replay", str(folder), *options, stdout=out, stderr=io.StringIO())
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def replay_databases() -> list[str]:
    with databases.connect(database("owner"), databases.MAINTENANCE) as admin:
        like = f"{fresh.PREFIX}%".replace("_", "\\_")
        return [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [like])]


def test_a_replay_answers_as_recorded_pays_and_proves_the_books(
    server: None, a_folder: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    found = replay(a_folder(), "--policy", "fixed:3", "--json", str(file))
    assert found.keys() >= BINDING
    assert found == json.loads(file.read_text())
    assert found["books_ok"] is True
    assert found["dataset"] == "made_up"
    assert (found["policy"], found["seed"], found["certified_alpha"]) == ("fixed:3", 0, None)
    assert found["tasks"] == ITEMS
    assert found["answers"] == found["answers_possible"] == 3 * ITEMS
    assert found["labels_per_task"] == found["cost_per_task"] == 3.0
    assert (found["gold_answers"], found["expert_answers"], found["contested"]) == (0, 0, 0)
    assert found["accuracy"] >= found["majority_accuracy"] - 0.1
    assert found["delivered_error"] == pytest.approx(1 - found["accuracy"])
    assert replay_databases() == []


def test_the_same_seed_gives_the_same_report_and_another_seed_another(
    server: None, a_folder: Callable[..., Path]
) -> None:
    folder = a_folder()
    options = ("--policy", "confidence:0.9:1:4", "--gold", "3", "--engine", "majority", "--seed")
    first, again, other = (replay(folder, *options, seed) for seed in ("7", "7", "8"))
    for found in (first, again, other):
        del found["seconds"]
    assert first == again
    assert first != other


def test_gold_is_answered_by_the_recorded_workers_and_counts_apart(server: None, a_folder: Callable[..., Path]) -> None:
    found = replay(a_folder(), "--policy", "fixed:3", "--gold", "4")
    assert found["tasks"] == found["tasks_with_truth"] == ITEMS - 4
    assert found["gold_answers"] == 4 * 5
    assert found["answers"] == 3 * (ITEMS - 4)
    assert found["cost_per_task"] == 3.0
    assert found["books_ok"] is True


def test_a_limit_chooses_items_by_the_seed(server: None, a_folder: Callable[..., Path]) -> None:
    assert replay(a_folder(), "--limit", "5", "--policy", "fixed:2")["answers"] == 10


def test_a_task_without_enough_recorded_answers_is_judged_on_what_it_has(
    server: None, a_folder: Callable[..., Path]
) -> None:
    found = replay(a_folder(crowd(2)), "--policy", "fixed:4")
    assert found["answers"] == found["answers_possible"] == 2 * ITEMS
    assert found["contested"] == 0
    assert found["books_ok"] is True


def test_an_answer_that_came_too_early_is_given_when_the_task_opens_again(
    server: None, a_folder: Callable[..., Path]
) -> None:
    # Every answer is dealt out before the sweeps are first stepped; one vote of two is never confident.
    answers = [[f"i{item:02}", f"w{worker}", ["no", "yes"][worker % 2]] for item in range(ITEMS) for worker in range(4)]
    found = replay(a_folder(answers), "--policy", "confidence:0.99:2:4", "--engine", "majority", "--seed", "1")
    assert 3 * ITEMS < found["answers"] <= 4 * ITEMS
    assert found["contested"] > 0
    assert found["books_ok"] is True


def test_confidence_that_recorded_answers_cannot_reach_leaves_the_task_contested(
    server: None, a_folder: Callable[..., Path]
) -> None:
    answers = [[f"i{item:02}", f"w{worker}", ["no", "yes"][worker]] for item in range(ITEMS) for worker in range(2)]
    found = replay(a_folder(answers), "--policy", "confidence:0.9:2:5", "--engine", "majority")
    assert (found["answers"], found["contested"]) == (2 * ITEMS, ITEMS)
    assert found["majority_accuracy"] == 0.5


def test_workers_are_simulated_are_offered_their_items_only_and_experts_are_no_crowd(
    server: None, a_folder: Callable[..., Path]
) -> None:
    rows = [[*row, "crowd"] for row in crowd()] + [["i00", "e1", "no", "expert"]]
    dataset = read_dataset(a_folder(rows, header=("item_id", "worker_id", "label", "worker_group")))
    assert dataset.expert_answers == 1
    script = write_script(dataset, gold=0, limit=None, rng=np.random.default_rng(0))
    with fresh_database() as name:
        assert connection.settings_dict["NAME"] == name
        found, broken = play(dataset, script, Choices(policy="fixed:3"), lambda done: None)
        assert (found["books_ok"], broken) == (True, "")
        assert set(Worker.objects.values_list("name", "simulated")) == {
            (f"w{number}", True) for number in range(WORKERS)
        }
        said = {
            (task.payload.content["item"], worker, label["class"])
            for task in Task.objects.select_related("payload")
            for worker, label in Assignment.objects.filter(task_id=task.pk).values_list("worker__name", "answer__label")
        }
        assert said <= {(item, worker, label) for item, worker, label in crowd()}
        assert Task.objects.first().payload.content["text"].startswith("Is it ")  # type: ignore[union-attr]  # there are tasks


def test_a_kept_database_stays_and_its_name_is_said(server: None, a_folder: Callable[..., Path]) -> None:
    said = io.StringIO()
    call_command("replay", str(a_folder()), "--limit", "2", "--keep", stdout=io.StringIO(), stderr=said)
    name = said.getvalue().split()[-1]
    with databases.connect(database("app"), name) as kept:
        assert kept.execute("SELECT count(*) FROM tasks_task").fetchone() == (2,)
    with databases.connect(database("owner"), databases.MAINTENANCE) as admin:
        admin.execute(f"DROP DATABASE {name}")


def test_what_a_killed_replay_left_is_dropped_by_the_next(server: None) -> None:
    left = f"{fresh.PREFIX}dead"
    databases.create(database("owner"), left)
    with fresh_database() as name:
        assert replay_databases() == [name]
    assert replay_databases() == []


def test_a_failure_inside_leaves_no_database_even_with_connections_open(server: None) -> None:
    def fail() -> None:
        with fresh_database() as name:
            open_connections.append(databases.connect(database("app"), name))
            raise RuntimeError("the replay broke")

    open_connections: list[Any] = []
    with pytest.raises(RuntimeError, match="broke"):
        fail()
    assert replay_databases() == []
    open_connections[0].close()


def spoil(folder: Path, what: str) -> None:
    """Make one thing wrong with a folder."""
    answers = folder / "answers.csv.gz"
    match what:
        case "no folder":
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        case "no answers" | "no dataset.json" | "no truth":
            name = {"no answers": "answers.csv.gz", "no truth": "truth.csv.gz"}.get(what, "dataset.json")
            (folder / name).unlink()
        case "cut gzip":
            answers.write_bytes(answers.read_bytes()[:-20])
        case "not gzip":
            answers.write_bytes(b"\x00\xff\xfe")
        case "not UTF-8":
            answers.write_bytes(gzip.compress(b"item_id,worker_id,label\ni\xe9,w,yes\n"))
        case "no column":
            write_table(answers, ["item_id", "label"], [["i00", "yes"]])
        case "header only":
            write_table(answers, ["item_id", "worker_id", "label"], [])
        case "no worker":
            write_table(answers, ["item_id", "worker_id", "label"], [["i00", "", "yes"]])
        case "no JSON":
            (folder / "dataset.json").write_text("{")
        case _:
            (folder / "dataset.json").write_text(what)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no folder", "is not a folder"),
        ("no answers", "answers.csv.gz cannot be read"),
        ("no truth", "truth.csv.gz cannot be read"),
        ("no dataset.json", "dataset.json is missing"),
        ("cut gzip", "ends too early"),
        ("not gzip", "row 1"),
        ("not UTF-8", "row 2.*not UTF-8"),
        ("no column", "worker_id.*missing"),
        ("header only", "no crowd answer"),
        ("no worker", "row 2 has no item_id or no worker_id"),
        ("no JSON", "not JSON"),
        ("[]", "says no kind"),
        ('{"kind": "spans"}', "'spans', which cannot be replayed yet"),
        ('{"kind": "pairwise"}', "cannot be replayed yet"),
        ('{"kind": "categorical"}', "no list of classes"),
        ('{"kind": "categorical", "classes": ["yes"]}', "2 to 1000 classes"),
        ('{"kind": "categorical", "classes": ["yes", "yes"]}', "differ"),
    ],
)
def test_a_folder_that_cannot_be_replayed_is_refused_with_a_reason_and_exit_2(
    server: None, a_folder: Callable[..., Path], what: str, message: str
) -> None:
    folder = a_folder()
    spoil(folder, what)
    with pytest.raises(CommandError, match=message) as refused:
        replay(folder)
    assert refused.value.returncode == 2
    assert replay_databases() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policy", "certified"], "comes with the certified engine"),
        (["--policy", "certified:0.1"], "comes with the certified engine"),
        (["--policy", "fixed:none"], "whole number"),
        (["--engine", "oracle"], "no engine"),
        (["--gold", "-1"], "not negative"),
        (["--gold", "12"], "less gold"),
        (["--limit", "0"], "at least 1"),
        (["--alpha", "1.5"], "--alpha"),
        (["--expert-cost", "0"], "--expert-cost"),
    ],
)
def test_choices_that_cannot_be_played_are_refused_with_exit_2(
    server: None, a_folder: Callable[..., Path], options: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        replay(a_folder(), *options)
    assert refused.value.returncode == 2


def test_reading_counts_what_it_leaves_out(a_folder: Callable[..., Path]) -> None:
    rows = [["i00", "w1", "yes"], ["i00", "w1", "no"], ["i00", "w2", "maybe"], ["i01", "w2", "no"]]
    dataset = read_dataset(a_folder(rows, [["i00", "yes", "gold"], ["i01", "maybe", "gold"], ["i99", "no", "gold"]]))
    assert dataset.answers == (Recorded("i00", "w1", 1), Recorded("i01", "w2", 0))
    assert (dataset.skipped, dataset.repeated) == (1, 1)
    assert dataset.truth == {"i00": 1}
    assert dataset.rows["i00"].payload == {"item": "i00", "text": "Is it 0?"}


def test_labels_that_cannot_name_a_class_become_titles(a_folder: Callable[..., Path]) -> None:
    rows = [["i00", "w1", "not sure"], ["i00", "w2", "???"]]
    dataset = read_dataset(a_folder(rows, [], kind="ordinal", classes=["not sure", "???"]))
    assert [one["title"] for one in dataset.definition["classes"]] == ["not sure", "???"]
    assert dataset.label(1) == {"class": "class_1"}


def test_a_script_hides_gold_keeps_answers_and_knows_how_many_are_possible(a_folder: Callable[..., Path]) -> None:
    dataset = read_dataset(a_folder())
    script = write_script(dataset, gold=2, limit=6, rng=np.random.default_rng(5))
    assert (len(script.tasks), len(script.gold)) == (4, 2)
    assert not set(script.tasks) & set(script.gold)
    assert {event.item for event in script.events} == {*script.tasks, *script.gold}
    assert script.answers_possible(3) == 12
    assert script.answers_possible(9) == 4 * 5
    with pytest.raises(DatasetInvalid, match="less gold"):
        write_script(dataset, gold=7, limit=6, rng=np.random.default_rng(5))


def test_a_score_shares_ties_in_the_majority_and_counts_the_unanswered_as_wrong() -> None:
    judgements = {
        "a": Judgement("resolved", 1, 0.9),
        "b": Judgement("contested", 0, 0.5),
        "c": Judgement("contested", None, None),
        "without truth": Judgement("resolved", 0, 1.0),
    }
    votes = [("a", 1), ("a", 1), ("a", 0), ("b", 0), ("b", 1), ("without truth", 0)]
    found = score(judgements, votes, {"a": 1, "b": 0, "c": 0, "elsewhere": 1}, classes=2)
    assert found.judged_tasks == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.majority_accuracy == pytest.approx(1.5 / 3)
    assert found.ece == pytest.approx((0.1 + 0.5 + 0.0) / 3)
    assert score({"a": Judgement("resolved", 0, 1.0)}, votes, {}, classes=2).accuracy is None

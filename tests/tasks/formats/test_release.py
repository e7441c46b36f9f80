from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.csv import read_csv
from tasks.formats.manifest import content_hash, facts_of, manifest
from tasks.formats.release import (
    ReleasedAnswer,
    ReleasedTask,
    label_text,
    read_release,
    write_answers_csv,
    write_csv,
    write_jsonl,
)
from tasks.formats.values import Json

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def an_answer(worker: str = "w_ada", label: str = "cat", minutes: int = 0, purpose: str = "label") -> ReleasedAnswer:
    return ReleasedAnswer(
        worker=worker,
        label={"class": label},
        submitted_at=NOON + timedelta(minutes=minutes),
        purpose=purpose,
        state="settled",
        schema_version=1,
        guidelines_version=2,
        paid="0.05",
    )


def a_task(task: str = "tsk_a", *answers: ReleasedAnswer, label: Json = None, state: str = "resolved") -> ReleasedTask:
    return ReleasedTask(
        task=task,
        external_ref=f"ref-{task}",
        stratum="",
        payload={"text": "What is it?", "size": 3},
        state=state,
        reason="" if state == "resolved" else "tie",
        label=label or {"class": "cat"},
        distribution={"cat": 0.123456789, "dog": 0.876543211},
        confidence=0.876543211,
        calibrated=False,
        answers=answers or (an_answer(),),
    )


ROWS = [
    a_task("tsk_b", an_answer("w_ben", "dog", 2), an_answer("w_ada", "cat", 1)),
    a_task("tsk_a", an_answer("w_ada"), an_answer("w_ben"), an_answer("w_eve", "dog", 5, "expert")),
    a_task("tsk_c", an_answer("w_eve", "dog"), state="contested"),
]


def a_manifest(rows: list[ReleasedTask]) -> bytes:
    files = [facts_of("tasks.jsonl", write_jsonl(rows)), facts_of("tasks.csv", write_csv(rows))]
    return manifest(
        rows,
        files,
        name="pets",
        version=3,
        created_at=NOON,
        classes=["cat", "dog"],
        currency="USD",
        generator_version="0.1.0",
    )


def test_the_order_of_rows_and_answers_does_not_move_a_byte() -> None:
    turned = [replace(row, answers=tuple(reversed(row.answers))) for row in reversed(ROWS)]

    assert write_jsonl(turned) == write_jsonl(ROWS)
    assert write_csv(turned) == write_csv(ROWS)
    assert write_answers_csv(turned) == write_answers_csv(ROWS)
    assert a_manifest(turned) == a_manifest(ROWS)


def test_equal_times_in_two_zones_are_one_time() -> None:
    there = replace(an_answer(), submitted_at=NOON.astimezone(timezone(timedelta(hours=5))))

    assert write_jsonl([a_task("t", there)]) == write_jsonl([a_task("t", an_answer())])


def test_json_lines_are_read_back_as_they_were() -> None:
    once = read_release(write_jsonl(ROWS))

    assert write_jsonl(once) == write_jsonl(ROWS)
    assert [row.task for row in once] == ["tsk_a", "tsk_b", "tsk_c"]
    assert once[1].answers == (ROWS[0].answers[1], ROWS[0].answers[0])
    assert once[0].distribution == {"cat": 0.123457, "dog": 0.876543}
    assert once[2].reason == "tie"


def test_a_line_is_canonical_json() -> None:
    line = write_jsonl([a_task()]).decode()

    assert line.endswith("}\n")
    assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def test_the_task_table_has_one_row_a_task() -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(ROWS).decode())))

    assert [row["task"] for row in rows] == ["tsk_a", "tsk_b", "tsk_c"]
    assert rows[0]["label"] == "cat"
    assert rows[0]["confidence"] == "0.876543"
    assert rows[0]["answers"] == "3"
    assert json.loads(rows[0]["payload"]) == {"size": 3, "text": "What is it?"}


def test_the_answer_table_has_one_row_an_answer_in_time() -> None:
    rows = list(csv.DictReader(io.StringIO(write_answers_csv(ROWS).decode())))

    assert [(row["task"], row["worker"], row["label"]) for row in rows] == [
        ("tsk_a", "w_ada", "cat"),
        ("tsk_a", "w_ben", "cat"),
        ("tsk_a", "w_eve", "dog"),
        ("tsk_b", "w_ada", "cat"),
        ("tsk_b", "w_ben", "dog"),
        ("tsk_c", "w_eve", "dog"),
    ]
    assert rows[0]["submitted_at"] == "2030-01-01T12:00:00.000000Z"
    assert rows[0]["paid"] == "0.05"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_can_be_run_by_a_spreadsheet(start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    answer = ReleasedAnswer(evil, {"class": evil}, NOON, evil, evil, 1, 1, evil)
    row = ReleasedTask(evil, evil, evil, {evil: evil}, evil, evil, {"class": evil}, {evil: 1.0}, 1.0, True, [answer])

    for table in (write_csv([row]), write_answers_csv([row])):
        cells = [cell for cells in csv.reader(io.StringIO(table.decode(), newline="")) for cell in cells]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert "'" + evil in cells
        ((_, back),) = read_csv([table], neutralised=True)
        assert back["task"] == evil
        assert back["label"] == evil


def test_a_task_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="tsk_a is in the release twice"):
        write_jsonl([a_task("tsk_a"), a_task("tsk_a")])


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        write_jsonl([a_task("t", replace(an_answer(), submitted_at=NOON.replace(tzinfo=None)))])


def test_what_is_no_number_in_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_jsonl([replace(a_task(), confidence=float("nan"))])


def test_labels_of_other_kinds_are_written_as_json() -> None:
    assert label_text({"class": "cat"}) == "cat"
    assert label_text({"boxes": [[1, 2]]}) == '{"boxes":[[1,2]]}'
    assert label_text(None) == ""


def test_the_manifest_by_hand() -> None:
    data = a_manifest(ROWS)
    about = json.loads(data)

    assert data.endswith(b"}\n")
    assert about["name"] == "pets"
    assert about["version"] == 3
    assert about["created_at"] == "2030-01-01T12:00:00.000000Z"
    assert about["classes"] == ["cat", "dog"]
    assert about["schema_versions"] == [1]
    assert about["guidelines_versions"] == [2]
    assert about["generator"] == {"name": "touchstone", "version": "0.1.0"}
    assert about["counts"] == {
        "answers": 6,
        "labels": {"cat": 3},
        "purposes": {"expert": 1, "label": 5},
        "states": {"contested": 1, "resolved": 2},
        "tasks": 3,
        "workers": 3,
    }
    # Crowd answers: task a cat cat, task b cat dog; c has one.  alpha = 1 - (4 - 1) * 2 / (16 - 10) = 0.
    assert about["agreement"] == {"alpha": 0.0, "mean_pairwise": 0.5}


def test_the_hashes_are_those_of_the_files() -> None:
    data = write_jsonl(ROWS)
    facts = facts_of("tasks.jsonl", data)

    about = json.loads(a_manifest(ROWS))

    assert about["files"]["tasks.jsonl"] == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    listing = "".join(f"{about['files'][name]['sha256']}  {name}\n" for name in sorted(about["files"]))
    assert about["content_hash"] == hashlib.sha256(listing.encode()).hexdigest()
    assert content_hash([facts]) != content_hash([facts_of("tasks.jsonl", data + b"\n")])


def test_a_release_without_classes_has_no_agreement() -> None:
    data = manifest(
        [], [], name="empty", version=1, created_at=NOON, classes=None, currency="USD", generator_version="0.1.0"
    )

    assert json.loads(data)["agreement"] is None


def test_agreement_that_cannot_be_measured_is_null() -> None:
    assert json.loads(a_manifest([a_task()]))["agreement"] == {"alpha": None, "mean_pairwise": None}


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)


@given(st.lists(st.tuples(texts, texts), max_size=5, unique_by=lambda row: row[0]), st.randoms())
def test_any_texts_survive_the_round_trip(rows: list[tuple[str, str]], random: object) -> None:
    tasks = [replace(a_task(task), payload={"text": text}, external_ref=text) for task, text in rows]

    once = read_release(write_jsonl(tasks))
    table = list(read_csv([write_csv(tasks)], neutralised=True))

    assert {row.task: row.payload["text"] for row in once} == dict(rows)
    assert {row["task"]: row["external_ref"] for _, row in table} == dict(rows)

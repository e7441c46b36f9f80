from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.labels.categorical import Categorical
from tasks.labels.registry import KINDS, Json, LabelInvalid, SchemaInvalid, kind_named

CATEGORICAL = Categorical()
PETS: dict[str, Json] = CATEGORICAL.validate_schema(
    {
        "question": "Which animal is this?",
        "classes": [{"name": "cat", "title": "A cat", "description": "Also a big one."}, {"name": "dog"}, "not sure"],
    }
)


def test_a_definition_is_brought_into_its_one_normal_form() -> None:
    assert PETS == {
        "question": "Which animal is this?",
        "classes": [
            {"name": "cat", "title": "A cat", "description": "Also a big one."},
            {"name": "dog", "title": "dog"},
            {"name": "not_sure", "title": "not sure"},
        ],
    }
    assert CATEGORICAL.validate_schema(PETS) == PETS


def test_a_list_of_names_is_a_definition() -> None:
    assert CATEGORICAL.validate_schema(["0", "1", "c.2"]) == {
        "question": "",
        "classes": [{"name": "0", "title": "0"}, {"name": "1", "title": "1"}, {"name": "c.2", "title": "c.2"}],
    }


def test_names_without_latin_letters_are_named_by_their_place() -> None:
    assert CATEGORICAL.classes(CATEGORICAL.validate_schema(["猫", "犬"])) == ["class_0", "class_1"]


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        (None, ""),
        ("cat", ""),
        ({"classes": ["a", "b"]}, "question"),
        ({"question": 3, "classes": ["a", "b"]}, "question"),
        ({"question": "x" * 2001, "classes": ["a", "b"]}, "question"),
        ({"question": "a\0b", "classes": ["a", "b"]}, "question"),
        ({"question": "a\x1bb", "classes": ["a", "b"]}, "question"),
        ({"question": "a\ud800b", "classes": ["a", "b"]}, "question"),
        ({"question": "a\u202eb", "classes": ["a", "b"]}, "question"),
        ({"question": "?"}, "classes"),
        ({"question": "?", "classes": "ab"}, "classes"),
        ({"question": "?", "classes": ["a"]}, "classes"),
        ({"question": "?", "classes": [str(n) for n in range(1001)]}, "classes"),
        ({"question": "?", "classes": ["a", "a"]}, "classes.1.name"),
        ({"question": "?", "classes": ["a b", "a_b"]}, "classes.1.name"),
        ({"question": "?", "classes": [{"name": "a", "title": "b"}, "b"]}, "classes.1.title"),
        ({"question": "?", "classes": ["a", ""]}, "classes.1"),
        ({"question": "?", "classes": ["a", " \t"]}, "classes.1"),
        ({"question": "?", "classes": ["a", 1]}, "classes.1"),
        ({"question": "?", "classes": ["a", {"title": "B"}]}, "classes.1.name"),
        ({"question": "?", "classes": ["a", {"name": "b c"}]}, "classes.1.name"),
        ({"question": "?", "classes": ["a", {"name": "b" * 65}]}, "classes.1.name"),
        ({"question": "?", "classes": ["a", {"name": "b", "title": ""}]}, "classes.1.title"),
        ({"question": "?", "classes": ["a", {"name": "b", "title": "B\nC"}]}, "classes.1.title"),
        ({"question": "?", "classes": ["a", {"name": "b", "title": "x" * 201}]}, "classes.1.title"),
        ({"question": "?", "classes": ["a", {"name": "b", "description": "x" * 2001}]}, "classes.1.description"),
        ({"question": "?", "classes": ["a", {"name": "b", "colour": "red"}]}, "classes.1.colour"),
        ({"question": "?", "classes": ["a", "b"], "colour": "red"}, "colour"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_by_field(definition: Json, path: str) -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        CATEGORICAL.validate_schema(definition)

    assert refusal.value.path == path
    assert refusal.value.reason
    assert refusal.value.remedy
    str(refusal.value).encode()


def test_a_schema_too_large_as_a_whole_is_refused() -> None:
    classes: list[Json] = [{"name": f"c{n}", "description": "x" * 1999} for n in range(200)]

    with pytest.raises(SchemaInvalid, match="at most 262144"):
        CATEGORICAL.validate_schema({"question": "?", "classes": classes})


def test_a_thousand_classes_fit() -> None:
    assert len(CATEGORICAL.classes(CATEGORICAL.validate_schema([str(n) for n in range(1000)]))) == 1000


def test_a_label_names_a_class_and_a_class_index_gives_it_back() -> None:
    label = CATEGORICAL.validate_label(PETS, {"class": "dog"})

    assert label == {"class": "dog"}
    assert CATEGORICAL.class_index(PETS, label) == 1
    assert CATEGORICAL.label_of(PETS, 1) == label


@pytest.mark.parametrize(
    ("label", "path"),
    [
        (None, ""),
        ("dog", ""),
        (1, ""),
        ([], ""),
        ({}, "class"),
        ({"class": 1}, "class"),
        ({"class": True}, "class"),
        ({"class": None}, "class"),
        ({"class": ["dog"]}, "class"),
        ({"class": "Dog"}, "class"),
        ({"class": "dog "}, "class"),
        ({"class": "dog\0"}, "class"),
        ({"class": "\ud800"}, "class"),
        ({"class": "x" * 1_000_000}, "class"),
        ({"class": "dog", "note": "?"}, "note"),
        ({"class": "dog", "\ud800": "?"}, "\\ud800"),
    ],
)
def test_a_label_that_does_not_fit_is_refused_by_field(label: Json, path: str) -> None:
    with pytest.raises(LabelInvalid) as refusal:
        CATEGORICAL.validate_label(PETS, label)

    assert refusal.value.path == path
    assert len(str(refusal.value).encode()) < 500


def test_the_remedy_names_the_choices_but_not_a_thousand_of_them() -> None:
    many = CATEGORICAL.validate_schema([f"c{n}" for n in range(1000)])

    with pytest.raises(LabelInvalid, match=r"choose one of: cat, dog, not_sure"):
        CATEGORICAL.validate_label(PETS, {"class": "cow"})
    with pytest.raises(LabelInvalid, match=r"c9 and 990 more"):
        CATEGORICAL.validate_label(many, {"class": "cow"})


@pytest.mark.parametrize("index", [-1, 3])
def test_a_class_that_is_not_there_has_no_label(index: int) -> None:
    with pytest.raises(LabelInvalid, match="from 0 to 2"):
        CATEGORICAL.label_of(PETS, index)


def test_kinds_are_found_by_name() -> None:
    assert kind_named("categorical") is KINDS["categorical"]
    with pytest.raises(SchemaInvalid, match="choose one of: categorical"):
        kind_named("boxes")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_whatever_is_sent_is_a_definition_or_a_refusal(value: Json) -> None:
    try:
        normal = CATEGORICAL.validate_schema(value)
    except SchemaInvalid as refusal:
        str(refusal).encode()
    else:
        assert CATEGORICAL.validate_schema(normal) == normal


@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=6))
def test_every_class_of_a_definition_is_its_own_label(names: list[str]) -> None:
    try:
        definition = CATEGORICAL.validate_schema(list(names))
    except SchemaInvalid:
        return
    for index in range(len(names)):
        label = CATEGORICAL.label_of(definition, index)
        assert CATEGORICAL.class_index(definition, CATEGORICAL.validate_label(definition, label)) == index

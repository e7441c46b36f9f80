"""What of a payload is shown as what."""

import pytest

from marketplace.web.payloads import Part, parts

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def kinds(payload: object) -> list[tuple[str, str]]:
    return [(part.kind, part.name) for part in parts(payload)]


def test_a_lone_text_has_no_heading() -> None:
    assert parts({"text": "Hello"}) == [Part("text", "", "Hello")]


def test_two_texts_keep_their_names_and_their_order() -> None:
    assert kinds({"premise": "It rains.", "hypothesis": "It is wet."}) == [("text", "premise"), ("text", "hypothesis")]


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("image", PIXEL),
        ("anything", PIXEL),
        ("image", "https://example.org/a"),
        ("image_url", "/media/1"),
        ("url", "https://example.org/a.JPG?w=1"),
    ],
)
def test_pictures_load_from_data_from_https_and_from_here(key: str, address: str) -> None:
    assert parts({key: address}) == [Part("picture", "", address)]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://example.org/a.png",
        "//example.org/a.png",
        "/\\example.org/a.png",
        "data:text/html;base64,PGI+",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64,<script>",
        'https://example.org/" onerror="x.png',
        "file:///etc/passwd",
    ],
)
def test_nothing_else_is_ever_loaded_as_a_picture(address: str) -> None:
    assert [part.kind for part in parts({"image": address})] != ["picture"]


def test_an_address_that_is_no_picture_stays_text() -> None:
    assert kinds({"source": "https://example.org/page"}) == [("fact", "source")]


def test_a_long_string_is_read_as_text_whatever_it_is_called() -> None:
    assert kinds({"x1": "word " * 40}) == [("text", "")]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (2.5, "2.5"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        (["a", 1], "a, 1"),
        ({"a": [1, {"b": 2}]}, '{\n  "a": [\n    1,\n    {\n      "b": 2\n    }\n  ]\n}'),
    ],
)
def test_other_values_become_a_list_of_names_and_values(value: object, shown: str) -> None:
    assert parts({"blood_pressure": value}) == [Part("fact", "blood pressure", shown)]


@pytest.mark.parametrize("payload", ["just text", 7, ["a", "b"], None, {}, {"": ""}])
def test_no_shape_of_payload_breaks_the_page(payload: object) -> None:
    assert isinstance(parts(payload), list)


def test_facts_come_after_what_is_to_be_looked_at() -> None:
    assert kinds({"page": 4, "image": PIXEL, "text": "A scan."}) == [
        ("picture", "image"),
        ("text", "text"),
        ("fact", "page"),
    ]

from __future__ import annotations

import base64
import hashlib
import time

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from accounts.opaque import KINDS, NUMBER_MAX, TEXT_LENGTH, NotAnId, decode, encode, encode_many, pseudonym

KEY = b"a key of our own for these tests"
OTHER = b"some other key of the same length"

numbers = st.integers(0, NUMBER_MAX)
kinds = st.sampled_from(sorted(KINDS))


def test_every_kind_is_three_lower_case_letters_and_says_what_it_names() -> None:
    assert all(len(kind) == 3 and kind.isascii() and kind.islower() and what for kind, what in KINDS.items())


@given(kinds, numbers)
def test_an_id_leads_back_to_its_row(kind: str, number: int) -> None:
    text = encode(kind, number, KEY)

    assert decode(kind, text, KEY) == number
    assert text.startswith(kind + "_")
    assert len(text) == TEXT_LENGTH


def test_an_id_is_one_aes_block_in_base32() -> None:
    plain = b"job\0" + bytes(4) + (7).to_bytes(8, "big")
    aes = Cipher(algorithms.AES(hashlib.sha256(b"public id" + KEY).digest()[:16]), modes.ECB()).encryptor()

    expected = base64.b32encode(aes.update(plain)).decode().rstrip("=").lower()

    assert encode("job", 7, KEY) == f"job_{expected}"


@given(st.lists(numbers, max_size=20))
def test_many_ids_are_the_single_ones_in_order(rows: list[int]) -> None:
    assert encode_many("tsk", rows, KEY) == [encode("tsk", row, KEY) for row in rows]


def test_ids_of_neighbours_share_nothing() -> None:
    one, two = encode("job", 1, KEY)[4:], encode("job", 2, KEY)[4:]

    assert sum(a == b for a, b in zip(one, two, strict=True)) < 8
    assert encode("job", 1, KEY)[4:] != encode("tsk", 1, KEY)[4:]


def test_an_id_of_another_kind_is_not_an_id() -> None:
    text = encode("job", 1, KEY)

    with pytest.raises(NotAnId, match="not the id of a task"):
        decode("tsk", text, KEY)
    with pytest.raises(NotAnId, match="not the id of a task"):
        decode("tsk", "tsk_" + text[4:], KEY)


def test_an_id_under_another_key_is_not_an_id() -> None:
    with pytest.raises(NotAnId):
        decode("job", encode("job", 1, KEY), OTHER)


@given(numbers, st.integers(4, TEXT_LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_letter_changed_is_not_an_id(number: int, place: int, letter: str) -> None:
    text = encode("asg", number, KEY)
    forged = text[:place] + letter + text[place + 1 :]

    if forged != text:
        with pytest.raises(NotAnId):
            decode("asg", forged, KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        "job_",
        "7",
        "job_7",
        *("job_" + "a" * length for length in (25, 26, 27)),
        *("job_" + letter * 26 for letter in "1\u00e9\0\ud800="),
        "JOB_" + "a" * 26,
        "x" * 10**6,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_hostile_text_is_not_an_id(text: str) -> None:
    with pytest.raises(NotAnId, match="not the id of a job"):
        decode("job", text, KEY)


@pytest.mark.parametrize("value", [None, 7, b"job_", ["job_"], True])
def test_what_is_no_text_is_not_an_id(value: str) -> None:
    with pytest.raises(NotAnId):
        decode("job", value, KEY)


def test_a_row_has_one_id_only() -> None:
    text = encode("job", 12, KEY)
    spare = "abcdefghijklmnopqrstuvwxyz234567"
    last = spare[spare.index(text[-1]) + 1]

    with pytest.raises(NotAnId):
        decode("job", text.upper(), KEY)
    with pytest.raises(NotAnId):
        decode("job", "job_" + text[4:].upper(), KEY)
    with pytest.raises(NotAnId):
        decode("job", text[:-1] + last, KEY)


def test_a_number_or_kind_that_cannot_be_named_is_refused() -> None:
    with pytest.raises(ValueError, match="not a row number"):
        encode("job", -1, KEY)
    with pytest.raises(ValueError, match="not a row number"):
        encode("job", 2**63, KEY)
    with pytest.raises(ValueError, match="not a kind"):
        encode("xyz", 1, KEY)
    with pytest.raises(ValueError, match="not a kind"):
        decode("xyz", "xyz_", KEY)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        encode("job", 1, b"short")
    with pytest.raises(ValueError, match="at least 16 bytes"):
        pseudonym(KEY, b"", 1)


def test_a_worker_has_one_name_in_an_organisation_and_another_in_the_next() -> None:
    here, there = b"h" * 32, b"t" * 32

    assert pseudonym(KEY, here, 5) == pseudonym(KEY, here, 5)
    assert (
        len({pseudonym(KEY, here, 5), pseudonym(KEY, there, 5), pseudonym(KEY, here, 6), pseudonym(OTHER, here, 5)})
        == 4
    )
    assert len(pseudonym(KEY, here, 5)) == 18
    assert pseudonym(KEY, here, 5).startswith("w_")


def test_ids_are_made_in_microseconds() -> None:
    started = time.perf_counter()
    encode_many("tsk", range(20_000), KEY)

    assert (time.perf_counter() - started) / 20_000 < 30e-6

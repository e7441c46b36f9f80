"""A number with a typing error is refused; a right one comes out in its normal form."""

from __future__ import annotations

import pytest

from accounts import numbers


@pytest.mark.parametrize(
    ("kind", "text", "normal"),
    [
        ("npi", " 2000000002 ", "2000000002"),
        ("npi", "1234-567-893", "1234567893"),
        ("orcid", "https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("orcid", "0000 0002 1694 233x", "0000-0002-1694-233X"),
        ("iban", "gb82 west 1234 5698 7654 32", "GB82WEST12345698765432"),
        ("lei", "touchstone0000000115", "TOUCHSTONE0000000115"),
        ("none", "  A   12 ", "A 12"),
    ],
)
def test_a_right_number_comes_out_in_its_normal_form(kind: str, text: str, normal: str) -> None:
    assert numbers.check(kind, text) == normal


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("npi", "2000000003", "check digit"),
        ("npi", "3000000002", "begins with 1 or 2"),
        ("npi", "200000000", "10 digits"),
        ("npi", "２000000002", "10 digits"),
        ("orcid", "0000-0002-1825-0098", "check digit"),
        ("orcid", "0000-0002-1825", "16 digits"),
        ("iban", "GB83 WEST 1234 5698 7654 32", "not an IBAN"),
        ("iban", "XX", "not an IBAN"),
        ("lei", "TOUCHSTONE0000000116", "check digits"),
        ("lei", "SHORT", "18 letters"),
        ("none", "1" * 101, "at most 100"),
    ],
)
def test_a_wrong_number_is_refused_with_what_is_wrong(kind: str, text: str, why: str) -> None:
    with pytest.raises(numbers.NumberWrong, match=why):
        numbers.check(kind, text)


@pytest.mark.parametrize(("kind", "right"), [("npi", "2000000002"), ("orcid", "0000000218250097")])
def test_every_wrong_digit_is_found(kind: str, right: str) -> None:
    for place, digit in enumerate(right):
        for other in set("0123456789") - {digit}:
            with pytest.raises(numbers.NumberWrong):
                numbers.check(kind, right[:place] + other + right[place + 1 :])


def test_a_kind_that_does_not_exist_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        numbers.check("passport", "1")

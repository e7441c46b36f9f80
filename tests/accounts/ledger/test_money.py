from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.ledger import money as money_core
from accounts.ledger.money import (
    INT64_MAX,
    MINOR_DIGITS,
    Money,
    fee,
    parse,
    split,
    whole_minor_units,
)

currencies = st.sampled_from(sorted(MINOR_DIGITS))
amounts = st.integers(0, INT64_MAX)

HOSTILE = [
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    "\t1",
    "+1",
    "-1",
    "-0",
    "-0.00",
    "--1",
    "1-",
    "NaN",
    "nan",
    "sNaN",
    "Infinity",
    "-inf",
    "1e3",
    "1E3",
    "1e400",
    "0x10",
    "1_000",
    "1,000",
    "1,5",
    "1'000",
    "1.",
    ".5",
    ".",
    "1..2",
    "1.2.3",
    "01",
    "007.5",
    "00",
    "0.0000001",
    "1.1234567",
    "１２",
    "١٢",
    "1２",
    "1.٥",
    "½",
    "²",
    "$1",
    "1 USD",
    "1\u00a0",
    "\u200b1",
    "1\0",
    "1\ud800",
    "9223372036854.775808",
    "1" + "0" * 30,
    "1" * 1_000_000,
    "0." + "0" * 1_000_000,
    "true",
    "null",
    "{}",
    "[1]",
    '"1"',
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_a_hostile_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|zero"):
        parse(text, "USD")


@pytest.mark.parametrize("value", [1, 1.5, True, False, None, b"1", ["1"], {"micros": 1}, float("nan"), 10**400])
def test_an_amount_that_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="an amount is a string such as"):
        parse(value, "USD")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("0.000001", 1),
        ("12", 12_000_000),
        ("12.3", 12_300_000),
        ("12.340000", 12_340_000),
        ("9223372036854.775807", INT64_MAX),
    ],
)
def test_a_decimal_string_is_read_exactly(text: str, micros: int) -> None:
    assert parse(text, "USD") == Money(micros, "USD")


def test_a_minus_is_read_only_where_it_is_expected() -> None:
    assert parse("-1.5", "EUR", signed=True) == Money(-1_500_000, "EUR")
    with pytest.raises(ValueError, match="cannot be negative"):
        parse("-1.5", "EUR")
    with pytest.raises(ValueError, match="without a sign"):
        parse("-0", "EUR", signed=True)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(12_340_000, "USD"), "12.34"),
        (Money(12_300_000, "USD"), "12.30"),
        (Money(5_000, "USD"), "0.005"),
        (Money(-5_000, "USD"), "-0.005"),
        (Money(1, "EUR"), "0.000001"),
        (Money(5_000_000, "JPY"), "5"),
        (Money(5_100_000, "JPY"), "5.1"),
        (Money(1_500_000, "KWD"), "1.500"),
        (Money(0, "CHF"), "0.00"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(money: Money, text: str) -> None:
    assert money_core.format(money) == text
    assert str(money) == f"{text} {money.currency}"


@given(st.integers(-INT64_MAX, INT64_MAX), currencies)
def test_what_is_written_is_read_back(micros: int, currency: str) -> None:
    money = Money(micros, currency)

    assert parse(money_core.format(money), currency, signed=True) == money


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    try:
        money = parse(text, "USD")
    except ValueError as refused:
        str(refused).encode()
    else:
        assert text.isascii()
        assert Fraction(text) == Fraction(money.micros, 1_000_000)


@pytest.mark.parametrize("currency", ["usd", "XXX", "", "US", "USDT", "ＵＳＤ", None, 1, "\ud800", "x" * 10**6])
def test_a_currency_we_do_not_know_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="not a currency we know"):
        Money(1, currency)
    with pytest.raises(ValueError, match="not a currency we know"):
        parse("1", currency)


@pytest.mark.parametrize("micros", [True, 1.0, "1", None, INT64_MAX + 1, -INT64_MAX - 1])
def test_micros_are_plain_whole_numbers_of_64_bits(micros: int) -> None:
    with pytest.raises(ValueError, match=r"whole micros|too large"):
        Money(micros, "USD")


def test_money_of_one_currency_adds_and_compares() -> None:
    one, two = Money(1, "USD"), Money(2, "USD")

    assert one + one == two
    assert two - one == one
    assert -one == Money(-1, "USD")
    assert one * 2 == 2 * one == two
    assert one < two
    assert one <= two
    assert two > one
    assert two >= one


def test_currencies_do_not_mix() -> None:
    dollar, euro = Money(1, "USD"), Money(1, "EUR")

    for mixed in (
        lambda: dollar + euro,
        lambda: dollar - euro,
        lambda: dollar < euro,
        lambda: dollar <= euro,
        lambda: dollar > euro,
        lambda: dollar >= euro,
    ):
        with pytest.raises(ValueError, match="USD and EUR do not mix"):
            mixed()
    assert dollar != euro


def test_money_does_not_mix_with_numbers() -> None:
    with pytest.raises(TypeError, match="int is not Money"):
        Money(1, "USD") + 1  # type: ignore[operator]  # the mistake under test
    with pytest.raises(ValueError, match="not in float"):
        Money(1, "USD") * 1.5  # type: ignore[operator]  # the mistake under test


def test_arithmetic_beyond_64_bits_is_refused() -> None:
    most = Money(INT64_MAX, "USD")

    with pytest.raises(ValueError, match="too large"):
        most + Money(1, "USD")
    with pytest.raises(ValueError, match="too large"):
        most * 2


@pytest.mark.parametrize(
    ("micros", "basis_points", "expected"),
    [(10_000, 2_000, 2_000), (5, 1_000, 0), (15, 1_000, 2), (25, 1_000, 2), (35, 1_000, 4), (5_001, 1, 1), (7, 0, 0)],
)
def test_a_fee_rounds_halves_to_even(micros: int, basis_points: int, expected: int) -> None:
    assert fee(micros, basis_points) == expected


@given(amounts, st.integers(0, 10_000))
def test_a_fee_is_half_a_micro_from_exact_at_most(micros: int, basis_points: int) -> None:
    exact = Fraction(micros * basis_points, 10_000)

    assert abs(fee(micros, basis_points) - exact) <= Fraction(1, 2)
    assert fee(micros, basis_points) == round(exact)


@pytest.mark.parametrize(("micros", "basis_points"), [(-1, 100), (1, -1), (1, 10_001), (True, 1), (1.0, 1)])
def test_a_fee_of_nonsense_is_refused(micros: int, basis_points: int) -> None:
    with pytest.raises(ValueError, match=r"basis points|whole micros"):
        fee(micros, basis_points)


@given(amounts, st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any))
@settings(max_examples=400)
def test_a_split_loses_nothing_and_no_part_is_a_micro_off(total: int, weights: list[int]) -> None:
    parts = split(total, weights)

    assert sum(parts) == total
    assert len(parts) == len(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert part >= 0
        assert weight or not part


@given(amounts, st.integers(0, 10_000), st.lists(st.integers(1, 1000), min_size=1, max_size=10))
def test_a_fee_taken_and_the_rest_split_is_the_whole(gross: int, basis_points: int, weights: list[int]) -> None:
    kept = fee(gross, basis_points)

    assert kept + sum(split(gross - kept, weights)) == gross


def test_what_is_left_over_goes_to_the_largest_remainders_earlier_parts_first() -> None:
    assert split(100, [1, 1, 1]) == [34, 33, 33]
    assert split(5, [3, 1]) == [4, 1]
    assert split(1, [1, 1]) == [1, 0]
    assert split(0, [1, 2]) == [0, 0]


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1]), (1, [True]), (1.5, [1])])
def test_a_split_of_nonsense_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"split by weights|whole micros"):
        split(total, weights)


def test_a_payout_is_rounded_down_to_what_a_bank_can_pay() -> None:
    assert whole_minor_units(Money(12_349_999, "USD")) == Money(12_340_000, "USD")
    assert whole_minor_units(Money(12_349_999, "JPY")) == Money(12_000_000, "JPY")
    assert whole_minor_units(Money(12_349_999, "KWD")) == Money(12_349_000, "KWD")
    with pytest.raises(ValueError, match="not negative"):
        whole_minor_units(Money(-1, "USD"))

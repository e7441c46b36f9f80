"""Money as whole micros of a currency, and the arithmetic that loses none of it.

Pure: no Django, no clock, no floats, no Decimals.  One micro is a millionth of the currency's unit (a dollar, a yen).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

MICROS = 1_000_000
"""Micros in one unit of any currency."""

INT64_MAX = 2**63 - 1

BASIS_POINTS = 10_000
"""Basis points in the whole."""

_CURRENCIES = {
    2: "AED ARS AUD BDT BGN BRL CAD CHF CNY COP CZK DKK EGP EUR GBP GEL GHS HKD HUF IDR ILS INR KES KZT LKR MAD MXN MYR "
    "NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TWD TZS UAH USD UYU VES ZAR",
    0: "CLP ISK JPY KRW PYG RWF UGX VND XAF XOF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {currency: digits for digits, currencies in _CURRENCIES.items() for currency in currencies.split()}
)
"""Decimals of the minor unit (ISO 4217) of every currency we know: USD 2, JPY 0, KWD 3."""

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency; may be negative.

    Adding, subtracting and comparing need the same currency.  Raises ValueError on a currency we do not know, on micros
    that are no plain int (bools and floats are none), and beyond 64 bits.
    """

    micros: int
    currency: str

    def __post_init__(self) -> None:
        _known(self.currency)
        _checked(self.micros)

    def __str__(self) -> str:
        """For people and logs: "12.34 USD"."""
        return f"{format(self)} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.micros + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.micros - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.micros, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.micros * _checked(times), self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.micros < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.micros <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.micros > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.micros >= self._same(other)

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"{type(other).__name__} is not Money")
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.micros


def parse(text: str, currency: str, *, signed: bool = False) -> Money:
    """Read a decimal string such as "12.34".

    Allowed are ASCII digits without leading zeros and at most 6 decimals after a point, and a minus where ``signed``.
    Everything else is a ValueError that says what to send: exponents, signs, spaces, separators, other digits, "-0",
    numbers that are no strings, and amounts beyond 64 bits of micros.
    """
    _known(currency)
    if not isinstance(text, str):
        raise ValueError(f'an amount is a string such as "12.34", not {type(text).__name__}')  # noqa: TRY004  whatever is wrong with an amount is one kind of no
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError('an amount is digits with at most 6 decimals, such as "12.34"')
    sign, whole, decimals = match.groups()
    micros = int(whole) * MICROS + int((decimals or "").ljust(6, "0"))
    if sign and (not signed or micros == 0):
        raise ValueError("the amount cannot be negative" if micros else "write zero without a sign")
    return Money(-micros if sign else micros, currency)


def format(money: Money) -> str:  # noqa: A001  read as money.format
    """The decimal string that `parse` (signed) reads back: at least the minor unit's decimals, never an exponent."""
    whole, rest = divmod(abs(money.micros), MICROS)
    least = MINOR_DIGITS[money.currency]
    digits = f"{rest:06d}"
    decimals = digits[:least] + digits[least:].rstrip("0")
    return ("-" if money.micros < 0 else "") + str(whole) + (f".{decimals}" if decimals else "")


def fee(micros: int, basis_points: int) -> int:
    """``basis_points`` of ``micros``, rounded to a whole micro, halves to even.

    Raises ValueError on a negative amount and on a share outside 0 to 10 000 basis points.
    """
    _checked(micros)
    _checked(basis_points)
    if micros < 0 or not 0 <= basis_points <= BASIS_POINTS:
        raise ValueError("a fee is 0 to 10 000 basis points of an amount that is not negative")
    whole, rest = divmod(micros * basis_points, BASIS_POINTS)
    half = BASIS_POINTS // 2
    return whole + (1 if rest > half or (rest == half and whole % 2) else 0)


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Share ``total`` out in proportion to ``weights`` so that the parts sum to it exactly.

    Largest remainder: each part is its exact share rounded down, and the micros left over go one each to the largest
    remainders, earlier parts first; so no part is a whole micro away from its share.
    Raises ValueError on a negative total, on a negative weight and when no weight is above 0.
    """
    _checked(total)
    for weight in weights:
        _checked(weight)
    whole = sum(weights)
    if total < 0 or whole <= 0 or min(weights) < 0:
        raise ValueError("a total that is not negative is split by weights, one of them above 0 and none below")
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def whole_minor_units(money: Money) -> Money:
    """What of ``money`` a bank can pay out: rounded down to the currency's minor unit.  Raises ValueError below zero."""
    if money.micros < 0:
        raise ValueError("a payout is not negative")
    return Money(money.micros - money.micros % 10 ** (6 - MINOR_DIGITS[money.currency]), money.currency)


def _known(currency: str) -> str:
    if type(currency) is not str or currency not in MINOR_DIGITS:
        raise ValueError(f"{str(currency)[:16]!r} is not a currency we know, such as USD or EUR")
    return currency


def _checked(number: int) -> int:
    """``number`` when it is a plain int of 64 bits."""
    if type(number) is not int:
        raise ValueError(f"money is counted in whole micros, not in {type(number).__name__}")
    if not -INT64_MAX <= number <= INT64_MAX:
        raise ValueError("the amount is too large")
    return number

"""Numbers that carry their own check: NPI, ORCID iD, IBAN and LEI. Pure.

A number that passes is well formed. Whether it was ever given to anybody is what a registry says (``registries``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from stdnum import iban, lei, luhn
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2

LENGTH_MAX = 100
_NPI_PREFIX = "80840"
"""The issuer's number that the check digit of an NPI is reckoned with (45 CFR 162.406, ISO 7812)."""


class NumberWrong(ValueError):
    """The number fails its check; ``detail`` says how in a sentence."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


def check(kind: str, text: str) -> str:
    """The number in its normal form. Kind ``none`` takes any text and only trims it.

    Raises NumberWrong; KeyError on a kind that is not in ``CHECKS``.
    """
    if len(text) > LENGTH_MAX:
        raise NumberWrong(f"A number has at most {LENGTH_MAX} characters.")
    return CHECKS[kind](text)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _npi(text: str) -> str:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[12][0-9]{9}", digits):
        raise NumberWrong("An NPI has 10 digits and begins with 1 or 2.")
    if not luhn.is_valid(_NPI_PREFIX + digits):
        raise NumberWrong("The check digit of this NPI is wrong; compare it with the paper.")
    return digits


def _orcid(text: str) -> str:
    digits = re.sub(r"^https?://(www\.)?orcid\.org/", "", text.strip(), flags=re.IGNORECASE)
    digits = re.sub(r"[\s-]", "", digits).upper()
    if not re.fullmatch(r"[0-9]{15}[0-9X]", digits):
        raise NumberWrong("An ORCID iD has 16 digits, such as 0000-0002-1825-0097.")
    if not mod_11_2.is_valid(digits):
        raise NumberWrong("The check digit of this ORCID iD is wrong.")
    return "-".join(digits[start : start + 4] for start in range(0, 16, 4))


def _iban(text: str) -> str:
    try:
        # Countries' own rules inside an IBAN change faster than any library; the structure and the check digits do not.
        return str(iban.validate(text, check_country=False))
    except ValidationError:
        raise NumberWrong("This is not an IBAN: its length, letters or check digits are wrong.") from None


def _lei(text: str) -> str:
    compact = str(lei.compact(text))
    if not re.fullmatch(r"[0-9A-Z]{18}[0-9]{2}", compact):
        raise NumberWrong("An LEI has 18 letters and digits, and 2 check digits.")
    if not lei.is_valid(compact):
        raise NumberWrong("The check digits of this LEI are wrong.")
    return compact


CHECKS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"none": _plain, "npi": _npi, "orcid": _orcid, "iban": _iban, "lei": _lei}
)
"""How each kind of number is brought to its normal form, or refused."""

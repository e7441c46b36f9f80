"""Reading JSON that strangers sent: strictly, and with a pointer to whatever is wrong.

Refused everywhere: invalid UTF-8, NaN and infinities (also 1e400), integers beyond 64 bits, a key twice in one
object, more than 20 levels, NUL characters and halves of surrogate pairs, whether in values or in keys.
"""

import json
import math
from collections import Counter
from typing import Any

from accounts.refusals import Fault
from marketplace.api.refusals import BodyTooLarge, Malformed
from tasks.labels.text import encoding_fault

BODY_MAX = 1024 * 1024
DEPTH_MAX = 20
_DIGITS_MAX = 19


class _NotStrict(ValueError):
    """What is wrong, in words."""


def strict_json(body: bytes, *, most: int = BODY_MAX) -> Any:
    """The value in ``body``, of at most ``most`` bytes. Raises Malformed or BodyTooLarge."""
    if len(body) > most:
        raise BodyTooLarge(f"The body has more than {most} bytes.")
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_each_key_once,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_of_64_bits,
        )
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except _NotStrict as error:
        raise Malformed(f"The body {error}.") from None
    except RecursionError:
        raise Malformed(f"The body is nested deeper than {DEPTH_MAX} levels.") from None
    check(value)
    return value


def check(value: Any, pointer: str = "") -> None:
    """Refuse what PostgreSQL or a reader could not bear, naming where it stands. Raises Malformed."""
    waiting: list[tuple[Any, str, int]] = [(value, pointer, 1)]
    while waiting:
        one, place, depth = waiting.pop()
        if isinstance(one, str):
            _check_text(one, place)
        elif isinstance(one, dict | list):
            if depth > DEPTH_MAX:
                raise Malformed(f"The body is nested deeper than {DEPTH_MAX} levels.")
            pairs = one.items() if isinstance(one, dict) else enumerate(one)
            for key, inner in pairs:
                if isinstance(key, str):
                    _check_text(key, place)
                waiting.append((inner, f"{place}/{escaped(key)}", depth + 1))


def escaped(part: object) -> str:
    """One part of a JSON pointer (RFC 6901), short and printable."""
    return str(part)[:60].encode("ascii", "backslashreplace").decode().replace("~", "~0").replace("/", "~1")


def _check_text(text: str, place: str) -> None:
    if fault := encoding_fault(text):
        raise Malformed("A text cannot be stored.", faults=[Fault(place, f"{fault}; remove it")])


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise Malformed(
            "An object names a key twice.", faults=[Fault(f"/{escaped(twice)}", "is given twice; keep one")]
        )
    return found


def _no_constant(name: str) -> Any:
    raise _NotStrict(f"holds {name}, which is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrict("holds a number too large to be one")
    return number


def _of_64_bits(text: str) -> int:
    # The length first: turning ten thousand digits into a number would cost time, and Python refuses it anyway.
    if len(text) > _DIGITS_MAX + 1 or not -(2**63) <= int(text) < 2**63:
        raise _NotStrict("holds an integer of more than 64 bits")
    return int(text)

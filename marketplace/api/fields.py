"""What a request may say and an answer says, field by field: plain serializers whose fields are strict.

REST framework's own fields are friendly: a number passes for a text, "1" for a number, "yes" for true, an unknown
field is dropped. Ours refuse each of these by name.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.ledger import money
from accounts.ledger.money import Money
from marketplace.api import ids
from marketplace.api.reading import check
from tasks.labels.text import text_fault


class Strict(serializers.Serializer[Any]):
    """A request body or query: fields that are not known are refused."""

    def to_internal_value(self, data: Any) -> Any:
        """The values of the fields. Raises ValidationError naming each wrong field."""
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(name for name, field in self.fields.items() if not field.read_only) or "no fields"
                raise serializers.ValidationError(
                    {name[:60]: [f"This field is not known here; known are: {known}."] for name in unknown[:20]}
                )
        return super().to_internal_value(data)


def some(shape: type[Strict], *, least: int = 0, most: int, **options: Any) -> Any:
    """A list of ``least`` to ``most`` objects of one shape."""
    many: Any = shape
    return many(many=True, allow_empty=least == 0, min_length=least, max_length=most, **options)


class Out(serializers.Serializer[Any]):
    """An answer's body."""


class Nothing(Strict):
    """An empty body."""


class Text(serializers.CharField):
    """A text of bounded length that people can read: ``lines`` says whether it may have several."""

    def __init__(self, *, most: int, lines: bool = False, **options: Any) -> None:
        super().__init__(max_length=most, trim_whitespace=False, **options)
        self.lines = lines

    def to_internal_value(self, data: Any) -> str:
        """The text as sent."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Send text.")
        fault = text_fault(data, least=0 if self.allow_blank else 1, most=self.max_length or 0, lines=self.lines)
        if fault:
            raise serializers.ValidationError(f"This text {fault}.")
        return data


class Whole(serializers.IntegerField):
    """A whole number, written as one; from ``least`` to ``most``."""

    def __init__(self, *, least: int, most: int, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("Send a whole number.")
        return int(super().to_internal_value(data))


class QueryWhole(serializers.IntegerField):
    """A whole number in a query string: digits."""

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        if not isinstance(data, str) or not (data.isascii() and data.isdigit() and len(data) <= 9):
            raise serializers.ValidationError("Send a whole number.")
        return int(super().to_internal_value(data))


class Number(serializers.FloatField):
    """A number, from ``least`` to ``most``."""

    def __init__(self, *, least: float, most: float, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)

    def to_internal_value(self, data: Any) -> float:
        """The number."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError("Send a number.")
        return float(super().to_internal_value(data))


class YesNo(serializers.BooleanField):
    """true or false, and nothing that looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        """The value."""
        if not isinstance(data, bool):
            raise serializers.ValidationError("Send true or false.")
        return data


class Choice(serializers.ChoiceField):
    """One text of a list."""

    def to_internal_value(self, data: Any) -> str:
        """The text."""
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Send one of: {', '.join(map(str, self.choices))}.")
        if data not in self.choices:
            raise serializers.ValidationError(f"This is none of: {', '.join(map(str, self.choices))}.")
        return data


class Moment(serializers.DateTimeField):
    """A time with its zone, as ISO 8601 says it."""

    def to_internal_value(self, value: Any) -> datetime:
        """The time."""
        if not isinstance(value, str) or len(value) > 40 or not value.isascii():
            raise serializers.ValidationError('Send a time such as "2030-01-31T12:00:00Z".')
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise serializers.ValidationError('Send a time such as "2030-01-31T12:00:00Z".') from None
        if found.tzinfo is None:
            raise serializers.ValidationError("Say the time zone, such as a Z at the end.")
        if not 1970 < found.year < 3000:
            raise serializers.ValidationError("Send a time in this or the coming centuries.")
        return found


@extend_schema_field(OpenApiTypes.STR)
class Id(serializers.Field[int, Any, str, Any]):
    """A public id on the wire, a row number inside."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind

    def to_internal_value(self, data: Any) -> int:
        """The row number. Raises NotFound for a text that is no id of this kind."""
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Send an id such as {self.kind}_... .")
        return ids.number(self.kind, data)

    def to_representation(self, value: int) -> str:
        """The public id."""
        return ids.public(self.kind, value)


@extend_schema_field({"type": "string", "pattern": r"^(0|[1-9][0-9]{0,12})(\.[0-9]{1,6})?$", "example": "12.50"})
class Amount(serializers.Field[Any, Any, str, Any]):
    """An amount of money as a decimal string; micros inside."""

    def to_internal_value(self, data: Any) -> int:
        """Micros. Whether the currency is known is said by its own field."""
        try:
            return money.parse(data, "USD").micros
        except ValueError as error:
            raise serializers.ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None

    def to_representation(self, value: Money) -> str:
        """The decimal string."""
        return money.format(value)


class Currency(serializers.CharField):
    """An ISO 4217 currency that we know."""

    def to_internal_value(self, data: Any) -> str:
        """The currency."""
        if not isinstance(data, str) or data not in money.MINOR_DIGITS:
            raise serializers.ValidationError("Send a currency such as USD or EUR.")
        return data


@extend_schema_field(OpenApiTypes.ANY)
class Anything(serializers.Field[Any, Any, Any, Any]):
    """Any JSON value that can be stored; its own rules are the act's to judge."""

    def to_internal_value(self, data: Any) -> Any:
        """The value."""
        check(data)
        return data

    def to_representation(self, value: Any) -> Any:
        """The value."""
        return value

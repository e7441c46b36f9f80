"""What is said when a schema or a label is not valid."""

from __future__ import annotations


class FieldInvalid(ValueError):
    """A value is not valid: where, why, and what to do about it.

    ``path`` names the field with dots and indexes, such as ``classes.2.name``; it is empty for the value as a whole.
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path or 'value'}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


class SchemaInvalid(FieldInvalid):
    """This label schema cannot be used."""


class LabelInvalid(FieldInvalid):
    """This label does not fit the job's label schema."""

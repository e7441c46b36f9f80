"""What is said when a file cannot be read."""

from __future__ import annotations


class RowError(ValueError):
    """A row of an import cannot be used: which row, which column, why, and what to do about it.

    Rows count as an editor or a spreadsheet shows them: the first line is row 1, in CSV that is the header.
    ``column`` is None when the fault is not in one column.
    """

    def __init__(self, row: int, column: str | None, message: str, remedy: str) -> None:
        where = f"row {row}" if column is None else f"row {row}, column {shown(column)}"
        super().__init__(f"{where}: {message}; {remedy}")
        self.row, self.column, self.message, self.remedy = row, column, message, remedy


class StreamFault(ValueError):
    """The bytes themselves cannot be read; readers turn it into a RowError with the row they had reached."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message, self.remedy = message, remedy


def shown(text: str) -> str:
    """A text from outside, short and printable, for use in a message."""
    return ascii(text[:60])

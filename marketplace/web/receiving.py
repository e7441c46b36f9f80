"""How much of a form with files is taken in, on any page: Django itself would write an upload of any size to the disk."""

from __future__ import annotations

from typing import Any, override

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from accounts.credentials import EVIDENCE_MAX
from accounts.uploads import BYTES_MAX

FORM_MAX = EVIDENCE_MAX * BYTES_MAX + 1024**2
"""As many documents as a credential may have, each of the greatest size, and the rest of the form."""


class Bounded(FileUploadHandler):
    """Goes before the handlers that keep files, and stops a request that is too large, whatever length it claimed."""

    _taken = 0

    @override
    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        if content_length > FORM_MAX:
            raise RequestDataTooBig(f"A form has at most {FORM_MAX} bytes.")

    @override
    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._taken += len(raw_data)
        if self._taken > FORM_MAX:
            raise RequestDataTooBig(f"A form has at most {FORM_MAX} bytes.")
        return raw_data

    @override
    def file_complete(self, file_size: int) -> None:
        """It is for the next handler to make the file."""

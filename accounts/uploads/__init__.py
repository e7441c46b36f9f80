"""What people send as evidence: what it really is, and pictures of its pages. Pure: bytes in, bytes out.

Content decides, never a name or what a browser says. The outside of a file (its beginning, its end, what else it might
be) is checked here. Everything that decodes it runs in a child process (``reader.py``) with limits on memory, time and
files, so that a hostile document costs that child and nothing else.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

BYTES_MAX = 10 * 1024 * 1024
SECONDS_MAX = 30
_READER = Path(__file__).with_name("reader.py")
_SNIFFED = 2048
"""How far into a file browsers and readers look for what it might be."""

_SIGNATURES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_MARKUP = re.compile(rb"<\s*(?:!doctype|html|head|body|script|svg|iframe|\?xml|\?php)", re.IGNORECASE)
_TWO_THINGS = "The file is two things at once. Save or print it anew as a plain PDF, PNG or JPEG."


class NotTaken(ValueError):
    """The file is not taken; ``detail`` says why and what would be, in a sentence."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a file is: its type by content, its number of pages, and the size of the first in pixels (PDF: points)."""

    content_type: str
    pages: int
    width: int
    height: int


def inspect(content: bytes) -> Inspected:
    """Look at the whole file. Raises NotTaken on anything but a sound PDF, PNG or JPEG within the limits.

    At most 10 MiB, 50 million pixels, 30 pages; no attachments, scripts or password in a PDF; nothing before, after or
    beside the document that would make it something else too.
    """
    content_type = _type_of(content)
    told = json.loads(_read(content, "inspect", content_type))
    return Inspected(content_type, told["pages"], told["width"], told["height"])


def page_picture(content: bytes, content_type: str, page: int) -> bytes:
    """PNG of page ``page`` (from 1), at most 1,600 pixels wide: drawn anew, so that nothing of the file is in it.

    Raises NotTaken where it cannot be drawn, IndexError where there is no such page.
    """
    if page < 1:
        raise IndexError("there is no such page")
    return _read(content, "picture", content_type, str(page))


def _type_of(content: bytes) -> str:
    if not content:
        raise NotTaken("The file is empty.")
    if len(content) > BYTES_MAX:
        raise NotTaken("The file is larger than 10 MiB. Send a smaller scan of it.")
    found = next((kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None)
    if found is None:
        raise NotTaken("This is no PDF, PNG or JPEG. Send one of these.")
    begin = content[:_SNIFFED]
    if zipfile.is_zipfile(io.BytesIO(content)) or _MARKUP.search(begin):
        raise NotTaken(_TWO_THINGS)
    if found == "application/pdf":
        if not re.search(rb"%%EOF[\s\0]*\Z", content[-_SNIFFED:]):
            raise NotTaken("The PDF is cut off, or goes on after its end. Save or print it anew.")
    elif b"%PDF-" in begin:
        raise NotTaken(_TWO_THINGS)
    return found


def _read(content: bytes, *arguments: str) -> bytes:
    """What the reader says of the content."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_READER), *arguments],
            input=content,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        raise NotTaken("Reading the file took too long. Save or print it anew.") from None
    if done.returncode == _OK:
        return done.stdout
    if done.returncode == _REFUSED:
        raise NotTaken(done.stdout.decode(errors="replace"))
    if done.returncode == _NO_PAGE:
        raise IndexError("there is no such page")
    # Out of memory or time, or crashed: whatever it was, it is the file's doing.
    raise NotTaken("The file cannot be read: it is damaged, or asks for more memory or time than a document needs.")


_OK, _REFUSED, _NO_PAGE = 0, 3, 4

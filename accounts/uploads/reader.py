"""The child that decodes one file: ``reader.py inspect|picture TYPE [PAGE]``, the file on standard input.

It limits itself before it reads a byte. Says JSON or a PNG and exits 0; a sentence for the person and exits 3; or exits
4 where the page does not exist. Run as a script, isolated: it may import nothing of ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import resource
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pypdfium2
import pypdfium2.raw
from PIL import Image, ImageOps

PIXELS_MAX = 50_000_000
PAGES_MAX = 30
WIDTH_MAX = 1600
HEIGHT_MAX = 4800
MEMORY_MAX = 1 << 30
SECONDS_MAX = 20
ACTIVE = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFile|RichMedia|XFA)\b")


class Refused(Exception):
    """Not taken; the message is for the person."""


class NoPage(Exception):
    """There is no such page."""


def limit() -> None:
    """Take memory, time and files from ourselves."""
    limits = {
        resource.RLIMIT_AS: MEMORY_MAX,
        resource.RLIMIT_CPU: SECONDS_MAX,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        # Where a system knows no such limit, the parent's clock still holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def main(action: str, kind: str, page: str = "1") -> bytes:
    """Do what the arguments say with standard input."""
    content = sys.stdin.buffer.read()
    if kind == "application/pdf":
        found = pdf_facts(content) if action == "inspect" else pdf_page(content, int(page))
    else:
        found = picture_facts(content, kind) if action == "inspect" else picture(content, kind, int(page))
    return json.dumps(found).encode() if isinstance(found, dict) else found


def pdf_facts(content: bytes) -> dict[str, int]:
    """Pages, and the size of the first one in points."""
    with opened(content) as document:
        pages = len(document)
        if pages > PAGES_MAX:
            raise Refused(f"The PDF has {pages} pages; at most {PAGES_MAX} are taken. Send those that matter.")
        if pages == 0:
            raise Refused("The PDF has no pages.")
        scripts = pypdfium2.raw.FPDFDoc_GetJavaScriptActionCount(document.raw)
        if scripts or document.count_attachments() or ACTIVE.search(content):
            raise Refused("The PDF carries scripts, forms or attachments. Print it to a plain PDF and send that.")
        sizes = [document.get_page_size(place) for place in range(pages)]
        if any(min(size) < 1 for size in sizes):
            raise Refused("A page of the PDF has no size. Print it anew.")
        return {"pages": pages, "width": round(sizes[0][0]), "height": round(sizes[0][1])}


def pdf_page(content: bytes, page: int) -> bytes:
    """One page, drawn."""
    with opened(content) as document:
        if not 1 <= page <= len(document):
            raise NoPage
        width, height = document.get_page_size(page - 1)
        # Twice the points is enough to read small print; a page as large as a house is drawn smaller.
        scale = min(2.5, WIDTH_MAX / width, HEIGHT_MAX / height)
        drawn = document[page - 1].render(scale=scale, may_draw_forms=False).to_pil()
        return png(drawn)


@contextlib.contextmanager
def opened(content: bytes) -> Iterator[Any]:
    """The PDF, open."""
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused("The PDF is protected by a password. Send it without one.") from None
        raise Refused("The PDF cannot be read: it is damaged or cut off.") from None
    with contextlib.closing(document):
        yield document


def picture_facts(content: bytes, kind: str) -> dict[str, int]:
    """Size in pixels, after every pixel was decoded."""
    image = decoded(content, kind)
    return {"pages": 1, "width": image.width, "height": image.height}


def picture(content: bytes, kind: str, page: int) -> bytes:
    """The picture upright, drawn anew."""
    if page != 1:
        raise NoPage
    image = decoded(content, kind)
    image.draft("RGB", (WIDTH_MAX, HEIGHT_MAX))
    image.thumbnail((WIDTH_MAX, HEIGHT_MAX))
    return png(ImageOps.exif_transpose(image))


def decoded(content: bytes, kind: str) -> Image.Image:
    """The picture with its pixels. Raises Refused on too many of them, damage, or more than one picture's bytes."""
    form = "PNG" if kind == "image/png" else "JPEG"
    try:
        image = Image.open(io.BytesIO(content), formats=[form])
    except Image.DecompressionBombError:
        raise Refused(too_many()) from None
    except (OSError, ValueError, SyntaxError):
        raise Refused("The picture cannot be read: it is damaged or cut off.") from None
    if image.width * image.height > PIXELS_MAX:
        raise Refused(too_many())
    try:
        end = png_end(content) if form == "PNG" else jpeg_end(content)
        image.load()
    except (OSError, ValueError, SyntaxError, IndexError):
        raise Refused("The picture is damaged or cut off. Send it again.") from None
    if content[end:].strip(b"\0"):
        raise Refused("Something stands after the end of the picture. Save it anew as a plain picture and send that.")
    return image


def too_many() -> str:
    """What is said of too large a picture."""
    return f"The picture has more than {PIXELS_MAX // 1_000_000} million pixels. Send it smaller."


def png_end(content: bytes) -> int:
    """Where a PNG ends: after its chunk IEND. Raises IndexError where none comes."""
    place = 8
    while True:
        length, name = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        place += 12 + length
        if place > len(content):
            raise IndexError("cut off")
        if name == b"IEND":
            return place


def jpeg_end(content: bytes) -> int:
    """Where a JPEG ends, with further JPEGs that cameras put behind it. Raises IndexError or ValueError on damage."""
    place = 2
    while True:
        if content[place] != 0xFF:
            raise ValueError("no marker")
        marker = content[place + 1]
        place += 2
        if marker == 0xD9:
            rest = content[place:].lstrip(b"\0")
            follows = rest.startswith(b"\xff\xd8\xff")
            return len(content) - len(rest) + jpeg_end(rest) if follows else place
        if marker == 0xFF:  # filling before a marker
            place -= 1
        elif marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            place += int.from_bytes(content[place : place + 2])
            if marker == 0xDA:
                place = scan_end(content, place)


def scan_end(content: bytes, place: int) -> int:
    """Where the coded pixels end: at the first marker that is not one of theirs."""
    while True:
        place = content.index(b"\xff", place)
        following = content[place + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7:
            return place
        place += 2


def png(image: Image.Image) -> bytes:
    """A PNG with pixels and nothing else."""
    bare = image.convert("RGB")
    bare.info = {}
    kept = io.BytesIO()
    bare.save(kept, "PNG")
    return kept.getvalue()


if __name__ == "__main__":
    limit()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    try:
        sys.stdout.buffer.write(main(*sys.argv[1:]))
    except Refused as refused:
        sys.stdout.write(str(refused))
        sys.exit(3)
    except NoPage:
        sys.exit(4)

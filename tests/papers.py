"""Documents as people send them, and as attackers do; made here, so that nothing hostile lies in the tree."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pypdfium2
from PIL import Image


def png(width: int = 60, height: int = 40) -> bytes:
    """A small picture."""
    return _saved(Image.new("RGB", (width, height), "navy"), "PNG")


def jpeg(width: int = 60, height: int = 40, **how: object) -> bytes:
    """A small photograph."""
    return _saved(Image.effect_noise((width, height), 60).convert("RGB"), "JPEG", **how)


def pdf(pages: int = 1, size: tuple[float, float] = (595, 842)) -> bytes:
    """A plain document of empty pages."""
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(*size)
    kept = io.BytesIO()
    document.save(kept)
    document.close()
    return kept.getvalue()


def pdf_of(*objects: str, stream: bytes = b"", trailer: str = "") -> bytes:
    """A PDF written by hand: its objects in order, the first of them the catalogue; ``stream`` is the last object's."""
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        body = one.encode() + (b"\nstream\n" + stream + b"\nendstream" if stream and number == len(objects) else b"")
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer\n<< /Size {len(places) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode()


def pdf_with_script() -> bytes:
    """Runs a script when it is opened."""
    return pdf_of(
        "<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    )


def pdf_bomb() -> bytes:
    """A page whose picture is 60,000 × 60,000 pixels out of a kilobyte."""
    packed = zlib.compress(zlib.compress(bytes(20_000_000), 9), 9)
    return pdf_of(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << /XObject << /X 5 0 R >> >> /Contents 4 0 R >>",
        "<< /Length 29 >>\nstream\nq 200 0 0 200 0 0 cm /X Do Q\nendstream",
        "<< /Type /XObject /Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceRGB /BitsPerComponent 8"
        f" /Filter [/FlateDecode /FlateDecode] /Length {len(packed)} >>",
        stream=packed,
    )


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG put together by hand."""
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def huge_png(width: int, height: int, *, rows: int | None = None) -> bytes:
    """So many pixels of one colour, out of a few kilobytes; ``rows`` of them are really there (all, unless told)."""
    packer = zlib.compressobj(9)
    row = b"\0" + bytes((width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return png_chunks((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))


def png_with_text_bomb() -> bytes:
    """A small picture with a comment that unpacks to 100 MB."""
    packer = zlib.compressobj(9)
    text = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    head = struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0)
    body = zlib.compress(b"\0\0")
    return png_chunks((b"IHDR", head), (b"zTXt", b"Comment\0\0" + text), (b"IDAT", body), (b"IEND", b""))


def archive() -> bytes:
    """A zip file."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        made.writestr("payload.exe", "MZ")
    return kept.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


def _saved(image: Image.Image, form: str, **how: object) -> bytes:
    kept = io.BytesIO()
    image.save(kept, form, **how)
    return kept.getvalue()

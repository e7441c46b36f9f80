"""What is taken as evidence is what it says, whole, and small enough; whatever else comes is refused by name."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from accounts import uploads
from tests import papers


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (papers.pdf(3), uploads.Inspected("application/pdf", 3, 595, 842)),
        (papers.png(), uploads.Inspected("image/png", 1, 60, 40)),
        (papers.jpeg(), uploads.Inspected("image/jpeg", 1, 60, 40)),
        (papers.jpeg(progressive=True), uploads.Inspected("image/jpeg", 1, 60, 40)),
        # A camera's further picture behind the first, and padding.
        (papers.jpeg() + papers.jpeg() + bytes(16), uploads.Inspected("image/jpeg", 1, 60, 40)),
    ],
)
def test_a_pdf_a_png_and_a_jpeg_are_taken(content: bytes, found: uploads.Inspected) -> None:
    assert uploads.inspect(content) == found


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (papers.SVG, "no PDF, PNG or JPEG"),
        (papers.HTML, "no PDF, PNG or JPEG"),
        (papers.archive(), "no PDF, PNG or JPEG"),
        (b"GIF89a" + bytes(40), "no PDF, PNG or JPEG"),
        (b"MZ" + papers.png(), "no PDF, PNG or JPEG"),
        (b"\n" + papers.pdf(), "no PDF, PNG or JPEG"),
        (papers.png() + bytes(uploads.BYTES_MAX), "larger than 10 MiB"),
    ],
    ids=["empty", "svg", "html", "zip", "gif", "exe", "late-pdf", "large"],
)
def test_what_is_no_document_or_too_large_is_refused_before_it_is_decoded(
    content: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_read", lambda *_: pytest.fail("it was decoded"))

    with pytest.raises(uploads.NotTaken, match=why):
        uploads.inspect(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (papers.png() + papers.archive(), "two things"),
        (papers.jpeg() + papers.archive(), "two things"),
        (papers.pdf() + papers.archive(), "two things"),
        (papers.jpeg(comment=b"%PDF-1.7"), "two things"),
        (papers.jpeg(comment=b"<script>alert(1)</script>"), "two things"),
        (b"%PDF-1.7\n" + papers.HTML + papers.pdf(), "two things"),
        (papers.png() + b"#!/bin/sh", "after the end of the picture"),
        (papers.jpeg() + papers.png(), "after the end of the picture"),
        (papers.jpeg() + papers.jpeg() + b"MZ", "after the end of the picture"),
        (papers.pdf() + papers.png(), "goes on after its end"),
    ],
    ids=[
        "png-zip",
        "jpeg-zip",
        "pdf-zip",
        "jpeg-pdf",
        "jpeg-html",
        "pdf-html",
        "png-sh",
        "jpeg-png",
        "jpegs-exe",
        "pdf-png",
    ],
)
def test_a_file_that_is_two_things_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(uploads.NotTaken, match=why):
        uploads.inspect(content)


@pytest.mark.parametrize(
    "content",
    [
        papers.png()[:-20],
        papers.png()[:40],
        papers.jpeg()[: len(papers.jpeg()) // 2],
        papers.jpeg()[:-2],
        papers.pdf()[: len(papers.pdf()) // 2],
        b"%PDF-1.7\n%%EOF",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        papers.png().replace(b"IDATx", b"IDATy"),  # whole outside, with pixels that are none
    ],
)
def test_a_cut_off_or_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(uploads.NotTaken, match=r"cut off|damaged"):
        uploads.inspect(content)


def test_a_picture_has_at_most_50_million_pixels() -> None:
    assert uploads.inspect(papers.huge_png(5_000, 10_000)).width == 5_000

    with pytest.raises(uploads.NotTaken, match="more than 50 million pixels"):
        uploads.inspect(papers.huge_png(5_000, 10_001))


def test_a_picture_that_unpacks_to_gigabytes_is_refused() -> None:
    for bomb in (papers.huge_png(60_000, 60_000, rows=100), papers.png_with_text_bomb()):
        assert len(bomb) < 200_000

        with pytest.raises(uploads.NotTaken):
            uploads.inspect(bomb)


def test_a_pdf_that_unpacks_to_gigabytes_costs_its_reader_and_nothing_else() -> None:
    bomb = papers.pdf_bomb()
    assert len(bomb) < 10_000

    # Pages are only drawn when somebody looks: then the reader runs into its limits, or draws what little there is.
    assert uploads.inspect(bomb).pages == 1
    try:
        shown = uploads.page_picture(bomb, "application/pdf", 1)
    except uploads.NotTaken as no:
        assert "memory or time" in no.detail  # noqa: PT017  either is right
    else:
        assert max(Image.open(io.BytesIO(shown)).size) <= 1_600


@pytest.mark.parametrize(
    "greed", ["bytearray(2 << 30)", "import os; os.write(os.open('kept', os.O_CREAT | os.O_WRONLY), b'kept')"]
)
def test_the_reader_takes_memory_and_files_from_itself(greed: str, tmp_path: Path) -> None:
    script = f"import runpy; runpy.run_path({str(uploads._READER)!r})['limit'](); {greed}"

    done = subprocess.run([sys.executable, "-I", "-c", script], check=False, capture_output=True, cwd=tmp_path)

    assert done.returncode != 0


def test_a_reader_that_crashes_is_the_files_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(uploads, "_READER", crash)

    with pytest.raises(uploads.NotTaken, match="memory or time"):
        uploads.inspect(papers.png())


def test_a_reader_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SECONDS_MAX", 0.001)

    with pytest.raises(uploads.NotTaken, match="too long"):
        uploads.inspect(papers.png())


def test_a_pdf_has_at_most_30_pages() -> None:
    assert uploads.inspect(papers.pdf(30)).pages == 30

    with pytest.raises(uploads.NotTaken, match="31 pages; at most 30"):
        uploads.inspect(papers.pdf(31))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (papers.pdf_with_script(), "scripts, forms or attachments"),
        (
            papers.pdf_of("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"),
            "no pages|damaged",
        ),
    ],
)
def test_a_pdf_that_does_more_than_show_pages_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(uploads.NotTaken, match=why):
        uploads.inspect(content)


@pytest.mark.parametrize("content", [papers.pdf(2), papers.pdf(2, (14_000, 100)), papers.pdf(2, (10, 14_000))])
def test_a_page_is_shown_as_a_picture_of_bounded_size(content: bytes) -> None:
    shown = Image.open(io.BytesIO(uploads.page_picture(content, "application/pdf", 2)))

    assert shown.format == "PNG"
    assert shown.width <= 1_600
    assert shown.height <= 4_800


def test_a_picture_is_drawn_anew_upright_and_without_what_else_it_carried() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "CANARY"
    sent = papers.jpeg(2_000, 1_000, exif=exif, comment=b"CANARY")

    shown = uploads.page_picture(sent, "image/jpeg", 1)

    assert b"CANARY" not in shown
    image = Image.open(io.BytesIO(shown))
    assert image.format == "PNG"
    assert image.height > image.width
    assert image.width <= 1_600


@pytest.mark.parametrize("page", [0, 3])
def test_there_is_no_picture_of_a_page_that_is_not_there(page: int) -> None:
    with pytest.raises(IndexError):
        uploads.page_picture(papers.pdf(2), "application/pdf", page)
    with pytest.raises(IndexError):
        uploads.page_picture(papers.png(), "image/png", page)

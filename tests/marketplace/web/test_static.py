"""The files that the pages load."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from django.conf import settings

WEB = Path(settings.BASE_DIR) / "marketplace" / "web"
VENDOR = WEB / "static" / "vendor"


def test_every_vendored_file_is_the_one_in_the_manifest_and_none_is_missing_from_it() -> None:
    listed = {each["file"]: each for each in json.loads((VENDOR / "manifest.json").read_text())["files"]}

    assert {path.name for path in VENDOR.iterdir()} == {*listed, "manifest.json"}
    for name, each in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == each["sha256"]
        assert each["version"]
        assert each["licence"]
        assert (VENDOR / each["licence_file"]).exists()


def test_vendored_files_do_not_point_to_source_maps_that_are_not_here() -> None:
    for path in VENDOR.iterdir():
        assert b"sourceMappingURL" not in path.read_bytes()


@pytest.mark.parametrize("template", sorted(WEB.rglob("*.html")), ids=lambda path: str(path.relative_to(WEB)))
def test_no_template_holds_code_or_style_that_the_policy_would_refuse(template: Path) -> None:
    text = template.read_text()

    # A block of JSON is data to the browser, which no policy refuses: allauth's scripts read theirs from one.
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*\btype=\"application/json\")[^>]*>", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:|hx-on", text)
    assert not re.search(r"(?:src|href)=\"https?:", text)

"""A headless browser for tests, where this machine has one: Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDE, NARROW = (1280, 800), (390, 844)


def chromium() -> str:
    """The browser that ``CHROMIUM`` names, or one in PATH; without one the test is skipped."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: install one, or let CHROMIUM name it")
    return found


class Browser:
    """Opens pages; ``complaints`` gathers what any of them wrote to the console as an error."""

    def __init__(self, url: str, pages: object) -> None:
        self.url = url
        self.complaints: list[str] = []
        self._browser = pages

    def open(
        self,
        path: str,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
        session: str = "",
        javascript: bool = True,
    ) -> Page:
        """A page in a window of its own, signed in by ``session`` if given, loaded and quiet."""
        context = self._browser.new_context(  # type: ignore[attr-defined]  # kept as object: its type is made at run time
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=javascript
        )
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": self.url}])
        page: Page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.url + path, wait_until="load")
        return page


@contextmanager
def browsing(url: str) -> Iterator[Browser]:
    """A browser on the site at ``url``. Inside the block no query may be made from this thread: an event loop runs in it."""
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Browser(url, started)
        finally:
            started.close()


def width(page: Page) -> int:
    """How wide the page's content is; asked by the protocol, for the pages' policy forbids evaluating a script."""
    return int(page.context.new_cdp_session(page).send("Page.getLayoutMetrics")["cssContentSize"]["width"])

"""The client sends again what may be sent again, and says no where the API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from marketplace.demo.client import Api, Door, Refused, Stopped, Unreachable, wait_until

BUSY = (503, {"type": "/problems/unavailable", "title": "busy", "detail": ""})
CUT = (0, None)
"""In place of an answer: the connection is closed."""


class Site:
    """A site that answers what it was told to, in order, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, bytes]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.asked.append((self.path, self.headers.get("Idempotency-Key", ""), body))
                status, said = site.answers.pop(0)
                if not status:
                    self.close_connection = True
                    return
                raw = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = _answer  # noqa: N815  the library's names

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.stop = threading.Event()
        self.door = Door(f"http://127.0.0.1:{self.server.server_port}", self.stop)
        self.api = Api(self.door, "ts_secret")


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.door.close()
    made.server.shutdown()
    made.server.server_close()


def test_a_post_is_sent_again_under_the_same_key_until_it_is_answered(site: Site) -> None:
    site.answers = [CUT, BUSY, (201, {"id": "job_1"})]

    assert site.api.post("/jobs", {"name": "x"}) == {"id": "job_1"}

    assert len(site.asked) == 3
    assert len(set(site.asked)) == 1  # address, key and body
    assert site.asked[0][1]
    assert site.door.lost == 1


def test_two_posts_have_two_keys(site: Site) -> None:
    site.answers = [(200, {}), (200, {})]

    site.api.post("/jobs")
    site.api.post("/jobs")

    assert site.asked[0][1] != site.asked[1][1]


def test_a_request_that_is_still_running_is_waited_for(site: Site) -> None:
    site.answers = [(409, {"type": "/problems/idempotency-key-busy"}), (200, {"ok": True})]

    assert site.api.post("/jobs") == {"ok": True}


def test_a_no_is_not_sent_again(site: Site) -> None:
    site.answers = [(409, {"type": "/problems/insufficient-funds", "title": "There is not enough money"})]

    with pytest.raises(Refused, match="not enough money") as caught:
        site.api.post("/jobs")

    assert caught.value.slug == "insufficient-funds"
    assert len(site.asked) == 1


def test_done_before_counts_as_done_only_where_an_answer_was_lost(site: Site) -> None:
    done = (409, {"type": "/problems/gold-set-not-draft", "title": "no"})
    site.answers = [CUT, done, done]

    assert site.api.post("/gold-sets/1/publish", done="gold-set-not-draft") is None
    with pytest.raises(Refused):
        site.api.post("/gold-sets/1/publish", done="gold-set-not-draft")


def test_what_may_be_sent_only_once_is_sent_once(site: Site) -> None:
    site.answers = [CUT]

    with pytest.raises(Unreachable):
        site.api.post_once("/work", {})

    assert len(site.asked) == 1


def test_stopping_ends_all_waiting(site: Site) -> None:
    site.answers = [BUSY] * 100
    threading.Timer(0.3, site.stop.set).start()

    with pytest.raises(Stopped):
        site.api.get("/me")


def test_waiting_says_whether_it_came() -> None:
    never = threading.Event()

    assert wait_until(lambda: True, 0, never)
    assert not wait_until(lambda: False, 0.1, never, every=0.01)

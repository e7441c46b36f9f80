"""Whatever is sent: a 4xx problem that names the field, nothing written, never a server error, within a second."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse

from marketplace.api import hot
from tests.marketplace.api.client import Api
from tests.security import matrix
from tests.security.cells import fingerprint
from tests.security.rules import Entry
from tests.security.scene import Scene, a_scene

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

SECONDS_MAX = 1.0

WHOLE_BODIES: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "an array": b"[]",
    "a string": b'"text"',
    "a number": b"7",
    "null": b"null",
    "an unknown field": b'{"surprise": 1}',
    "a key twice": b'{"a": 1, "a": 2}',
    "a NUL": b'{"name": "a\\u0000b"}',
    "a NUL in a key": b'{"na\\u0000me": 1}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "NaN": b'{"count": NaN}',
    "infinity": b'{"count": -Infinity}',
    "1e400": b'{"count": 1e400}',
    "an integer of 5000 digits": b'{"count": 1' + b"0" * 5000 + b"}",
    "depth 10 000": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "depth 21": b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
    "2 MiB": b'{"name": "' + b"x" * (2 * 1024 * 1024) + b'"}',
    "a megabyte of combining marks": b'{"name": "' + "\u0301".encode() * 400_000 + b'"}',
    "100 000 keys": json.dumps({f"k{number}": 1 for number in range(70_000)}).encode(),
}

WRONG_VALUES: tuple[Any, ...] = (
    None, True, 7, -1, 1.5, 10**18, "", " ", "x" * 300_000, "NaN", "1e400", "-0", "0.0000001", "1٢", "1" * 31, "\u202eabc",
    "job_aaaaaaaaaaaaaaaaaaaaaaaaaa", [], [[]], [None], {}, {"a": {}}, {"class": "no such class"}, "2020-01-01", "a\tb",
)  # fmt: skip

NEEDS_NO_BODY = {name for (name, method), entry in matrix.API.items() if method != "GET" and entry.body is None} | {
    "claims", "work", "worker-profile", "worker-private", "key-rotate",
}  # fmt: skip
"""For these an empty body is a good one."""

WRITING = [(name, method) for (name, method) in matrix.API if method != "GET" and name != "nowhere"]


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: Any) -> Iterator[Scene]:
    """One scene for all of the module, undone at its end."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield a_scene()
        transaction.set_rollback(True)


def _caller(scene: Scene, name: str, method: str = "") -> Api:
    """Somebody who may do it."""
    entry = matrix.API.get((name, method)) or next(one for (called, _), one in matrix.API.items() if called == name)
    workers = entry.side == "worker" or name in {"claims", "attempts"} or name.startswith("worker")
    first = ("worker", "owner_a", "admin") if workers else ("owner_a", "worker", "admin")
    return scene.callers[next((caller for caller in first if entry.rule(caller)[0] == "ok"), first[0])]


def _address(scene: Scene, name: str, entry: Entry) -> str:
    side = scene.mine if entry.side == "worker" else scene.a
    parts = {part: what[1:] if what.startswith("=") else side[what] for part, what in (entry.path or {}).items()}
    return reverse(f"api:{name}", kwargs=parts)


def _tried(scene: Scene, name: str, method: str, raw: bytes, **how: Any) -> Any:
    """The response, having seen that it came in time and, where it is a no, that nothing was written."""
    entry = matrix.API[name, method]
    cache.clear()
    hot.forget_keys()
    with transaction.atomic():
        before = fingerprint()
        began = time.process_time()
        once = how.pop("once", "bad-input" if entry.once else False)
        content_type = how.pop("content_type", "application/json")
        address = how.pop("address", None) or _address(scene, name, entry)
        response = _caller(scene, name, method).send(method, address, raw, once=once, content_type=content_type, **how)
        seconds = time.process_time() - began  # ours alone: the machine may be busy
        assert response.status_code < 500, (name, method, raw[:80], response.content[:200])
        if response.status_code >= 400:
            assert fingerprint() == before, (name, method, raw[:80])
            assert response["Content-Type"] == "application/problem+json"
            problem = response.json()
            assert problem["type"].startswith("/problems/")
            assert problem["detail"]
        assert seconds <= SECONDS_MAX, (name, raw[:60], seconds)
        transaction.set_rollback(True)
    return response


@pytest.mark.parametrize("what", WHOLE_BODIES)
def test_a_body_that_is_no_good_is_refused_everywhere(scene: Scene, what: str) -> None:
    raw = WHOLE_BODIES[what]
    for name, method in WRITING:
        if matrix.API[name, method].content_type != "application/json" or (what == "empty" and name in NEEDS_NO_BODY):
            continue
        response = _tried(scene, name, method, raw)
        assert 400 <= response.status_code < 500, (name, method, what, response.status_code)
        assert response.status_code in {400, 413, 415}, (name, method, what, response.content[:200])


@pytest.mark.parametrize(("name", "method"), [pair for pair in WRITING if matrix.API[pair].body is not None])
def test_a_wrong_value_is_refused_by_the_name_of_its_field(scene: Scene, name: str, method: str) -> None:
    entry = matrix.API[name, method]
    if entry.content_type != "application/json":
        return
    assert entry.body is not None
    good = entry.body(scene.mine if entry.side == "worker" else scene.a, scene)
    for field in good:
        refused = 0
        for value in WRONG_VALUES:
            response = _tried(scene, name, method, json.dumps({**good, field: value}).encode())
            if response.status_code in {400, 422}:
                refused += 1
                pointers = [fault["pointer"] for fault in response.json().get("errors", [{"pointer": f"/{field}"}])]
                assert any(pointer.startswith(f"/{field}") for pointer in pointers), (field, value, response.content)
        assert refused >= 10, (name, field, refused)


UNSTORABLE: tuple[Any, ...] = ("a\x00b", "\ud800", {"class": "a\x00b"}, {"a\udfff": 1}, [["\x00"]])


@pytest.mark.parametrize("value", UNSTORABLE, ids=ascii)
def test_a_text_that_cannot_be_stored_is_refused_wherever_it_stands(scene: Scene, value: Any) -> None:
    for name, method in WRITING:
        for field, good in _good_json(scene, name, method):
            response = _tried(scene, name, method, json.dumps({**good, field: value}).encode())
            assert response.status_code == 400, (name, field, response.content[:200])
            assert response.json()["type"] == "/problems/malformed", (name, field)
            assert response.json()["errors"][0]["pointer"].startswith(f"/{field}")


def test_a_field_that_is_given_twice_is_refused_wherever_it_stands(scene: Scene) -> None:
    for name, method in WRITING:
        for field, good in _good_json(scene, name, method):
            twice = json.dumps({field: good[field]})[1:-1]
            response = _tried(scene, name, method, f"{json.dumps(good)[:-1]}, {twice}}}".encode())
            assert response.status_code == 400, (name, field, response.content[:200])
            assert response.json()["errors"][0]["pointer"] == f"/{field}"


def _good_json(scene: Scene, name: str, method: str) -> list[tuple[str, dict[str, Any]]]:
    """Each field of a good body of this address, with the body."""
    entry = matrix.API[name, method]
    if entry.body is None or entry.content_type != "application/json":
        return []
    good = entry.body(scene.mine if entry.side == "worker" else scene.a, scene)
    return [(field, good) for field in good]


@pytest.mark.parametrize(
    "amount", ["NaN", "1e400", "-0", "-1", "0.0000001", "１２", "1" * 31, " 1", "1,5", "+1", True, 1.5, [], {}]
)
def test_an_amount_is_a_plain_decimal_string(scene: Scene, amount: Any) -> None:
    for name, field in (("deposits", "amount"), ("job-budget", "amount"), ("jobs", "price"), ("jobs", "budget")):
        entry = matrix.API[name, "POST"]
        assert entry.body is not None
        body = {**entry.body(scene.a, scene), field: amount}
        response = _tried(scene, name, "POST", json.dumps(body).encode())
        assert response.status_code == 400
        assert response.json()["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x" * 300]
)
def test_another_content_type_is_refused(scene: Scene, content_type: str) -> None:
    for name, method in WRITING:
        response = _tried(scene, name, method, b"a=1", content_type=content_type)
        assert response.status_code in {400, 415}, (name, method, response.status_code, response.content[:100])


@pytest.mark.parametrize(
    "query",
    ["surprise=1", "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "limit=%00", "cursor=%00", "cursor=job_x",
     "cursor=" + "x" * 5000, "state=%00", "state=nope", "organisation=%ED%A0%80", "%00=1", "currency=XXX", "limit=٣"],
)  # fmt: skip
def test_a_query_that_is_no_good_is_refused_everywhere(scene: Scene, query: str) -> None:
    for (name, method), entry in matrix.API.items():
        if method != "GET" or name in {"schema", "reference", "nowhere"}:
            continue
        response = _tried(scene, name, method, b"", address=f"{_address(scene, name, entry)}?{query}")
        assert response.status_code in {400, 404}, (name, query, response.status_code)


@pytest.mark.parametrize("text", ["%00", "job_" + "a" * 26, "x" * 5000, "%ED%A0%80", "..%2F..", "1", "JOB_", "-1", "'"])
def test_an_id_that_is_none_leads_nowhere(scene: Scene, text: str) -> None:
    for (name, method), entry in matrix.API.items():
        if not entry.path or name == "nowhere":
            continue
        address = _address(scene, name, entry)
        part = next(iter(entry.path.values()))
        side = scene.mine if entry.side == "worker" else scene.a
        response = _tried(scene, name, method, b"", address=address.replace(side[part], text))
        assert response.status_code in {400, 404, 415}, (name, method, text, response.status_code)


@pytest.mark.parametrize("method", ["PUT", "TRACE", "OPTIONS", "PURGE"])
def test_a_method_that_is_not_known_is_refused(scene: Scene, method: str) -> None:
    for name, known in matrix.API:
        if name in {"schema", "reference", "nowhere"}:
            continue
        address = _address(scene, name, matrix.API[name, known])
        response = _caller(scene, name, method).send(method, address)
        assert response.status_code == 405, (name, method)
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic eDp5", "Bearer ümlaut", "Bearer ts_" + "a" * 38, "Bearer " + "x" * 9000, "ts_x"],
)
def test_a_key_that_is_none_is_refused(scene: Scene, header: str) -> None:
    stranger = Api()
    stranger.headers["Authorization"] = header
    for address in ("me", "jobs", "line"):
        assert stranger.get(address).status_code == 401
    for address in ("claims", "answers", "work"):
        response = stranger.post(address, {})
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")


IMPORTS: dict[str, tuple[bytes, str]] = {
    "wrong encoding": ("text\ncaf\xe9\n".encode("latin-1"), "/row/2"),
    "10 000 columns": (",".join(f"c{number}" for number in range(10_000)).encode() + b"\n", "/row/1"),
    "truncated gzip": (gzip.compress(b"text\n" + b"one two three\n" * 5_000)[:-20], "/row/"),
    "damaged gzip": (b"\x1f\x8b" + b"nonsense" * 20, "/row/"),
    "duplicate ids": (b"external_ref,text\na,one\na,two\n", "/row/3"),
    "duplicate rows": (b"text\none\none\n", "/row/3"),
    "a NUL": (b"text\none\x00two\n", "/row/2"),
    "broken quotes": (b'text\n"one\n', "/row/2"),
    "a zip archive": (b"PK\x03\x04" + b"x" * 100, "/row/"),
    "a wrong price": (b"text,price\none,1e5\n", "/row/2"),
    "a bomb": (gzip.compress(b"text\n" + b"0" * (64 * 1024 * 1024)), "/row/"),
    "only a header": (b"text\n", ""),
    "no payload": (b"external_ref\na\n", "/row/2"),
}


@pytest.mark.parametrize("what", IMPORTS)
def test_a_hostile_import_is_refused_with_its_row(scene: Scene, what: str) -> None:
    raw, pointer = IMPORTS[what]
    entry = matrix.API["batches", "POST"]
    with transaction.atomic():
        response = scene.callers["owner_a"].send(
            "POST", _address(scene, "batches", entry), raw, content_type="text/csv", once="bad"
        )
        assert response.status_code == 422, response.content[:300]
        problem = response.json()
        assert problem["type"] == "/problems/import-refused"
        if pointer:
            assert problem["errors"][0]["pointer"].startswith(pointer), problem
        transaction.set_rollback(True)


def test_a_batch_beyond_a_gibibyte_is_refused_before_it_is_read(scene: Scene) -> None:
    entry = matrix.API["batches", "POST"]
    response = scene.callers["owner_a"].client.generic(
        "POST", _address(scene, "batches", entry), b"text\n", "text/csv",
        headers={"Idempotency-Key": "big"}, CONTENT_LENGTH=str(2 * 1024**3),
    )  # fmt: skip
    assert response.status_code == 413

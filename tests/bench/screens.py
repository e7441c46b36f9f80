"""Screenshots of every page, for people to look at: ``pytest tests/bench/screens.py -m bench``, into ``OUT``.

Not a judge of beauty: it fails only where a page complains in the console or is wider than its window.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from PIL import Image
from pytest_django.live_server_helper import LiveServer
from sklearn.datasets import load_digits

from accounts import organising
from accounts.models import User, Worker
from marketplace import sweeps
from qualification.queries import canonical
from tasks import claiming, importing, submitting
from tasks.formats.rows import TaskRow
from tasks.models import Job
from tests import build
from tests.browser import NARROW, WIDE, Browser, browsing, width
from tests.sign_in import sign_in

OUT = Path(os.environ.get("OUT", "out/screens"))
TEXTS = (
    "The battery lasts two days, and the screen is easy to read in the sun. I would buy it again.",
    "It broke in the first week. Support never answered.",
    "It does what it says. Nothing more, nothing less.",
    "Half the pages arrived bent, yet the photographs are the finest I have seen in print.",
)
MOODS = {
    "question": "How does the writer feel about what they bought?",
    "classes": [
        {"name": "positive", "title": "Positive", "description": "They would recommend it."},
        {"name": "neutral", "title": "Neutral"},
        {"name": "negative", "title": "Negative", "description": "They would not, or warn against it."},
    ],
}
DIGITS = {"question": "Which digit is written here?", "classes": [str(digit) for digit in range(10)]}
GUIDE = """Read the whole text before you answer.

Judge what the writer feels about the thing they bought, not about the delivery or the shop.

Choose neutral only where no feeling shows. Where praise and blame are mixed, ask yourself whether the writer would buy it again."""

pytestmark = pytest.mark.bench


def test_every_page_is_photographed(committed_server: LiveServer) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with browsing(committed_server.url) as browser:
        _photograph(browser, "line-empty", "/")
        _photograph(browser, "sign-in", "/accounts/login/")
        _photograph(browser, "sign-up", "/accounts/signup/")
        _photograph(browser, "welcome", "/work/welcome")
    people = _a_busy_line()
    with browsing(committed_server.url) as browser:
        _photograph(browser, "line", "/")
        _photograph(browser, "line-of-a-member", "/", session=people["dora"])
        _photograph(browser, "task-image", "/work", session=people["ada"])
        _photograph(browser, "task-text", "/work", session=people["ben"])
        _photograph(browser, "desk", "/work", session=people["new"])
        _photograph(browser, "swagger", "/api/v1/docs/", settle=4_000)
        for name, path in (("index", ""), ("jobs", "tasks/job/"), ("tasks", "tasks/task/"), ("job", people["job"])):
            _photograph(browser, f"admin-{name}", f"/admin/{path}", session=people["fay"], settle=1_500)
        assert browser.complaints == []


def _photograph(browser: Browser, name: str, path: str, *, session: str = "", settle: int = 300) -> None:
    for size_name, size in (("wide", (1440, 900) if name.startswith("admin") else WIDE), ("narrow", NARROW)):
        for scheme in ("light", "dark"):
            page = browser.open(path, size=size, scheme=scheme, session=session)
            page.wait_for_timeout(settle)
            page.screenshot(path=OUT / f"{name}-{size_name}-{scheme}.png", full_page=True)
            assert width(page) <= size[0], f"{name} is wider than its window at {size[0]} pixels"
            page.context.close()


def _a_busy_line() -> dict[str, str]:
    """Three jobs half done, an answered and an open task on each desk; returns sessions by name."""
    dora, fay = build.a_user("Dora"), build.a_user("Fay")
    organising.give_platform_role(fay, "admin")
    north = build.an_organisation("North", owner=dora)
    handwriting, mood, chest = (
        build.a_domain(path) for path in ("vision/handwriting", "language/mood", "medicine/chest")
    )
    digits = build.a_live_job(
        north,
        name="Handwritten digits",
        domain=handwriting,
        label_definition=DIGITS,
        guidelines="Look at the whole stroke.",
    )
    moods = build.a_live_job(
        north,
        name="What buyers say",
        domain=mood,
        label_definition=MOODS,
        guidelines=GUIDE,
        description="Short reviews.",
    )
    chests = build.a_live_job(
        build.an_organisation("South"),
        name="Chest findings",
        domain=chest,
        requirements=((chest.pk, 2),),
        price_micros=400_000,
    )
    importing.add_tasks(digits, _rows({"image": picture} for picture in _pictures(120)), rng_seed=1)
    importing.add_tasks(
        moods, _rows({"text": f"{TEXTS[n % 4]} ({n + 1})", "shop": "north"} for n in range(80)), rng_seed=2
    )
    importing.add_tasks(chests, _rows({"report": f"Heart size normal. Report {n}."} for n in range(40)), rng_seed=3)
    crowd = [build.a_worker(f"Worker {n}") for n in range(5)]
    for expert in crowd[:3]:
        build.a_qualification(expert, chest, level=2)
    rng = random.Random(0)
    for job, share in ((digits, 0.6), (moods, 0.8), (chests, 0.4)):
        for worker in crowd[: 3 if job is chests else 5]:
            _answer_some(worker, job, int(share * 50), rng)
    ada, ben, new = build.a_worker("Ada"), build.a_worker("Ben"), build.a_worker("Noor")
    claiming.claim_tasks(ada.pk, job_id=digits.pk)
    claiming.claim_tasks(ben.pk, job_id=moods.pk)
    sweeps.step_all()
    cache.clear()
    seen = {"ada": ada.user, "ben": ben.user, "new": new.user, "dora": dora, "fay": fay}
    return {name: _session(user) for name, user in seen.items() if user} | {"job": f"tasks/job/{moods.pk}/change/"}


def _answer_some(worker: Worker, job: Job, count: int, rng: random.Random) -> None:
    assert job.schema is not None
    names: Sequence[str] = [each["name"] for each in job.schema.definition["classes"]]
    leases = claiming.claim_tasks(worker.pk, count=count, job_id=job.pk)
    said = (
        submitting.Submission(
            lease.assignment_id,
            {"class": names[lease.task_id % len(names)] if rng.random() < 0.8 else rng.choice(names)},
            seconds=2.5,
        )
        for lease in leases
    )
    submitting.submit_answers(worker.pk, list(said))


def _session(user: User) -> str:
    client = Client()
    return sign_in(client, user)


def _rows(payloads: Any) -> list[TaskRow]:
    rows = []
    for number, payload in enumerate(payloads, start=1):
        content = canonical(payload).encode()
        digest = hashlib.sha256(content).digest()
        rows.append(TaskRow(number, f"item-{number}", payload, None, None, "", None, content, digest))
    return rows


def _pictures(count: int) -> list[str]:
    """Handwritten digits as data URIs."""
    found = []
    for pixels in load_digits().images[:count]:
        file = io.BytesIO()
        Image.fromarray((255 - pixels * 15).astype("uint8")).save(file, "PNG")
        found.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    return found

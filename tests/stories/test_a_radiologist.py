"""A radiologist in a real browser: she joins, proves her licence, is given work that it opens, and loses both again.

Every step is a click on a page. ``TOUCHSTONE_SHOTS`` names a folder for pictures of them; without it none are taken.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts import organising
from accounts.models import AuditRow, Credential, EvidenceView, User
from marketplace.api import ids
from qualification.models import Domain, Qualification
from qualification.queries import canonical
from tasks import importing
from tasks.models import Answer, Assignment, Job, Task
from tests import build, papers
from tests.browser import WIDE, Browser, browsing, width
from tests.marketplace.signon.test_in_a_browser import a_virtual_authenticator
from tests.marketplace.signon.test_signing_on import mailed_code

SHOTS = os.environ.get("TOUCHSTONE_SHOTS", "")
SMALL = (360, 780)
PASSWORD = "a-quiet-river-9"
ADDRESS = "rosa.ray@example.org"
NUMBER = "20-114-778"
FINDINGS = {
    "question": "What does this film show?",
    "classes": [
        {"name": "clear", "title": "Nothing to report"},
        {"name": "effusion", "title": "Effusion", "description": "Fluid in the pleural space, however little."},
        {"name": "other", "title": "Something else"},
    ],
}
GUIDE = "Compare both sides before you answer.\n\nCall it an effusion only where the angle is lost."
REASON = "The board has told us that this licence was suspended on 20 November."


@dataclasses.dataclass(frozen=True, slots=True)
class Verifier:
    """Somebody who verifies, with a window of their own; ``secret`` is what their app was set up with."""

    name: str
    email: str
    secret: str

    def sign_in(self, browser: Browser) -> Page:
        """The queue, reached with the password and what the app shows."""
        page = browser.open("/accounts/login/?next=/admin/", size=(1440, 900))
        page.get_by_label("Email").fill(self.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        counter = next(iter(totp.yield_hotp_counters_from_time()))
        page.get_by_label("Code").fill(totp.format_hotp_value(totp.hotp_value(self.secret, counter)))
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("link", name="Medical licence").first).to_be_visible()
        return page


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Nobody has been counted yet."""
    cache.clear()


@pytest.fixture
def film(committed_db: str) -> Job:
    """A job for radiologists alone, and one of a single task for anybody."""
    call_command("seed", stdout=io.StringIO())
    radiology = Domain.objects.get(path="medicine/radiology")
    pets = build.a_live_job(name="Cats and dogs", slots=1)
    importing.add_tasks(pets, _rows([{"text": "It barked at the postman."}]), rng_seed=1)
    job = build.a_live_job(
        name="Chest films", domain=radiology, requirements=((radiology.pk, 2),), label_definition=FINDINGS,
        guidelines=GUIDE, description="One film, one question.", price_micros=build.UNIT, slots=1,
    )  # fmt: skip
    importing.add_tasks(job, _rows([{"image": _a_film(n), "view": "posteroanterior"} for n in range(2)]), rng_seed=2)
    return job


def test_a_licence_opens_work_once_two_have_looked_and_its_revocation_takes_the_work_back(
    committed_server: LiveServer, film: Job
) -> None:
    vera, otto = a_verifier("Vera"), a_verifier("Otto")
    way = f"/work?job={ids.public('job', film.pk)}"
    with browsing(committed_server.url) as browser:
        hers = browser.open("/join")
        go = _goer(hers, committed_server.url)
        sign_up(hers)
        add_a_passkey(hers, go)
        become_a_worker(hers, go)
        find_the_films_closed(hers, go, way)
        file_the_licence(hers)

        first, second = vera.sign_in(browser), otto.sign_in(browser)
        approve(first, "07-first-verifier", "The number is in the register.")
        expect(first.locator(".review")).to_contain_text("1 of 2 verifiers have approved. You are one of them.")
        expect(first.get_by_role("button", name="Take it into my hands")).to_have_count(0)
        shot(first, "07-first-verifier-done", small=False)
        go("/me/credentials")
        expect(hers.get_by_role("main")).to_contain_text("Waiting to be looked at")
        approve(second, "08-second-verifier", "")
        expect(second.locator(".review")).to_contain_text("Rests on it:")
        shot(second, "08-second-verifier-done", small=False)

        take_a_film(hers, go)
        revoke(first)
        lose_the_film(hers, go, way)
        complaints = _unexpected(browser)

    assert complaints == []
    prove_it_in_the_books(film, vera, otto)


def sign_up(page: Page) -> None:
    """From the front door to an account, by the code in the mail."""
    shot(page, "01-join")
    page.get_by_role("button", name="Join as a worker").click()
    page.get_by_label("Email").fill(ADDRESS)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    shot(page, "02-sign-up")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("main")).to_contain_text(ADDRESS)
    shot(page, "02-the-code")
    page.get_by_label("Code").fill(mailed_code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Work here")).to_be_visible()
    assert mail.outbox[-1].to == [ADDRESS]


def add_a_passkey(page: Page, go: Callable[[str], None]) -> None:
    """A passkey from the page of her account, kept by this machine."""
    go("/me")
    page.get_by_role("link", name="Sign-in and security").click()
    shot(page, "03-second-factor")
    a_virtual_authenticator(page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    shot(page, "03-once-more")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("My telephone")
    shot(page, "03-add-a-passkey")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("textbox", name="Unused codes")).to_be_visible()
    shot(page, "03-recovery-codes")


def become_a_worker(page: Page, go: Callable[[str], None]) -> None:
    """The name she works under, and her desk."""
    go("/work")
    page.get_by_label("The name you work under").fill("Rosa")
    shot(page, "04-welcome")
    page.get_by_role("button", name="Start working").click()
    expect(page.get_by_role("heading", name="Your desk")).to_be_visible()
    shot(page, "04-desk")


def find_the_films_closed(page: Page, go: Callable[[str], None], way: str) -> None:
    """Of two open jobs she may do one: its only task comes, then nothing; the other says what it asks for."""
    told = page.request.get(page.url.partition("/work")[0] + "/api/v1/open-jobs").json()
    asked = {one["name"]: [need["path"] for need in one["requirements"]] for one in told["results"]}
    assert asked == {"Chest films": ["medicine/radiology"], "Cats and dogs": []}
    page.get_by_role("button", name="Take the next task").click()
    expect(page.get_by_role("heading", name="Cats and dogs")).to_be_visible()
    page.get_by_role("button", name="Dog").click()
    expect(page.get_by_role("alert")).to_contain_text("No open task suits you right now.")
    shot(page, "05-nothing-suits")
    go(way)
    page.get_by_role("button", name="Take the next task").click()
    expect(page.get_by_role("alert")).to_contain_text("This job asks for a qualification that you do not hold.")
    expect(page.get_by_role("alert")).to_contain_text("Radiology, level 2")
    shot(page, "05-films-closed")


def file_the_licence(page: Page) -> None:
    """From the refusal to the form, sent first without number and document; then the licence waits."""
    page.get_by_role("link", name="See what you can prove").click()
    expect(page.get_by_role("heading", name="Credentials")).to_be_visible()
    shot(page, "06-credentials")
    page.get_by_role("button", name="File Medical licence").click()
    page.get_by_label("Issued by").fill("State Medical Board")
    page.get_by_label("Jurisdiction").fill("US-NY")
    page.get_by_label("Your name on the document").fill("Rosa M. Ray")
    page.get_by_label("Specialty").fill("Diagnostic radiology")
    page.get_by_label("Expires on").fill("2099-06-30")
    page.get_by_role("button", name="File", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("Something needs to be put right")
    shot(page, "06-something-missing")
    page.get_by_label("Number").fill(NUMBER)
    page.get_by_label("Documents").set_input_files(
        {"name": "licence.pdf", "mimeType": "application/pdf", "buffer": a_licence()}
    )
    shot(page, "06-file")
    page.get_by_role("button", name="File", exact=True).click()
    expect(page.get_by_role("heading", name="Medical licence")).to_be_visible()
    expect(page.get_by_role("link", name="document 1")).to_be_visible()
    shot(page, "06-filed")


def approve(page: Page, name: str, note: str) -> None:
    """Out of the queue into the hands, the document looked at beside the form, and a yes."""
    shot(page, f"{name}-queue", small=False)
    page.get_by_role("link", name="Medical licence").first.click()
    page.get_by_role("button", name="Take it into my hands").click()
    picture = page.get_by_role("img", name="document 1, page 1")
    expect(picture).to_be_visible()
    page.wait_for_load_state("load")
    paper, form = picture.bounding_box(), page.get_by_role("button", name="Approve").bounding_box()
    assert paper is not None
    assert form is not None
    assert paper["height"] > paper["width"] > 400, "the page itself, large enough to be read"
    assert paper["x"] + paper["width"] <= form["x"], "beside the form"
    expect(page.locator(".review")).to_contain_text(NUMBER)
    page.get_by_label("Note for other verifiers").fill(note)
    shot(page, f"{name}-looks")
    page.get_by_role("button", name="Approve").click()


def take_a_film(page: Page, go: Callable[[str], None]) -> None:
    """What was closed is open: she is told so, and a film comes."""
    go("/me/credentials")
    expect(page.get_by_role("main")).to_contain_text("Opens:")
    shot(page, "09-verified")
    go("/work")
    page.get_by_role("button", name="Take the next task").click()
    expect(page.get_by_role("heading", name="Chest films")).to_be_visible()
    expect(page.get_by_role("img", name="The picture to be labeled")).to_be_visible()
    shot(page, "10-a-film")


def revoke(page: Page) -> None:
    """A verifier takes the licence back, and has to say why."""
    page.reload()
    page.get_by_label("Why it is revoked").fill(REASON)
    shot(page, "11-revoke", small=False)
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".review")).to_contain_text("There is nothing to decide.")
    shot(page, "11-revoked", small=False)


def lose_the_film(page: Page, go: Callable[[str], None], way: str) -> None:
    """She answers the film that is still on her screen, and reads why it is hers no more; no other is given."""
    page.get_by_role("button", name="Effusion").click()
    main = page.get_by_role("main")
    expect(page.get_by_role("alert")).to_contain_text("This task was taken back")
    expect(page.get_by_role("alert")).to_contain_text(REASON)
    expect(page.get_by_role("heading", name="Chest films")).to_have_count(0)
    shot(page, "12-answer-refused")
    go("/work")
    expect(main).to_contain_text("A task of Chest films was taken back")
    expect(main).to_contain_text(REASON)
    shot(page, "12-desk")
    page.get_by_role("button", name="Take the next task").click()
    expect(page.get_by_role("alert")).to_contain_text("No open task suits you right now.")
    go(way)
    page.get_by_role("button", name="Take the next task").click()
    expect(page.get_by_role("alert")).to_contain_text("This job asks for a qualification that you do not hold.")
    shot(page, "12-films-closed-again")
    go("/me/credentials")
    expect(page.get_by_role("link", name="Medical licence")).to_be_visible()
    shot(page, "13-credentials")
    page.get_by_role("link", name="Medical licence").first.click()
    expect(main).to_contain_text(REASON)
    shot(page, "13-licence-revoked")


def prove_it_in_the_books(film: Job, vera: Verifier, otto: Verifier) -> None:
    """What the pages showed is what the rows say, and ``verify`` finds nothing."""
    rosa = User.objects.get(email=ADDRESS)
    licence = Credential.objects.get()
    assert (licence.state, licence.reason, licence.worker.user) == ("revoked", REASON, rosa)
    acts = [(step.act, step.actor) for step in licence.steps.order_by("pk")]
    looked = [f"user:{User.objects.get(email=one.email).pk}" for one in (vera, otto)]
    assert [actor for act, actor in acts if act == "approved"] == looked
    assert [act for act, _ in acts][-2:] == ["verified", "revoked"]
    assert set(EvidenceView.objects.values_list("viewer", flat=True)) >= set(looked)
    assert Authenticator.objects.filter(user=rosa, type="webauthn").count() == 1
    assert not Qualification.objects.filter(credential=licence, revoked_at__isnull=True).exists()
    lease = Assignment.objects.get(job=film)
    assert (lease.state, lease.reason) == ("expired", REASON)
    assert not Answer.objects.filter(assignment__job=film).exists()
    assert set(Task.objects.filter(job=film).values_list("state", flat=True)) == {"open"}
    assert AuditRow.objects.filter(actor=looked[0]).exists()
    said = io.StringIO()
    call_command("verify", stdout=said)
    assert "proofs hold" in said.getvalue().splitlines()[-1]


def a_verifier(name: str) -> Verifier:
    """Somebody with the role, a password, a proved address and an app."""
    user = build.a_user(name, password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    organising.give_platform_role(user, "verifier", given_by=None)
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    return Verifier(name, user.email, secret)


def a_licence() -> bytes:
    """A licence on one page."""
    lines = [
        (24, 96, 700, "State Medical Board"),
        (13, 96, 672, "Department of Professional Licensing"),
        (30, 96, 570, "Licence to practise medicine"),
        (15, 96, 520, "This is to certify that"),
        (22, 96, 486, "Rosa M. Ray"),
        (15, 96, 452, "is licensed as a physician, specialty diagnostic radiology."),
        (15, 96, 400, f"Licence number  {NUMBER}"),
        (15, 96, 376, "Expires  30 June 2099"),
    ]
    drawn = "".join(f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n" for size, x, y, text in lines)
    drawn += "2 w 60 60 492 700 re S 0.7 w 96 300 180 0 re S\n"
    return papers.pdf_of(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 820] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>",
        f"<< /Length {len(drawn)} >>",
        stream=drawn.encode(),
    )


def shot(page: Page, name: str, *, small: bool = True) -> None:
    """No page is wider than its window, wide or ``small``; with ``TOUCHSTONE_SHOTS`` set, pictures of it as well."""
    before = page.viewport_size or {"width": WIDE[0], "height": WIDE[1]}
    sizes = [("wide", (before["width"], before["height"]))] + ([("small", SMALL)] if small else [])
    for called, size in sizes:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert width(page) <= size[0], f"{name} is wider than {size[0]} pixels"
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(SHOTS) / f"{name}-{called}.png", full_page=True)
    page.set_viewport_size({"width": before["width"], "height": before["height"]})


def _goer(page: Page, url: str) -> Callable[[str], None]:
    def go(path: str) -> None:
        page.goto(url + path)

    return go


def _rows(payloads: list[dict[str, Any]]) -> list[Any]:
    rows = []
    for row, payload in zip(build.task_rows(len(payloads)), payloads, strict=True):
        content = canonical(payload).encode()
        digest = hashlib.sha256(content).digest()
        rows.append(dataclasses.replace(row, payload=payload, content=content, content_hash=digest))
    return rows


def _a_film(number: int) -> str:
    """Something like a chest on film, as a data URI."""
    film = Image.new("L", (480, 520), 26)
    draw = ImageDraw.Draw(film)
    draw.ellipse((40, 20, 440, 700), fill=150)
    for left in (90, 265):
        draw.ellipse((left, 80, left + 125, 430 - 40 * number), fill=48)
    draw.ellipse((190, 250, 340, 430), fill=170)
    for height in range(90, 430, 46):
        draw.arc((70, height - 60, 410, height + 60), 200, 340, fill=185, width=7)
    kept = io.BytesIO()
    film.filter(ImageFilter.GaussianBlur(6)).save(kept, "PNG")
    return "data:image/png;base64," + base64.b64encode(kept.getvalue()).decode()


def _unexpected(browser: Browser) -> list[str]:
    # A refusal is answered with its own status, which browsers put on record like a missing file.
    return [said for said in browser.complaints if "Failed to load resource" not in said]

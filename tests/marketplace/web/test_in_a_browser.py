"""The pages in a real browser: keys, refresh, and nothing to complain about in the console."""

import pytest
from django.test import Client
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from tasks.models import Answer, Assignment, Job
from tests import build
from tests.browser import NARROW, Browser, browsing, width


@pytest.fixture
def job(committed_db: str) -> Job:
    """Two tasks that Ada may answer."""
    made = build.a_live_job(name="Pets", slots=1)
    build.some_tasks(made, 2, slots=1)
    return made


def a_session() -> str:
    worker = build.a_worker("Ada")
    assert worker.user is not None
    client = Client()
    client.force_login(worker.user)
    return client.cookies["sessionid"].value


def test_a_worker_answers_by_keyboard_and_gets_the_next_task(committed_server: LiveServer, job: Job) -> None:
    session = a_session()
    with browsing(committed_server.url) as browser:
        page = browser.open("/work", session=session)
        page.get_by_role("button", name="Take the next task").click()
        first = page.locator("#task").get_attribute("data-assignment")
        page.keyboard.press("2")
        expect(page.locator("#task")).not_to_have_attribute("data-assignment", first or "")
        page.keyboard.press("1")
        expect(page.get_by_role("alert")).to_contain_text("No open task suits you right now.")
        complaints = _unexpected(browser)

    assert complaints == []
    assert [answer.label for answer in Answer.objects.order_by("submitted_at")] == [build.DOG, build.CAT]
    assert all(answer.seconds is not None and answer.seconds >= 0 for answer in Answer.objects.all())


def test_the_desk_works_without_javascript(committed_server: LiveServer, job: Job) -> None:
    session = a_session()
    with browsing(committed_server.url) as browser:
        page = browser.open("/work", session=session, javascript=False, size=NARROW)
        page.get_by_role("button", name="Take the next task").click()
        page.get_by_role("button", name="Dog").click()
        page.get_by_role("button", name="Return this task").click()
        expect(page.get_by_role("button", name="Take the next task")).to_be_visible()

    assert [answer.label for answer in Answer.objects.all()] == [build.DOG]
    assert set(Assignment.objects.values_list("state", flat=True)) == {"submitted", "returned"}


def test_the_line_refreshes_itself_until_it_is_paused(committed_server: LiveServer, job: Job) -> None:
    with browsing(committed_server.url) as browser:
        page = browser.open("/")
        with page.expect_response("**/line/now*", timeout=6_000) as told:
            pass
        assert told.value.ok
        expect(page.get_by_role("rowheader")).to_contain_text("Pets")
        page.get_by_role("button", name="Pause updates").click()
        expect(page.get_by_role("button", name="Resume updates")).to_have_attribute("aria-pressed", "true")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(4_500)

        assert asked == []
        assert browser.complaints == []


@pytest.mark.parametrize("path", ["/", "/work", "/work/welcome", "/accounts/login/", "/accounts/signup/", "/nowhere"])
def test_no_page_is_wider_than_a_small_telephone(committed_server: LiveServer, job: Job, path: str) -> None:
    session = a_session() if path == "/work" else ""
    with browsing(committed_server.url) as browser:
        page = browser.open(path, size=(360, 640), session=session)
        if path == "/work":
            page.get_by_role("button", name="Take the next task").click()
            expect(page.locator("#task")).to_be_visible()

        assert width(page) <= 360


def _unexpected(browser: Browser) -> list[str]:
    # A refusal is answered with its own status, which browsers put on record like a missing file.
    return [said for said in browser.complaints if "status of 404" not in said]

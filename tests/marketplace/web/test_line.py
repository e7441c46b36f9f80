"""The line page."""

import re
from dataclasses import replace

import pytest
from django.core.cache import cache
from django.test import Client
from redis.exceptions import RedisError

from accounts import organising
from accounts.ledger import queries as books
from accounts.ledger.models import BooksKind
from accounts.ledger.queries import TrialRow
from accounts.models import User
from marketplace import sweeps
from tasks import claiming, publishing, queries, submitting
from tasks.models import Job
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


def seen(client: Client, user: User | None = None) -> str:
    if user is not None:
        sign_in(client, user)
    response = client.get("/")
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def a_paid_job(name: str = "Cats") -> Job:
    job = build.a_live_job(name=name, budget_micros=10 * build.UNIT)
    build.some_tasks(job, 4, slots=1)
    worker = build.a_worker()
    lease = claiming.claim_tasks(worker.pk, job_id=job.pk)[0]
    submitting.submit_answer(worker.pk, submitting.Submission(lease.assignment_id, build.CAT))
    sweeps.step_all()
    return job


def test_an_empty_line_says_what_to_do(client: Client) -> None:
    page = words(seen(client))

    assert "Nothing is on the line yet" in page
    assert "make demo" in page
    assert "post a job through the API" in page


def test_everybody_sees_how_far_live_jobs_are_and_what_the_whole_line_spent(client: Client) -> None:
    a_paid_job()

    page = words(seen(client))

    assert "Cats" in page
    assert "1 of 4 tasks judged" in page
    assert "0.06 USD" in page  # the price and a fifth of it as fee
    assert "of 10.00 USD" in page
    assert "Balanced" in page


def test_a_stranger_sees_no_job_that_is_not_taking_answers(client: Client) -> None:
    job = a_paid_job("Secret cats")
    publishing.pause_job(job)

    assert "Secret cats" not in seen(client)


def test_members_see_their_own_jobs_money_in_every_state_and_not_that_of_others(client: Client) -> None:
    mine, other = a_paid_job("Mine"), a_paid_job("Others")
    publishing.pause_job(mine)
    reviewer, finance = build.a_user(), build.a_user()
    organising.add_member(mine.organisation, user=reviewer, role="reviewer")
    organising.add_member(mine.organisation, user=finance, role="finance")

    stranger = words(seen(client))
    cache.clear()
    by_finance = words(seen(client, finance))
    cache.clear()
    by_reviewer = words(seen(client, reviewer))

    assert "0.06 USD" not in stranger
    assert by_finance.count("0.06 USD / 10.00 USD") == by_finance.count("0.06 USD") == 1
    assert "Mine" in by_finance
    assert other.name in by_finance
    assert "Mine" in by_reviewer
    assert "0.06 USD" not in by_reviewer


def test_accuracy_on_gold_is_shown_only_to_those_who_may_read_the_gold(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_paid_job()
    state = queries.line_state()
    judged = replace(state, jobs=tuple(replace(each, accuracy_on_gold=0.875) for each in state.jobs))
    monkeypatch.setattr(queries, "line_state", lambda: judged)
    manager, finance = build.a_user(), build.a_user()
    organising.add_member(job.organisation, user=manager, role="manager")
    organising.add_member(job.organisation, user=finance, role="finance")

    assert "87.5 %" not in words(seen(client))
    assert "87.5 %" not in words(seen(client, finance))
    assert "87.5 %" in words(seen(client, manager))


def test_the_public_count_of_answers_moves_with_answers_to_gold_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A figure that stood still for gold alone would tell the worker which tasks are gold.
    a_paid_job()
    state = queries.line_state()
    with_gold = replace(state, jobs=tuple(replace(each, gold_answers=7) for each in state.jobs))
    monkeypatch.setattr(queries, "line_state", lambda: with_gold)

    assert "8 in all" in words(seen(client))


def test_a_specialist_job_is_marked(client: Client) -> None:
    domain = build.a_domain("medicine/radiology")
    build.a_live_job(name="Chests", domain=domain, requirements=((domain.pk, 2),))

    assert "specialists only" in words(seen(client))


def test_books_that_do_not_balance_are_said_to(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [TrialRow(BooksKind.BANK, "USD", 1, 5, 0), TrialRow(BooksKind.WALLET, "USD", 1, 0, 4)]
    monkeypatch.setattr(books, "trial_balance", lambda: broken)

    page = words(seen(client))

    assert "Not balanced" in page
    assert "The books do not balance." in page


def test_a_jobs_name_is_text_whatever_is_in_it(client: Client) -> None:
    build.a_live_job(name="<script>alert(1)</script>")

    page = seen(client)

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_refresh_is_a_fragment_that_speaks_once_a_minute(client: Client) -> None:
    first = client.get("/line/now", {"minute": "none"}).content.decode()
    minute = re.search(r'name="minute" value="([0-9:]+)"', first)
    assert minute is not None

    again = client.get("/line/now", {"minute": minute[1]}).content.decode()

    assert "<html" not in first
    assert "hx-swap-oob" in first
    assert "hx-swap-oob" not in again or minute[1] not in again  # a minute may end between the two


def test_the_line_is_counted_once_for_many_readers(client: Client, django_assert_num_queries: object) -> None:
    seen(client)

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        seen(client)


def test_without_a_cache_the_line_is_counted_each_time_and_still_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise RedisError

    monkeypatch.setattr(cache, "get", gone)

    assert "Nothing is on the line yet" in words(seen(client))


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_page_is_only_read(client: Client, method: str) -> None:
    assert getattr(client, method)("/").status_code == 405


def test_the_policy_lets_no_inline_code_and_no_inline_style_run(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy

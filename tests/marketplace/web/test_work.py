"""The desk: the same acts as the API's, through forms."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import AuditRow, Worker
from marketplace.api import ids, throttling
from marketplace.web.desks import LIST_LENGTH
from tasks import claiming, publishing
from tasks.models import Answer, Assignment, Job
from tests import build

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ada(client: Client) -> Worker:
    """A worker, signed in."""
    worker = build.a_worker("Ada")
    assert worker.user is not None
    client.force_login(worker.user)
    return worker


def a_job(tasks: int = 3, slots: int = 1, **job: Any) -> Job:
    made = build.a_live_job(slots=slots, **job)
    build.some_tasks(made, tasks, slots=slots)
    return made


def in_hand(page: str) -> str:
    found = re.search(r'data-assignment="(asg_[a-z2-7]+)"', page)
    assert found is not None, page
    return found[1]


def claim(client: Client, **form: str) -> str:
    return client.post("/work/claim", form, follow=True).content.decode()


def test_a_stranger_is_welcomed_and_shown_how_to_start(client: Client) -> None:
    page = client.get("/work", follow=True)

    assert page.redirect_chain == [("/work/welcome", 302)]
    assert "/accounts/signup/?next=/work/welcome" in page.content.decode()


def test_signing_up_here_makes_a_worker_by_one_click(client: Client) -> None:
    client.post(
        "/accounts/signup/?next=/work/welcome",
        {"email": "noor@example.org", "password1": "a-quiet-river-9", "password2": "a-quiet-river-9"},
    )
    code = next(line for line in mail.outbox[-1].body.splitlines() if re.fullmatch(r"[A-Z0-9-]{7,}", line))
    signed_up = client.post("/accounts/confirm-email/", {"code": code}, follow=True)
    assert signed_up.redirect_chain[-1][0] == "/work/welcome"
    assert 'value="noor"' in signed_up.content.decode()

    page = client.post("/work/join", {"name": "Noor"}, follow=True)

    assert page.redirect_chain == [("/work", 302)]
    worker = Worker.objects.get(user__email="noor@example.org")
    assert worker.name == "Noor"
    assert AuditRow.objects.filter(subject="accounts_worker", actor=f"user:{worker.user_id}").exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b", "a\nb"])
def test_a_name_that_cannot_be_shown_is_refused_in_place(client: Client, name: str) -> None:
    client.force_login(build.a_user())

    page = client.post("/work/join", {"name": name})

    assert page.status_code == 400
    assert "1 to 120 letters" in page.content.decode()
    assert not Worker.objects.exists()


def test_joining_twice_is_no_mistake(client: Client, ada: Worker) -> None:
    assert client.post("/work/join", {"name": "Ada"}).headers["Location"] == "/work"
    assert client.get("/work/welcome").headers["Location"] == "/work"
    assert Worker.objects.count() == 1


def test_looking_at_the_desk_takes_no_task(client: Client, ada: Worker) -> None:
    a_job()

    page = client.get("/work").content.decode()

    assert "Take the next task" in page
    assert not Assignment.objects.exists()


def test_a_claim_shows_task_guidelines_price_and_classes_and_reloading_claims_no_other(
    client: Client, ada: Worker
) -> None:
    a_job(name="Pets", guidelines="Look <b>closely</b>.")

    page = claim(client)
    again = client.get("/work").content.decode()
    client.post("/work/claim")

    assert "Pets" in page
    assert "Look &lt;b&gt;closely&lt;/b&gt;." in page
    assert "0.05 USD" in page
    assert re.findall(r'name="class" value="(\w+)"', page) == ["cat", "dog"]
    assert 'data-key="1"' in page
    assert in_hand(page) == in_hand(again)
    assert Assignment.objects.count() == 1


def test_an_answer_is_the_acts_answer_and_brings_the_next_task(client: Client, ada: Worker) -> None:
    a_job(tasks=2)
    first = in_hand(claim(client))

    page = client.post(
        "/work/submit", {"assignment": first, "class": "dog", "seconds": "3.25"}, headers=HTMX
    ).content.decode()

    answer = Answer.objects.get()
    assert (answer.label, answer.seconds, answer.worker_id) == ({"class": "dog"}, 3.25, ada.pk)
    assert answer.pk == ids.number("asg", first)
    assert in_hand(page) != first
    assert "0.05 USD" in page
    assert "<html" not in page


def test_without_htmx_an_answer_redirects_so_that_reloading_repeats_nothing(client: Client, ada: Worker) -> None:
    job = a_job(tasks=2)
    public = ids.public("job", job.pk)
    first = in_hand(claim(client, job=public))

    response = client.post("/work/submit", {"assignment": first, "class": "cat", "job": public})

    assert response.status_code == 302
    assert response.headers["Location"] == f"/work?job={public}"


def test_when_nothing_is_left_the_desk_says_so_kindly(client: Client, ada: Worker) -> None:
    a_job(tasks=1)
    first = in_hand(claim(client))

    page = client.post("/work/submit", {"assignment": first, "class": "cat"}, headers=HTMX)

    assert page.status_code == 404
    assert "No open task suits you right now." in page.content.decode()
    assert "Earned so far <b>0.05 USD</b>" in page.content.decode()
    assert Answer.objects.count() == 1


@pytest.mark.parametrize("seconds", ["", "nan", "inf", "-1", "a while", "1e99"])
def test_a_time_that_is_none_costs_nobody_their_answer(client: Client, ada: Worker, seconds: str) -> None:
    a_job()
    first = in_hand(claim(client))

    client.post("/work/submit", {"assignment": first, "class": "cat", "seconds": seconds})

    assert Answer.objects.get().seconds is None


def test_a_returned_task_goes_back_and_no_other_is_taken_unasked(client: Client, ada: Worker) -> None:
    a_job()
    first = in_hand(claim(client))

    page = client.post("/work/return", {"assignment": first}, headers=HTMX).content.decode()

    assert "Take the next task" in page
    assert [each.state for each in Assignment.objects.all()] == ["returned"]


def test_a_class_that_is_not_in_the_schema_is_refused_and_the_task_stays(client: Client, ada: Worker) -> None:
    a_job()
    first = in_hand(claim(client))

    page = client.post("/work/submit", {"assignment": first, "class": "horse"}, headers=HTMX)

    assert page.status_code == 422
    assert "The label does not fit the job&#x27;s schema." in page.content.decode()
    assert in_hand(page.content.decode()) == first
    assert not Answer.objects.exists()


def test_an_answer_after_the_lease_is_refused_in_words(client: Client, ada: Worker) -> None:
    a_job()
    [lease] = claiming.claim_tasks(ada.pk, at=timezone.now() - timedelta(days=1))
    first = ids.public("asg", lease.assignment_id)

    page = client.post("/work/submit", {"assignment": first, "class": "cat"}, headers=HTMX)

    assert page.status_code == 409
    assert "Your time on this task ran out" in page.content.decode()


def test_saying_something_else_the_second_time_is_refused(client: Client, ada: Worker) -> None:
    a_job()
    first = in_hand(claim(client))
    client.post("/work/submit", {"assignment": first, "class": "cat"})

    again = client.post("/work/submit", {"assignment": first, "class": "cat"}, headers=HTMX)
    other = client.post("/work/submit", {"assignment": first, "class": "dog"}, headers=HTMX)

    assert again.status_code == 200
    assert other.status_code == 409
    assert Answer.objects.get().label == build.CAT


@pytest.mark.parametrize("assignment", ["", "7", "asg_x", "asg_" + "a" * 26])
def test_an_assignment_that_is_none_is_refused(client: Client, ada: Worker, assignment: str) -> None:
    for act in ("submit", "return"):
        assert client.post(f"/work/{act}", {"assignment": assignment, "class": "cat"}, headers=HTMX).status_code == 404


def test_anothers_assignment_is_as_good_as_none(client: Client, ada: Worker) -> None:
    a_job()
    first = in_hand(claim(client))
    ben = build.a_worker("Ben")
    assert ben.user is not None
    client.force_login(ben.user)

    assert client.post("/work/submit", {"assignment": first, "class": "cat"}, headers=HTMX).status_code == 404
    client.post("/work/return", {"assignment": first}, headers=HTMX)
    assert Assignment.objects.get().state == "leased"
    assert first not in client.get("/work").content.decode()


def test_a_specialist_job_says_what_is_missing(client: Client, ada: Worker) -> None:
    domain = build.a_domain("law")
    job = a_job(domain=domain, requirements=((domain.pk, 2),))

    page = client.post("/work/claim", {"job": ids.public("job", job.pk)}, headers=HTMX)

    assert page.status_code == 403
    assert "a qualification that you do not hold" in page.content.decode()


def test_a_job_that_is_closed_to_answers_says_so(client: Client, ada: Worker) -> None:
    job = a_job(name="Hidden name")
    publishing.pause_job(job)

    page = client.get("/work", {"job": ids.public("job", job.pk)})

    assert page.status_code == 409
    assert "Hidden name" not in page.content.decode()


def test_a_paused_worker_is_told_and_may_come_back_from_here(client: Client, ada: Worker) -> None:
    a_job()
    people.pause_worker(ada)

    told = client.post("/work/claim", headers=HTMX)
    page = client.post("/work/resume", headers=HTMX).content.decode()

    assert told.status_code == 403
    assert "/work/resume" in told.content.decode()
    assert in_hand(page)


def test_a_long_list_of_classes_is_a_list_to_choose_from(client: Client, ada: Worker) -> None:
    a_job(label_definition=[f"class {n}" for n in range(LIST_LENGTH + 1)])

    page = claim(client)

    assert "<select" in page
    assert "data-key" not in page


def test_digits_answer_to_their_own_keys(client: Client, ada: Worker) -> None:
    a_job(label_definition=["0", "1", "2"])

    assert re.findall(r'value="(\d)" data-key="(\d)"', claim(client)) == [("0", "0"), ("1", "1"), ("2", "2")]


@pytest.mark.parametrize("act", ["claim", "submit", "return", "resume", "join"])
def test_no_act_happens_by_a_link_or_from_another_site(ada: Worker, act: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert ada.user is not None
    strict.force_login(ada.user)

    assert strict.get(f"/work/{act}").status_code == 405
    assert strict.post(f"/work/{act}").status_code == 403


def test_a_session_that_ended_leads_htmx_to_the_whole_welcome_page(client: Client) -> None:
    response = client.post("/work/claim", headers=HTMX)

    assert response.headers["HX-Redirect"] == "/work/welcome"


def test_pictures_of_tasks_may_come_from_any_https_address_and_from_nowhere_else(client: Client, ada: Worker) -> None:
    policy = client.get("/work")["Content-Security-Policy"]

    assert "img-src 'self' data: https:;" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_the_desk_is_under_the_same_limits_as_the_api(
    client: Client, ada: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setitem(throttling.PER_MINUTE, "write", 2)
    monkeypatch.setattr("time.time", lambda: 1_000_000_020.0)  # three requests in one minute, whatever the clock says

    statuses = [client.post("/work/claim", headers=HTMX).status_code for _ in range(3)]

    assert statuses == [404, 404, 429]


def test_nobody_keeps_the_desk_in_a_cache(client: Client, ada: Worker) -> None:
    assert "no-store" in client.get("/work")["Cache-Control"]

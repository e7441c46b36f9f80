"""The administration."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from marketplace import sweeps
from tasks import claiming, models, submitting
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db

WITHOUT_A_PAGE = {"WorkerBucket"}
"""Its key has two parts, which the admin cannot address; it is shown on the worker's route."""


def place(model: Any, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def fay(client: Client) -> User:
    """An administrator, signed in."""
    user = build.a_user("Fay", is_staff=True, is_superuser=True)
    sign_in(client, user)
    return user


@pytest.fixture
def job() -> models.Job:
    """A job with a judged task and a rejected import, so that most tables have a row."""
    domain = build.a_domain()
    worker = build.a_worker()
    build.a_qualification(worker, domain)
    made = build.a_live_job(domain=domain, requirements=((domain.pk, 1),), slots=1)
    build.some_tasks(made, 2, slots=1)
    lease = claiming.claim_tasks(worker.pk)[0]
    submitting.submit_answer(worker.pk, submitting.Submission(lease.assignment_id, build.CAT))
    sweeps.step_all()
    models.Release.objects.create(job=made, number=1)
    return models.Job.objects.get(pk=made.pk)


def test_every_table_of_the_line_has_its_pages() -> None:
    unregistered = {
        model.__name__ for model in apps.get_app_config("tasks").get_models() if not admin.site.is_registered(model)
    }

    assert unregistered == WITHOUT_A_PAGE


@pytest.mark.parametrize("search", ["", "1", "a name", "item-1", '"half'])
def test_every_list_opens_and_can_be_searched_with_anything(
    client: Client, fay: User, job: models.Job, search: str
) -> None:
    for model in apps.get_app_config("tasks").get_models():
        if model.__name__ not in WITHOUT_A_PAGE:
            assert client.get(place(model, "changelist"), {"q": search}).status_code == 200, model


def test_every_row_opens_and_none_can_be_written(client: Client, fay: User, job: models.Job) -> None:
    for model in apps.get_app_config("tasks").get_models():
        row = model._default_manager.first()
        if model.__name__ in WITHOUT_A_PAGE or row is None:
            continue
        page = place(model, "change", row.pk)
        assert client.get(page).status_code == 200, model
        assert client.post(page, {}).status_code == 403, model
        assert client.post(place(model, "delete", row.pk), {"post": "yes"}).status_code == 403, model
        assert client.post(place(model, "add"), {}).status_code == 403, model


def test_a_task_shows_what_was_seen_said_and_believed(client: Client, fay: User, job: models.Job) -> None:
    task = models.Task.objects.filter(state="resolved").get()

    page = client.get(place(models.Task, "change", task.pk)).content.decode()

    assert "item" in page
    assert "{&quot;class&quot;: &quot;cat&quot;}" in page
    assert re.search(r"\d+\.\d %", page)


def test_payloads_are_escaped_and_pictures_shown(client: Client, fay: User) -> None:
    made = build.a_live_job()
    [task] = build.some_tasks(made, 1)
    payload = models.Payload.objects.get(pk=task.pk)
    shown = admin.site.get_model_admin(models.Payload).content_shown(  # type: ignore[attr-defined]  # ours
        models.Payload(task=task, job=made, content={"text": "<b>x</b>", "image": "data:image/png;base64,AAAA"})
    )

    assert payload.content
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert '<img src="data:image/png;base64,AAAA"' in shown


def test_an_address_in_a_payload_is_not_followed_from_here() -> None:
    shown = admin.site.get_model_admin(models.Payload).content_shown(  # type: ignore[attr-defined]  # ours
        models.Payload(content={"image": "https://example.org/a.png"})
    )

    assert "<img" not in shown


def test_jobs_are_paused_resumed_and_closed_by_their_acts(client: Client, fay: User, job: models.Job) -> None:
    states = []
    for act in ("pause", "resume", "resume", "close"):
        told = client.post(
            place(models.Job, "changelist"), {"action": act, "_selected_action": [job.pk]}, follow=True
        ).content.decode()
        job.refresh_from_db()
        states.append((job.state, f"{job}: done" not in told))

    assert states == [("paused", False), ("live", False), ("live", True), ("closed", False)]


def test_staff_who_may_only_look_may_not_act(client: Client, job: models.Job) -> None:
    looker = build.a_user("Lou", is_staff=True)
    looker.user_permissions.set(
        models.Job._meta.apps.get_model("auth", "Permission").objects.filter(codename="view_job")
    )
    sign_in(client, looker)

    assert client.get(place(models.Job, "changelist")).status_code == 200
    client.post(place(models.Job, "changelist"), {"action": "pause", "_selected_action": [job.pk]})

    job.refresh_from_db()
    assert job.state == "live"


def test_the_first_page_shows_the_lines_key_figures(client: Client, fay: User, job: models.Job) -> None:
    cache.clear()

    page = client.get("/admin/").content.decode()

    assert "Tasks resolved" in page
    assert job.name in page
    assert "The books balance" in page
    assert place(models.Task, "changelist") in page


def test_the_admin_is_entered_by_the_sites_own_door(client: Client) -> None:
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/accounts/login/?next=%2Fadmin%2F"


def test_who_is_not_staff_is_not_let_in(client: Client) -> None:
    client.force_login(build.a_user())

    assert client.get("/admin/login/").status_code == 403


def test_only_the_admin_may_evaluate_and_style_inline(client: Client, fay: User) -> None:
    assert "'unsafe-eval'" in client.get("/admin/")["Content-Security-Policy"]
    assert "unsafe" not in client.get("/")["Content-Security-Policy"]

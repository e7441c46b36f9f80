"""Every no stands in one table, is told as a problem, and leads to an explanation."""

import inspect
import logging
import pkgutil
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from django import db
from django.urls import reverse

import accounts
import marketplace
import qualification
import tasks
from accounts.refusals import Refusal
from marketplace.api import jobs, problems
from tests import build
from tests.marketplace.api.client import Api

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference"


def _refusals() -> set[type[Refusal]]:
    found = set()
    for package in (accounts, qualification, tasks, marketplace):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" in module.name or module.name.endswith(("wsgi", "asgi")):
                continue
            for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
                if issubclass(kind, Refusal) and kind is not Refusal:
                    found.add(kind)
    return found


def test_every_refusal_has_its_row() -> None:
    missing = {kind.__qualname__ for kind in _refusals() if kind not in problems.PROBLEMS}
    assert missing == set()


def test_every_row_is_of_something_that_exists_and_no_slug_means_two_things() -> None:
    rows: dict[str, problems.Problem] = {}
    for problem in problems.PROBLEMS.values():
        assert rows.setdefault(problem.slug, problem) == problem
        assert 400 <= problem.status < 600


def test_every_problem_is_explained_in_the_reference() -> None:
    text = (DOCS / "problems.md").read_text()
    for problem in {*problems.PROBLEMS.values(), problems.INTERNAL}:
        assert f"| {problem.status} | `{problem.slug}` | {problem.title} |" in text, problem.slug


@pytest.mark.django_db
def test_a_problems_type_leads_to_its_page() -> None:
    stranger = Api()
    body = stranger.get("jobs").json()

    page = stranger.get(body["type"])

    assert page.status_code == 200
    assert b"Sign in or send a key" in page.content
    assert stranger.get("/problems/no-such").status_code == 404
    assert stranger.get(reverse("problems")).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (db.OperationalError("the connection is lost"), 503),
        (psycopg.errors.LockNotAvailable("lock timeout"), 503),
        (psycopg.errors.QueryCanceled("statement timeout"), 503),
        (psycopg.errors.DeadlockDetected("deadlock"), 503),
        (psycopg.errors.UniqueViolation("unique"), 409),
        (psycopg.errors.NumericValueOutOfRange("out of range"), 400),
    ],
)
def test_what_the_database_says_becomes_a_problem(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(jobs, "page", broken)
    response = Api(user=build.a_user()).get("jobs")

    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in response) == (status == 503)


@pytest.mark.django_db
def test_what_nobody_foresaw_is_a_500_problem_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(jobs, "page", broken)
    with caplog.at_level(logging.WARNING):
        response = Api(user=build.a_user()).get("jobs")

    assert response.status_code == 500
    assert response.json()["type"] == "/problems/internal-error"
    assert b"secret detail" not in response.content
    assert [record.name for record in caplog.records] == ["marketplace.api.problems"]

"""Fixtures that every test may use.

``@pytest.mark.django_db``   the test's writes are rolled back; the usual choice
``committed_db``             a database of the test's own, in which commits are real: for threads,
                             deferred triggers, locks, and anything that reads from a second connection
``owner_connection``,        plain psycopg connections to the current database as one role or the other
``app_connection``           (they see only what is committed)
``committed_server``         the site, served by a thread, on a database of the test's own
"""

import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core import mail
from hypothesis import HealthCheck, settings
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from tests import canaries
from tests.databases import TestServer, connect_as

SERVER = TestServer()

# How long a draw takes is the machine's business, and says nothing of what is tested.
settings.register_profile("touchstone", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("touchstone")


def pytest_configure() -> None:
    """Listen to every log line of the run."""
    logging.getLogger().addHandler(canaries.WATCH)


def pytest_unconfigure() -> None:
    """Leave the server; the last run to leave stops it."""
    SERVER.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse tests that would flush tables (the guards forbid TRUNCATE) or mix both kinds of database."""
    marker = item.get_closest_marker("django_db")
    names = set(getattr(item, "fixturenames", ()))
    flushes = marker is not None and (marker.kwargs.get("transaction") or marker.kwargs.get("reset_sequences"))
    if flushes or {"transactional_db", "live_server"} & names:
        pytest.fail("Use the fixture committed_db or committed_server; tables are never flushed here.", pytrace=False)
    if marker is not None and "committed_db" in names:
        pytest.fail("A test has either the mark django_db (rolled back) or the fixture committed_db.", pytrace=False)


@pytest.fixture(autouse=True)
def nothing_private_gets_out() -> Iterator[None]:
    """No test may log or mail what belongs to another tenant, what gold tells, what names a person, or a secret."""
    yield
    hits = canaries.WATCH.take() + canaries.in_mails(getattr(mail, "outbox", []))
    assert not hits, "\n".join(hits)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Replace pytest-django's: a copy of our template, migrated as owner, used as app."""
    with django_db_blocker.unblock(), SERVER.fresh_database():
        django_db_blocker.block()
        yield
        django_db_blocker.restore()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Its name: a database of this test's own, dropped afterwards, in which commits are real."""
    with django_db_blocker.unblock(), SERVER.fresh_database() as name:
        yield name


@pytest.fixture
def committed_server(committed_db: str) -> Iterator[LiveServer]:
    """The site on a free port (``.url``), over a database of this test's own."""
    server = LiveServer("localhost:0")
    yield server
    server.stop()


@pytest.fixture
def current_database(request: pytest.FixtureRequest, django_db_setup: None) -> None:
    """Make the test's own database first, where it wants one, whatever the order of its arguments."""
    if "committed_db" in request.fixturenames:
        request.getfixturevalue("committed_db")


@pytest.fixture
def owner_connection(current_database: None) -> Iterator[psycopg.Connection[Any]]:
    """A plain autocommit connection as touchstone_owner to the current database."""
    with connect_as("owner") as connection:
        yield connection


@pytest.fixture
def app_connection(current_database: None) -> Iterator[psycopg.Connection[Any]]:
    """A plain autocommit connection as touchstone_app to the current database."""
    with connect_as("app") as connection:
        yield connection

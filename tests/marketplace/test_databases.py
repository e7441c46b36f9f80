"""The databases that tests run on, and what each role may do there."""

import threading
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import override_settings

from accounts.models import User
from marketplace import databases
from tests.databases import connect_as


def count_users() -> int:
    return User.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize("again", [1, 2])
def test_a_rolled_back_test_leaves_nothing_to_the_next(again: int) -> None:
    assert count_users() == 0
    User.objects.create_user("someone@example.org")
    assert count_users() == 1


@pytest.mark.parametrize("again", [1, 2])
def test_a_committing_test_has_a_database_of_its_own_that_all_threads_see(committed_db: str, again: int) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append((connection.settings_dict["NAME"], count_users()))
        connection.close()

    assert count_users() == 0
    User.objects.create_user("someone@example.org")
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(committed_db, 1)]


def test_the_plain_connections_lead_to_the_current_database(
    owner_connection: psycopg.Connection[Any], committed_db: str, app_connection: psycopg.Connection[Any]
) -> None:
    who = "SELECT current_user, current_database()"
    assert owner_connection.execute(who).fetchone() == ("touchstone_owner", committed_db)
    assert app_connection.execute(who).fetchone() == ("touchstone_app", committed_db)


@pytest.mark.django_db
def test_django_connects_as_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("touchstone_app",)


FORBIDDEN = [
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "TRUNCATE accounts_user CASCADE",
    "ALTER TABLE accounts_user ADD COLUMN mine int",
    "DROP TABLE accounts_user",
    "ALTER TABLE accounts_user DISABLE TRIGGER ALL",
    "CREATE SCHEMA mine",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_app_role_may_not_change_the_schema(committed_db: str, statement: str) -> None:
    with connect_as("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        databases.run(app, [statement])


def test_the_app_role_cannot_become_the_owner(owner_connection: psycopg.Connection[Any]) -> None:
    row = owner_connection.execute("SELECT pg_has_role('touchstone_app', 'touchstone_owner', 'MEMBER')").fetchone()
    assert row == (False,)


def test_the_app_role_reads_and_writes_rows_of_tables_made_later(
    committed_db: str, owner_connection: psycopg.Connection[Any], app_connection: psycopg.Connection[Any]
) -> None:
    owner_connection.execute("CREATE TABLE later (id bigserial PRIMARY KEY, word text)")
    assert app_connection.execute("INSERT INTO later (word) VALUES ('a') RETURNING id").fetchone() == (1,)
    assert app_connection.execute("UPDATE later SET word = 'b'").rowcount == 1
    assert app_connection.execute("DELETE FROM later").rowcount == 1


def test_a_function_made_later_is_open_to_the_app_role_and_to_nobody_else(
    committed_db: str, owner_connection: psycopg.Connection[Any], app_connection: psycopg.Connection[Any]
) -> None:
    owner_connection.execute("CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert app_connection.execute("SELECT later()").fetchone() == (1,)
    owner_connection.execute("REVOKE EXECUTE ON FUNCTION later() FROM touchstone_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute("SELECT later()")


def test_the_app_role_waits_and_works_within_limits_and_the_owner_without(
    owner_connection: psycopg.Connection[Any], app_connection: psycopg.Connection[Any]
) -> None:
    limits = """SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
                       current_setting('idle_in_transaction_session_timeout')"""
    assert app_connection.execute(limits).fetchone() == ("2s", "10s", "15s")
    assert owner_connection.execute(limits).fetchone() == ("0", "0", "0")


@override_settings(DEBUG=False)
def test_a_server_for_commits_answers_over_http(committed_server: Any) -> None:
    assert committed_server.url.startswith("http://localhost:")

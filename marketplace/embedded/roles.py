"""The two database roles, and the statements that create them and a database for them.

``touchstone_owner`` owns the database and all in it, and runs migrations. ``touchstone_app`` is who
web and workers connect as: it owns nothing, so no bug in a request can change a table or take a
guard off one. The statements are plain text so that psql, psycopg and an operator can all run them.
"""

from urllib.parse import quote

OWNER = "touchstone_owner"
APP = "touchstone_app"

APP_SETTINGS = {"lock_timeout": "2s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}
"""No request may wait or work longer than this. The owner has no limits: a migration may need an hour."""


def role_statements() -> list[str]:
    """Create both roles where missing and (re)set what every connection of theirs starts with.

    The owner may create databases because a replay runs in a fresh one of its own.
    """
    create = "DO $$ BEGIN CREATE ROLE {} LOGIN{}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    settings = [f"ALTER ROLE {APP} SET {name} = '{value}'" for name, value in APP_SETTINGS.items()]
    return [create.format(OWNER, " CREATEDB"), create.format(APP, ""), *settings]


def database_statements(name: str) -> list[str]:
    """Create an empty database that belongs to the owner and that only our roles may enter.

    Run as a role that may create databases, outside a transaction.
    """
    return [
        f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {APP}",
    ]


def privilege_statements() -> list[str]:
    """What the app role may do with whatever the owner creates later; run inside the new database.

    Reading and writing rows, never TRUNCATE, never DDL. Migrations REVOKE more where a table is
    append-only. Functions lose their grant to PUBLIC, so that REVOKE ... FROM the app role is enough
    to close one.
    """
    later = f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER}"
    return [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {APP}",
        f"{later} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP}",
        f"{later} GRANT USAGE ON SEQUENCES TO {APP}",
        f"{later} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        f"{later} GRANT EXECUTE ON FUNCTIONS TO {APP}",
    ]


def acting_as(url: str, role: str) -> str:
    """The same database URL and log-in, but acting as one of our roles.

    For servers where our roles have no password: the log-in must be a member of them (or superuser).
    What a role starts its sessions with is only applied at its own log-in, so it is said again here.
    """
    begin = {"role": role, **(APP_SETTINGS if role == APP else {})}
    options = " ".join(f"-c {name}={value}" for name, value in begin.items())
    return f"{url}{'&' if '?' in url else '?'}options={quote(options)}"

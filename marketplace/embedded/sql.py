"""``python -m marketplace.embedded.sql NAME``: the SQL that makes roles and database on a server of one's own."""

import sys

from .roles import database_statements, privilege_statements, role_statements


def script(name: str) -> str:
    """What an operator runs once with psql, as a superuser."""
    before = [*role_statements(), *database_statements(name)]
    parts = [*(f"{statement};" for statement in before), f"\\connect {name}"]
    return "\n".join([*parts, *(f"{statement};" for statement in privilege_statements())])


if __name__ == "__main__":
    print(script(sys.argv[1] if len(sys.argv) > 1 else "touchstone"))

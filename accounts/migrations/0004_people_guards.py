"""Install the guards and functions of ``accounts/sql/`` that came with people; those that are replaced in place are loaded again."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "people.sql",
    "credentials.sql",
    "privacy.sql",
    "matching.sql",
    "impersonation.sql",
    "audit_people.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    # The audit watches the ledger too.
    dependencies = [("accounts", "0003_people"), ("ledger", "0002_guards")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

"""Install the guards and functions of this floor from ``accounts/sql/``. Locks only tables that are still empty."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "append_only.sql",
    "audit.sql",
    "person.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

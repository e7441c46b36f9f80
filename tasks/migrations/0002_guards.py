"""Install the guards and functions of this floor from ``tasks/sql/``. Locks only tables that are still empty."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "evidence.sql",
    "claim.sql",
    "submit.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    dependencies = [("tasks", "0001_initial"), ("qualification", "0002_guards")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

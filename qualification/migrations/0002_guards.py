"""Install the guards and functions of this floor from ``qualification/sql/``. Locks only tables that are still empty."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "evidence.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    dependencies = [("qualification", "0001_initial"), ("accounts", "0002_guards")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

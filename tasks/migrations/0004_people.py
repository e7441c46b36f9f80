"""Install the guards and functions of ``tasks/sql/`` that came with people; those that are replaced in place are loaded again."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "claim.sql",
    "submit.sql",
    "revoke.sql",
    "audit.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    dependencies = [("tasks", "0003_flags"), ("qualification", "0004_audit"), ("accounts", "0004_people_guards")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

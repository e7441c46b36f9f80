"""Install the guards and functions of ``qualification/sql/`` that came with people; those that are replaced in place are loaded again."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"
FILES = (
    "audit.sql",
)


class Migration(migrations.Migration):
    """Not reversible: books and answers are never kept without their guards."""

    dependencies = [("qualification", "0003_credentials"), ("accounts", "0004_people_guards")]
    operations = [migrations.RunSQL((SQL / name).read_text()) for name in FILES]

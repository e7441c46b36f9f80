"""The ledger's guards: keys, triggers, the posting functions and who may use them.

Takes an exclusive lock on the ledger's tables for a moment; run on empty tables. Not reversible: a
ledger without its guards is not a ledger.
"""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL((SQL / f"{name}.sql").read_text(encoding="utf-8"))
        for name in ("keys", "guards", "posting", "grants")
    ]

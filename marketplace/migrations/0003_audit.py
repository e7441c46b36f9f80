"""Install the audit of how people and programs sign in from ``marketplace/sql/``. Locks allauth's tables for a moment."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    """Not reversible: nobody's permissions change unseen."""

    dependencies = [
        ("marketplace", "0002_clients"),
        ("accounts", "0004_people_guards"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("allauth_idp_oidc", "0003_client_allow_uri_wildcards"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]
    operations = [migrations.RunSQL((SQL / "audit.sql").read_text())]

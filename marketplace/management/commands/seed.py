"""``manage.py seed``: what a new site cannot do without: domains, types of credentials, and a first administrator.

Safe to run at every start: what is there stays as it is, also where somebody changed it since.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from accounts import organising
from accounts.audit import acting
from accounts.models import CredentialType, PlatformRole, User
from qualification import crediting, gold
from qualification.models import Domain

ACTOR = "command:seed"
EMBEDDED_ADMIN = "admin@localhost"

DOMAINS = {
    "general": "General",
    "language": "Language",
    "language/sentiment": "Sentiment",
    "language/inference": "Textual inference",
    "language/translation": "Translation",
    "vision": "Vision",
    "vision/objects": "Objects in pictures",
    "vision/handwriting": "Handwriting",
    "search": "Search",
    "search/relevance": "Relevance of results",
    "medicine": "Medicine",
    "medicine/radiology": "Radiology",
    "medicine/pathology": "Pathology",
    "medicine/relations": "Relations in medical text",
    "biology": "Biology",
    "biology/species": "Species",
    "law": "Law",
    "law/contracts": "Contracts",
}
"""Path and name; each after the one above it."""

CREDENTIAL_TYPES = Path(__file__).parents[2] / "demo" / "credential_types.json"
"""What can be proved, and what each opens: ``types``, each a row of CredentialType with its rules under ``opens``."""


class Command(BaseCommand):
    """Adds what is missing and says what it added."""

    help = "Add the platform's domains, its credential types and the first administrator where they are missing."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """All of it, in one transaction."""
        with acting(ACTOR):
            added, types = _domains(), _credential_types()
            told = _administrator()
        if added:
            self.stdout.write(f"Added {added} domains.")
        if types:
            self.stdout.write(f"Added {types} types of credentials.")
        if told:
            self.stdout.write(told)


def _domains() -> int:
    """Add the missing ones; returns how many."""
    there = set(Domain.objects.filter(organisation__isnull=True).values_list("path", flat=True))
    missing = [path for path in DOMAINS if path not in there]
    for path in missing:
        gold.create_domain(path=path, name=DOMAINS[path])
    return len(missing)


def _credential_types() -> int:
    """Add the missing ones with what they open; returns how many. Rules of those that are there stay as they are."""
    there = set(CredentialType.objects.values_list("slug", flat=True))
    missing = [facts for facts in json.loads(CREDENTIAL_TYPES.read_text())["types"] if facts["slug"] not in there]
    for facts in missing:
        opens = facts.pop("opens")
        made = CredentialType.objects.create(**facts)
        for rule in opens:
            domain = Domain.objects.get(organisation__isnull=True, path=rule.pop("domain"))
            crediting.set_rule(made, domain, actor=ACTOR, **rule)
    return len(missing)


def _administrator() -> str:
    """Make the first administrator, where there is none and it is known who; returns what to tell, if anything.

    Raises CommandError when ``ADMIN_EMAIL`` names nobody who could sign in.
    """
    if User.objects.filter(is_superuser=True).exists():
        return ""
    email, password = settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"ADMIN_EMAIL is not an email address: {email!r}.") from error
        if len(password) < 10:
            raise CommandError("ADMIN_EMAIL needs an ADMIN_PASSWORD of at least 10 characters.")
        _make(email, password)
        return f"Made the administrator {email}."
    if not settings.EMBEDDED_DATABASE:
        return "There is no administrator: set ADMIN_EMAIL and ADMIN_PASSWORD and run seed again."
    password = secrets.token_urlsafe(12)
    _make(EMBEDDED_ADMIN, password)
    return f"Made the administrator {EMBEDDED_ADMIN} with the password {password} (it is shown this once)."


def _make(email: str, password: str) -> None:
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email).first() or User.objects.create_user(email, password)
        EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
        organising.give_platform_role(user, PlatformRole.Role.ADMIN)

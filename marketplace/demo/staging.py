"""The people of the demo and their money: made in the site's database before anything goes through the API.

The API makes no simulated workers, and no treasurer appears by himself; everything after this is the API's.
"""

from __future__ import annotations

import secrets
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from accounts import keys, opaque, organising, people
from accounts.audit import acting
from accounts.ledger import money
from accounts.ledger.depositing import deposit
from accounts.models import PlatformRole, User, Worker

ACTOR = "command:demo"
DEPOSIT = "1000.00"
CURRENCY = "USD"
ADMIN, TREASURER, REQUESTER, LABELER = "admin@localhost", "treasurer@localhost", "requester@localhost", "you@localhost"


def make_people(names: list[str]) -> dict[str, Any]:
    """An organisation with money and a key, simulated workers of these names with theirs, and who may sign in.

    Repeating finds the same users again, gives them new passwords and keys, and founds another organisation.
    """
    with acting(ACTOR):
        requester, requester_password = _somebody(REQUESTER, "Requester")
        organisation = organising.found_organisation(requester, name="Demo requester")
        scopes = keys.ORGANISATION_SCOPES
        _, secret = keys.issue_key(organisation=organisation, name="demo", scopes=scopes, created_by=requester)
        treasurer = User.objects.filter(email=TREASURER).first() or User.objects.create_user(
            TREASURER, name="Treasurer"
        )
        if not PlatformRole.objects.filter(user=treasurer, role=PlatformRole.Role.TREASURER).exists():
            organising.give_platform_role(treasurer, PlatformRole.Role.TREASURER)
        workers = [_simulated(number, name) for number, name in enumerate(names, start=1)]
        labeler, labeler_password = _somebody(LABELER, "You")
        if not Worker.objects.filter(user=labeler).exists():
            people.register_worker(labeler, name="You")
        _, admin_password = _somebody(ADMIN, "Administrator")
    amount = money.parse(DEPOSIT, CURRENCY)
    reference = f"demo {secrets.token_hex(8)}"
    deposit(organisation.pk, amount, provider_ref=reference, actor=f"user:{treasurer.pk}")
    return {
        "organisation": opaque.encode("org", organisation.pk, settings.PUBLIC_ID_KEY),
        "deposited": DEPOSIT,
        "key": secret,
        "workers": workers,
        "sign_in": {
            "worker": [LABELER, labeler_password],
            "requester": [REQUESTER, requester_password],
            "administrator": [ADMIN, admin_password],
        },
    }


def _somebody(email: str, name: str) -> tuple[User, str]:
    """A user who can sign in, and the password, which is told once."""
    password = secrets.token_urlsafe(9)
    with transaction.atomic():
        user = User.objects.filter(email=email).first() or User.objects.create_user(email, name=name)
        user.set_password(password)
        user.save(update_fields=["password"])
        EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return user, password


def _simulated(number: int, name: str) -> str:
    """A simulated worker, who cannot sign in; the secret of a key of theirs."""
    email = f"worker.{number:02}@simulated.example"
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, name=name)
    worker = Worker.objects.filter(user=user).first() or people.register_worker(user, name=name)
    Worker.objects.filter(pk=worker.pk).update(simulated=True)
    _, secret = keys.issue_key(worker=worker, name="demo", scopes=keys.WORKER_SCOPES, created_by=user)
    return secret

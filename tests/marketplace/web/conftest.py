"""Who the tests of pages are about: a worker with something to prove, a verifier, and what can be proved."""

import pytest
from django.test import Client

from accounts import organising
from accounts.models import CredentialType, User, Worker
from qualification import crediting
from tests import build


@pytest.fixture
def rosa(client: Client) -> Worker:
    """A worker, signed in with ``client``."""
    worker = build.a_worker("Rosa")
    assert worker.user is not None
    client.force_login(worker.user)
    return worker


@pytest.fixture
def vera() -> User:
    """A verifier, with the right to the administration that comes with it."""
    user = build.a_user("Vera")
    organising.give_platform_role(user, "verifier", given_by=None)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def licence() -> CredentialType:
    """A licence with a document and a question of its own; it opens a level in chests."""
    kind = build.a_credential_type(
        "licence",
        name="Medical licence",
        evidence_required=True,
        jurisdictions=["DE", "US"],
        fields=[{"name": "specialty", "title": "Specialty", "required": True}],
    )
    crediting.set_rule(kind, build.a_domain("medicine/chest"), level=3, actor="system")
    return kind

"""OAuth clients: programs that act for an organisation by tokens that live an hour (client credentials, RFC 6749 §4.4).

allauth's provider keeps clients and tokens, both as hashes, and hands tokens out; which organisation a client acts for
and who answers for it is kept beside. A token works as a key with the same scopes does, as long as its client stands:
not revoked, and whoever made it is active and still an owner. All of it is asked anew at each request, so that there is
nothing to be cleaned up for a no to hold.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Client, Token
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts import keys
from accounts.models import Membership, Organisation, User
from accounts.queries import moment
from marketplace.models import OrganisationClient

SECRET_BYTES = 32
TOKEN = re.compile(r"[A-Za-z0-9_-]{86}")
"""What allauth's tokens look like: 64 random bytes in base64."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A client whose token was shown, what it acts for, and what that token may do."""

    client_id: int
    organisation_id: int
    scopes: tuple[str, ...]


@transaction.atomic
def make_client(
    organisation: Organisation, *, name: str, scopes: Sequence[str], created_by: User
) -> tuple[OrganisationClient, str]:
    """Make a client that acts for the organisation; return it with its secret, which is not kept.

    Raises KeyScopeUnknown, KeyScopeMissing.
    """
    keys.check_scopes(scopes, keys.ORGANISATION_SCOPES)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    client = Client(name=name, type=Client.Type.CONFIDENTIAL)
    client.set_secret(secret)
    client.set_scopes(sorted(set(scopes)))
    client.set_default_scopes(sorted(set(scopes)))
    # No other grant, no page that asks for consent, no place to send anybody back to.
    client.set_grant_types([Client.GrantType.CLIENT_CREDENTIALS])
    client.set_response_types([])
    client.save()
    return OrganisationClient.objects.create(organisation=organisation, client=client, created_by=created_by), secret


@transaction.atomic
def revoke_client(client: OrganisationClient, *, at: datetime | None = None) -> OrganisationClient:
    """End a client and all its tokens; it can ask for no more. Revoking twice keeps the first time."""
    if OrganisationClient.objects.filter(pk=client.pk, revoked_at__isnull=True).update(revoked_at=moment(at)):
        Client.objects.filter(pk=client.client_id).update(grant_types="", scopes="", default_scopes="")
        Token.objects.filter(client_id=client.client_id).delete()
    client.refresh_from_db()
    return client


def shown_by(text: str) -> Shown | None:
    """The client whose access token this is; None: never handed out, run out, or its client no longer stands.

    What cannot be a token is turned away without a query.
    """
    if TOKEN.fullmatch(text) is None:
        return None
    owns = Membership.objects.filter(
        organisation_id=OuterRef("organisation_id"), user_id=OuterRef("created_by_id"), role=Membership.Role.OWNER
    )
    # One filter, so that all of it is about one and the same token.
    standing = OrganisationClient.objects.filter(
        Q(Exists(owns)),
        created_by__is_active=True,
        revoked_at__isnull=True,
        client__token__hash=get_adapter().hash_token(text),
        client__token__type=Token.Type.ACCESS_TOKEN,
        client__token__user__isnull=True,
        client__token__expires_at__gt=moment(None),
    )
    row = standing.values_list("pk", "organisation_id", "client__token__scopes").first()
    return None if row is None else Shown(row[0], row[1], tuple(row[2].split()))


def forget_tokens(*, limit: int, at: datetime | None = None) -> int:
    """Remove up to ``limit`` tokens that have run out; return how many."""
    over = Token.objects.filter(expires_at__lte=moment(at)).order_by("pk").values_list("pk", flat=True)[:limit]
    return int(Token.objects.filter(pk__in=list(over)).delete()[0])

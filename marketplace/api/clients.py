"""OAuth clients of an organisation: made by an owner, shown once, revoked at once."""

from collections.abc import Iterable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import clients
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Choice, Id, Nothing, Out, Strict, Text
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.policies import Principal
from marketplace.api.refusals import NotFound
from marketplace.models import OrganisationClient


class ClientIn(Strict):
    """A client, and what its tokens may do."""

    name = Text(most=80)
    scopes = serializers.ListField(child=Choice(policies.SCOPES_OF_ORGANISATIONS), min_length=1, max_length=20)


class ClientOut(Out):
    """A client; never its secret."""

    id = Id("cli")
    client_id = serializers.CharField(help_text="What it calls itself where it asks for a token.")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewClientOut(ClientOut):
    """A client just made, with its secret: shown this once and kept nowhere."""

    client_secret = serializers.CharField()


class ClientsView(Door):
    """The OAuth clients of an organisation."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = "secret"

    @extend_schema(**described("clients_list", "keys", query=PageQuery, out=pages_of(ClientOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """The organisation's OAuth clients, newest first."""
        found = organisation_for(self.principal, organisation, "members")
        rows = policies.clients_of(self.principal).filter(organisation=found)
        return Response(page(rows, self.asked, _shown))

    @extend_schema(**described("clients_make", "keys", body=ClientIn, out=NewClientOut, status=201))
    def post(self, request: Request, organisation: str) -> Response:
        """Make a client for the client-credentials grant at `/identity/o/api/token`.

        Its secret is in this answer and nowhere else.
        """
        found = organisation_for(self.principal, organisation, "members")
        user = policies.user_of(self.principal)
        said = self.body(ClientIn)
        with self.acting():
            client, secret = clients.make_client(found, created_by=user, **said)
        client.refresh_from_db()
        return shaped(NewClientOut, {**client_facts(client), "client_secret": secret}, status=201)


class ClientView(Door):
    """One OAuth client."""

    throttle_scope = "secret"

    @extend_schema(**described("clients_revoke", "keys", status=204))
    def delete(self, request: Request, client: str) -> Response:
        """Revoke a client; the next request by any of its tokens is refused."""
        found = client_for(self.principal, client)
        self.body(Nothing)
        with self.acting():
            clients.revoke_client(found)
        return Response(status=204)


def client_for(principal: Principal, text: str) -> OrganisationClient:
    """A client that this person may revoke. Raises NotFound, NotAllowed."""
    found = policies.clients_of(principal).filter(pk=ids.number("cli", text)).first()
    if found is None:
        raise NotFound
    principal.need_user()
    return found


def client_facts(client: OrganisationClient) -> dict[str, Any]:
    """A client as it is told."""
    return {
        "id": client.pk,
        "client_id": client.client_id,
        "name": client.client.name,
        "scopes": client.client.get_scopes(),
        "created_at": client.created_at,
        "revoked_at": client.revoked_at,
    }


def _shown(some: Iterable[OrganisationClient]) -> Any:
    return ClientOut([client_facts(client) for client in some], many=True).data

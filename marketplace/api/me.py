"""Who is asking."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.api import policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Id, Out
from marketplace.api.organisations import OrganisationOut


class MeOut(Out):
    """Whoever asks: a user, a key, or an OAuth client."""

    user = Id("usr", allow_null=True)
    email = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    key = Id("key", allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True, help_text="Of the key.")
    client = Id("cli", allow_null=True)
    worker = Id("wrk", allow_null=True)
    organisations = OrganisationOut(many=True)
    platform_roles = serializers.ListField(child=serializers.CharField())


class MeView(Door):
    """Who is asking."""

    @extend_schema(**described("me", "me", out=MeOut))
    def get(self, request: Request) -> Response:
        """Who you are to this API, and what you may do."""
        principal = self.principal
        user = None if principal.user_id is None else policies.user_of(principal)
        key = policies.key_of(principal)
        organisations = policies.organisations_of(principal).order_by("pk")
        facts = {
            "user": principal.user_id,
            "email": user and user.email,
            "name": user and user.name,
            "key": principal.key_id,
            "scopes": key and key.scopes,
            "client": principal.client_id,
            "worker": principal.worker_id,
            "organisations": [
                {
                    "id": one.pk,
                    "name": one.name,
                    "rights": sorted(principal.rights[one.pk]),
                    "created_at": one.created_at,
                }
                for one in organisations
            ],
            "platform_roles": sorted(principal.platform),
        }
        return shaped(MeOut, facts)

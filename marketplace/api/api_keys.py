"""API keys: issued by a person, shown once, revoked at once."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.models import ApiKey
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Choice, Id, Moment, Nothing, Out, Strict, Text
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound


class WorkerKeyIn(Strict):
    """A key for your worker."""

    name = Text(most=80)
    expires_at = Moment(required=False, allow_null=True)


class OrganisationKeyIn(WorkerKeyIn):
    """A key for an organisation, and what it may do."""

    scopes = serializers.ListField(child=Choice(policies.SCOPES_OF_ORGANISATIONS), min_length=1, max_length=20)


class KeyOut(Out):
    """A key; never its secret."""

    id = Id("key")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewKeyOut(KeyOut):
    """A key just issued, with its secret: shown this once and kept nowhere."""

    secret = serializers.CharField()


class OrganisationKeysView(Door):
    """The keys of an organisation."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = "secret"

    @extend_schema(**described("organisation_keys_list", "keys", query=PageQuery, out=pages_of(KeyOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """The organisation's keys, newest first."""
        found = organisation_for(self.principal, organisation, "members")
        rows = policies.keys_of(self.principal).filter(organisation=found)
        return Response(page(rows, self.asked, lambda some: KeyOut(some, many=True).data))

    @extend_schema(**described("organisation_keys_issue", "keys", body=OrganisationKeyIn, out=NewKeyOut, status=201))
    def post(self, request: Request, organisation: str) -> Response:
        """Issue a key for the organisation. Its secret is in this answer and nowhere else."""
        found = organisation_for(self.principal, organisation, "members")
        user = policies.user_of(self.principal)
        said = self.body(OrganisationKeyIn)
        with self.acting():
            key, secret = keys.issue_key(organisation=found, created_by=user, **said)
        return _issued(key, secret)


class WorkerKeysView(Door):
    """The keys of the caller's worker."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = "secret"

    @extend_schema(**described("worker_keys_list", "keys", query=PageQuery, out=pages_of(KeyOut)))
    def get(self, request: Request) -> Response:
        """Your worker's keys, newest first."""
        rows = policies.keys_of(self.principal).filter(worker_id=self.principal.need_worker())
        return Response(page(rows, self.asked, lambda some: KeyOut(some, many=True).data))

    @extend_schema(**described("worker_keys_issue", "keys", body=WorkerKeyIn, out=NewKeyOut, status=201))
    def post(self, request: Request) -> Response:
        """Issue a key that claims and answers for you. Its secret is in this answer and nowhere else."""
        user = policies.user_of(self.principal)
        worker = policies.worker_of(self.principal)
        said = self.body(WorkerKeyIn)
        with self.acting():
            key, secret = keys.issue_key(worker=worker, created_by=user, scopes=policies.SCOPES_OF_WORKERS, **said)
        return _issued(key, secret)


class KeyView(Door):
    """One key."""

    throttle_scope = "secret"

    @extend_schema(**described("keys_revoke", "keys", status=204))
    def delete(self, request: Request, key: str) -> Response:
        """Revoke a key; its next request is refused."""
        found = policies.keys_of(self.principal).filter(pk=ids.number("key", key)).first()
        if found is None:
            raise NotFound
        self.principal.need_user()
        self.body(Nothing)
        with self.acting():
            keys.revoke_key(found)
        return Response(status=204)


def _issued(key: ApiKey, secret: str) -> Response:
    key.refresh_from_db()
    names = ("name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    facts: dict[str, Any] = {"id": key.pk, "secret": secret, **{name: getattr(key, name) for name in names}}
    return shaped(NewKeyOut, facts, status=201)

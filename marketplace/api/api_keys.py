"""API keys: issued by a person, shown once, rotated with an overlap, revoked at once."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.ledger.money import Money
from accounts.models import ApiKey
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Amount, Choice, Currency, Id, Moment, Nothing, Out, Strict, Text, Whole
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.policies import Principal
from marketplace.api.refusals import NotFound

OVERLAP_SECONDS = 86_400


class WorkerKeyIn(Strict):
    """A key for your worker."""

    name = Text(most=80)
    expires_at = Moment(required=False, allow_null=True)
    addresses = serializers.ListField(
        child=Text(most=64), max_length=keys.ADDRESSES_MAX, required=False,
        help_text="IP addresses or networks such as 192.0.2.0/24 from which alone it works; none: from anywhere.",
    )  # fmt: skip


class OrganisationKeyIn(WorkerKeyIn):
    """A key for an organisation, and what it may do."""

    scopes = serializers.ListField(child=Choice(policies.SCOPES_OF_ORGANISATIONS), min_length=1, max_length=20)
    spend_cap = Amount(required=False, allow_null=True, help_text="The most that it may ever put behind jobs.")
    spend_currency = Currency(default="USD")


class RotateIn(Strict):
    """How long the old secret goes on working beside the new one."""

    overlap_seconds = Whole(least=0, most=int(keys.OVERLAP_MAX.total_seconds()), default=OVERLAP_SECONDS)


class KeyOut(Out):
    """A key; never its secret."""

    id = Id("key")
    name = serializers.CharField()
    handle = serializers.CharField(help_text="The first letters of its secret, after ts_.")
    scopes = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    spend_cap = Amount(allow_null=True)
    spend_currency = serializers.CharField(allow_null=True)
    spent = Amount(allow_null=True)
    replaces = Id("key", allow_null=True)
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
        return Response(page(rows, self.asked, _shown))

    @extend_schema(**described("organisation_keys_issue", "keys", body=OrganisationKeyIn, out=NewKeyOut, status=201))
    def post(self, request: Request, organisation: str) -> Response:
        """Issue a key for the organisation. Its secret is in this answer and nowhere else."""
        found = organisation_for(self.principal, organisation, "members")
        user = policies.user_of(self.principal)
        said = self.body(OrganisationKeyIn)
        with self.acting():
            key, secret = keys.issue_key(organisation=found, created_by=user, **with_cap(said))
        return _issued(key, secret)


class WorkerKeysView(Door):
    """The keys of the caller's worker."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = "secret"

    @extend_schema(**described("worker_keys_list", "keys", query=PageQuery, out=pages_of(KeyOut)))
    def get(self, request: Request) -> Response:
        """Your worker's keys, newest first."""
        rows = policies.keys_of(self.principal).filter(worker_id=self.principal.need_worker())
        return Response(page(rows, self.asked, _shown))

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
        found = key_for(self.principal, key)
        self.body(Nothing)
        with self.acting():
            keys.revoke_key(found)
        return Response(status=204)


class RotateView(Door):
    """Rotating a key."""

    throttle_scope = "secret"

    @extend_schema(**described("keys_rotate", "keys", body=RotateIn, out=NewKeyOut, status=201))
    def post(self, request: Request, key: str) -> Response:
        """Issue a new secret in the place of this key's, which goes on working for `overlap_seconds`.

        The new key may do the same, for as long as the old one was issued for; its secret is in this answer and nowhere
        else. Of one row of keys two work at most: one that this key had replaced itself ends now.
        """
        found = key_for(self.principal, key)
        said = self.body(RotateIn)
        overlap = timedelta(seconds=said["overlap_seconds"])
        with self.acting():
            new, secret = keys.rotate_key(found, overlap=overlap, rotated_by=policies.user_of(self.principal))
        return _issued(new, secret)


def key_for(principal: Principal, text: str) -> ApiKey:
    """A key that this person may rotate and revoke. Raises NotFound, NotAllowed."""
    found = policies.keys_of(principal).filter(pk=ids.number("key", text)).first()
    if found is None:
        raise NotFound
    principal.need_user()
    return found


def with_cap(said: dict[str, Any]) -> dict[str, Any]:
    """What was said of a key, its cap as money."""
    rest = {name: value for name, value in said.items() if name not in {"spend_cap", "spend_currency"}}
    cap = said.get("spend_cap")
    return {**rest, "spend_cap": None if cap is None else Money(cap, said["spend_currency"])}


def key_facts(key: ApiKey) -> dict[str, Any]:
    """A key as it is told: as `KeyOut` writes it, money as Money."""
    capped = key.spend_cap_micros is not None
    names = ("name", "handle", "scopes", "addresses", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {
        "id": key.pk,
        "replaces": key.replaces_id,
        "spend_cap": Money(key.spend_cap_micros or 0, key.spend_currency) if capped else None,
        "spent": Money(key.spent_micros, key.spend_currency) if capped else None,
        "spend_currency": key.spend_currency or None,
        **{name: getattr(key, name) for name in names},
    }


def _shown(some: Iterable[ApiKey]) -> Any:
    return KeyOut([key_facts(key) for key in some], many=True).data


def _issued(key: ApiKey, secret: str) -> Response:
    key.refresh_from_db()
    return shaped(NewKeyOut, {**key_facts(key), "secret": secret}, status=201)

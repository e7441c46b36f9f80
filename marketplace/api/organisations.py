"""Organisations, their members, and their money."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import organising
from accounts.ledger import drafts
from accounts.ledger import queries as books
from accounts.ledger.depositing import deposit
from accounts.ledger.money import Money
from accounts.models import Membership, Organisation
from accounts.refusals import Fault
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Amount, Choice, Currency, Id, Nothing, Out, Strict, Text
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import FieldsRefused, NotFound
from marketplace.api.wallets import StatementOut, StatementQuery, statement_facts


class OrganisationIn(Strict):
    """An organisation to found."""

    name = Text(most=120)


class OrganisationOut(Out):
    """An organisation."""

    id = Id("org")
    name = serializers.CharField()
    rights = serializers.ListField(child=serializers.CharField(), help_text="What you may do for it.")
    created_at = serializers.DateTimeField()


class RoleIn(Strict):
    """A role."""

    role = Choice(Membership.Role.choices)


class HeirIn(Strict):
    """The member who becomes an owner in your place."""

    member = Id("mem")


class MemberOut(Out):
    """A member."""

    id = Id("mem")
    name = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(Membership.Role.choices)
    created_at = serializers.DateTimeField()


class DepositIn(Strict):
    """Money that arrived outside, such as by bank transfer; ``reference`` names it once and for all."""

    amount = Amount()
    currency = Currency(default="USD")
    reference = Text(most=80)


class DepositOut(Out):
    """A deposit, and what the wallet holds after it."""

    transfer = Id("trf")
    organisation = Id("org")
    amount = Amount()
    currency = serializers.CharField()
    balance = Amount()


class OrganisationsView(Door):
    """The caller's organisations."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("organisations_list", "organisations", query=PageQuery, out=pages_of(OrganisationOut)))
    def get(self, request: Request) -> Response:
        """Organisations you belong to."""
        rows = policies.organisations_of(self.principal)
        return Response(
            page(rows, self.asked, lambda some: OrganisationOut([self._facts(one) for one in some], many=True).data)
        )

    @extend_schema(
        **described("organisations_found", "organisations", body=OrganisationIn, out=OrganisationOut, status=201)
    )
    def post(self, request: Request) -> Response:
        """Found an organisation; you become its owner."""
        user = policies.user_of(self.principal)
        said = self.body(OrganisationIn)
        with self.acting():
            organisation = organising.found_organisation(user, name=said["name"])
        rights = policies.RIGHTS_OF_ROLE[Membership.Role.OWNER.value]
        return shaped(OrganisationOut, _organisation(organisation, rights), status=201)

    def _facts(self, organisation: Organisation) -> dict[str, Any]:
        return _organisation(organisation, self.principal.rights[organisation.pk])


class OrganisationView(Door):
    """One organisation."""

    @extend_schema(**described("organisations_read", "organisations", out=OrganisationOut))
    def get(self, request: Request, organisation: str) -> Response:
        """An organisation of yours."""
        found = organisation_for(self.principal, organisation)
        return shaped(OrganisationOut, _organisation(found, self.principal.rights[found.pk]))


class MembersView(Door):
    """Members."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("members_list", "organisations", query=PageQuery, out=pages_of(MemberOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """Who belongs to the organisation."""
        found = organisation_for(self.principal, organisation, "members")
        rows = policies.members_of(self.principal).filter(organisation=found)
        return Response(page(rows, self.asked, lambda some: MemberOut([_member(one) for one in some], many=True).data))


class MemberView(Door):
    """One member."""

    @extend_schema(**described("members_change", "organisations", body=RoleIn, out=MemberOut))
    def patch(self, request: Request, organisation: str, member: str) -> Response:
        """Give a member another role."""
        found, membership = self._find(organisation, member)
        said = self.body(RoleIn)
        with self.acting():
            changed = organising.change_role(
                found, user=membership.user, role=said["role"], given_by=policies.user_of(self.principal)
            )
        return shaped(MemberOut, _member(changed))

    @extend_schema(**described("members_remove", "organisations", status=204))
    def delete(self, request: Request, organisation: str, member: str) -> Response:
        """End a membership, and the keys of the organisation that this person made."""
        found, membership = self._find(organisation, member)
        self.body(Nothing)
        with self.acting():
            organising.remove_member(found, user=membership.user, removed_by=policies.user_of(self.principal))
        return Response(status=204)

    def _find(self, organisation: str, member: str) -> tuple[Organisation, Membership]:
        found = organisation_for(self.principal, organisation, "members")
        self.principal.need_user()
        return found, member_for(self.principal, found, ids.number("mem", member))


class OwnershipView(Door):
    """Who owns an organisation."""

    @extend_schema(**described("ownership_transfer", "organisations", body=HeirIn, out=MemberOut))
    def post(self, request: Request, organisation: str) -> Response:
        """Make another member an owner in your place; you become a manager, and your keys for it stop working."""
        found = organisation_for(self.principal, organisation, "members")
        user = policies.user_of(self.principal)
        said = self.body(HeirIn)
        heir = member_for(self.principal, found, said["member"])
        with self.acting():
            changed = organising.transfer_ownership(found, owner=user, to=heir.user)
        return shaped(MemberOut, _member(changed))


class LeaveView(Door):
    """Leaving an organisation."""

    @extend_schema(**described("organisations_leave", "organisations", body=Nothing, status=204))
    def post(self, request: Request, organisation: str) -> Response:
        """End your own membership, and the organisation's keys that you made; the last owner stays."""
        found = organisation_for(self.principal, organisation)
        user = policies.user_of(self.principal)
        self.body(Nothing)
        with self.acting():
            organising.leave_organisation(found, user=user)
        return Response(status=204)


class WalletView(Door):
    """The wallet."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": StatementQuery}

    @extend_schema(**described("wallet_read", "money", query=StatementQuery, out=StatementOut))
    def get(self, request: Request, organisation: str) -> Response:
        """What the organisation has paid in and not yet put behind a job, and how it came together."""
        found = organisation_for(self.principal, organisation, "money:read")
        address = drafts.wallet(found.pk, self.asked.get("currency", "USD"))
        return shaped(StatementOut, statement_facts(address, self.asked))


class DepositsView(Door):
    """Deposits, as the treasurer notes them."""

    throttle_scope = "money"

    @extend_schema(**described("deposits_create", "money", body=DepositIn, out=DepositOut, status=201, once=True))
    def post(self, request: Request, organisation: str) -> HttpResponse:
        """Note money that arrived for an organisation. For the platform's treasurers; one reference counts once."""
        found = policies.any_organisation(self.principal, ids.number("org", organisation))
        if found is None:
            raise NotFound
        said = self.body(DepositIn)
        if said["amount"] <= 0:
            raise FieldsRefused(faults=[Fault("/amount", "must be more than nothing")])
        money = Money(said["amount"], said["currency"])

        def effect() -> tuple[int, Any]:
            transfer = deposit(
                found.pk, money, provider="manual", provider_ref=said["reference"], actor=self.principal.actor
            )
            return 201, DepositOut(_deposit(found.pk, transfer, money)).data

        return self.once("deposits", effect)


def organisation_for(principal: policies.Principal, text: str, right: str | None = None) -> Organisation:
    """The organisation of that public id, if the principal belongs to it. Raises NotFound or NotAllowed."""
    found = policies.organisations_of(principal).filter(pk=ids.number("org", text)).first()
    if found is None:
        raise NotFound
    if right is not None:
        principal.need(right, found.pk)
    return found


def member_for(principal: policies.Principal, organisation: Organisation, member_id: int) -> Membership:
    """A member of an organisation whose members they may see. Raises NotFound."""
    found = policies.members_of(principal).filter(organisation=organisation, pk=member_id).first()
    if found is None:
        raise NotFound
    return found


def _organisation(organisation: Organisation, rights: frozenset[str]) -> dict[str, Any]:
    return {
        "id": organisation.pk,
        "name": organisation.name,
        "rights": sorted(rights),
        "created_at": organisation.created_at,
    }


def _member(member: Membership) -> dict[str, Any]:
    return {
        "id": member.pk,
        "name": member.user.name,
        "email": member.user.email,
        "role": member.role,
        "created_at": member.created_at,
    }


def _deposit(organisation_id: int, transfer: int, money: Money) -> dict[str, Any]:
    wallet = drafts.wallet(organisation_id, money.currency)
    return {
        "transfer": transfer,
        "organisation": organisation_id,
        "amount": money,
        "currency": money.currency,
        "balance": books.balance(wallet),
    }

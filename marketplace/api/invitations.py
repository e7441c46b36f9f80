"""Invitations: sent by an owner, read in a mailbox, taken by whoever proves that it is theirs."""

import logging
from typing import Any, ClassVar

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import inviting
from accounts.models import Invitation, Membership, Organisation
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Choice, Id, Nothing, Out, Strict, Text
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.policies import Principal
from marketplace.api.refusals import MailNotSent, NotFound

log = logging.getLogger(__name__)


class InvitationIn(Strict):
    """Whom to invite, and as what."""

    email = Text(most=254)
    role = Choice(Membership.Role.choices)


class InvitationOut(Out):
    """An open invitation; never its token, which is in the mail alone."""

    id = Id("inv")
    email = serializers.CharField()
    role = serializers.ChoiceField(Membership.Role.choices)
    invited_by = serializers.CharField(help_text="The name of the owner who sent it.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class TokenIn(Strict):
    """The token of an invitation, as the link in the mail ends."""

    token = Text(most=inviting.TOKEN_MAX)


class JoinedOut(Out):
    """The membership that an invitation led to."""

    member = Id("mem")
    organisation = Id("org")
    name = serializers.CharField(help_text="Of the organisation.")
    role = serializers.ChoiceField(Membership.Role.choices)


class InvitationsView(Door):
    """The open invitations of an organisation."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = "secret"

    @extend_schema(**described("invitations_list", "organisations", query=PageQuery, out=pages_of(InvitationOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """Invitations that may still be accepted, newest first."""
        found = organisation_for(self.principal, organisation, "members")
        rows = inviting.pending_of(found)
        return Response(
            page(rows, self.asked, lambda some: InvitationOut([_invitation(one) for one in some], many=True).data)
        )

    @extend_schema(**described("invitations_send", "organisations", body=InvitationIn, out=InvitationOut, status=201))
    def post(self, request: Request, organisation: str) -> Response:
        """Invite somebody by mail, whether they have an account here or not; an earlier invitation to them ends."""
        found = organisation_for(self.principal, organisation, "members")
        self.principal.need_user()
        said = self.body(InvitationIn)
        invitation = invite(self.principal, found, email=said["email"], role=said["role"])
        return shaped(InvitationOut, _invitation(invitation), status=201)


class InvitationView(Door):
    """One invitation, to those who sent it."""

    @extend_schema(**described("invitations_withdraw", "organisations", status=204))
    def delete(self, request: Request, organisation: str, invitation: str) -> Response:
        """Take an invitation back; the link in the mail opens nothing any more."""
        found = organisation_for(self.principal, organisation, "members")
        self.principal.need_user()
        self.body(Nothing)
        sent = policies.invitations_of(self.principal).filter(organisation=found, pk=ids.number("inv", invitation))
        one = sent.first()
        if one is None:
            raise NotFound
        with self.acting():
            inviting.withdraw_invitation(one)
        return Response(status=204)


class AcceptView(Door):
    """Taking an invitation."""

    throttle_scope = "secret"

    @extend_schema(**described("invitations_accept", "organisations", body=TokenIn, out=JoinedOut, status=201))
    def post(self, request: Request) -> Response:
        """Join by the token from the mail; the address it was sent to must be yours, and verified."""
        user = policies.user_of(self.principal)
        said = self.body(TokenIn)
        with self.acting():
            member = inviting.accept_invitation(
                said["token"], user=user, addresses=policies.verified_addresses_of(self.principal)
            )
        facts = {
            "member": member.pk,
            "organisation": member.organisation_id,
            "name": member.organisation.name,
            "role": member.role,
        }
        return shaped(JoinedOut, facts, status=201)


def invite(principal: Principal, organisation: Organisation, *, email: str, role: str) -> Invitation:
    """Invite, and mail the token once that is committed; a mail that cannot be sent takes the invitation back.

    Raises what `inviting.invite_member` raises, and MailNotSent.
    """
    user = policies.user_of(principal)
    with principal.acting():
        invitation, token = inviting.invite_member(organisation, email=email, role=role, invited_by=user)
    try:
        _mail(invitation, token)
    except OSError as error:
        log.warning("the mail of invitation %s was not sent: %s", invitation.pk, type(error).__name__)
        with principal.acting():
            inviting.withdraw_invitation(invitation)
        raise MailNotSent from error
    return invitation


def _mail(invitation: Invitation, token: str) -> None:
    facts = {
        "organisation": invitation.organisation.name,
        "sender": str(invitation.invited_by),
        "role": invitation.get_role_display(),
        "email": invitation.email,
        "expires_at": invitation.expires_at,
        "link": settings.SITE_URL.rstrip("/") + reverse("invitation", args=[token]),
    }
    subject = " ".join(render_to_string("mail/invitation.subject.txt", facts).split())
    send_mail(subject, render_to_string("mail/invitation.txt", facts), None, [invitation.email])


def _invitation(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.pk,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": "" if invitation.invited_by is None else str(invitation.invited_by),
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }

"""Invitations: the offer of a role, mailed to an address, which whoever proves that the address is theirs takes once.

The token is random and signed, and known to nobody but the mailbox; only its SHA-256 is kept. An invitation is *open*
until it is accepted or withdrawn, until it expires, and only as long as whoever sent it is an owner: an owner who is
removed leaves no way back in. Inviting never looks whether the address has an account, so it cannot tell.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.core.validators import MaxLengthValidator, validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts import seats
from accounts.models import Invitation, Membership, Organisation, User
from accounts.queries import instant, moment
from accounts.refusals import Fault, Refusal

VALID_FOR = timedelta(days=7)
A_DAY_MAX = 50
"""Invitations one person may send in 24 hours, in all their organisations together: each is a mail to a stranger."""
TOKEN_BYTES = 24
TOKEN_MAX = 200
EMAIL_MAX = 254


class InvitationRefused(Refusal):
    """The invitation cannot be sent like this."""


class NoSuchInvitation(Refusal):
    """This invitation cannot be used: it is for another address, was used or taken back, or has expired."""


class InvitationEnded(Refusal):
    """This invitation was accepted or withdrawn before."""


class InviteeIsMember(Refusal):
    """This person belongs to the organisation already; change their role instead."""


class InviterNotOwner(Refusal):
    """Only an owner of the organisation can invite to it."""


class TooManyInvitations(Refusal):
    """You have sent as many invitations as may be sent in a day; try again tomorrow."""


@transaction.atomic
def invite_member(
    organisation: Organisation, *, email: str, role: str, invited_by: User, at: datetime | None = None
) -> tuple[Invitation, str]:
    """Offer ``role`` to whoever reads mail at ``email``, for a week; return the invitation and its token, which is not kept.

    An open invitation to the same address is withdrawn: this one takes its place.
    Raises InvitationRefused, InviterNotOwner, InviteeIsMember, TooManyInvitations.
    """
    address = _checked(email, role)
    # The person first, then the organisation: what one person sends is counted one by one.
    User.objects.select_for_update(no_key=True).get(pk=invited_by.pk)
    seats.hold_organisation(organisation.pk)
    now = instant(at)
    members = Membership.objects.filter(organisation=organisation)
    if not members.filter(user=invited_by, role=Membership.Role.OWNER).exists():
        raise InviterNotOwner
    if members.filter(user__email__iexact=address).exists():
        raise InviteeIsMember
    sent = Invitation.objects.filter(invited_by=invited_by, created_at__gt=now - timedelta(days=1)).count()
    if sent >= A_DAY_MAX:
        raise TooManyInvitations
    waiting = Invitation.objects.filter(accepted_at__isnull=True, withdrawn_at__isnull=True)
    waiting.filter(organisation=organisation, email__iexact=address).update(withdrawn_at=now)
    token = _signer().sign(secrets.token_urlsafe(TOKEN_BYTES))
    invitation = Invitation.objects.create(
        organisation=organisation,
        email=address,
        role=role,
        digest=_digest(token),
        invited_by=invited_by,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    return invitation, token


def read_invitation(token: str, *, addresses: Collection[str], at: datetime | None = None) -> Invitation:
    """The open invitation behind ``token``, to one of ``addresses``: those that the reader has proved to be theirs.

    Raises NoSuchInvitation, whatever is wrong.
    """
    found = _open(at).filter(digest=_digest_of(token), email__in=_lowered(addresses))
    invitation = found.select_related("organisation", "invited_by").first()
    if invitation is None:
        raise NoSuchInvitation
    return invitation


@transaction.atomic
def accept_invitation(token: str, *, user: User, addresses: Collection[str], at: datetime | None = None) -> Membership:
    """Take the role that ``token`` offers; ``addresses`` are those that ``user`` has proved to be theirs.

    Raises NoSuchInvitation, whatever is wrong with the invitation, and InviteeIsMember; of two at once, one gets it.
    """
    offered = read_invitation(token, addresses=addresses, at=at)
    # Read again under the lock that withdrawing and the removal of its sender take too.
    seats.hold_organisation(offered.organisation_id)
    invitation = read_invitation(token, addresses=addresses, at=at)
    member, new = Membership.objects.get_or_create(
        organisation=invitation.organisation, user=user, defaults={"role": invitation.role}
    )
    if not new:
        raise InviteeIsMember(role=member.role)
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=moment(at), accepted_by=user)
    return member


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, at: datetime | None = None) -> Invitation:
    """Take an invitation back; its token opens nothing from now on. Raises InvitationEnded."""
    seats.hold_organisation(invitation.organisation_id)
    waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True, withdrawn_at__isnull=True)
    if waiting.update(withdrawn_at=moment(at)) != 1:
        raise InvitationEnded
    invitation.refresh_from_db(fields=["withdrawn_at"])
    return invitation


def pending_of(organisation: Organisation, *, at: datetime | None = None) -> QuerySet[Invitation]:
    """The open invitations to an organisation."""
    return _open(at).filter(organisation=organisation).select_related("invited_by")


def _open(at: datetime | None) -> QuerySet[Invitation]:
    sender = Membership.objects.filter(
        organisation_id=OuterRef("organisation_id"),
        user_id=OuterRef("invited_by_id"),
        role=Membership.Role.OWNER,
        user__is_active=True,
    )
    return Invitation.objects.filter(
        Exists(sender), accepted_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=moment(at)
    )


def _checked(email: str, role: str) -> str:
    """The address as it is kept: in lower case, as users' addresses are. Raises InvitationRefused."""
    faults = []
    address = email.strip().lower()
    try:
        validate_email(address)
        MaxLengthValidator(EMAIL_MAX)(address)
    except ValidationError:
        faults.append(Fault("/email", "is not an address that mail can be sent to, such as ada@example.org"))
    if role not in Membership.Role.values:
        faults.append(Fault("/role", f"is none of: {', '.join(Membership.Role.values)}"))
    if faults:
        raise InvitationRefused(faults=faults)
    return address


def _lowered(addresses: Collection[str]) -> list[str]:
    return [address.lower() for address in addresses]


def _signer() -> Signer:
    return Signer(sep=".", salt="accounts.inviting")


def _digest_of(token: str) -> bytes:
    """The digest under which a token is kept. Raises NoSuchInvitation for what was never signed here, without a query."""
    if len(token) > TOKEN_MAX or not token.isascii():
        raise NoSuchInvitation
    try:
        _signer().unsign(token)
    except BadSignature:
        raise NoSuchInvitation from None
    return _digest(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

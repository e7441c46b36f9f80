"""Requesters, and who acts for them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Now

from accounts.models.users import User


class Organisation(models.Model):
    """A requester: posts jobs and pays for them."""

    name = models.CharField(max_length=120)
    # Keys the pseudonyms of this organisation's workers, so that two organisations can never join theirs.
    pseudonym_key = models.BinaryField(max_length=32, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a user may do for an organisation."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MANAGER = "manager"
        REVIEWER = "reviewer"
        FINANCE = "finance"

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="one_role_a_member"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "manager", "reviewer", "finance"]), name="member_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organisation}: {self.role}"


class Invitation(models.Model):
    """The offer of a role, sent to an address; whoever proves that the address is theirs may take it, once.

    Only a hash of the token is kept. Open: neither accepted nor withdrawn, and not past ``expires_at``.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=Membership.Role)
    digest = models.BinaryField(max_length=32, editable=False)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="one_invitation_a_token"),
            models.UniqueConstraint(
                "organisation",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="one_open_invitation_an_address",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "manager", "reviewer", "finance"]),
                name="invitation_role_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at__isnull=True) | models.Q(withdrawn_at__isnull=True),
                name="an_invitation_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}: {self.role}"

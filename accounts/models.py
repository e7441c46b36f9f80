"""Who signs in, who posts, who answers, and what was done in whose name.

====================  ==========================================================================
User                  someone who signs in (by email)
PlatformRole          a user's standing on the platform: admin, verifier, treasurer, support
Organisation          a requester: posts jobs and pays for them
Membership            a user's role in an organisation: owner, manager, reviewer, finance
Worker                a party that answers: a person, or a version of a model
ApiKey                a hashed secret that acts for one organisation or one worker, within scopes
AuditRow              one change to people, permissions or configuration; written by triggers
====================  ==========================================================================
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now


class UserManager(BaseUserManager["User"]):
    """Makes users by email; the name is what Django and allauth call."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Return a new user; without ``password`` the account cannot sign in by password."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Return a new user who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find by email whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """Someone who signs in."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_an_email")]

    def __str__(self) -> str:
        return self.name or self.email


class PlatformRole(models.Model):
    """A user's standing on the platform itself."""

    class Role(models.TextChoices):
        ADMIN = "admin"
        VERIFIER = "verifier"
        TREASURER = "treasurer"
        SUPPORT = "support"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="platform_roles")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role"], name="one_row_a_platform_role"),
            models.CheckConstraint(
                condition=models.Q(role__in=["admin", "verifier", "treasurer", "support"]),
                name="platform_role_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


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


class Worker(models.Model):
    """A party that answers.

    ``person_id`` is the worker's own id until accounts of one person are linked; every "one answer a person"
    rule is keyed by it. A model is a worker too: a version of it, unpaid and without a user.
    ``standing_epoch`` goes up whenever a qualification of this worker changes, so that claiming knows to look again.
    """

    class Kind(models.TextChoices):
        HUMAN = "human"
        MODEL = "model"

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        SUSPENDED = "suspended"

    user = models.OneToOneField(User, null=True, blank=True, on_delete=models.PROTECT, related_name="worker")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.HUMAN)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    person_id = models.BigIntegerField(null=True, editable=False, db_index=True)
    standing_epoch = models.IntegerField(default=0, editable=False)
    simulated = models.BooleanField(default=False, help_text="Made by a demonstration; nobody is behind it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["human", "model"]), name="worker_kind_is_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "paused", "suspended"]), name="worker_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="human") | models.Q(user__isnull=True), name="a_model_has_no_user"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A secret that acts for one organisation or one worker, within its scopes; only its hash is stored."""

    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    worker = models.ForeignKey(Worker, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="one_key_a_secret"),
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=True) ^ models.Q(worker__isnull=True),
                name="a_key_acts_for_one_party",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AuditRow(models.Model):
    """One change to people, permissions or configuration, written by a trigger in the same transaction.

    ``actor`` is who did it (``user:3``, ``key:9``, ``sweep:settle``, ``system``) as told by :func:`accounts.audit.acting`.
    """

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=80)
    impersonator = models.CharField(max_length=80, blank=True, db_default="")
    action = models.CharField(max_length=16)
    subject = models.CharField(max_length=64)
    subject_id = models.BigIntegerField()
    organisation_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation_id", "id"], name="audit_of_organisation"),
            models.Index(fields=["subject", "subject_id", "id"], name="audit_of_subject"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(action__in=["insert", "update", "delete"]), name="audit_action_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.subject} {self.subject_id}"

"""Parties that answer: who they are, what they agreed to, and where they are not wanted."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from accounts.models.organisations import Organisation
from accounts.models.users import User


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
        ERASED = "erased"

    user = models.OneToOneField(User, null=True, blank=True, on_delete=models.PROTECT, related_name="worker")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.HUMAN)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    state_reason = models.CharField(
        max_length=500, blank=True, default="", help_text="Of a suspension; the worker reads it."
    )
    person_id = models.BigIntegerField(null=True, editable=False, db_index=True)
    earlier_persons = ArrayField(
        models.BigIntegerField(),
        default=list,
        db_default=Value([], output_field=ArrayField(models.BigIntegerField())),
        editable=False,
        help_text="Other ids under which this person may have answered, before accounts were linked or parted.",
    )
    standing_epoch = models.IntegerField(default=0, editable=False)
    simulated = models.BooleanField(default=False, help_text="Made by a demonstration; nobody is behind it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["human", "model"]), name="worker_kind_is_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "paused", "suspended", "erased"]), name="worker_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="human") | models.Q(user__isnull=True), name="a_model_has_no_user"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Profile(models.Model):
    """What a worker says of themself; jobs may ask for it. Nothing here names the person."""

    class Education(models.TextChoices):
        NONE = "none", "No school completed"
        SCHOOL = "school", "School"
        VOCATIONAL = "vocational", "Vocational training"
        BACHELOR = "bachelor", "Bachelor"
        MASTER = "master", "Master"
        DOCTORATE = "doctorate", "Doctorate"

    class Device(models.TextChoices):
        COMPUTER = "computer", "Computer"
        TABLET = "tablet", "Tablet"
        PHONE = "phone", "Phone"

    worker = models.OneToOneField(Worker, primary_key=True, on_delete=models.CASCADE, related_name="profile")
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1, two letters.")
    time_zone = models.CharField(max_length=64, blank=True, help_text="IANA, such as Europe/Berlin.")
    education = models.CharField(max_length=12, choices=Education, blank=True)
    device = models.CharField(max_length=12, choices=Device, blank=True)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=r"^[A-Z]{2}$"), name="country_is_two_letters"
            ),
            models.CheckConstraint(
                condition=Q(education__in=["", "none", "school", "vocational", "bachelor", "master", "doctorate"]),
                name="education_is_known",
            ),
            models.CheckConstraint(condition=Q(device__in=["", "computer", "tablet", "phone"]), name="device_is_known"),
        ]

    def __str__(self) -> str:
        return f"profile of worker {self.worker_id}"


class SpokenLanguage(models.Model):
    """A language that a worker speaks, by level of the Common European Framework, or as their own."""

    class Level(models.TextChoices):
        A1 = "A1"
        A2 = "A2"
        B1 = "B1"
        B2 = "B2"
        C1 = "C1"
        C2 = "C2"
        NATIVE = "native"

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="languages")
    language = models.CharField(max_length=16, help_text="BCP 47, such as en or pt-BR.")
    level = models.CharField(max_length=8, choices=Level)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["worker", "language"], name="one_level_a_language"),
            models.CheckConstraint(
                condition=Q(level__in=["A1", "A2", "B1", "B2", "C1", "C2", "native"]), name="language_level_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.language} {self.level}"


class Terms(models.Model):
    """A text that a worker agrees to before they work: the platform's (no organisation), or an organisation's NDA.

    Never edited: a new version is a new row, and the newest of a kind and organisation is the one that counts.
    """

    class Kind(models.TextChoices):
        TERMS = "terms", "Terms of work"
        PRIVACY = "privacy", "Privacy notice"
        NDA = "nda", "Non-disclosure agreement"

    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="terms"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    text = models.TextField()
    published_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    published_at = models.DateTimeField(db_default=Now(), editable=False)
    current = models.BooleanField(
        default=True, editable=False, help_text="The newest of its kind, and still asked for."
    )

    class Meta:
        verbose_name_plural = "terms"
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "kind", "version"], name="one_text_a_version", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["organisation", "kind"],
                condition=Q(current=True),
                name="one_current_text_a_kind",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(kind__in=["terms", "privacy", "nda"]), name="terms_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"


class Consent(models.Model):
    """A worker agreed to a version of a text. Evidence: never changed, never removed."""

    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["worker", "terms"], name="one_consent_a_version")]

    def __str__(self) -> str:
        return f"worker {self.worker_id} agreed to {self.terms_id}"


class Block(models.Model):
    """A person is kept from claiming an organisation's jobs, or (no organisation) any job, until it ends.

    Keyed by person, so that a second account is no way around it. What was earned stays earned.
    """

    person_id = models.BigIntegerField(db_index=True)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="blocks"
    )
    reason = models.CharField(max_length=500, help_text="The worker reads it.")
    blocked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    starts_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until somebody lifts it.")
    lifted_at = models.DateTimeField(null=True)
    lifted_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="a_block_has_a_reason"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=models.F("starts_at")),
                name="a_block_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"block {self.pk} of person {self.person_id}"

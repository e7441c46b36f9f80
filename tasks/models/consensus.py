"""What the engine believes, and what was released.

Consensus: ``running`` while answers come in, ``final`` once the task is judged; a reopened task runs again.
Release: ``building -> sealed``; sealed releases and their files never change.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from tasks.models.links import Link


class Real(models.FloatField):  # type: ignore[type-arg]  # takes no arguments at run time
    """A four-byte float: a probability needs no more, and a million rows of them are half as long."""

    def db_type(self, connection: object) -> str:  # noqa: ARG002 - one database only
        """PostgreSQL's name for it."""
        return "real"


class Consensus(models.Model):
    """What is believed of one task. ``posterior`` exists for class kinds only, in the schema's order of classes.

    ``evidence`` is what the engine's online update keeps: one number a class (votes, or log-likelihoods).
    """

    class State(models.TextChoices):
        RUNNING = "running"
        FINAL = "final"

    task = models.OneToOneField("tasks.Task", primary_key=True, on_delete=models.PROTECT, related_name="consensus")
    job = Link("tasks.Job")
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    engine = models.CharField(max_length=24)
    evidence = ArrayField(Real(), null=True)
    posterior = ArrayField(Real(), null=True)
    label = models.JSONField(null=True)
    class_index = models.SmallIntegerField(null=True)
    confidence = Real(null=True)
    calibrated = models.BooleanField(default=False)
    answers = models.SmallIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["running", "final"]), name="consensus_state_is_known"),
            models.CheckConstraint(
                condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1.000001),
                name="confidence_is_a_probability",
            ),
            models.CheckConstraint(condition=Q(answers__gte=0), name="consensus_answers_are_not_negative"),
        ]
        verbose_name_plural = "consensus"

    def __str__(self) -> str:
        return f"consensus of task {self.task_id}"


class Release(models.Model):
    """A frozen, hashed, versioned dataset."""

    class State(models.TextChoices):
        BUILDING = "building"
        SEALED = "sealed"

    job = models.ForeignKey("tasks.Job", on_delete=models.PROTECT, related_name="releases")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    manifest = models.JSONField(null=True)
    content_hash = models.CharField(max_length=64, default="", blank=True)
    tasks_count = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=80, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sealed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="one_release_a_number"),
            models.CheckConstraint(condition=Q(state__in=["building", "sealed"]), name="release_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="building", sealed_at__isnull=True)
                | Q(state="sealed", sealed_at__isnull=False, manifest__isnull=False) & ~Q(content_hash=""),
                name="a_sealed_release_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"release {self.number} of job {self.job_id}"


class ReleaseFile(models.Model):
    """One file of a release, byte for byte."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=80)
    media_type = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["release", "name"], name="one_release_file_a_name"),
            models.CheckConstraint(
                condition=Q(size=Func(F("content"), function="octet_length", output_field=models.BigIntegerField())),
                name="a_release_file_has_its_size",
            ),
        ]

    def __str__(self) -> str:
        return self.name

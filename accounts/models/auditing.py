"""What was done in whose name."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from accounts.models.users import User


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
            models.Index(fields=["actor", "id"], name="audit_of_actor"),
            BrinIndex(fields=["at"], name="audit_by_time"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(action__in=["insert", "update", "delete"]), name="audit_action_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.subject} {self.subject_id}"


class Impersonation(models.Model):
    """A time in which support looked through a user's eyes: read-only, at most 15 minutes, with a reason."""

    supporter = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    target = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500)
    started_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="an_impersonation_has_a_reason"),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("started_at"))
                & models.Q(ends_at__lte=models.F("started_at") + timedelta(minutes=15)),
                name="an_impersonation_lasts_15_minutes_at_most",
            ),
        ]

    def __str__(self) -> str:
        return f"impersonation {self.pk}"

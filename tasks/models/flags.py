"""Doubts about answers that are in: shown to whoever reviews and releases, and never a reason by themselves not to pay."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tasks.models.assignments import Assignment
from tasks.models.links import Link


class AnswerFlag(models.Model):
    """A doubt about one answer: what its worker held when it was given was revoked afterwards.

    ``note`` is the reason of the revocation, for staff: it may tell of a credential, and requesters see none.
    """

    class Kind(models.TextChoices):
        CREDENTIAL_REVOKED = "credential_revoked"
        QUALIFICATION_REVOKED = "qualification_revoked"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="flags")
    job = Link("tasks.Job")
    kind = models.CharField(max_length=24, choices=Kind)
    credential_id = models.BigIntegerField(null=True)
    note = models.CharField(max_length=1000, blank=True, default="")
    flagged_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment", "kind", "credential_id"], name="a_doubt_is_raised_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["credential_revoked", "qualification_revoked"]), name="flag_kind_is_known"
            ),
        ]
        indexes = [models.Index(fields=["job", "id"], name="flags_of_job")]

    def __str__(self) -> str:
        return f"{self.kind} on assignment {self.assignment_id}"

"""Assignments and answers.

Assignment: ``leased -> submitted -> accepted | set_aside | rejected``; ``accepted`` and ``set_aside`` are paid and
become ``settled``. A lease that ends without an answer is ``returned`` (given back) or ``expired``; one that was taken
back because what it rested on was revoked is ``expired`` with a ``reason``.
Each lease is a row of its own, so the row's id is its fencing token: a late submit finds its row expired.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from tasks.models.links import Link


class Assignment(models.Model):
    """One worker's hold on one task, with everything that was decided when it was given."""

    class State(models.TextChoices):
        LEASED = "leased"
        SUBMITTED = "submitted"
        ACCEPTED = "accepted"
        SET_ASIDE = "set_aside"
        REJECTED = "rejected"
        SETTLED = "settled"
        RETURNED = "returned"
        EXPIRED = "expired"

    class Purpose(models.TextChoices):
        LABEL = "label"
        EXPERT = "expert"
        REVIEW = "review"
        RULING = "ruling"
        CALIBRATION = "calibration"

    job = Link("tasks.Job")
    task = models.ForeignKey("tasks.Task", on_delete=models.PROTECT, related_name="+", db_index=False)
    worker = Link("accounts.Worker")
    person_id = models.BigIntegerField()
    round = models.SmallIntegerField(default=0)
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.LABEL)
    state = models.CharField(max_length=12, choices=State, default=State.LEASED)
    price_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    grant = models.ForeignKey(
        "qualification.Qualification", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    schema = Link("tasks.LabelSchema")
    guidelines = Link("tasks.Guidelines")
    eligibility = Link("tasks.Eligibility")
    leased_at = models.DateTimeField()
    lease_ends_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    review_ends_at = models.DateTimeField(null=True)
    graded_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="Settled, rejected, returned or expired.")
    used = models.BooleanField(db_default=True, help_text="False once set aside or rejected: left out of consensus.")
    reviewed_by = models.CharField(max_length=80, db_default="", blank=True)
    reason = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "task", "round", "person_id"],
                condition=~Q(state__in=["returned", "expired"]),
                name="one_answer_a_person",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "leased",
                        "submitted",
                        "accepted",
                        "set_aside",
                        "rejected",
                        "settled",
                        "returned",
                        "expired",
                    ]
                ),
                name="assignment_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(purpose__in=["label", "expert", "review", "ruling", "calibration"]),
                name="assignment_purpose_is_known",
            ),
            models.CheckConstraint(condition=Q(lease_ends_at__gt=F("leased_at")), name="a_lease_ends_after_it_starts"),
            models.CheckConstraint(
                condition=Q(state__in=["leased", "returned", "expired"]) ^ Q(submitted_at__isnull=False),
                name="an_answered_assignment_says_when",
            ),
            models.CheckConstraint(
                condition=Q(price_micros__gte=0, fee_micros__gte=0), name="assignment_price_is_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["set_aside", "rejected"]) | Q(used=False), name="what_is_set_aside_is_not_used"
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="a_rejection_has_a_reason"),
        ]
        indexes = [
            models.Index(fields=["lease_ends_at"], condition=Q(state="leased"), name="leases_by_end"),
            models.Index(fields=["worker"], condition=Q(state="leased"), name="leases_of_worker"),
            models.Index(fields=["review_ends_at"], condition=Q(state="submitted"), name="answers_to_accept"),
            models.Index(fields=["id"], condition=Q(state__in=["accepted", "set_aside"]), name="answers_to_pay"),
            models.Index(
                fields=["id"],
                condition=Q(purpose="calibration", graded_at__isnull=True, submitted_at__isnull=False),
                name="gold_to_grade",
            ),
            models.Index(fields=["worker", "job", "id"], name="assignments_of_worker"),
            models.Index(
                fields=["worker", "ended_at"], condition=Q(state="expired") & ~Q(reason=""), name="leases_taken_back"
            ),
        ]

    def __str__(self) -> str:
        return f"assignment {self.pk}: {self.state}"


class Answer(models.Model):
    """What the worker submitted. Its key is its assignment's: one answer an assignment, by construction."""

    assignment = models.OneToOneField(Assignment, primary_key=True, on_delete=models.PROTECT, related_name="answer")
    job = Link("tasks.Job")
    task = Link("tasks.Task")
    worker = Link("accounts.Worker")
    round = models.SmallIntegerField(default=0)
    label = models.JSONField()
    class_index = models.SmallIntegerField(null=True)
    schema = Link("tasks.LabelSchema")
    guidelines = Link("tasks.Guidelines")
    seconds = models.FloatField(null=True, help_text="Active time, as the page measured it.")
    submitted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(seconds__isnull=True) | Q(seconds__gte=0), name="answer_seconds_are_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["job", "task"], name="answers_of_task"),
            BrinIndex(fields=["submitted_at"], name="answers_by_time"),
        ]

    def __str__(self) -> str:
        return f"answer {self.pk}"

"""What two accounts have in common, and whether they are one person."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models.users import User
from accounts.models.workers import Worker


class Signal(models.Model):
    """Something seen of a worker that another account may share. Only a keyed hash of it is kept."""

    class Kind(models.TextChoices):
        PAYOUT = "payout", "Payout target"
        DOCUMENT = "document", "Document or credential number"
        DEVICE = "device", "Device"
        ADDRESS = "address", "Address block"

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    digest = models.BinaryField(max_length=32, editable=False)
    seen_at = models.DateTimeField(db_default=Now())
    compared_at = models.DateTimeField(null=True, editable=False, help_text="Empty: to be compared with others'.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["worker", "kind", "digest"], name="a_signal_is_noted_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["payout", "document", "device", "address"]), name="signal_kind_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "digest"], name="signals_by_digest"),
            models.Index(fields=["id"], condition=Q(compared_at__isnull=True), name="signals_to_compare"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of worker {self.worker_id}"


class LinkCase(models.Model):
    """The question whether two workers are one person: ``open -> linked | apart``, ``linked -> apart`` when undone.

    Linking only means one answer a task from both together. It stops nobody's work and touches nobody's pay.
    """

    class State(models.TextChoices):
        OPEN = "open"
        LINKED = "linked"
        APART = "apart"

    first = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    score = models.FloatField(help_text="Weight of what they share, 0 to 1.")
    kinds = models.JSONField(default=list, help_text="Which kinds of signal they share, and how many of each.")
    opened_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="one_case_a_pair"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="a_pair_is_named_in_order"),
            models.CheckConstraint(condition=Q(state__in=["open", "linked", "apart"]), name="link_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"workers {self.first_id} and {self.second_id}: {self.state}"

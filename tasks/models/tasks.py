"""Batches, buckets, tasks and their payloads.

Batch: ``importing -> ready``; a batch that fails leaves no tasks and says which rows were wrong (``refused``).

Task: ``open -> waiting`` (the answers asked for are in) ``-> resolved | contested``; judging may send it from
``waiting`` back to ``open`` for one more answer, and a later ruling or a withdrawn answer reopens it.
``cancelled``: its job was closed before it had an answer.
``waiting_for`` says who is to answer next: crowd, expert or review.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from tasks.models.links import Link


class Batch(models.Model):
    """A lot of tasks added to a job together, all or none."""

    class State(models.TextChoices):
        IMPORTING = "importing"
        READY = "ready"
        REFUSED = "refused"

    job = models.ForeignKey("tasks.Job", on_delete=models.PROTECT, related_name="batches")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120, blank=True)
    priority = models.SmallIntegerField(default=5, help_text="0 last to 9 first.")
    deadline = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.IMPORTING)
    rows_read = models.PositiveIntegerField(default=0)
    tasks_added = models.PositiveIntegerField(default=0)
    faults = models.JSONField(default=list, help_text="The first wrong rows, when the batch was refused.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="one_batch_a_number"),
            models.CheckConstraint(
                condition=Q(state__in=["importing", "ready", "refused"]), name="batch_state_is_known"
            ),
            models.CheckConstraint(condition=Q(priority__range=(0, 9)), name="batch_priority_in_band"),
        ]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return self.name or f"batch {self.number}"


class Bucket(models.Model):
    """Tasks that are alike to the router: one job, domain, difficulty, priority and kind of answer awaited.

    Hidden gold stands in its own buckets, so that the rate at which it is handed out is ours to set.
    """

    job = models.ForeignKey("tasks.Job", on_delete=models.PROTECT, related_name="buckets")
    domain = models.ForeignKey("qualification.Domain", on_delete=models.PROTECT, related_name="+")
    difficulty = models.SmallIntegerField()
    priority = models.SmallIntegerField()
    waiting_for = models.CharField(max_length=8, default="crowd")
    gold = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "domain", "difficulty", "priority", "waiting_for", "gold"], name="one_bucket_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(waiting_for__in=["crowd", "expert", "review"]), name="bucket_waits_for_someone_known"
            ),
            models.CheckConstraint(condition=Q(difficulty__range=(1, 5)), name="bucket_difficulty_in_band"),
        ]

    def __str__(self) -> str:
        return f"bucket {self.pk} of job {self.job_id}"


class Task(models.Model):
    """One item to be labeled, and its state. A gold task is a task whose ``gold_item`` is set; its slots are the
    item's exposure cap, and it is left out of consensus and release.

    Slots: ``leased_count + answer_count <= slots_needed`` at every commit; ``is_open`` is computed by the database
    from that and from the state, so that the queue's index can never disagree with the counters.
    ``queue_key`` is random: the order inside a bucket, walked from each worker's own start.
    """

    class State(models.TextChoices):
        OPEN = "open"
        WAITING = "waiting"
        RESOLVED = "resolved"
        CONTESTED = "contested"
        CANCELLED = "cancelled"

    class WaitingFor(models.TextChoices):
        CROWD = "crowd"
        EXPERT = "expert"
        REVIEW = "review"

    job = Link("tasks.Job")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+")
    bucket = models.ForeignKey(Bucket, on_delete=models.PROTECT, related_name="+", db_index=False)
    external_ref = models.CharField(max_length=200, null=True)  # noqa: DJ001 - absent is not the empty name
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    waiting_for = models.CharField(max_length=8, choices=WaitingFor, default=WaitingFor.CROWD)
    round = models.SmallIntegerField(default=0)
    stage = models.SmallIntegerField(default=0)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    stratum = models.CharField(max_length=64, default="")
    gold_item = models.ForeignKey("qualification.GoldItem", null=True, on_delete=models.PROTECT, related_name="+")
    price_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    slots_needed = models.SmallIntegerField()
    leased_count = models.SmallIntegerField(default=0)
    answer_count = models.SmallIntegerField(default=0)
    is_open = models.GeneratedField(
        expression=models.ExpressionWrapper(
            Q(state="open") & Q(slots_needed__gt=F("leased_count") + F("answer_count")),
            output_field=models.BooleanField(),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    queue_key = models.IntegerField()
    contested_reason = models.CharField(max_length=24, default="", blank=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    judged_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "external_ref"],
                condition=Q(external_ref__isnull=False),
                name="one_task_an_external_ref",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "waiting", "resolved", "contested", "cancelled"]),
                name="task_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(waiting_for__in=["crowd", "expert", "review"]), name="task_waits_for_someone_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    leased_count__gte=0, answer_count__gte=0, slots_needed__gte=F("leased_count") + F("answer_count")
                ),
                name="a_task_is_never_overbooked",
            ),
            models.CheckConstraint(
                condition=Q(price_micros__gte=0, fee_micros__gte=0), name="task_price_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["resolved", "contested"]) ^ Q(judged_at__isnull=True),
                name="a_judged_task_says_when",
            ),
            models.CheckConstraint(
                condition=Q(state="contested") ^ Q(contested_reason=""), name="a_contested_task_says_why"
            ),
        ]
        indexes = [
            models.Index(fields=["bucket", "queue_key"], condition=Q(is_open=True), name="task_queue"),
            models.Index(fields=["id"], condition=Q(state="waiting"), name="tasks_to_judge"),
            models.Index(fields=["job", "state", "id"], name="tasks_of_job"),
            models.Index(
                fields=["expires_at"], condition=Q(state="open", expires_at__isnull=False), name="tasks_running_out"
            ),
        ]

    def __str__(self) -> str:
        return self.external_ref or f"task {self.pk}"


class Payload(models.Model):
    """What a worker looks at. Apart from its task, so that the task's counters can move without copying it."""

    task = models.OneToOneField(Task, primary_key=True, on_delete=models.PROTECT, related_name="payload")
    job = Link("tasks.Job")
    content = models.JSONField()
    content_hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "content_hash"], name="one_task_a_payload")]

    def __str__(self) -> str:
        return f"payload of task {self.task_id}"

"""What the claim walks: which buckets each worker may serve, in which order, and where they stand in each.

Written ahead of the claim (and by it, when stale); never the last word: the claim checks every gate again.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class RouteEpoch(models.Model):
    """One row: goes up whenever buckets, job states or eligibilities change, so that routes are looked at again."""

    epoch = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_route_epoch")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class WorkerRoute(models.Model):
    """What a worker's buckets were computed from."""

    worker = models.OneToOneField("accounts.Worker", primary_key=True, on_delete=models.CASCADE, related_name="+")
    epoch = models.BigIntegerField()
    standing_epoch = models.IntegerField()
    stale_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"route of worker {self.worker_id}"


class WorkerBucket(models.Model):
    """One bucket that a worker may serve: its score, and the worker's place in it.

    ``cursor`` is the last queue key handed out; the walk goes on from there and wraps round once.
    ``dry_until`` puts off a bucket in which the walk was slow to find nothing: others come first for two seconds.
    """

    pk = models.CompositePrimaryKey("worker_id", "bucket_id")
    worker = models.ForeignKey("accounts.Worker", on_delete=models.CASCADE, related_name="+", db_index=False)
    bucket = models.ForeignKey("tasks.Bucket", on_delete=models.CASCADE, related_name="+", db_index=False)
    score = models.FloatField()
    cursor = models.IntegerField()
    dry_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"worker {self.worker_id}, bucket {self.bucket_id}"

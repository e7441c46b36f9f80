"""What the claim walks: buckets, and who is offered which."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from tasks import models
from tasks.admin.tables import ReadOnly, link


@admin.register(models.Bucket)
class BucketAdmin(ReadOnly):
    """What is alike to the router."""

    list_display = ("id", "job", "domain", "difficulty", "priority", "waiting_for", "gold")
    list_filter = ("waiting_for", "gold", "difficulty", "priority")
    list_select_related = ("job", "domain")
    search_fields = ("job__name", "domain__path")


@admin.register(models.RouteEpoch)
class RouteEpochAdmin(ReadOnly):
    """One row: goes up when routes must be looked at again."""

    list_display = ("id", "epoch")


@admin.register(models.WorkerRoute)
class WorkerRouteAdmin(ReadOnly):
    """Which buckets each worker is offered, in which order (a bucket's own row has no page: its key has two parts)."""

    list_display = ("worker", "epoch", "standing_epoch", "stale_at")
    list_select_related = ("worker",)
    search_fields = ("worker__name",)
    readonly_fields = ("buckets",)

    @admin.display(description=gettext_lazy("buckets, best first"))
    def buckets(self, route: models.WorkerRoute) -> SafeString | str:
        """Score and place."""
        found = models.WorkerBucket.objects.filter(worker_id=route.pk).select_related("bucket__job").order_by("-score")
        rows = ((link(each.bucket), each.bucket.job, f"{each.score:g}", each.cursor) for each in found[:100])
        return format_html_join("", "<p>{} · {} · {} · {}</p>", rows) or "–"

"""Jobs, the versions they are worked by, their batches and their releases."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from accounts.audit import acting
from accounts.refusals import Refusal
from tasks import closing, models, publishing
from tasks.admin.tables import ReadOnly, ReadOnlyInline, link, money, pretty


class SchemaInline(ReadOnlyInline):
    """Versions of the label schema."""

    model = models.LabelSchema
    fields = ("version", "kind", "created_at")


class GuidelinesInline(ReadOnlyInline):
    """Versions of the guidelines."""

    model = models.Guidelines
    fields = ("version", "language", "created_at")


class EligibilityInline(ReadOnlyInline):
    """Versions of the eligibility."""

    model = models.Eligibility
    fields = ("version", "models_allowed", "answers_per_worker_max", "created_at")


class PlanInline(ReadOnlyInline):
    """Versions of the quality plan."""

    model = models.QualityPlan
    fields = ("version", "engine", "policy", "overlap", "threshold", "answers_max", "created_at")


class BatchInline(ReadOnlyInline):
    """Batches added to the job."""

    model = models.Batch
    fields = ("number", "name", "state", "priority", "tasks_added", "created_at")


class ReleaseInline(ReadOnlyInline):
    """Releases of the job."""

    model = models.Release
    fields = ("number", "state", "tasks_count", "content_hash", "sealed_at")


class RequirementInline(ReadOnlyInline):
    """What the eligibility asks for."""

    model = models.Requirement
    fields = ("domain", "level_min")


class FileInline(ReadOnlyInline):
    """Files of the release, without their content."""

    model = models.ReleaseFile
    fields = ("name", "media_type", "size", "sha256")


@admin.register(models.Job)
class JobAdmin(ReadOnly):
    """Jobs, with their versions; from here a job can be paused, resumed and closed, each by its act."""

    list_display = ("name", "organisation", "domain", "state_shown", "price", "funded", "reserved", "created_at")
    list_filter = ("state", "domain", "created_at")
    list_select_related = ("organisation", "domain")
    search_fields = ("name", "organisation__name", "domain__path")
    inlines = (SchemaInline, GuidelinesInline, EligibilityInline, PlanInline, BatchInline, ReleaseInline)
    actions = ("pause", "resume", "close")
    readonly_fields = ("price", "budget", "funded", "reserved")
    fieldsets = (
        (None, {"fields": ("name", "organisation", "state", "domain", "difficulty", "language", "description")}),
        (
            gettext_lazy("Money"),
            {"fields": ("price", "fee_bp", "budget", "funded", "reserved", "fundings", "releases_of_rest")},
        ),
        (gettext_lazy("Current versions"), {"fields": ("schema", "guidelines", "eligibility", "plan")}),
        (gettext_lazy("Pace"), {"fields": ("lease_seconds", "review_window_seconds", "gold_share_bp")}),
        (gettext_lazy("Times"), {"fields": ("created_at", "published_at", "closed_at")}),
    )

    @admin.display(description=gettext_lazy("price"), ordering="price_micros")
    def price(self, job: models.Job) -> str:
        """For one answer."""
        return money(job.price_micros, job.currency)

    @admin.display(description=gettext_lazy("budget"))
    def budget(self, job: models.Job) -> str:
        """What publishing moves to escrow."""
        return money(job.budget_micros, job.currency)

    @admin.display(description=gettext_lazy("funded"), ordering="funded_micros")
    def funded(self, job: models.Job) -> str:
        """Moved to escrow and not released."""
        return money(job.funded_micros, job.currency)

    @admin.display(description=gettext_lazy("reserved"), ordering="reserved_micros")
    def reserved(self, job: models.Job) -> str:
        """For every slot ever opened."""
        return money(job.reserved_micros, job.currency)

    def has_act_permission(self, request: Any) -> bool:
        """Who may change jobs in Django's terms may use the acts."""
        return bool(request.user.has_perm("tasks.change_job"))

    @admin.action(description=gettext_lazy("Pause: no more claims"), permissions=["act"])
    def pause(self, request: Any, jobs: QuerySet[models.Job]) -> None:
        """By the act."""
        self._each(request, jobs, lambda job, _actor: publishing.pause_job(job))

    @admin.action(description=gettext_lazy("Resume: claims again"), permissions=["act"])
    def resume(self, request: Any, jobs: QuerySet[models.Job]) -> None:
        """By the act."""
        self._each(request, jobs, lambda job, _actor: publishing.resume_job(job))

    @admin.action(description=gettext_lazy("Close: what is not spent goes back"), permissions=["act"])
    def close(self, request: Any, jobs: QuerySet[models.Job]) -> None:
        """By the act."""
        self._each(request, jobs, lambda job, actor: closing.close_job(job, actor=actor))

    def _each(self, request: Any, jobs: QuerySet[models.Job], act: Any) -> None:
        actor = f"user:{request.user.pk}"
        for job in jobs:
            try:
                with acting(actor):
                    act(job, actor)
            except Refusal as refusal:
                self.message_user(request, f"{job}: {gettext(refusal.detail)}", messages.ERROR)
            else:
                self.message_user(request, gettext("%(job)s: done") % {"job": job}, messages.SUCCESS)


@admin.register(models.LabelSchema)
class LabelSchemaAdmin(ReadOnly):
    """Versions of label schemas."""

    list_display = ("job", "version", "kind", "created_at")
    list_filter = ("kind",)
    list_select_related = ("job",)
    search_fields = ("job__name",)
    readonly_fields = ("definition_shown",)
    exclude = ("definition",)

    @admin.display(description=gettext_lazy("definition"))
    def definition_shown(self, schema: models.LabelSchema) -> SafeString:
        """Indented."""
        return pretty(schema.definition)


@admin.register(models.Guidelines)
class GuidelinesAdmin(ReadOnly):
    """Versions of guidelines."""

    list_display = ("job", "version", "language", "created_at")
    list_select_related = ("job",)
    search_fields = ("job__name", "text")


@admin.register(models.Eligibility)
class EligibilityAdmin(ReadOnly):
    """Who may work on a job."""

    list_display = ("job", "version", "models_allowed", "answers_per_worker_max", "created_at")
    list_filter = ("models_allowed",)
    list_select_related = ("job",)
    search_fields = ("job__name",)
    inlines = (RequirementInline,)


@admin.register(models.Requirement)
class RequirementAdmin(ReadOnly):
    """Qualifications that jobs ask for."""

    list_display = ("eligibility", "job", "domain", "level_min")
    list_filter = ("level_min", "domain")
    list_select_related = ("eligibility__job", "domain")
    search_fields = ("eligibility__job__name", "domain__path")

    @admin.display(description=gettext_lazy("job"))
    def job(self, requirement: models.Requirement) -> SafeString | str:
        """Whose eligibility it is."""
        return link(requirement.eligibility.job)


@admin.register(models.QualityPlan)
class QualityPlanAdmin(ReadOnly):
    """When a task has enough answers."""

    list_display = ("job", "version", "engine", "policy", "overlap", "threshold", "answers_max", "created_at")
    list_filter = ("engine", "policy")
    list_select_related = ("job",)
    search_fields = ("job__name",)


@admin.register(models.Batch)
class BatchAdmin(ReadOnly):
    """Lots of tasks."""

    list_display = (
        "job",
        "number",
        "name",
        "state_shown",
        "priority",
        "deadline",
        "rows_read",
        "tasks_added",
        "created_at",
    )
    list_filter = ("state", "priority", "created_at")
    list_select_related = ("job",)
    search_fields = ("name", "job__name")
    readonly_fields = ("faults_shown",)
    exclude = ("faults",)

    @admin.display(description=gettext_lazy("wrong rows"))
    def faults_shown(self, batch: models.Batch) -> SafeString:
        """Indented."""
        return pretty(batch.faults)


@admin.register(models.Release)
class ReleaseAdmin(ReadOnly):
    """Frozen datasets."""

    list_display = ("job", "number", "state_shown", "tasks_count", "short_hash", "created_by", "sealed_at")
    list_filter = ("state", "created_at")
    list_select_related = ("job",)
    search_fields = ("job__name", "content_hash")
    inlines = (FileInline,)
    readonly_fields = ("manifest_shown",)
    exclude = ("manifest",)

    @admin.display(description=gettext_lazy("content hash"))
    def short_hash(self, release: models.Release) -> str:
        """Its first digits."""
        return release.content_hash[:12] or "–"

    @admin.display(description=gettext_lazy("manifest"))
    def manifest_shown(self, release: models.Release) -> SafeString:
        """Indented."""
        return pretty(release.manifest)


@admin.register(models.ReleaseFile)
class ReleaseFileAdmin(ReadOnly):
    """Files of releases; their content is fetched through the API."""

    list_display = ("release", "name", "media_type", "size", "sha256")
    list_select_related = ("release",)
    search_fields = ("name", "sha256__exact")
    exclude = ("content",)

    def get_queryset(self, request: Any) -> QuerySet[models.ReleaseFile]:
        """Without reading megabytes for a list."""
        found: QuerySet[models.ReleaseFile] = super().get_queryset(request).defer("content")
        return found

"""Gold, exams and standing in the admin: looked at freely, changed only through the acts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.admin import ActingAdmin, actor_of
from accounts.ledger.admin import ReadOnlyAdmin
from qualification import examining, gold, granting
from qualification.models import (
    Attempt,
    Domain,
    Exam,
    GoldItem,
    GoldSet,
    Observation,
    Qualification,
    ScopeFit,
    SkillFit,
)


@admin.register(Domain)
class DomainAdmin(ActingAdmin):
    adds = True
    list_display = ("path", "name", "organisation", "created_at")
    list_filter = (("organisation", admin.EmptyFieldListFilter),)
    search_fields = ("path", "name", "organisation__name")
    list_select_related = ("organisation",)
    autocomplete_fields = ("organisation",)
    ordering = ("path",)
    fields = ("path", "name", "organisation")

    def save_model(self, _request: Any, obj: Domain, _form: Any, _change: bool) -> None:  # noqa: FBT001  Django's
        obj.pk = gold.create_domain(path=obj.path, name=obj.name, organisation=obj.organisation).pk


@admin.register(GoldSet)
class GoldSetAdmin(ActingAdmin):
    list_display = ("name", "version", "state", "domain", "label_kind", "items_in_use", "organisation", "created_at")
    list_filter = ("state", "label_kind", ("organisation", admin.EmptyFieldListFilter))
    search_fields = ("name", "domain__path", "organisation__name")
    list_select_related = ("domain", "organisation")
    ordering = ("-id",)
    actions = ("publish", "retire")

    def get_queryset(self, request: Any) -> QuerySet[GoldSet]:
        rows: QuerySet[GoldSet] = super().get_queryset(request)
        return rows.annotate(items_count=Count("items", filter=Q(items__retired_at__isnull=True)))

    @admin.display(description=_("items in use"), ordering="items_count")
    def items_in_use(self, gold_set: Any) -> int:
        return int(gold_set.items_count)

    @admin.action(description=_("Publish"), permissions=["act"])
    def publish(self, request: Any, rows: QuerySet[GoldSet]) -> None:
        self.for_each(request, rows, gold.publish_gold_set)

    @admin.action(description=_("Retire"), permissions=["act"])
    def retire(self, request: Any, rows: QuerySet[GoldSet]) -> None:
        self.for_each(request, rows, gold.retire_gold_set)


@admin.register(GoldItem)
class GoldItemAdmin(ActingAdmin):
    list_display = ("id", "gold_set", "class_index", "difficulty", "verified_by", "created_at", "retired_at")
    list_filter = ("difficulty", ("retired_at", admin.EmptyFieldListFilter))
    search_fields = ("=id", "gold_set__name", "explanation")
    list_select_related = ("gold_set", "verified_by")
    ordering = ("-id",)
    actions = ("retire",)

    @admin.action(description=_("Retire"), permissions=["act"])
    def retire(self, request: Any, rows: QuerySet[GoldItem]) -> None:
        self.for_each(request, rows, gold.retire_gold_item)


@admin.register(Exam)
class ExamAdmin(ActingAdmin):
    adds = True
    list_display = ("name", "domain", "level", "questions", "pass_share", "open", "attempts_count", "passed_count")
    list_filter = ("open", "level", ("organisation", admin.EmptyFieldListFilter))
    search_fields = ("name", "domain__path", "organisation__name")
    list_select_related = ("domain",)
    autocomplete_fields = ("gold_set", "organisation")
    ordering = ("-id",)
    terms = ("level", "questions", "pass_share", "time_limit_seconds", "attempts_max", "valid_days")
    actions = ("open_exams", "close_exams")

    def get_fields(self, _request: Any, obj: Exam | None = None) -> tuple[str, ...]:
        return ("name", "organisation", "gold_set", *self.terms, *(() if obj is None else ("domain", "open")))

    def get_queryset(self, request: Any) -> QuerySet[Exam]:
        rows: QuerySet[Exam] = super().get_queryset(request)
        return rows.annotate(sat=Count("attempts"), passed=Count("attempts", filter=Q(attempts__state="passed")))

    @admin.display(description=_("attempts"), ordering="sat")
    def attempts_count(self, exam: Any) -> int:
        return int(exam.sat)

    @admin.display(description=_("passed"), ordering="passed")
    def passed_count(self, exam: Any) -> int:
        return int(exam.passed)

    def save_model(self, _request: Any, obj: Exam, _form: Any, _change: bool) -> None:  # noqa: FBT001  Django's
        terms = {term: getattr(obj, term) for term in self.terms}
        obj.pk = examining.create_exam(name=obj.name, gold_set=obj.gold_set, organisation=obj.organisation, **terms).pk

    @admin.action(description=_("Open"), permissions=["act"])
    def open_exams(self, request: Any, rows: QuerySet[Exam]) -> None:
        self.for_each(request, rows, examining.open_exam)

    @admin.action(description=_("Close"), permissions=["act"])
    def close_exams(self, request: Any, rows: QuerySet[Exam]) -> None:
        self.for_each(request, rows, examining.close_exam)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("id", "exam", "worker", "state", "right", "started_at", "ends_at", "finished_at")
    list_filter = ("state", "started_at")
    search_fields = ("=id", "exam__name", "worker__name")
    list_select_related = ("exam", "worker")
    ordering = ("-id",)


@admin.register(Qualification)
class QualificationAdmin(ActingAdmin):
    """Adding a row grants it as admin; filling in the reason of a standing one revokes it."""

    adds = changes = True
    list_display = (
        "id",
        "worker",
        "domain",
        "level",
        "source",
        "organisation",
        "granted_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("level", "source", ("revoked_at", admin.EmptyFieldListFilter), "granted_at", "expires_at")
    search_fields = ("=id", "worker__name", "worker__user__email", "domain__path", "organisation__name")
    list_select_related = ("worker", "domain", "organisation")
    autocomplete_fields = ("worker", "domain", "organisation")
    ordering = ("-id",)
    granted = ("worker", "domain", "organisation", "level", "expires_at", "reason")
    shown = (*granted, "source", "attempt", "granted_by", "granted_at", "revoked_at")

    def get_fields(self, _request: Any, obj: Qualification | None = None) -> tuple[str, ...]:
        return self.granted if obj is None else (*self.shown, "revoked_reason")

    def get_readonly_fields(self, _request: Any, obj: Qualification | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return self.shown if obj.revoked_at is None else (*self.shown, "revoked_reason")

    def save_model(self, request: Any, obj: Qualification, _form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        if change:
            granting.revoke_qualification(obj, reason=obj.revoked_reason, actor=actor_of(request))
            return
        obj.pk = granting.grant_qualification(
            obj.worker,
            obj.domain,
            level=obj.level,
            source=Qualification.Source.ADMIN,
            granted_by=request.user,
            organisation=obj.organisation,
            expires_at=obj.expires_at,
            reason=obj.reason,
        ).pk


@admin.register(Observation)
class ObservationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "worker",
        "domain",
        "difficulty",
        "source",
        "true_class",
        "said_class",
        "credit",
        "observed_at",
    )
    list_filter = ("source", "difficulty", "observed_at")
    search_fields = ("=worker__id", "worker__name", "domain__path", "=reference")
    list_select_related = ("worker", "domain")
    ordering = ("-id",)


@admin.register(ScopeFit)
class ScopeFitAdmin(ReadOnlyAdmin):
    list_display = ("scope", "engine", "answers", "gold", "rounds", "converged", "fitted_at")
    list_filter = ("engine", "converged", "fitted_at")
    search_fields = ("scope",)
    ordering = ("-fitted_at",)


@admin.register(SkillFit)
class SkillFitAdmin(ReadOnlyAdmin):
    list_display = ("scope", "worker", "engine", "answers", "fitted_at")
    list_filter = ("engine", "fitted_at")
    search_fields = ("scope", "worker__name", "=worker__id")
    list_select_related = ("worker",)
    ordering = ("-id",)

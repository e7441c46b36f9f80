"""Qualifications once more: revoking one ends leases and flags answers, which only this floor knows of. And those flags."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from accounts.admin import actor_of
from accounts.ledger.admin import ReadOnlyAdmin
from qualification.admin import QualificationAdmin
from qualification.models import Qualification
from tasks.models import AnswerFlag
from tasks.revoking import revoke_qualification

admin.site.unregister(Qualification)


@admin.register(Qualification)
class RevokedWithWhatRestsOnIt(QualificationAdmin):
    """The same table, where filling in the reason revokes with all that follows."""

    def save_model(self, request: Any, obj: Qualification, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        if change:
            revoke_qualification(obj, reason=obj.revoked_reason, actor=actor_of(request))
            return
        super().save_model(request, obj, form, change)


@admin.register(AnswerFlag)
class AnswerFlagAdmin(ReadOnlyAdmin):
    """Doubts about answers, with the reason, which requesters are not shown."""

    list_display = ("id", "assignment", "job", "kind", "credential_id", "flagged_at", "cleared_at")
    list_filter = ("kind", "flagged_at", ("cleared_at", admin.EmptyFieldListFilter))
    search_fields = ("=assignment__id", "=credential_id")
    list_select_related = ("assignment", "job")
    ordering = ("-id",)

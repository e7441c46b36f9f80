"""What all these pages have in common: they can be read, not written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from accounts.ledger.money import Money

STATE_COLOURS = {
    "live": "success", "piloting": "info", "draft": "default", "paused": "warning", "closed": "default",
    "open": "info", "waiting": "warning", "resolved": "success", "contested": "danger", "cancelled": "default",
    "leased": "info", "submitted": "warning", "accepted": "success", "set_aside": "warning", "rejected": "danger",
    "settled": "success", "returned": "default", "expired": "default", "importing": "info", "ready": "success",
    "refused": "danger", "running": "info", "final": "success", "building": "info", "sealed": "success",
}  # fmt: skip


def money(micros: int | None, currency: str) -> str:
    """An amount for people."""
    return "–" if micros is None else str(Money(micros, currency))


def pretty(value: Any) -> SafeString:
    """JSON, indented and escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="whitespace-pre-wrap break-all">{}</pre>', text)


def link(row: Model | None, text: str = "") -> SafeString | str:
    """A link to a row's page."""
    if row is None:
        return "–"
    place = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a class="underline" href="{}">{}</a>', reverse(place, args=[row.pk]), text or row)


class ReadOnly(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """A table to look at: large ones are paged without being counted."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    ordering: Sequence[str] = ("-pk",)

    def has_add_permission(self, request: Any) -> bool:  # noqa: ARG002  Django's signature
        """Rows come from acts."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002
        """Rows move by acts."""
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is ever removed."""
        return False

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:  # noqa: ARG002
        """What is asked for, and the columns that the database fills in."""
        hidden = set(self.exclude or ())
        filled = [field.name for field in self.opts.fields if not field.editable and field.name not in hidden]
        return [*self.readonly_fields, *filled]

    @display(description=gettext_lazy("state"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]  # unfold ships no types
    def state_shown(self, row: Any) -> str:
        """In colour."""
        return str(row.state)


class Hot(ReadOnly):
    """A table with a row for every task or answer: never counted, never joined without need."""

    paginator = InfinitePaginator
    list_select_related: Sequence[str] = ()
    ordering: Sequence[str] = ("-pk",)


class ReadOnlyInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    """Rows that belong to the one looked at."""

    extra = 0
    can_delete = False
    show_change_link = True
    ordering = ("-pk",)
    tab = True
    fields: Sequence[str] = ()

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Sequence[str]:  # noqa: ARG002  Django's signature
        """All of them, those that the database fills in too."""
        return self.fields

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Rows come from acts."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002
        """Rows move by acts."""
        return False

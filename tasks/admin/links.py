"""Accounts that may be one person: what they share, and somebody's word on it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin import ActingAdmin
from accounts.models import LinkCase, Signal
from tasks import linking


class CaseForm(forms.ModelForm[LinkCase]):
    """What somebody finds, and why."""

    finding = forms.ChoiceField(
        label=_("Finding"),
        required=False,
        choices=[
            ("", _("Leave as it is")),
            (LinkCase.State.LINKED, _("One person: one answer a task between them")),
            (LinkCase.State.APART, _("Two persons: undo the link and do not link them again")),
        ],
    )
    because = forms.CharField(
        label=_("Because"),
        required=False,
        max_length=500,
        help_text=_("Nobody is stopped or unpaid on this account."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "border rounded-default w-full px-3 py-2"}),
    )


@admin.register(LinkCase)
class LinkCaseAdmin(ActingAdmin):
    """The queue: open questions first, strongest first."""

    changes = True
    form = CaseForm
    list_display = ("id", "state", "first", "second", "shared", "score_shown", "opened_at", "decided_by")
    list_filter = ("state", "opened_at")
    search_fields = ("=first__id", "=second__id")
    list_select_related = ("first", "second", "decided_by")
    ordering = ("-state", "-score", "id")
    shown = ("first", "second", "state", "shared", "score_shown", "opened_at", "decided_at", "decided_by", "reason")
    fields = (*shown, "finding", "because")
    readonly_fields = shown

    @admin.display(description=_("they share"))
    def shared(self, case: LinkCase) -> str:
        """Kinds of signal, with how many of each."""
        titles = dict(Signal.Kind.choices)
        return ", ".join(f"{titles[kind]} ({count})" for kind, count in sorted(case.kinds.items())) or "–"

    @admin.display(description=_("score"), ordering="score")
    def score_shown(self, case: LinkCase) -> str:
        """Two places say all there is."""
        return f"{case.score:.2f}"

    def save_model(self, request: Any, obj: LinkCase, form: Any, change: bool) -> None:  # noqa: FBT001, ARG002  Django's
        act = {"linked": linking.link_workers, "apart": linking.part_workers}.get(form.cleaned_data["finding"])
        if act is not None:
            act(obj, decided_by=request.user, reason=form.cleaned_data["because"])

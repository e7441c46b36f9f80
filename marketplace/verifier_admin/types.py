"""Types of credentials and what they open, as admins of the platform write them down: data, and no code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, override

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.utils.translation import gettext, gettext_lazy

from accounts.admin import ActingAdmin, actor_of
from accounts.models import CredentialType
from accounts.registries import REGISTRIES
from qualification import crediting
from qualification.models import CredentialRule

_ASKED, _SCORED = {"name", "title", "required"}, {"name", "title", "most"}


class TypeForm(forms.ModelForm[CredentialType]):
    """A type, its lists looked through."""

    def clean_fields(self) -> Any:
        """What is asked for: names, titles, and whether each is required."""
        return _lines(self.cleaned_data["fields"], _ASKED, lambda line: type(line.get("required", False)) is bool)

    def clean_rubric(self) -> Any:
        """What is scored: names, titles, and the most points of each."""
        return _lines(
            self.cleaned_data["rubric"],
            _SCORED,
            lambda line: type(line.get("most")) is int and 1 <= line["most"] <= 100,
        )

    def clean_registry(self) -> str:
        """One that exists here, or none."""
        name = str(self.cleaned_data["registry"])
        if name and name not in REGISTRIES:
            raise forms.ValidationError(
                gettext("Choose one of: %(names)s; or leave it empty.") % {"names": ", ".join(REGISTRIES)}
            )
        return name


@admin.register(CredentialType)
class CredentialTypeAdmin(ActingAdmin):
    """A type is never deleted, since credentials of it stand; it is made inactive."""

    adds = changes = True
    list_display = ("name", "kind", "slug", "verifiers_needed", "number_check", "registry", "active")
    list_filter = ("active", "kind")
    search_fields = ("name", "slug")
    ordering = ("name",)
    form = TypeForm

    @override
    def get_readonly_fields(self, request: Any, obj: Model | None = None) -> tuple[str, ...]:
        return () if obj is None else ("slug", "kind")


@admin.register(CredentialRule)
class CredentialRuleAdmin(ActingAdmin):
    """Adding one for the same type and domain takes the place of the one before."""

    adds = changes = True
    list_display = ("type", "domain", "level", "jurisdictions", "created_at")
    list_filter = ("type",)
    search_fields = ("type__name", "domain__path")
    list_select_related = ("type", "domain")
    autocomplete_fields = ("type", "domain")
    ordering = ("type", "domain")
    fields = ("type", "domain", "level", "jurisdictions")
    actions = ("remove",)

    @override
    def get_readonly_fields(self, request: Any, obj: Model | None = None) -> tuple[str, ...]:
        return () if obj is None else ("type", "domain")

    def save_model(self, request: Any, obj: CredentialRule, form: Any, change: bool) -> None:
        """Written by the act."""
        rule = crediting.set_rule(
            obj.type, obj.domain, level=obj.level, jurisdictions=obj.jurisdictions, actor=actor_of(request)
        )
        obj.pk = rule.pk

    @admin.action(description=gettext_lazy("Remove"), permissions=["act"])
    def remove(self, request: Any, rows: QuerySet[CredentialRule]) -> None:
        """Nothing more is granted by it; what was granted stays."""
        self.for_each(
            request,
            rows.select_related("type", "domain"),
            lambda rule: crediting.remove_rule(rule.type, rule.domain, actor=actor_of(request)),
        )


def _lines(said: Any, names: set[str], right: Callable[[dict[str, Any]], bool]) -> Any:
    """A list of objects with these names, each named once. Raises ValidationError."""
    wanted = ", ".join(sorted(names))
    if not isinstance(said, list) or not all(isinstance(line, dict) for line in said):
        raise forms.ValidationError(gettext("Write a list of objects with %(names)s.") % {"names": wanted})
    for line in said:
        if not set(line) <= names or not str(line.get("name", "")).isidentifier() or not line.get("title"):
            raise forms.ValidationError(
                gettext("Each has %(names)s; a name is one word of letters, digits and _.") % {"names": wanted}
            )
        if not right(line):
            raise forms.ValidationError(gettext("%(name)s is not complete.") % {"name": line["name"]})
    if len({line["name"] for line in said}) != len(said):
        raise forms.ValidationError(gettext("Each name is given once."))
    return said

"""People, organisations and keys in the admin: looked at freely, changed only through the acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, override

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Count, Model, QuerySet
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline

from accounts import keys, organising, people
from accounts.audit import acting
from accounts.ledger.admin import ReadOnlyAdmin
from accounts.models import ApiKey, AuditRow, Membership, Organisation, PlatformRole, User, Worker
from accounts.refusals import Refusal

# Nobody is given Django's own groups; roles are our rows.
admin.site.unregister(Group)


def actor_of(request: Any) -> str:
    """Who works in the admin, as the audit writes it."""
    return f"user:{request.user.pk}"


class ActingAdmin(ReadOnlyAdmin):
    """A table that is changed only by acts, in the name of who is signed in.

    ``adds`` and ``changes`` open the forms, whose ``save_model`` calls an act; nothing is deleted. A refusal is shown as
    a message and nothing is saved. ``request`` is Any here since only marketplace knows HTTP.
    """

    adds = False
    changes = False
    actions: tuple[str, ...] = ()  # type: ignore[assignment]  # what is only looked at says None

    @override
    def has_add_permission(self, request: Any, obj: Model | None = None) -> bool:
        return self.adds and bool(ModelAdmin.has_add_permission(self, request))

    @override
    def has_change_permission(self, request: Any, obj: Model | None = None) -> bool:
        return self.changes and bool(ModelAdmin.has_change_permission(self, request, obj))

    def has_act_permission(self, request: Any) -> bool:
        """Whether the user may start the actions of the list: those who might change the rows by hand elsewhere."""
        return bool(ModelAdmin.has_change_permission(self, request))

    def changeform_view(self, request: Any, *args: Any, **options: Any) -> Any:
        """The form of one row, sent or asked for."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **options)
        try:
            with acting(actor_of(request)):
                return super().changeform_view(request, *args, **options)
        except Refusal as refusal:
            self.message_user(request, told(refusal), messages.ERROR)
            return redirect(request.get_full_path())

    def for_each[Row: Model](self, request: Any, rows: Iterable[Row], act: Callable[[Row], object]) -> None:
        """Do ``act`` to each chosen row by itself; say how many it was done to, and each refusal."""
        done = 0
        for row in rows:
            try:
                with acting(actor_of(request)):
                    act(row)
            except Refusal as refusal:
                self.message_user(request, f"{row}: {told(refusal)}", messages.ERROR)
            else:
                done += 1
        if done:
            self.message_user(request, ngettext("%d row changed.", "%d rows changed.", done) % done, messages.SUCCESS)


def told(refusal: Refusal) -> str:
    """A refusal in one line, with its faults."""
    faults = "; ".join(f"{fault.pointer.lstrip('/')}: {fault.detail}" for fault in refusal.faults)
    return f"{refusal.detail} {faults}".strip()


@admin.register(User)
class UserAdmin(ActingAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "created_at", "last_login")
    list_filter = ("is_active", "is_staff", "created_at")
    search_fields = ("email", "name")
    ordering = ("-id",)
    fields = ("email", "name", "is_active", "is_staff", "is_superuser", "created_at", "last_login")
    actions = ("deactivate", "activate")

    @admin.action(description=_("Close the account"), permissions=["act"])
    def deactivate(self, request: Any, rows: QuerySet[User]) -> None:
        self.for_each(request, rows, lambda user: people.deactivate_user(user, actor=actor_of(request)))

    @admin.action(description=_("Open the account again"), permissions=["act"])
    def activate(self, request: Any, rows: QuerySet[User]) -> None:
        self.for_each(request, rows, lambda user: people.activate_user(user, actor=actor_of(request)))


@admin.register(PlatformRole)
class PlatformRoleAdmin(ActingAdmin):
    adds = True
    list_display = ("user", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "user__name")
    list_select_related = ("user",)
    autocomplete_fields = ("user",)
    ordering = ("role", "user")
    fields = ("user", "role")
    actions = ("take",)

    def save_model(self, request: Any, obj: PlatformRole, _form: Any, _change: bool) -> None:  # noqa: FBT001  Django's
        obj.pk = organising.give_platform_role(obj.user, obj.role, given_by=request.user).pk

    @admin.action(description=_("Take the role away"), permissions=["act"])
    def take(self, request: Any, rows: QuerySet[PlatformRole]) -> None:
        self.for_each(
            request, rows.select_related("user"), lambda given: organising.take_platform_role(given.user, given.role)
        )


class MembershipInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """Who belongs to an organisation."""

    model = Membership
    fields = ("user", "role", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: Any, obj: Model | None = None) -> bool:
        return False


@admin.register(Organisation)
class OrganisationAdmin(ActingAdmin):
    list_display = ("name", "members", "created_at")
    search_fields = ("name", "memberships__user__email")
    ordering = ("-id",)
    fields = ("name", "created_at")
    inlines = (MembershipInline,)

    def get_queryset(self, request: Any) -> QuerySet[Organisation]:
        rows: QuerySet[Organisation] = super().get_queryset(request)
        return rows.annotate(members_count=Count("memberships"))

    @admin.display(description=_("members"), ordering="members_count")
    def members(self, organisation: Any) -> int:
        return int(organisation.members_count)


@admin.register(Membership)
class MembershipAdmin(ActingAdmin):
    adds = changes = True
    list_display = ("organisation", "user", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("organisation__name", "user__email", "user__name")
    list_select_related = ("organisation", "user")
    autocomplete_fields = ("organisation", "user")
    ordering = ("organisation", "role")
    fields = ("organisation", "user", "role")
    actions = ("remove",)

    def get_readonly_fields(self, _request: Any, obj: Membership | None = None) -> tuple[str, ...]:
        return () if obj is None else ("organisation", "user")

    def save_model(self, request: Any, obj: Membership, _form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        act = organising.change_role if change else organising.add_member
        obj.pk = act(obj.organisation, user=obj.user, role=obj.role, given_by=request.user).pk

    @admin.action(description=_("End the membership"), permissions=["act"])
    def remove(self, request: Any, rows: QuerySet[Membership]) -> None:
        self.for_each(
            request,
            rows.select_related("organisation", "user"),
            lambda member: organising.remove_member(member.organisation, user=member.user, removed_by=request.user),
        )


class WorkerForm(forms.ModelForm[Worker]):
    """The one thing to say of a worker that stands: why they are suspended."""

    suspend_because = forms.CharField(
        required=False,
        max_length=500,
        label=_("Suspend because"),
        help_text=_("With a reason the worker is suspended; without, nothing happens."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "border rounded-default w-full px-3 py-2"}),
    )


@admin.register(Worker)
class WorkerAdmin(ActingAdmin):
    """Adding a row here registers a version of a model; people sign up by themselves."""

    adds = changes = True
    list_display = ("id", "name", "kind", "state", "user", "simulated", "created_at")
    list_display_links = ("id", "name")
    list_filter = ("state", "kind", "simulated", "created_at")
    search_fields = ("name", "user__email", "=id")
    list_select_related = ("user",)
    ordering = ("-id",)
    form = WorkerForm
    actions = ("resume",)
    shown = ("name", "kind", "state", "user", "person_id", "standing_epoch", "simulated", "created_at")

    def get_fields(self, _request: Any, obj: Worker | None = None) -> tuple[str, ...]:
        return ("name",) if obj is None else (*self.shown, "suspend_because")

    def get_readonly_fields(self, _request: Any, obj: Worker | None = None) -> tuple[str, ...]:
        return () if obj is None else self.shown

    def save_model(self, request: Any, obj: Worker, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        if not change:
            obj.pk = people.register_model(obj.name, actor=actor_of(request)).pk
        elif reason := form.cleaned_data["suspend_because"]:
            people.suspend_worker(obj, reason=reason, actor=actor_of(request))

    @admin.action(description=_("Let on again"), permissions=["act"])
    def resume(self, request: Any, rows: QuerySet[Worker]) -> None:
        self.for_each(request, rows, lambda worker: people.resume_worker(worker, actor=actor_of(request)))


@admin.register(ApiKey)
class ApiKeyAdmin(ActingAdmin):
    list_display = (
        "name",
        "organisation",
        "worker",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at")
    search_fields = ("name", "organisation__name", "worker__name", "created_by__email")
    list_select_related = ("organisation", "worker")
    ordering = ("-id",)
    # The digest is nobody's business.
    fields = (
        "name",
        "organisation",
        "worker",
        "created_by",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: Any, rows: QuerySet[ApiKey]) -> None:
        self.for_each(request, rows, keys.revoke_key)


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "impersonator", "action", "subject", "subject_id", "organisation_id")
    list_filter = ("action", "subject", "at")
    search_fields = ("actor__startswith", "=subject_id", "=organisation_id")
    ordering = ("-id",)

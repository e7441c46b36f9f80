"""The ledger in the admin site: to look at, never to change."""

from typing import Any, override

from django.contrib import admin
from django.db.models import Model
from unfold.admin import ModelAdmin, TabularInline

from accounts.ledger.models import Balance, Books, Hold, HoldResult, Leg, Transfer

MICROS = 1_000_000


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Everything may be looked at by those with the right to view; nothing may be written."""

    show_full_result_count = False
    list_per_page = 50
    actions = None

    @override
    def has_add_permission(self, request: Any, obj: Model | None = None) -> bool:  # Any: only marketplace knows HTTP
        return False

    @override
    def has_change_permission(self, request: Any, obj: Model | None = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: Any, obj: Model | None = None) -> bool:
        return False


def units(micros: int) -> str:
    """Micros as a decimal number with all six places, exact."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), MICROS)
    return f"{sign}{whole:,}.{rest:06d}"


class LegInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """The legs of a transfer."""

    model = Leg
    fields = ("books", "currency", "amount")
    readonly_fields = fields
    extra = 0
    can_delete = False

    @admin.display(description="amount (credit above zero)")
    def amount(self, leg: Leg) -> str:
        return units(leg.amount_micros)

    @override
    def has_add_permission(self, request: Any, obj: Model | None = None) -> bool:
        return False


@admin.register(Books)
class BooksAdmin(ReadOnlyAdmin):
    list_display = ("kind", "owner", "currency", "normal_side", "limited", "posted", "held")
    list_filter = ("kind", "currency", "limited")
    search_fields = ("owner",)
    list_select_related = ("balance",)
    ordering = ("kind", "owner", "currency")

    @admin.display(description="posted")
    def posted(self, books: Books) -> str:
        return units(books.balance.posted_micros) if books.limited else "summed from legs"

    @admin.display(description="held")
    def held(self, books: Books) -> str:
        return units(books.balance.held_micros) if books.limited else ""


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("key", "kind", "ref", "effective_at", "actor", "approver", "reverses")
    list_filter = ("kind", "effective_at")
    search_fields = ("key__startswith", "ref")
    list_select_related = ("reverses",)
    ordering = ("-id",)
    inlines = (LegInline,)


@admin.register(Leg)
class LegAdmin(ReadOnlyAdmin):
    list_display = ("id", "transfer", "books", "currency", "amount")
    list_filter = ("currency", "books__kind")
    search_fields = ("transfer__key", "books__owner")
    list_select_related = ("transfer", "books")
    ordering = ("-id",)

    @admin.display(description="amount (credit above zero)", ordering="amount_micros")
    def amount(self, leg: Leg) -> str:
        return units(leg.amount_micros)


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin):
    list_display = ("books", "posted", "held", "version")
    list_filter = ("books__kind", "books__currency")
    search_fields = ("books__owner",)
    list_select_related = ("books",)
    ordering = ("books",)

    @admin.display(description="posted", ordering="posted_micros")
    def posted(self, balance: Balance) -> str:
        return units(balance.posted_micros)

    @admin.display(description="held", ordering="held_micros")
    def held(self, balance: Balance) -> str:
        return units(balance.held_micros)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("key", "books", "amount", "ref", "actor", "created_at", "expires_at", "outcome")
    list_filter = ("books__kind", "books__currency")
    search_fields = ("key", "ref", "books__owner")
    list_select_related = ("books", "result")
    ordering = ("-id",)

    @admin.display(description="amount", ordering="amount_micros")
    def amount(self, hold: Hold) -> str:
        return units(hold.amount_micros)

    @admin.display(description="outcome")
    def outcome(self, hold: Hold) -> str:
        return hold.result.outcome if hasattr(hold, "result") else "open"


@admin.register(HoldResult)
class HoldResultAdmin(ReadOnlyAdmin):
    list_display = ("hold", "outcome", "transfer", "actor", "ended_at")
    list_filter = ("outcome",)
    search_fields = ("hold__key", "transfer__key")
    list_select_related = ("hold", "transfer")
    ordering = ("-hold",)

"""Tasks, who held them, what was answered, and what is believed."""

from __future__ import annotations

import json
import re

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from tasks import models
from tasks.admin.tables import Hot, link, money, pretty

_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,", re.ASCII)


@admin.register(models.Task)
class TaskAdmin(Hot):
    """Tasks, with what the worker saw, what was answered, and what is believed."""

    list_display = (
        "id",
        "external_ref",
        "job",
        "state_shown",
        "waiting_for",
        "slots",
        "price",
        "is_gold",
        "created_at",
    )
    list_filter = ("state", "waiting_for", "created_at")
    list_select_related = ("job",)
    search_fields = ("id__exact", "external_ref__exact")
    search_help_text = gettext_lazy("The task's number, or its external reference.")
    readonly_fields = ("slots", "price", "payload_shown", "answers_shown", "consensus_shown")
    exclude = ("price_micros", "fee_micros", "queue_key", "leased_count", "answer_count", "slots_needed")

    @admin.display(description=gettext_lazy("slots"))
    def slots(self, task: models.Task) -> str:
        """Answered, held and asked for."""
        return gettext("%(answers)s answered, %(held)s held, of %(needed)s") % {
            "answers": task.answer_count,
            "held": task.leased_count,
            "needed": task.slots_needed,
        }

    @admin.display(description=gettext_lazy("price"), ordering="price_micros")
    def price(self, task: models.Task) -> str:
        """For one answer."""
        return money(task.price_micros, task.job.currency)

    @admin.display(description=gettext_lazy("gold"))
    def is_gold(self, task: models.Task) -> str:
        """Is its answer known?"""
        return gettext("gold") if task.gold_item_id is not None else "–"

    @admin.display(description=gettext_lazy("payload"))
    def payload_shown(self, task: models.Task) -> SafeString:
        """What the worker looks at."""
        return _payload(models.Payload.objects.filter(pk=task.pk).first())

    @admin.display(description=gettext_lazy("answers"))
    def answers_shown(self, task: models.Task) -> SafeString | str:
        """Every answer, with a link to its assignment."""
        found = models.Answer.objects.filter(job_id=task.job_id, task_id=task.pk).select_related("assignment", "worker")
        rows = ((link(each.assignment), each.worker, json.dumps(each.label)) for each in found.order_by("pk"))
        return format_html_join("", "<p>{} · {} · {}</p>", rows) or "–"

    @admin.display(description=gettext_lazy("consensus"))
    def consensus_shown(self, task: models.Task) -> SafeString | str:
        """What is believed."""
        found = models.Consensus.objects.filter(pk=task.pk).first()
        return link(found, _belief(found)) if found is not None else "–"


@admin.register(models.Payload)
class PayloadAdmin(Hot):
    """What workers look at."""

    list_display = ("task_id", "job", "hash_shown")
    list_select_related = ("job",)
    search_fields = ("task_id__exact",)
    readonly_fields = ("content_shown", "hash_shown")
    exclude = ("content", "content_hash")

    @admin.display(description=gettext_lazy("content"))
    def content_shown(self, payload: models.Payload) -> SafeString:
        """Pictures as pictures, the rest as JSON."""
        return _payload(payload)

    @admin.display(description=gettext_lazy("content hash"))
    def hash_shown(self, payload: models.Payload) -> str:
        """By which duplicates are found."""
        return bytes(payload.content_hash).hex()


@admin.register(models.Assignment)
class AssignmentAdmin(Hot):
    """Who held what, on which terms."""

    list_display = ("id", "job", "task_id", "worker", "purpose", "state_shown", "price", "leased_at", "lease_ends_at")
    list_filter = ("state", "purpose", "leased_at")
    list_select_related = ("job", "worker")
    search_fields = ("id__exact", "task_id__exact", "worker_id__exact")
    search_help_text = gettext_lazy("The number of the assignment, the task or the worker.")
    readonly_fields = ("price", "fee")
    exclude = ("price_micros", "fee_micros")

    @admin.display(description=gettext_lazy("price"), ordering="price_micros")
    def price(self, assignment: models.Assignment) -> str:
        """Frozen when it was claimed."""
        return money(assignment.price_micros, assignment.job.currency)

    @admin.display(description=gettext_lazy("fee"))
    def fee(self, assignment: models.Assignment) -> str:
        """The platform's."""
        return money(assignment.fee_micros, assignment.job.currency)


@admin.register(models.Answer)
class AnswerAdmin(Hot):
    """What was submitted; never changed."""

    list_display = ("assignment_id", "job", "task_id", "worker", "label", "seconds", "submitted_at")
    list_filter = ("submitted_at",)
    list_select_related = ("job", "worker")
    search_fields = ("assignment_id__exact", "task_id__exact", "worker_id__exact")
    search_help_text = gettext_lazy("The number of the assignment, the task or the worker.")


@admin.register(models.Consensus)
class ConsensusAdmin(Hot):
    """What the engine believes."""

    list_display = ("task_id", "job", "state_shown", "label", "belief", "answers", "engine", "updated_at")
    list_filter = ("state", "engine", "calibrated")
    list_select_related = ("job",)
    search_fields = ("task_id__exact",)
    ordering = ("-task_id",)

    @admin.display(description=gettext_lazy("confidence"), ordering="confidence")
    def belief(self, consensus: models.Consensus) -> str:
        """As a percentage."""
        return _belief(consensus)


def _payload(payload: models.Payload | None) -> SafeString:
    """Pictures that lie in the payload itself are shown; addresses are not followed from here."""
    if payload is None:
        return format_html("–")
    content = payload.content if isinstance(payload.content, dict) else {"": payload.content}
    pictures = [value for value in content.values() if isinstance(value, str) and _PICTURE.match(value)]
    rest = {name: value for name, value in content.items() if value not in pictures}
    shown = format_html_join("", '<p><img src="{}" alt="" class="max-h-64"></p>', ((each,) for each in pictures))
    return format_html("{}{}", shown, pretty(rest) if rest else "")


def _belief(consensus: models.Consensus) -> str:
    return "–" if consensus.confidence is None else f"{100 * consensus.confidence:.1f} %"

"""What a worker's desk shows: the task in hand, and what was earned. Only reads; claiming and submitting are acts."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils.translation import gettext

from accounts.ledger.money import Money
from marketplace.api import ids
from marketplace.web.payloads import Part, parts
from tasks import queries
from tasks.models import Assignment, Guidelines, Job, Requirement

KEYS = 9
LIST_LENGTH = 24
"""More classes than this are offered as a list to choose from, fewer as buttons."""


@dataclass(frozen=True, slots=True)
class ClassButton:
    """One class of the schema; ``key`` is the key that presses it, or empty."""

    name: str
    title: str
    description: str
    key: str


@dataclass(frozen=True, slots=True)
class TaskInHand:
    """The task a worker holds, ready to be laid out. Gold or not, it is read and shown by the same lines."""

    assignment: str
    job_name: str
    price: Money
    lease_ends_at: datetime
    question: str
    classes: list[ClassButton]
    parts: list[Part]
    facts: list[Part]
    guidelines: str

    @property
    def long_list(self) -> bool:
        """Are there too many classes for buttons?"""
        return len(self.classes) > LIST_LENGTH


@dataclass(frozen=True, slots=True)
class Desk:
    """The page: a task, or the way to one. ``job`` is the public id of the only job the worker asked for, or empty."""

    task: TaskInHand | None
    answers: int
    earned: str
    job: str = ""
    job_name: str = ""
    job_description: str = ""


def desk_of(worker_id: int, job: Job | None, *, at: datetime) -> Desk:
    """The worker's desk at that time; ``job`` is the job they came for, if any."""
    answers, earned = _earnings(worker_id)
    return Desk(
        task=_in_hand(worker_id, at),
        answers=answers,
        earned=" + ".join(map(str, earned)) or str(Money(0, "USD")),
        job="" if job is None else ids.public("job", job.pk),
        job_name="" if job is None else job.name,
        job_description="" if job is None else job.description,
    )


def wanted_of(job: Job) -> list[str]:
    """What the job asks workers to be qualified in, in words."""
    asked = Requirement.objects.filter(eligibility=job.eligibility).select_related("domain").order_by("pk")
    return [
        gettext("%(domain)s, level %(level)d") % {"domain": one.domain.name, "level": one.level_min} for one in asked
    ]


def holds_a_task(worker_id: int, *, at: datetime) -> bool:
    """Has the worker a task in hand at that time?"""
    return _leases(worker_id, at).exists()


def _leases(worker_id: int, at: datetime) -> QuerySet[Assignment]:
    return Assignment.objects.filter(worker_id=worker_id, state=Assignment.State.LEASED, lease_ends_at__gt=at)


def _in_hand(worker_id: int, at: datetime) -> TaskInHand | None:
    """The lease that ends first."""
    held = _leases(worker_id, at).order_by("lease_ends_at", "pk").select_related("job", "task__payload").first()
    if held is None:
        return None
    schema = queries.label_schema(held.schema_id)
    shown = parts(held.task.payload.content)
    return TaskInHand(
        assignment=ids.public("asg", held.pk),
        job_name=held.job.name,
        price=Money(held.price_micros, held.job.currency),
        lease_ends_at=held.lease_ends_at,
        question=str(schema.definition.get("question", "")),
        classes=_buttons(schema) if schema.kind == "categorical" else [],
        parts=[part for part in shown if part.kind != "fact"],
        facts=[part for part in shown if part.kind == "fact"],
        guidelines=Guidelines.objects.values_list("text", flat=True).get(pk=held.guidelines_id),
    )


def _buttons(schema: queries.Schema) -> list[ClassButton]:
    classes = schema.definition["classes"]
    # Where the classes are digits, each has its own key: 1 for the second of "0, 1, 2" would only mislead.
    digits = all(len(each["title"]) == 1 and each["title"] in "0123456789" for each in classes)
    return [
        ClassButton(
            name=each["name"],
            title=each["title"],
            description=each.get("description", ""),
            key=each["title"] if digits else str(number) if number <= KEYS else "",
        )
        for number, each in enumerate(classes, start=1)
    ]


def _earnings(worker_id: int) -> tuple[int, list[Money]]:
    """How many answers the worker gave, and what they came to in each currency; rejected answers earn nothing."""
    given = Assignment.objects.filter(worker_id=worker_id, submitted_at__isnull=False)
    sums = given.values(currency=F("job__currency")).annotate(
        number=Count("pk"), micros=Sum("price_micros", filter=~Q(state=Assignment.State.REJECTED), default=0)
    )
    rows = sorted(sums, key=lambda row: str(row["currency"]))
    return sum(row["number"] for row in rows), [Money(row["micros"], row["currency"]) for row in rows]

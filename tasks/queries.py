"""What others may ask of the line. Frozen values; nothing here changes a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Q

from accounts.queries import moment
from tasks.labels.registry import KINDS
from tasks.models import AnswerFlag, Assignment, LabelSchema

MINUTES_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Schema:
    """A label schema version. ``classes`` is empty for kinds without classes."""

    schema_id: int
    job_id: int
    version: int
    kind: str
    definition: dict[str, Any]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as the line shows it. Tasks are counted without hidden gold; money in micros of ``currency``.

    ``accuracy_on_gold`` is the share of credit of the answers to its gold, None without any.
    """

    job_id: int
    organisation_id: int
    name: str
    domain: str
    state: str
    specialists_only: bool
    currency: str
    open: int
    waiting: int
    resolved: int
    contested: int
    answers: int
    gold_answers: int
    accuracy_on_gold: float | None
    funded_micros: int
    reserved_micros: int
    paid_micros: int
    fee_micros: int

    @property
    def tasks(self) -> int:
        """All its tasks that can still get or have a label."""
        return self.open + self.waiting + self.resolved + self.contested

    @property
    def escrow_micros(self) -> int:
        """What lies in its escrow now."""
        return self.funded_micros - self.paid_micros - self.fee_micros


@dataclass(frozen=True, slots=True)
class Spend:
    """Of all jobs in one currency, in micros: what lies in escrow, what workers earned, what the platform earned."""

    currency: str
    escrow_micros: int
    paid_micros: int
    fee_micros: int


@dataclass(frozen=True, slots=True)
class LineState:
    """The line at one moment. ``answers_per_minute`` holds the last half hour, oldest first."""

    jobs: tuple[JobLine, ...]
    spend: tuple[Spend, ...]
    answers_per_minute: tuple[int, ...]

    @property
    def tasks_open(self) -> int:
        """Tasks that ask for answers."""
        return sum(job.open for job in self.jobs)

    @property
    def tasks_waiting(self) -> int:
        """Tasks to be judged."""
        return sum(job.waiting for job in self.jobs)

    @property
    def tasks_resolved(self) -> int:
        """Tasks whose label stands."""
        return sum(job.resolved for job in self.jobs)

    @property
    def tasks_contested(self) -> int:
        """Tasks without consensus."""
        return sum(job.contested for job in self.jobs)

    @property
    def answers_total(self) -> int:
        """Answers to tasks, gold not counted."""
        return sum(job.answers for job in self.jobs)


def label_schema(schema_id: int) -> Schema:
    """The schema version of that id. Versions never change (a trigger sees to it), so this one may be remembered."""
    return _label_schema(connection.settings_dict["NAME"], schema_id)


@lru_cache(maxsize=4096)
def _label_schema(_database: str, schema_id: int) -> Schema:
    # By database too: one process of a replay or of the tests works in several, and each begins its ids at 1.
    row = LabelSchema.objects.get(pk=schema_id)
    classes = KINDS[row.kind].classes(row.definition) or []
    return Schema(row.pk, row.job_id, row.version, row.kind, row.definition, tuple(classes))


@dataclass(frozen=True, slots=True)
class Flagged:
    """A doubt that stands about one answer of a job, as its requester may know it: what, not why."""

    assignment_id: int
    kind: str
    flagged_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A lease that was taken back from its worker, and the reason, which is for them to read."""

    assignment_id: int
    job_id: int
    job: str
    reason: str
    ended_at: datetime


def flags_of(job_id: int) -> list[Flagged]:
    """The doubts about answers of a job that stand, as they were raised."""
    rows = AnswerFlag.objects.filter(job_id=job_id, cleared_at__isnull=True).order_by("pk")
    return [Flagged(*row) for row in rows.values_list("assignment_id", "kind", "flagged_at")]


def ended_lately(worker_id: int, *, hours: int = 24, at: datetime | None = None) -> list[Ended]:
    """The leases taken back from a worker within the last ``hours``, the last first; ten at most."""
    taken_back = Q(worker_id=worker_id, state=Assignment.State.EXPIRED) & ~Q(reason="")
    rows = Assignment.objects.filter(
        taken_back, ended_at__gt=moment(at) - timedelta(hours=hours), ended_at__lte=moment(at)
    )
    names = ("pk", "job_id", "job__name", "reason", "ended_at")
    return [Ended(*row) for row in rows.order_by("-ended_at", "-pk").values_list(*names)[:10]]


def scope_of(job_id: int) -> str:
    """The name under which the engine's parameters of a job are kept, one floor below."""
    return f"job:{job_id}"


JOB_LINES = """
  SELECT j.id, j.organisation_id, j.name, d.path, j.state,
         EXISTS (SELECT FROM tasks_requirement r WHERE r.eligibility_id = j.eligibility_id), j.currency,
         t.open, t.waiting, t.resolved, t.contested, t.answers, g.answers, g.credit,
         j.funded_micros, j.reserved_micros, coalesce(p.pay, 0)::bigint, coalesce(p.fee, 0)::bigint
  FROM tasks_job j JOIN qualification_domain d ON d.id = j.domain_id
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.state = 'open') AS open, count(*) FILTER (WHERE t.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE t.state = 'resolved') AS resolved,
           count(*) FILTER (WHERE t.state = 'contested') AS contested, coalesce(sum(t.answer_count), 0)::bigint AS answers
    FROM tasks_task t WHERE t.job_id = j.id AND t.gold_item_id IS NULL) t
  CROSS JOIN LATERAL (
    SELECT count(o.id) AS answers, avg(o.credit) AS credit FROM tasks_task t
    JOIN tasks_assignment a ON a.job_id = j.id AND a.task_id = t.id
    JOIN qualification_observation o ON o.source = 'gold' AND o.reference = a.id
    WHERE t.job_id = j.id AND t.gold_item_id IS NOT NULL) g
  CROSS JOIN LATERAL (
    SELECT sum(a.price_micros) AS pay, sum(a.fee_micros) AS fee FROM tasks_assignment a
    WHERE a.job_id = j.id AND a.state = 'settled') p
  WHERE (%(job)s::bigint IS NULL OR j.id = %(job)s)
    AND (%(organisations)s::bigint[] IS NULL OR j.organisation_id = ANY (%(organisations)s))
    AND (%(job)s::bigint IS NOT NULL OR j.state <> 'draft')
  ORDER BY j.state = 'closed', j.id DESC LIMIT %(limit)s"""


def job_lines(*, organisation_ids: list[int] | None = None, limit: int = 50) -> list[JobLine]:
    """Published jobs (of these organisations, or of all), newest first, closed ones last."""
    return _job_lines(None, organisation_ids, limit)


def job_line(job_id: int) -> JobLine | None:
    """One job, in whatever state."""
    return next(iter(_job_lines(job_id, None, 1)), None)


def _job_lines(job_id: int | None, organisation_ids: list[int] | None, limit: int) -> list[JobLine]:
    with connection.cursor() as cursor:
        cursor.execute(JOB_LINES, {"job": job_id, "organisations": organisation_ids, "limit": limit})
        return [JobLine(*row) for row in cursor.fetchall()]


def line_state(*, organisation_ids: list[int] | None = None, limit: int = 50) -> LineState:
    """The line as the public page shows it, or these organisations' part of it."""
    jobs = job_lines(organisation_ids=organisation_ids, limit=limit)
    spend = [
        Spend(
            currency,
            sum(job.escrow_micros for job in jobs if job.currency == currency),
            sum(job.paid_micros for job in jobs if job.currency == currency),
            sum(job.fee_micros for job in jobs if job.currency == currency),
        )
        for currency in sorted({job.currency for job in jobs})
    ]
    return LineState(tuple(jobs), tuple(spend), answers_per_minute())


def answers_per_minute() -> tuple[int, ...]:
    """Answers handed in a minute over the last half hour, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT floor(extract(epoch FROM clock_timestamp() - n.submitted_at) / 60)::int, count(*)
            FROM tasks_answer n WHERE n.submitted_at > clock_timestamp() - make_interval(mins => %s) GROUP BY 1""",
            [MINUTES_SHOWN],
        )
        counts = dict(cursor.fetchall())
    return tuple(counts.get(minute, 0) for minute in reversed(range(MINUTES_SHOWN)))

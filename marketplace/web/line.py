"""The line page: what is on the line right now, for everybody to see.

Everybody sees sums over the whole line, and how far the jobs that are open have got. What a job spends is shown to the
members who may read its money, and how its answers compare with gold only to those who may read its gold: a public
figure that moved with every answer to a gold task would tell the worker which tasks are gold.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from accounts.ledger import queries as books
from accounts.ledger.money import Money
from accounts.models import User
from marketplace.api import ids, policies
from marketplace.signon.assurance import assured
from marketplace.web.drawing import Segment, Spark, bar, spark
from tasks import queries
from tasks.models import Job

log = logging.getLogger(__name__)

LINE_SECONDS = 2
BOOKS_SECONDS = 30
"""However many people look, the line is counted every two seconds and the books are added up twice a minute."""
ANSWERING = frozenset({Job.State.LIVE.value, Job.State.PILOTING.value})


@dataclass(frozen=True, slots=True)
class Spent:
    """Money of one currency: what went to escrow, and what has been paid out of it."""

    spent: Money
    funded: Money
    paid: Money
    fees: Money

    @property
    def bar(self) -> list[Segment]:
        """For the drawing."""
        return bar([("spent", self.spent.micros)], max(1, self.funded.micros))

    @property
    def sentence(self) -> str:
        """For those who hear the drawing."""
        return gettext("%(spent)s spent of %(funded)s") % {"spent": self.spent, "funded": self.funded}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job as this reader may see it; money and accuracy are None where they may not."""

    public_id: str
    name: str
    domain: str
    state: str
    takes_answers: bool
    specialists_only: bool
    tasks: int
    judged: int
    answers: int
    bar: list[Segment]
    spent: Money | None
    funded: Money | None
    accuracy: str | None

    @property
    def sentence(self) -> str:
        """For those who hear the drawing."""
        return gettext("%(judged)s of %(tasks)s tasks judged") % {"judged": self.judged, "tasks": self.tasks}


@dataclass(frozen=True, slots=True)
class Books:
    """The trial balance: whether debits equal credits in every currency, and when that was added up."""

    at: datetime
    books: int
    balanced: bool
    sums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything on the page."""

    at: datetime
    line: queries.LineState
    answers: int
    spark: Spark
    money: list[Spent]
    books: Books
    jobs: list[JobRow]
    shows_more: bool


@require_safe
@never_cache
def line(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    return render(request, "line.html", {"view": _view(request)})


@require_safe
@never_cache
def line_now(request: HttpRequest) -> HttpResponse:
    """Only what changes. What is read aloud comes along once a minute, so that nobody is talked to without end."""
    view = _view(request)
    fresh = request.GET.get("minute") != f"{view.at:%H:%M}"
    return render(request, "line.html#now", {"view": view, "say": fresh})


def balance() -> Books:
    """The trial balance, added up at most every `BOOKS_SECONDS`."""
    return _remembered("line:books", _balance, BOOKS_SECONDS)


def _balance() -> Books:
    at = timezone.now()
    rows = books.trial_balance()
    debits: dict[str, int] = {}
    credit: dict[str, int] = {}
    for row in rows:
        debits[row.currency] = debits.get(row.currency, 0) + row.debit_micros
        credit[row.currency] = credit.get(row.currency, 0) + row.credit_micros
    sums = (f"{Money(debits[currency], currency)} = {Money(credit[currency], currency)}" for currency in sorted(debits))
    return Books(at, sum(row.books for row in rows), debits == credit, tuple(sums))


def _remembered[T](name: str, make: Callable[[], T], seconds: int) -> T:
    """What `make` gave at most ``seconds`` ago. Without a cache it is made each time: slower, but there."""
    try:
        found: T | None = cache.get(name)
        if found is not None:
            return found
        made = make()
        cache.set(name, made, seconds)
    except (RedisError, OSError):
        log.warning("the cache does not answer; the line is counted for every reader")
        return make()
    return made


def _view(request: HttpRequest) -> View:
    state = _remembered("line:state", queries.line_state, LINE_SECONDS)
    reader = _reader(request)
    rows = [_row(job, reader) for job in state.jobs if reader.sees(job)]
    return View(
        at=timezone.now(),
        line=state,
        answers=sum(_answers(job) for job in state.jobs),
        spark=spark(state.answers_per_minute),
        money=[_spent(spend) for spend in state.spend],
        books=balance(),
        jobs=sorted(rows, key=lambda row: not row.takes_answers),
        shows_more=any(row.spent is not None or row.accuracy is not None for row in rows),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who looks: the organisations whose jobs, money and gold they may read; ``all_*``: those of all."""

    jobs_of: frozenset[int] = frozenset()
    money_of: frozenset[int] = frozenset()
    gold_of: frozenset[int] = frozenset()
    all_jobs: bool = False
    all_money: bool = False
    all_gold: bool = False

    def sees(self, job: queries.JobLine) -> bool:
        """May they read the job's name and how far it has got?"""
        return job.state in ANSWERING or self.all_jobs or job.organisation_id in self.jobs_of


def _reader(request: HttpRequest) -> _Reader:
    if not isinstance(request.user, User):
        return _Reader()
    shown = assured(request)
    principal = policies.of_user(request.user, assured=shown)
    everything = request.user.is_superuser and shown
    return _Reader(
        jobs_of=frozenset(principal.with_right("jobs:read")),
        money_of=frozenset(principal.with_right("money:read")),
        gold_of=frozenset(principal.with_right("gold:read")),
        all_jobs=everything or bool(principal.platform),
        all_money=everything or bool(principal.platform & policies.DEPOSITING_ROLES),
        all_gold=everything or bool(principal.platform & policies.BUILDING_ROLES),
    )


def _row(job: queries.JobLine, reader: _Reader) -> JobRow:
    money = reader.all_money or job.organisation_id in reader.money_of
    gold = reader.all_gold or job.organisation_id in reader.gold_of
    accuracy = job.accuracy_on_gold if gold else None
    counts = [("resolved", job.resolved), ("contested", job.contested), ("waiting", job.waiting), ("open", job.open)]
    return JobRow(
        public_id=ids.public("job", job.job_id),
        name=job.name,
        domain=job.domain,
        state=str(Job.State(job.state).label).lower(),
        takes_answers=job.state in ANSWERING,
        specialists_only=job.specialists_only,
        tasks=job.tasks,
        judged=job.resolved + job.contested,
        answers=_answers(job),
        bar=bar(counts),
        spent=Money(job.paid_micros + job.fee_micros, job.currency) if money else None,
        funded=Money(job.funded_micros, job.currency) if money else None,
        accuracy=None if accuracy is None else f"{100 * accuracy:.1f}",
    )


def _answers(job: queries.JobLine) -> int:
    """All answers, hidden gold among them: a count that left gold out would stand still when a gold task is answered."""
    return job.answers + job.gold_answers


def _spent(spend: queries.Spend) -> Spent:
    spent = spend.paid_micros + spend.fee_micros
    return Spent(
        spent=Money(spent, spend.currency),
        funded=Money(spend.escrow_micros + spent, spend.currency),
        paid=Money(spend.paid_micros, spend.currency),
        fees=Money(spend.fee_micros, spend.currency),
    )

"""Exams: a worker shows on gold what they can do, and a pass grants a qualification.

An attempt freezes its items when it starts and ends at its time limit by the database's clock, whether or not anybody
looks: ``expire_attempts`` only writes down what is so already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import IntegrityError, connection, transaction

from accounts import people
from accounts.models import Organisation, Worker
from accounts.queries import instant
from accounts.refusals import Fault, Refusal
from qualification.granting import grant_qualification
from qualification.models import LEVEL_MAX, Attempt, Exam, GoldItem, GoldSet, Observation, Qualification
from qualification.observing import Seen, observe
from qualification.queries import canonical, credit

QUESTIONS_MAX = 200
_ROUNDING = 1e-9
"""Sums of credits are compared with this much tolerance, so that 0.7 + 0.1 reaches 0.8."""


class ExamRefused(Refusal):
    """The exam cannot be created like this."""


class ExamExists(Refusal):
    """There is an exam of this name already."""


class ExamClosed(Refusal):
    """This exam is closed."""


class GoldNotPublished(Refusal):
    """An exam needs a published gold set."""


class GoldSetNotUsable(Refusal):
    """An exam draws from gold of its own organisation or of the platform."""


class NotEnoughGold(Refusal):
    """The gold set has fewer items than the exam asks questions."""


class AttemptsUsedUp(Refusal):
    """You have used all your attempts at this exam."""


class NotAdmitted(Refusal):
    """A suspended worker cannot sit an exam."""


class AttemptNotOpen(Refusal):
    """This attempt is over."""


class AttemptExpired(Refusal):
    """The time for this attempt is up; it counts as used."""


class AnswersRefused(Refusal):
    """Some answers are to questions that were not asked."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that an exam may ask."""

    item_id: int
    difficulty: int


@transaction.atomic
def create_exam(
    *,
    name: str,
    gold_set: GoldSet,
    level: int = 1,
    questions: int = 10,
    pass_share: float = 0.8,
    time_limit_seconds: int = 1800,
    attempts_max: int = 2,
    valid_days: int = 365,
    organisation: Organisation | None = None,
) -> Exam:
    """Create an exam, open at once; passing grants ``level`` in the gold set's domain for ``valid_days``.

    Raises ExamRefused (naming the fields), GoldSetNotUsable, GoldNotPublished, NotEnoughGold, ExamExists.
    """
    bands = {
        "level": (level, 1, LEVEL_MAX),
        "questions": (questions, 1, QUESTIONS_MAX),
        "time_limit_seconds": (time_limit_seconds, 1, 86_400),
        "attempts_max": (attempts_max, 1, 100),
        "valid_days": (valid_days, 1, 3650),
    }
    faults = [
        Fault(f"/{field}", f"is not {low} to {high}")
        for field, (said, low, high) in bands.items()
        if not low <= said <= high
    ]
    if not 0 < pass_share <= 1:
        faults.append(Fault("/pass_share", "is not above 0 and up to 1"))
    if faults:
        raise ExamRefused(faults=faults)
    if gold_set.organisation_id not in {None, None if organisation is None else organisation.pk}:
        raise GoldSetNotUsable
    _candidates(gold_set.pk, questions)
    try:
        with transaction.atomic():
            return Exam.objects.create(
                organisation=organisation,
                domain_id=gold_set.domain_id,
                gold_set=gold_set,
                name=name,
                level=level,
                questions=questions,
                pass_share=pass_share,
                time_limit_seconds=time_limit_seconds,
                attempts_max=attempts_max,
                valid_days=valid_days,
            )
    except IntegrityError as error:
        raise ExamExists from error


def close_exam(exam: Exam) -> Exam:
    """Let nobody start the exam any more; open attempts may be finished."""
    return _set_open(exam, is_open=False)


def open_exam(exam: Exam) -> Exam:
    """Let workers start the exam again."""
    return _set_open(exam, is_open=True)


@transaction.atomic
def start_attempt(exam: Exam, worker: Worker, *, at: datetime | None = None) -> Attempt:
    """Begin a sitting, or return the one that is open.

    1. Hold the worker's row: one start at a time.
    2. An open attempt whose time is up has expired; another one is simply gone on with.
    3. Draw the items: see ``draw_items``. The draw can be repeated from the ids of exam, worker and attempt.

    Raises NotAdmitted, ExamClosed, AttemptsUsedUp, GoldNotPublished, NotEnoughGold.
    """
    held = people.hold(worker.pk)
    if held.state == Worker.State.SUSPENDED:
        raise NotAdmitted
    exam = Exam.objects.get(pk=exam.pk)
    now = instant(at)
    sat = Attempt.objects.filter(exam=exam, worker=held)
    _expire(sat.filter(state=Attempt.State.OPEN, ends_at__lte=now).values_list("pk", flat=True), now)
    standing = sat.filter(state=Attempt.State.OPEN).first()
    if standing is not None:
        return standing
    if not exam.open:
        raise ExamClosed
    if sat.count() >= exam.attempts_max:
        raise AttemptsUsedUp(attempts_max=exam.attempts_max)
    candidates = _candidates(exam.gold_set_id, exam.questions)
    attempt_id = _next_attempt_id()
    rng = np.random.default_rng([exam.pk, held.pk, attempt_id])
    return Attempt.objects.create(
        id=attempt_id,
        exam=exam,
        worker=held,
        item_ids=draw_items(candidates, _seen_by(held.pk, exam.gold_set_id), exam.questions, rng),
        started_at=now,
        ends_at=now + timedelta(seconds=exam.time_limit_seconds),
    )


def hand_in(attempt: Attempt, answers: Mapping[int, Any], *, at: datetime | None = None) -> Attempt:
    """Grade ``answers`` (item id -> label in its kind's normal form) and end the attempt.

    A label earns the weight of the accepted label that it equals; a question without an answer earns nothing. An item
    retired since the start counts as right, and is not observed. ``right`` is the credits earned, rounded down; the
    attempt is passed when they reach the exam's share of its questions, and then the qualification is granted.

    Raises AttemptNotOpen, AnswersRefused, and AttemptExpired, for which the attempt is marked (where the caller's own
    transaction is undone by the refusal, the sweep will mark it).
    """
    with transaction.atomic():
        people.hold(attempt.worker_id)
        attempts = Attempt.objects.select_for_update(no_key=True, of=("self",))
        held = attempts.select_related("exam", "worker").get(pk=attempt.pk)
        now = instant(at)
        if held.state != Attempt.State.OPEN:
            raise AttemptNotOpen(state=held.state)
        if now < held.ends_at:
            return _grade(held, answers, now)
        _expire([held.pk], now)
    # Outside the block, so that the refusal does not undo what it reports.
    raise AttemptExpired


@transaction.atomic
def expire_attempts(*, limit: int = 500, at: datetime | None = None) -> int:
    """Mark up to ``limit`` open attempts whose time is up; returns how many. Safe to run twice at once."""
    now = instant(at)
    over = Attempt.objects.filter(state=Attempt.State.OPEN, ends_at__lte=now).order_by("pk")
    return _expire(over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit], now)


def draw_items(
    candidates: Sequence[Candidate], seen: Collection[int], count: int, rng: np.random.Generator
) -> list[int]:
    """Draw ``count`` different items at random: unseen ones first, with difficulties in proportion to what there is.

    Each difficulty's items are shuffled and spread evenly over (0, 1]; the ``count`` that come first are taken, which
    is systematic sampling, and so within one item of proportional. Seen items fill up only what unseen ones leave.
    """
    fresh = _spread([one for one in candidates if one.item_id not in seen], rng)
    known = _spread([one for one in candidates if one.item_id in seen], rng)
    drawn = [*fresh, *known][:count]
    return [drawn[place] for place in rng.permutation(len(drawn))]


def _spread(candidates: Sequence[Candidate], rng: np.random.Generator) -> list[int]:
    """All items in an order whose every beginning has the difficulties in about their proportions."""
    placed: list[tuple[float, int]] = []
    for difficulty in sorted({one.difficulty for one in candidates}):
        items = sorted(one.item_id for one in candidates if one.difficulty == difficulty)
        offset = rng.random()
        order = rng.permutation(len(items))
        placed += [((rank + offset) / len(items), items[place]) for rank, place in enumerate(order)]
    return [item_id for _, item_id in sorted(placed)]


def _grade(attempt: Attempt, answers: Mapping[int, Any], now: datetime) -> Attempt:
    """Inside ``hand_in``'s transaction: credits, observations, the state, and the grant of a pass."""
    exam = attempt.exam
    strange = sorted(set(answers) - set(attempt.item_ids))
    if strange:
        raise AnswersRefused(faults=[Fault(f"/answers/{item_id}", "was not asked") for item_id in strange])
    usable = GoldItem.objects.filter(retired_at__isnull=True).in_bulk(attempt.item_ids)
    earned = {pk: credit(answers[pk], item.accepted) for pk, item in usable.items() if pk in answers}
    _observe(attempt, answers, usable, earned, now)
    total = sum(earned.values()) + len(attempt.item_ids) - len(usable)
    passed = total + _ROUNDING >= exam.pass_share * len(attempt.item_ids)
    attempt.state = Attempt.State.PASSED if passed else Attempt.State.FAILED
    attempt.answers = {str(item_id): label for item_id, label in answers.items()}
    attempt.right = int(total + _ROUNDING)
    attempt.finished_at = now
    attempt.save(update_fields=["state", "answers", "right", "finished_at"])
    if passed:
        grant_qualification(
            attempt.worker,
            exam.domain,
            level=exam.level,
            source=Qualification.Source.EXAM,
            attempt=attempt,
            organisation=exam.organisation,
            expires_at=now + timedelta(days=exam.valid_days),
            at=now,
        )
    return attempt


def _observe(
    attempt: Attempt,
    answers: Mapping[int, Any],
    items: Mapping[int, GoldItem],
    earned: Mapping[int, float],
    now: datetime,
) -> None:
    classes = _classes_of(attempt.exam.gold_set_id)
    rows = [
        Seen(
            worker_id=attempt.worker_id,
            domain_id=attempt.exam.domain_id,
            difficulty=items[item_id].difficulty,
            source=Observation.Source.EXAM,
            gold_item_id=item_id,
            reference=attempt.pk,
            true_class=items[item_id].class_index,
            said_class=classes.get(canonical(answers[item_id])),
            credit=share,
        )
        for item_id, share in earned.items()
    ]
    observe(rows, at=now)


def _classes_of(gold_set_id: int) -> dict[str, int]:
    """Which class each label is, as far as the set's own single answers tell: this floor knows no label kinds."""
    rows = GoldItem.objects.filter(gold_set_id=gold_set_id)
    found: dict[str, int] = {}
    for accepted, class_index in rows.values_list("accepted", "class_index"):
        best = max(accepted, key=lambda one: one.get("weight", 1.0))
        if class_index is not None:
            found[canonical(best["label"])] = class_index
    return found


def _candidates(gold_set_id: int, questions: int) -> list[Candidate]:
    """The items that may be asked. Raises GoldNotPublished, NotEnoughGold."""
    if not GoldSet.objects.filter(pk=gold_set_id, state=GoldSet.State.PUBLISHED).exists():
        raise GoldNotPublished
    rows = GoldItem.objects.filter(gold_set_id=gold_set_id, retired_at__isnull=True).order_by("pk")
    candidates = [Candidate(*row) for row in rows.values_list("pk", "difficulty")]
    if len(candidates) < questions:
        raise NotEnoughGold(
            f"The gold set has {len(candidates)} items; the exam asks {questions}.", items=len(candidates)
        )
    return candidates


def _seen_by(worker_id: int, gold_set_id: int) -> set[int]:
    """The items of this set that the worker met before, in any exam or hidden in work."""
    asked = Attempt.objects.filter(worker_id=worker_id, exam__gold_set_id=gold_set_id).values_list(
        "item_ids", flat=True
    )
    met = Observation.objects.filter(worker_id=worker_id, gold_item__gold_set_id=gold_set_id)
    return {item_id for items in asked for item_id in items} | set(met.values_list("gold_item_id", flat=True))


def _expire(attempt_ids: Collection[int], now: datetime) -> int:
    over = Attempt.objects.filter(pk__in=list(attempt_ids), state=Attempt.State.OPEN)
    return over.update(state=Attempt.State.EXPIRED, finished_at=now)


def _set_open(exam: Exam, *, is_open: bool) -> Exam:
    Exam.objects.filter(pk=exam.pk).update(open=is_open)
    exam.open = is_open
    return exam


def _next_attempt_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('qualification_attempt', 'id'))")
        (attempt_id,) = cursor.fetchone()
    return int(attempt_id)

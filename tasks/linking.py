"""Accounts that are one person answer each task once between them: linking them, and parting them again.

Accounts linked to each other get a person id of their own, and those parted get one each; none is ever given twice. New
leases are written under the person; old rows keep the id they were written under, and ``Worker.earlier_persons``
remembers it, so that a claim looks for all of them. Linking locks the workers the way claims do, in order of id: a claim
comes before it or sees it. Links are made one by one, since two that share an account make one person of three.

Nobody's work is stopped and nobody's pay is touched by this, and a person can undo it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from accounts import matching
from accounts.audit import acting
from accounts.models import Block, LinkCase, Signal, User, Worker
from accounts.people import standing_changed
from accounts.queries import instant
from accounts.refusals import Refusal

SWEEP = "sweep:link_signals"


class CaseDecided(Refusal):
    """This case was decided that way before."""


class OwnCase(Refusal):
    """This case is about an account of yours: somebody else decides it."""


class LinkNeedsReason(Refusal):
    """Say why; whoever looks at the case next will read it."""


def link_signals(*, limit: int = 1_000, at: datetime | None = None) -> int:
    """Compare what was newly seen of workers and link the accounts that share enough; returns how many were compared."""
    with acting(SWEEP):
        _one_by_one()
        compared, strong = matching.compare_signals(limit=limit, at=at)
        # All of them before the first task is locked, as a claim does.
        _hold(_component({worker for case in strong for worker in (case.first_id, case.second_id)}))
        for case in strong:
            _link(case, decided_by=None, reason="They share " + _said(case) + ".", now=instant(at))
    return compared


@transaction.atomic
def link_workers(case: LinkCase, *, decided_by: User, reason: str, at: datetime | None = None) -> LinkCase:
    """Somebody finds that the two are one person. Raises OwnCase, CaseDecided, LinkNeedsReason."""
    _one_by_one()
    _check(case, reason, LinkCase.State.LINKED, decided_by)
    with acting(f"user:{decided_by.pk}"):
        _link(case, decided_by=decided_by, reason=reason, now=instant(at))
    return case


@transaction.atomic
def part_workers(case: LinkCase, *, decided_by: User, reason: str, at: datetime | None = None) -> LinkCase:
    """Somebody finds that the two are not one person; what linked them is undone. Raises OwnCase, CaseDecided, LinkNeedsReason."""
    _one_by_one()
    _check(case, reason, LinkCase.State.APART, decided_by)
    with acting(f"user:{decided_by.pk}"):
        now = instant(at)
        _decide(case, LinkCase.State.APART, decided_by, reason, now)
        _settle_persons(_component({case.first_id, case.second_id}), now)
    return case


def _one_by_one() -> None:
    """Wait for whoever links or parts accounts now: which accounts hang together is looked at after them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tasks.linking'), 0)")


def _hold(workers: Iterable[int]) -> None:
    """Keep the claims of these workers out."""
    with connection.cursor() as cursor:
        for worker_id in sorted(workers):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [worker_id])


def _check(case: LinkCase, reason: str, state: str, decided_by: User) -> None:
    if Worker.objects.filter(pk__in=[case.first_id, case.second_id], user=decided_by).exists():
        raise OwnCase
    if not reason.strip():
        raise LinkNeedsReason
    case.refresh_from_db()
    if case.state == state:
        raise CaseDecided


def _link(case: LinkCase, *, decided_by: User | None, reason: str, now: datetime) -> None:
    _decide(case, LinkCase.State.LINKED, decided_by, reason, now)
    _settle_persons(_component({case.first_id, case.second_id}), now)


def _decide(case: LinkCase, state: str, decided_by: User | None, reason: str, now: datetime) -> None:
    facts = {"state": state, "decided_by": decided_by, "reason": reason, "decided_at": now}
    # Compare and set: of two who decide at once, the second is told.
    if LinkCase.objects.filter(pk=case.pk, state=case.state).update(**facts) != 1:
        raise CaseDecided
    for name, value in facts.items():
        setattr(case, name, value)


def _component(workers: set[int]) -> set[int]:
    """These workers and all who were ever linked to them, in however many steps: whoever's person may have to move."""
    seen = set(workers)
    while True:
        persons = Worker.objects.filter(pk__in=seen).values_list("person_id", flat=True)
        more = set(Worker.objects.filter(person_id__in=list(persons)).values_list("pk", flat=True))
        linked = LinkCase.objects.filter(Q(first__in=seen) | Q(second__in=seen), state=LinkCase.State.LINKED)
        for pair in linked.values_list("first_id", "second_id"):
            more.update(pair)
        if more <= seen:
            return seen
        seen |= more


DOUBLE = """
  SELECT a.id, a.task_id FROM tasks_assignment a
  WHERE a.state = 'leased' AND a.worker_id = ANY (%(workers)s) AND EXISTS (
    SELECT FROM tasks_assignment b
    WHERE b.job_id = a.job_id AND b.task_id = a.task_id AND b.round = a.round AND b.worker_id = ANY (%(workers)s)
      AND b.worker_id <> a.worker_id AND b.state NOT IN ('returned', 'expired') AND (b.state <> 'leased' OR b.id < a.id))"""

END = """
  WITH held AS MATERIALIZED (SELECT t.id FROM tasks_task t WHERE t.id = ANY (%(tasks)s) ORDER BY t.id FOR UPDATE),
  ended AS (
    UPDATE tasks_assignment a SET state = 'expired', ended_at = %(at)s, reason = %(reason)s
    FROM held h WHERE a.task_id = h.id AND a.id = ANY (%(ids)s) AND a.state = 'leased' RETURNING a.task_id)
  UPDATE tasks_task t SET leased_count = t.leased_count - e.n
  FROM (SELECT task_id, count(*)::int AS n FROM ended GROUP BY task_id) e WHERE t.id = e.task_id"""


def _settle_persons(workers: set[int], now: datetime) -> None:
    """Give these workers the persons that the linked cases among them make of them, where that changes anything."""
    _hold(workers)
    linked = LinkCase.objects.filter(first__in=workers, second__in=workers, state=LinkCase.State.LINKED)
    after = components(workers, linked.values_list("first_id", "second_id"))
    held = {worker.pk: worker for worker in Worker.objects.select_for_update(no_key=True).filter(pk__in=workers)}
    for lowest in sorted(set(after.values())):
        union = {worker_id for worker_id, root in after.items() if root == lowest}
        before = {held[worker_id].person_id for worker_id in union}
        sharing = {worker_id for worker_id in workers if held[worker_id].person_id in before}
        if union != sharing or len(before) > 1:
            _become_one([held[worker_id] for worker_id in sorted(union)], now)


def _become_one(workers: list[Worker], now: datetime) -> None:
    """A new person of these workers; the ids under which any of them ever answered hold for them all."""
    answered = {one for worker in workers for one in (*worker.earlier_persons, worker.person_id) if one is not None}
    ids = [worker.pk for worker in workers]
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('accounts_person')")
        (person_id,) = cursor.fetchone()
        Worker.objects.filter(pk__in=ids).update(person_id=person_id, earlier_persons=sorted(answered))
        Block.objects.filter(worker_id__in=ids).update(person_id=person_id)
        for worker_id in ids:
            standing_changed(worker_id)
        cursor.execute(DOUBLE, {"workers": ids})
        double = cursor.fetchall()
        if double:
            reason = "You hold or answered this task from another account."
            held, tasks = [one for one, _ in double], [task for _, task in double]
            cursor.execute(END, {"ids": held, "tasks": tasks, "at": now, "reason": reason})


def components(workers: Collection[int], pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """For each worker the lowest worker it is linked to, itself included."""
    lowest = {worker: worker for worker in workers}

    def root(worker: int) -> int:
        while lowest[worker] != worker:
            worker = lowest[worker]
        return worker

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        lowest[high] = low
    return {worker: root(worker) for worker in workers}


def _said(case: LinkCase) -> str:
    titles = dict(Signal.Kind.choices)
    return " and ".join(sorted(titles[kind].lower() for kind in case.kinds))

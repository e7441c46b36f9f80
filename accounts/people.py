"""Workers: how they come in, and how they are stopped and let on again.

====================  =====================================  ========================
state                 moves to                               by
====================  =====================================  ========================
active                paused                                 the worker
paused                active                                 the worker
active, paused        suspended                              staff, with a reason
suspended             active                                 staff
====================  =====================================  ========================

A claim reads the state in its own statement, so each of these holds from the next claim on.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts import seats
from accounts.audit import acting
from accounts.models import User, Worker
from accounts.queries import moment
from accounts.refusals import Refusal

log = logging.getLogger(__name__)

REASON_MAX = 500


class AlreadyAWorker(Refusal):
    """You are registered as a worker already."""


class WorkerNotInState(Refusal):
    """The worker's state does not allow this now."""


class OwnSuspension(Refusal):
    """Nobody lifts their own suspension: somebody else decides about yours."""


class ReasonMissing(Refusal):
    """Say why: a reason is needed for this."""


def register_worker(user: User, *, name: str, at: datetime | None = None) -> Worker:
    """Make ``user`` a worker, known by ``name``.

    Raises AlreadyAWorker; of two at once, one gets it.
    """
    try:
        with transaction.atomic():
            return Worker.objects.create(user=user, name=name, created_at=moment(at))
    except IntegrityError as error:
        raise AlreadyAWorker from error


def register_model(name: str, *, actor: str) -> Worker:
    """Register a version of a model as a worker: unpaid, without a user, let in only by jobs that allow models."""
    with acting(actor):
        return Worker.objects.create(name=name, kind=Worker.Kind.MODEL)


def pause_worker(worker: Worker) -> Worker:
    """The worker takes a break: no claims until they unpause. Raises WorkerNotInState."""
    return _move(worker, [Worker.State.ACTIVE], Worker.State.PAUSED)


def unpause_worker(worker: Worker) -> Worker:
    """The worker is back from a break. Raises WorkerNotInState."""
    return _move(worker, [Worker.State.PAUSED], Worker.State.ACTIVE)


def suspend_worker(worker: Worker, *, reason: str, actor: str) -> Worker:
    """Staff stops a worker. What was earned stays earned; leases run out by themselves.

    The move is in the audit under ``actor``; the worker reads the reason with every claim that is refused for it.
    Raises ReasonMissing, WorkerNotInState.
    """
    reason = reason.strip()[:REASON_MAX]
    if not reason:
        raise ReasonMissing
    with acting(actor):
        moved = _move(worker, [Worker.State.ACTIVE, Worker.State.PAUSED], Worker.State.SUSPENDED, reason)
    # Never the reason: it is about a person, and no erasure reaches a log.
    log.warning("worker %s suspended by %s", worker.pk, actor)
    return moved


def resume_worker(worker: Worker, *, actor: str) -> Worker:
    """Staff lets a suspended worker on again; the reason goes with the suspension.

    Raises OwnSuspension, WorkerNotInState.
    """
    if worker.user_id is not None and actor == f"user:{worker.user_id}":
        raise OwnSuspension
    with acting(actor):
        return _move(worker, [Worker.State.SUSPENDED], Worker.State.ACTIVE)


def deactivate_user(user: User, *, actor: str) -> User:
    """Close an account: its sessions and keys open nothing from the next request on. What they did stays on record.

    An organisation whose last owner this is waits for an admin to name another. Raises LastAdmin.
    """
    with acting(actor):
        seats.keep_an_admin(user)
        return _set_active(user, actor, is_active=False)


def activate_user(user: User, *, actor: str) -> User:
    """Open a closed account again, with the keys that were not revoked."""
    return _set_active(user, actor, is_active=True)


def hold(worker_id: int) -> Worker:
    """Lock the worker's row until the transaction ends, so that what changes their standing happens one by one.

    References to the worker are not kept waiting. Raises Worker.DoesNotExist.
    """
    return Worker.objects.select_for_update(no_key=True, of=("self",)).get(pk=worker_id)


def standing_changed(worker_id: int) -> None:
    """Tell claiming that this worker's qualifications are not what they were: the next claim looks again."""
    Worker.objects.filter(pk=worker_id).update(standing_epoch=F("standing_epoch") + 1)


@transaction.atomic
def _move(worker: Worker, froms: list[Worker.State], to: Worker.State, reason: str = "") -> Worker:
    # Compare and set: anything but one row means that somebody else was first.
    if Worker.objects.filter(pk=worker.pk, state__in=froms).update(state=to, state_reason=reason) != 1:
        worker.refresh_from_db()
        raise WorkerNotInState(f"The worker is {worker.get_state_display().lower()}.", state=worker.state)
    worker.state, worker.state_reason = to, reason
    return worker


def _set_active(user: User, actor: str, *, is_active: bool) -> User:
    with acting(actor):
        User.objects.filter(pk=user.pk).update(is_active=is_active)
    user.is_active = is_active
    return user

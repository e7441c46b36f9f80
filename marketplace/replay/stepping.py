"""Playing a script: recorded workers claim and answer one after the other, and the sweeps are stepped in between.

Time plays no part. A worker is offered only the task that they answered. An answer to a task that takes none right now
waits: should judging open the task again, the waiting answers come first, in their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace import sweeps
from marketplace.replay.dataset import Dataset, Recorded
from marketplace.replay.script import Script
from marketplace.replay.staging import ACTOR, Posted, enrol
from tasks import claiming, closing, judging, submitting
from tasks.models import Task

STEP_LEAST = 50
STEPS = 100
"""The sweeps are stepped about this often in a replay, though not before STEP_LEAST further answers."""


@dataclass(slots=True)
class Player:
    """Plays one script against one posted job. ``tell`` hears how many of the recorded answers have been dealt with."""

    dataset: Dataset
    script: Script
    posted: Posted
    tell: Callable[[int], None]
    answered: int = 0
    refused: int = 0
    _workers: dict[str, int] = field(default_factory=dict)
    _room: dict[str, int] = field(default_factory=dict)
    _to_come: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, deque[Recorded]] = field(default_factory=lambda: defaultdict(deque))
    _ended: set[str] = field(default_factory=set)

    def play(self) -> None:
        """Deal with every recorded answer, then let the line come to rest, and close the job."""
        self._look_for_room()
        self._to_come = self.script.recorded()
        every = max(STEP_LEAST, len(self.script.events) // STEPS)
        since = 0
        for dealt, event in enumerate(self.script.events, start=1):
            self._to_come[event.item] -= 1
            if self._to_come[event.item] == 0:
                self._ended.add(event.item)
            if self._room.get(event.item, 0) > 0:
                self._answer(event)
                since += 1
            elif event.item in self._room:
                self._waiting[event.item].append(event)
            if since >= every:
                since = 0
                self._step()
            self.tell(dealt)
        while self._step():
            pass
        job = self.posted.job
        judging.refit_job(job.pk)
        closing.close_job(job, actor=ACTOR)
        while any(sweeps.step_all().values()):
            pass

    def _answer(self, event: Recorded) -> None:
        """The recorded worker claims the task, and no other, and says what they said."""
        if event.worker not in self._workers:
            self._workers[event.worker] = enrol(event.worker, len(self._workers) + 1)
        worker_id, task_id = self._workers[event.worker], self.posted.task_of[event.item]
        try:
            lease = claiming.claim_tasks(worker_id, only=[task_id])[0]
        except claiming.NothingToClaim:
            self.refused += 1
            return
        label = self.dataset.label(event.class_index)
        submitting.submit_answer(worker_id, submitting.Submission(lease.assignment_id, label))
        self._room[event.item] -= 1
        self.answered += 1

    def _step(self) -> bool:
        """Step every sweep once, judge what can get no more answers, and hand in what waits; whether anything moved."""
        moved = any(sweeps.step_all().values())
        ended = [item for item in sorted(self._ended) if not self._waiting.get(item)]
        moved |= judging.judge_waiting(exhausted=[self.posted.task_of[item] for item in ended]).moved > 0
        # A task whose answers are in is judged by the sweep, and may open again; only a judged one is done with.
        self._look_for_room()
        self._ended &= self._room.keys()
        for item in sorted(self._waiting.keys() & self._room.keys()):
            queue = self._waiting[item]
            while queue and self._room[item] > 0:
                self._answer(queue.popleft())
                moved = True
        return moved

    def _look_for_room(self) -> None:
        """Ask the line how many slots each task has free that is not judged yet."""
        unjudged = Task.objects.filter(job=self.posted.job, state__in=[Task.State.OPEN, Task.State.WAITING])
        item_of = self.posted.item_of
        self._room = {
            item_of[task_id]: needed - leased - answers if state == Task.State.OPEN else 0
            for task_id, state, needed, leased, answers in unjudged.values_list(
                "pk", "state", "slots_needed", "leased_count", "answer_count"
            )
        }

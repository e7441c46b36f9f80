"""The whole line in one story: Dora posts, Ada and others answer, everybody is paid, the release leads back to all."""

import json

import pytest
from django.db import connection

from accounts.ledger import drafts
from accounts.ledger import proofs as ledger_proofs
from accounts.ledger import queries as books
from accounts.ledger.models import BooksKind
from accounts.ledger.money import Money
from accounts.queries import pseudonym_of
from marketplace import sweeps
from qualification import examining
from qualification.models import Qualification
from tasks import claiming, closing, releasing, submitting
from tasks.models import Job, Task
from tasks.proofs import LINE_PROOFS
from tests import build
from tests.build import CAT, DOG, UNIT
from tests.world import World, a_world


def answer_all(worker_id: int, says: dict[str, dict[str, str]]) -> int:
    """Claim and answer until nothing is left; ``says`` is what to answer by the text of the task."""
    given = 0
    while True:
        try:
            leases = claiming.claim_tasks(worker_id, count=5)
        except claiming.NothingToClaim:
            return given
        for lease in leases:
            label = says.get(json.loads(lease.payload)["text"], CAT)
            submitting.submit_answer(worker_id, submitting.Submission(lease.assignment_id, label))
            given += 1


def test_a_job_runs_from_the_first_deposit_to_a_release_that_can_be_defended(committed_db: str) -> None:
    world: World = a_world()
    north = world.north
    job = build.a_live_job(
        north, domain=world.radiology, requirements=((world.radiology.pk, 2),), slots=2, price_micros=UNIT, fee_bp=2_500,
        budget_micros=100 * UNIT,
    )  # fmt: skip
    tasks = build.some_tasks(job, 4)
    dogs = {tasks[0].payload.content["text"]: DOG}

    # Ben wants to work, is told what is missing, sits the exam, and passes.
    with pytest.raises(claiming.NotQualified):
        claiming.claim_tasks(world.ben.pk, job_id=job.pk)
    attempt = examining.start_attempt(world.exam, world.ben)
    right = {item.pk: item.accepted[0]["label"] for item in world.gold.items.all()}
    examining.hand_in(attempt, {item_id: right[item_id] for item_id in attempt.item_ids})
    granted = Qualification.objects.get(worker=world.ben)

    # Both label everything; Chen, suspended, may not; the requester's own people may not.
    given = [answer_all(worker.pk, dogs) for worker in (world.ada, world.ben)]
    with pytest.raises(claiming.WorkerSuspended):
        claiming.claim_tasks(world.chen.pk)
    sweeps.step_all()

    closing.close_job(Job.objects.get(pk=job.pk), actor=f"user:{world.dora.pk}")
    release = releasing.seal_release(Job.objects.get(pk=job.pk), actor=f"user:{world.dora.pk}")

    assert granted.level == 2
    assert given == [4, 4]
    assert set(Task.objects.filter(job=job).values_list("state", flat=True)) == {"resolved"}
    assert [books.balance(drafts.payable(one.pk, "USD")) for one in (world.ada, world.ben)] == [
        Money(4 * UNIT, "USD")
    ] * 2
    assert books.balance(drafts.platform(BooksKind.FEE_REVENUE, "USD")) == Money(2 * UNIT, "USD")
    assert books.balance(drafts.wallet(north.pk, "USD")) == Money(90 * UNIT, "USD")
    assert books.balance(drafts.escrow(job.pk, "USD")) == Money(0, "USD")
    rows = [json.loads(line) for line in bytes(release.files.get(name="data.jsonl").content).splitlines()]
    assert len(rows) == 4
    said = json.dumps(rows)
    assert all(pseudonym_of(north, worker.pk) in said for worker in (world.ada, world.ben))
    assert pseudonym_of(world.south, world.ada.pk) not in said
    assert world.ada.name not in said
    with connection.cursor() as cursor:
        assert ledger_proofs.run([*ledger_proofs.PROOFS, *LINE_PROOFS], cursor) == []

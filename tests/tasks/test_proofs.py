"""The proofs of the line: silent on a line that is right, and each names its own fault once it is planted."""

from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.ledger import proofs as ledger_proofs
from tasks import grading, judging, releasing, reviewing, settling
from tasks.models import Job
from tasks.proofs import LINE_PROOFS
from tests import build

pytestmark = pytest.mark.usefixtures("committed_db")

TABLES = ("job", "task", "assignment", "answer", "consensus", "release", "releasefile")

PLANTED: dict[str, str] = {
    "line_slots_agree": "UPDATE tasks_task SET leased_count = 0 WHERE leased_count = 1",
    "line_one_answer_a_person": "DROP INDEX one_answer_a_person; UPDATE tasks_assignment SET person_id = 1",
    "line_answers_have_assignments": "DELETE FROM tasks_answer WHERE assignment_id IN (SELECT min(id) FROM tasks_assignment)",
    "line_grants_were_valid": "UPDATE tasks_assignment SET grant_id = NULL WHERE grant_id IS NOT NULL",
    "line_settled_is_paid_once": "UPDATE tasks_assignment SET price_micros = price_micros - 1 WHERE state = 'settled'",
    "line_settles_within_a_minute": "UPDATE tasks_assignment SET review_ends_at = review_ends_at - interval '1 hour' "
    "WHERE state = 'submitted'",
    "line_escrow_agrees": "UPDATE tasks_job SET funded_micros = funded_micros + 1",
    "line_slots_are_reserved": "UPDATE tasks_job SET reserved_micros = reserved_micros + 1",
    "line_judged_tasks_have_consensus": "UPDATE tasks_consensus SET state = 'running' WHERE state = 'final'",
    "line_waiting_tasks_are_full": "UPDATE tasks_task SET state = 'waiting' WHERE state = 'open' AND gold_item_id IS NULL",
    "line_gold_is_graded": "UPDATE tasks_assignment SET worker_id = (SELECT max(id) FROM accounts_worker) "
    "WHERE purpose = 'calibration'",
    "line_links_lead_somewhere": "UPDATE tasks_assignment SET guidelines_id = 1000000",
    "line_releases_are_unchanged": "UPDATE tasks_releasefile SET content = set_byte(content, 0, 33)",
}


@pytest.fixture
def line(committed_db: str) -> Job:
    """A job with every kind of row: settled, reviewed, submitted and leased answers, graded gold, a sealed release."""
    domain = build.a_domain()
    gold_set = build.a_gold_set(domain, items=2)
    job = build.a_live_job(domain=domain, slots=2, requirements=((domain.pk, 1),), review_window_seconds=0)
    workers = [build.a_worker() for _ in range(3)]
    for worker in workers:
        build.a_qualification(worker, domain)
    judged, half, leased = build.some_tasks(job, 3)
    [gold, _] = build.gold_tasks(job, gold_set)
    for worker in workers[:2]:
        build.an_answer(judged, worker=worker)
    build.an_answer(gold, worker=workers[0])
    judging.judge_waiting()
    grading.grade_gold()
    reviewing.accept_due()
    settling.settle_due()
    build.an_answer(half, worker=workers[0])
    build.a_lease(leased, worker=workers[1])
    releasing.seal_release(job, actor="user:1")
    return job


def findings() -> dict[str, ledger_proofs.Finding]:
    with connection.cursor() as cursor:
        return {one.name: one for one in ledger_proofs.run([*ledger_proofs.PROOFS, *LINE_PROOFS], cursor)}


def test_a_right_line_has_no_findings(line: Job) -> None:
    assert findings() == {}


@pytest.mark.parametrize("name", [proof.name for proof in LINE_PROOFS])
def test_each_proof_finds_what_it_is_for(line: Job, owner_connection: psycopg.Connection[Any], name: str) -> None:
    for table in TABLES:
        owner_connection.execute(f"ALTER TABLE tasks_{table} DISABLE TRIGGER USER")

    owner_connection.execute(PLANTED[name])

    assert name in findings()

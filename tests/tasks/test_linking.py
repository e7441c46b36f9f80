"""Accounts of one person answer each task once between them."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest

from accounts import matching
from accounts.models import AuditRow, LinkCase, Worker
from tasks import claiming, linking, submitting
from tasks.claiming import NothingToClaim
from tasks.models import Answer, Assignment
from tests import build
from tests.races import at_once, waits_for

SHARED = [("device", "laptop"), ("address", "192.0.2.0/24")]


def two_that_share() -> tuple[Worker, Worker]:
    """Two workers with a device and an address in common."""
    one, two = build.a_worker(), build.a_worker()
    for worker in (one, two):
        matching.note_signals(worker.pk, SHARED)
    return one, two


def person_of(worker: Worker) -> tuple[int | None, list[int]]:
    """Their person now, and the ids they may have answered under."""
    worker.refresh_from_db()
    return worker.person_id, worker.earlier_persons


@pytest.mark.django_db
def test_accounts_that_share_enough_become_one_person() -> None:
    one, two = two_that_share()

    assert linking.link_signals() == 4

    person, earlier = person_of(one)
    assert person_of(two) == (person, earlier)
    assert person not in {one.pk, two.pk}
    assert earlier == [one.pk, two.pk]
    case = LinkCase.objects.get()
    assert (case.state, case.reason) == ("linked", "They share address block and device.")
    assert case.decided_by is None
    assert AuditRow.objects.filter(subject="accounts_worker", subject_id=two.pk, actor=linking.SWEEP).exists()


def test_two_links_made_at_once_that_share_an_account_make_one_person_of_all(committed_db: str) -> None:
    for _ in range(5):
        one, two, three, admin = build.a_worker(), build.a_worker(), build.a_worker(), build.a_user()
        cases = [
            LinkCase.objects.create(first=first, second=second, score=0.65, kinds={"device": 1})
            for first, second in ((one, two), (two, three))
        ]

        at_once([partial(linking.link_workers, case, decided_by=admin, reason="The same.") for case in cases])

        assert len({person_of(worker)[0] for worker in (one, two, three)}) == 1


@pytest.mark.django_db
def test_linking_stops_nobody() -> None:
    one, two = two_that_share()
    linking.link_signals()

    build.some_tasks(build.a_live_job(slots=2), 4)

    assert len(claiming.claim_tasks(one.pk, count=2)) == 2
    assert len(claiming.claim_tasks(two.pk, count=2)) == 2


@pytest.mark.django_db
def test_what_one_account_answered_the_other_is_not_given_before_or_after_the_link() -> None:
    one, two = two_that_share()
    first, second, third = build.some_tasks(build.a_live_job(slots=3), 3)
    build.an_answer(first, worker=one)
    build.an_answer(second, worker=two)
    linking.link_signals()
    build.an_answer(third, worker=two)

    for worker in (one, two):
        with pytest.raises(NothingToClaim):
            claiming.claim_tasks(worker.pk)


@pytest.mark.django_db
def test_of_two_leases_on_one_task_the_link_ends_the_later() -> None:
    one, two = two_that_share()
    [task] = build.some_tasks(build.a_live_job(slots=3), 1)
    kept, ended = build.a_lease(task, worker=one), build.a_lease(task, worker=two)

    linking.link_signals()

    kept.refresh_from_db()
    ended.refresh_from_db()
    task.refresh_from_db()
    assert (kept.state, ended.state, task.leased_count) == ("leased", "expired", 1)
    assert "another account" in ended.reason


@pytest.mark.django_db
def test_a_person_parted_again_answers_as_two_but_never_what_either_did_together() -> None:
    one, two = two_that_share()
    [together] = build.some_tasks(build.a_live_job(slots=3), 1)
    linking.link_signals()
    build.an_answer(together, worker=one)

    linking.part_workers(LinkCase.objects.get(), decided_by=build.a_user(), reason="Sisters with one computer.")

    assert person_of(one)[0] != person_of(two)[0]
    with pytest.raises(NothingToClaim):
        claiming.claim_tasks(two.pk)
    [apart] = build.some_tasks(together.job, 1)
    build.an_answer(apart, worker=one)
    build.an_answer(apart, worker=two)


@pytest.mark.django_db
def test_who_was_parted_is_not_linked_again_by_the_sweep() -> None:
    one, two = two_that_share()
    linking.link_signals()
    linking.part_workers(LinkCase.objects.get(), decided_by=build.a_user(), reason="Sisters.")

    for worker in (one, two):
        matching.note_signals(worker.pk, [("document", "x")])
    linking.link_signals()

    assert person_of(one)[0] != person_of(two)[0]


@pytest.mark.django_db
def test_a_person_decides_once_and_says_why() -> None:
    one, two = build.a_worker(), build.a_worker()
    case = LinkCase.objects.create(first=one, second=two, score=0.65, kinds={"device": 1})
    staff = build.a_user()

    with pytest.raises(linking.LinkNeedsReason):
        linking.link_workers(case, decided_by=staff, reason=" ")
    linking.link_workers(case, decided_by=staff, reason="Same voice on the phone.")
    assert person_of(two)[0] == person_of(one)[0]
    with pytest.raises(linking.CaseDecided):
        linking.link_workers(case, decided_by=staff, reason="Again.")


@pytest.mark.django_db
def test_nobody_decides_about_their_own_accounts() -> None:
    one, two = build.a_worker(), build.a_worker()
    assert two.user is not None
    case = LinkCase.objects.create(first=one, second=two, score=0.65)

    for act in (linking.link_workers, linking.part_workers):
        with pytest.raises(linking.OwnCase):
            act(case, decided_by=two.user, reason="I know myself.")
    case.refresh_from_db()
    assert case.state == "open"


@pytest.mark.django_db
def test_three_accounts_in_a_row_are_one_person_and_part_in_the_middle() -> None:
    one, two, three = (build.a_worker() for _ in range(3))
    staff = build.a_user()
    cases = [LinkCase.objects.create(first=a, second=b, score=0.9) for a, b in ((one, two), (two, three))]
    for case in reversed(cases):
        linking.link_workers(case, decided_by=staff, reason="Seen.")
    assert len({person_of(worker)[0] for worker in (one, two, three)}) == 1

    linking.part_workers(cases[0], decided_by=staff, reason="Not so.")

    persons = [person_of(worker)[0] for worker in (one, two, three)]
    assert persons[0] != persons[1] == persons[2]


def test_two_who_link_at_once_link_once(committed_db: str) -> None:
    one, two = build.a_worker(), build.a_worker()
    case = LinkCase.objects.create(first=one, second=two, score=0.9)
    staff = build.a_user()

    def act() -> str:
        return linking.link_workers(LinkCase.objects.get(pk=case.pk), decided_by=staff, reason="Seen.").state

    told = at_once([act] * 4)

    assert sorted(map(str, told)).count("linked") == 1
    assert sum(isinstance(one, linking.CaseDecided) for one in told) == 3


def test_the_sweep_takes_the_locks_of_all_its_workers_before_a_tasks(
    committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    [task] = build.some_tasks(build.a_live_job(slots=3), 1)
    for worker in two_that_share():
        build.a_lease(task, worker=worker)
    claiming_now, other = build.a_worker(), build.a_worker()
    for worker in (claiming_now, other):
        matching.note_signals(worker.pk, [("document", "x")])

    compared = waits_for(
        owner_connection,
        "SELECT pg_advisory_xact_lock(%s)",
        [claiming_now.pk],
        linking.link_signals,
        meanwhile=partial(
            owner_connection.execute, "SELECT FROM tasks_task WHERE id = %s FOR UPDATE NOWAIT", [task.pk]
        ),
    )

    assert compared == 6
    assert Assignment.objects.filter(state="leased").count() == 1


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_fifty_puppets_of_five_persons_answer_as_five_and_honest_workers_are_left_alone() -> None:
    honest = [build.a_worker() for _ in range(450)]
    puppets = {person: [build.a_worker() for _ in range(10)] for person in range(5)}
    for number, worker in enumerate(honest):
        # Flats of three share an address; every hundredth shares a computer with a neighbour.
        matching.note_signals(
            worker.pk, [("address", f"flat {number // 3}"), ("device", f"own {number - number % 100 // 99}")]
        )
    for person, accounts in puppets.items():
        for worker in accounts:
            matching.note_signals(worker.pk, [("device", f"puppeteer {person}"), ("address", f"cellar {person}")])
    while linking.link_signals(limit=200):
        pass

    persons = dict(Worker.objects.values_list("pk", "person_id"))
    linked = sum(persons[w.pk] == persons[accounts[0].pk] for accounts in puppets.values() for w in accounts[1:])
    flagged = sum(persons[worker.pk] != worker.pk for worker in honest)
    assert linked >= 0.9 * 45
    assert flagged <= 0.01 * len(honest)

    tasks = build.some_tasks(build.a_live_job(slots=60), 3)
    for accounts in puppets.values():
        for worker in accounts:
            try:
                leases = claiming.claim_tasks(worker.pk, count=3)
            except NothingToClaim:
                continue
            for lease in leases:
                submitting.submit_answer(worker.pk, submitting.Submission(lease.assignment_id, build.CAT))
    answers = Answer.objects.filter(task__in=tasks).values_list("task_id", "worker_id")
    said = [(task, persons[worker]) for task, worker in answers]
    assert len(said) == len(set(said))
    assert len(said) >= 5 * 3
    assert Assignment.objects.filter(state="submitted").count() == len(said)

"""Taking back what somebody held ends what rests on it, in one act: grants, leases, and trust in answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import documents, organising
from accounts.models import AuditRow, Credential, CredentialType, Worker
from marketplace.management.commands.verify import prove_all
from qualification import crediting, granting
from qualification.models import Domain, Qualification
from qualification.queries import standings
from tasks import claiming, closing, queries, reviewing, revoking, settling, submitting
from tasks.models import AnswerFlag, Assignment, Job, Task
from tasks.revoking import Revoked, revoke_credential, revoke_qualification
from tests import build
from tests.build import CAT
from tests.sign_in import sign_in

REASON = "The board withdrew the licence."
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Clinic:
    """A job for radiologists, with open tasks, and one who holds a licence that opens it."""

    domain: Domain
    type: CredentialType
    worker: Worker
    credential: Credential
    job: Job
    tasks: list[Task]

    def claim(self, count: int = 1) -> list[claiming.Lease]:
        """What the radiologist gets of the job."""
        return claiming.claim_tasks(self.worker.pk, job_id=self.job.pk, count=count)

    def answer(self, lease: claiming.Lease) -> None:
        """The radiologist's answer."""
        submitting.submit_answer(self.worker.pk, submitting.Submission(lease.assignment_id, CAT))


def a_clinic(*, tasks: int = 4, slots: int = 1, **job: Any) -> Clinic:
    """A clinic whose job asks level 3 of its domain."""
    domain, type_ = build.a_domain(), build.a_credential_type()
    crediting.set_rule(type_, domain, level=3, actor="user:1")
    live = build.a_live_job(slots=slots, domain=domain, requirements=((domain.pk, 3),), **job)
    worker = build.a_worker("Rosa")
    credential = build.a_verified_credential(worker, type_)
    return Clinic(domain, type_, worker, credential, live, build.some_tasks(live, tasks))


def broken() -> list[str]:
    return [proved.proof.name for proved in prove_all() if proved.finding is not None]


@pytest.mark.django_db
class TestTheCascade:
    def test_one_act_ends_credential_grant_and_leases_and_flags_answers(self) -> None:
        clinic = a_clinic()
        answered, held, other = clinic.claim(3)
        clinic.answer(answered)

        came = revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        assert came == Revoked(qualifications=1, leases=2, answers=1)
        row = Credential.objects.get(pk=clinic.credential.pk)
        assert (row.state, row.reason) == ("revoked", REASON)
        assert standings(clinic.worker.pk) == {}
        ended = Assignment.objects.filter(pk__in=[held.assignment_id, other.assignment_id])
        assert [(one.state, one.reason) for one in ended] == [("expired", REASON)] * 2
        assert all(one.ended_at is not None for one in ended)
        flag = AnswerFlag.objects.get()
        assert (flag.assignment_id, flag.job_id, flag.kind) == (
            answered.assignment_id,
            clinic.job.pk,
            "credential_revoked",
        )
        assert (flag.credential_id, flag.note, flag.flagged_at) == (clinic.credential.pk, REASON, row.ended_at)

    def test_the_slots_are_open_again_at_once_for_somebody_else(self) -> None:
        clinic = a_clinic(tasks=1)
        [lease] = clinic.claim()
        another = build.a_worker()
        build.a_qualification(another, clinic.domain, level=3)
        with pytest.raises(claiming.NothingToClaim):
            claiming.claim_tasks(another.pk)

        revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        [taken] = claiming.claim_tasks(another.pk)
        assert taken.task_id == lease.task_id

    def test_the_next_claim_is_refused_by_name(self) -> None:
        clinic = a_clinic()
        clinic.claim()

        revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        with pytest.raises(claiming.NotQualified):
            clinic.claim()
        with pytest.raises(claiming.NothingToClaim):
            claiming.claim_tasks(clinic.worker.pk)

    def test_the_worker_reads_the_reason_when_they_submit_and_at_their_desk(self) -> None:
        clinic = a_clinic()
        [lease] = clinic.claim()
        revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        with pytest.raises(submitting.LeaseTakenBack, match=REASON) as refused:
            clinic.answer(lease)

        assert refused.value.facts == {"reason": REASON}
        [told] = queries.ended_lately(clinic.worker.pk)
        assert (told.assignment_id, told.job, told.reason) == (lease.assignment_id, clinic.job.name, REASON)
        assert queries.ended_lately(build.a_worker().pk) == []
        assert told.ended_at is not None
        assert queries.ended_lately(clinic.worker.pk, at=told.ended_at + DAY) == []

    def test_a_lease_that_simply_ran_out_is_told_as_ever(self) -> None:
        clinic = a_clinic(lease_seconds=60)
        now = datetime(2030, 1, 1, tzinfo=UTC)
        [lease] = claiming.claim_tasks(clinic.worker.pk, at=now)
        claiming.expire_leases(at=now + DAY)

        with pytest.raises(submitting.LeaseExpired) as refused:
            submitting.submit_answer(clinic.worker.pk, submitting.Submission(lease.assignment_id, CAT), at=now + DAY)

        assert type(refused.value) is submitting.LeaseExpired
        assert queries.ended_lately(clinic.worker.pk, at=now + DAY) == []

    def test_what_an_exam_gave_stands_and_its_leases_go_on(self) -> None:
        clinic = a_clinic()
        build.a_qualification(clinic.worker, clinic.domain, level=3)
        [lease] = clinic.claim()

        came = revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        assert (came.qualifications, came.leases) == (1, 0)
        clinic.answer(lease)
        assert standings(clinic.worker.pk) == {clinic.domain.pk: 3}

    def test_a_lower_level_does_not_keep_the_lease(self) -> None:
        clinic = a_clinic()
        build.a_qualification(clinic.worker, clinic.domain, level=2)
        clinic.claim()

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7").leases == 1

    def test_leases_of_jobs_that_ask_for_nothing_or_something_else_are_left_alone(self) -> None:
        clinic = a_clinic()
        other = build.a_domain()
        build.a_qualification(clinic.worker, other, level=1)
        easy, different = build.a_live_job(), build.a_live_job(requirements=((other.pk, 1),))
        for job in (easy, different):
            build.some_tasks(job, 1)
            claiming.claim_tasks(clinic.worker.pk, job_id=job.pk)

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7") == Revoked(1, 0, 0)
        assert Assignment.objects.filter(worker=clinic.worker, state="leased").count() == 2

    def test_a_lease_whose_other_grant_ran_out_meanwhile_may_still_be_answered(self) -> None:
        clinic = a_clinic()
        other, now = build.a_domain(), datetime(2035, 1, 1, tzinfo=UTC)
        build.a_qualification(clinic.worker, other, level=1, at=now - DAY, expires_at=now + DAY)
        job = build.a_live_job(requirements=((other.pk, 1),), lease_seconds=7 * 86_400)
        build.some_tasks(job, 1)
        [lease] = claiming.claim_tasks(clinic.worker.pk, job_id=job.pk, at=now)

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7", at=now + 2 * DAY).leases == 0
        assert Assignment.objects.get(pk=lease.assignment_id).state == "leased"

    def test_one_organisations_grant_does_not_keep_the_lease_of_anothers_job(self) -> None:
        clinic = a_clinic()
        elsewhere = build.an_organisation()
        build.a_qualification(clinic.worker, clinic.domain, level=5, organisation=elsewhere)
        clinic.claim()

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7").leases == 1

    def test_another_workers_leases_and_answers_are_not_touched(self) -> None:
        clinic = a_clinic(slots=2)
        another = build.a_worker()
        build.a_verified_credential(another, clinic.type)
        first, _second = claiming.claim_tasks(another.pk, count=2)
        submitting.submit_answer(another.pk, submitting.Submission(first.assignment_id, CAT))

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7") == Revoked(1, 0, 0)
        assert Assignment.objects.filter(worker=another, state="leased").count() == 1

    def test_a_grant_that_rested_on_it_and_ended_before_is_remembered_too(self) -> None:
        clinic = a_clinic()
        [lease] = clinic.claim()
        clinic.answer(lease)
        [grant] = Qualification.objects.filter(credential=clinic.credential)
        granting.revoke_qualification(grant, reason="Level to be looked at.", actor="user:7")

        came = revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        assert came == Revoked(qualifications=0, leases=0, answers=1)

    def test_of_two_requirements_the_one_that_no_lease_names_counts_as_well(self) -> None:
        clinic = a_clinic()
        first = build.a_domain()
        build.a_qualification(clinic.worker, first, level=1)
        job = build.a_live_job(requirements=((first.pk, 1), (clinic.domain.pk, 2)))
        build.some_tasks(job, 2)
        answered, held = claiming.claim_tasks(clinic.worker.pk, job_id=job.pk, count=2)
        clinic.answer(answered)
        assert Assignment.objects.filter(grant__domain=first).count() == 2

        came = revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        assert came == Revoked(qualifications=1, leases=1, answers=1)
        assert Assignment.objects.get(pk=held.assignment_id).state == "expired"

    def test_there_it_does_not_count_where_something_else_met_it_at_the_claim(self) -> None:
        clinic = a_clinic()
        first = build.a_domain()
        build.a_qualification(clinic.worker, first, level=1)
        build.a_qualification(clinic.worker, clinic.domain, level=2)
        job = build.a_live_job(requirements=((first.pk, 1), (clinic.domain.pk, 2)))
        build.some_tasks(job, 1)
        [lease] = claiming.claim_tasks(clinic.worker.pk, job_id=job.pk)
        clinic.answer(lease)

        assert revoke_credential(clinic.credential, reason=REASON, actor="user:7") == Revoked(1, 0, 0)

    def test_a_flagged_answer_is_reviewed_and_paid_like_any_other(self) -> None:
        clinic = a_clinic()
        [lease] = clinic.claim()
        clinic.answer(lease)

        revoke_credential(clinic.credential, reason=REASON, actor="user:7")
        reviewing.accept_due()
        settling.settle_due()

        assert Assignment.objects.get(pk=lease.assignment_id).state == "settled"
        assert [one.assignment_id for one in queries.flags_of(clinic.job.pk)] == [lease.assignment_id]

    def test_the_slot_of_a_closed_job_is_released_with_its_money(self) -> None:
        clinic = a_clinic(tasks=1)
        clinic.claim()
        closing.close_job(clinic.job, actor="user:7")

        revoke_credential(clinic.credential, reason=REASON, actor="user:7")
        closing.release_rests()

        job = Job.objects.get(pk=clinic.job.pk)
        assert (job.reserved_micros, job.funded_micros) == (0, 0)
        assert Task.objects.get(pk=clinic.tasks[0].pk).state == "cancelled"

    def test_each_change_has_an_audit_row_in_the_name_of_who_revoked(self) -> None:
        clinic = a_clinic()
        [answered, held] = clinic.claim(2)
        clinic.answer(answered)

        revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        rows = AuditRow.objects.filter(actor="user:7").values_list("subject", "action", "subject_id")
        [grant] = Qualification.objects.filter(credential=clinic.credential)
        assert {
            ("accounts_credential", "update", clinic.credential.pk),
            ("qualification_qualification", "update", grant.pk),
            ("tasks_assignment", "update", held.assignment_id),  # lease_taken_back_is_audited
            ("tasks_answerflag", "insert", AnswerFlag.objects.get().pk),
        } <= set(rows)
        assert not AuditRow.objects.filter(subject="tasks_assignment", subject_id=answered.assignment_id).exists()


@pytest.mark.django_db
class TestWhatIsRefused:
    def test_a_revocation_has_a_reason_and_happens_once(self) -> None:
        clinic = a_clinic()
        clinic.claim()

        with pytest.raises(granting.RevocationNeedsReason):
            revoke_credential(clinic.credential, reason=" ", actor="user:7")
        assert Assignment.objects.get().state == "leased"
        revoke_credential(clinic.credential, reason=REASON, actor="user:7")
        with pytest.raises(documents.CredentialNotInState):
            revoke_credential(clinic.credential, reason=REASON, actor="user:7")

    def test_what_fails_half_way_has_done_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clinic = a_clinic()
        clinic.claim()

        def fail(*_: object, **__: object) -> int:
            raise RuntimeError("the power went")

        monkeypatch.setattr(revoking, "_flag_answers", fail)
        with pytest.raises(RuntimeError):
            revoke_credential(clinic.credential, reason=REASON, actor="user:7")

        assert Credential.objects.get(pk=clinic.credential.pk).state == "verified"
        assert standings(clinic.worker.pk) == {clinic.domain.pk: 3}
        assert Assignment.objects.get().state == "leased"
        assert Worker.objects.get(pk=clinic.worker.pk).standing_epoch == 1

    def test_a_qualification_is_revoked_with_the_same_consequences_and_another_flag(self) -> None:
        domain = build.a_domain()
        job = build.a_live_job(slots=1, requirements=((domain.pk, 1),))
        build.some_tasks(job, 2)
        grant = build.a_qualification(domain=domain)
        answered, _held = claiming.claim_tasks(grant.worker_id, count=2)
        submitting.submit_answer(grant.worker_id, submitting.Submission(answered.assignment_id, CAT))

        with pytest.raises(granting.RevocationNeedsReason):
            revoke_qualification(grant, reason="", actor="user:7")
        assert revoke_qualification(grant, reason="Guessed at random.", actor="user:7") == Revoked(1, 1, 1)

        flag = AnswerFlag.objects.get()
        assert (flag.kind, flag.credential_id) == ("qualification_revoked", None)
        with pytest.raises(granting.AlreadyRevoked):
            revoke_qualification(grant, reason="Again.", actor="user:7")


@pytest.mark.django_db
def test_in_the_admin_too_a_revocation_takes_what_rests_on_it(client: Client) -> None:
    clinic = a_clinic()
    answered, held = clinic.claim(2)
    clinic.answer(answered)
    [grant] = Qualification.objects.filter(credential=clinic.credential)
    fay = build.a_user("Fay")
    organising.give_platform_role(fay, "admin", given_by=None)
    sign_in(client, fay)

    client.post(reverse("admin:qualification_qualification_change", args=[grant.pk]), {"revoked_reason": REASON})

    assert Assignment.objects.get(pk=held.assignment_id).state == "expired"
    flag = AnswerFlag.objects.get()
    for page in (
        reverse("admin:tasks_answerflag_changelist") + f"?q={answered.assignment_id}",
        reverse("admin:tasks_answerflag_change", args=[flag.pk]),
    ):
        shown = client.get(page)
        assert shown.status_code == 200
    assert REASON in shown.content.decode()

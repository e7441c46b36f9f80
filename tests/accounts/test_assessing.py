"""Interviews and portfolio reviews are arranged, scored line by line, and taken again only so often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import assessing, credentials, documents
from accounts.models import Assessment, Credential, CredentialType, User
from tests import build
from tests.guards import violates

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
THEN = NOW + timedelta(days=3)
RUBRIC = [{"name": "depth", "title": "Depth", "most": 5}, {"name": "clarity", "title": "Clarity", "most": 3}]

pytestmark = pytest.mark.django_db


def an_interview(**facts: Any) -> CredentialType:
    """A type that is passed with 6 of 8 points."""
    plain: dict[str, Any] = {"kind": "interview", "rubric": RUBRIC, "pass_points": 6}
    return build.a_credential_type(**(plain | facts))


def scheduled(type_: CredentialType | None = None, *, assessor: User | None = None) -> Credential:
    """A credential whose assessment is arranged."""
    filed = build.a_credential(type_=type_ or an_interview(), at=NOW)
    arranged = assessing.schedule_assessment(
        filed, assessor=assessor or build.a_verifier(), scheduled_at=THEN, place="Room 4", at=NOW
    )
    return arranged.credential


def assessor_of(credential: Credential) -> User:
    """With whom it is arranged."""
    assessor = credential.assessments.latest("pk").assessor
    assert assessor is not None
    return assessor


def scored(credential: Credential, depth: int, clarity: int, note: str = "A good talk.") -> Credential:
    """The same, scored by its assessor."""
    return assessing.score_assessment(
        credential,
        assessor=assessor_of(credential),
        scores={"depth": depth, "clarity": clarity},
        note=note,
        at=THEN,
    )


def test_an_interview_needs_no_issuer_and_is_arranged_with_an_assessor() -> None:
    filed = credentials.file_credential(build.a_worker(), an_interview(), credentials.Filing(), evidence=[], at=NOW)
    assessor = build.a_verifier()

    arranged = assessing.schedule_assessment(filed, assessor=assessor, scheduled_at=THEN, place=" Room 4 ", at=NOW)

    filed.refresh_from_db()
    assert (filed.source, filed.state, filed.claimed_by) == ("interview", "in_review", assessor)
    assert (arranged.scheduled_at, arranged.place) == (THEN, "Room 4")
    assert filed.steps.get(act="scheduled").note == "2026-11-27 12:00 UTC Room 4"


def test_a_worker_calls_an_appointment_off_before_it_has_come_and_not_after() -> None:
    early, late = scheduled(), scheduled()
    assert credentials.may_withdraw(early, at=NOW)

    withdrawn = credentials.withdraw_credential(early, at=THEN - timedelta(minutes=1))
    assert not credentials.may_withdraw(late, at=THEN)
    with pytest.raises(documents.CredentialNotInState):
        credentials.withdraw_credential(late, at=THEN)

    assert (withdrawn.state, withdrawn.claimed_by) == ("withdrawn", None)
    assert withdrawn.assessments.get().cancelled_at is not None
    assert scored(late, 1, 1).state == "refused"


def test_enough_points_verify_it() -> None:
    passed = scored(scheduled(), 4, 2)

    assessment = passed.assessments.get()
    assert (passed.state, passed.verified_at) == ("verified", THEN)
    assert (assessment.points, assessment.passed, assessment.note) == (6, True, "A good talk.")
    assert passed.approvals.count() == 1
    assert list(passed.steps.order_by("pk").values_list("act", flat=True)) == [
        "filed",
        "scheduled",
        "scored",
        "approved",
        "verified",
    ]


def test_too_few_points_refuse_it_with_what_the_worker_reads() -> None:
    failed = scored(scheduled(), 3, 2, note="Read up on artefacts.")

    assert (failed.state, failed.reason, failed.ended_at) == ("refused", "Read up on artefacts.", THEN)
    assert failed.assessments.get().passed is False
    assert failed.approvals.count() == 0


def test_where_two_are_needed_a_second_assessor_scores_another_one() -> None:
    once = scored(scheduled(an_interview(verifiers_needed=2)), 5, 3)
    assert once.state == "filed"
    first = assessor_of(once)

    with pytest.raises(documents.ApprovedAlready):
        assessing.schedule_assessment(once, assessor=first, scheduled_at=THEN, at=THEN)
    second = build.a_verifier()
    assessing.schedule_assessment(once, assessor=second, scheduled_at=THEN, at=THEN)

    assert scored(once, 5, 3).state == "verified"


def test_a_fail_is_taken_again_after_a_wait_and_not_for_ever() -> None:
    type_ = an_interview(attempts_max=1, retry_days=30)
    worker = scored(scheduled(type_), 0, 0).worker

    with pytest.raises(credentials.FilingsUsedUp):
        build.a_credential(worker, type_, at=THEN + timedelta(days=31))
    CredentialType.objects.filter(pk=type_.pk).update(attempts_max=2)
    type_.refresh_from_db()
    with pytest.raises(credentials.FiledTooSoon):
        build.a_credential(worker, type_, at=THEN + timedelta(days=29))
    assert build.a_credential(worker, type_, at=THEN + timedelta(days=30)).state == "filed"


def test_one_that_is_called_off_uses_up_nothing_and_is_arranged_anew() -> None:
    held = scheduled()

    again = assessing.cancel_assessment(held, assessor=build.a_verifier(), note="Ill.", at=NOW)
    assert (again.state, again.claimed_by) == ("filed", None)
    assessing.schedule_assessment(again, assessor=build.a_verifier(), scheduled_at=THEN, at=NOW)

    assert scored(again, 5, 3).state == "verified"
    assert again.assessments.count() == 2


@pytest.mark.parametrize(
    ("scores", "note", "pointers"),
    [
        ({"depth": 6, "clarity": 3}, "x", {"/scores/depth"}),
        ({"depth": -1, "clarity": 3}, "x", {"/scores/depth"}),
        ({"depth": True, "clarity": 3}, "x", {"/scores/depth"}),
        ({"depth": 5}, "x", {"/scores/clarity"}),
        ({"depth": 5, "clarity": 3, "charm": 5}, "x", {"/scores/charm"}),
        ({"depth": 5, "clarity": 3}, " ", {"/note"}),
        ({"depth": 5, "clarity": 3}, "x" * 1001, {"/note"}),
        ({}, "", {"/scores/depth", "/scores/clarity", "/note"}),
    ],
)
def test_scores_fit_the_rubric_line_by_line(scores: dict[str, int], note: str, pointers: set[str]) -> None:
    held = scheduled()

    with pytest.raises(assessing.ScoresRefused) as no:
        assessing.score_assessment(held, assessor=assessor_of(held), scores=scores, note=note, at=THEN)

    assert {fault.pointer for fault in no.value.faults} == pointers
    assert held.assessments.get().scored_at is None


def test_only_its_assessor_scores_it_and_nobody_their_own() -> None:
    held, other = scheduled(), build.a_verifier()
    mine = build.a_credential(build.a_worker(user=other), an_interview(), at=NOW)

    with pytest.raises(assessing.NotYourAssessment):
        assessing.score_assessment(held, assessor=other, scores={}, note="x", at=THEN)
    with pytest.raises(documents.NotAVerifier):
        assessing.score_assessment(held, assessor=build.a_user(), scores={}, note="x", at=THEN)
    with pytest.raises(documents.NotAVerifier):
        assessing.cancel_assessment(held, assessor=build.a_user())
    with pytest.raises(documents.OwnCredential):
        assessing.schedule_assessment(mine, assessor=other, scheduled_at=THEN, at=NOW)


def test_what_cannot_be_arranged() -> None:
    assessor = build.a_verifier()
    interview, paper = build.a_credential(type_=an_interview(), at=NOW), build.a_credential(at=NOW)

    with pytest.raises(assessing.NotAssessed):
        assessing.schedule_assessment(paper, assessor=assessor, scheduled_at=THEN, at=NOW)
    with pytest.raises(assessing.AssessmentPassed):
        assessing.schedule_assessment(interview, assessor=assessor, scheduled_at=NOW - timedelta(seconds=1), at=NOW)
    with pytest.raises(assessing.PlaceRefused):
        assessing.schedule_assessment(interview, assessor=assessor, scheduled_at=THEN, place="x" * 301, at=NOW)
    with pytest.raises(documents.CredentialNotInState):
        assessing.cancel_assessment(interview, assessor=assessor)
    assessing.schedule_assessment(interview, assessor=assessor, scheduled_at=THEN, at=NOW)
    with pytest.raises(documents.CredentialNotInState):
        assessing.schedule_assessment(interview, assessor=assessor, scheduled_at=THEN, at=NOW)
    with pytest.raises(assessing.NoAssessment):
        assessing.cancel_assessment(_papers_in_review(assessor), assessor=assessor)


def _papers_in_review(verifier: User) -> Credential:
    filed = build.a_credential(at=NOW)
    Credential.objects.filter(pk=filed.pk).update(state="in_review", claimed_by=verifier)
    return filed


def test_one_open_assessment_a_credential() -> None:
    held = scheduled()

    with violates("one_open_assessment_a_credential"):
        Assessment.objects.create(credential=held, scheduled_at=THEN)


def test_a_scored_assessment_says_how() -> None:
    with violates("a_scored_assessment_says_how"):
        scheduled().assessments.update(scored_at=THEN)


def test_a_decided_assessment_stays() -> None:
    decided = scored(scheduled(), 5, 3).assessments.all()

    with violates("a_decided_assessment_stays"):
        decided.update(points=7)
    with violates("a_decided_assessment_stays"):
        decided._raw_delete("default")
    decided.update(assessor=None)

"""Assessments: interviews and portfolio reviews, arranged with an assessor and scored on the rubric of their type.

====================  =====================================  ============================================
state                 moves to                               by
====================  =====================================  ============================================
filed                 in_review                              scheduling it
in_review             filed                                  cancelling it; or a pass, where another is needed
in_review             verified                               a pass: points on the rubric, as many as it takes
in_review             refused                                a fail, with what the worker is told
====================  =====================================  ============================================

How often and how soon one is taken again is checked where it is filed (``attempts_max``, ``retry_days`` of the type).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db import transaction

from accounts import documents
from accounts.models import Assessment, Credential, CredentialStep, CredentialType, User
from accounts.queries import instant
from accounts.refusals import Fault, Refusal

PLACE_MAX = 300
NOTE_MAX = 1000


class NotAssessed(Refusal):
    """Credentials of this type are decided by their papers, not by an assessment."""


class AssessmentPassed(Refusal):
    """An assessment is scheduled for a time to come."""


class PlaceRefused(Refusal):
    """A place has at most 300 characters."""


class NoAssessment(Refusal):
    """No assessment of this credential is scheduled."""


class NotYourAssessment(Refusal):
    """Whoever it was scheduled with scores an assessment."""


class ScoresRefused(Refusal):
    """These scores do not fit the rubric."""


@transaction.atomic
def schedule_assessment(
    credential: Credential, *, assessor: User, scheduled_at: datetime, place: str = "", at: datetime | None = None
) -> Assessment:
    """Arrange an interview or a portfolio review; the worker reads when and where.

    Raises NotAVerifier, OwnCredential, NotAssessed, CredentialNotInState, ApprovedAlready, AssessmentPassed, PlaceRefused.
    """
    now = instant(at)
    held = documents.hold_credential(credential.pk)
    documents.need_verifier(assessor, held)
    if held.type.kind not in documents.ASSESSED:
        raise NotAssessed
    documents.need_state(held, Credential.State.FILED)
    documents.need_no_approval_by(assessor, held)
    if scheduled_at < now:
        raise AssessmentPassed
    where = place.strip()
    if len(where) > PLACE_MAX:
        raise PlaceRefused(faults=[Fault("/place", PlaceRefused.sentence())])
    made = Assessment.objects.create(credential=held, scheduled_at=scheduled_at, place=where, assessor=assessor)
    held.state, held.claimed_by, held.claimed_until = Credential.State.IN_REVIEW, assessor, None
    held.save(update_fields=["state", "claimed_by", "claimed_until"])
    said = f"{scheduled_at:%Y-%m-%d %H:%M %Z} {where}".strip()
    documents.note_step(held, CredentialStep.Act.SCHEDULED, actor=documents.called(assessor), at=now, note=said)
    return made


@transaction.atomic
def cancel_assessment(
    credential: Credential, *, assessor: User, note: str = "", at: datetime | None = None
) -> Credential:
    """Call it off, by any verifier: it is filed again and can be scheduled anew. No attempt is used up.

    Raises NotAVerifier, OwnCredential, CredentialNotInState, NoAssessment.
    """
    now = instant(at)
    held, assessment = _scheduled(credential, assessor)
    assessment.cancelled_at = now
    assessment.save(update_fields=["cancelled_at"])
    held.state, held.claimed_by, held.claimed_until = Credential.State.FILED, None, None
    held.save(update_fields=["state", "claimed_by", "claimed_until"])
    said = note.strip()[:NOTE_MAX]
    documents.note_step(held, CredentialStep.Act.RELEASED, actor=documents.called(assessor), at=now, note=said)
    return held


@transaction.atomic
def score_assessment(
    credential: Credential,
    *,
    assessor: User,
    scores: Mapping[str, int],
    note: str,
    at: datetime | None = None,
) -> Credential:
    """Score it on each line of the rubric. With enough points it counts as an approval, with fewer it is refused.

    ``note`` is what the worker reads of it. What a pass opens is granted by ``qualification.crediting``.
    Raises ScoresRefused (``/scores/<name>``, ``/note``), NotYourAssessment, NotAVerifier, OwnCredential,
    CredentialNotInState, NoAssessment, ApprovedAlready, CredentialLapsed.
    """
    now, said = instant(at), note.strip()
    held, assessment = _scheduled(credential, assessor)
    if assessment.assessor_id != assessor.pk:
        raise NotYourAssessment
    faults = list(_faults_of_scores(held.type, scores))
    if not 1 <= len(said) <= NOTE_MAX:
        faults.append(Fault("/note", f"Write the worker how it went, in at most {NOTE_MAX} characters."))
    if faults:
        raise ScoresRefused(faults=faults)
    points = sum(scores.values())
    assessment.scores, assessment.points, assessment.note = dict(scores), points, said
    assessment.passed, assessment.scored_at = points >= held.type.pass_points, now
    assessment.save(update_fields=["scores", "points", "note", "passed", "scored_at"])
    told = f"{points} of {_points_max(held.type)}; {held.type.pass_points} needed"
    documents.note_step(held, CredentialStep.Act.SCORED, actor=documents.called(assessor), at=now, note=told)
    if assessment.passed:
        return documents.approve(held, verifier=assessor, note=said, at=now)
    return documents.refuse(held, verifier=assessor, reason=said, at=now)


def _scheduled(credential: Credential, assessor: User) -> tuple[Credential, Assessment]:
    """The credential, locked, and its open assessment."""
    held = documents.hold_credential(credential.pk)
    documents.need_verifier(assessor, held)
    documents.need_state(held, Credential.State.IN_REVIEW)
    assessment = held.assessments.filter(scored_at__isnull=True, cancelled_at__isnull=True).first()
    if assessment is None:
        raise NoAssessment
    return held, assessment


def _faults_of_scores(type_: CredentialType, scores: Mapping[str, int]) -> Iterator[Fault]:
    rubric = {str(line["name"]): int(line["most"]) for line in type_.rubric}
    for name, most in rubric.items():
        given = scores.get(name)
        if type(given) is not int or not 0 <= given <= most:
            yield Fault(f"/scores/{name}", f"A whole number from 0 to {most}.")
    for name in scores.keys() - rubric.keys():
        yield Fault(f"/scores/{name}", "The rubric has no such line.")


def _points_max(type_: CredentialType) -> int:
    return sum(int(line["most"]) for line in type_.rubric)

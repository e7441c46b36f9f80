"""Every no, in one table: which refusal answers with which status, slug and title (RFC 9457).

Slugs are API and are never renamed; ``docs/reference/problems.md`` explains each, and ``/problems/<slug>`` shows it.
"""

import logging
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from django import db
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions

from accounts import (
    assessing,
    blocking,
    consenting,
    credentials,
    documents,
    impersonating,
    inviting,
    keys,
    organising,
    people,
    profiling,
    seats,
    vault,
    verifying,
)
from accounts import refusals as shared
from accounts.ledger import holding, posting
from accounts.refusals import Fault, Refusal
from marketplace.api import evidence_links, refusals
from marketplace.api.reading import escaped
from qualification import crediting, examining, gold, granting
from tasks import claiming, closing, erasing, importing, linking, publishing, releasing, reviewing, submitting

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """How a refusal is told: its status, its slug, its title; ``retry_after`` seconds where trying again may help."""

    status: int
    slug: str
    title: str
    retry_after: int | None = None


INTERNAL = Problem(500, "internal-error", "Something broke on our side", 5)
UNAVAILABLE = Problem(503, "unavailable", "We are busy or starting again; try again", 1)
CONFLICT = Problem(409, "conflict", "This contradicts what is there already")
UNSTORABLE = Problem(400, "value-refused", "A value cannot be stored")

PROBLEMS: dict[type[BaseException], Problem] = {
    # The door
    refusals.Malformed: Problem(400, "malformed", "The request cannot be read"),
    refusals.FieldsRefused: Problem(400, "fields-refused", "Some fields are not as they should be"),
    refusals.BodyTooLarge: Problem(413, "body-too-large", "The request is too large"),
    refusals.WrongContentType: Problem(415, "wrong-content-type", "This content type is not taken here"),
    refusals.NotSignedIn: Problem(401, "not-signed-in", "Sign in or send a key"),
    refusals.KeyNotKnown: Problem(401, "key-not-known", "The key does not work"),
    refusals.CsrfFailed: Problem(403, "csrf-failed", "The CSRF token is missing or wrong"),
    refusals.NotAllowed: Problem(403, "not-allowed", "You may not do this"),
    refusals.SecondFactorNeeded: Problem(403, "second-factor-needed", "A second factor is needed"),
    refusals.NotAWorker: Problem(403, "not-a-worker", "You are not a worker"),
    refusals.NotFound: Problem(404, "not-found", "There is no such thing here"),
    evidence_links.LinkExpired: Problem(410, "link-expired", "The link has expired"),
    refusals.MethodNotAllowed: Problem(405, "method-not-allowed", "This method is not known here"),
    refusals.TooManyRequests: Problem(429, "too-many-requests", "Too many requests", 1),
    refusals.MailNotSent: Problem(503, "mail-not-sent", "The mail could not be sent", 60),
    refusals.IdempotencyKeyMissing: Problem(400, "idempotency-key-missing", "An Idempotency-Key is needed"),
    refusals.IdempotencyKeyInvalid: Problem(400, "idempotency-key-invalid", "The Idempotency-Key cannot be used"),
    refusals.IdempotencyKeyBusy: Problem(409, "idempotency-key-busy", "The first request is still running", 1),
    refusals.IdempotencyKeyReused: Problem(422, "idempotency-key-reused", "The Idempotency-Key was used otherwise"),
    # People
    shared.KeyRevoked: Problem(401, "key-revoked", "The key no longer works"),
    shared.NoSuchWorker: Problem(404, "no-such-worker", "There is no such worker"),
    people.AlreadyAWorker: Problem(409, "already-a-worker", "You are a worker already"),
    people.WorkerNotInState: Problem(409, "worker-not-in-state", "The worker's state does not allow this"),
    people.OwnSuspension: Problem(403, "own-suspension", "Nobody lifts their own suspension"),
    people.ReasonMissing: Problem(400, "reason-missing", "A reason is needed"),
    profiling.ProfileRefused: Problem(400, "profile-refused", "The profile is not as it should be"),
    profiling.PrivateFactsRefused: Problem(400, "private-facts-refused", "Private facts are not as they should be"),
    consenting.TermsRefused: Problem(400, "terms-refused", "This text cannot be published"),
    consenting.TermsNotCurrent: Problem(409, "terms-not-current", "This text is not asked for any more"),
    blocking.BlockNeedsReason: Problem(400, "block-needs-reason", "A block has a reason"),
    blocking.BlockDaysOutOfRange: Problem(400, "block-days-out-of-range", "1 to 3,650 days"),
    blocking.AlreadyBlocked: Problem(409, "already-blocked", "They are blocked already"),
    blocking.BlockEnded: Problem(409, "block-ended", "The block has ended"),
    organising.AlreadyMember: Problem(409, "already-member", "They are a member already"),
    organising.NotAMember: Problem(404, "not-a-member", "They are no member"),
    organising.LastOwner: Problem(409, "last-owner", "The last owner stays"),
    organising.RoleUnknown: Problem(400, "role-unknown", "There is no such role"),
    seats.NotAnOwner: Problem(403, "not-an-owner", "Owners only"),
    organising.OwnRole: Problem(403, "own-role", "Nobody gives themself a role"),
    seats.LastAdmin: Problem(409, "last-admin", "The last admin stays"),
    inviting.InvitationRefused: Problem(400, "invitation-refused", "The invitation cannot be sent like this"),
    inviting.NoSuchInvitation: Problem(404, "no-such-invitation", "This invitation cannot be used"),
    inviting.InvitationEnded: Problem(409, "invitation-ended", "The invitation has ended"),
    inviting.InviteeIsMember: Problem(409, "invitee-is-member", "They are a member already"),
    inviting.InviterNotOwner: Problem(403, "inviter-not-owner", "Only owners invite"),
    inviting.TooManyInvitations: Problem(429, "too-many-invitations", "Enough invitations for a day", 3600),
    linking.OwnCase: Problem(403, "own-case", "Somebody else decides about your accounts"),
    linking.CaseDecided: Problem(409, "case-decided", "This case was decided that way"),
    linking.LinkNeedsReason: Problem(400, "link-needs-reason", "A reason is needed"),
    keys.KeyScopeUnknown: Problem(400, "key-scope-unknown", "A key of this kind has no such scope"),
    keys.KeyScopeMissing: Problem(400, "key-scope-missing", "A key needs a scope"),
    keys.KeyExpiryPassed: Problem(400, "key-expiry-passed", "The expiry has passed"),
    keys.KeyRefused: Problem(400, "key-refused", "The key cannot be issued like this"),
    keys.KeyNotInUse: Problem(409, "key-not-in-use", "The key is over or was rotated before"),
    keys.KeyFromElsewhere: Problem(403, "key-from-elsewhere", "The key does not work from here"),
    keys.SpendCapReached: Problem(403, "spend-cap-reached", "The key's spend cap is reached"),
    # Credentials
    vault.PersonErased: Problem(410, "person-erased", "Their private data was erased"),
    documents.CredentialNotInState: Problem(
        409, "credential-not-in-state", "The credential's state does not allow this"
    ),
    documents.NotAVerifier: Problem(403, "not-a-verifier", "Verifiers only"),
    documents.OwnCredential: Problem(403, "own-credential", "Nobody decides about their own"),
    documents.ApprovedAlready: Problem(409, "approved-already", "You approved it before"),
    documents.CredentialLapsed: Problem(409, "credential-lapsed", "The paper is no longer valid"),
    documents.DocumentGone: Problem(410, "document-gone", "The document was removed"),
    credentials.FilingRefused: Problem(400, "filing-refused", "The credential cannot be filed like this"),
    credentials.TypeNotOffered: Problem(409, "credential-type-not-offered", "Such credentials are not taken now"),
    credentials.OnlyPeopleFile: Problem(403, "only-people-file", "Only people have credentials"),
    credentials.FilingOpen: Problem(409, "filing-open", "One is under way already"),
    credentials.CredentialOnFile: Problem(409, "credential-on-file", "It is verified already"),
    credentials.FilingsUsedUp: Problem(403, "filings-used-up", "It may not be filed again"),
    credentials.FiledTooSoon: Problem(403, "filed-too-soon", "It is too soon to file it again"),
    credentials.NotRenewable: Problem(409, "not-renewable", "This cannot be renewed"),
    verifying.ReviewHeld: Problem(409, "review-held", "Another verifier is looking at it"),
    verifying.ReviewNotHeld: Problem(409, "review-not-held", "Claim it first"),
    verifying.DecidedByAssessment: Problem(409, "decided-by-assessment", "An assessment decides this"),
    verifying.DecisionReasonMissing: Problem(400, "decision-reason-missing", "A decision has a reason"),
    verifying.NoRegistry: Problem(409, "no-registry", "There is no registry for this number"),
    verifying.RegistrySilent: Problem(503, "registry-silent", "The registry did not answer", 60),
    verifying.NotYourDocument: Problem(403, "not-your-document", "The document is not for you"),
    verifying.PictureRefused: Problem(422, "picture-refused", "The page cannot be shown"),
    assessing.NotAssessed: Problem(409, "not-assessed", "No assessment decides this"),
    assessing.AssessmentPassed: Problem(400, "assessment-passed", "The time has passed"),
    assessing.PlaceRefused: Problem(400, "assessment-place-refused", "The place is too long"),
    assessing.NoAssessment: Problem(409, "no-assessment", "No assessment is scheduled"),
    assessing.NotYourAssessment: Problem(403, "not-your-assessment", "It was scheduled with somebody else"),
    assessing.ScoresRefused: Problem(400, "scores-refused", "The scores do not fit the rubric"),
    # Money
    posting.InsufficientFunds: Problem(409, "insufficient-funds", "There is not enough money"),
    posting.KeyReused: Problem(409, "transfer-key-reused", "This movement of money was told before, otherwise"),
    posting.Unbalanced: Problem(500, "unbalanced", "The books would not balance"),
    holding.HoldEnded: Problem(409, "hold-ended", "The hold has ended"),
    holding.CaptureExceedsHold: Problem(409, "capture-exceeds-hold", "The hold is for less"),
    # Standing
    granting.OwnQualification: Problem(403, "own-qualification", "Nobody grants themself a qualification"),
    granting.AlreadyRevoked: Problem(409, "already-revoked", "It was revoked before"),
    granting.LevelOutOfBand: Problem(400, "level-out-of-band", "A level is 1 to 5"),
    granting.QualificationExpiryPassed: Problem(400, "qualification-expiry-passed", "The expiry has passed"),
    granting.RevocationNeedsReason: Problem(400, "revocation-needs-reason", "A revocation has a reason"),
    granting.DomainNotOfOrganisation: Problem(409, "domain-not-of-organisation", "The domain belongs to another"),
    crediting.RuleRefused: Problem(400, "rule-refused", "The rule cannot be written down like this"),
    crediting.NoSuchRule: Problem(404, "no-such-rule", "There is no such rule"),
    gold.DomainExists: Problem(409, "domain-exists", "The domain is there already"),
    gold.DomainPathRefused: Problem(400, "domain-path-refused", "This is not a domain's path"),
    gold.ParentDomainMissing: Problem(409, "parent-domain-missing", "The domain above is missing"),
    gold.DomainOfAnotherOrganisation: Problem(409, "domain-of-another", "The domain belongs to another"),
    gold.GoldSetExists: Problem(409, "gold-set-exists", "This version is being created", 1),
    gold.GoldSetNotDraft: Problem(409, "gold-set-not-draft", "Only a draft can be changed"),
    gold.GoldSetNotPublished: Problem(409, "gold-set-not-published", "The gold set is not published"),
    gold.GoldSetEmpty: Problem(409, "gold-set-empty", "The gold set has no items"),
    gold.GoldRefused: Problem(422, "gold-refused", "These gold items cannot be taken"),
    gold.GoldAlreadyRetired: Problem(409, "gold-already-retired", "It was retired before"),
    examining.ExamRefused: Problem(400, "exam-refused", "The exam cannot be created like this"),
    examining.ExamExists: Problem(409, "exam-exists", "There is an exam of this name"),
    examining.ExamClosed: Problem(409, "exam-closed", "The exam is closed"),
    examining.GoldNotPublished: Problem(409, "exam-gold-not-published", "The gold set is not published"),
    examining.GoldSetNotUsable: Problem(409, "gold-set-not-usable", "The gold set belongs to another"),
    examining.NotEnoughGold: Problem(409, "not-enough-gold", "The gold set has too few items"),
    examining.AttemptsUsedUp: Problem(403, "attempts-used-up", "You have no attempt left"),
    examining.NotAdmitted: Problem(403, "not-admitted", "You may not sit this exam"),
    examining.AttemptNotOpen: Problem(409, "attempt-not-open", "The attempt is over"),
    examining.AttemptExpired: Problem(409, "attempt-expired", "The time is up"),
    examining.AnswersRefused: Problem(400, "exam-answers-refused", "Some answers do not fit"),
    # Jobs
    publishing.JobNotInState: Problem(409, "job-not-in-state", "The job's state does not allow this"),
    publishing.JobRefused: Problem(400, "job-refused", "The job cannot be written down like this"),
    closing.JobAlreadyClosed: Problem(409, "job-already-closed", "The job is closed"),
    importing.JobNotInState: Problem(409, "job-takes-no-tasks", "The job takes no tasks now"),
    importing.ImportRefused: Problem(422, "import-refused", "These rows cannot be taken"),
    importing.NotEnoughBudget: Problem(409, "not-enough-budget", "The job has not enough free budget"),
    importing.GoldSetDoesNotFit: Problem(409, "gold-set-does-not-fit", "The gold set does not fit this job"),
    releasing.NothingToRelease: Problem(409, "nothing-to-release", "No task has been judged yet"),
    releasing.ReleaseTooLarge: Problem(409, "release-too-large", "The release would be too large"),
    # The line
    claiming.NothingToClaim: Problem(404, "nothing-to-claim", "No task suits you now", 5),
    claiming.NotQualified: Problem(403, "not-qualified", "A qualification is missing"),
    claiming.ConflictOfInterest: Problem(403, "conflict-of-interest", "You belong to who posted it"),
    claiming.CapReached: Problem(403, "cap-reached", "You have given as many answers as it takes"),
    claiming.JobNotOpen: Problem(409, "job-not-open", "The job takes no answers now"),
    claiming.ModelNotAllowed: Problem(403, "model-not-allowed", "People only"),
    claiming.WorkerPaused: Problem(403, "worker-paused", "Your work is paused"),
    claiming.WorkerSuspended: Problem(403, "worker-suspended", "This worker is suspended"),
    claiming.ConsentMissing: Problem(403, "consent-missing", "There is something to agree to first"),
    claiming.Blocked: Problem(403, "blocked", "You are blocked here"),
    claiming.TooManyLeases: Problem(409, "too-many-leases", "You hold as many tasks as you may"),
    claiming.CountOutOfRange: Problem(400, "count-out-of-range", "Ask for 1 to 100"),
    submitting.NoSuchAssignment: Problem(404, "no-such-assignment", "You hold no such assignment"),
    submitting.LeaseExpired: Problem(409, "lease-expired", "Your time on this task ran out"),
    submitting.LeaseTakenBack: Problem(409, "lease-taken-back", "This task was taken back"),
    submitting.AlreadyAnswered: Problem(409, "already-answered", "You answered otherwise before"),
    submitting.LabelRefused: Problem(422, "label-refused", "The label does not fit"),
    submitting.AnswersOutOfRange: Problem(400, "answers-out-of-range", "Hand in 1 to 100, each once"),
    reviewing.NotUnderReview: Problem(409, "not-under-review", "This answer is not under review"),
    reviewing.ReviewRefused: Problem(400, "review-refused", "The review cannot be taken"),
    # Privacy and support
    erasing.ErasureStopped: Problem(409, "erasure-stopped", "The account cannot be erased yet"),
    impersonating.NotSupport: Problem(403, "not-support", "Only support may do this"),
    impersonating.NotToBeImpersonated: Problem(409, "not-to-be-impersonated", "Not through these eyes"),
    impersonating.ImpersonationNeedsReason: Problem(400, "impersonation-needs-reason", "A reason is needed"),
    refusals.NotWhileImpersonating: Problem(403, "not-while-impersonating", "Not while you look through other eyes"),
    # The database
    db.OperationalError: UNAVAILABLE,
    db.InterfaceError: UNAVAILABLE,
    psycopg.OperationalError: UNAVAILABLE,
    psycopg.InterfaceError: UNAVAILABLE,
    db.IntegrityError: CONFLICT,
    psycopg.IntegrityError: CONFLICT,
    db.DataError: UNSTORABLE,
    psycopg.DataError: UNSTORABLE,
}

_FRAMEWORK: dict[type[Exception], type[Refusal]] = {
    exceptions.ParseError: refusals.Malformed,
    exceptions.ValidationError: refusals.FieldsRefused,
    exceptions.NotAuthenticated: refusals.NotSignedIn,
    exceptions.AuthenticationFailed: refusals.KeyNotKnown,
    exceptions.PermissionDenied: refusals.NotAllowed,
    exceptions.NotFound: refusals.NotFound,
    exceptions.MethodNotAllowed: refusals.MethodNotAllowed,
    exceptions.UnsupportedMediaType: refusals.WrongContentType,
    exceptions.Throttled: refusals.TooManyRequests,
    PermissionDenied: refusals.NotAllowed,
    Http404: refusals.NotFound,
    RequestDataTooBig: refusals.BodyTooLarge,
    SuspiciousOperation: refusals.Malformed,
    UnreadablePostError: refusals.Malformed,
}
"""What Django and REST framework raise by themselves, in our words."""


def problem_of(kind: type[BaseException]) -> Problem:
    """The row for an exception, or for the nearest of its parents that has one."""
    return next((PROBLEMS[parent] for parent in kind.__mro__ if parent in PROBLEMS), INTERNAL)


def handle(error: Exception, context: dict[str, Any] | None = None) -> HttpResponse:
    """The answer to ``error``; what is not expected is logged once, with its traceback, and answered as 500."""
    refusal = in_our_words(error)
    if refusal is not None:
        return told(problem_of(type(refusal)), refusal.detail, refusal.faults, refusal.facts)
    problem = problem_of(type(error))
    if problem is INTERNAL or problem is UNSTORABLE:
        log.error("unexpected %s", type(error).__name__, exc_info=error)
    return told(problem, _detail(error, problem))


def told(
    problem: Problem, detail: str, faults: tuple[Fault, ...] = (), facts: dict[str, str | int | None] | None = None
) -> HttpResponse:
    """One problem as an HTTP answer."""
    body = body_of(problem, detail, faults, facts or {})
    response = HttpResponse(msgspec.json.encode(body), status=problem.status, content_type=CONTENT_TYPE)
    wait = body.get("retry_after", problem.retry_after)
    if wait is not None:
        response["Retry-After"] = str(wait)
    if problem.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="touchstone"'
    # Django logs every answer above 399 that is not marked so; ours are logged where they deserve it.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  Django's own mark
    return response


def body_of(
    problem: Problem, detail: str, faults: tuple[Fault, ...], facts: dict[str, str | int | None]
) -> dict[str, Any]:
    """One problem as JSON: what RFC 9457 names, then ours."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    if faults:
        body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    if problem.retry_after is not None:
        body["retry_after"] = problem.retry_after
    return body | {name: value for name, value in facts.items() if name not in body or name == "retry_after"}


def told_inside(refusal: Refusal) -> dict[str, Any]:
    """A refusal of one part of a request, to stand inside an answer about all its parts."""
    return body_of(problem_of(type(refusal)), refusal.detail, refusal.faults, refusal.facts)


def in_our_words(error: Exception) -> Refusal | None:
    """The refusal that ``error`` is or stands for; None where it is none."""
    if isinstance(error, Refusal):
        return error
    for theirs, ours in _FRAMEWORK.items():
        if isinstance(error, theirs):
            if isinstance(error, exceptions.ValidationError):
                return ours(faults=list(_faults(error.detail, "")))
            return ours()
    return None


def _faults(detail: Any, pointer: str) -> list[Fault]:
    """REST framework's nested messages as a flat list with pointers."""
    if isinstance(detail, dict):
        return [
            fault
            for key, inner in detail.items()
            for fault in _faults(inner, pointer if key == "non_field_errors" else f"{pointer}/{escaped(key)}")
        ]
    if isinstance(detail, list):
        found: list[Fault] = []
        for place, inner in enumerate(detail):
            found += _faults(inner, f"{pointer}/{place}" if isinstance(inner, dict | list) and inner else pointer)
        return found
    return [Fault(pointer, str(detail))] if str(detail) else []


def _detail(error: Exception, problem: Problem) -> str:
    if problem is CONFLICT:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        return f"The database says: {(name or 'no').replace('_', ' ')}."
    if problem is UNAVAILABLE:
        return "The database did not answer in time. Nothing was changed; try again."
    if problem is UNSTORABLE:
        return "A value is outside what can be stored. Nothing was changed."
    return "This was not foreseen. It is on record; trying again may help."

"""Verifiers take, look, ask, say yes or no: one at a time, two where two are needed, and never about themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction

from accounts import credentials, documents, verifying
from accounts.credentials import Filing
from accounts.models import Credential, PlatformRole, User, Worker
from accounts.queries import instant
from accounts.refusals import Refusal
from tests import build
from tests.races import at_once

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=30)


def claimed(credential: Credential | None = None, *, verifier: User | None = None, at: datetime = NOW) -> Credential:
    """A credential in review."""
    filed = credential or build.a_credential(at=at)
    return verifying.claim_review(filed, verifier=verifier or build.a_verifier(), at=at)


def verifier_of(credential: Credential) -> User:
    """Whoever looks at it."""
    assert credential.claimed_by is not None
    return credential.claimed_by


def acts_of(credential: Credential) -> list[str]:
    """What happened to it, in order."""
    return list(credential.steps.order_by("pk").values_list("act", flat=True))


@pytest.mark.django_db
def test_a_verifier_takes_a_credential_for_half_an_hour_and_may_prolong_it() -> None:
    verifier = build.a_verifier()

    held = claimed(verifier=verifier)
    again = verifying.claim_review(held, verifier=verifier, at=NOW + timedelta(minutes=20))

    assert (held.state, held.claimed_by, held.claimed_until) == ("in_review", verifier, LATER)
    assert again.claimed_until == NOW + timedelta(minutes=50)
    assert acts_of(held) == ["filed", "claimed"]


@pytest.mark.django_db
def test_another_takes_it_over_only_when_the_time_is_up() -> None:
    held, other = claimed(), build.a_verifier()

    with pytest.raises(verifying.ReviewHeld):
        verifying.claim_review(held, verifier=other, at=LATER - timedelta(seconds=1))
    taken = verifying.claim_review(held, verifier=other, at=LATER)

    assert taken.claimed_by == other
    with pytest.raises(verifying.ReviewNotHeld):
        verifying.record_approval(held, verifier=verifier_of(held), at=LATER)


@pytest.mark.django_db
def test_whoever_held_it_decides_no_more_when_the_time_is_up() -> None:
    held = claimed()

    for decide in ("ask", "refuse", "approve", "look up"):
        with pytest.raises(verifying.ReviewNotHeld):
            DECISIONS_AT[decide](held, verifier_of(held), LATER)


@pytest.mark.django_db
def test_whoever_let_go_decides_no_more() -> None:
    held = claimed()
    verifier = verifier_of(held)
    with pytest.raises(verifying.ReviewNotHeld):
        verifying.release_review(held, verifier=build.a_verifier(), at=NOW)

    released = verifying.release_review(held, verifier=verifier, at=NOW)

    assert (released.state, released.claimed_by) == ("filed", None)
    with pytest.raises(documents.CredentialNotInState):
        verifying.record_approval(held, verifier=verifier, at=NOW)


@pytest.mark.django_db
def test_an_approval_verifies_what_one_verifier_is_enough_for() -> None:
    held = claimed()

    verified = verifying.record_approval(held, verifier=verifier_of(held), note="Seen.", at=NOW)

    verified.refresh_from_db()
    assert (verified.state, verified.verified_at, verified.valid_until, verified.claimed_by) == (
        "verified",
        NOW,
        None,
        None,
    )
    assert acts_of(verified) == ["filed", "claimed", "approved", "verified"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("valid_days", "expires_on", "end"),
    [
        (None, date(2027, 1, 31), datetime(2027, 2, 1, tzinfo=UTC)),
        (30, date(2027, 1, 31), NOW + timedelta(days=30)),
        (365, date(2027, 1, 31), datetime(2027, 2, 1, tzinfo=UTC)),
        (30, None, NOW + timedelta(days=30)),
    ],
)
def test_it_is_valid_as_the_paper_says_and_no_longer_than_its_type_allows(
    valid_days: int | None, expires_on: date | None, end: datetime
) -> None:
    type_ = build.a_credential_type(valid_days=valid_days)

    verified = build.a_credential(type_=type_, expires_on=expires_on, verified=True, at=NOW)

    assert verified.valid_until == end


@pytest.mark.django_db
def test_a_paper_that_ran_out_before_anybody_looked_is_not_approved() -> None:
    filed = build.a_credential(expires_on=date(2026, 11, 24), at=NOW)
    later = NOW + timedelta(days=2)
    held = claimed(filed, at=later)

    with pytest.raises(documents.CredentialLapsed):
        verifying.record_approval(held, verifier=verifier_of(held), at=later)


@pytest.mark.django_db
def test_where_two_are_needed_the_second_is_somebody_else() -> None:
    held = claimed(build.a_credential(type_=build.a_credential_type(verifiers_needed=2), at=NOW))
    first, second = verifier_of(held), build.a_verifier()

    once = verifying.record_approval(held, verifier=first, at=NOW)
    assert once.state == "filed"
    with pytest.raises(documents.ApprovedAlready):
        verifying.claim_review(once, verifier=first, at=NOW)
    verifying.claim_review(once, verifier=second, at=NOW)
    twice = verifying.record_approval(once, verifier=second, at=NOW)

    assert twice.state == "verified"
    assert acts_of(twice) == ["filed", "claimed", "approved", "claimed", "approved", "verified"]


@pytest.mark.django_db
def test_approvals_of_what_was_shown_before_count_no_more() -> None:
    held = claimed(build.a_credential(type_=build.a_credential_type(verifiers_needed=2), at=NOW))
    first, second = verifier_of(held), build.a_verifier()
    verifying.record_approval(held, verifier=first, at=NOW)
    asked = verifying.ask_for_more(claimed(held, verifier=second), verifier=second, reason="The back.", at=NOW)
    answered = credentials.answer_question(asked, Filing(issuer="B", holder="A"), evidence=[], at=NOW)

    again = verifying.record_approval(claimed(answered, verifier=second), verifier=second, at=NOW)
    assert again.state == "filed"
    done = verifying.record_approval(claimed(again, verifier=first), verifier=first, at=NOW)

    assert done.state == "verified"
    assert sorted(done.approvals.values_list("round", flat=True)) == [1, 2, 2]


@pytest.mark.django_db
def test_a_question_and_a_refusal_have_a_reason_that_the_worker_reads() -> None:
    held = claimed()
    verifier = verifier_of(held)
    for reason in (" ", "x" * 1001):
        with pytest.raises(verifying.DecisionReasonMissing):
            verifying.refuse_credential(held, verifier=verifier, reason=reason, at=NOW)
        with pytest.raises(verifying.DecisionReasonMissing):
            verifying.ask_for_more(held, verifier=verifier, reason=reason, at=NOW)

    refused = verifying.refuse_credential(held, verifier=verifier, reason=" Not legible. ", at=NOW)

    assert (refused.state, refused.reason, refused.ended_at) == ("refused", "Not legible.", NOW)
    assert refused.steps.get(act="refused").note == "Not legible."


def _now(act: Callable[[Credential, User, datetime], Credential], it: Credential, who: User) -> Credential:
    return act(it, who, NOW)


Decide = Callable[[Credential, User], Credential]
DECISIONS_AT: dict[str, Callable[[Credential, User, datetime], Credential]] = {
    "claim": lambda it, who, at: verifying.claim_review(it, verifier=who, at=at),
    "ask": lambda it, who, at: verifying.ask_for_more(it, verifier=who, reason="More.", at=at),
    "refuse": lambda it, who, at: verifying.refuse_credential(it, verifier=who, reason="No.", at=at),
    "approve": lambda it, who, at: verifying.record_approval(it, verifier=who, at=at),
    "look up": lambda it, who, at: verifying.look_up_number(it, verifier=who, at=at),
}
DECISIONS: dict[str, Decide] = {name: partial(_now, act) for name, act in DECISIONS_AT.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("decide", DECISIONS.values(), ids=list(DECISIONS))
def test_only_a_verifier_decides(decide: Decide) -> None:
    filed, held = build.a_credential(at=NOW), claimed()
    gone = build.a_verifier()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    gone.refresh_from_db()

    for nobody in (build.a_user(), gone):
        with pytest.raises(documents.NotAVerifier):
            decide(filed, nobody)
    PlatformRole.objects.filter(user=held.claimed_by).delete()
    with pytest.raises(documents.NotAVerifier):
        decide(held, verifier_of(held))


@pytest.mark.django_db
@pytest.mark.parametrize("decide", DECISIONS.values(), ids=list(DECISIONS))
@pytest.mark.parametrize("linked", [False, True])
def test_nobody_decides_about_themself_nor_through_a_linked_account(decide: Decide, linked: bool) -> None:
    verifier = build.a_verifier()
    mine = build.a_worker(user=verifier)
    own = build.a_credential(mine, at=NOW)
    if linked:
        other = build.a_worker()
        own = build.a_credential(other, at=NOW)
        Worker.objects.filter(pk=other.pk).update(person_id=mine.pk)

    with pytest.raises(documents.OwnCredential):
        decide(own, verifier)


@pytest.mark.django_db
def test_what_is_decided_is_not_decided_again() -> None:
    held = claimed()
    verifier = verifier_of(held)
    verifying.record_approval(held, verifier=verifier, at=NOW)

    for decide in DECISIONS.values():
        with pytest.raises(documents.CredentialNotInState):
            decide(held, verifier)


@pytest.mark.django_db
def test_what_an_assessment_decides_is_not_decided_by_its_papers() -> None:
    interview = build.a_credential(type_=build.a_credential_type(kind="interview"), at=NOW)

    for decide in DECISIONS.values():
        with pytest.raises(verifying.DecidedByAssessment):
            decide(interview, build.a_verifier())


@pytest.mark.django_db
def test_a_verified_credential_is_revoked_with_a_reason() -> None:
    verified = build.a_credential(verified=True, at=NOW)
    end = partial(verifying.end_credential, verified, actor="user:1", at=LATER)

    with pytest.raises(ValueError, match="revoked or expired"):
        end(state="refused", reason="x")
    with pytest.raises(verifying.DecisionReasonMissing):
        end(state="revoked", reason="")
    revoked = end(state="revoked", reason="Struck off.")

    assert (revoked.state, revoked.reason, revoked.ended_at) == ("revoked", "Struck off.", LATER)
    assert acts_of(revoked)[-1] == "revoked"
    with pytest.raises(documents.CredentialNotInState):
        end(state="revoked", reason="Again.")


# Registries


def in_registry(number: str, holder: str = "Ada Example") -> Credential:
    """A claimed credential with this NPI."""
    npi = build.a_credential_type(number_check="npi", registry="nppes")
    return claimed(build.a_credential(type_=npi, number=number, holder=holder, at=NOW))


@pytest.mark.django_db
@pytest.mark.parametrize("holder", ["Ada Example", "Dr. EXAMPLE, Ada", "Ádá Example"])
def test_what_a_registry_says_is_kept_without_names(holder: str) -> None:
    held = in_registry("2000000002", holder)

    told = verifying.look_up_number(held, verifier=verifier_of(held), at=NOW).registry_result

    assert told is not None
    assert told | {"registry": "", "asked_at": ""} == {
        "registry": "",
        "asked_at": "",
        "found": True,
        "status": "active",
        "holder_matches": True,
        "specialty": "Diagnostic Radiology",
        "issuer": "NPPES",
        "expires_on": None,
    }
    assert acts_of(held)[-1] == "looked_up"


@pytest.mark.django_db
def test_another_name_and_an_unknown_number_are_told() -> None:
    other, unknown = in_registry("2000000002", "Eve Example"), in_registry("2000000028")

    names = verifying.look_up_number(other, verifier=verifier_of(other), at=NOW).registry_result
    nothing = verifying.look_up_number(unknown, verifier=verifier_of(unknown), at=NOW).registry_result

    assert names is not None
    assert nothing is not None
    assert names["holder_matches"] is False
    assert (nothing["found"], nothing["status"]) == (False, "unknown")


@pytest.mark.django_db
def test_a_registry_that_is_silent_or_missing_says_nothing() -> None:
    silent, without = in_registry("2000000036"), claimed()

    with pytest.raises(verifying.RegistrySilent):
        verifying.look_up_number(silent, verifier=verifier_of(silent), at=NOW)
    with pytest.raises(verifying.NoRegistry):
        verifying.look_up_number(without, verifier=verifier_of(without), at=NOW)

    silent.refresh_from_db()
    assert silent.registry_result is None


@pytest.mark.django_db
def test_another_account_with_the_same_number_is_shown_and_nobody_is_banned() -> None:
    type_ = build.a_credential_type()
    one, other = (build.a_credential(type_=type_, number=number, jurisdiction="US") for number in ("A-12", "a12"))
    build.a_credential(type_=type_, number="A12", jurisdiction="CA")

    assert list(verifying.doubles_of(one)) == [other]
    Worker.objects.filter(pk=other.worker_id).update(person_id=one.worker_id)
    assert list(verifying.doubles_of(one)) == []


# At once


def test_of_two_verifiers_who_take_one_at_once_one_gets_it(committed_db: str) -> None:
    filed, verifiers = build.a_credential(), [build.a_verifier(), build.a_verifier()]

    told = at_once([partial(verifying.claim_review, filed, verifier=one) for one in verifiers])

    assert sorted(type(one).__name__ for one in told) == ["Credential", "ReviewHeld"]


def test_of_a_yes_and_a_no_at_once_one_counts(committed_db: str) -> None:
    held = claimed(at=instant(None))
    verifier = verifier_of(held)
    acts: list[Callable[[], Credential]] = [
        partial(verifying.record_approval, held, verifier=verifier),
        partial(verifying.refuse_credential, held, verifier=verifier, reason="No."),
        partial(verifying.record_approval, held, verifier=verifier),
    ]

    told = at_once(acts)

    assert sum(isinstance(one, Refusal) for one in told) == 2
    held.refresh_from_db()
    assert held.approvals.count() == (1 if held.state == "verified" else 0)


def test_an_approval_and_the_loss_of_the_role_do_not_cross(committed_db: str) -> None:
    held = claimed(at=instant(None))
    verifier = verifier_of(held)

    def lose() -> None:
        with transaction.atomic():
            PlatformRole.objects.filter(user=verifier).delete()

    def approve() -> None:
        verifying.record_approval(held, verifier=verifier)

    told = at_once([approve, lose])

    held.refresh_from_db()
    assert (held.state, held.approvals.count()) in {("verified", 1), ("in_review", 0)}
    assert isinstance(told[0], documents.NotAVerifier) == (held.state == "in_review")


@pytest.mark.django_db
def test_a_role_taken_away_between_the_look_and_the_yes_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    held = claimed()
    PlatformRole.objects.filter(user=held.claimed_by).delete()
    monkeypatch.setattr(documents, "need_verifier", lambda *_: None)

    with pytest.raises(documents.NotAVerifier):
        verifying.record_approval(held, verifier=verifier_of(held), at=NOW)

"""What the database itself refuses of credentials, whoever asks and however."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from accounts import verifying
from accounts.models import Approval, Credential, PlatformRole, User, Worker
from tests import build
from tests.guards import violates

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def claimed(credential: Credential | None = None) -> Credential:
    """A credential in review."""
    filed = credential or build.a_credential(at=NOW)
    return verifying.claim_review(filed, verifier=build.a_verifier(), at=NOW)


def verifier_of(credential: Credential) -> User:
    """Whoever looks at it."""
    assert credential.claimed_by is not None
    return credential.claimed_by


# Types and credentials


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "guard"),
    [
        ({"kind": "diploma"}, "credential_kind_is_known"),
        ({"number_check": "luhn"}, "number_check_is_known"),
        ({"verifiers_needed": 3}, "one_or_two_verifiers"),
        ({"verifiers_needed": 0}, "one_or_two_verifiers"),
    ],
)
def test_the_database_knows_what_a_type_is(facts: dict[str, Any], guard: str) -> None:
    with violates(guard):
        build.a_credential_type(**facts)


@pytest.mark.django_db
def test_one_credential_type_a_slug() -> None:
    build.a_credential_type("same")

    with violates("one_credential_type_a_slug"):
        build.a_credential_type("same")


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["verified", "in_review", "refused"])
def test_a_credential_begins_filed(state: str) -> None:
    filed = build.a_credential()

    with violates("a_credential_begins_filed"):
        Credential.objects.create(
            worker=filed.worker, type=filed.type, state=state, jurisdiction="X", reason="x", verified_at=NOW
        )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ({"state": "lost"}, "credential_moves_are_legal"),
        ({"state": "verified", "verified_at": NOW}, "credential_moves_are_legal"),
        ({"state": "revoked", "verified_at": NOW, "reason": "x"}, "credential_moves_are_legal"),
        ({"source": "dream"}, "what_was_shown_is_kept"),
        ({"issuer": "Somebody else"}, "what_was_shown_is_kept"),
        ({"details": b""}, "what_was_shown_is_kept"),
        ({"round": 2}, "an_answer_begins_a_round"),
    ],
)
def test_a_filed_credential_is_not_changed_behind_everybodys_back(change: dict[str, Any], guard: str) -> None:
    filed = build.a_credential()

    with violates(guard):
        Credential.objects.filter(pk=filed.pk).update(**change)


@pytest.mark.django_db
def test_credentials_are_kept() -> None:
    filed = build.a_credential()

    with violates("credentials_are_kept"):
        Credential.objects.filter(pk=filed.pk)._raw_delete("default")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "guard"),
    [
        ({"source": "dream"}, "credential_source_is_known"),
        ({"issued_on": date(2026, 1, 2), "expires_on": date(2026, 1, 2)}, "a_credential_expires_after_its_issue"),
    ],
)
def test_the_database_knows_what_a_credential_is(facts: dict[str, Any], guard: str) -> None:
    with violates(guard):
        Credential.objects.create(worker=build.a_worker(), type=build.a_credential_type(), **facts)


@pytest.mark.django_db
def test_a_decided_credential_says_when_and_why() -> None:
    filed, verifier = build.a_credential(), build.a_verifier()
    verifying.claim_review(filed, verifier=verifier)

    for state in ("refused", "more_wanted"):
        with violates("a_refused_credential_has_a_reason"):
            Credential.objects.filter(pk=filed.pk).update(state=state)
    verifying.record_approval(filed, verifier=verifier)
    with violates("a_verified_credential_says_when"):
        Credential.objects.filter(pk=filed.pk).update(verified_at=None)


@pytest.mark.django_db
def test_a_state_that_nobody_knows_is_refused_even_without_the_trigger(
    owner_connection: psycopg.Connection[Any],
) -> None:
    insert = (
        "INSERT INTO accounts_credential (worker_id, type_id, source, state, round, issuer, jurisdiction, reason)"
        " VALUES (1, 1, 'document', 'lost', 1, '', '', '')"
    )
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute("ALTER TABLE accounts_credential DISABLE TRIGGER credential_moves_are_legal")
        with pytest.raises(psycopg.errors.CheckViolation) as no:
            owner_connection.execute(insert)

    assert no.value.diag.constraint_name == "credential_state_is_known"


# Approvals


def approval_of(credential: Credential, verifier: User, round_: int = 1) -> None:
    """Straight into the table."""
    Approval.objects.create(credential=credential, round=round_, verifier=verifier)


@pytest.mark.django_db
def test_an_approval_is_by_a_verifier() -> None:
    held = claimed()
    verifier = verifier_of(held)

    PlatformRole.objects.filter(user=verifier).update(role="support")
    with violates("an_approval_is_by_a_verifier"):
        approval_of(held, verifier)
    PlatformRole.objects.filter(user=verifier).update(role="admin")
    User.objects.filter(pk=verifier.pk).update(is_active=False)
    with violates("an_approval_is_by_a_verifier"):
        approval_of(held, verifier)


@pytest.mark.django_db
def test_an_approval_is_of_what_is_in_review() -> None:
    filed, held = build.a_credential(), claimed()

    with violates("an_approval_is_of_what_is_in_review"):
        approval_of(filed, build.a_verifier())
    with violates("an_approval_is_of_what_is_in_review"):
        approval_of(held, build.a_verifier())
    with violates("an_approval_is_of_what_is_in_review"):
        approval_of(held, verifier_of(held), round_=2)


@pytest.mark.django_db
@pytest.mark.parametrize("linked", [False, True])
def test_an_approval_is_never_ones_own(linked: bool) -> None:
    # The trigger's own name is an_approval_is_anothers.
    held = claimed()
    verifier = verifier_of(held)
    if linked:
        mine = build.a_worker(user=verifier)
        Worker.objects.filter(pk=held.worker_id).update(person_id=mine.pk)
    else:
        Worker.objects.filter(pk=held.worker_id).update(user=verifier)

    with violates("an_approval_is_never_ones_own"):
        approval_of(held, verifier)


@pytest.mark.django_db
def test_a_verifier_approves_once() -> None:
    held = claimed(build.a_credential(type_=build.a_credential_type(verifiers_needed=2)))
    approval_of(held, verifier_of(held))

    with violates("a_verifier_approves_once"):
        approval_of(held, verifier_of(held))


@pytest.mark.django_db
@pytest.mark.parametrize("given", [0, 1])
def test_verified_needs_its_approvals(given: int) -> None:
    held = claimed(build.a_credential(type_=build.a_credential_type(verifiers_needed=2)))
    if given:
        approval_of(held, verifier_of(held))

    with violates("verified_needs_its_approvals"):
        Credential.objects.filter(pk=held.pk).update(state="verified", verified_at=NOW)


@pytest.mark.django_db
def test_an_approval_is_append_only_but_outlives_its_verifiers_account() -> None:
    verified = build.a_credential(verified=True)
    approvals = Approval.objects.filter(credential=verified)

    with violates("approval_is_append_only"):
        approvals.update(note="Better so.")
    with violates("approval_is_append_only"):
        approvals.update(verifier=build.a_verifier())
    with violates("approval_is_append_only"):
        approvals._raw_delete("default")
    approvals.update(verifier=None)

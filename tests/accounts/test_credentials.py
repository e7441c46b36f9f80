"""What a worker files is checked field by field, sealed, and under way once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from accounts import credentials, documents, verifying
from accounts.credentials import Filing, Upload
from accounts.models import Credential, CredentialType, Signal, Worker
from accounts.refusals import Refusal
from tests import build, papers
from tests.guards import violates
from tests.races import at_once, waits_for

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAPER = Filing(issuer="Board", holder="Ada Example")


def acts_of(credential: Credential) -> list[str]:
    """What happened to it, in order."""
    return list(credential.steps.order_by("pk").values_list("act", flat=True))


def faults(refused: pytest.ExceptionInfo[Refusal]) -> dict[str, str]:
    """What was wrong, by where."""
    return {fault.pointer: fault.detail for fault in refused.value.faults}


def refused(credential: Credential, at: datetime) -> Credential:
    """The credential, refused by a verifier."""
    verifier = build.a_verifier()
    verifying.claim_review(credential, verifier=verifier, at=at)
    return verifying.refuse_credential(credential, verifier=verifier, reason="Not legible.", at=at)


@pytest.mark.django_db
def test_a_credential_is_filed_with_all_that_stands_on_the_paper() -> None:
    asks = [{"name": "specialty", "title": "Specialty", "required": True}]
    npi = build.a_credential_type(jurisdictions=["US"], number_check="npi", number_required=True, fields=asks)
    filing = Filing(
        "  The   Board ", "US", " Ada  Example", "2000 000 002", {"specialty": "Radiology"}, date(2020, 1, 1)
    )
    worker = build.a_worker()

    filed = credentials.file_credential(worker, npi, filing, evidence=[], at=NOW)

    filed.refresh_from_db()
    assert (filed.state, filed.round, filed.source, filed.filed_at) == ("filed", 1, "document", NOW)
    assert (filed.issuer, filed.jurisdiction, filed.issued_on) == ("The Board", "US", date(2020, 1, 1))
    assert credentials.details_of(filed) == {
        "holder": "Ada Example",
        "number": "2000000002",
        "fields": {"specialty": "Radiology"},
    }
    assert acts_of(filed) == ["filed"]
    assert filed.steps.get().actor == f"user:{worker.user_id}"
    assert bytes(Signal.objects.get(worker=worker).digest) == bytes(filed.number_digest or b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "pointer", "why"),
    [
        ({"issuer": " "}, "/issuer", "needed"),
        ({"issuer": "x" * 201}, "/issuer", "At most 200"),
        ({"holder": ""}, "/holder", "needed"),
        ({"number": ""}, "/number", "needed"),
        ({"number": "2000000003"}, "/number", "check digit"),
        ({"jurisdiction": "DE"}, "/jurisdiction", "one of: US, CA"),
        ({"fields": {}}, "/fields/specialty", "Specialty is needed"),
        ({"fields": {"specialty": "x", "colour": "red"}}, "/fields/colour", "no such field"),
        ({"fields": {"specialty": "x" * 501}}, "/fields/specialty", "At most 500"),
        ({"issued_on": date(2026, 11, 26)}, "/issued_on", "not come yet"),
        ({"expires_on": date(2026, 11, 23)}, "/expires_on", "has expired"),
        (
            {"issued_on": date(2026, 11, 24), "expires_on": date(2026, 11, 24)},
            "/expires_on",
            "after the day of its issue",
        ),
    ],
)
def test_each_wrong_field_is_named(changed: dict[str, Any], pointer: str, why: str) -> None:
    asks = [{"name": "specialty", "title": "Specialty", "required": True}]
    npi = build.a_credential_type(jurisdictions=["US", "CA"], number_check="npi", number_required=True, fields=asks)
    right: dict[str, Any] = {"issuer": "Board", "jurisdiction": "US", "holder": "Ada", "number": "2000000002"}
    filing = Filing(**(right | {"fields": {"specialty": "Radiology"}} | changed))

    with pytest.raises(credentials.FilingRefused) as no:
        credentials.file_credential(build.a_worker(), npi, filing, evidence=[], at=NOW)

    assert list(faults(no)) == [pointer]
    assert why in faults(no)[pointer]
    assert not Credential.objects.exists()


@pytest.mark.django_db
def test_a_place_that_no_type_asks_for_has_at_most_eight_letters() -> None:
    with pytest.raises(credentials.FilingRefused) as no:
        build.a_credential(jurisdiction="Switzerland")

    assert "/jurisdiction" in faults(no)


@pytest.mark.django_db
def test_documents_are_needed_few_and_each_is_looked_at() -> None:
    worker, type_ = build.a_worker(), build.a_credential_type(evidence_required=True)
    file = partial(credentials.file_credential, worker, type_, PAPER)

    with pytest.raises(credentials.FilingRefused) as none:
        file(evidence=[])
    with pytest.raises(credentials.FilingRefused) as many:
        file(evidence=[Upload("a.png", papers.png())] * 6)
    with pytest.raises(credentials.FilingRefused) as hostile:
        file(evidence=[Upload("a.png", papers.png()), Upload("b.png", papers.SVG), Upload("c.pdf", papers.png()[:30])])

    assert faults(none) == {"/evidence": "A document is needed: a PDF, PNG or JPEG of the paper."}
    assert faults(many) == {"/evidence": "At most 5 documents in all."}
    assert list(faults(hostile)) == ["/evidence/1", "/evidence/2"]
    assert not Credential.objects.exists()


@pytest.mark.django_db
def test_only_people_file_and_only_what_is_offered() -> None:
    with pytest.raises(credentials.OnlyPeopleFile):
        build.a_credential(build.a_model())
    with pytest.raises(credentials.OnlyPeopleFile):
        credentials.file_assertion(build.a_model(), build.a_credential_type(), provider="orcid", uid="1", claims={})
    with pytest.raises(credentials.TypeNotOffered):
        build.a_credential(type_=build.a_credential_type(active=False))


@pytest.mark.django_db
def test_one_of_a_type_and_place_is_under_way_at_a_time() -> None:
    worker, type_ = build.a_worker(), build.a_credential_type()
    filed = build.a_credential(worker, type_, jurisdiction="US")

    with pytest.raises(credentials.FilingOpen):
        build.a_credential(worker, type_, jurisdiction="US")
    build.a_credential(worker, type_, jurisdiction="CA")
    credentials.withdraw_credential(filed)
    again = build.a_credential(worker, type_, jurisdiction="US")

    again.pk, again.details = None, None
    with violates("one_open_filing_a_type"):
        again.save()


def test_of_two_filings_at_once_one_is_taken(committed_db: str) -> None:
    worker, type_ = build.a_worker(), build.a_credential_type()

    told = at_once([partial(build.a_credential, worker, type_) for _ in range(2)])

    assert sorted(type(one).__name__ for one in told) == ["Credential", "FilingOpen"]
    assert Credential.objects.count() == 1


@pytest.mark.django_db
def test_what_is_verified_is_not_filed_again_but_renewed() -> None:
    worker, type_ = build.a_worker(), build.a_credential_type()
    held = build.a_credential(worker, type_, number="A-1", verified=True)

    with pytest.raises(credentials.CredentialOnFile):
        build.a_credential(worker, type_, number="a 1")
    renewal = credentials.file_credential(
        worker, type_, Filing(issuer="Board", holder="Ada", number="A-1"), evidence=[], renews=held
    )

    assert renewal.renews == held


@pytest.mark.django_db
def test_only_ones_own_of_the_same_type_is_renewed_while_it_held() -> None:
    worker, type_ = build.a_worker(), build.a_credential_type()
    theirs, other = build.a_credential(type_=type_, verified=True), build.a_credential(worker, verified=True)
    withdrawn = credentials.withdraw_credential(build.a_credential(worker, type_))

    for renewed in (theirs, other, withdrawn):
        with pytest.raises(credentials.NotRenewable):
            credentials.file_credential(worker, type_, PAPER, evidence=[], renews=renewed)


@pytest.mark.django_db
def test_after_a_refusal_one_waits_and_not_for_ever() -> None:
    type_ = build.a_credential_type(attempts_max=2, retry_days=7)
    worker = build.a_worker()
    refused(build.a_credential(worker, type_, at=NOW), NOW)

    with pytest.raises(credentials.FiledTooSoon, match="from 2026-12-01 12:00 UTC"):
        build.a_credential(worker, type_, at=NOW + timedelta(days=6))
    later = NOW + timedelta(days=7)
    refused(build.a_credential(worker, type_, at=later), later)
    with pytest.raises(credentials.FilingsUsedUp):
        build.a_credential(worker, type_, at=NOW + timedelta(days=700))


@pytest.mark.django_db
def test_refusals_of_a_linked_account_count() -> None:
    type_ = build.a_credential_type(attempts_max=1)
    one, other = build.a_worker(), build.a_worker()
    refused(build.a_credential(one, type_, at=NOW), NOW)
    Worker.objects.filter(pk=other.pk).update(person_id=one.pk)

    with pytest.raises(credentials.FilingsUsedUp):
        build.a_credential(other, type_, at=NOW)


@pytest.mark.django_db
def test_a_question_is_answered_with_the_facts_anew_and_further_documents() -> None:
    worker, verifier = build.a_worker(), build.a_verifier()
    type_ = build.a_credential_type(evidence_required=True)
    filed = credentials.file_credential(worker, type_, PAPER, evidence=[Upload("a", papers.png())])
    with pytest.raises(documents.CredentialNotInState):
        credentials.answer_question(filed, PAPER, evidence=[])
    verifying.claim_review(filed, verifier=verifier)
    asked = verifying.ask_for_more(filed, verifier=verifier, reason="The back side, too.")

    better = Filing(issuer="The Board", holder="Ada Example", number="7")
    answered = credentials.answer_question(asked, better, evidence=[Upload("b", papers.pdf())])

    answered.refresh_from_db()
    assert (answered.state, answered.round, answered.issuer) == ("filed", 2, "The Board")
    assert credentials.details_of(answered)["number"] == "7"
    assert list(answered.evidence.order_by("pk").values_list("name", "round")) == [("document 1", 1), ("document 2", 2)]
    assert acts_of(answered) == ["filed", "claimed", "asked", "answered"]
    with pytest.raises(credentials.FilingRefused):
        credentials.answer_question(_asked_again(answered), better, evidence=[Upload("b", papers.pdf())] * 4)


def _asked_again(credential: Credential) -> Credential:
    verifier = build.a_verifier()
    verifying.claim_review(credential, verifier=verifier)
    return verifying.ask_for_more(credential, verifier=verifier, reason="And the front?")


@pytest.mark.django_db
def test_it_is_withdrawn_before_it_is_decided_but_not_from_under_a_verifier() -> None:
    filed, verifier = build.a_credential(at=NOW), build.a_verifier()
    verifying.claim_review(filed, verifier=verifier, at=NOW)

    with pytest.raises(documents.CredentialNotInState):
        credentials.withdraw_credential(filed, at=NOW + timedelta(minutes=29))
    withdrawn = credentials.withdraw_credential(filed, at=NOW + timedelta(minutes=30))

    assert (withdrawn.state, withdrawn.ended_at, withdrawn.claimed_by) == (
        "withdrawn",
        NOW + timedelta(minutes=30),
        None,
    )
    with pytest.raises(documents.CredentialNotInState):
        credentials.withdraw_credential(filed)


# Assertions of sign-in providers


@pytest.fixture
def orcid() -> CredentialType:
    """The type that sign-in with ORCID files."""
    return build.a_credential_type("orcid", kind="identity", number_check="orcid", number_required=True)


@pytest.mark.django_db
def test_what_a_provider_asserted_is_filed_sealed_and_for_verifiers_like_any_other(orcid: CredentialType) -> None:
    claims = {"name": "Ada Example", "orcid": "0000-0002-1825-0097"}

    filed = credentials.file_assertion(
        build.a_worker(), orcid, provider="orcid", uid="0000000218250097", claims=claims, at=NOW
    )

    assert filed is not None
    assert (filed.source, filed.state, filed.issuer) == ("provider", "filed", "orcid")
    assert credentials.details_of(filed) == {
        "holder": "Ada Example",
        "number": "0000-0002-1825-0097",
        "fields": {},
        "claims": claims,
    }


@pytest.mark.django_db
def test_signing_in_again_files_nothing_not_even_after_a_no(orcid: CredentialType) -> None:
    worker = build.a_worker()
    assert_it = partial(credentials.file_assertion, worker, orcid, provider="orcid", claims={})
    first = assert_it(uid="0000-0002-1825-0097", at=NOW)
    assert first is not None

    assert assert_it(uid="0000-0002-1825-0097") is None
    assert assert_it(uid="0000-0001-9999-9990") is None  # another is under way
    refused(first, NOW)
    assert assert_it(uid="0000-0002-1825-0097") is None
    assert assert_it(uid="0000-0001-9999-9990") is not None


@pytest.mark.django_db
def test_nothing_is_asserted_beside_a_filing_for_whatever_place(orcid: CredentialType) -> None:
    worker = build.a_worker()
    build.a_credential(worker, orcid, jurisdiction="DE", number="0000-0001-9999-9990")

    assert credentials.file_assertion(worker, orcid, provider="orcid", uid="0000-0002-1825-0097", claims={}) is None


@pytest.mark.django_db
def test_a_providers_wrong_number_is_refused(orcid: CredentialType) -> None:
    with pytest.raises(credentials.FilingRefused):
        credentials.file_assertion(build.a_worker(), orcid, provider="orcid", uid="0000", claims={})


def test_a_filing_waits_for_the_decision_about_the_one_before_and_heeds_it(
    committed_db: str, app_connection: psycopg.Connection[Any]
) -> None:
    kind = build.a_credential_type(retry_days=7)
    worker, verifier = build.a_worker(), build.a_verifier()
    first = build.a_credential(worker, kind)
    verifying.claim_review(first, verifier=verifier)

    with pytest.raises(credentials.FiledTooSoon):
        waits_for(
            app_connection,
            "UPDATE accounts_credential SET state = 'refused', reason = 'Blurred.', ended_at = clock_timestamp()"
            " WHERE id = %s",
            [first.pk],
            lambda: build.a_credential(worker, kind),
        )

    assert Credential.objects.filter(worker=worker).count() == 1

"""Before a credential ends its worker hears of it, three times; then it ends; and documents do not stay for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts import credentials, noticing, verifying
from accounts.models import Credential, DoomedFile, Evidence, User
from tests import build, papers
from tests.races import at_once

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAST_DAY = date(2027, 3, 1)
END = datetime(2027, 3, 2, tzinfo=UTC)


@pytest.fixture
def noticed(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Callable[[datetime], int]:
    """The sweep, with what it does after the commit."""

    def sweep(at: datetime) -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return noticing.send_expiry_notices(limit=10, at=at)

    return sweep


def verified(**filing: Any) -> Credential:
    """A licence that is valid through the first of March."""
    return build.a_credential(verified=True, at=NOW, expires_on=LAST_DAY, **filing)


@pytest.mark.django_db
def test_a_worker_hears_60_14_and_1_days_before_once_each(noticed: Callable[[datetime], int]) -> None:
    credential = verified()
    sent = {}

    for days in (61, 60, 59, 14, 13, 1, 0.5, 0, -1):
        sent[days] = (noticed(END - timedelta(days=days)), noticed(END - timedelta(days=days)))

    assert [days for days, told in sent.items() if told != (0, 0)] == [60, 14, 1]
    assert all(told == (1, 0) for told in sent.values() if told != (0, 0))
    assert len(mail.outbox) == 3
    assert [step.actor for step in credential.steps.filter(act="noticed")] == ["sweep:notice_expiry"] * 3
    credential.refresh_from_db()
    assert credential.noticed_days == 1


@pytest.mark.django_db
def test_the_mail_says_what_ends_when_and_nothing_that_stands_on_the_paper(noticed: Callable[[datetime], int]) -> None:
    credential = verified(holder="Ada CANARY Example", number="N-CANARY")

    noticed(END - timedelta(days=10))

    [letter] = mail.outbox
    user = credential.worker.user
    assert user is not None
    assert letter.to == [user.email]
    assert credential.type.name in letter.subject
    assert "less than 14 more days" in str(letter.body)
    assert "CANARY" not in f"{letter.subject} {letter.body}"


@pytest.mark.django_db
def test_of_notices_that_are_due_together_only_the_last_is_sent(noticed: Callable[[datetime], int]) -> None:
    verified()

    assert noticed(END - timedelta(hours=5)) == 1
    assert noticed(END - timedelta(hours=4)) == 0
    assert "for 1 more day" in str(mail.outbox[0].body)


@pytest.mark.django_db
def test_who_has_renewed_it_or_is_gone_hears_nothing(noticed: Callable[[datetime], int]) -> None:
    renewed, gone = verified(), verified()
    renewal = credentials.file_credential(
        renewed.worker, renewed.type, credentials.Filing(issuer="B", holder="A"), evidence=[], renews=renewed, at=NOW
    )
    verifier = build.a_verifier()
    verifying.claim_review(renewal, verifier=verifier, at=NOW)
    verifying.record_approval(renewal, verifier=verifier, at=NOW)
    User.objects.filter(pk=gone.worker.user_id or 0).update(is_active=False)

    noticed(END - timedelta(days=5))

    assert mail.outbox == []


@pytest.mark.django_db
def test_a_mail_that_fails_stops_nobody_elses(
    noticed: Callable[[datetime], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(), verified()
    fails = iter([True, False])
    monkeypatch.setattr(noticing, "send_mail", lambda *told: 1 / 0 if next(fails) else mail.send_mail(*told))

    assert noticed(END - timedelta(days=5)) == 2
    assert len(mail.outbox) == 1


def test_two_sweeps_at_once_send_one_notice(committed_db: str) -> None:
    credential = verified()
    due = END - timedelta(days=5)

    done = at_once([partial(noticing.send_expiry_notices, limit=10, at=due) for _ in range(2)])

    assert sorted(int(str(one)) for one in done) == [0, 1]
    assert credential.steps.filter(act="noticed").count() == 1


@pytest.mark.django_db
def test_a_credential_ends_when_its_validity_is_over() -> None:
    ends, stays = verified(), build.a_credential(verified=True, at=NOW)

    assert noticing.expire_credentials(limit=10, at=END - timedelta(seconds=1)) == 0
    assert noticing.expire_credentials(limit=10, at=END + timedelta(hours=1)) == 1
    assert noticing.expire_credentials(limit=10, at=END + timedelta(hours=1)) == 0

    ends.refresh_from_db()
    stays.refresh_from_db()
    assert (ends.state, ends.ended_at, stays.state) == ("expired", END, "verified")
    assert ends.steps.latest("pk").actor == "sweep:expire_credentials"


def with_document(at: datetime = NOW) -> Credential:
    """A filed credential with a document."""
    said = credentials.Filing(issuer="Board", holder="Ada", expires_on=LAST_DAY)
    sent = [credentials.Upload("a.png", papers.png())]
    return credentials.file_credential(build.a_worker(), build.a_credential_type(), said, evidence=sent, at=at)


def decided(credential: Credential, *, yes: bool) -> Credential:
    """The same, verified or refused."""
    verifier = build.a_verifier()
    verifying.claim_review(credential, verifier=verifier, at=NOW)
    if yes:
        return verifying.record_approval(credential, verifier=verifier, at=NOW)
    return verifying.refuse_credential(credential, verifier=verifier, reason="No.", at=NOW)


@pytest.mark.django_db
def test_documents_go_some_time_after_the_decision(settings: Settings) -> None:
    settings.EVIDENCE_KEEP_DAYS = 30
    shown = [decided(with_document(), yes=True), decided(with_document(), yes=False)]
    shown.append(credentials.withdraw_credential(with_document(), at=NOW))
    undecided = with_document()
    due = NOW + timedelta(days=30)

    assert noticing.retire_evidence(limit=10, at=due - timedelta(seconds=1)) == 0
    assert noticing.retire_evidence(limit=10, at=due) == 3
    assert noticing.retire_evidence(limit=10, at=due) == 0

    gone = Evidence.objects.filter(removed_at=due)
    assert {one.credential_id for one in gone} == {one.pk for one in shown}
    assert set(DoomedFile.objects.values_list("path", flat=True)) == {one.path for one in gone}
    assert undecided.evidence.get().removed_at is None


@pytest.mark.django_db
def test_a_revocation_keeps_what_it_was_decided_on_for_as_long_again() -> None:
    credential = decided(with_document(), yes=True)
    revoked_at = NOW + timedelta(days=80)
    verifying.end_credential(credential, state="revoked", reason="Struck off.", actor="user:1", at=revoked_at)

    assert noticing.retire_evidence(limit=10, at=NOW + timedelta(days=91)) == 0
    assert noticing.retire_evidence(limit=10, at=revoked_at + timedelta(days=90)) == 1


@pytest.mark.django_db
def test_each_sweep_takes_no_more_than_it_is_told() -> None:
    for _ in range(3):
        decided(with_document(), yes=True)

    assert noticing.send_expiry_notices(limit=2, at=END - timedelta(days=5)) == 2
    assert noticing.expire_credentials(limit=2, at=END) == 2
    assert noticing.retire_evidence(limit=2, at=END + timedelta(days=100)) == 2

"""Documents lie sealed under names of ours, every look is on record, and rows that are evidence are never changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from accounts import credentials, documents, vault, verifying
from accounts.models import (
    Credential,
    CredentialStep,
    Evidence,
    EvidenceView,
    PersonKey,
    Signal,
    Worker,
)
from accounts.sealing import BoxRefused
from tests import build, papers
from tests.guards import violates

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Path:
    """The folder of the evidence store, for this test alone."""
    options = {"location": tmp_path, "file_permissions_mode": 0o600}
    there = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "evidence": there}
    return tmp_path


def files(store: Path) -> list[Path]:
    """What lies in the store."""
    return [path for path in store.rglob("*") if path.is_file()]


def filed(*contents: bytes, name: str = "scan.pdf", worker: Worker | None = None) -> Credential:
    """A credential with these documents."""
    said = credentials.Filing(issuer="Board", holder="Ada CANARY Example")
    sent = [credentials.Upload(name, content) for content in contents]
    return credentials.file_credential(worker or build.a_worker(), build.a_credential_type(), said, evidence=sent)


def test_a_document_lies_sealed_under_a_name_of_ours_whatever_it_was_called(store: Path) -> None:
    content = papers.pdf()

    evidence = filed(content, name="../../etc/passwd").evidence.get()

    [file] = files(store)
    assert file.read_bytes() != content
    assert b"%PDF" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file == store / evidence.path
    assert "passwd" not in f"{evidence.path} {evidence.name}"
    assert (evidence.name, evidence.content_type, evidence.pages) == ("document 1", "application/pdf", 1)
    assert evidence.bytes == len(content)
    assert documents.content_of(evidence) == content


def test_what_names_the_person_stands_in_no_column(store: Path) -> None:
    credential = filed(papers.png())

    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text FROM accounts_credential c WHERE id = %s", [credential.pk])
        (row,) = cursor.fetchone()
    assert "CANARY" not in row
    assert credentials.details_of(credential)["holder"] == "Ada CANARY Example"


def test_without_the_persons_key_neither_facts_nor_documents_open(store: Path) -> None:
    credential = filed(papers.png())

    PersonKey.objects.filter(user=credential.worker.user).delete()

    with pytest.raises(vault.PersonErased):
        credentials.details_of(credential)
    with pytest.raises(vault.PersonErased):
        documents.content_of(credential.evidence.get())


def test_a_box_cut_from_one_credential_opens_in_no_other(store: Path) -> None:
    worker = build.a_worker()
    one, other = filed(papers.png(5, 5), worker=worker), filed(papers.png(6, 6), worker=worker)

    other.details = one.details
    with pytest.raises(BoxRefused):
        credentials.details_of(other)
    first, second = one.evidence.get(), other.evidence.get()
    (store / first.path).write_bytes((store / second.path).read_bytes())
    with pytest.raises(BoxRefused):
        documents.content_of(first)


def test_a_filing_that_fails_leaves_no_file_behind(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "note_step", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        filed(papers.png(), papers.pdf())

    assert files(store) == []
    assert not Evidence.objects.exists()


def test_every_look_at_a_document_is_on_record_before_it_is_opened(store: Path) -> None:
    evidence, verifier = filed(papers.pdf(2)).evidence.get(), build.a_verifier()
    owner = evidence.credential.worker.user
    assert owner is not None

    page = verifying.see_document(evidence, viewer=verifier, page=2)
    whole = verifying.see_document(evidence, viewer=owner)
    with pytest.raises(verifying.PictureRefused, match="no page 3; the document has 2"):
        verifying.see_document(evidence, viewer=verifier, page=3)
    (store / evidence.path).unlink()
    with pytest.raises(FileNotFoundError):
        verifying.see_document(evidence, viewer=verifier)

    assert isinstance(page, verifying.Picture)
    assert (page.content[:4], page.page, page.pages) == (b"\x89PNG", 2, 2)
    assert isinstance(whole, bytes)
    assert list(EvidenceView.objects.order_by("pk").values_list("viewer", flat=True)) == [
        f"user:{one}" for one in (verifier.pk, owner.pk, verifier.pk, verifier.pk)
    ]


def test_nobody_else_looks_at_a_document(store: Path) -> None:
    evidence = filed(papers.pdf()).evidence.get()
    gone = build.a_verifier()
    gone.is_active = False

    for viewer in (build.a_user(), gone, build.an_organisation().memberships.get().user):
        with pytest.raises(verifying.NotYourDocument):
            verifying.see_document(evidence, viewer=viewer, page=1)

    assert not EvidenceView.objects.exists()


def test_a_document_that_was_removed_is_gone(store: Path) -> None:
    evidence = filed(papers.pdf()).evidence.get()
    evidence.removed_at = evidence.filed_at
    evidence.save()

    with pytest.raises(documents.DocumentGone):
        verifying.see_document(evidence, viewer=build.a_verifier())


def test_the_same_document_leaves_the_same_mark_on_both_accounts(store: Path) -> None:
    content = papers.pdf()

    one, other = filed(content), filed(content)

    marks = Signal.objects.filter(kind="document").values_list("worker_id", "digest")
    assert {worker for worker, _ in marks} == {one.worker_id, other.worker_id}
    assert len({bytes(digest) for _, digest in marks}) == 1
    assert list(verifying.doubles_of(one)) == [other]


# Guards


def test_one_file_a_path(store: Path) -> None:
    evidence = filed(papers.pdf()).evidence.get()
    evidence.pk = None

    with violates("one_file_a_path"):
        evidence.save()


@pytest.mark.parametrize(
    ("column", "value", "guard"),
    [
        ("content_type", "image/svg+xml", "evidence_is_a_pdf_or_a_picture"),
        ("bytes", 10 * 1024 * 1024 + 1, "evidence_has_at_most_10_mib"),
        ("bytes", 0, "evidence_has_at_most_10_mib"),
    ],
)
def test_the_database_knows_what_evidence_is(store: Path, column: str, value: object, guard: str) -> None:
    evidence = filed(papers.pdf()).evidence.get()
    evidence.pk, evidence.path = None, "elsewhere"
    setattr(evidence, column, value)

    with violates(guard):
        evidence.save()


def test_evidence_is_only_removed_and_once(store: Path) -> None:
    credential = filed(papers.pdf(), papers.png())
    one, other = credential.evidence.order_by("pk")

    for change in ({"name": "x"}, {"path": "y"}, {"round": 2}, {"digest": b"z"}):
        with violates("evidence_is_only_removed"):
            Evidence.objects.filter(pk=one.pk).update(**change)
    with violates("evidence_is_only_removed"):
        Evidence.objects.filter(pk=one.pk).delete()
    Evidence.objects.filter(pk=one.pk).update(removed_at=one.filed_at)
    with violates("evidence_is_only_removed"):
        Evidence.objects.filter(pk=one.pk).update(removed_at=None)
    assert other.removed_at is None


def test_steps_and_views_are_append_only(store: Path) -> None:
    credential = filed(papers.pdf())
    verifying.see_document(credential.evidence.get(), viewer=build.a_verifier(), page=1)

    with violates("credential_step_is_append_only"):
        CredentialStep.objects.update(actor="somebody else")
    with violates("credential_step_is_append_only"):
        CredentialStep.objects.filter(credential=credential)._raw_delete("default")
    with violates("evidence_view_is_append_only"):
        EvidenceView.objects.update(viewer="nobody")
    with violates("evidence_view_is_append_only"):
        EvidenceView.objects.all()._raw_delete("default")


@pytest.mark.parametrize(
    ("table", "guard"),
    [
        ("credentialstep", "credential_step_is_append_only"),  # credential_step_is_never_emptied
        ("approval", "approval_is_append_only"),  # approval_is_never_emptied
        ("evidenceview", "evidence_view_is_append_only"),  # evidence_view_is_never_emptied
    ],
)
def test_no_table_of_evidence_is_emptied(owner_connection: psycopg.Connection[Any], table: str, guard: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute(f"TRUNCATE accounts_{table} CASCADE")

    assert refused.value.diag.constraint_name == guard


def test_what_was_written_about_an_erased_person_may_be_blanked_and_nothing_else(store: Path) -> None:
    credential, verifier = filed(papers.pdf()), build.a_verifier()
    verifying.claim_review(credential, verifier=verifier)
    verifying.record_approval(credential, verifier=verifier, note="knows Ada CANARY")
    steps = CredentialStep.objects.filter(credential=credential)
    with violates("credential_step_is_append_only"):
        steps.update(note="")
    with violates("what_was_shown_is_kept"):
        Credential.objects.filter(pk=credential.pk).update(details=b"")

    Worker.objects.filter(pk=credential.worker_id).update(state="erased", name="", user=None)

    steps.update(note="")
    credential.approvals.update(note="")
    credential.evidence.update(digest=b"", removed_at=credential.filed_at)
    Credential.objects.filter(pk=credential.pk).update(details=None, number_digest=None, issuer="", reason="")
    with violates("credential_step_is_append_only"):
        steps.update(actor="somebody else")
    with violates("approval_is_append_only"):
        credential.approvals.update(round=9)
    with violates("evidence_is_only_removed"):
        credential.evidence.update(path="elsewhere")

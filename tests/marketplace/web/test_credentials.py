"""The pages of a worker's credentials, and the links to their documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.test import Client
from django.urls import reverse

from accounts import verifying
from accounts.models import Credential, CredentialType, EvidenceView, User, Worker
from marketplace.api import ids
from marketplace.web import receiving
from qualification import crediting
from tests import build, papers
from tests.marketplace.web.filed import address, filed, sent, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Nobody has been counted yet."""
    cache.clear()


class TestWorker:
    """What a worker sees and does."""

    def test_the_list_shows_what_each_type_would_open(
        self, client: Client, rosa: Worker, licence: CredentialType
    ) -> None:
        page = text_of(client.get(reverse("credentials")))

        assert "Medical licence" in page
        assert "Would open:" in page
        assert "Chest, level 3" in page

    def test_the_form_asks_for_what_the_type_asks_for_and_every_field_has_its_label(
        self, client: Client, rosa: Worker, licence: CredentialType
    ) -> None:
        page = text_of(client.get(reverse("credential_file", args=["licence"])))

        names = set(re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', page))
        assert {"filing-extra-specialty", "filing-documents", "filing-jurisdiction"} <= names
        assert {name for name in names if f'for="{name}"' not in page} == set()
        assert 'enctype="multipart/form-data"' in page

    def test_filing_leads_to_the_credential_and_the_name_of_the_file_is_not_kept(
        self, client: Client, rosa: Worker, licence: CredentialType
    ) -> None:
        made = filed(client)
        page = text_of(client.get(address(made)))

        assert made.worker == rosa
        assert made.evidence.get().content_type == "application/pdf"
        assert "document 1" in page
        assert "passwd" not in page
        assert "Rosa Ray" in page
        assert "Waiting to be looked at" in page

    @pytest.mark.parametrize(
        ("facts", "told"),
        [
            ({"issuer": ""}, "Fill this in: Issued by."),
            ({"jurisdiction": "FR"}, "not one of the available choices"),
            ({"extra-specialty": ""}, "Fill this in: Specialty."),
            ({"issued_on": "2020-01-31", "expires_on": "2019-01-31"}, "expire"),
            ({"documents": SimpleUploadedFile("a.pdf", b"<html>")}, "Document 1: This is no PDF, PNG or JPEG"),
            ({"documents": ""}, "Choose at least one document."),
        ],
        ids=["no issuer", "elsewhere", "no specialty", "backwards", "a page", "no document"],
    )
    def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_filed(
        self, client: Client, rosa: Worker, licence: CredentialType, facts: dict[str, Any], told: str
    ) -> None:
        response = client.post(reverse("credential_file", args=["licence"]), sent(**facts))

        assert response.status_code == 400
        assert told in text_of(response)
        assert 'aria-invalid="true"' in text_of(response)
        assert not Credential.objects.exists()

    @pytest.mark.parametrize("honest", [True, False], ids=["says its length", "says a small one"])
    def test_a_form_that_is_too_large_is_stopped_before_it_fills_the_disk(
        self, client: Client, rosa: Worker, licence: CredentialType, monkeypatch: pytest.MonkeyPatch, *, honest: bool
    ) -> None:
        monkeypatch.setattr(receiving, "FORM_MAX", 2_000)
        large = SimpleUploadedFile("a.pdf", papers.pdf() + bytes(3_000))
        # Each of the two looks has to stop it without the other.
        if honest:
            monkeypatch.setattr(receiving.Bounded, "receive_data_chunk", lambda _self, raw, _start: raw)
        else:
            monkeypatch.setattr(receiving.Bounded, "handle_raw_input", FileUploadHandler.handle_raw_input)

        response = client.post(reverse("credential_file", args=["licence"]), sent(documents=large))

        assert response.status_code in {400, 413}
        assert "required" not in text_of(response)
        assert not Credential.objects.exists()

    def test_a_second_filing_of_the_same_is_refused_in_words(
        self, client: Client, rosa: Worker, licence: CredentialType
    ) -> None:
        filed(client)

        response = client.post(reverse("credential_file", args=["licence"]), sent())

        assert response.status_code == 400
        assert "under way already" in text_of(response)

    def test_a_question_is_shown_and_answered(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made = filed(client)
        verifying.claim_review(made, verifier=vera)
        verifying.ask_for_more(made, verifier=vera, reason="Which board?")

        assert "Which board?" in text_of(client.get(address(made)))
        form = text_of(client.get(address(made, "credential_answer")))
        response = client.post(address(made, "credential_answer"), sent(issuer="The other board", documents=""))

        made.refresh_from_db()
        assert 'value="Board of Radiology"' in form
        assert response.status_code == 302
        assert (made.state, made.round, made.issuer) == ("filed", 2, "The other board")

    def test_a_filing_is_withdrawn_by_a_button_that_is_gone_once_somebody_looks(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made = filed(client)
        verifying.claim_review(made, verifier=vera)
        assert address(made, "credential_withdraw") not in text_of(client.get(address(made)))
        assert client.post(address(made, "credential_withdraw")).status_code == 409

        verifying.release_review(made, verifier=vera)
        client.post(address(made, "credential_withdraw"))

        made.refresh_from_db()
        assert made.state == "withdrawn"

    def test_a_verified_one_says_what_it_opens_and_can_be_renewed(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made = filed(client)
        verifying.claim_review(made, verifier=vera)
        crediting.approve_credential(made, verifier=vera)

        page = text_of(client.get(address(made)))
        renewal = f"{reverse('credential_file', args=['licence'])}?renews={ids.public('crd', made.pk)}"
        assert "Opens:" in page
        assert renewal in page
        client.post(renewal, sent())

        assert Credential.objects.latest("pk").renews == made

    def test_the_page_never_says_who_verifies(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made = filed(client)
        verifying.claim_review(made, verifier=vera)
        verifying.refuse_credential(made, verifier=vera, reason="It is expired.")

        page = text_of(client.get(address(made)))

        assert "It is expired." in page
        assert "Vera" not in page
        assert vera.email not in page
        assert f"user:{vera.pk}" not in page

    def test_nothing_of_anothers_is_there(self, client: Client, rosa: Worker, licence: CredentialType) -> None:
        made = filed(client)
        paper = ids.public("evd", made.evidence.get().pk)
        other = Client()
        other.force_login(build.a_worker().user)  # type: ignore[arg-type]  # they have one

        for name in ("credential", "credential_answer"):
            assert other.get(address(made, name)).status_code == 404
        assert other.post(address(made, "credential_withdraw")).status_code == 404
        assert other.get(reverse("document", args=[paper])).status_code == 404
        assert (
            other.get(f"{reverse('credential_file', args=['licence'])}?renews={ids.public('crd', made.pk)}").status_code
            == 404
        )
        made.refresh_from_db()
        assert made.state == "filed"

    def test_who_is_no_worker_is_sent_where_they_can_become_one(self, client: Client) -> None:
        assert client.get(reverse("credentials")).headers["Location"] == reverse("welcome")
        client.force_login(build.a_user())
        assert client.get(reverse("credentials")).headers["Location"] == reverse("welcome")

    def test_ones_own_document_is_reached_by_a_fresh_link_each_time(
        self, client: Client, rosa: Worker, licence: CredentialType
    ) -> None:
        paper = filed(client).evidence.get()
        place = reverse("document", args=[ids.public("evd", paper.pk)])

        saved = client.get(place, follow=True)
        picture = client.get(place, {"page": "2"}, follow=True)

        assert saved["Content-Disposition"].startswith("attachment")
        assert picture["Content-Type"] == "image/png"
        for page in ("3", "0", "-1", "x", "²"):
            assert client.get(place, {"page": page}).status_code == 404
        assert EvidenceView.objects.count() == 2

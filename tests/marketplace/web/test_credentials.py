"""The pages of credentials: a worker's own, the links to documents, and the verifiers' queue in the administration."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.test import Client
from django.urls import reverse

from accounts import organising, verifying
from accounts.models import Credential, CredentialStep, CredentialType, EvidenceView, User, Worker
from marketplace.api import ids
from marketplace.web import receiving
from qualification import crediting
from qualification.models import CredentialRule, Qualification
from tests import build, papers
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Nobody has been counted yet."""
    cache.clear()


@pytest.fixture
def rosa(client: Client) -> Worker:
    """A worker, signed in with ``client``."""
    worker = build.a_worker("Rosa")
    assert worker.user is not None
    client.force_login(worker.user)
    return worker


@pytest.fixture
def vera() -> User:
    """A verifier, with the right to the administration that comes with it."""
    user = build.a_user("Vera")
    organising.give_platform_role(user, "verifier", given_by=None)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def licence() -> CredentialType:
    """A licence with a document and a question of its own; it opens a level in chests."""
    kind = build.a_credential_type(
        "licence",
        name="Medical licence",
        evidence_required=True,
        jurisdictions=["DE", "US"],
        fields=[{"name": "specialty", "title": "Specialty", "required": True}],
    )
    crediting.set_rule(kind, build.a_domain("medicine/chest"), level=3, actor="system")
    return kind


def sent(**facts: Any) -> dict[str, Any]:
    """A form that is right in every field, unless told otherwise."""
    said = {
        "issuer": "Board of Radiology",
        "jurisdiction": "DE",
        "holder": "Rosa Ray",
        "number": "",
        "issued_on": "",
        "expires_on": "",
        "extra-specialty": "chest",
        "documents": SimpleUploadedFile("../../etc/passwd.pdf", papers.pdf(2), "text/html"),
    }
    return {**said, **facts}


def filed(client: Client) -> Credential:
    """A credential filed by the form."""
    response = client.post(reverse("credential_file", args=["licence"]), sent())
    assert response.status_code == 302, text_of(response)
    return Credential.objects.latest("pk")


def address(credential: Credential, name: str = "credential") -> str:
    return reverse(name, args=[ids.public("crd", credential.pk)])


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def verifier(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def queue(credential: Credential | None = None, act: str = "") -> str:
    if credential is None:
        return reverse("admin:accounts_credential_changelist")
    if act:
        return reverse("admin:accounts_credential_act", args=[credential.pk, act])
    return reverse("admin:accounts_credential_change", args=[credential.pk])


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
            ({"issuer": ""}, "This field is required."),
            ({"jurisdiction": "FR"}, "not one of the available choices"),
            ({"extra-specialty": ""}, "This field is required."),
            ({"issued_on": "2020-01-31", "expires_on": "2019-01-31"}, "expire"),
            ({"documents": SimpleUploadedFile("a.pdf", b"<html>")}, "Document 1: This is no PDF, PNG or JPEG"),
            ({"documents": ""}, "This field is required."),
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
        if not honest:
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


class TestQueue:
    """What a verifier sees and does in the administration."""

    def test_the_queue_is_all_of_the_administration_that_a_verifier_is_shown(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)

        assert caller.get("/admin/").headers["Location"] == queue()
        page = text_of(caller.get(queue()))
        for found in set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', page)):
            assert found == queue()
        assert queue(made) in page
        for other in ("accounts_user", "accounts_credentialtype", "tasks_job", "accounts_auditrow", "ledger_transfer"):
            assert caller.get(reverse(f"admin:{other}_changelist")).status_code == 403

    def test_without_a_second_factor_or_the_role_nothing_of_it_is_there(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made = filed(client)
        half = Client()
        sign_in(half, vera, second_factor=False)
        staff = verifier(build.a_user(is_staff=True))

        for caller, status in ((half, 302), (staff, 403), (client, 302)):
            assert caller.get(queue()).status_code == status
            assert caller.get(queue(made)).status_code == status
            assert caller.post(queue(made, "claim")).status_code == status
        made.refresh_from_db()
        assert made.state == "filed"

    def test_documents_stand_beside_the_form_once_it_is_in_ones_hands(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)
        assert "<img" not in text_of(caller.get(queue(made))).partition('class="review"')[2]

        page = text_of(caller.post(queue(made, "claim"), follow=True))
        links = re.findall(r'<img src="(/evidence/[^"]+)"', page)

        assert len(links) == 2
        assert [caller.get(link)["Content-Type"] for link in links] == ["image/png"] * 2
        assert client.get(links[0]).status_code == 404, "not even the worker's own by the verifier's link"
        assert EvidenceView.objects.filter(viewer=f"user:{vera.pk}").count() == 2
        assert "Rosa Ray" in page
        assert 'name="reason"' in page

    def test_a_verifier_approves_and_it_opens_what_the_rules_say(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)
        caller.post(queue(made, "claim"))

        page = text_of(caller.post(queue(made, "approve"), {"note": "seen"}, follow=True))

        assert "what it opens is granted" in page
        assert Qualification.objects.get(worker=rosa).credential == made
        assert "Rests on it:" in page

    def test_asking_refusing_letting_go_and_revoking_are_there_too(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)
        for act, said in (
            ("claim", {}),
            ("release", {}),
            ("claim", {}),
            ("approve", {}),
            ("revoke", {"reason": "Gone."}),
        ):
            caller.post(queue(made, act), said)

        made.refresh_from_db()
        assert (made.state, made.reason) == ("revoked", "Gone.")
        acts = CredentialStep.objects.filter(credential=made).order_by("pk").values_list("act", flat=True)
        assert list(acts) == ["filed", "claimed", "released", "claimed", "approved", "verified", "revoked"]

    def test_a_refusal_comes_back_in_words_with_what_was_typed(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)
        otto = build.a_verifier("Otto")
        verifying.claim_review(made, verifier=otto)

        response = caller.post(queue(made, "refuse"), {"reason": "A long reason."})
        taken = text_of(caller.get(queue(made)))

        assert response.status_code in {403, 409}
        assert "Claim this credential first" in text_of(response)
        assert "Otto" in taken
        assert 'name="question"' not in taken

    def test_ones_own_is_shown_without_the_form_and_cannot_be_claimed(
        self, licence: CredentialType, vera: User
    ) -> None:
        worker = build.a_worker(user=vera)
        caller = verifier(vera)
        assert worker.user == vera
        made = filed(caller)

        page = text_of(caller.get(queue(made)))
        response = caller.post(queue(made, "claim"))

        assert "your own" in page
        assert queue(made, "claim") not in page
        assert response.status_code == 403
        made.refresh_from_db()
        assert made.state == "filed"

    def test_what_others_have_shown_too_is_pointed_out(self, client: Client, rosa: Worker, vera: User) -> None:
        kind = build.a_credential_type("degree", number_required=True)
        build.a_credential(build.a_worker("Bob"), kind, number="4711")
        made = build.a_credential(rosa, kind, number="4711")

        page = text_of(verifier(vera).get(queue(made)))

        assert "Other people have shown the same" in page
        assert "Bob" in page

    def test_the_queue_holds_what_waits_unless_asked_otherwise(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        waits, done = filed(client), build.a_verified_credential(verifier=build.a_verifier())
        caller = verifier(vera)

        def shown(asked: str) -> list[bool]:
            page = text_of(caller.get(queue() + asked))
            return [queue(one) in page for one in (waits, done)]

        assert shown("") == [True, False]
        assert shown("?queue=verified") == [False, True]
        assert shown("?queue=all") == [True, True]
        assert shown("?queue=mine") == [False, False]
        caller.post(queue(waits, "claim"))
        assert shown("?queue=mine") == [True, False]

    def test_an_interview_is_arranged_and_scored_on_its_rubric(self, client: Client, rosa: Worker, vera: User) -> None:
        kind = build.a_credential_type(
            "interview", kind="interview", rubric=[{"name": "depth", "title": "Depth", "most": 5}], pass_points=3
        )
        form = text_of(client.get(reverse("credential_file", args=[kind.slug])))
        client.post(reverse("credential_file", args=[kind.slug]), {"jurisdiction": ""})
        made, caller = Credential.objects.get(worker=rosa), verifier(vera)
        assert 'name="issuer"' not in form
        assert caller.post(queue(made, "schedule"), {"scheduled_at": "soon"}).status_code == 400

        when = {"scheduled_at": "2099-01-31T10:00", "place": "https://meet.example.org/rosa"}
        caller.post(queue(made, "schedule"), when)
        page = text_of(caller.get(queue(made)))
        caller.post(queue(made, "score"), {"score-depth": "4", "note": "Sure of herself."})

        made.refresh_from_db()
        assert 'name="score-depth"' in page
        assert made.state == "verified"

    def test_an_act_wants_a_post_and_a_name_it_knows(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        made, caller = filed(client), verifier(vera)

        assert caller.get(queue(made, "claim")).status_code == 403
        assert caller.post(queue(made, "burn")).status_code == 404
        assert caller.post(queue(made), {}).status_code == 403


class TestTypes:
    """Types and rules as data, for admins."""

    @pytest.fixture
    def fay(self, client: Client) -> User:
        """An admin, signed in."""
        user = build.a_user("Fay")
        organising.give_platform_role(user, "admin", given_by=None)
        sign_in(client, user)
        return user

    def type_form(self, **facts: str) -> dict[str, str]:
        said = {
            "slug": "board", "name": "Board", "kind": "certificate", "fields": "[]", "jurisdictions": "",
            "number_check": "none", "verifiers_needed": "1", "registry": "", "rubric": "[]", "pass_points": "0",
            "attempts_max": "3", "retry_days": "0", "active": "on",
        }  # fmt: skip
        return said | facts

    def test_an_admin_adds_a_type_and_says_what_it_opens(self, client: Client, fay: User) -> None:
        domain = build.a_domain("medicine/skin")
        added = client.post(reverse("admin:accounts_credentialtype_add"), self.type_form())
        kind = CredentialType.objects.get(slug="board")
        rule = {"type": kind.pk, "domain": domain.pk, "level": "2", "jurisdictions": "DE,US"}
        client.post(reverse("admin:qualification_credentialrule_add"), rule)

        assert added.status_code == 302
        assert CredentialRule.objects.get(type=kind).jurisdictions == ["DE", "US"]

    @pytest.mark.parametrize(
        "facts",
        [
            {"fields": '{"name": "x"}'},
            {"fields": '[{"name": "two words", "title": "X"}]'},
            {"fields": '[{"name": "x", "title": "X", "required": "yes"}]'},
            {"fields": '[{"name": "x", "title": "X"}, {"name": "x", "title": "Y"}]'},
            {"rubric": '[{"name": "x", "title": "X", "most": 0}]'},
            {"registry": "made-up"},
        ],
    )
    def test_a_type_that_could_not_be_asked_for_is_not_taken(
        self, client: Client, fay: User, facts: dict[str, str]
    ) -> None:
        response = client.post(reverse("admin:accounts_credentialtype_add"), self.type_form(**facts))

        assert response.status_code == 200
        assert not CredentialType.objects.exists()

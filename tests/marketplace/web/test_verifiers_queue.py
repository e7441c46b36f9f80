"""The verifiers' queue in the administration, and for admins the types of credentials and what they open."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import organising, verifying
from accounts.models import Credential, CredentialStep, CredentialType, EvidenceView, User, Worker
from qualification.models import CredentialRule, Qualification
from tests import build
from tests.marketplace.web.filed import filed, queue, text_of, verifier
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Nobody has been counted yet."""
    cache.clear()


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

    def test_staff_who_do_not_verify_revoke_nothing(self, vera: User) -> None:
        held = build.a_verified_credential(verifier=vera)
        supporter = build.a_user()
        organising.give_platform_role(supporter, "support", given_by=None)

        assert verifier(supporter).post(queue(held, "revoke"), {"reason": "Out."}).status_code == 403
        held.refresh_from_db()
        assert held.state == "verified"

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

    def test_the_queue_says_how_many_of_how_many_have_approved(
        self, client: Client, rosa: Worker, licence: CredentialType, vera: User
    ) -> None:
        CredentialType.objects.filter(pk=licence.pk).update(verifiers_needed=2)
        made, caller = filed(client), verifier(vera)
        assert "0 of 2" in text_of(caller.get(queue()))

        caller.post(queue(made, "claim"))
        caller.post(queue(made, "approve"))

        assert "1 of 2" in text_of(caller.get(queue()))

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

    def test_of_ones_own_a_verifier_learns_no_more_than_any_worker(self, vera: User) -> None:
        kind = build.a_credential_type(number_required=True, verifiers_needed=2)
        made = build.a_credential(build.a_worker(user=vera), kind, number="4711")
        build.a_credential(build.a_worker("Bob"), kind, number="4711")
        otto = build.a_verifier("Otto")
        verifying.claim_review(made, verifier=otto)
        verifying.record_approval(made, verifier=otto, note="Looks odd to me.")

        page = text_of(verifier(vera).get(queue(made)))

        assert "your own" in page
        assert not [one for one in ("Otto", "Looks odd", "Bob") if one in page]

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

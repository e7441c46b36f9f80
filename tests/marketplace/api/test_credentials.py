"""Credentials over HTTP: what a worker files, what verifiers do with it, and what nobody else is told."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import assessing
from accounts.models import Credential, CredentialType, EvidenceView, PlatformRole, Worker
from marketplace.api import credentials as door
from marketplace.api import ids
from qualification import crediting
from qualification.models import Qualification
from tests import build, papers
from tests.marketplace.api.client import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa() -> Worker:
    """A worker with something to prove."""
    return build.a_worker("Rosa")


@pytest.fixture
def licence() -> CredentialType:
    """A licence with a number that is checked and a document; it opens level 3 in chests, in Germany."""
    kind = build.a_credential_type(
        "licence",
        number_required=True,
        number_check="npi",
        evidence_required=True,
        fields=[{"name": "specialty", "title": "Specialty", "required": True}],
    )
    crediting.set_rule(kind, build.a_domain("medicine/chest"), level=3, jurisdictions=["US"], actor="system")
    return kind


def filing(kind: CredentialType, *files: bytes, **facts: Any) -> dict[str, Any]:
    """A body that is right in every field, unless told otherwise."""
    documents = [{"name": "a.pdf", "content": base64.b64encode(file).decode()} for file in files or (papers.pdf(),)]
    return {
        "type": ids.public("cty", kind.pk),
        "issuer": "Board of Radiology",
        "jurisdiction": "US",
        "holder": "Rosa Ray",
        "number": "2000000002",
        "fields": {"specialty": "chest"},
        "issued_on": "2020-01-31",
        "evidence": documents,
        **facts,
    }


def filed(worker: Worker, kind: CredentialType, *files: bytes) -> dict[str, Any]:
    """A credential of this worker's, filed over HTTP."""
    response = mine(worker).post("workers/me/credentials", filing(kind, *files))
    assert response.status_code == 201, response.json()
    made: dict[str, Any] = response.json()
    return made


def mine(worker: Worker) -> Api:
    assert worker.user is not None
    return Api(user=worker.user)


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition("/")[2]


def test_types_say_what_they_ask_for_and_what_they_would_open(rosa: Worker, licence: CredentialType) -> None:
    build.a_credential_type("old", active=False)

    [told] = mine(rosa).get("credential-types").json()["results"]

    assert told["slug"] == "licence"
    assert told["fields"] == [{"name": "specialty", "title": "Specialty", "required": True}]
    assert [(one["domain_path"], one["level"], one["jurisdictions"]) for one in told["opens"]] == [
        ("medicine/chest", 3, ["US"])
    ]


def test_a_worker_files_a_credential_and_reads_it_back(rosa: Worker, licence: CredentialType) -> None:
    made = filed(rosa, licence)

    assert (made["state"], made["holder"], made["number"]) == ("filed", "Rosa Ray", "2000000002")
    assert made["fields"] == {"specialty": "chest"}
    assert [one["domain_path"] for one in made["opens"]] == ["medicine/chest"]
    assert [(one["content_type"], one["pages"]) for one in made["evidence"]] == [("application/pdf", 1)]
    assert [step["act"] for step in made["steps"]] == ["filed"]
    assert made["review"] is None
    assert mine(rosa).get(f"credentials/{made['id']}").json() == made
    [listed] = mine(rosa).get("workers/me/credentials").json()["results"]
    assert listed["id"] == made["id"]
    assert "holder" not in listed


def test_what_is_wrong_is_named_field_by_field(rosa: Worker, licence: CredentialType) -> None:
    said = filing(licence, b"<svg/>", number="2000000003", fields={}, issued_on=None)

    response = mine(rosa).post("workers/me/credentials", said)

    assert problem(response)[0] == 400
    assert {fault["pointer"] for fault in response.json()["errors"]} >= {"/number", "/evidence/0", "/fields/specialty"}
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("evidence", [{"name": "a.pdf", "content": "not base64!"}]),
        ("evidence", [{"name": "a.pdf", "content": 7}]),
        ("evidence", [{"name": "a.pdf", "content": "AAAA"}] * 6),
        ("issued_on", "31.1.2020"),
        ("issued_on", 7),
        ("fields", ["specialty"]),
        ("fields", {"specialty": 3}),
        ("verified", True),
    ],
)
def test_a_body_that_is_not_in_shape_is_refused(
    rosa: Worker, licence: CredentialType, field: str, value: object
) -> None:
    response = mine(rosa).post("workers/me/credentials", filing(licence, **{field: value}))

    assert problem(response) == (400, "fields-refused")
    assert response.json()["errors"][0]["pointer"].startswith(f"/{field}")


def test_a_document_larger_than_a_usual_body_is_taken_and_one_beyond_the_limit_is_not(
    rosa: Worker, licence: CredentialType, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = papers.jpeg(2_000, 1_500, quality=100)
    assert len(large) > 4 * 1024**2
    assert mine(rosa).post("workers/me/credentials", filing(licence, large)).status_code == 201

    monkeypatch.setattr(door, "FILING_MAX", 500)

    response = mine(build.a_worker()).post("workers/me/credentials", filing(licence))
    assert problem(response) == (413, "body-too-large")


def test_a_worker_reaches_no_credential_of_anothers(rosa: Worker, licence: CredentialType) -> None:
    made, other = filed(rosa, licence), mine(build.a_worker())

    for path in ("", "/evidence"):
        assert other.get(f"credentials/{made['id']}{path}").status_code == 404
    for act in ("answer", "withdraw", "claim", "approve", "refuse", "ask", "release", "revoke", "look-up"):
        assert other.post(f"credentials/{made['id']}/{act}", {}).status_code == 404, act
    assert other.get("workers/me/credentials").json()["results"] == []


def test_requesters_and_keys_never_see_a_credential(rosa: Worker, licence: CredentialType) -> None:
    made, owner = filed(rosa, licence), build.a_user()
    organisation = build.an_organisation(owner=owner)
    callers = [Api(user=owner), Api(build.an_organisation_key(organisation)[1]), Api(build.a_worker_key(rosa)[1])]

    for caller in callers:
        assert caller.get(f"credentials/{made['id']}").status_code == 404
        assert caller.get(f"credentials/{made['id']}/evidence").status_code == 404
        assert caller.get("credentials").status_code == 403
        assert caller.get("workers/me/credentials").status_code == 403
        assert caller.post("workers/me/credentials", filing(licence)).status_code == 403


def test_the_queue_is_for_verifiers_who_have_shown_a_second_factor(rosa: Worker, licence: CredentialType) -> None:
    made, vera = filed(rosa, licence), build.a_verifier()

    [waiting] = Api(user=vera).get("credentials").json()["results"]
    assert waiting["id"] == made["id"]
    assert Api(user=vera).get("credentials", state="verified").json()["results"] == []
    for path in ("credentials", f"credentials/{made['id']}"):
        assert problem(Api(user=vera, second_factor=False).get(path)) == (403, "second-factor-needed")
    assert mine(rosa).get("credentials").status_code == 403


def test_a_verifier_claims_looks_up_and_approves_and_what_it_opens_is_granted(
    rosa: Worker, licence: CredentialType
) -> None:
    CredentialType.objects.update(registry="nppes")
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    claimed = vera.post(f"credentials/{made['id']}/claim").json()
    looked = vera.post(f"credentials/{made['id']}/look-up").json()

    approved = vera.post(f"credentials/{made['id']}/approve", {"note": "seen"})

    assert claimed["review"]["claimed_by_you"] is True
    assert looked["review"]["registry_result"]["found"] is True
    assert approved.json()["state"] == "verified"
    assert Qualification.objects.get(worker=rosa).domain.path == "medicine/chest"


def test_the_worker_is_told_what_happened_but_not_by_whom_nor_what_verifiers_say_among_themselves(
    rosa: Worker, licence: CredentialType
) -> None:
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    vera.post(f"credentials/{made['id']}/claim")
    vera.post(f"credentials/{made['id']}/approve", {"note": "her cousin says so"})

    told = mine(rosa).get(f"credentials/{made['id']}").content.decode()

    assert "cousin" not in told
    assert '"actor":"' not in told
    assert '"claimed"' not in told
    assert "cousin" in vera.get(f"credentials/{made['id']}").content.decode()


def test_of_an_assessment_the_worker_reads_what_was_written_to_them_and_not_the_assessors_count(rosa: Worker) -> None:
    kind = build.a_credential_type(
        kind="interview", rubric=[{"name": "depth", "title": "Depth", "most": 5}], pass_points=3
    )
    held, vera = build.a_credential(rosa, kind), build.a_verifier()
    soon = timezone.now() + timedelta(hours=1)
    assessing.schedule_assessment(held, assessor=vera, scheduled_at=soon, place="Room 4")
    address = f"credentials/{ids.public('crd', held.pk)}"
    [arranged] = mine(rosa).get(address).json()["appointments"]
    assert (arranged["place"], arranged["passed"]) == ("Room 4", None)

    crediting.pass_assessment(held, assessor=vera, scores={"depth": 2}, note="Read up on artefacts.")

    told = mine(rosa).get(address).json()
    notes = {step["act"]: step["note"] for step in told["steps"]}
    assert (notes["scored"], notes["refused"]) == ("", "Read up on artefacts.")
    assert [(one["points"], one["passed"], one["note"]) for one in told["appointments"]] == [
        (2, False, "Read up on artefacts.")
    ]


def test_two_are_needed_where_the_type_says_so_and_nobody_counts_twice(rosa: Worker, licence: CredentialType) -> None:
    CredentialType.objects.update(verifiers_needed=2)
    made = filed(rosa, licence)
    vera, otto = Api(user=build.a_verifier()), Api(user=build.a_verifier())
    address = f"credentials/{made['id']}"
    vera.post(f"{address}/claim")
    assert vera.post(f"{address}/approve", {}).json()["state"] == "filed"

    assert problem(vera.post(f"{address}/claim")) == (409, "approved-already")
    otto.post(f"{address}/claim")
    assert otto.post(f"{address}/approve", {}).json()["state"] == "verified"


def test_nobody_verifies_themself(licence: CredentialType) -> None:
    vera = build.a_verifier()
    made = filed(build.a_worker(user=vera), licence)

    assert problem(Api(user=vera).post(f"credentials/{made['id']}/claim")) == (403, "own-credential")


def test_a_question_is_answered_by_filing_anew(rosa: Worker, licence: CredentialType) -> None:
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    vera.post(f"credentials/{made['id']}/claim")
    asked = vera.post(f"credentials/{made['id']}/ask", {"reason": "The second page is missing."})
    said = filing(licence, papers.png())
    del said["type"]

    answered = mine(rosa).post(f"credentials/{made['id']}/answer", said).json()

    assert asked.json()["state"] == "more_wanted"
    assert (answered["state"], len(answered["evidence"])) == ("filed", 2)
    assert [step["note"] for step in answered["steps"]] == ["", "The second page is missing.", ""]


def test_refusing_and_asking_want_a_reason(rosa: Worker, licence: CredentialType) -> None:
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    vera.post(f"credentials/{made['id']}/claim")

    for act in ("refuse", "ask"):
        assert problem(vera.post(f"credentials/{made['id']}/{act}", {"reason": ""})) == (400, "fields-refused")
    refused = vera.post(f"credentials/{made['id']}/refuse", {"reason": "It is somebody else's."}).json()

    assert (refused["state"], refused["reason"]) == ("refused", "It is somebody else's.")


def test_a_worker_withdraws_and_a_verifier_may_not_do_it_for_them(rosa: Worker, licence: CredentialType) -> None:
    made = filed(rosa, licence)

    assert Api(user=build.a_verifier()).post(f"credentials/{made['id']}/withdraw").status_code == 403
    assert mine(rosa).post(f"credentials/{made['id']}/withdraw").json()["state"] == "withdrawn"


def test_revoking_says_what_ended_with_it(rosa: Worker, licence: CredentialType) -> None:
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    for act in ("claim", "approve"):
        vera.post(f"credentials/{made['id']}/{act}", {})

    ended = vera.post(f"credentials/{made['id']}/revoke", {"reason": "The board took it back."})

    assert ended.json() == {"credential": made["id"], "qualifications": 1, "leases": 0, "answers": 0}
    assert mine(rosa).get(f"credentials/{made['id']}").json()["reason"] == "The board took it back."


def test_a_renewal_names_the_one_whose_place_it_takes_and_only_ones_own(rosa: Worker, licence: CredentialType) -> None:
    made, vera = filed(rosa, licence), Api(user=build.a_verifier())
    for act in ("claim", "approve"):
        vera.post(f"credentials/{made['id']}/{act}", {})
    other = build.a_worker()

    assert mine(other).post("workers/me/credentials", filing(licence, renews=made["id"])).status_code == 404
    renewed = mine(rosa).post("workers/me/credentials", filing(licence, renews=made["id"]))

    assert renewed.json()["renews"] == made["id"]


class TestLinks:
    """Links to documents: for one viewer, for a minute, and each look written down."""

    def links(self, caller: Api, made: dict[str, Any]) -> dict[str, Any]:
        [told] = caller.get(f"credentials/{made['id']}/evidence").json()["documents"]
        return dict(told)

    def test_a_page_is_a_picture_and_the_file_is_only_ever_saved(self, rosa: Worker, licence: CredentialType) -> None:
        paper = papers.pdf(2)
        made, vera = filed(rosa, licence, paper), Api(user=build.a_verifier())
        told = self.links(vera, made)

        picture, file = vera.get(told["page_links"][1]), vera.get(told["file"])

        assert picture["Content-Type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
        assert file.content == paper
        assert file["Content-Disposition"] == 'attachment; filename="document-1.pdf"'
        for response in (picture, file):
            assert response["X-Content-Type-Options"] == "nosniff"
            assert response["Content-Security-Policy"].startswith("sandbox")
            assert "no-store" in response["Cache-Control"]

    def test_each_look_is_written_down_under_the_viewers_name(self, rosa: Worker, licence: CredentialType) -> None:
        vera = build.a_verifier()
        caller = Api(user=vera)
        told = self.links(caller, filed(rosa, licence))
        assert not EvidenceView.objects.exists(), "making a link is not looking"

        caller.get(told["page_links"][0])
        caller.get(told["file"])

        assert list(EvidenceView.objects.values_list("viewer", flat=True)) == [f"user:{vera.pk}"] * 2

    def test_a_link_lives_a_minute(
        self, rosa: Worker, licence: CredentialType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vera = Api(user=build.a_verifier())
        told = self.links(vera, filed(rosa, licence))
        now = time.time()
        assert told["expires_in"] == 60

        monkeypatch.setattr("django.core.signing.time.time", lambda: now + 59)
        assert vera.get(told["file"]).status_code == 200
        monkeypatch.setattr("django.core.signing.time.time", lambda: now + 62)
        late = vera.get(told["file"])

        assert late.status_code == 410
        assert "expired" in late.content.decode()
        assert EvidenceView.objects.count() == 1

    def test_a_link_opens_for_nobody_else(self, rosa: Worker, licence: CredentialType) -> None:
        told = self.links(Api(user=build.a_verifier()), filed(rosa, licence))

        for other in (mine(rosa), Api(user=build.a_verifier()), Api(), Api(build.a_worker_key(rosa)[1])):
            assert other.get(told["file"]).status_code == 404
        assert not EvidenceView.objects.exists()

    def test_a_verifier_whose_role_is_taken_away_sees_nothing_by_an_earlier_link(
        self, rosa: Worker, licence: CredentialType
    ) -> None:
        vera = build.a_verifier()
        caller = Api(user=vera)
        told = self.links(caller, filed(rosa, licence))
        PlatformRole.objects.filter(user=vera).delete()

        assert caller.get(told["file"]).status_code == 404
        assert not EvidenceView.objects.exists()

    def test_a_link_opens_nothing_in_a_session_without_the_second_factor(
        self, rosa: Worker, licence: CredentialType
    ) -> None:
        vera = build.a_verifier()
        told = self.links(Api(user=vera), filed(rosa, licence))

        assert Api(user=vera, second_factor=False).get(told["file"]).status_code == 404
        assert not EvidenceView.objects.exists()

    def test_a_link_that_was_changed_or_made_up_leads_nowhere(self, rosa: Worker, licence: CredentialType) -> None:
        vera = Api(user=build.a_verifier())
        told = self.links(vera, filed(rosa, licence))

        for link in (told["file"][:-1] + ("A" if told["file"][-1] != "A" else "B"), "/evidence/W10:x:y", "/evidence/x"):
            assert vera.get(link).status_code == 404

"""Screenshots of the pages of credentials, worker's and verifier's: ``pytest tests/bench/screens_of_credentials.py -m bench``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts import credentials, organising, verifying
from accounts.models import Credential, CredentialType, User, Worker
from marketplace.api import ids
from qualification import crediting
from tests import build, papers
from tests.browser import NARROW, WIDE, Browser, browsing, width
from tests.sign_in import sign_in

OUT = Path(os.environ.get("OUT", "out/screens"))

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def test_every_page_of_credentials_is_photographed(committed_server: LiveServer) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    call_command("seed")
    rosa, vera = build.a_worker("Rosa"), build.a_user("Vera")
    organising.give_platform_role(vera, "verifier", given_by=None)
    rows = _some(rosa, User.objects.get(pk=vera.pk))
    assert rosa.user is not None
    hers, verifiers = _session(rosa.user), _session(User.objects.get(pk=vera.pk))
    place = "/me/credentials"
    pages = [
        ("credentials", place, hers),
        ("credential-file", f"{place}/file/medical-licence", hers),
        *((f"credential-{name}", f"{place}/{ids.public('crd', one.pk)}", hers) for name, one in rows.items()),
        ("credential-answer", f"{place}/{ids.public('crd', rows['asked'].pk)}/answer", hers),
        ("queue", "/admin/accounts/credential/", verifiers),
        *((f"queue-{name}", f"/admin/accounts/credential/{one.pk}/change/", verifiers) for name, one in rows.items()),
    ]
    with browsing(committed_server.url) as browser:
        for name, address, session in pages:
            _photograph(browser, name, address, session)
        assert browser.complaints == []


def _photograph(browser: Browser, name: str, address: str, session: str) -> None:
    for size_name, size in (("wide", (1440, 900) if name.startswith("queue") else WIDE), ("narrow", (360, NARROW[1]))):
        for scheme in ("light", "dark"):
            page = browser.open(address, size=size, scheme=scheme, session=session)
            page.wait_for_timeout(800 if name.startswith("queue") else 100)
            page.screenshot(path=OUT / f"{name}-{size_name}-{scheme}.png", full_page=True)
            assert width(page) <= size[0], f"{name} is wider than its window at {size[0]} pixels"
            page.context.close()


def _some(rosa: Worker, vera: User) -> dict[str, Credential]:
    """One in each state that looks different."""
    crediting_on = {kind.slug: kind for kind in CredentialType.objects.all()}

    def filed(slug: str, **facts: object) -> Credential:
        said = {"issuer": "Board of Radiology", "jurisdiction": "US", "holder": "Rosa Ray", "number": "2000000002"}
        filing = credentials.Filing(**{**said, **facts})  # type: ignore[arg-type]  # made up as we go
        upload = credentials.Upload("a.pdf", papers.pdf(2))
        return credentials.file_credential(rosa, crediting_on[slug], filing, evidence=[upload])

    filed("medical-licence", fields={"specialty": "Diagnostic radiology"})
    asked = verifying.claim_review(filed("radiology-board", number=""), verifier=vera)
    verifying.ask_for_more(
        asked, verifier=vera, reason="The second page is cut off at the right.\nPlease scan it again."
    )
    verified = verifying.claim_review(filed("npi"), verifier=vera)
    crediting.approve_credential(verified, verifier=vera)
    refused = verifying.claim_review(filed("law-licence", jurisdiction="DE"), verifier=vera)
    verifying.refuse_credential(refused, verifier=vera, reason="It is somebody else's.")
    in_hand = verifying.claim_review(filed("biology-degree", fields={"degree": "BSc"}), verifier=vera)
    interview = filed(
        "translation-interview", jurisdiction="", issuer="", holder="", number="", fields={"languages": "de to en"}
    )
    found = {"asked": asked, "verified": verified, "refused": refused, "in-hand": in_hand, "interview": interview}
    return {name: Credential.objects.get(pk=one.pk) for name, one in found.items()}


def _session(user: User) -> str:
    return sign_in(Client(), user)

"""What the tests of credentials' pages share: forms that are right, and who sends them."""

from __future__ import annotations

import html
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import Credential, User
from marketplace.api import ids
from tests import papers
from tests.sign_in import sign_in


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

"""Links to the documents of credentials: signed, for one viewer, and dead after a minute.

A link says which document, which page (none: the file itself) and who asked for it. Whoever opens it must be that
person, signed in, and still be let see the document: the link grants nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing
from django.urls import reverse

from accounts.models import Evidence
from accounts.refusals import Refusal
from marketplace.api.refusals import NotFound

LIFE_SECONDS = 60
_SALT = "marketplace.evidence"


class LinkExpired(Refusal):
    """This link has expired: go back and open the document again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link leads to: a page of a document, counted from 1, or with no page the file itself."""

    evidence_id: int
    page: int | None


def link(evidence: Evidence, *, viewer_id: int, page: int | None = None) -> str:
    """An address that shows this user, for the next 60 seconds, one page or (without) the file."""
    token = signing.TimestampSigner(salt=_SALT).sign_object([evidence.pk, viewer_id, page])
    return reverse("evidence", args=[token])


def opened(token: str, *, viewer_id: int) -> Asked:
    """What the link leads to. Raises LinkExpired; NotFound where it was not made here or for somebody else."""
    signer = signing.TimestampSigner(salt=_SALT)
    try:
        evidence_id, asked_by, page = signer.unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        raise NotFound from None
    if asked_by != viewer_id:
        raise NotFound
    try:
        signer.unsign(token, max_age=LIFE_SECONDS)
    except signing.SignatureExpired:
        raise LinkExpired from None
    return Asked(evidence_id, page)

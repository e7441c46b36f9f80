"""Credentials as a worker files them, and as worker or verifier reads one; requesters never see any.

Only a person who is signed in proves anything: keys, which label, get nothing of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import credentials, verifying
from accounts.credentials import Filing, Upload
from accounts.models import Credential, CredentialStep, CredentialType, Evidence
from marketplace.api import dossiers, evidence_links, ids, policies
from marketplace.api.credential_shapes import (
    CredentialDetailOut,
    CredentialOut,
    CredentialTypeOut,
    DocumentsOut,
    FilingIn,
    QuestionAnswerIn,
)
from marketplace.api.documenting import described
from marketplace.api.doors import Door, StrictJson, shaped
from marketplace.api.fields import Nothing, Strict
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.reading import strict_json
from marketplace.api.refusals import BodyTooLarge, NotAllowed, NotFound
from qualification.models import CredentialRule
from qualification.queries import rules_for, rules_for_all

FILING_MAX = 16 * 1024**2
"""Room for one document of the greatest size in base64; more of them go in by the page, or smaller."""


TOLD = frozenset({
    "filed", "asked", "answered", "verified", "refused", "withdrawn", "noticed", "expired", "revoked", "scheduled", "scored",
})  # fmt: skip
"""The steps that a worker is told of; what verifiers do among themselves is not theirs to see."""
NOTED = frozenset({"asked", "refused", "revoked"})
"""Of these, the ones whose note was written to the worker."""


class FilingJson(StrictJson):
    """JSON that may hold documents."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The value that was sent."""
        return strict_json(stream.read(FILING_MAX + 1), most=FILING_MAX)


class FilingDoor(Door):
    """An address that takes documents."""

    parser_classes = (FilingJson,)
    throttle_scope = "import"

    def _raw(self) -> bytes:
        """Nothing is kept of the body: it is read once, by the parser, up to its own limit."""
        length = self.request._request.META.get("CONTENT_LENGTH") or "0"  # noqa: SLF001  the connection's own facts
        if length.isdigit() and int(length) > FILING_MAX:
            raise BodyTooLarge(f"The body has more than {FILING_MAX} bytes; file larger documents by the page.")
        return b""


class CredentialTypesView(Door):
    """What can be proved."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("credential_types", "credentials", query=PageQuery, out=pages_of(CredentialTypeOut)))
    def get(self, request: Request) -> Response:
        """What can be proved here, and what each would open."""
        return Response(page(dossiers.credential_types(), self.asked, _types, newest_first=False))


class MyCredentialsView(FilingDoor):
    """One's own credentials."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}
    throttle_scope = ""

    @extend_schema(**described("credentials_mine", "credentials", query=PageQuery, out=pages_of(CredentialOut)))
    def get(self, request: Request) -> Response:
        """Your own, newest first."""
        return Response(page(dossiers.own_credentials_of(self.principal), self.asked, listed))

    @extend_schema(**described("credentials_file", "credentials", body=FilingIn, out=CredentialDetailOut, status=201))
    def post(self, request: Request) -> Response:
        """File a credential with its documents; a verifier looks at it."""
        mine = dossiers.own_credentials_of(self.principal)
        said = self.body(FilingIn)
        kind = dossiers.credential_types().filter(pk=said["type"]).first()
        renews = mine.filter(pk=said["renews"]).first() if said.get("renews") else None
        if kind is None or (said.get("renews") and renews is None):
            raise NotFound
        with self.acting():
            made = credentials.file_credential(
                policies.worker_of(self.principal), kind, _filing(said), evidence=_uploads(said), renews=renews
            )
        return shaped(CredentialDetailOut, detailed(own(self.principal, made.pk), self.principal), status=201)


class CredentialView(Door):
    """One credential."""

    @extend_schema(**described("credentials_read", "credentials", out=CredentialDetailOut))
    def get(self, request: Request, credential: str) -> Response:
        """A credential of yours; any, for verifiers."""
        found = credential_for(self.principal, credential)
        return shaped(CredentialDetailOut, detailed(found, self.principal))


class AnswerView(FilingDoor):
    """Answering a verifier's question."""

    @extend_schema(**described("credentials_answer", "credentials", body=QuestionAnswerIn, out=CredentialDetailOut))
    def post(self, request: Request, credential: str) -> Response:
        """File anew what a verifier asked for more about."""
        found = own(self.principal, ids.number("crd", credential))
        said = self.body(QuestionAnswerIn)
        with self.acting():
            credentials.answer_question(found, _filing(said), evidence=_uploads(said))
        return shaped(CredentialDetailOut, detailed(own(self.principal, found.pk), self.principal))


class WithdrawView(Door):
    """Withdrawing."""

    @extend_schema(**described("credentials_withdraw", "credentials", body=Nothing, out=CredentialDetailOut))
    def post(self, request: Request, credential: str) -> Response:
        """Take a filing back before it is decided."""
        found = own(self.principal, ids.number("crd", credential))
        self.body(Nothing)
        with self.acting():
            credentials.withdraw_credential(found)
        return shaped(CredentialDetailOut, detailed(own(self.principal, found.pk), self.principal))


class EvidenceView(Door):
    """Links to the documents."""

    throttle_scope = "secret"

    @extend_schema(**described("credentials_evidence", "credentials", out=DocumentsOut))
    def get(self, request: Request, credential: str) -> Response:
        """The documents, with links that open for you alone in a browser, for 60 seconds; each look is written down."""
        found = credential_for(self.principal, credential)
        viewer = self.principal.need_user()
        rows = dossiers.evidence_of(self.principal).filter(credential=found, removed_at__isnull=True).order_by("pk")
        return shaped(DocumentsOut, {"documents": [_linked(one, viewer) for one in rows]})


def own(principal: policies.Principal, number: int) -> Credential:
    """A credential of the worker's own. Raises NotFound, NotAllowed for keys; NotAllowed for verifiers of another's."""
    found = dossiers.credentials_of(principal).filter(pk=number).first()
    if found is None:
        principal.need_user()
        raise NotFound
    mine = dossiers.own_credentials_of(principal).filter(pk=number).first()
    if mine is None:
        raise NotAllowed("Only who filed it may do this.")
    return mine


def credential_for(principal: policies.Principal, text: str) -> Credential:
    """A credential of that public id: one's own, or anybody's for verifiers. Raises NotFound, SecondFactorNeeded."""
    found = dossiers.credentials_of(principal).filter(pk=ids.number("crd", text)).first()
    if found is None:
        if principal.withheld_platform & dossiers.VERIFYING_ROLES:
            principal.need_platform(dossiers.VERIFYING_ROLES)
        raise NotFound
    return found


def listed(some_of: Iterable[Credential]) -> Any:
    """Credentials as a list shows them."""
    rows = list(some_of)
    rules = rules_for_all((one.type_id, one.jurisdiction) for one in rows)
    return CredentialOut([_facts(one, rules[one.type_id, one.jurisdiction]) for one in rows], many=True).data


def detailed(credential: Credential, principal: policies.Principal) -> dict[str, Any]:
    """One credential as its worker reads it, or a verifier, who is told more."""
    mine = credential.worker_id == principal.worker_id
    sealed = credentials.details_of(credential)
    return {
        **_facts(credential, rules_for(credential.type_id, credential.jurisdiction)),
        "holder": sealed.get("holder", ""),
        "number": sealed.get("number", ""),
        "fields": sealed.get("fields", {}),
        "evidence": [_document(one) for one in credential.evidence.order_by("pk")],
        "appointments": credential.assessments.filter(cancelled_at__isnull=True).order_by("pk"),
        "steps": [_step(step, mine=mine) for step in credential.steps.order_by("pk") if not mine or step.act in TOLD],
        "review": None if mine else _review(credential, principal),
    }


def _review(credential: Credential, principal: policies.Principal) -> dict[str, Any]:
    return {
        "worker": credential.worker_id,
        "round": credential.round,
        "claimed": credential.claimed_by_id is not None,
        "claimed_by_you": credential.claimed_by_id is not None and credential.claimed_by_id == principal.user_id,
        "claimed_until": credential.claimed_until,
        "approvals": credential.approvals.filter(round=credential.round).count(),
        "approvals_needed": credential.type.verifiers_needed,
        "registry": credential.type.registry,
        "registry_result": credential.registry_result,
        "doubles": verifying.doubles_of(credential).count(),
    }


def _types(rows: list[CredentialType]) -> Any:
    opens: dict[int, list[dict[str, Any]]] = {}
    for rule in dossiers.rules_of(row.pk for row in rows):
        opens.setdefault(rule.type_id, []).append(_opening(rule))
    return CredentialTypeOut([_type(one, opens.get(one.pk, [])) for one in rows], many=True).data


def _type(kind: CredentialType, opens: list[dict[str, Any]]) -> dict[str, Any]:
    names = (
        "slug", "name", "description", "kind", "fields", "jurisdictions", "number_check", "number_required",
        "evidence_required", "valid_days", "verifiers_needed",
    )  # fmt: skip
    return {**{name: getattr(kind, name) for name in names}, "id": kind.pk, "opens": opens}


def _facts(credential: Credential, rules: Iterable[CredentialRule]) -> dict[str, Any]:
    names = (
        "source", "state", "issuer", "jurisdiction", "issued_on", "expires_on", "reason", "filed_at", "verified_at",
        "valid_until", "ended_at",
    )  # fmt: skip
    return {
        **{name: getattr(credential, name) for name in names},
        "id": credential.pk,
        "type": credential.type_id,
        "type_name": credential.type.name,
        "renews": credential.renews_id,
        "opens": [_opening(rule) for rule in rules],
    }


def _opening(rule: CredentialRule) -> dict[str, Any]:
    return {
        "domain": rule.domain_id,
        "domain_path": rule.domain.path,
        "level": rule.level,
        "jurisdictions": rule.jurisdictions,
    }


def _step(step: CredentialStep, *, mine: bool) -> dict[str, Any]:
    told = {"act": step.act, "note": step.note, "at": step.at, "actor": _named(step.actor)}
    if mine:
        told |= {"actor": None, "note": step.note if step.act in NOTED else ""}
    return told


def _named(actor: str) -> str:
    """An actor with its public id in place of the row's number."""
    kind, _, number = actor.partition(":")
    return f"{kind}:{ids.public('usr', int(number))}" if kind == "user" and number.isdigit() else actor


def _document(evidence: Evidence) -> dict[str, Any]:
    names = ("name", "content_type", "bytes", "pages", "filed_at", "removed_at")
    return {**{name: getattr(evidence, name) for name in names}, "id": evidence.pk}


def _linked(evidence: Evidence, viewer_id: int) -> dict[str, Any]:
    pages = range(1, evidence.pages + 1)
    return {
        **_document(evidence),
        "file": evidence_links.link(evidence, viewer_id=viewer_id),
        "page_links": [evidence_links.link(evidence, viewer_id=viewer_id, page=number) for number in pages],
        "expires_in": evidence_links.LIFE_SECONDS,
    }


def _filing(said: Mapping[str, Any]) -> Filing:
    return Filing(
        issuer=said["issuer"],
        jurisdiction=said["jurisdiction"],
        holder=said["holder"],
        number=said["number"],
        fields=dict(said["fields"]),
        issued_on=said["issued_on"],
        expires_on=said["expires_on"],
    )


def _uploads(said: Mapping[str, Any]) -> list[Upload]:
    return [Upload(one["name"], one["content"]) for one in said["evidence"]]

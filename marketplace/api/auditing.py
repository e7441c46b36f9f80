"""The audit: who changed what of people, permissions, money and configuration.

The platform's admins read all of it. Owners read what concerns their organisation, and never learn from it who a worker
is elsewhere: whoever does not belong to the organisation is told by the pseudonym that it knows them by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries
from accounts.models import AuditRow
from accounts.refusals import Fault
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door
from marketplace.api.fields import Anything, Choice, Id, Moment, Out, Strict, Text
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.policies import Principal
from marketplace.api.refusals import FieldsRefused, NotAllowed, SecondFactorNeeded

KINDS: Mapping[str, str] = {
    "accounts_user": "usr",
    "accounts_personkey": "usr",
    "accounts_personaldata": "usr",
    "accounts_organisation": "org",
    "accounts_membership": "mem",
    "accounts_invitation": "inv",
    "accounts_worker": "wrk",
    "accounts_profile": "wrk",
    "accounts_apikey": "key",
    "accounts_terms": "trm",
    "accounts_block": "blk",
    "accounts_credential": "crd",
    "accounts_credentialtype": "cty",
    "accounts_evidence": "evd",
    "accounts_assessment": "ast",
    "accounts_linkcase": "lnk",
    "ledger_transfer": "trf",
    "qualification_qualification": "qlf",
    "qualification_domain": "dom",
    "qualification_goldset": "gst",
    "qualification_golditem": "gld",
    "qualification_exam": "exm",
    "tasks_job": "job",
    "tasks_labelschema": "sch",
    "tasks_guidelines": "gdl",
    "tasks_release": "rel",
    "tasks_assignment": "asg",
}
"""Tables and the kind of public id that their rows' numbers go by."""

OTHER_SUBJECTS = (
    "accounts_platformrole", "accounts_impersonation", "accounts_consent", "accounts_approval", "accounts_spokenlanguage",
    "qualification_credentialrule", "tasks_eligibility", "tasks_requirement", "tasks_qualityplan", "tasks_answerflag",
    "marketplace_organisationclient", "allauth_idp_oidc_client", "mfa_authenticator", "account_emailaddress",
    "socialaccount_socialaccount",
)  # fmt: skip
SUBJECTS = tuple(sorted((*KINDS, *OTHER_SUBJECTS)))
ACTIONS = ("insert", "update", "delete")

_TABLES = {kind: table for table, kind in reversed(list(KINDS.items()))}
_ACTORS = {"usr": "user", "key": "key"}
_COLUMNS: Mapping[str, str] = {
    "organisation_id": "org", "job_id": "job", "domain_id": "dom", "gold_set_id": "gst", "attempt_id": "att",
    "credential_id": "crd", "renews_id": "crd", "type_id": "cty", "terms_id": "trm", "replaces_id": "key",
    "schema_id": "sch", "guidelines_id": "gdl", "reverses_id": "trf",
}  # fmt: skip
_PEOPLE = frozenset({
    "user_id", "owner_id", "created_by_id", "invited_by_id", "accepted_by_id", "granted_by_id", "verified_by_id",
    "published_by_id", "blocked_by_id", "decided_by_id", "claimed_by_id", "supporter_id", "target_id", "verifier_id",
    "assessor_id",
})  # fmt: skip
_WORKERS = frozenset({"worker_id", "first_id", "second_id"})
_PLATFORM = "platform"
"""What an owner is told of who belongs neither to the organisation nor to the workers it knows."""


class AuditOut(Out):
    """One change. ``before`` and ``after`` hold the columns; other rows are told by public id, and what is a person's own
    is never told: ``changed`` in ``after`` names such columns where they changed.
    """

    id = Id("aud")
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    impersonator = serializers.CharField(help_text="Who really acted, where support acted as somebody; else empty.")
    action = serializers.CharField()
    subject = serializers.CharField()
    subject_id = serializers.CharField(allow_null=True)
    organisation = Id("org", allow_null=True)
    before = Anything()
    after = Anything()


class AuditQuery(PageQuery):
    """Whose audit, of what, by whom, and when."""

    organisation = Id("org", required=False)
    subject = Text(most=64, required=False, help_text="A table, such as tasks_job.")
    about = Text(most=40, required=False, help_text="The public id of what was changed, such as job_....")
    actor = Text(most=80, required=False, help_text="A user or key by public id, or a name such as sweep:settle.")
    action = Choice(ACTIONS, required=False)
    since = Moment(required=False)
    until = Moment(required=False, help_text="Before this time.")


class AuditView(Door):
    """The audit."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": AuditQuery}

    @extend_schema(**described("audit_list", "audit", query=AuditQuery, out=pages_of(AuditOut)))
    def get(self, request: Request) -> Response:
        """What was changed, newest first: of your organisations for owners, everything for the platform's admins."""
        rows = found(self.principal, self.asked)
        return Response(page(rows, self.asked, lambda some: AuditOut(told(self.principal, some), many=True).data))


def found(principal: Principal, asked: Mapping[str, Any]) -> QuerySet[AuditRow]:
    """The rows that the principal may read and asked for. Raises NotAllowed, SecondFactorNeeded, NotFound, FieldsRefused."""
    if not _reads_all(principal) and not principal.with_right("audit"):
        if any("audit" in held for held in principal.withheld.values()) or (
            policies.AUDITING_ROLES & principal.withheld_platform
        ):
            raise SecondFactorNeeded
        raise NotAllowed("The audit is for owners of an organisation and the platform's admins.")
    rows = policies.audit_rows_of(principal)
    if "organisation" in asked:
        if not _reads_all(principal):
            principal.need("audit", asked["organisation"])
        rows = rows.filter(organisation_id=asked["organisation"])
    if "about" in asked:
        kind = asked["about"].partition("_")[0]
        if kind not in _TABLES:
            raise FieldsRefused(faults=[Fault("/about", "is no id of anything in the audit")])
        rows = rows.filter(subject=_TABLES[kind], subject_id=ids.number(kind, asked["about"]))
    if "actor" in asked:
        rows = rows.filter(actor=_actor_of(asked["actor"]))
    same = {name: asked[name] for name in ("subject", "action") if name in asked}
    if "since" in asked:
        same["at__gte"] = asked["since"]
    if "until" in asked:
        same["at__lt"] = asked["until"]
    return rows.filter(**same)


def told_to_oneself(user_id: int, worker_id: int | None, rows: Iterable[AuditRow]) -> list[dict[str, Any]]:
    """What somebody changed themself, for their export: others are named as the audit of an organisation names them."""
    rows = list(rows)
    names = _Names.of(rows, all_of_them=False, own_user=user_id, own_worker=worker_id)
    return [
        {
            "at": row.at,
            "action": row.action,
            "subject": row.subject,
            "subject_id": _subject_id(row, names),
            "before": _columns(row, row.before, names),
            "after": _columns(row, row.after, names),
        }
        for row in rows
    ]


def told(principal: Principal, rows: Iterable[AuditRow]) -> list[dict[str, Any]]:
    """The rows as this principal reads them."""
    rows = list(rows)
    names = _Names.of(rows, all_of_them=_reads_all(principal))
    return [
        {
            "id": row.pk,
            "at": row.at,
            "actor": names.actor(row, row.actor),
            "impersonator": names.actor(row, row.impersonator),
            "action": row.action,
            "subject": row.subject,
            "subject_id": _subject_id(row, names),
            "organisation": row.organisation_id,
            "before": _columns(row, row.before, names),
            "after": _columns(row, row.after, names),
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Names:
    """What people are called in these rows: by public id for who reads all, for who belongs and for oneself, else by
    pseudonym.
    """

    all_of_them: bool
    insiders: frozenset[tuple[int, int]]
    pseudonyms: queries.Pseudonyms
    own_user: int | None
    own_worker: int | None

    @classmethod
    def of(
        cls, rows: list[AuditRow], *, all_of_them: bool, own_user: int | None = None, own_worker: int | None = None
    ) -> _Names:
        organisations = (
            set() if all_of_them else {row.organisation_id for row in rows if row.organisation_id is not None}
        )
        insiders, pseudonyms = queries.insiders_of(organisations), queries.Pseudonyms(organisations)
        return cls(all_of_them, insiders, pseudonyms, own_user, own_worker)

    def actor(self, row: AuditRow, actor: str) -> str:
        """``user:3`` and ``key:9`` by a name that may be told; names of sweeps and commands as they are."""
        what, _, number = actor.partition(":")
        if not number.isdigit():
            return actor
        if what == "user":
            return self.user(row, int(number))
        return self._key(row, int(number)) if what == "key" else actor

    def user(self, row: AuditRow, user_id: int) -> str:
        """A user."""
        if self.all_of_them or user_id == self.own_user or (row.organisation_id or 0, user_id) in self.insiders:
            return ids.public("usr", user_id)
        return self.pseudonyms.of_user(row.organisation_id, user_id) or _PLATFORM

    def worker(self, row: AuditRow, worker_id: int) -> str:
        """A worker."""
        if self.all_of_them or worker_id == self.own_worker:
            return ids.public("wrk", worker_id)
        return self.pseudonyms.of_worker(row.organisation_id, worker_id) or _PLATFORM

    def _key(self, row: AuditRow, key_id: int) -> str:
        if self.all_of_them or queries.is_key_of(key_id, row.organisation_id):
            return ids.public("key", key_id)
        return self.pseudonyms.of_key(row.organisation_id, key_id) or _PLATFORM


def _reads_all(principal: Principal) -> bool:
    return bool(policies.AUDITING_ROLES & principal.platform)


def _actor_of(text: str) -> str:
    kind = text.partition("_")[0]
    return f"{_ACTORS[kind]}:{ids.number(kind, text)}" if kind in _ACTORS and len(text) > 4 else text


def _subject_id(row: AuditRow, names: _Names) -> str | None:
    kind = KINDS.get(row.subject)
    if kind == "wrk":
        return names.worker(row, row.subject_id)
    if kind == "usr":
        return names.user(row, row.subject_id)
    return ids.public(kind, row.subject_id) if kind else None


def _columns(row: AuditRow, columns: Any, names: _Names) -> Any:
    if not isinstance(columns, dict):
        return None
    shown: dict[str, Any] = {}
    for name, value in columns.items():
        short = name.removesuffix("_id")
        if name == "id" or (value is not None and not isinstance(value, int) and short != name):
            continue
        if name in _PEOPLE:
            shown[short] = None if value is None else names.user(row, value)
        elif name in _WORKERS:
            shown[short] = None if value is None else names.worker(row, value)
        elif name in _COLUMNS:
            shown[short] = None if value is None else ids.public(_COLUMNS[name], value)
        elif short == name:
            shown[name] = value
    return shown

"""The audit: who changed what of people, permissions and configuration."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import AuditRow
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door
from marketplace.api.fields import Anything, Id, Out, Strict, Text
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotAllowed

_KINDS = {
    "accounts_user": "usr",
    "accounts_organisation": "org",
    "accounts_membership": "mem",
    "accounts_worker": "wrk",
    "accounts_apikey": "key",
    "qualification_qualification": "qlf",
    "tasks_job": "job",
    "tasks_release": "rel",
}
_ACTORS = {"user": "usr", "key": "key"}


class AuditOut(Out):
    """One change. Columns that name other rows by number are left out of ``before`` and ``after``."""

    id = Id("aud")
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    subject = serializers.CharField()
    subject_id = serializers.CharField(allow_null=True)
    organisation = Id("org", allow_null=True)
    before = Anything()
    after = Anything()


class AuditQuery(PageQuery):
    """Whose audit, and of what."""

    organisation = Id("org", required=False)
    subject = Text(most=64, required=False, help_text="A table, such as tasks_job.")


class AuditView(Door):
    """The audit."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": AuditQuery}

    @extend_schema(**described("audit_list", "audit", query=AuditQuery, out=pages_of(AuditOut)))
    def get(self, request: Request) -> Response:
        """What was changed, newest first: of your organisations for owners, everything for the platform's admins."""
        principal = self.principal
        if not policies.AUDITING_ROLES & principal.platform and not principal.with_right("audit"):
            raise NotAllowed("The audit is for owners of an organisation and the platform's admins.")
        rows = policies.audit_rows_of(principal)
        if "organisation" in self.asked:
            if not policies.AUDITING_ROLES & principal.platform:
                principal.need("audit", self.asked["organisation"])
            rows = rows.filter(organisation_id=self.asked["organisation"])
        if "subject" in self.asked:
            rows = rows.filter(subject=self.asked["subject"])
        return Response(page(rows, self.asked, lambda some: AuditOut([_facts(one) for one in some], many=True).data))


def _facts(row: AuditRow) -> dict[str, Any]:
    kind = _KINDS.get(row.subject)
    return {
        "id": row.pk,
        "at": row.at,
        "actor": _actor(row.actor),
        "action": row.action,
        "subject": row.subject,
        "subject_id": ids.public(kind, row.subject_id) if kind else None,
        "organisation": row.organisation_id,
        "before": _told(row.before),
        "after": _told(row.after),
    }


def _actor(actor: str) -> str:
    """``user:3`` with a public id in place of the number; names of sweeps and commands as they are."""
    what, _, number = actor.partition(":")
    kind = _ACTORS.get(what)
    return ids.public(kind, int(number)) if kind and number.isdigit() else actor


def _told(columns: Any) -> Any:
    if not isinstance(columns, dict):
        return None
    return {name: value for name, value in columns.items() if name != "id" and not name.endswith("_id")}

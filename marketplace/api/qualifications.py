"""Qualifications: one's own, and those that the platform grants and revokes."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Id, Moment, Out, Strict, Text, Whole
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound
from qualification import granting
from qualification.models import Qualification
from tasks.revoking import revoke_qualification


class QualificationIn(Strict):
    """Standing to grant."""

    worker = Id("wrk")
    domain = Id("dom")
    level = Whole(least=1, most=5)
    reason = Text(most=2_000, lines=True)
    expires_at = Moment(required=False, allow_null=True)


class RevocationIn(Strict):
    """Why it is revoked; the worker will read it."""

    reason = Text(most=2_000, lines=True)


class QualificationOut(Out):
    """Standing in a domain."""

    id = Id("qlf")
    worker = Id("wrk")
    domain = Id("dom")
    domain_path = serializers.CharField()
    organisation = Id("org", allow_null=True, help_text="Where it holds only for that organisation's jobs.")
    level = serializers.IntegerField()
    source = serializers.ChoiceField(Qualification.Source.choices)  # type: ignore[assignment]  # named as the wire names it
    reason = serializers.CharField()
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_reason = serializers.CharField()


class QualificationsView(Door):
    """Qualifications."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(
        **described("qualifications_list", "qualifications", query=PageQuery, out=pages_of(QualificationOut))
    )
    def get(self, request: Request) -> Response:
        """Your own, newest first; everybody's, for who grants them."""
        rows = policies.qualifications_of(self.principal)
        return Response(
            page(rows, self.asked, lambda some: QualificationOut([_facts(one) for one in some], many=True).data)
        )

    @extend_schema(
        **described("qualifications_grant", "qualifications", body=QualificationIn, out=QualificationOut, status=201)
    )
    def post(self, request: Request) -> Response:
        """Grant a level in a domain of the platform. For its admins and verifiers."""
        self.principal.need_platform(policies.GRANTING_ROLES)
        said = self.body(QualificationIn)
        worker = policies.workers_of(self.principal).filter(pk=said.pop("worker")).first()
        domain = policies.domains_of(policies.NOBODY).filter(pk=said.pop("domain")).first()
        if worker is None or domain is None:
            raise NotFound
        with self.acting():
            granted = granting.grant_qualification(
                worker,
                domain,
                source=Qualification.Source.ADMIN,
                granted_by=policies.user_of(self.principal),
                **said,
            )
            granted.refresh_from_db()
        return shaped(QualificationOut, _facts(granted), status=201)


class RevokeView(Door):
    """Revoking."""

    @extend_schema(**described("qualifications_revoke", "qualifications", body=RevocationIn, out=QualificationOut))
    def post(self, request: Request, qualification: str) -> Response:
        """Take a qualification away: no claim is given on it, leases that needed it end, answers given on it are flagged."""
        found = policies.qualifications_of(self.principal).filter(pk=ids.number("qlf", qualification)).first()
        if found is None:
            raise NotFound
        self.principal.need_platform(policies.GRANTING_ROLES)
        said = self.body(RevocationIn)
        with self.acting():
            revoke_qualification(found, reason=said["reason"], actor=self.principal.actor)
            found.refresh_from_db()
        return shaped(QualificationOut, _facts(found))


def _facts(qualification: Qualification) -> dict[str, Any]:
    names = ("level", "source", "reason", "granted_at", "expires_at", "revoked_at", "revoked_reason")
    return {
        **{name: getattr(qualification, name) for name in names},
        "id": qualification.pk,
        "worker": qualification.worker_id,
        "domain": qualification.domain_id,
        "domain_path": qualification.domain.path,
        "organisation": qualification.organisation_id,
    }

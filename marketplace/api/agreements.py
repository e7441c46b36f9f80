"""Agreements: texts that the platform and organisations ask workers to agree to, and the workers' agreement."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import consenting
from accounts.models import Organisation, Terms
from marketplace.api import covenants, ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Choice, Id, Nothing, Out, Strict, Text
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound


class TermsIn(Strict):
    """A text to be agreed to before work. It takes the place of the version before it."""

    title = Text(most=consenting.TITLE_MAX)
    text = Text(most=consenting.TEXT_MAX, lines=True)


class PlatformTermsIn(TermsIn):
    """The same for the platform, which has two kinds."""

    kind = Choice([Terms.Kind.TERMS.value, Terms.Kind.PRIVACY.value], default=Terms.Kind.TERMS.value)


class TermsOut(Out):
    """A text, in one version."""

    id = Id("trm")
    kind = serializers.ChoiceField(Terms.Kind.values)
    version = serializers.IntegerField()
    title = serializers.CharField()
    text = serializers.CharField()
    current = serializers.BooleanField(help_text="Asked for now.")
    published_at = serializers.DateTimeField()


class AgreementOut(TermsOut):
    """A text as a worker is asked for it."""

    organisation = serializers.CharField(allow_null=True, help_text="Whose jobs it opens; null: all work.")
    agreed_at = serializers.DateTimeField(allow_null=True)


class AgreementsView(Door):
    """What the worker agreed to, and what is still asked of them."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("agreements_list", "workers", query=PageQuery, out=pages_of(AgreementOut)))
    def get(self, request: Request) -> Response:
        """Texts of the platform and of organisations with work now; `current` without `agreed_at`: still asked of you."""
        worker = policies.worker_of(self.principal)
        given = consenting.given_by(worker)

        def facts(some: list[Terms]) -> Any:
            return AgreementOut([_agreement(one, given.get(one.pk)) for one in some], many=True).data

        return Response(page(covenants.agreements_of(worker), self.asked, facts))


class AgreeView(Door):
    """Agreeing."""

    @extend_schema(**described("agreements_agree", "workers", body=Nothing, out=AgreementOut))
    def post(self, request: Request, terms: str) -> Response:
        """Agree to a text. Needs you to be signed in; agreeing twice keeps the first time."""
        self.principal.need_worker()
        self.principal.need_user()
        worker = policies.worker_of(self.principal)
        found = covenants.agreements_of(worker).filter(pk=ids.number("trm", terms)).first()
        if found is None:
            raise NotFound
        self.body(Nothing)
        with self.acting():
            consent = consenting.give_consent(worker, found)
        return shaped(AgreementOut, _agreement(found, consent.given_at))


class PlatformTermsView(Door):
    """The platform's texts."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("terms_list", "platform", query=PageQuery, out=pages_of(TermsOut)))
    def get(self, request: Request) -> Response:
        """The platform's texts, all versions."""
        self.principal.need_platform(covenants.GOVERNING_ROLES)
        return _listed(self, None)

    @extend_schema(**described("terms_publish", "platform", body=PlatformTermsIn, out=TermsOut, status=201))
    def post(self, request: Request) -> Response:
        """Ask every worker to agree to this text before their next claim."""
        self.principal.need_platform(covenants.GOVERNING_ROLES)
        return _published(self, None, self.body(PlatformTermsIn))


class OrganisationTermsView(Door):
    """An organisation's non-disclosure agreement."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("organisation_terms_list", "organisations", query=PageQuery, out=pages_of(TermsOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """What this organisation asks workers to agree to, all versions."""
        return _listed(self, organisation_for(self.principal, organisation, "jobs:read"))

    @extend_schema(**described("organisation_terms_publish", "organisations", body=TermsIn, out=TermsOut, status=201))
    def post(self, request: Request, organisation: str) -> Response:
        """Ask workers to agree to this text before they take tasks of this organisation."""
        found = organisation_for(self.principal, organisation, "jobs:write")
        return _published(self, found, {"kind": Terms.Kind.NDA.value, **self.body(TermsIn)})


class WithdrawTermsView(Door):
    """Withdrawing."""

    @extend_schema(**described("terms_withdraw", "organisations", body=Nothing, out=TermsOut))
    def post(self, request: Request, terms: str) -> Response:
        """Ask nobody for this text any more. What was agreed to stays on record."""
        found = covenants.terms_of(self.principal).filter(pk=ids.number("trm", terms)).first()
        if found is None:
            raise NotFound
        if found.organisation_id is None:
            self.principal.need_platform(covenants.GOVERNING_ROLES)
        else:
            self.principal.need("jobs:write", found.organisation_id)
        self.body(Nothing)
        with self.acting():
            consenting.withdraw_terms(found)
        return shaped(TermsOut, _facts(found))


def _listed(door: Door, organisation: Organisation | None) -> Response:
    rows = covenants.terms_of(door.principal).filter(organisation=organisation)
    return Response(page(rows, door.asked, lambda some: TermsOut([_facts(one) for one in some], many=True).data))


def _published(door: Door, organisation: Organisation | None, said: dict[str, Any]) -> Response:
    author = None if door.principal.user_id is None else policies.user_of(door.principal)
    with door.acting():
        terms = consenting.publish_terms(organisation=organisation, published_by=author, **said)
    terms.refresh_from_db()
    return shaped(TermsOut, _facts(terms), status=201)


def _facts(terms: Terms) -> dict[str, Any]:
    names = ("kind", "version", "title", "text", "current", "published_at")
    return {"id": terms.pk, **{name: getattr(terms, name) for name in names}}


def _agreement(terms: Terms, agreed_at: Any) -> dict[str, Any]:
    organisation = None if terms.organisation is None else terms.organisation.name
    return {**_facts(terms), "organisation": organisation, "agreed_at": agreed_at}

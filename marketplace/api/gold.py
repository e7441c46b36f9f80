"""The subject tree, and gold: sets of items whose answers are verified."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Organisation
from accounts.refusals import Fault
from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Anything, Id, Nothing, Number, Out, Strict, Text, Whole, some
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import FieldsRefused, NotFound
from qualification import gold
from qualification.models import Domain, GoldSet
from tasks.labels.registry import LabelInvalid, SchemaInvalid, kind_named


class DomainIn(Strict):
    """A node of the subject tree: the platform's, or an organisation's own."""

    organisation = Id("org", required=False, allow_null=True)
    path = Text(most=200, help_text="Such as medicine/radiology.")
    name = Text(most=80)


class DomainOut(Out):
    """A node of the subject tree."""

    id = Id("dom")
    organisation = Id("org", allow_null=True)
    path = serializers.CharField()
    name = serializers.CharField()


class GoldSetIn(Strict):
    """A gold set to begin; a name used before gets its next version."""

    organisation = Id("org", required=False, allow_null=True, help_text="Left out: the platform's.")
    name = Text(most=120)
    domain = Id("dom")
    label_kind = Text(most=32, default="categorical")
    label_definition = Anything()


class GoldSetOut(Out):
    """A gold set."""

    id = Id("gst")
    organisation = Id("org", allow_null=True)
    name = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField(GoldSet.State.choices)
    domain = Id("dom")
    label_kind = serializers.CharField()
    label_definition = Anything()
    created_at = serializers.DateTimeField()


class AcceptedIn(Strict):
    """A right label, and its weight."""

    label = Anything()  # type: ignore[assignment]  # named as the wire names it
    weight = Number(least=0.000_001, most=1, default=1.0)


class GoldItemIn(Strict):
    """A verified item."""

    payload = serializers.DictField(child=Anything(), allow_empty=False)
    accepted = some(AcceptedIn, least=1, most=20)
    difficulty = Whole(least=1, most=5, default=2)
    explanation = Text(most=4_000, lines=True, allow_blank=True, default="")


class GoldItemsIn(Strict):
    """Items to add: all, or none."""

    items = some(GoldItemIn, least=1, most=1_000)


class GoldItemOut(Out):
    """A verified item, with what is right about it."""

    id = Id("gld")
    payload = Anything()
    accepted = Anything()
    difficulty = serializers.IntegerField()
    explanation = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)


class GoldAddedOut(Out):
    """How many items were added."""

    added = serializers.IntegerField()


class DomainsView(Door):
    """The subject tree."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("domains_list", "domains", query=PageQuery, out=pages_of(DomainOut)))
    def get(self, request: Request) -> Response:
        """The platform's domains, and your organisations' own."""
        rows = policies.domains_of(self.principal)
        return Response(
            page(
                rows,
                self.asked,
                lambda some: DomainOut([_domain(one) for one in some], many=True).data,
                newest_first=False,
            )
        )

    @extend_schema(**described("domains_create", "domains", body=DomainIn, out=DomainOut, status=201))
    def post(self, request: Request) -> Response:
        """Add a node: to the platform's tree (its admins), or to your organisation's."""
        said = self.body(DomainIn)
        organisation = owner_of(self.principal, said.pop("organisation", None), "gold:write")
        with self.acting():
            domain = gold.create_domain(organisation=organisation, **said)
        return shaped(DomainOut, _domain(domain), status=201)


class GoldSetsView(Door):
    """Gold sets."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("gold_sets_list", "gold", query=PageQuery, out=pages_of(GoldSetOut)))
    def get(self, request: Request) -> Response:
        """Your organisations' gold sets (and the platform's, for its admins), newest first."""
        rows = policies.readable_gold_sets_of(self.principal)
        return Response(
            page(rows, self.asked, lambda some: GoldSetOut([_gold_set(one) for one in some], many=True).data)
        )

    @extend_schema(**described("gold_sets_create", "gold", body=GoldSetIn, out=GoldSetOut, status=201))
    def post(self, request: Request) -> Response:
        """Begin a gold set, as a draft."""
        said = self.body(GoldSetIn)
        organisation = owner_of(self.principal, said.pop("organisation", None), "gold:write")
        domain = policies.domains_of(self.principal).filter(pk=said.pop("domain")).first()
        if domain is None:
            raise NotFound("There is no such domain here.")
        try:
            definition = kind_named(said["label_kind"]).validate_schema(said.pop("label_definition"))
        except SchemaInvalid as invalid:
            raise FieldsRefused(faults=[_fault("/label_definition", invalid)]) from invalid
        with self.acting():
            made = gold.create_gold_set(domain=domain, organisation=organisation, label_definition=definition, **said)
        return shaped(GoldSetOut, _gold_set(made), status=201)


class GoldSetView(Door):
    """One gold set."""

    @extend_schema(**described("gold_sets_read", "gold", out=GoldSetOut))
    def get(self, request: Request, gold_set: str) -> Response:
        """A gold set."""
        return shaped(GoldSetOut, _gold_set(gold_set_for(self.principal, gold_set, "gold:read")))


class GoldItemsView(Door):
    """The items of a gold set."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("gold_items_list", "gold", query=PageQuery, out=pages_of(GoldItemOut)))
    def get(self, request: Request, gold_set: str) -> Response:
        """The items with their right answers."""
        found = gold_set_for(self.principal, gold_set, "gold:read")
        rows = policies.gold_items_in(found)
        return Response(page(rows, self.asked, lambda some: GoldItemOut(some, many=True).data, newest_first=False))

    @extend_schema(**described("gold_items_add", "gold", body=GoldItemsIn, out=GoldAddedOut, status=201))
    def post(self, request: Request, gold_set: str) -> Response:
        """Add verified items to a draft: all, or none."""
        found = gold_set_for(self.principal, gold_set, "gold:write")
        said = self.body(GoldItemsIn)
        items = [_new_gold(found, item, place) for place, item in enumerate(said["items"])]
        verifier = None if self.principal.user_id is None else policies.user_of(self.principal)
        with self.acting():
            added = gold.add_gold_items(found, items, verified_by=verifier)
        return shaped(GoldAddedOut, {"added": len(added)}, status=201)


class PublishGoldView(Door):
    """Publishing a gold set."""

    @extend_schema(**described("gold_sets_publish", "gold", body=Nothing, out=GoldSetOut))
    def post(self, request: Request, gold_set: str) -> HttpResponse:
        """Freeze a draft, and let exams and jobs use it."""
        found = gold_set_for(self.principal, gold_set, "gold:write")
        self.body(Nothing)
        with self.acting():
            return shaped(GoldSetOut, _gold_set(gold.publish_gold_set(found)))


def owner_of(principal: policies.Principal, organisation_id: int | None, right: str) -> Organisation | None:
    """Who will own what is about to be made: an organisation of the caller's, or None for the platform.

    Raises NotFound or NotAllowed.
    """
    if organisation_id is None:
        principal.need_platform(policies.BUILDING_ROLES)
        return None
    return policies.organisation_for(principal, organisation_id, right)


def gold_set_for(principal: policies.Principal, text: str, right: str) -> GoldSet:
    """The gold set of that public id, if the principal holds ``right`` for it. Raises NotFound or NotAllowed."""
    found = policies.gold_sets_of(principal).filter(pk=ids.number("gst", text)).first()
    if found is None:
        raise NotFound
    if found.organisation_id is not None:
        principal.need(right, found.organisation_id)
    return found


def _new_gold(gold_set: GoldSet, item: dict[str, Any], place: int) -> gold.NewGold:
    """A gold item with its labels in their normal form. Raises FieldsRefused."""
    kind = kind_named(gold_set.label_kind)
    accepted = []
    for number, one in enumerate(item["accepted"]):
        try:
            label = kind.validate_label(gold_set.label_definition, one["label"])
        except LabelInvalid as invalid:
            raise FieldsRefused(faults=[_fault(f"/items/{place}/accepted/{number}/label", invalid)]) from invalid
        accepted.append({"label": label, "weight": one["weight"]})
    best = max(accepted, key=lambda one: one["weight"])
    return gold.NewGold(
        payload=item["payload"],
        accepted=accepted,
        difficulty=item["difficulty"],
        explanation=item["explanation"],
        class_index=kind.class_index(gold_set.label_definition, best["label"]),
    )


def _fault(pointer: str, invalid: SchemaInvalid | LabelInvalid) -> Fault:
    inner = "".join(f"/{part}" for part in invalid.path.split(".") if part and invalid.path != "kind")
    return Fault(pointer + inner, f"{invalid.reason}; {invalid.remedy}")


def _domain(domain: Domain) -> dict[str, Any]:
    return {"id": domain.pk, "organisation": domain.organisation_id, "path": domain.path, "name": domain.name}


def _gold_set(gold_set: GoldSet) -> dict[str, Any]:
    names = ("name", "version", "state", "label_kind", "label_definition", "created_at")
    return {
        **{name: getattr(gold_set, name) for name in names},
        "id": gold_set.pk,
        "organisation": gold_set.organisation_id,
        "domain": gold_set.domain_id,
    }

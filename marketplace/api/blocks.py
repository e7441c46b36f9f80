"""Blocks: whom an organisation, or the platform, keeps from its work, why, and for how long."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import blocking
from accounts.models import Block, Organisation, Worker
from accounts.queries import pseudonym_of
from accounts.refusals import Fault
from marketplace.api import covenants, ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Id, Out, Strict, Text, Whole
from marketplace.api.organisations import organisation_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import FieldsRefused, NotFound


class LengthIn(Strict):
    """Why, and for how long."""

    reason = Text(most=blocking.REASON_MAX, help_text="The worker reads it.")
    days = Whole(
        least=1, most=blocking.DAYS_MAX, required=False, allow_null=True, help_text="None: until it is lifted."
    )


class OrganisationBlockIn(LengthIn):
    """Whom to block: by an answer of theirs, or by what your organisation calls them. Send one of the two."""

    answer = Id("ans", required=False)
    worker = Text(most=40, required=False, help_text="The pseudonym, such as w_....")


class PlatformBlockIn(LengthIn):
    """Whom to block everywhere."""

    worker = Id("wrk")


class LiftIn(Strict):
    """Why the block ends."""

    reason = Text(most=blocking.REASON_MAX)


class BlockFactsOut(Out):
    """What every reader sees of a block."""

    id = Id("blk")
    reason = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: until it is lifted.")
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_reason = serializers.CharField()


class BlockOut(BlockFactsOut):
    """A block as whoever made it sees it."""

    worker = serializers.CharField(
        help_text="Your organisation's pseudonym; of the platform's blocks, the worker's id."
    )


class MyBlockOut(BlockFactsOut):
    """A block as the worker sees it."""

    organisation = serializers.CharField(allow_null=True, help_text="Whose jobs it closes; null: all work.")


class MyBlocksView(Door):
    """The worker's own."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("workers_blocks", "workers", query=PageQuery, out=pages_of(MyBlockOut)))
    def get(self, request: Request) -> Response:
        """What keeps you, or kept you, from work, and why."""
        rows = covenants.blocks_on(policies.worker_of(self.principal))
        return Response(page(rows, self.asked, lambda some: MyBlockOut([_mine(one) for one in some], many=True).data))


class OrganisationBlocksView(Door):
    """An organisation's blocks."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("organisation_blocks_list", "organisations", query=PageQuery, out=pages_of(BlockOut)))
    def get(self, request: Request, organisation: str) -> Response:
        """Whom this organisation keeps from its jobs, and whom it did."""
        return _listed(self, organisation_for(self.principal, organisation, "jobs:write"))

    @extend_schema(
        **described("organisation_blocks_add", "organisations", body=OrganisationBlockIn, out=BlockOut, status=201)
    )
    def post(self, request: Request, organisation: str) -> Response:
        """Keep a worker from this organisation's jobs. They may still hand in what they hold, and keep what they earned."""
        found = organisation_for(self.principal, organisation, "jobs:write")
        said = self.body(OrganisationBlockIn)
        return _blocked(self, found, _known_to(found, said), said)


class PlatformBlocksView(Door):
    """The platform's blocks."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("blocks_list", "platform", query=PageQuery, out=pages_of(BlockOut)))
    def get(self, request: Request) -> Response:
        """Who is kept from all work, and who was."""
        self.principal.need_platform(covenants.GOVERNING_ROLES)
        return _listed(self, None)

    @extend_schema(**described("blocks_add", "platform", body=PlatformBlockIn, out=BlockOut, status=201))
    def post(self, request: Request) -> Response:
        """Keep a person from all work, with every account they have."""
        self.principal.need_platform(covenants.GOVERNING_ROLES)
        said = self.body(PlatformBlockIn)
        worker = policies.workers_of(self.principal).filter(pk=said["worker"]).first()
        if worker is None:
            raise NotFound
        return _blocked(self, None, worker, said)


class LiftView(Door):
    """Lifting."""

    @extend_schema(**described("blocks_lift", "organisations", body=LiftIn, out=BlockOut))
    def post(self, request: Request, block: str) -> Response:
        """End a block before its time."""
        found = covenants.blocks_by(self.principal).filter(pk=ids.number("blk", block)).first()
        if found is None:
            raise NotFound
        if found.organisation_id is None:
            self.principal.need_platform(covenants.GOVERNING_ROLES)
        else:
            self.principal.need("jobs:write", found.organisation_id)
        said = self.body(LiftIn)
        with self.acting():
            lifted = blocking.lift_block(found, reason=said["reason"])
        return shaped(BlockOut, _facts(lifted))


def _known_to(organisation: Organisation, said: dict[str, Any]) -> Worker:
    """Whoever is meant, where they ever worked for this organisation. Raises FieldsRefused."""
    if ("answer" in said) == ("worker" in said):
        raise FieldsRefused(faults=[Fault("/worker", "or /answer says whom; send one of the two")])
    if "worker" in said:
        found = covenants.worker_called(organisation, said["worker"])
    else:
        found = covenants.worker_behind(organisation, said["answer"])
    if found is None:
        raise FieldsRefused(faults=[Fault("/answer" if "answer" in said else "/worker", "is nobody of your jobs")])
    return found


def _blocked(door: Door, organisation: Organisation | None, worker: Worker, said: dict[str, Any]) -> Response:
    by = None if door.principal.user_id is None else policies.user_of(door.principal)
    with door.acting():
        block = blocking.block_worker(
            worker, organisation=organisation, reason=said["reason"], days=said.get("days"), blocked_by=by
        )
    return shaped(BlockOut, _facts(block), status=201)


def _listed(door: Door, organisation: Organisation | None) -> Response:
    rows = covenants.blocks_by(door.principal).filter(organisation=organisation)
    return Response(page(rows, door.asked, lambda some: BlockOut([_facts(one) for one in some], many=True).data))


def _of(block: Block) -> dict[str, Any]:
    names = ("reason", "starts_at", "ends_at", "lifted_at", "lifted_reason")
    return {"id": block.pk, **{name: getattr(block, name) for name in names}}


def _facts(block: Block) -> dict[str, Any]:
    whose = block.organisation
    name = ids.public("wrk", block.worker_id) if whose is None else pseudonym_of(whose, block.worker_id)
    return {**_of(block), "worker": name}


def _mine(block: Block) -> dict[str, Any]:
    return {**_of(block), "organisation": None if block.organisation is None else block.organisation.name}

"""Curating gold: domains, and versioned sets of items whose answers are verified.

A set is filled as a draft; publishing freezes it, and a correction is the set's next version. An item that turns out
wrong is retired at once: it is asked no more, and stays on record with what was observed on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.models import Organisation, User
from accounts.queries import moment
from accounts.refusals import Fault, Refusal
from qualification.models import Domain, GoldItem, GoldSet
from qualification.queries import canonical

PATH_MAX = 200
_PATH = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)*")


class DomainExists(Refusal):
    """There is a domain at this path already."""


class DomainPathRefused(Refusal):
    """A domain's path is words of a-z, 0-9 and single hyphens, joined by slashes, such as medicine/radiology."""


class ParentDomainMissing(Refusal):
    """There is no domain above this one: create it first."""


class DomainOfAnotherOrganisation(Refusal):
    """This domain belongs to another organisation."""


class GoldSetExists(Refusal):
    """This version of the gold set is being created by somebody else; try again."""


class GoldSetNotDraft(Refusal):
    """Only a draft can be changed; create the set's next version."""


class GoldSetNotPublished(Refusal):
    """This gold set is not published."""


class GoldSetEmpty(Refusal):
    """A gold set needs at least one item to be published."""


class GoldRefused(Refusal):
    """These gold items cannot be taken as they are; nothing was added."""


class GoldAlreadyRetired(Refusal):
    """This gold item was retired before."""


@dataclass(frozen=True, slots=True)
class NewGold:
    """A gold item to be.

    ``accepted`` lists the right labels, in the normal form of their kind, with weights above 0 and up to 1:
    ``[{"label": {"class": "cat"}, "weight": 1.0}]``. ``class_index`` is the best one's, for class kinds.
    """

    payload: Any
    accepted: Sequence[Mapping[str, Any]]
    difficulty: int = 2
    explanation: str = ""
    class_index: int | None = None


@transaction.atomic
def create_domain(*, path: str, name: str, organisation: Organisation | None = None) -> Domain:
    """Add a node to the subject tree, the platform's or an organisation's own, which may grow from the platform's.

    Raises DomainPathRefused, ParentDomainMissing, DomainExists.
    """
    if len(path) > PATH_MAX or _PATH.fullmatch(path) is None:
        raise DomainPathRefused
    parent = _parent(path, organisation)
    try:
        with transaction.atomic():
            return Domain.objects.create(path=path, name=name, parent=parent, organisation=organisation)
    except IntegrityError as error:
        raise DomainExists from error


@transaction.atomic
def create_gold_set(
    *,
    name: str,
    domain: Domain,
    label_kind: str,
    label_definition: Mapping[str, Any],
    organisation: Organisation | None = None,
) -> GoldSet:
    """Begin a gold set as a draft; a name used before gets its next version.

    ``label_definition`` comes in the normal form of its kind. Raises DomainOfAnotherOrganisation, GoldSetExists.
    """
    if domain.organisation_id not in {None, None if organisation is None else organisation.pk}:
        raise DomainOfAnotherOrganisation
    last = GoldSet.objects.filter(organisation=organisation, name=name).aggregate(last=Max("version"))["last"] or 0
    try:
        with transaction.atomic():
            return GoldSet.objects.create(
                organisation=organisation,
                domain=domain,
                name=name,
                version=last + 1,
                label_kind=label_kind,
                label_definition=label_definition,
            )
    except IntegrityError as error:
        raise GoldSetExists from error


@transaction.atomic
def add_gold_items(gold_set: GoldSet, items: Sequence[NewGold], *, verified_by: User | None = None) -> list[GoldItem]:
    """Add all ``items`` to a draft, or none of them; ``verified_by`` answers for them.

    Raises GoldSetNotDraft; GoldRefused with one fault for each wrong item.
    """
    held = hold(gold_set.pk)
    if held.state != GoldSet.State.DRAFT:
        raise GoldSetNotDraft
    hashes = [hashlib.sha256(canonical(item.payload).encode()).digest() for item in items]
    faults = [fault for place, item in enumerate(items) for fault in _faults_of(item, place)]
    faults += _repeated(held, hashes)
    if faults:
        raise GoldRefused(faults=faults)
    return GoldItem.objects.bulk_create(
        GoldItem(
            gold_set=held,
            payload=item.payload,
            content_hash=content_hash,
            accepted=list(item.accepted),
            class_index=item.class_index,
            difficulty=item.difficulty,
            explanation=item.explanation,
            verified_by=verified_by,
        )
        for item, content_hash in zip(items, hashes, strict=True)
    )


@transaction.atomic
def publish_gold_set(gold_set: GoldSet) -> GoldSet:
    """Freeze a draft and let exams and jobs use it. Raises GoldSetNotDraft, GoldSetEmpty."""
    held = hold(gold_set.pk)
    if held.state != GoldSet.State.DRAFT:
        raise GoldSetNotDraft
    if not held.items.filter(retired_at__isnull=True).exists():
        raise GoldSetEmpty
    return _move(held, GoldSet.State.PUBLISHED)


@transaction.atomic
def retire_gold_set(gold_set: GoldSet) -> GoldSet:
    """Let no further exam or job use a set; what runs goes on. Raises GoldSetNotPublished."""
    held = hold(gold_set.pk)
    if held.state != GoldSet.State.PUBLISHED:
        raise GoldSetNotPublished
    return _move(held, GoldSet.State.RETIRED)


@transaction.atomic
def retire_gold_item(item: GoldItem, *, at: datetime | None = None) -> GoldItem:
    """Take an item out of use, because it is wrong or known too widely. Raises GoldAlreadyRetired."""
    if GoldItem.objects.filter(pk=item.pk, retired_at__isnull=True).update(retired_at=moment(at)) != 1:
        raise GoldAlreadyRetired
    item.refresh_from_db(fields=["retired_at"])
    return item


def hold(gold_set_id: int) -> GoldSet:
    """Lock a gold set's row until the transaction ends. Raises GoldSet.DoesNotExist."""
    return GoldSet.objects.select_for_update(no_key=True, of=("self",)).get(pk=gold_set_id)


def _move(gold_set: GoldSet, state: GoldSet.State) -> GoldSet:
    gold_set.state = state
    gold_set.save(update_fields=["state"])
    return gold_set


def _parent(path: str, organisation: Organisation | None) -> Domain | None:
    above = path.rpartition("/")[0]
    if not above:
        return None
    owners = Domain.objects.filter(path=above, organisation=organisation) | Domain.objects.filter(
        path=above, organisation__isnull=True
    )
    # An organisation's own domain comes before the platform's of the same path.
    parent = owners.order_by("organisation_id").first()
    if parent is None:
        raise ParentDomainMissing(f"There is no domain {above}: create it first.")
    return parent


def _faults_of(item: NewGold, place: int) -> list[Fault]:
    faults = []
    if not 1 <= item.difficulty <= 5:
        faults.append(Fault(f"/items/{place}/difficulty", "is not 1 to 5"))
    if not item.accepted:
        faults.append(Fault(f"/items/{place}/accepted", "is empty; name at least one right label"))
    for number, one in enumerate(item.accepted):
        pointer = f"/items/{place}/accepted/{number}"
        weight = one.get("weight", 1.0)
        if "label" not in one:
            faults.append(Fault(f"{pointer}/label", "is missing"))
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1:
            faults.append(Fault(f"{pointer}/weight", "is not above 0 and up to 1"))
    return faults


def _repeated(gold_set: GoldSet, hashes: Sequence[bytes]) -> list[Fault]:
    """One fault for each item that stands in the set already, or earlier in the list."""
    known = {
        bytes(one) for one in gold_set.items.filter(content_hash__in=hashes).values_list("content_hash", flat=True)
    }
    faults = []
    for place, content_hash in enumerate(hashes):
        if content_hash in known:
            faults.append(Fault(f"/items/{place}/payload", "is in the set already"))
        known.add(content_hash)
    return faults

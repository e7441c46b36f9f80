"""Domains grow as a tree, gold is frozen by publishing, and an item is retired, not edited."""

from dataclasses import replace
from typing import Any

import pytest

from accounts.audit import acting
from accounts.models import AuditRow
from qualification import gold
from qualification.models import Domain, GoldItem, GoldSet
from tests import build
from tests.guards import violates


@pytest.mark.django_db
def test_a_domain_hangs_below_the_one_its_path_names() -> None:
    medicine = gold.create_domain(path="medicine", name="Medicine")

    radiology = gold.create_domain(path="medicine/radiology-2", name="Radiology")

    assert (medicine.parent, radiology.parent) == (None, medicine)


@pytest.mark.django_db
def test_a_domain_needs_the_one_above_it() -> None:
    with pytest.raises(gold.ParentDomainMissing, match="law/tax"):
        gold.create_domain(path="law/tax/vat", name="VAT")


@pytest.mark.parametrize("path", ["", "/", "a//b", "/a", "a/", "A", "a b", "a--b", "-a", "é", "a\n", "a\0", "a" * 201])
@pytest.mark.django_db
def test_a_path_is_words_joined_by_slashes(path: str) -> None:
    with pytest.raises(gold.DomainPathRefused):
        gold.create_domain(path=path, name="x")


@pytest.mark.django_db
def test_one_path_is_one_domain_for_each_owner() -> None:
    north = build.an_organisation()
    ours = gold.create_domain(path="law", name="Law")

    with pytest.raises(gold.DomainExists):
        gold.create_domain(path="law", name="Law again")
    theirs = gold.create_domain(path="law", name="Our law", organisation=north)

    assert ours != theirs


@pytest.mark.django_db
def test_an_organisations_domain_grows_from_its_own_or_from_the_platforms() -> None:
    north, south = build.an_organisation(), build.an_organisation()
    law = gold.create_domain(path="law", name="Law")
    own = gold.create_domain(path="law", name="Our law", organisation=north)

    assert gold.create_domain(path="law/tax", name="Tax", organisation=north).parent == own
    assert gold.create_domain(path="law/tax", name="Tax", organisation=south).parent == law
    with pytest.raises(gold.ParentDomainMissing):
        gold.create_domain(path="law/tax/vat", name="VAT")


@pytest.mark.django_db
def test_one_domain_a_path_for_the_platform_too() -> None:
    build.a_domain("law")

    with violates("one_domain_a_path"):
        Domain.objects.create(path="law", name="Law")


@pytest.mark.django_db
def test_the_same_name_again_is_the_next_version() -> None:
    domain = build.a_domain()
    said: dict[str, Any] = {
        "name": "Owls",
        "domain": domain,
        "label_kind": "categorical",
        "label_definition": build.CLASSES,
    }

    versions = [gold.create_gold_set(**said).version for _ in range(2)]
    own = gold.create_gold_set(**said, organisation=build.an_organisation())

    assert versions == [1, 2]
    assert own.version == 1
    assert (own.state, str(own)) == ("draft", "Owls v1")


@pytest.mark.django_db
def test_gold_stands_in_a_domain_of_its_owner_or_of_the_platform() -> None:
    north, south = build.an_organisation(), build.an_organisation()
    own = build.a_domain("invoices", organisation=north)

    build.a_gold_set(own, organisation=north)
    for other in (south, None):
        with pytest.raises(gold.DomainOfAnotherOrganisation):
            build.a_gold_set(own, organisation=other)


@pytest.mark.django_db
def test_items_go_in_whole_with_their_verifier() -> None:
    draft, fay = build.a_gold_set(items=0, published=False), build.a_user("Fay")

    gold.add_gold_items(draft, build.gold_items(3, difficulties=(1, 5)), verified_by=fay)

    items = list(draft.items.order_by("pk"))
    assert [(one.class_index, one.difficulty, one.verified_by) for one in items] == [
        (0, 1, fay),
        (1, 5, fay),
        (0, 1, fay),
    ]
    assert len(bytes(items[0].content_hash)) == 32


@pytest.mark.django_db
def test_wrong_items_are_named_and_nothing_is_added() -> None:
    draft = build.a_gold_set(items=0, published=False)
    good = build.gold_items(1)[0]

    with pytest.raises(gold.GoldRefused) as refused:
        gold.add_gold_items(
            draft,
            [
                good,
                good,
                replace(good, payload=1, difficulty=0),
                replace(good, payload=2, accepted=[]),
                replace(good, payload=3, accepted=[{"weight": 0}]),
                replace(good, payload=4, accepted=[{"label": build.CAT, "weight": True}]),
            ],
        )

    assert [fault.pointer for fault in refused.value.faults] == [
        "/items/2/difficulty",
        "/items/3/accepted",
        "/items/4/accepted/0/label",
        "/items/4/accepted/0/weight",
        "/items/5/accepted/0/weight",
        "/items/1/payload",
    ]
    assert not draft.items.exists()


@pytest.mark.django_db
def test_a_payload_that_is_in_the_set_is_refused_whatever_the_order_of_its_keys() -> None:
    draft = build.a_gold_set(items=0, published=False)
    item = replace(build.gold_items(1)[0], payload={"a": 1, "b": 2})
    gold.add_gold_items(draft, [item])

    with pytest.raises(gold.GoldRefused):
        gold.add_gold_items(draft, [replace(item, payload={"b": 2, "a": 1})])


@pytest.mark.django_db
def test_a_published_set_is_frozen() -> None:
    published = build.a_gold_set()

    with pytest.raises(gold.GoldSetNotDraft):
        gold.add_gold_items(published, build.gold_items(1))
    with pytest.raises(gold.GoldSetNotDraft):
        gold.publish_gold_set(published)


@pytest.mark.django_db
def test_an_empty_set_is_not_published() -> None:
    draft = build.a_gold_set(items=1, published=False)
    gold.retire_gold_item(build.a_gold_item(draft))

    with pytest.raises(gold.GoldSetEmpty):
        gold.publish_gold_set(draft)


@pytest.mark.django_db
def test_only_a_published_set_is_retired() -> None:
    draft = build.a_gold_set(published=False)

    with pytest.raises(gold.GoldSetNotPublished):
        gold.retire_gold_set(draft)
    assert gold.retire_gold_set(gold.publish_gold_set(draft)).state == "retired"


@pytest.mark.django_db
def test_an_item_is_retired_once_and_that_is_on_record() -> None:
    item = build.a_gold_item()

    with acting("user:4"):
        gold.retire_gold_item(item)
    with pytest.raises(gold.GoldAlreadyRetired):
        gold.retire_gold_item(item)

    assert item.retired_at is not None
    row = AuditRow.objects.get(subject="qualification_golditem", subject_id=item.pk)  # gold_item_is_audited
    assert row.actor == "user:4"
    assert "payload" not in (row.after or {})


@pytest.mark.django_db
def test_one_gold_set_a_version() -> None:
    gold_set = build.a_gold_set()

    with violates("one_gold_set_a_version"):
        GoldSet.objects.create(
            name=gold_set.name, version=gold_set.version, domain=gold_set.domain, label_definition={}
        )


@pytest.mark.django_db
def test_a_gold_sets_state_is_known_to_the_database() -> None:
    with violates("gold_set_state_is_known"):
        GoldSet.objects.filter(pk=build.a_gold_set().pk).update(state="lost")


@pytest.mark.django_db
def test_one_gold_item_a_payload() -> None:
    row = GoldItem.objects.values().get(pk=build.a_gold_item().pk)

    with violates("one_gold_item_a_payload"):
        GoldItem.objects.create(**{**row, "id": None})


@pytest.mark.django_db
def test_golds_difficulty_is_in_band_for_the_database_too() -> None:
    with violates("gold_difficulty_in_band"):
        GoldItem.objects.filter(pk=build.a_gold_item().pk).update(difficulty=0)

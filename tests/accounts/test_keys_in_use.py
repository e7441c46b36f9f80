"""What keys spend, and how one secret takes the place of another."""

import functools
from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts import keys, organising
from accounts.ledger.money import Money
from accounts.models import ApiKey, Organisation
from accounts.queries import instant
from accounts.refusals import KeyRevoked
from tests import build
from tests.guards import violates
from tests.races import at_once


def _capped(organisation: Organisation, dollars: int = 10) -> ApiKey:
    cap = Money(dollars * build.UNIT, "USD")
    return keys.issue_key(organisation=organisation, name="capped", scopes=["jobs:write"], spend_cap=cap)[0]


def _dollars(number: int) -> Money:
    return Money(number * build.UNIT, "USD")


@pytest.mark.django_db
def test_a_key_spends_up_to_its_cap_and_not_a_cent_more() -> None:
    key = _capped(build.an_organisation())

    keys.spend(key.pk, _dollars(7))
    with pytest.raises(keys.SpendCapReached):
        keys.spend(key.pk, _dollars(4))
    with pytest.raises(keys.SpendCapReached):
        keys.spend(key.pk, Money(1, "EUR"))
    keys.spend(key.pk, _dollars(3))

    key.refresh_from_db()
    assert key.spent_micros == 10 * build.UNIT


@pytest.mark.django_db
def test_a_key_without_a_cap_counts_nothing() -> None:
    key, _ = build.an_organisation_key(build.an_organisation())

    keys.spend(key.pk, _dollars(1_000_000))

    key.refresh_from_db()
    assert key.spent_micros == 0


@pytest.mark.django_db
def test_a_key_that_is_over_spends_nothing() -> None:
    key = _capped(build.an_organisation())
    keys.revoke_key(key)

    with pytest.raises(KeyRevoked):
        keys.spend(key.pk, _dollars(1))


@pytest.mark.django_db
def test_a_cap_is_more_than_nothing_and_no_workers_key_has_one() -> None:
    organisation = build.an_organisation()

    with pytest.raises(keys.KeyRefused):
        keys.issue_key(organisation=organisation, name="k", scopes=["jobs:read"], spend_cap=Money(0, "USD"))
    with pytest.raises(keys.KeyRefused):
        keys.issue_key(worker=build.a_worker(), name="k", scopes=["work"], spend_cap=_dollars(1))


@pytest.mark.django_db
def test_the_database_keeps_a_key_under_its_cap_too() -> None:
    key = _capped(build.an_organisation())

    with violates("a_key_stays_under_its_cap"):
        ApiKey.objects.filter(pk=key.pk).update(spent_micros=10 * build.UNIT + 1)
    with violates("a_key_stays_under_its_cap"):
        ApiKey.objects.filter(pk=key.pk).update(spent_micros=-1)
    with violates("a_cap_has_a_currency"):
        ApiKey.objects.filter(pk=key.pk).update(spend_currency="")


def test_of_many_that_spend_at_once_only_so_many_as_the_cap_allows_get_through(committed_db: str) -> None:
    key = _capped(build.an_organisation())

    outcomes = at_once([functools.partial(keys.spend, key.pk, _dollars(3))] * 8)

    assert outcomes.count(None) == 3
    assert sum(isinstance(outcome, keys.SpendCapReached) for outcome in outcomes) == 5
    key.refresh_from_db()
    assert key.spent_micros == 9 * build.UNIT


@pytest.mark.django_db
def test_a_rotated_key_works_beside_the_new_one_until_the_overlap_ends() -> None:
    ada, bea = build.a_user("Ada"), build.a_user("Bea")
    organisation = build.an_organisation(owner=ada)
    organising.add_member(organisation, user=bea, role="owner")
    key, old = keys.issue_key(
        organisation=organisation, name="ours", scopes=["jobs:read"], addresses=["192.0.2.1"], created_by=ada
    )

    new, secret = keys.rotate_key(key, overlap=timedelta(hours=1), rotated_by=bea)

    assert secret != old
    assert keys.check_secret(old, address="192.0.2.1") == key
    assert keys.check_secret(secret, address="192.0.2.1") == new
    assert (new.replaces_id, new.created_by, new.name) == (key.pk, bea, "ours")
    assert (new.scopes, new.addresses, new.expires_at) == (["jobs:read"], ["192.0.2.1/32"], None)
    assert key.expires_at == new.created_at + timedelta(hours=1)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=instant(None))
    assert keys.check_secret(old, address="192.0.2.1") is None


@pytest.mark.django_db
def test_without_overlap_the_old_secret_ends_at_once_on_both_ways() -> None:
    key, old = build.a_worker_key()

    new, secret = keys.rotate_key(key, overlap=timedelta(0))

    assert keys.check_secret(old) is None
    assert keys.working_key(old) is None
    assert keys.working_key(secret) == (new.pk, new.worker_id, ())


@pytest.mark.django_db
def test_a_rotated_key_lives_as_long_as_the_old_one_was_issued_for() -> None:
    ends = instant(None) + timedelta(days=30)
    key, _ = keys.issue_key(worker=build.a_worker(), name="k", scopes=["work"], expires_at=ends)

    new, _ = keys.rotate_key(key, overlap=timedelta(hours=1), at=key.created_at + timedelta(days=10))

    assert new.expires_at is not None
    assert abs(new.expires_at - ends - timedelta(days=10)) < timedelta(seconds=5)
    assert key.expires_at == key.created_at + timedelta(days=10, hours=1)


@pytest.mark.django_db
def test_an_overlap_never_lengthens_a_keys_life() -> None:
    ends = instant(None) + timedelta(minutes=5)
    key, _ = keys.issue_key(worker=build.a_worker(), name="k", scopes=["work"], expires_at=ends)

    keys.rotate_key(key, overlap=timedelta(days=1))

    assert key.expires_at == ends


@pytest.mark.django_db
def test_at_most_two_secrets_of_a_row_work_at_once() -> None:
    first, one = build.a_worker_key()
    second, two = keys.rotate_key(first, overlap=timedelta(days=7))

    with pytest.raises(keys.KeyNotInUse):
        keys.rotate_key(first, overlap=timedelta(days=7))
    _, three = keys.rotate_key(second, overlap=timedelta(days=7))

    assert [keys.check_secret(secret) is not None for secret in (one, two, three)] == [False, True, True]


@pytest.mark.django_db
def test_a_key_that_is_over_is_not_rotated_and_no_overlap_is_endless() -> None:
    key, _ = build.a_worker_key()
    for overlap in (timedelta(seconds=-1), keys.OVERLAP_MAX + timedelta(seconds=1)):
        with pytest.raises(keys.KeyRefused):
            keys.rotate_key(key, overlap=overlap)
    keys.revoke_key(key)

    with pytest.raises(keys.KeyNotInUse):
        keys.rotate_key(key, overlap=timedelta(0))
    assert ApiKey.objects.count() == 1


@pytest.mark.django_db
def test_one_successor_a_key() -> None:
    key, _ = build.a_worker_key()
    keys.rotate_key(key, overlap=timedelta(0))

    with violates("one_successor_a_key"):
        ApiKey.objects.create(worker=key.worker, name="third", digest=b"4" * 32, replaces=key)


@pytest.mark.django_db
def test_both_secrets_of_a_rotated_key_spend_from_one_cap() -> None:
    key = _capped(build.an_organisation())
    keys.spend(key.pk, _dollars(4))

    new, _ = keys.rotate_key(key, overlap=timedelta(hours=1))
    keys.spend(key.pk, _dollars(3))
    keys.spend(new.pk, _dollars(3))
    for one in (key, new):
        with pytest.raises(keys.SpendCapReached):
            keys.spend(one.pk, _dollars(1))

    new.refresh_from_db()
    assert new.spent_micros == 10 * build.UNIT


def test_a_key_rotated_while_it_spends_never_passes_its_cap(committed_db: str) -> None:
    organisation = build.an_organisation()
    for _ in range(10):
        key = _capped(organisation)

        spends = functools.partial(keys.spend, key.pk, _dollars(6))
        rotates = functools.partial(keys.rotate_key, ApiKey.objects.get(pk=key.pk), overlap=timedelta(hours=1))

        acts: list[Callable[[], object]] = [spends, rotates, spends]
        outcomes = at_once(acts)

        assert outcomes.count(None) == 1
        new = ApiKey.objects.get(replaces=key)
        assert new.spent_micros == 6 * build.UNIT

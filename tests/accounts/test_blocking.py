"""Blocks have a scope, a reason and a length, hold for every account of a person, and are only ever lifted."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts import blocking
from accounts.models import Block, Worker
from tests import build
from tests.guards import violates
from tests.races import at_once, waits_for

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_block_says_for_whom_where_why_and_until_when() -> None:
    worker, north, owner = build.a_worker(), build.an_organisation(), build.a_user()

    block = blocking.block_worker(
        worker, organisation=north, reason=" Copied answers. ", days=7, blocked_by=owner, at=NOW
    )

    assert (block.person_id, block.organisation, block.reason) == (worker.pk, north, "Copied answers.")
    assert (block.starts_at, block.ends_at, block.blocked_by) == (NOW, NOW + timedelta(days=7), owner)
    assert list(blocking.blocks_of(worker)) == [block]


@pytest.mark.django_db
def test_a_block_holds_where_and_while_it_says() -> None:
    worker, north, south = build.a_worker(), build.an_organisation(), build.an_organisation()
    block = blocking.block_worker(worker, organisation=north, reason="Why.", days=1, blocked_by=None, at=NOW)
    later = NOW + timedelta(days=1)

    assert blocking.holding(worker, north.pk, at=NOW) == block
    assert blocking.holding(worker, south.pk, at=NOW) is None
    assert blocking.holding(worker, at=NOW) is None
    assert blocking.holding(worker, north.pk, at=later) is None

    everywhere = blocking.block_worker(worker, reason="Why.", blocked_by=None, at=NOW)
    assert blocking.holding(worker, south.pk, at=later) == everywhere
    assert blocking.holding(worker, north.pk, at=NOW) == everywhere, "the one that lasts longest is told"


@pytest.mark.django_db
def test_a_block_holds_for_every_account_of_the_person() -> None:
    first, second = build.a_worker(), build.a_worker()
    Worker.objects.filter(pk=second.pk).update(person_id=first.pk)

    block = blocking.block_worker(second, reason="Why.", blocked_by=None)

    assert block.person_id == first.pk
    assert blocking.holding(first) == block
    assert set(Worker.objects.values_list("standing_epoch", flat=True)) == {1}


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b"])
def test_a_block_needs_a_reason(reason: str) -> None:
    with pytest.raises(blocking.BlockNeedsReason):
        blocking.block_worker(build.a_worker(), reason=reason, blocked_by=None)

    assert not Block.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_a_block_lasts_one_day_to_ten_years(days: int) -> None:
    with pytest.raises(blocking.BlockDaysOutOfRange):
        blocking.block_worker(build.a_worker(), reason="Why.", days=days, blocked_by=None)


@pytest.mark.django_db
def test_who_is_blocked_here_is_not_blocked_here_again() -> None:
    worker, north = build.a_worker(), build.an_organisation()
    blocking.block_worker(worker, organisation=north, reason="Why.", days=1, blocked_by=None, at=NOW)

    with pytest.raises(blocking.AlreadyBlocked):
        blocking.block_worker(worker, organisation=north, reason="Why.", blocked_by=None, at=NOW)

    blocking.block_worker(worker, reason="Everywhere.", blocked_by=None, at=NOW)
    blocking.block_worker(worker, organisation=north, reason="Again.", blocked_by=None, at=NOW + timedelta(days=2))


@pytest.mark.django_db
def test_a_block_is_lifted_once_and_with_a_reason() -> None:
    worker = build.a_worker()
    block = blocking.block_worker(worker, reason="Why.", blocked_by=None)

    with pytest.raises(blocking.BlockNeedsReason):
        blocking.lift_block(block, reason=" ")
    blocking.lift_block(block, reason="A mistake.")
    with pytest.raises(blocking.BlockEnded):
        blocking.lift_block(block, reason="Again.")

    worker.refresh_from_db()
    assert (blocking.holding(worker), block.lifted_reason, worker.standing_epoch) == (None, "A mistake.", 2)


@pytest.mark.django_db
def test_a_block_that_ran_out_is_not_lifted() -> None:
    block = blocking.block_worker(build.a_worker(), reason="Why.", days=1, blocked_by=None, at=NOW)

    with pytest.raises(blocking.BlockEnded):
        blocking.lift_block(block, reason="Late.", at=NOW + timedelta(days=1))


def test_of_two_who_block_at_once_one_does(committed_db: str) -> None:
    worker = build.a_worker()

    told = at_once([lambda: blocking.block_worker(worker, reason="Why.", blocked_by=None)] * 2)

    assert sorted(type(one).__name__ for one in told) == ["AlreadyBlocked", "Block"]


def test_a_block_waits_for_a_claim_of_the_same_worker(committed_db: str, app_connection: object) -> None:
    worker = build.a_worker()

    waits_for(
        app_connection,  # type: ignore[arg-type]  # the fixture's own type
        "SELECT pg_advisory_xact_lock(%s)",
        [worker.pk],
        lambda: blocking.block_worker(worker, reason="Why.", blocked_by=None),
    )


@pytest.mark.django_db
def test_the_database_keeps_a_block_as_it_was_made() -> None:
    block = blocking.block_worker(build.a_worker(), reason="Why.", days=2, blocked_by=None, at=NOW)

    with violates("a_block_is_only_lifted"):
        Block.objects.update(ends_at=None)
    with violates("a_block_is_only_lifted"):
        Block.objects.update(organisation=build.an_organisation())
    with violates("a_block_is_only_lifted"):
        Block.objects.update(worker=build.a_worker())
    with violates("blocks_are_kept"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_block")
    blocking.lift_block(block, reason="A mistake.", at=NOW)
    with violates("a_block_is_only_lifted"):
        Block.objects.update(lifted_at=None)
    with violates("a_block_is_only_lifted"):
        Block.objects.update(reason="Another.")
    with violates("a_block_is_only_lifted"):
        Block.objects.update(lifted_reason="Another.")
    with violates("a_block_is_only_lifted"):
        Block.objects.update(reason="erased")
    with violates("a_block_has_a_reason"):
        Block.objects.create(person_id=1, worker=block.worker, reason="", starts_at=NOW)
    with violates("a_block_ends_after_it_starts"):
        Block.objects.create(person_id=1, worker=block.worker, reason="Why.", starts_at=NOW, ends_at=NOW)

"""What accounts share, and how it is weighed."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import matching
from accounts.models import LinkCase, Signal
from tests import build

pytestmark = pytest.mark.django_db

DEVICE, ADDRESS, DOCUMENT = "device", "address", "document"


def test_a_signal_is_noted_once() -> None:
    worker = build.a_worker()

    assert matching.note_signals(worker.pk, [(DEVICE, "d"), (ADDRESS, "a")]) == 2
    assert matching.note_signals(worker.pk, [(DEVICE, "d"), (DEVICE, "e")]) == 1
    row = Signal.objects.filter(worker=worker).first()
    assert row is not None
    with pytest.raises(IntegrityError, match="a_signal_is_noted_once"), transaction.atomic():
        Signal.objects.create(worker=worker, kind=row.kind, digest=row.digest)
    with pytest.raises(IntegrityError, match="signal_kind_is_known"), transaction.atomic():
        Signal.objects.create(worker=worker, kind="smell", digest=b"x" * 32)


def test_what_is_kept_of_a_signal_does_not_show_it() -> None:
    worker = build.a_worker()
    matching.note_signals(worker.pk, [(ADDRESS, "192.0.2.0/24")])

    digest = bytes(Signal.objects.get(worker=worker).digest)

    assert len(digest) == 32
    assert b"192" not in digest


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
    ],
)
def test_neighbours_share_a_block(address: str, block: str) -> None:
    assert matching.address_block(address) == block


def test_an_address_alone_says_nothing() -> None:
    one, two = build.a_worker(), build.a_worker()
    for worker in (one, two):
        matching.note_signals(worker.pk, [(ADDRESS, "here")])

    assert matching.compare_signals() == (2, [])
    assert not LinkCase.objects.exists()


def test_a_device_alone_is_a_question_and_more_is_an_answer() -> None:
    one, two = build.a_worker(), build.a_worker()
    for worker in (one, two):
        matching.note_signals(worker.pk, [(DEVICE, "laptop")])
    assert matching.compare_signals()[1] == []
    assert LinkCase.objects.get().state == "open"

    for worker in (one, two):
        matching.note_signals(worker.pk, [(ADDRESS, "here")])
    [case] = matching.compare_signals()[1]

    assert (case.first_id, case.second_id) == (one.pk, two.pk)
    assert case.score == pytest.approx(1 - 0.35 * 0.75)


def test_a_document_links_alone() -> None:
    one, two = build.a_worker(), build.a_worker()
    for worker in (one, two):
        matching.note_signals(worker.pk, [(DOCUMENT, "licence 7")])

    [case] = matching.compare_signals()[1]

    assert case.kinds == {"document": 1}


def test_what_everybody_shares_says_nothing() -> None:
    for _ in range(matching.SHARED_BY_MAX + 1):
        matching.note_signals(build.a_worker().pk, [(DEVICE, "library"), (ADDRESS, "library")])

    assert matching.compare_signals()[1] == []
    assert not LinkCase.objects.exists()


def test_what_everybody_shares_does_not_add_to_what_two_share() -> None:
    crowd = [build.a_worker() for _ in range(matching.SHARED_BY_MAX + 1)]
    for worker in crowd:
        matching.note_signals(worker.pk, [(ADDRESS, "campus")])
    for worker in crowd[:2]:
        matching.note_signals(worker.pk, [(DEVICE, "laptop")])

    assert matching.compare_signals()[1] == []
    assert LinkCase.objects.get().kinds == {"device": 1}


def test_a_crowd_is_never_compared_pair_by_pair() -> None:
    for _ in range(matching.SHARED_BY_MAX + 1):
        matching.note_signals(build.a_worker().pk, [(DEVICE, "library")])

    with connection.cursor() as cursor:
        noted = list(Signal.objects.values_list("pk", flat=True))
        cursor.execute(matching.PARTNERS, [noted, matching.SHARED_BY_MAX + 1, matching.SHARED_BY_MAX])

        assert cursor.fetchall() == []


def test_signals_are_compared_once_and_in_batches() -> None:
    one, two = build.a_worker(), build.a_worker()
    matching.note_signals(one.pk, [(DEVICE, "a"), (DEVICE, "b")])
    matching.note_signals(two.pk, [(DEVICE, "c")])

    assert [matching.compare_signals(limit=2)[0] for _ in range(3)] == [2, 1, 0]


def test_a_pair_is_named_in_order_once_in_a_known_state() -> None:
    one, two = build.a_worker(), build.a_worker()
    LinkCase.objects.create(first=one, second=two, score=0.7)

    for name, row in {
        "a_pair_is_named_in_order": LinkCase(first=two, second=one, score=0.7),
        "one_case_a_pair": LinkCase(first=one, second=two, score=0.7),
        "link_state_is_known": LinkCase(first=one, second=build.a_worker(), score=0.7, state="perhaps"),
    }.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            row.save()

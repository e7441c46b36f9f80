from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tasks.routing.scoring import BucketFacts, WorkerStanding, order, score

CHEST, LAW = 3, 4
PLAIN = BucketFacts(bucket_id=1, domain_id=CHEST, difficulty=2, priority=5, waiting_for="crowd", specialist=False)
NOVICE, RADIOLOGIST = WorkerStanding(), WorkerStanding({CHEST: 3})

buckets = st.builds(
    BucketFacts,
    bucket_id=st.integers(1, 10**9),
    domain_id=st.integers(1, 5),
    difficulty=st.integers(1, 5),
    priority=st.integers(0, 9),
    waiting_for=st.sampled_from(["crowd", "expert", "review"]),
    specialist=st.booleans(),
    opened_seq=st.integers(0, 10**6),
)
standings = st.builds(WorkerStanding, st.dictionaries(st.integers(1, 5), st.integers(1, 9)))


def test_the_score_by_hand() -> None:
    assert score(PLAIN, NOVICE) == 5000
    assert score(PLAIN, RADIOLOGIST) == 5030
    assert score(replace(PLAIN, waiting_for="expert", specialist=True), RADIOLOGIST) == 5131
    assert score(replace(PLAIN, domain_id=LAW, priority=0, waiting_for="review"), RADIOLOGIST) == 0


def test_the_qualified_serve_specialist_work_before_common_work() -> None:
    common = replace(PLAIN, bucket_id=1, domain_id=LAW)
    special = replace(PLAIN, bucket_id=2, specialist=True)

    assert order([common, special], RADIOLOGIST) == [2, 1]


def test_an_awaited_expert_comes_before_any_level() -> None:
    awaited = replace(PLAIN, bucket_id=2, domain_id=LAW, waiting_for="expert")

    assert order([PLAIN, awaited], WorkerStanding({CHEST: 9})) == [2, 1]


def test_equal_scores_go_by_ascending_id() -> None:
    assert order([replace(PLAIN, bucket_id=n) for n in (30, 7, 12)], NOVICE) == [7, 12, 30]


@given(buckets, buckets, standings)
def test_a_higher_priority_always_comes_first(one: BucketFacts, two: BucketFacts, standing: WorkerStanding) -> None:
    if one.priority > two.priority:
        assert score(one, standing) > score(two, standing)


@given(st.data(), standings)
def test_the_order_does_not_depend_on_how_the_buckets_came(data: st.DataObject, standing: WorkerStanding) -> None:
    facts = data.draw(st.lists(buckets, max_size=12, unique_by=lambda bucket: bucket.bucket_id))
    shuffled = data.draw(st.permutations(facts))

    ranked = order(facts, standing)

    assert order(shuffled, standing) == ranked
    assert sorted(ranked) == sorted(bucket.bucket_id for bucket in facts)

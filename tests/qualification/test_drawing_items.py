"""Items are drawn at random, unseen ones first, in the proportions of their difficulties, and repeatably."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qualification.examining import Candidate, draw_items


@given(
    difficulties=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    data=st.data(),
    seed=st.integers(0, 2**32),
)
def test_a_draw_is_of_different_items_unseen_first_and_can_be_repeated(
    difficulties: list[int], data: st.DataObject, seed: int
) -> None:
    candidates = [Candidate(place, difficulty) for place, difficulty in enumerate(difficulties)]
    count = data.draw(st.integers(1, len(candidates)))
    seen = data.draw(st.sets(st.integers(0, len(candidates) - 1)))

    drawn = draw_items(candidates, seen, count, np.random.default_rng(seed))

    assert len(drawn) == len(set(drawn)) == count
    unseen = len(candidates) - len(seen)
    assert len(set(drawn) - seen) == min(count, unseen)
    assert drawn == draw_items(candidates[::-1], seen, count, np.random.default_rng(seed))


@given(sizes=st.lists(st.integers(0, 30), min_size=5, max_size=5).filter(any), data=st.data(), seed=st.integers(0, 99))
def test_difficulties_come_in_their_proportions(sizes: list[int], data: st.DataObject, seed: int) -> None:
    candidates = [
        Candidate(100 * difficulty + place, difficulty)
        for difficulty, size in enumerate(sizes, 1)
        for place in range(size)
    ]
    count = data.draw(st.integers(1, len(candidates)))

    drawn = Counter(item_id // 100 for item_id in draw_items(candidates, (), count, np.random.default_rng(seed)))

    for difficulty, size in enumerate(sizes, 1):
        assert abs(drawn[difficulty] - count * size / len(candidates)) < 2


def test_each_item_is_as_likely_as_its_neighbours() -> None:
    candidates = [Candidate(place, 1 + place % 2) for place in range(20)]
    rng = np.random.default_rng(0)

    counts = Counter(item for _ in range(4000) for item in draw_items(candidates, (), 5, rng))

    assert set(counts) == set(range(20))
    assert max(abs(count - 1000) for count in counts.values()) < 5 * np.sqrt(1000)

"""The figures behind sparklines and bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.web.drawing import HEIGHT, WIDTH, Segment, bar, spark


def test_a_sparkline_runs_from_left_to_right_and_its_peak_touches_the_top() -> None:
    drawn = spark([0, 5, 10])

    assert drawn.line == f"0.0,{HEIGHT}.0 {WIDTH / 2:.1f},21.0 {WIDTH:.1f},2.0"
    assert (drawn.peak, drawn.last) == (10, 10)


@pytest.mark.parametrize("values", [[], [0], [0, 0], [7]])
def test_a_quiet_line_is_drawn_too(values: list[int]) -> None:
    assert spark(values).line


def test_a_bar_is_cut_in_proportion_and_leaves_out_what_is_nothing() -> None:
    assert bar([("resolved", 1), ("contested", 0), ("open", 3)]) == [
        Segment("resolved", 0, 25),
        Segment("open", 25, 75),
    ]


@given(st.lists(st.integers(0, 10**7), max_size=6), st.integers(1, 10**7))
def test_a_bar_never_leaves_its_box(counts: list[int], whole: int) -> None:
    for segments in (bar([("x", count) for count in counts]), bar([("x", count) for count in counts], whole)):
        assert all(segment.width > 0 for segment in segments)
        assert sum(segment.width for segment in segments) <= 100.1

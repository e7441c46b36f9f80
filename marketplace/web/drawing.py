"""Small drawings, made on the server: a sparkline and stacked bars, as figures that a template puts into SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 300
HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Spark:
    """A line over ``values`` in a box of `WIDTH` by `HEIGHT`: the points of the line, and of the area under it."""

    line: str
    area: str
    peak: int
    last: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a bar that is 100 wide."""

    name: str
    start: float
    width: float


def spark(values: Sequence[int]) -> Spark:
    """A sparkline through ``values``, oldest first; the tallest touches the top."""
    shown = list(values) or [0]
    peak = max(shown)
    step = WIDTH / max(1, len(shown) - 1)
    points = [f"{i * step:.1f},{HEIGHT - value / max(1, peak) * (HEIGHT - 2):.1f}" for i, value in enumerate(shown)]
    line = " ".join(points)
    return Spark(line, f"0,{HEIGHT} {line} {(len(shown) - 1) * step:.1f},{HEIGHT}", peak, shown[-1])


def bar(shares: Sequence[tuple[str, int]], whole: int | None = None) -> list[Segment]:
    """A bar cut in proportion to ``shares``, of ``whole`` or else of their sum; empty pieces are left out."""
    total = max(1, sum(count for _, count in shares) if whole is None else whole)
    segments: list[Segment] = []
    start = 0.0
    for name, count in shares:
        width = max(0.0, min(100 * count / total, 100 - start))
        if round(width, 2) > 0:
            segments.append(Segment(name, round(start, 2), round(width, 2)))
        start += width
    return segments

"""The arithmetic of the benchmarks: percentiles, ratios within a round, their spread, and the goals. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio of one metric between two paths. `at_least` False: the ratio must not exceed the bound."""

    path: str
    against: str
    metric: str
    bound: float
    at_least: bool

    def met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank: always a value that occurred)."""
    if not values:
        raise ValueError("values is empty: a percentile needs at least one")
    if not 0 < percent <= 100:
        raise ValueError(f"percent={percent!r} is not allowed: above 0, at most 100")
    return sorted(values)[math.ceil(percent / 100 * len(values)) - 1]


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(path: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Round by round, so that what slows the machine in one round is in both numbers of its ratio."""
    return [mine / theirs for mine, theirs in zip(path, reference, strict=True)]


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """The items in the order of round `turn`: over `len(items)` rounds each one is once at every place."""
    cut = turn % len(items) if items else 0
    return [*items[cut:], *items[:cut]]

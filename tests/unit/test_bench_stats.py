"""The arithmetic of the benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import pipelined
from benchmarks.stats import Goal, Spread, percentile, ratios, rotated, spread

FIGURES = st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=1)


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, p) for p in (1, 50, 99, 99.5, 100)] == [1, 50, 99, 100, 100]


def test_the_percentiles_of_a_single_value_are_that_value() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0


@given(FIGURES, st.floats(min_value=0.1, max_value=100))
def test_a_percentile_occurred_and_enough_values_do_not_exceed_it(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values)


def test_a_percentile_of_nothing_is_an_error_that_names_the_field() -> None:
    with pytest.raises(ValueError, match="values is empty"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [0, -1, 100.1])
def test_a_percentile_outside_its_range_is_an_error_that_names_the_value(percent: float) -> None:
    with pytest.raises(ValueError, match=f"percent={percent}"):
        percentile([1.0], percent)


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2.0, 30.0], [1.0, 10.0]) == [2.0, 3.0]


def test_ratios_of_different_numbers_of_rounds_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


@given(FIGURES, st.floats(min_value=0.1, max_value=10))
def test_a_slow_round_leaves_the_ratios_as_they_are(figures: list[float], slower: float) -> None:
    slowed = ratios([2 * slower * figure for figure in figures], [slower * figure for figure in figures])
    assert slowed == pytest.approx([2.0] * len(figures))


def test_a_spread_is_median_lowest_and_highest() -> None:
    assert spread([3.0, 1.0, 100.0]) == Spread(median=3.0, low=1.0, high=100.0)
    assert spread([1.0, 2.0]).median == 1.5


@given(st.lists(st.integers(), min_size=1, max_size=6, unique=True))
def test_over_as_many_rounds_as_paths_each_path_is_once_at_every_place(paths: list[int]) -> None:
    rounds = [rotated(paths, turn) for turn in range(len(paths))]
    assert all(sorted(places) == sorted(paths) for places in zip(*rounds, strict=True))
    assert rotated(paths, len(paths)) == paths


def test_no_paths_rotate_to_no_paths() -> None:
    assert rotated([], 3) == []


def test_a_goal_is_met_at_its_bound_and_missed_beyond_it() -> None:
    at_most = Goal("a", "b", "p50", 1.5, at_least=False)
    at_least = Goal("a", "b", "window100", 0.6, at_least=True)
    assert [at_most.met(ratio) for ratio in (1.0, 1.5, 1.51)] == [True, True, False]
    assert [at_least.met(ratio) for ratio in (0.59, 0.6, 1.0)] == [False, True, True]


def test_pipelining_keeps_to_its_window_and_waits_for_every_answer() -> None:
    unanswered: set[int] = set()
    most = submitted = 0

    def submit() -> int:
        nonlocal most, submitted
        submitted += 1
        unanswered.add(submitted)
        most = max(most, len(unanswered))
        return submitted

    rate = pipelined(submit, unanswered.remove, seconds=0.01, window=7)
    assert most == 7 and submitted >= 7
    assert not unanswered
    assert rate > 0

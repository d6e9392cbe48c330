"""The options of a grid become points: every one of them, or some drawn at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas.backtest.parameters import Parameter
from mas.backtest.points import Spread, Values, assignment, axes, drawn, every, settings
from mas_router.errors import CallerError, InvalidField

KNOWN = {
    one.name: one
    for one in (
        Parameter("fast", (int,), 10),
        Parameter("stop", (float,), 1.5),
        Parameter("side", (str,), "buy"),
        Parameter("on", (bool,), True),
        Parameter("cap", (type(None), int), None),
        Parameter("odd", (), []),
    )
}


def values(*ranges: str) -> list[object]:
    """The values that one --range stands for."""
    (axis,) = axes([], ranges, KNOWN).values()
    assert isinstance(axis, Values)
    return list(axis.values)


@pytest.mark.parametrize("text", ["fast", "=5", "fast=", " = "])
def test_an_assignment_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="NAME=VALUE"):
        assignment("--set", text)


def test_values_are_read_as_the_type_of_their_parameter() -> None:
    given_ = ["fast=3", "stop=2", "side=sell", "on=False", "cap=none"]
    assert settings(given_, KNOWN) == {"fast": 3, "stop": 2.0, "side": "sell", "on": False, "cap": None}
    assert type(settings(["stop=2"], KNOWN)["stop"]) is float


@pytest.mark.parametrize("text", ["fast=2.5", "fast=x", "on=yes", "stop=nan", "stop=inf", "odd=1", f"fast={2**63}"])
def test_a_value_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match=text.partition("=")[0]):
        settings([text], KNOWN)


def test_a_typo_is_answered_with_what_there_is() -> None:
    with pytest.raises(CallerError, match=r"--grid fsat: .* did you mean fast\?; there are: fast=10, stop=1.5, side="):
        axes(["fsat=1,2"], [], KNOWN)


def test_nothing_is_set_or_varied_twice() -> None:
    with pytest.raises(CallerError, match="twice"):
        settings(["fast=1", "fast=2"], KNOWN)
    with pytest.raises(CallerError, match="varies already"):
        axes(["fast=1,2"], ["fast=1:5"], KNOWN)


def test_a_grid_is_every_combination_and_a_value_named_twice_counts_once() -> None:
    varying = axes(["fast=1,2,2", "side=buy,sell"], [], KNOWN)
    assert every(varying) == [
        {"fast": 1, "side": "buy"},
        {"fast": 1, "side": "sell"},
        {"fast": 2, "side": "buy"},
        {"fast": 2, "side": "sell"},
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fast=1:4", [1, 2, 3, 4]),
        ("fast=5:20:5", [5, 10, 15, 20]),
        ("fast=5:19:5", [5, 10, 15]),
        ("stop=0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),  # exact, as if typed
        ("stop=1:3:int", [1.0, 2.0, 3.0]),
        ("fast=-2:0", [-2, -1, 0]),
    ],
)
def test_a_range_with_steps_has_these_values(text: str, found: list[object]) -> None:
    assert values(text) == found
    assert [type(value) for value in values(text)] == [type(value) for value in found]


@pytest.mark.parametrize(
    "text",
    ["fast=5", "fast=5:", "fast=9:5", "fast=5:5", "fast=1:2:3:4", "fast=1:9:0", "fast=1:9:-1", "fast=1:9:0.5",
     "fast=a:b", "stop=0:1:log", "stop=-1:1:log", "side=1:2", "on=0:1", "fast=0:9999999", "stop=0:inf"],
)  # fmt: skip
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="--range"):
        axes([], [text], KNOWN)


def test_a_range_without_steps_has_no_end_of_values_and_must_be_drawn() -> None:
    varying = axes([], ["stop=0.5:2"], KNOWN)
    with pytest.raises(CallerError, match="--random"):
        every(varying)
    assert len(drawn(varying, 5, 1)) == 5


def test_a_grid_beyond_all_measure_is_refused_before_it_is_made() -> None:
    with pytest.raises(CallerError, match="1000000000000 points"):
        every({"fast": Values(tuple(range(10**6))), "stop": Values(tuple(map(float, range(10**6))))})


@given(count=st.integers(1, 30), seed=st.integers(0, 10**9))
def test_points_that_are_drawn_differ_lie_within_their_ranges_and_are_the_same_for_the_same_seed(
    count: int, seed: int
) -> None:
    varying = axes(["side=buy,sell"], ["fast=5:50", "stop=0.5:2", "cap=1:100000:log"], KNOWN)
    points = drawn(varying, count, seed)
    assert points == drawn(varying, count, seed)
    assert len({tuple(point.items()) for point in points}) == count
    for point in points:
        fast, stop, cap = point["fast"], point["stop"], point["cap"]
        assert type(fast) is int
        assert 5 <= fast <= 50
        assert type(stop) is float
        assert 0.5 <= stop <= 2
        assert type(cap) is int
        assert 1 <= cap <= 100_000
        assert point["side"] in ("buy", "sell")


def test_no_more_points_are_drawn_than_there_are() -> None:
    varying = axes([], ["fast=1:3"], KNOWN)
    assert drawn(varying, 10, 1) == [{"fast": 1}, {"fast": 2}, {"fast": 3}]
    assert len(drawn({"cap": Spread(1.0, 3.0, log=True, whole=True)}, 10, 1)) == 3


def test_a_logarithmic_range_gives_every_power_of_ten_its_share() -> None:
    points = drawn({"stop": Spread(0.001, 1000.0, log=True, whole=False)}, 3000, 7)
    below = sum(float(point["stop"]) < 1 for point in points)  # type: ignore[arg-type]
    assert 1350 < below < 1650

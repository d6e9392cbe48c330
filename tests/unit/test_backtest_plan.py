"""A run is known by its key: the same for the same run, another one for any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas.backtest import plan
from mas.backtest.plan import Job
from mas_router.codec import decode, encode
from mas_router.errors import CallerError

DAY: dict[str, Any] = {"symbol": "EURUSD", "timeframe": "M5", "from": "2024-01-01", "to": "2024-01-02", "seed": 1}
JOB = Job("a.b:C", "c0de", {"fast": 1, "slow": 2.5}, plan.subscription(DAY))


def test_the_key_of_a_run_never_changes_from_one_release_to_the_next() -> None:
    assert JOB.key == "e7c592130f547422"


def test_the_order_of_parameters_and_the_version_of_the_file_are_not_in_the_key() -> None:
    assert replace(JOB, point={"slow": 2.5, "fast": 1}).key == JOB.key
    assert replace(JOB, code="other").key == JOB.key


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, strategy="a.b:D"),
        replace(JOB, point={"fast": 2, "slow": 2.5}),
        replace(JOB, point={"fast": 1}),
        *(
            replace(JOB, subscription=plan.subscription({**DAY, **change}))
            for change in (
                {"symbol": "GBPUSD"},
                {"symbol": ["EURUSD", "GBPUSD"]},
                {"timeframe": ["M5", "H1"]},
                {"timeframe": "M15"},
                {"to": "2024-01-03"},
                {"seed": 2},
                {"capital": 5.0},
                {"leverage": 30},
                {"source": "synthetic"},
                {"margin_mode": "netting"},
            )
        ),
    ],
)
def test_another_run_has_another_key(other: Job) -> None:
    assert other.key != JOB.key


@given(point=st.dictionaries(st.text("abc", min_size=1), st.integers(-9, 9) | st.floats(-1, 1) | st.booleans()))
def test_a_run_comes_out_of_a_message_as_it_went_in(point: dict[str, Any]) -> None:
    job = replace(JOB, point=point)
    run = decode(encode(plan.command(job, "r-1", "c", 60.0)))
    assert plan.asked(run) == job  # type: ignore[arg-type]


def test_the_subscription_of_a_run_is_the_one_that_the_sdk_is_given() -> None:
    several = {**DAY, "symbol": ["EURUSD", "GBPUSD"], "timeframe": ["M5", "H1"]}
    for raw in (DAY, several, {name: value for name, value in several.items() if name != "timeframe"}):
        one = plan.subscription(raw)
        assert plan.subscription(plan.as_params(one)) == one


@pytest.mark.parametrize("wrong", [{"symbol": ""}, {"timeframe": "M7"}, {"to": "2023-01-01"}, {"from": "yesterday"}])
def test_a_subscription_that_the_sdk_refuses_is_refused_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        plan.subscription({**DAY, **wrong})

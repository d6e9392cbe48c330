from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router.errors import InvalidField
from sim_worker.bars import TIMEFRAMES, period_ends, period_starts, resample, trading_minutes
from sim_worker.quotes import MINUTE, Bars, Quotes


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@st.composite
def ticks(draw: st.DrawFn) -> Quotes:
    """Ticks with pauses between nothing and some weeks, so that periods are empty, full, and cross months."""
    steps = draw(st.lists(st.sampled_from([0, 1, 10**9, MINUTE, 7 * MINUTE, 3600 * 10**9, 9 * 86400 * 10**9])))
    points = draw(st.lists(st.integers(1, 10**6), min_size=len(steps), max_size=len(steps)))
    time = ns("2024-02-25 21:59:00") + np.cumsum(np.array(steps, dtype=np.int64))
    bid = np.array(points, dtype=np.int64) / 100_000
    return Quotes(time=time, bid=bid, ask=bid + 0.0001)


def assert_same(one: Bars, other: Bars) -> None:
    assert one.timeframe == other.timeframe
    for name, column in one.columns().items():
        assert column.tolist() == other.columns()[name].tolist(), name


@settings(deadline=None)
@given(ticks(), st.sampled_from(sorted(TIMEFRAMES)))
def test_bars_of_ticks_agree_with_a_plain_loop_over_the_ticks(quotes: Quotes, timeframe: str) -> None:
    groups: dict[int, list[int]] = {}
    for index, start in enumerate(period_starts(quotes.time, timeframe).tolist()):
        groups.setdefault(start, []).append(index)
    bid, ask = quotes.bid.tolist(), quotes.ask.tolist()
    found = resample(quotes, timeframe)
    assert found.time.tolist() == list(groups)
    assert found.open.tolist() == [bid[g[0]] for g in groups.values()]
    assert found.high.tolist() == [max(bid[i] for i in g) for g in groups.values()]
    assert found.low.tolist() == [min(bid[i] for i in g) for g in groups.values()]
    assert found.close.tolist() == [bid[g[-1]] for g in groups.values()]
    assert found.ask_open.tolist() == [ask[g[0]] for g in groups.values()]
    assert found.ask_high.tolist() == [max(ask[i] for i in g) for g in groups.values()]
    assert found.ask_low.tolist() == [min(ask[i] for i in g) for g in groups.values()]
    assert found.ask_close.tolist() == [ask[g[-1]] for g in groups.values()]
    assert found.volume.tolist() == [len(g) for g in groups.values()]


@settings(deadline=None)
@given(ticks(), st.sampled_from([("M5", "H1"), ("M2", "H12"), ("H4", "D1"), ("D1", "W1"), ("D1", "MN1"), ("M1", "M1")]))
def test_a_timeframe_made_over_a_shorter_one_is_the_same_as_made_directly(
    quotes: Quotes, path: tuple[str, str]
) -> None:
    shorter, longer = path
    m1 = resample(quotes, "M1")
    assert_same(resample(resample(m1, shorter), longer), resample(m1, longer))
    assert_same(resample(m1, longer), resample(quotes, longer))


@settings(deadline=None)
@given(ticks(), st.sampled_from(["M1", "M15", "H4", "MN1"]))
def test_bars_and_their_four_quotes_a_minute_give_the_same_longer_bars(quotes: Quotes, timeframe: str) -> None:
    m1 = resample(quotes, "M1")
    again, direct = resample(m1.quotes(), timeframe), resample(m1, timeframe)
    for name in ("time", "open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close"):
        assert getattr(again, name).tolist() == getattr(direct, name).tolist()


@pytest.mark.parametrize(
    ("timeframe", "start"),
    [
        ("M1", "2024-03-06 13:47:00"),
        ("M12", "2024-03-06 13:36:00"),
        ("H8", "2024-03-06 08:00:00"),
        ("D1", "2024-03-06 00:00:00"),
        ("W1", "2024-03-03 00:00:00"),  # a Sunday
        ("MN1", "2024-03-01 00:00:00"),
    ],
)
def test_periods_start_where_mt5_starts_them(timeframe: str, start: str) -> None:
    moment = np.array([ns("2024-03-06 13:47:12") + 5])
    assert period_starts(moment, timeframe).tolist() == [ns(start)]


def test_a_sunday_begins_a_week_and_the_saturday_before_it_ends_one() -> None:
    moments = np.array([ns("2024-03-02 23:59:59"), ns("2024-03-03 00:00:00")])
    assert period_starts(moments, "W1").tolist() == [ns("2024-02-25 00:00:00"), ns("2024-03-03 00:00:00")]


def test_there_are_the_21_timeframes_of_mt5() -> None:
    names = "M1 M2 M3 M4 M5 M6 M10 M12 M15 M20 M30 H1 H2 H3 H4 H6 H8 H12 D1 W1 MN1"
    assert list(TIMEFRAMES) == names.split()


@pytest.mark.parametrize("wrong", ["M7", "m1", "", "H24"])
def test_another_timeframe_is_refused_with_the_list_of_all(wrong: str) -> None:
    with pytest.raises(InvalidField, match="one of M1, M2, M3"):
        period_starts(np.array([0]), wrong)


@pytest.mark.parametrize(("shorter", "longer"), [("W1", "MN1"), ("M2", "M5"), ("H1", "M30"), ("MN1", "D1")])
def test_bars_are_not_made_of_bars_that_do_not_fit_into_them(shorter: str, longer: str) -> None:
    quotes = Quotes(time=np.array([0]), bid=np.array([1.0]), ask=np.array([1.0]))
    with pytest.raises(InvalidField, match=f"a timeframe made of whole {shorter} bars"):
        resample(resample(quotes, shorter), longer)


def test_trading_minutes_stand_still_over_the_weekend() -> None:
    moments = ["2024-03-01 21:59:00", "2024-03-01 22:00:00", "2024-03-03 21:00:00", "2024-03-03 22:00:00"]
    later = [*moments, "2024-03-03 22:01:00", "2024-03-08 22:00:00"]
    minutes = trading_minutes(np.array([ns(m) for m in later]))
    assert (minutes - minutes[0]).tolist() == [0, 1, 1, 1, 2, 7201]


@settings(deadline=None)
@given(ticks(), st.sampled_from(sorted(TIMEFRAMES)))
def test_a_period_ends_where_the_next_one_starts(quotes: Quotes, timeframe: str) -> None:
    starts = period_starts(quotes.time, timeframe)
    ends = period_ends(starts, timeframe)
    assert np.all(ends > quotes.time)
    assert period_starts(ends, timeframe).tolist() == ends.tolist()
    assert period_starts(ends - 1, timeframe).tolist() == starts.tolist()

"""The newest bars of a market: never more than has happened, whole, and the same in one look as in several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router.columns import RateColumns, unpack_rates
from sim_worker.bars import DAY, TIMEFRAMES, resample
from sim_worker.history import PAST_DAYS, columns, newest, wall_bars
from sim_worker.quotes import SECOND, Bars, Quotes
from sim_worker.symbols import SYMBOLS
from sim_worker.synthetic import SyntheticFeed, synthetic_bars, synthetic_quotes

EURUSD = SYMBOLS["EURUSD"]
#: Thursday, 2024-02-01 00:00 UTC.
START = 1_706_745_600 * SECOND
M1 = synthetic_bars(3, EURUSD, START, START + 40 * DAY)
TICKS = synthetic_quotes(3, EURUSD, START, START + 3 * DAY)
SOURCES = {"M1": M1, "ticks": TICKS}


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(column, other.columns()[name]) for name, column in one.columns().items())


@given(
    source=st.sampled_from(sorted(SOURCES)),
    timeframe=st.sampled_from(sorted(TIMEFRAMES)),
    rows=st.integers(0, 50_000),
    skip=st.integers(0, 50),
    count=st.integers(1, 2_000),
)
def test_they_are_the_end_of_all_bars_so_far(source: str, timeframe: str, rows: int, skip: int, count: int) -> None:
    so_far: Bars | Quotes = SOURCES[source][:rows]
    everything = resample(so_far, timeframe)
    stop = max(0, len(everything) - skip)
    assert same(newest(so_far, timeframe, skip, count), everything[max(0, stop - count) : stop])


@given(timeframe=st.sampled_from(["M1", "H1", "D1"]), pages=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_pages_into_the_past_are_one_look(timeframe: str, pages: list[int]) -> None:
    whole = newest(M1, timeframe, 0, sum(pages))
    parts, before = [], 0
    for page in pages:
        part = newest(M1, timeframe, 0, page, before)
        parts.append(part)
        before = int(part.time[0]) if len(part) else 1
    assert same(Bars.concat(parts[::-1]), whole)


def test_columns_carry_the_bars_and_the_spread_in_points() -> None:
    bars = resample(M1[:120], "H1")
    found = unpack_rates(columns(bars, EURUSD.point), 2)
    assert isinstance(found, RateColumns)
    assert (found.time, found.close, found.volume) == (bars.time.tolist(), bars.close.tolist(), bars.volume.tolist())
    assert found.spread == [round((ask - bid) * 1e5) for ask, bid in zip(bars.ask_close, bars.close, strict=True)]


@pytest.mark.parametrize("tick", [0, 1, 239, 240, 100_000])
def test_a_market_that_follows_the_clock_has_its_own_ticks_and_before_them_a_past(tick: int) -> None:
    feed = SyntheticFeed(1, EURUSD, START + 17 * SECOND, SECOND // 4)
    bars = wall_bars(feed, 1, EURUSD, 500, tick).checked()
    quotes = feed.quotes(max(0, tick - 100), min(tick, 100) + 1)
    assert bars.close[-1] == quotes.bid[-1], "no further than the tick"
    assert len(bars) > 500
    assert abs(np.diff(np.log(bars.close))).max() < 0.005


def test_the_past_of_a_market_has_an_end() -> None:
    feed = SyntheticFeed(1, EURUSD, START, SECOND // 4)
    assert len(wall_bars(feed, 1, EURUSD, 10**7, 10)) < PAST_DAYS * 1440

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router.errors import InvalidField
from sim_worker.bars import DAY, resample
from sim_worker.quotes import MINUTE, SECOND, Bars, Quotes
from sim_worker.synthetic import CHUNK, SyntheticFeed, synthetic_bars, synthetic_quotes


@dataclass(frozen=True)
class Spec:
    name: str = "EURUSD"
    digits: int = 5
    reference_price: float = 1.1
    spread_points: int = 10
    daily_volatility: float = 0.006
    tick_size: float = 0.00001


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def feed(seed: int = 1, spec: Spec | None = None, interval: int = SECOND) -> SyntheticFeed:
    return SyntheticFeed(seed, spec or Spec(), 0, interval)


def columns(table: Quotes | Bars) -> list[list[float]]:
    return [column.tolist() for column in table.columns().values()]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4 * CHUNK), st.integers(0, 2 * CHUNK))
def test_ticks_taken_from_anywhere_are_those_of_the_whole_row(first: int, count: int) -> None:
    whole = feed().quotes(0, 6 * CHUNK)
    assert columns(feed().quotes(first, count)) == columns(whole[first : first + count])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**13), st.integers(1, CHUNK), st.data())
def test_a_stretch_far_away_is_its_parts_in_any_order(first: int, count: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, count))
    whole = feed().quotes(first, count)
    other = feed()
    late = other.quotes(first + cut, count - cut)
    assert columns(Quotes.concat([other.quotes(first, cut), late])) == columns(whole)


def test_the_ticks_of_a_seed_are_what_they_have_always_been() -> None:
    first, later = feed().quotes(0, 4), feed().quotes(10**12, 4)
    assert first.bid.tolist() == [1.10525, 1.1052, 1.10521, 1.10516]
    assert first.ask.tolist() == [1.10537, 1.10535, 1.10534, 1.10531]
    assert later.bid.tolist() == [1.10245, 1.10245, 1.10247, 1.10247]
    assert later.ask.tolist() == [1.10254, 1.10256, 1.10255, 1.1026]


def test_seed_and_symbol_give_other_prices_and_the_start_does_not() -> None:
    here = feed().quotes(0, 100).bid.tolist()
    assert feed(seed=2).quotes(0, 100).bid.tolist() != here
    assert feed(spec=Spec(name="GBPUSD")).quotes(0, 100).bid.tolist() != here
    assert SyntheticFeed(1, Spec(), ns("2024-01-01"), SECOND).quotes(0, 100).bid.tolist() == here


@pytest.mark.parametrize(
    "spec", [Spec(), Spec("USDJPY", 3, 150.0, 1, tick_size=0.001), Spec("BTCUSD", 2, 60_000.0, 1500, 0.04, 0.01)]
)
def test_prices_are_whole_points_with_a_spread_of_at_least_one(spec: Spec) -> None:
    found = feed(spec=spec).quotes(12345, 20_000).checked()
    bid, ask = found.bid.tolist()[:2000], found.ask.tolist()[:2000]
    assert bid == [round(price, spec.digits) for price in bid]
    assert ask == [round(price, spec.digits) for price in ask]
    spreads = np.rint((found.ask - found.bid) * 10**spec.digits)
    assert spreads.min() >= max(1, 0.75 * spec.spread_points)
    assert len(np.unique(spreads)) > 1
    assert spreads.max() <= 1.5 * spec.spread_points + 1
    assert found.synthetic


def test_prices_of_a_future_are_whole_ticks_with_a_spread_of_at_least_one() -> None:
    found = feed(spec=Spec("ES", 2, 5_050.0, 25, 0.01, 0.25)).quotes(0, 5_000).checked()
    assert (found.bid % 0.25 == 0).all()
    assert (found.ask % 0.25 == 0).all()
    assert (found.ask - found.bid).min() >= 0.25


def test_the_price_moves_as_much_as_the_symbol_says_and_returns_to_the_reference() -> None:
    bars = synthetic_bars(1, Spec(), ns("2020-01-06 00:00:00"), ns("2022-01-06 00:00:00"))
    minutes = np.diff(np.log(bars.close))
    assert 0.005 < minutes.std() * np.sqrt(1440) < 0.007
    assert abs(np.corrcoef(minutes[1:], minutes[:-1])[0, 1]) < 0.02
    assert 1.0 < bars.low.min() < 1.1 < bars.high.max() < 1.21
    assert abs(bars.close.mean() / 1.1 - 1) < 0.03


def test_a_wild_symbol_never_reaches_zero() -> None:
    wild = Spec("WILD", 2, 5.0, 1, 5.0)
    assert feed(spec=wild, interval=DAY // 24).quotes(0, 200_000).bid.min() >= 0.01


def test_chunks_and_knots_join_without_a_jump() -> None:
    bid = feed().quotes(0, 20 * CHUNK).bid
    steps = np.abs(np.diff(bid))
    assert steps[CHUNK - 1 :: CHUNK].max() <= 2 * np.quantile(steps, 0.999)
    assert steps[255::256].mean() < 1.2 * steps.mean()


def test_index_at_is_the_last_tick_that_has_happened() -> None:
    market = SyntheticFeed(1, Spec(), 1000, 250)
    assert [market.index_at(t) for t in (0, 999, 1000, 1249, 1250)] == [-1, -1, 0, 0, 1]
    assert market.quotes(3, 2).time.tolist() == [1750, 2000]


def test_a_wrong_interval_tick_number_or_start_is_named() -> None:
    with pytest.raises(InvalidField, match="interval_ns=0"):
        feed(interval=0)
    with pytest.raises(InvalidField, match="first=-1"):
        feed().quotes(-1, 1)
    with pytest.raises(InvalidField, match="since=0"):
        synthetic_bars(1, Spec(), 0, DAY)


def test_the_market_of_a_replay_is_open_from_sunday_evening_to_friday_evening() -> None:
    bars = synthetic_bars(1, Spec(), ns("2024-03-01 21:58:00"), ns("2024-03-03 22:02:00")).checked()
    friday, sunday = ns("2024-03-01 21:58:00"), ns("2024-03-03 22:00:00")
    assert bars.time.tolist() == [friday, friday + MINUTE, sunday, sunday + MINUTE]
    assert bars.synthetic


def test_every_minute_that_is_open_has_a_bar() -> None:
    bars = synthetic_bars(3, Spec(), ns("2024-03-03 00:00:00"), ns("2024-03-17 00:00:00"))
    assert len(bars) == 2 * 7200
    assert bars.volume.min() >= 1 and bars.volume.max() <= 12 and len(np.unique(bars.volume)) > 5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20_000), st.integers(0, 12_000), st.integers(0, 12_000))
def test_the_bars_of_a_range_are_part_of_those_of_a_longer_one(skip: int, one: int, two: int) -> None:
    start = ns("2024-02-01 00:00:00") + skip * MINUTE
    cut, end = start + one * MINUTE, start + (one + two) * MINUTE
    parts = [synthetic_bars(1, Spec(), start, cut), synthetic_bars(1, Spec(), cut, end)]
    assert columns(Bars.concat(parts)) == columns(synthetic_bars(1, Spec(), start, end))


def test_bars_are_those_of_the_ticks_of_the_same_range() -> None:
    since, until = ns("2024-02-29 10:00:00"), ns("2024-03-05 10:00:00")
    ticks = synthetic_quotes(1, Spec(), since, until).checked()
    assert columns(resample(ticks, "M1")) == columns(synthetic_bars(1, Spec(), since, until))


def test_a_range_without_an_open_minute_has_no_rows() -> None:
    saturday, sunday = ns("2024-03-02 00:00:00"), ns("2024-03-03 00:00:00")
    assert len(synthetic_bars(1, Spec(), saturday, sunday)) == 0
    assert len(synthetic_quotes(1, Spec(), saturday, sunday)) == 0
    assert synthetic_bars(1, Spec(), saturday, sunday).synthetic

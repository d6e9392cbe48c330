"""A replay's market: nothing before the horizon, the same end however it is cut, and the past let go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router import mt5
from mas_router.messages import TradeRequest
from sim_worker.bars import resample
from sim_worker.engine import Change, Engine
from sim_worker.history import newest
from sim_worker.quotes import MINUTE, SECOND, Bars, Quotes
from sim_worker.replay import FAR, ReplayMarket
from sim_worker.specs import AccountSpec
from sim_worker.symbols import find_symbol
from sim_worker.synthetic import synthetic_bars, synthetic_quotes
from sim_worker.tape import Stream, Tape

START = 1_704_067_200 * SECOND  # Monday, 2024-01-01
DAY = 1440 * MINUTE
PAIRS = ("EURUSD", "GBPUSD")


def engine() -> Engine:
    return Engine(AccountSpec(deposit=1_000_000.0))


def source(symbol: str, ticks: bool, days: int = 1) -> Quotes | Bars:
    spec = find_symbol(symbol)
    assert spec is not None
    return (synthetic_quotes if ticks else synthetic_bars)(3, spec, START, START + days * DAY)


def replay(
    *symbols: str, timeframes: tuple[str, ...] = ("M1",), ticks: bool = False, chunk: int = 100_000, days: int = 1
) -> ReplayMarket:
    whole = {symbol: source(symbol, ticks, days) for symbol in symbols or ("EURUSD",)}
    streams = [Stream(s, t) for s in whole for t in (("",) if ticks and timeframes == () else timeframes)]

    def tape() -> Tape:
        return Tape({s: (q[n : n + chunk] for n in range(0, len(q), chunk)) for s, q in whole.items()}, streams)

    return ReplayMarket(tape, lambda symbol, until: [resample(whole[symbol].between(0, until), "M1")])


def rest(made: Engine, symbol: str, price: float, kind: int) -> None:
    request = TradeRequest(action=5, symbol=symbol, volume=0.1, type=kind, price=price)
    assert made.trade(request, START).result.retcode == mt5.TRADE_RETCODE_DONE


def surround(made: Engine, symbol: str, *points: int) -> None:
    """Buy limits below and buy stops above the market."""
    quote = made.last_quote(symbol)
    assert quote is not None
    for distance in points:
        rest(made, symbol, round(quote[2] - distance * 1e-5, 5), 2)
        rest(made, symbol, round(quote[2] + distance * 1e-5, 5), 4)


def filled(changes: list[Change]) -> list[tuple[str, int]]:
    """Symbol and second of each deal."""
    return [(c.deal.symbol, (c.time - START) // SECOND) for c in changes if hasattr(c, "deal")]


def test_a_replay_without_anything_at_stake_has_no_horizon() -> None:
    market = replay()
    assert market.horizon(engine()) == FAR


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("symbols", [("EURUSD",), PAIRS])
def test_nothing_happens_before_the_horizon_and_something_may_at_it(symbols: tuple[str, ...], ticks: bool) -> None:
    made, market = engine(), replay(*symbols, ticks=ticks)
    market.advance(made, 0)
    for symbol in symbols:
        surround(made, symbol, 30)
    horizon = market.horizon(made)
    assert 0 < horizon < market.known_rows
    assert market.advance(made, horizon - 1) == []
    assert filled(market.advance(made, horizon))


def run_by(market: ReplayMarket, step: int, symbols: tuple[str, ...]) -> list[tuple[str, int]]:
    """As a client does it: at every `step`-th row, and wherever the horizon is."""
    made, found, row = engine(), list[tuple[str, int]](), 0
    market.advance(made, 0)
    for symbol in symbols:
        surround(made, symbol, 10, 50, 100)
    end = len(list(_all_rows(symbols)))
    while row < end - 1:
        row = min(row + step, max(market.horizon(made), row + 1), end - 1)
        market.rows(row, 10)
        found += filled(market.advance(made, row))
    return found


def _all_rows(symbols: tuple[str, ...]) -> range:
    return range(1440 * len(symbols))


@settings(deadline=None, max_examples=12)
@given(st.sampled_from([1, 97, 1439]), st.sampled_from([100, 1000, 100_000]), st.booleans())
def test_a_replay_comes_to_the_same_end_however_it_is_cut(step: int, chunk: int, both: bool) -> None:
    symbols = PAIRS if both else PAIRS[:1]
    expected = run_by(replay(*symbols), 7, symbols)
    assert run_by(replay(*symbols, chunk=chunk), step, symbols) == expected
    assert len(expected) >= 6


def test_an_order_that_ends_by_the_clock_ends_with_the_first_quote_of_any_symbol() -> None:
    made, market = engine(), replay(*PAIRS, ticks=True, timeframes=())
    market.advance(made, 0)
    request = TradeRequest(
        action=5, symbol="EURUSD", volume=0.1, type=2, price=0.5, type_time=2, expiration=START // SECOND + 600
    )
    assert made.trade(request, START).result.retcode == mt5.TRADE_RETCODE_DONE
    horizon = market.horizon(made)
    assert market.advance(made, horizon - 1) == []
    (ended,) = market.advance(made, horizon)
    assert ended.time >= START + 600 * SECOND


def test_what_lies_behind_the_strategy_is_let_go() -> None:
    made, market = engine(), replay(chunk=200)
    for start in range(0, 1000, 100):
        assert market.rows(start, 100) is not None
        assert market.forget(made, start) == []
        assert market.rows(start, 100) is not None, "asking again gives the same"
    assert len(market._blocks) <= 3
    assert market.rows(0, 100) is None


def test_rows_far_beyond_what_was_read_are_not_read() -> None:
    market = replay(chunk=100)
    assert market.rows(2**60, 100) is None
    assert market.known_rows < 300


def test_a_chunk_may_span_blocks_and_the_last_one_says_so() -> None:
    small, large = replay(*PAIRS, timeframes=("M1", "H1"), chunk=77), replay(*PAIRS, timeframes=("M1", "H1"))
    for start in range(0, 2928, 500):
        assert small.rows(start, 500) == large.rows(start, 500)
    last = large.rows(2500, 500)
    assert last is not None
    assert (last.count, last.end) == (428, True)


@pytest.mark.parametrize("ticks", [False, True])
def test_the_past_is_there_also_after_it_was_let_go(ticks: bool) -> None:
    made, market, whole = engine(), replay(chunk=150, ticks=ticks), source("EURUSD", ticks)
    for row in (0, 90, 400, 401, 1200, 1439):
        market.rows(row, 10)
        market.advance(made, row)
        expected = newest(whole.between(0, market.now(row) + 1), "M5", 1, 60)
        found = market.history("EURUSD", 400, row)
        assert found is not None
        bars = newest(found, "M5", 1, 60)
        assert bars.time.tolist() == expected.time.tolist()
        assert np.array_equal(bars.close, expected.close)
    assert market.history("GBPUSD", 10, 5) is None


def test_a_replay_has_its_symbols_and_the_time_of_its_rows() -> None:
    market = replay()
    assert market.watch("EURUSD")
    assert not market.watch("GBPUSD")
    assert [START + row * MINUTE <= market.now(row) < START + (row + 1) * MINUTE for row in (0, 5, 1438)] == [True] * 3

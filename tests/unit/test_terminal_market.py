"""Symbols, quotes, market depth, bars and ticks of a simulated terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker import terminal as mt5
from sim_worker.quotes import Quotes
from sim_worker.symbols import SYMBOLS
from sim_worker.synthetic import synthetic_quotes
from sim_worker.terminal.arrays import RATES, TICKS
from sim_worker.trade_server import ManualClock, TradeServer, installed
from tests.unit.terminal_kit import LOGIN, buy, connected

SOURCE = "MetaTrader5 package 5.0.6231"
#: Tuesday, 2024-01-09 10:00:00 UTC.
TUESDAY = 1_704_794_400


@pytest.fixture(scope="module")
def synthetic() -> Iterator[TradeServer]:
    """Made-up prices and a clock that stands still: the server's is two hours ahead."""
    server = TradeServer(clock=ManualClock(TUESDAY * 10**9))
    server.add_account(LOGIN, "x")
    with installed(server):
        assert mt5.initialize()
        yield server
        mt5.shutdown()


def rates(*args: object) -> np.ndarray:
    found = getattr(mt5, f"copy_rates_{args[0]}")(*args[1:])
    assert found is not None, mt5.last_error()
    return found


def test_symbols_are_listed_and_narrowed_by_masks_in_their_order(synthetic: TradeServer):
    every = mt5.symbols_get()
    assert every is not None and len(every) == mt5.symbols_total() == len(SYMBOLS)
    dollars = mt5.symbols_get(group="*USD*, !*JPY*, !XA*")
    assert dollars is not None
    assert {symbol.name for symbol in dollars} == {
        s.name for s in every if "USD" in s.name and "JPY" not in s.name and not s.name.startswith("XA")
    }
    assert mt5.symbols_get(group="nothing") == ()


def test_a_symbol_has_its_contract_its_quote_and_the_days_range(synthetic: TradeServer):
    info, tick = mt5.symbol_info("EURUSD"), mt5.symbol_info_tick("EURUSD")
    assert info is not None and tick is not None
    assert (info.trade_contract_size, info.digits, info.point, info.visible) == (100_000.0, 5, 1e-5, True)
    assert (info.bid, info.ask, info.time) == (tick.bid, tick.ask, tick.time)
    assert info.bidlow <= info.bid <= info.bidhigh and info.asklow <= info.ask <= info.askhigh


@pytest.mark.fidelity(
    rule="Times are of the server's wall clock, presented as if UTC", section="5", source="MQL5 docs, TimeTradeServer"
)
def test_times_are_those_of_the_servers_clock(synthetic: TradeServer):
    tick = mt5.symbol_info_tick("EURUSD")
    assert tick is not None and (tick.time, tick.time_msc) == (TUESDAY + 7200, (TUESDAY + 7200) * 1000)
    assert rates("from_pos", "EURUSD", mt5.TIMEFRAME_H1, 0, 1)["time"].tolist() == [TUESDAY + 7200]


@pytest.mark.parametrize("name", ["M1", "M5", "H1", "H4", "D1"])
def test_bars_are_ascending_counted_from_the_present_one_and_of_the_packages_type(name: str, synthetic: TradeServer):
    frame = getattr(mt5, f"TIMEFRAME_{name}")
    newest = rates("from_pos", "EURUSD", frame, 0, 8)
    assert newest.dtype == RATES and len(newest) == 8
    assert (np.diff(newest["time"]) > 0).all() and (newest["high"] >= newest["low"]).all()
    tick = mt5.symbol_info_tick("EURUSD")
    assert tick is not None and newest["close"][-1] == tick.bid
    assert (rates("from_pos", "EURUSD", frame, 3, 5) == newest[:5]).all()


def test_the_three_ways_to_ask_for_bars_find_the_same_ones(synthetic: TradeServer):
    newest = rates("from_pos", "GBPUSD", mt5.TIMEFRAME_M5, 0, 100)
    first, last = int(newest["time"][0]), int(newest["time"][-1])
    assert (rates("range", "GBPUSD", mt5.TIMEFRAME_M5, first, last) == newest).all()
    assert (rates("from", "GBPUSD", mt5.TIMEFRAME_M5, last + 299, 100) == newest).all()
    assert (rates("from", "GBPUSD", mt5.TIMEFRAME_M5, last - 1, 99) == newest[:99]).all()


def test_bars_are_made_of_the_ticks(synthetic: TradeServer):
    start = TUESDAY + 7200 - 3600
    (bar,) = rates("range", "EURUSD", mt5.TIMEFRAME_H1, start, start)
    ticks = mt5.copy_ticks_range("EURUSD", start, start + 3599, mt5.COPY_TICKS_ALL)
    assert ticks is not None and ticks.dtype == TICKS
    assert bar["tick_volume"] == len(ticks) == 3600
    assert (bar["open"], bar["close"]) == (ticks["bid"][0], ticks["bid"][-1])
    assert (bar["high"], bar["low"]) == (ticks["bid"].max(), ticks["bid"].min())


def test_ticks_are_given_from_a_date_on_with_flags_for_what_has_changed(synthetic: TradeServer):
    start = TUESDAY + 7200 - 100
    ticks = mt5.copy_ticks_from("EURUSD", start, 50, mt5.COPY_TICKS_INFO)
    assert ticks is not None and ticks["time"].tolist() == list(range(start, start + 50))
    assert (ticks["time_msc"] == ticks["time"] * 1000).all()
    changed = np.diff(ticks["bid"]) != 0
    assert ((ticks["flags"][1:] & mt5.TICK_FLAG_BID > 0) == changed).all()
    trades = mt5.copy_ticks_from("EURUSD", start, 50, mt5.COPY_TICKS_TRADE)
    assert trades is not None and len(trades) == 0


def test_what_does_not_exist_is_not_found_or_invalid(synthetic: TradeServer):
    assert mt5.copy_rates_from_pos("NOSUCH", mt5.TIMEFRAME_M1, 0, 1) is None
    assert mt5.last_error() == (-4, "Terminal: Not found")
    assert mt5.copy_rates_from_pos("EURUSD", 7, 0, 1) is None
    assert mt5.last_error() == (-2, "Terminal: Invalid params")
    assert mt5.copy_ticks_from("EURUSD", 0, 1, 9) is None
    assert mt5.last_error() == (-2, "Terminal: Invalid params")
    assert mt5.symbol_select("NOSUCH", True) is False
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_the_past_begins_thirty_days_ago_and_the_future_is_empty(synthetic: TradeServer):
    assert 28 <= len(rates("from_pos", "EURUSD", mt5.TIMEFRAME_D1, 0, 500)) <= 32
    assert len(rates("range", "EURUSD", mt5.TIMEFRAME_M1, TUESDAY + 99_999, TUESDAY + 199_999)) == 0
    ticks = mt5.copy_ticks_from("EURUSD", TUESDAY + 99_999, 10, mt5.COPY_TICKS_ALL)
    assert ticks is not None and len(ticks) == 0


def test_the_market_depth_needs_a_subscription_and_surrounds_the_quote():
    with connected():
        assert mt5.market_book_get("EURUSD") is None and mt5.last_error()[0] == -4
        assert mt5.market_book_add("EURUSD")
        book = mt5.market_book_get("EURUSD")
        assert book is not None
        lines = [(line.type, line.price, line.volume, line.volume_dbl) for line in book]
        assert lines == [(mt5.BOOK_TYPE_SELL, 1.1001, 100, 100.0), (mt5.BOOK_TYPE_BUY, 1.1, 100, 100.0)]
        assert mt5.market_book_release("EURUSD") and not mt5.market_book_release("EURUSD")


@pytest.mark.fidelity(
    rule="A symbol that is not in Market Watch has no quote", section="5", source="MQL5 docs, SymbolSelect"
)
def test_a_symbol_must_be_selected_where_the_broker_says_so():
    with connected("suffix-lag"):
        assert mt5.symbol_info_tick("EURUSD.m") is None
        info = mt5.symbol_info("EURUSD.m")
        assert info is not None and (info.select, info.bid, info.ask, info.time) == (False, 0.0, 0.0, 0)
        refused = buy(symbol="EURUSD.m")
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_PRICE_OFF
        assert mt5.symbol_select("EURUSD.m", True)
        tick = mt5.symbol_info_tick("EURUSD.m")
        assert tick is not None and tick.bid == 1.1
        assert mt5.symbol_info("EURUSD") is None, "without the suffix there is no such symbol"


def test_a_symbol_with_a_position_stays_in_market_watch():
    with connected("suffix-lag") as server:
        mt5.symbol_select("EURUSD.m", True)
        result = buy(symbol="EURUSD.m")
        assert result is not None and result.retcode == mt5.TRADE_RETCODE_DONE
        assert mt5.symbol_select("EURUSD.m", False) is False
        server.advance(1)
        assert mt5.Close("EURUSD.m") is True
        assert mt5.symbol_select("EURUSD.m", False) is True
        assert mt5.symbol_info_tick("EURUSD.m") is None


def test_made_up_prices_are_the_same_for_every_account_and_every_run():
    seen = []
    for login in (1, 2):
        server = TradeServer(seed=7, clock=ManualClock(TUESDAY * 10**9))
        server.add_account(login, "x")
        with installed(server):
            assert mt5.initialize()
            seen.append(mt5.symbol_info_tick("GBPJPY"))
    assert seen[0] == seen[1]
    mt5.shutdown()


def test_quotes_of_the_past_are_replayed_at_the_pace_of_the_test():
    start = 1_704_708_000 * 10**9
    quotes = synthetic_quotes(3, SYMBOLS["EURUSD"], start, start + 3_600 * 10**9)
    server = TradeServer.replay({"EURUSD": quotes})
    server.add_account(LOGIN, "x")
    with installed(server):
        assert mt5.initialize()
        first, opened = mt5.symbol_info_tick("EURUSD"), buy()
        server.advance(1_800)
        later = mt5.symbol_info_tick("EURUSD")
        bars = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 100)
        mt5.shutdown()
    assert first is not None and (first.bid, first.time) == (quotes.bid[0], start // 10**9 + 7200)
    seen = quotes.between(start, start + 1_800 * 10**9 + 1)
    assert later is not None and later.bid == seen.bid[-1] and bars is not None
    assert opened is not None and opened.price == quotes.ask[0]
    assert len(bars) == 31 and bars["tick_volume"].sum() == len(seen)
    with pytest.raises(InvalidField, match="quotes"):
        TradeServer.replay({})


@pytest.mark.fidelity(
    rule="The change of a symbol's price relates to the end of the day before",
    section="1.4",
    source="MQL5 docs, Symbol Properties",
)
def test_the_days_prices_begin_at_the_servers_midnight_and_its_change_at_the_close_before():
    midnight = (TUESDAY - 12 * 3600) * 10**9  # 22:00 UTC: the server's clock is two hours ahead
    offsets = np.array([-7200, -1, 0, 60, 120]) * 10**9
    bid = np.array([1.5, 1.0, 1.2, 1.3, 1.1])
    server = TradeServer.replay({"EURUSD": Quotes(time=midnight + offsets, bid=bid, ask=bid + 0.01)})
    server.add_account(LOGIN, "x")
    with installed(server):
        assert mt5.initialize()
        first = mt5.symbol_info("EURUSD")
        server.advance(7200 + 120)
        info = mt5.symbol_info("EURUSD")
        mt5.shutdown()
    assert first is not None and (first.session_close, first.price_change, first.session_open) == (0.0, 0.0, 1.5)
    assert info is not None and (info.bid, info.session_open, info.bidhigh, info.bidlow) == (1.1, 1.2, 1.3, 1.1)
    assert (info.askhigh, info.asklow) == pytest.approx((1.31, 1.11))
    assert (info.session_close, info.price_change) == (1.0, 10.0)

"""The engine sees the quotes of its market in the order of time, and all of them that matter."""

from __future__ import annotations

import numpy as np
import pytest

from mas_router import mt5
from mas_router.messages import TradeRequest
from sim_worker import market as module
from sim_worker.engine import Change, Engine
from sim_worker.market import WallMarket, run, run_together
from sim_worker.quotes import Quotes
from sim_worker.specs import AccountSpec
from sim_worker.symbols import find_symbol

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND  # Monday, 2024-01-01
DAY = 86_400 * SECOND


def engine() -> Engine:
    return Engine(AccountSpec(deposit=1_000_000.0))


def quotes(*bids: float, every: int = SECOND, first: int = START) -> Quotes:
    bid = np.array(bids)
    time = first + np.arange(len(bids), dtype=np.int64) * every
    return Quotes(time=time, bid=bid, ask=bid + 0.0001, synthetic=True)


def rest(made: Engine, symbol: str, price: float, kind: int = 2) -> None:
    """A pending order; a buy limit by default."""
    request = TradeRequest(action=5, symbol=symbol, volume=0.1, type=kind, price=price)
    assert made.trade(request, START).result.retcode == mt5.TRADE_RETCODE_DONE


def filled(changes: list[Change]) -> list[tuple[str, int]]:
    """Symbol and second of each deal."""
    return [(c.deal.symbol, (c.time - START) // SECOND) for c in changes if hasattr(c, "deal")]


def test_quotes_of_one_symbol_touch_off_what_they_reach_and_the_last_one_counts() -> None:
    made = engine()
    made.quote("EURUSD", START, 1.1, 1.1001)
    rest(made, "EURUSD", 1.09)
    changes = run(made, "EURUSD", quotes(1.1, 1.08, 1.2, 1.3))
    assert filled(changes) == [("EURUSD", 1)]
    assert made.last_quote("EURUSD") == (START + 3 * SECOND, 1.3, pytest.approx(1.3001))


def test_no_quotes_change_nothing() -> None:
    made = engine()
    assert run(made, "EURUSD", quotes()) == []
    assert run_together(made, {"EURUSD": quotes(), "GBPUSD": quotes()}) == []
    assert made.last_quote("EURUSD") is None


def test_events_of_several_symbols_come_in_the_order_of_time() -> None:
    made = engine()
    for symbol in ("EURUSD", "GBPUSD"):
        made.quote(symbol, START, 1.5, 1.5001)
        for price in (1.4, 1.2):
            rest(made, symbol, price)
    parts = {
        "GBPUSD": quotes(1.5, 1.39, 1.39, 1.39, 1.19, 1.19),
        "EURUSD": quotes(1.5, 1.5, 1.39, 1.39, 1.39, 1.19),
    }
    changes = run_together(made, parts)
    assert filled(changes) == [("GBPUSD", 1), ("EURUSD", 2), ("GBPUSD", 4), ("EURUSD", 5)]
    times = [change.time for change in changes]
    assert times == sorted(times)


def test_symbols_with_other_tick_times_are_woven_together() -> None:
    made = engine()
    for symbol in ("EURUSD", "GBPUSD"):
        made.quote(symbol, START, 1.5, 1.5001)
        rest(made, symbol, 1.4)
    slow, fast = quotes(1.5, 1.3, every=10 * SECOND), quotes(*[1.5] * 7, 1.3, every=SECOND)
    assert filled(run_together(made, {"EURUSD": slow, "GBPUSD": fast})) == [("GBPUSD", 7), ("EURUSD", 10)]


def wall() -> WallMarket:
    return WallMarket(1, START, find_symbol, "USD")


def test_a_wall_market_quotes_a_symbol_and_what_converts_its_money() -> None:
    made, market = engine(), wall()
    assert market.watch("EURGBP")
    market.advance(made, START + SECOND)
    assert made.last_quote("EURGBP") is not None
    assert made.last_quote("GBPUSD") is not None
    assert not market.watch("NOSUCH")


def test_a_wall_market_never_goes_back() -> None:
    made, market = engine(), wall()
    market.watch("EURUSD")
    market.advance(made, START + 10 * SECOND)
    newest = made.last_quote("EURUSD")
    assert market.advance(made, START + SECOND) == []
    assert made.last_quote("EURUSD") == newest


@pytest.mark.parametrize("step", [SECOND // 4, SECOND, 60 * SECOND, 1200 * SECOND])
def test_how_often_a_market_is_looked_at_changes_nothing(step: int) -> None:
    def deals(every: int) -> list[tuple[str, int]]:
        made, market, found = engine(), wall(), []
        for symbol in ("EURUSD", "GBPUSD"):
            market.watch(symbol)
        market.advance(made, START)
        for symbol in ("EURUSD", "GBPUSD"):
            quote = made.last_quote(symbol)
            assert quote is not None
            for points in (5, 20, 40):
                rest(made, symbol, round(quote[2] - points * 1e-5, 5))
                rest(made, symbol, round(quote[2] + points * 1e-5, 5), kind=4)
        for now in range(START, START + 1200 * SECOND + 1, every):
            found += filled(market.advance(made, now))
        return found

    found = deals(step)
    assert found == deals(1200 * SECOND)
    assert len(found) >= 6


def test_a_long_sleep_is_caught_up_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = run_together

    def spy(made: Engine, parts: dict[str, Quotes]) -> list[Change]:
        sizes.append(max(len(part) for part in parts.values()))
        return original(made, parts)

    monkeypatch.setattr(module, "SLICE", 100)
    monkeypatch.setattr(module, "run_together", spy)
    made, market = engine(), wall()
    market.watch("EURUSD")
    market.advance(made, START)
    rest(made, "EURUSD", 0.5)
    market.advance(made, START + 250 * SECOND)
    assert sizes == [100] * 10

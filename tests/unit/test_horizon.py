"""The horizon: where the next event is, exactly where that can be known, and never behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    DEAL,
    MODIFY,
    REMOVE,
    SECOND,
    SELL,
    SELL_LIMIT,
    SELL_STOP,
    SLTP,
    Desk,
)

COUNT = 10_000
AT = 7_777
SPREAD = 0.0002


def _desk(**account: Any) -> Desk:
    desk = Desk(**account)
    desk.quote(1.1, 1.1 + SPREAD)
    return desk


def _next(desk: Desk, bids: np.ndarray, spread: float = SPREAD, symbol: str = "EURUSD") -> int:
    times = desk.now + SECOND * np.arange(1, len(bids) + 1, dtype=np.int64)
    return desk.engine.next_event(symbol, times, bids, bids + spread)


def _flat_until(price: float) -> np.ndarray:
    bids = np.full(COUNT, 1.1)
    bids[AT:] = price
    return bids


def test_nothing_can_happen_to_an_empty_account():
    assert _next(_desk(), np.linspace(0.5, 2.0, COUNT)) == COUNT


def test_without_quotes_nothing_can_happen():
    desk = _desk()
    desk.place(BUY_LIMIT, 1.09)
    assert _next(desk, np.empty(0)) == 0


@pytest.mark.parametrize(
    ("kind", "price", "extra", "bid"),
    [
        (BUY_LIMIT, 1.09, {}, 1.0898),
        (SELL_LIMIT, 1.11, {}, 1.11),
        (BUY_STOP, 1.11, {}, 1.1098),
        (SELL_STOP, 1.09, {}, 1.09),
        (BUY_STOP_LIMIT, 1.11, {"stoplimit": 1.105}, 1.11),
    ],
)
def test_a_pending_order_is_found_at_the_row_that_triggers_it(kind, price, extra, bid):
    desk = _desk()
    desk.place(kind, price, **extra)
    assert _next(desk, _flat_until(bid)) == AT
    assert _next(desk, np.full(COUNT, 1.1)) == COUNT


@pytest.mark.parametrize(
    ("side", "levels", "bid"),
    [
        (BUY, {"sl": 1.09}, 1.09),
        (BUY, {"tp": 1.11}, 1.11),
        (SELL, {"sl": 1.11}, 1.11 - SPREAD / 2),
        (SELL, {"tp": 1.09}, 1.09 - SPREAD),
    ],
)
def test_a_stop_level_is_found_at_the_row_that_reaches_it(side, levels, bid):
    desk = _desk()
    desk.trade(DEAL, type=side, volume=0.1, **levels)
    assert _next(desk, _flat_until(bid)) == AT


def test_an_expiration_is_found_at_the_first_row_of_its_moment_whatever_the_symbol():
    desk = _desk()
    desk.place(BUY_LIMIT, 1.05, type_time=2, expiration=desk.now // SECOND + AT + 1)
    assert _next(desk, np.full(COUNT, 1.1)) == AT
    assert _next(desk, np.full(COUNT, 1.3), symbol="GBPUSD") == AT


def test_the_stop_out_is_found_within_a_hundredth_of_a_point_of_money():
    # Margin 1100.20, so the stop-out is at an equity of 550.10: at a loss of 649.90, at a bid of 1.093701.
    desk = _desk(deposit=1200.0)
    desk.buy(1.0)
    bids = np.linspace(1.1, 1.09, COUNT)
    exact = int(np.argmax(bids <= 1.100200 - 0.00649900))
    found = _next(desk, bids)
    assert exact - 100 <= found <= exact


@pytest.mark.parametrize(("side", "losing"), [(BUY, 0.8455), (SELL, 0.8545)])
def test_a_stop_out_through_a_conversion_symbol_is_found(side, losing):
    desk = Desk(symbol="EURGBP", deposit=1000.0)
    desk.quote(1.25, symbol="GBPUSD")
    desk.quote(1.10, symbol="EURUSD")
    desk.quote(0.85)
    desk.trade(DEAL, type=side, volume=0.8)
    desk.quote(losing)
    assert _next(desk, np.full(COUNT, 1.25), symbol="GBPUSD") == COUNT
    rising = np.linspace(1.25, 2.45, COUNT)
    found = _next(desk, rising, spread=0.0, symbol="GBPUSD")
    happened = next(row for row in range(COUNT) if desk.quote(float(rising[row]), symbol="GBPUSD"))
    assert 0 < found <= happened


@pytest.mark.parametrize(("side", "losing"), [(BUY, 0.8455), (SELL, 0.8545)])
def test_a_spike_of_a_conversion_symbol_is_found_in_the_midst_of_a_quiet_range(side, losing):
    desk = Desk(symbol="EURGBP", deposit=1000.0)
    desk.quote(1.25, symbol="GBPUSD")
    desk.quote(1.10, symbol="EURUSD")
    desk.quote(0.85)
    desk.trade(DEAL, type=side, volume=0.8)
    desk.quote(losing)
    bids = np.full(COUNT, 1.25)
    bids[AT : AT + 3] = 2.45
    assert _next(desk, bids, spread=0.0, symbol="GBPUSD") == AT


def test_what_was_taken_away_or_moved_no_longer_counts():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.09).result.order
    position = desk.buy(0.1, sl=1.09).result.order
    bids = _flat_until(1.085)
    assert _next(desk, bids) == AT
    desk.trade(MODIFY, order=ticket, price=1.05)
    desk.trade(SLTP, position=position, sl=1.05)
    assert _next(desk, bids) == COUNT
    desk.trade(REMOVE, order=ticket)
    desk.trade(DEAL, type=SELL, volume=0.1, position=position)
    assert _next(desk, np.linspace(1.1, 0.5, COUNT)) == COUNT


def test_the_first_quote_of_a_symbol_is_an_event_because_it_may_change_the_conversion():
    desk = _desk()
    desk.buy(0.1)
    assert _next(desk, np.full(COUNT, 1.25), symbol="GBPUSD") == 0
    assert _next(_desk(), np.full(COUNT, 1.25), symbol="GBPUSD") == COUNT


def test_looking_ahead_changes_nothing():
    desk = _desk()
    desk.place(BUY_LIMIT, 1.09)
    desk.buy(0.1, sl=1.05)
    before = (desk.engine.account_row(), desk.engine.orders(), desk.engine.last_quote("EURUSD"))
    _next(desk, np.linspace(1.1, 0.9, COUNT))
    assert (desk.engine.account_row(), desk.engine.orders(), desk.engine.last_quote("EURUSD")) == before

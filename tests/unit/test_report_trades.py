"""Deals become trades: closed parts of positions, with their share of the costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas._report.trades import History, Trade, read
from tests.unit.report_kit import BALANCE, BUY, IN, INOUT, OUT, OUT_BY, SELL, deal, deposit


def trades(*deals: dict[str, Any]) -> list[Trade]:
    return read(deals).trades


def balance(history: History) -> float:
    return sum(step.amount for step in history.steps)


def test_a_position_that_is_opened_and_closed_is_one_trade() -> None:
    (trade,) = trades(
        deal(BUY, IN, 0.1, 1.1, at=1_000),
        deal(SELL, OUT, 0.1, 1.2, at=5_000, profit=1000.0, reason=5, comment="[tp 1.2]"),
    )
    assert (trade.side, trade.volume, trade.opened, trade.closed) == ("buy", 0.1, 1_000, 5_000)
    assert (trade.price_open, trade.price_close, trade.net) == (1.1, 1.2, 1000.0)
    assert (trade.reason, trade.comment) == ("tp", "[tp 1.2]")


def test_a_trade_carries_all_costs_of_its_opening_and_its_closing() -> None:
    (trade,) = trades(
        deal(SELL, IN, 1.0, 1.1, commission=-3.5, fee=-0.5),
        deal(BUY, OUT, 1.0, 1.0, profit=100.0, commission=-3.5, swap=-2.0, fee=-0.5),
    )
    assert (trade.side, trade.commission, trade.swap, trade.fee, trade.net) == ("sell", -7.0, -2.0, -1.0, 90.0)


def test_each_partial_close_is_a_trade_with_its_share_of_what_the_opening_cost() -> None:
    first, second = trades(
        deal(BUY, IN, 0.4, 1.1, commission=-4.0),
        deal(SELL, OUT, 0.1, 1.2, profit=10.0, commission=-1.0),
        deal(SELL, OUT, 0.3, 1.3, profit=60.0, commission=-3.0),
    )
    assert (first.volume, first.commission) == (0.1, pytest.approx(-2.0))
    assert (second.volume, second.commission) == (0.3, pytest.approx(-6.0))


def test_a_position_that_was_built_in_steps_has_its_average_price_and_its_first_time() -> None:
    (trade,) = trades(
        deal(BUY, IN, 0.1, 1.0, at=10), deal(BUY, IN, 0.3, 1.2, at=20), deal(SELL, OUT, 0.4, 1.3, at=30, profit=60.0)
    )
    assert (trade.price_open, trade.opened, trade.volume) == (pytest.approx(1.15), 10, 0.4)


def test_a_reversal_closes_one_trade_and_opens_the_next_and_both_share_its_costs() -> None:
    first, second = trades(
        deal(BUY, IN, 0.1, 1.1, at=10),
        deal(SELL, INOUT, 0.4, 1.2, at=20, profit=10.0, commission=-4.0),
        deal(BUY, OUT, 0.3, 1.1, at=30, profit=30.0),
    )
    assert (first.side, first.volume, first.commission) == ("buy", 0.1, -1.0)
    assert (second.side, second.volume, second.opened, second.price_open) == ("sell", 0.3, 20, 1.2)
    assert second.commission == pytest.approx(-3.0)


def test_a_close_by_is_two_trades_one_of_which_has_the_result() -> None:
    first, second = trades(
        deal(BUY, IN, 0.1, 1.1, position_id=1),
        deal(SELL, IN, 0.1, 1.2, position_id=2),
        deal(SELL, OUT_BY, 0.1, 1.2, position_id=1, profit=10.0),
        deal(BUY, OUT_BY, 0.1, 1.1, position_id=2),
    )
    assert (first.position, first.side, first.net) == (1, "buy", 10.0)
    assert (second.position, second.side, second.net) == (2, "sell", 0.0)


def test_a_deposit_is_no_trade() -> None:
    history = read([deposit(10_000.0), deal(BUY, IN, 0.1, 1.1)])
    assert (history.trades, history.deals) == ([], 1)
    assert [(step.amount, step.flow) for step in history.steps] == [(10_000.0, True), (0.0, False)]


def test_a_trade_whose_opening_is_not_in_the_history_has_no_opening() -> None:
    (trade,) = trades(deal(SELL, OUT, 0.1, 1.2, profit=5.0))
    assert (trade.side, trade.opened, trade.price_open, trade.net) == ("buy", None, None, 5.0)


def test_deals_may_come_in_any_order() -> None:
    opened, closed = deal(BUY, IN, 0.1, 1.1, at=10), deal(SELL, OUT, 0.1, 1.2, at=20)
    assert trades(closed, opened) == trades(opened, closed)


LOTS = st.integers(1, 50).map(lambda n: n / 100)
MONEY = st.integers(-10_000, 10_000).map(lambda n: n / 100)


@given(data=st.data())
def test_trades_and_what_is_open_add_up_to_the_balance(data: st.DataObject) -> None:
    """Netting, with reversals: no money is lost between the deals and the trades, and no lot."""
    held, deals = 0.0, [deposit(1000.0)]
    for at in range(data.draw(st.integers(1, 30))):
        lots = data.draw(LOTS) * data.draw(st.sampled_from((1, -1)))
        after = round(held + lots, 2)
        opens = held * lots >= 0
        entry = IN if opens else OUT if held * after >= 0 else INOUT
        costs = {"commission": -abs(data.draw(MONEY)), "fee": -abs(data.draw(MONEY))}
        money = {} if opens else {"profit": data.draw(MONEY), "swap": data.draw(MONEY)}
        deals.append(deal(BUY if lots > 0 else SELL, entry, abs(lots), 1.1, at=at, **costs, **money))
        held = after
    history = read(deals)
    closed = sum(trade.net for trade in history.trades)
    still_open = balance(history) - 1000.0 - closed
    assert history.holdings[-1].lots == pytest.approx(held)
    if not held:
        assert still_open == pytest.approx(0.0, abs=1e-6)
    assert still_open < 1e-6, "what is left is what the open volume has cost"
    opened = sum(d["volume"] for d in deals if d["entry"] == IN) + sum(
        d["volume"] for d in deals if d["entry"] == INOUT
    )
    closed_lots = sum(trade.volume for trade in history.trades)
    reversed_lots = sum(t.volume for t, d in zip(history.trades, _closing(deals), strict=True) if d["entry"] == INOUT)
    assert opened - reversed_lots - closed_lots == pytest.approx(abs(held), abs=1e-6)


def _closing(deals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [d for d in deals if d["type"] != BALANCE and d["entry"] != IN]

"""What is not Forex: bonds, collateral, an exchange's settlement and last price, and how profit converts for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY, DAY, MONDAY, NOON, SECOND, SELL, Desk, deals

BOND = SymbolSpec(
    "BOND", digits=2, calc_mode=37, contract_size=1.0, face_value=1000.0, currency_base="USD", currency_margin="USD",
    volume_min=1.0, volume_step=1.0, coupon_rate=7.3, coupon_since=MONDAY // SECOND - 50 * 86_400,
)  # fmt: skip
STOCK = SymbolSpec(
    "STOCK", digits=2, calc_mode=32, contract_size=10.0, currency_base="GBP", currency_profit="GBP",
    currency_margin="GBP", volume_min=1.0, volume_step=1.0,
)  # fmt: skip


def _desk(spec: SymbolSpec, price: float, **account: Any) -> Desk:
    desk = Desk(spec, **{"deposit": 100_000.0, **account})
    desk.quote(1.25, 1.26, symbol="GBPUSD")
    desk.quote(price)
    return desk


# ---- bonds -----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="The profit of a bond is in percent of its face value, with the interest accrued while it was held, "
    "20 cents a day.",
    section="4.1",
    source="MetaTrader 5 administrator help, Profit Calculation",
    setting="SymbolSpec.coupon_rate",
)
def test_a_bond_is_paid_with_the_interest_that_it_has_accrued():
    for side, price, profit in ((BUY, 99.0, 104.0), (SELL, 97.0, 96.0)):
        desk = _desk(BOND, 98.0)
        ticket = desk.trade(1, type=side, volume=10.0).result.order
        desk.quote(price, after=2 * DAY)
        assert desk.account["profit"] == 100.0  # floating profit is without the interest
        (deal,) = deals(desk.trade(1, type=1 - side, volume=10.0, position=ticket).changes)
        assert deal.profit == profit


def test_what_joins_a_bond_position_accrues_from_then_on():
    desk = _desk(BOND, 98.0, margin_mode="netting")
    desk.buy(1.0)
    desk.quote(98.0, after=10 * DAY)
    desk.buy(1.0)
    desk.quote(98.0, after=10 * DAY)
    assert deals(desk.sell(2.0).changes)[0].profit == 6.0


@pytest.mark.fidelity(
    rule="The margin of bonds is of their face value at the price.",
    section="4.3",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_a_bond_needs_its_price():
    assert _desk(BOND, 98.0).engine.calc_margin(BUY, "BOND", 3.0, 98.0) == 2940.0


# ---- collateral ------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Collateral has neither profit nor margin: its market value at the liquidity rate is added to the assets.",
    section="4.1",
    source="MQL5 docs, ENUM_SYMBOL_CALC_MODE",
    setting="SymbolSpec.liquidity_rate",
)
def test_collateral_is_worth_its_share_of_the_market_value():
    desk = _desk(replace(STOCK, calc_mode=64, liquidity_rate=0.5), 100.0)
    assert desk.buy(10.0).result.retcode == 10009
    account = desk.account
    assert (account["assets"], account["equity"], account["margin"], account["profit"]) == (6250.0, 106_250.0, 0.0, 0.0)
    desk.quote(120.0)
    assert (desk.account["assets"], desk.account["margin_free"]) == (7500.0, 107_500.0)


def test_a_falling_collateral_may_stop_out_what_it_carries():
    desk = Desk(replace(STOCK, calc_mode=64, liquidity_rate=1.0, currency_profit="USD"), deposit=1000.0)
    desk.quote(1.1, symbol="EURUSD")
    desk.quote(100.0)
    desk.buy(10.0)
    desk.buy(4.0, symbol="EURUSD")
    desk.quote(1.09, symbol="EURUSD")
    assert desk.account["equity"] == 7000.0
    changes = desk.quote(50.0)
    assert [deal.symbol for deal in deals(changes)] == ["EURUSD"]


# ---- conversion ------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Forex profit may be converted by the market, too: profit at the bid, loss at the ask.",
    section="4.2",
    source="MetaTrader 5 administrator help, Profit Calculation",
    setting="SymbolSpec.conversion",
)
def test_forex_may_convert_by_the_market():
    cross = replace(SYMBOLS["EURGBP"], conversion="market")
    desk = Desk(cross)
    desk.quote(1.25, 1.26, symbol="GBPUSD")
    desk.quote(1.1, symbol="EURUSD")
    desk.quote(0.85)
    for side in (BUY, SELL):
        sign = 1 if side == BUY else -1
        assert desk.engine.calc_profit(side, "EURGBP", 1.0, 0.85, 0.85 + sign * 0.01) == 1250.0
        assert desk.engine.calc_profit(side, "EURGBP", 1.0, 0.85, 0.85 - sign * 0.01) == -1260.0


def test_any_symbol_may_convert_at_the_side_of_its_deal():
    desk = _desk(replace(STOCK, conversion="deal"), 100.0)
    assert desk.engine.calc_profit(BUY, "STOCK", 1.0, 100.0, 101.0) == 12.6
    assert desk.engine.calc_profit(SELL, "STOCK", 1.0, 100.0, 99.0) == 12.5


@pytest.mark.fidelity(
    rule="An exchange's settlement converts the entry at the ask of that time, and the exit at the bid of its own.",
    section="4.2",
    source="MetaTrader 5 administrator help, Profit Calculation",
    setting="SymbolSpec.conversion",
)
def test_a_settlement_converts_entry_and_exit_each_at_its_own_time():
    desk = _desk(replace(STOCK, conversion="settlement"), 100.0)
    ticket = desk.buy(10.0).result.order  # 10000 GBP at 1.26
    desk.quote(1.30, 1.31, symbol="GBPUSD")
    assert desk.account["profit"] == 400.0
    (part,) = deals(desk.sell(5.0, position=ticket).changes)
    desk.quote(101.0)
    (rest,) = deals(desk.sell(5.0, position=ticket).changes)
    assert (part.profit, rest.profit) == (200.0, 265.0)


def test_of_several_other_pairs_the_first_by_name_converts():
    desk = Desk(replace(STOCK, name="STOCK.x"), deposit=10_000.0)
    for name, price in (("GBPUSD.z", 1.5), ("GBPUSD.b", 1.25)):
        desk.quote(price, symbol=name)
    desk.quote(100.0)
    assert desk.engine.calc_profit(BUY, "STOCK.x", 1.0, 100.0, 101.0) == 12.5
    desk.quote(2.0, symbol="GBPUSD")
    assert desk.engine.calc_profit(BUY, "STOCK.x", 1.0, 100.0, 101.0) == 20.0


# ---- the last price --------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="On an exchange floating profit is counted at the last price, though positions close at bid and ask.",
    section="4.1",
    source="MetaTrader 5 help, Trading Principles",
)
def test_floating_profit_on_an_exchange_is_of_the_last_price():
    share = replace(STOCK, currency_base="USD", currency_profit="USD", currency_margin="USD")
    desk = Desk(share, deposit=100_000.0)
    desk.engine.quote("STOCK", NOON, 99.0, 101.0, 100.0)
    ticket = desk.buy(10.0).result.order
    (position,) = desk.engine.positions()
    assert (position.price_open, position.price_current, position.profit) == (101.0, 100.0, -100.0)
    desk.engine.quote("STOCK", NOON + SECOND, 99.0, 101.0, 101.5)
    assert desk.account["equity"] == 100_050.0
    (deal,) = deals(desk.sell(10.0, position=ticket).changes)
    assert (deal.price, deal.profit) == (99.0, -200.0)


@pytest.mark.parametrize(("lasts", "found"), [([100.0, 100.0, 54.0], 2), ([100.0, 100.0, 100.0], 3)])
def test_the_horizon_looks_at_the_last_price(lasts, found):
    share = replace(STOCK, currency_base="USD", currency_profit="USD", currency_margin="USD", margin_initial=100.0)
    desk = Desk(share, deposit=5_000.0)
    desk.engine.quote("STOCK", NOON, 100.0, 100.0, 100.0)
    desk.buy(10.0)
    times = NOON + SECOND * np.arange(1, 4, dtype=np.int64)
    flat, last = np.full(3, 100.0), np.array(lasts)
    assert desk.engine.next_event("STOCK", times, flat, flat, last) == found


@pytest.mark.fidelity(
    rule="A tick is worth as much as profit and loss of it convert to: at the bid and at the ask, outside Forex.",
    section="4.2",
    source="MQL5 docs, SYMBOL_TRADE_TICK_VALUE_PROFIT",
)
def test_a_tick_has_a_worth_for_profit_and_one_for_loss():
    shown = _desk(STOCK, 100.0).engine.symbol_row("STOCK")
    assert [round(float(shown[f"trade_tick_value{kind}"]), 6) for kind in ("", "_profit", "_loss")] == [
        0.125, 0.125, 0.126,
    ]  # fmt: skip

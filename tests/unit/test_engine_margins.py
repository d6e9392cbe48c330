"""The margin of orders and positions: rates, pending orders, netting, hedging, fixed margins, FORTS, the exchange."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mas_router.messages import TradeRequest
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    DEAL,
    MODIFY,
    PENDING,
    REMOVE,
    SELL,
    SELL_LIMIT,
    SELL_STOP,
    SELL_STOP_LIMIT,
    Desk,
    deals,
    whys,
)

EURUSD = SYMBOLS["EURUSD"]
#: Every pending order reserves what a deal would.
FULL = replace(EURUSD, margin_rates=(1.0,) * 8)
FUTURE = SymbolSpec(
    "FUT", digits=0, calc_mode=33, contract_size=1.0, tick_size=1.0, tick_value=1.0, currency_base="USD",
    currency_margin="USD", volume_min=1.0, volume_step=1.0, margin_initial=1000.0, margin_maintenance=500.0,
    margin_hedged=500.0,
)  # fmt: skip
FORTS = SymbolSpec(
    "SI", digits=0, calc_mode=35, contract_size=1.0, tick_size=1.0, tick_value=1.0, currency_base="USD",
    currency_margin="USD", volume_min=1.0, volume_step=1.0, execution=3, margin_initial=1.0,
    margin_rates=(7665.41, 7739.59, *[0.0] * 6), settlement_price=73_638.0,
)  # fmt: skip


def _desk(spec: SymbolSpec, price: float = 1.1, **account: Any) -> Desk:
    desk = Desk(spec, **{"deposit": 10_000.0, **account})
    desk.quote(price)
    return desk


# ---- rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Margin is multiplied by a rate for the type of the order: buy, sell, limits, stops, stop limits.",
    section="4.3",
    source="MQL5 docs, SymbolInfoMarginRate",
    setting="SymbolSpec.margin_rates",
)
def test_every_type_of_order_has_its_margin_rate():
    desk = _desk(replace(EURUSD, margin_rates=(1.0, 2.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)))
    for kind, price, more, reserved in (
        (BUY_LIMIT, 1.0, {}, 100.0),
        (SELL_LIMIT, 1.2, {}, 240.0),
        (BUY_STOP, 1.2, {}, 360.0),
        (SELL_STOP, 1.0, {}, 400.0),
        (BUY_STOP_LIMIT, 1.2, {"stoplimit": 1.1}, 600.0),
        (SELL_STOP_LIMIT, 1.0, {"stoplimit": 1.05}, 600.0),
    ):
        ticket = desk.place(kind, price, 1.0, **more).result.order
        assert desk.account["margin"] == desk.account["margin_initial"] == reserved
        desk.trade(REMOVE, order=ticket)
    assert desk.account["margin"] == 0.0
    desk.sell(1.0)
    assert desk.account["margin"] == desk.account["margin_maintenance"] == 2200.0


@pytest.mark.fidelity(
    rule="A position needs the maintenance margin at the maintenance rate, an order the initial margin at the "
    "initial rate.",
    section="4.3",
    source="MQL5 docs, SymbolInfoMarginRate",
    setting="SymbolSpec.maintenance_rates",
)
def test_an_order_needs_the_initial_rate_and_a_position_the_maintenance_rate():
    desk = _desk(replace(EURUSD, maintenance_rates=(0.5, 0.5)), deposit=1000.0)
    assert desk.buy(1.0).result.retcode == 10019
    assert desk.buy(0.9).result.retcode == 10009
    assert desk.account["margin"] == 495.0


@pytest.mark.parametrize(("mode", "expected"), [(34, 2000.0), (36, 2000.0)])
@pytest.mark.fidelity(
    rule="Options need lots times contract size times price, or the fixed margin when there is one.",
    section="4.3",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_options_need_their_price_or_their_fixed_margin(mode, expected):
    option = replace(FUTURE, calc_mode=mode, margin_initial=0.0, margin_maintenance=0.0, contract_size=10.0)
    assert _desk(option, 100.0).engine.calc_margin(BUY, "FUT", 2.0, 100.0) == expected
    assert _desk(replace(option, margin_initial=70.0), 100.0).engine.calc_margin(BUY, "FUT", 2.0, 100.0) == 140.0


# ---- pending orders --------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Pending orders reserve no margin where their rate is 0, as it usually is.",
    section="4.3",
    source="MQL5 Programming for Traders, Margin requirements",
)
def test_pending_orders_are_free_by_default():
    desk = _desk(EURUSD, deposit=10.0)
    assert desk.place(BUY_LIMIT, 1.0, 50.0).result.retcode == 10009
    assert desk.account["margin"] == 0.0


@pytest.mark.fidelity(
    rule="An order that reserves margin is refused when there is too little free margin for it.",
    section="4.6",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
def test_an_order_that_reserves_margin_needs_the_money_when_it_is_placed():
    desk = _desk(FULL, deposit=1000.0)
    request = TradeRequest(action=PENDING, symbol="EURUSD", type=BUY_LIMIT, volume=0.6, price=1.0, type_filling=2)
    assert desk.engine.check(request, desk.now)["margin_free"] == 400.0
    assert desk.place(BUY_LIMIT, 1.0, 0.6).result.retcode == 10009
    assert desk.place(BUY_LIMIT, 1.0, 0.5).result.retcode == 10019
    assert (desk.account["margin"], desk.account["margin_free"]) == (600.0, 400.0)
    assert desk.buy(0.4).result.retcode == 10019
    assert desk.buy(0.36).result.retcode == 10009


def test_what_an_order_reserves_goes_with_it_and_changes_with_its_price():
    desk = _desk(FULL)
    ticket = desk.place(BUY_LIMIT, 1.0, 1.0).result.order
    desk.trade(MODIFY, order=ticket, price=1.05)
    assert desk.account["margin"] == 1050.0
    desk.trade(REMOVE, order=ticket)
    assert desk.account["margin"] == 0.0


@pytest.mark.fidelity(
    rule="An order that would reserve more at its new price than there is free margin is not modified.",
    section="4.6",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
@pytest.mark.parametrize("mode", ["hedging", "netting", "exchange"])
def test_an_order_is_moved_only_to_where_its_margin_is_there(mode):
    desk = _desk(FULL, deposit=1050.0, margin_mode=mode)
    ticket = desk.place(BUY_LIMIT, 1.0, 1.0).result.order
    request = TradeRequest(action=MODIFY, order=ticket, price=1.08)
    assert desk.engine.check(request, desk.now)["margin_free"] == -30.0
    assert desk.trade(MODIFY, order=ticket, price=1.08).result.retcode == 10019
    assert desk.account["margin"] == 1000.0
    assert desk.trade(MODIFY, order=ticket, price=1.05).result.retcode == 10009
    assert desk.account["margin_free"] == 0.0


def test_an_order_that_executes_needs_no_more_than_it_has_reserved():
    desk = _desk(FULL, deposit=1000.0)
    desk.place(BUY_LIMIT, 1.0, 1.0)
    assert whys(desk.quote(1.0)) == ["filled", "deal"]
    assert desk.account["margin"] == 1000.0


def test_an_activation_is_refused_when_the_money_has_gone_meanwhile():
    desk = _desk(replace(FULL, margin_rates=(1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0)), deposit=1000.0)
    desk.place(BUY_LIMIT, 1.0, 1.0)
    desk.buy(0.4)
    assert whys(desk.quote(1.0999))[:1] != ["rejected"]
    assert "rejected" in whys(desk.quote(1.0))


def test_a_stop_limit_reserves_as_a_limit_once_it_is_one():
    desk = _desk(replace(EURUSD, margin_rates=(1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0)))
    desk.place(BUY_STOP_LIMIT, 1.2, 1.0, stoplimit=1.15)
    assert desk.account["margin"] == 1200.0
    desk.quote(1.2)
    assert desk.account["margin"] == 575.0


# ---- netting ---------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Netting: an opposite order within the position needs nothing, a same-sided one is added, of a "
    "larger opposite one the larger counts; stop orders are always added.",
    section="4.4",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_netting_takes_the_larger_direction_and_adds_stops():
    desk = _desk(FULL, margin_mode="netting", deposit=100_000.0)
    desk.buy(1.0)
    assert desk.account["margin"] == 1100.0
    first = desk.place(SELL_LIMIT, 1.2, 1.0).result.order
    assert desk.account["margin"] == 1100.0
    desk.place(BUY_LIMIT, 1.0, 1.0)
    assert desk.account["margin"] == 2100.0
    desk.place(SELL_LIMIT, 1.2, 2.0)
    assert desk.account["margin"] == 3600.0
    desk.trade(REMOVE, order=first)
    assert desk.account["margin"] == 2400.0
    desk.place(SELL_STOP, 1.0, 0.5)
    assert desk.account["margin"] == 2900.0


def test_a_netting_deal_against_the_position_needs_no_free_margin_though_orders_rest():
    desk = _desk(FULL, margin_mode="netting", deposit=2200.0)
    desk.buy(1.0)
    desk.place(BUY_LIMIT, 1.09, 1.0)
    desk.quote(1.0935)
    assert desk.account["margin_free"] < 0
    assert desk.sell(0.5).result.retcode == 10009
    assert desk.place(SELL_LIMIT, 1.2, 0.5).result.retcode == 10009


# ---- hedging ---------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Fixed margins of 1000 initial, 500 maintenance, 500 hedged: long 1 needs 500, to sell 2 takes 2000, "
    "and then 1000.",
    section="4.5",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
)
def test_fixed_margins_are_initial_for_an_order_and_maintenance_afterwards():
    desk = _desk(FUTURE, 100.0)
    desk.buy(1.0)
    assert desk.account["margin"] == 500.0
    request = TradeRequest(action=DEAL, symbol="FUT", type=SELL, volume=2.0)
    assert desk.engine.check(request, desk.now)["margin"] == 2000.0
    desk.sell(2.0)
    assert desk.account["margin"] == 1000.0


def test_the_larger_order_margin_must_be_there():
    desk = _desk(FUTURE, 100.0, deposit=1999.0)
    desk.buy(1.0)
    assert desk.sell(2.0).result.retcode == 10019
    assert desk.sell(1.0).result.retcode == 10009
    assert desk.account["margin"] == 500.0


@pytest.mark.fidelity(
    rule="Hedging: pending orders are added to the margin of positions, each type at its average price.",
    section="4.5",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
)
def test_hedging_adds_pending_orders_by_their_type():
    desk = _desk(FULL, deposit=100_000.0)
    desk.buy(1.0)
    desk.place(SELL_LIMIT, 1.2, 1.0)
    desk.place(SELL_LIMIT, 1.3, 1.0)
    desk.place(BUY_LIMIT, 1.0, 1.0)
    assert desk.account["margin"] == 1100.0 + 2500.0 + 1000.0


@pytest.mark.fidelity(
    rule="Larger leg: positions and pending orders of one side count together, and the larger side is the margin.",
    section="4.5",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
    setting="SymbolSpec.margin_hedged_use_leg",
)
def test_the_larger_leg_counts_with_its_pending_orders():
    desk = _desk(replace(FULL, margin_hedged_use_leg=True), deposit=100_000.0)
    desk.buy(2.0)
    desk.sell(1.0)
    assert desk.account["margin"] == 2200.0
    desk.place(SELL_LIMIT, 1.2, 2.0)
    assert desk.account["margin"] == 3500.0


# ---- FORTS and the exchange ------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="FORTS: 3 long at 73640, to buy 2 at 73000 and to sell 10 at 74500, settled at 73638, need 45563.13: "
    "the larger side.",
    section="4.3",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_a_forts_future_needs_the_larger_of_both_directions():
    desk = _desk(FORTS, 73_640.0, margin_mode="exchange", deposit=100_000.0)
    desk.buy(3.0)
    assert desk.account["margin"] == 23_002.23
    assert desk.place(BUY_LIMIT, 73_000.0, 2.0).result.retcode == 10009
    assert desk.account["margin"] == 37_057.05
    assert desk.place(SELL_LIMIT, 74_500.0, 10.0).result.retcode == 10009
    assert desk.account["margin"] == 45_563.13


def test_a_forts_order_by_itself_needs_the_margin_of_its_side():
    engine = _desk(FORTS, 73_640.0, margin_mode="exchange").engine
    assert engine.calc_margin(BUY, "SI", 2.0, 73_000.0) == 14_054.82
    assert engine.calc_margin(SELL, "SI", 10.0, 74_500.0) == 68_775.9
    wide = replace(FORTS, margin_currency_rate=50.0)
    assert _desk(wide, 73_640.0).engine.calc_margin(BUY, "SI", 1.0, 73_648.0) == 7680.41


@pytest.mark.fidelity(
    rule="The exchange model keeps one position for each symbol, and shows its own margin mode.",
    section="2.12",
    source="MQL5 docs, ENUM_ACCOUNT_MARGIN_MODE",
    setting="AccountSpec.margin_mode",
)
def test_an_exchange_account_nets():
    desk = _desk(FUTURE, 100.0, margin_mode="exchange")
    desk.buy(1.0)
    desk.sell(3.0)
    (position,) = desk.engine.positions()
    assert (position.type, position.volume, desk.account["margin_mode"]) == (SELL, 2.0, 1)


@pytest.mark.fidelity(
    rule="On an exchange positions hold the initial margin; the stop-out is where the maintenance margin "
    "exceeds the equity.",
    section="4.9",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
    setting="AccountSpec.margin_mode",
)
def test_on_an_exchange_the_stop_out_is_below_the_maintenance_margin():
    desk = _desk(replace(FUTURE, tick_value=10.0), 100.0, margin_mode="exchange", deposit=1000.0)
    desk.buy(1.0)
    assert (desk.account["margin"], desk.account["margin_maintenance"]) == (1000.0, 500.0)
    assert desk.quote(60.0) == []  # a margin call: less equity than initial margin
    assert desk.quote(50.0) == []
    assert [deal.reason for deal in deals(desk.quote(49.0))] == [6]

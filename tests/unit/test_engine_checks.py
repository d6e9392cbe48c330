"""Refusals: each rule by itself, and which rule speaks first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mas_router.errors import InvalidField
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    CLOSE_BY,
    DEAL,
    MODIFY,
    PENDING,
    REMOVE,
    SELL,
    SELL_LIMIT,
    SELL_STOP,
    SELL_STOP_LIMIT,
    SLTP,
    Desk,
)

EURUSD = SYMBOLS["EURUSD"]
POINT = 0.00001


def _desk(spec: SymbolSpec = EURUSD, **account: Any) -> Desk:
    desk = Desk(spec, **account)
    desk.quote(1.1, 1.1002)
    return desk


# ---- the order of the checks -----------------------------------------------------------------------------------------

#: Each step adds one fault to a market order; the newest fault must be the answer, since it is checked earlier.
MARKET_FAULTS: list[tuple[int, dict[str, Any]]] = [
    (10019, {"volume": 90.0, "type_filling": 0}),
    (10016, {"sl": 1.2}),
    (10014, {"volume": 0.001}),
    (10030, {"type_filling": 2}),
    (10035, {"type": 9}),
    (10013, {"symbol": "NOSUCH", "type": BUY}),
    (10013, {"action": 2}),
]


@pytest.mark.fidelity(
    rule="Of several faults of a deal the one that the server checks first is the answer.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
@pytest.mark.parametrize("count", range(1, len(MARKET_FAULTS) + 1))
def test_of_several_faults_of_a_market_order_the_earliest_check_answers(count):
    fields: dict[str, Any] = {"action": DEAL, "type": BUY, "volume": 0.1}
    for _, fault in MARKET_FAULTS[:count]:
        fields |= fault
    desk = _desk()
    outcome = desk.trade(**fields)
    assert outcome.result.retcode == MARKET_FAULTS[count - 1][0]
    assert outcome.changes == ()
    assert outcome.note
    assert desk.engine.history_orders() == [] and desk.engine.orders() == []


PENDING_FAULTS: list[tuple[int, dict[str, Any]]] = [
    (10034, {"volume": 9.0}),
    (10016, {"sl": 1.2}),
    (10015, {"price": 1.2}),
    (10014, {"volume": 0.001}),
    (10022, {"type_time": 2}),
    (10030, {"type_filling": 3}),
    (10035, {"type": BUY}),
]


@pytest.mark.fidelity(
    rule="Of several faults of a pending order the one that the server checks first is the answer.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
@pytest.mark.parametrize("count", range(1, len(PENDING_FAULTS) + 1))
def test_of_several_faults_of_a_pending_order_the_earliest_check_answers(count):
    fields: dict[str, Any] = {"action": PENDING, "type": BUY_LIMIT, "volume": 0.1, "price": 1.09, "type_filling": 2}
    for _, fault in PENDING_FAULTS[:count]:
        fields |= fault
    outcome = _desk(replace(EURUSD, volume_limit=5.0)).trade(**fields)
    assert outcome.result.retcode == PENDING_FAULTS[count - 1][0]


# ---- request, symbol, account ----------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Without a quote there are no prices.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
def test_a_symbol_without_a_quote_has_no_prices():
    desk = Desk()
    outcome = desk.buy(0.1)
    assert (outcome.result.retcode, outcome.result.comment) == (10021, "No prices")
    assert desk.place(BUY_LIMIT, 1.0).result.retcode == 10021


def test_a_symbol_whose_money_cannot_be_converted_has_no_prices_and_the_note_names_what_is_missing():
    desk = Desk(symbol="EURGBP")
    desk.quote(0.85)
    outcome = desk.buy(0.1)
    assert outcome.result.retcode == 10021
    assert "GBPUSD" in outcome.note and "EURUSD" in outcome.note
    assert desk.place(BUY_LIMIT, 0.84).result.retcode == 10021
    desk.quote(1.25, symbol="GBPUSD")
    assert desk.buy(0.1).result.retcode == 10021
    desk.quote(1.1, symbol="EURUSD")
    assert desk.buy(0.1).result.retcode == 10009


def test_a_refusal_carries_the_market_and_a_known_text():
    desk = _desk()
    result = desk.buy(1000.0).result
    assert (result.bid, result.ask, result.comment, result.order, result.deal) == (1.1, 1.1002, "Invalid volume", 0, 0)


def test_request_ids_count_up():
    desk = _desk()
    assert [desk.buy(v).result.request_id for v in (0.1, 1000.0, 0.1)] == [1, 2, 3]


@pytest.mark.fidelity(
    rule="The symbol's trade mode decides what can be opened.",
    section="2.11",
    source="MQL5 docs, ENUM_SYMBOL_TRADE_MODE",
    setting="SymbolSpec.trade_mode",
)
@pytest.mark.parametrize(
    ("mode", "buy", "sell"),
    [(0, 10017, 10017), (1, 10009, 10042), (2, 10043, 10009), (3, 10044, 10044), (4, 10009, 10009)],
)
def test_the_trade_mode_decides_what_may_be_opened(mode, buy, sell):
    desk = _desk(replace(EURUSD, trade_mode=mode))
    assert desk.buy(0.1).result.retcode == buy
    assert desk.sell(0.1).result.retcode == sell
    assert desk.place(BUY_LIMIT, 1.05).result.retcode == buy
    assert desk.place(SELL_LIMIT, 1.15).result.retcode == sell


@pytest.mark.fidelity(
    rule="A long-only symbol can be sold to close.",
    section="2.11",
    source="MQL5 docs, ENUM_SYMBOL_TRADE_MODE",
    setting="SymbolSpec.trade_mode",
)
def test_a_long_only_symbol_can_be_sold_to_close():
    desk = _desk(replace(EURUSD, trade_mode=1))
    ticket = desk.buy(0.1).result.order
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    netting = _desk(replace(EURUSD, trade_mode=1), margin_mode="netting")
    netting.buy(0.1)
    assert netting.sell(0.2).result.retcode == 10042
    assert netting.place(SELL_LIMIT, 1.15, 0.1).result.retcode == 10009
    assert netting.sell(0.1).result.retcode == 10009


def _send(desk: Desk, kind: str, ticket: int) -> int:
    requests = {
        "market": lambda: desk.buy(0.1),
        "limit": lambda: desk.place(BUY_LIMIT, 1.05),
        "stop": lambda: desk.place(BUY_STOP, 1.15),
        "stop_limit": lambda: desk.place(BUY_STOP_LIMIT, 1.15, stoplimit=1.14),
        "sl": lambda: desk.trade(SLTP, position=ticket, sl=1.05),
        "tp": lambda: desk.trade(SLTP, position=ticket, tp=1.15),
        "close_by": lambda: desk.trade(CLOSE_BY, position=ticket, position_by=ticket + 1),
    }
    return requests[kind]().result.retcode


@pytest.mark.fidelity(
    rule="Each bit of SYMBOL_ORDER_MODE allows one kind of orders or levels.",
    section="2.11",
    source="MQL5 docs, SYMBOL_ORDER_MODE",
    setting="SymbolSpec.order_mode",
)
@pytest.mark.parametrize(
    ("kind", "bit"),
    [("market", 1), ("limit", 2), ("stop", 4), ("stop_limit", 8), ("sl", 16), ("tp", 32), ("close_by", 64)],
)
def test_each_bit_of_the_order_mode_forbids_one_kind(kind, bit):
    codes = []
    for mode in (127, 127 - bit):
        desk = _desk()
        ticket = desk.buy(0.1).result.order
        desk.sell(0.1)
        desk.engine.change_symbol(replace(EURUSD, order_mode=mode))
        codes.append(_send(desk, kind, ticket))
    assert codes == [10009, 10035]


@pytest.mark.fidelity(
    rule="No trading on the account 10017, none by programs 10026.",
    section="2.11",
    source="MQL5 docs, Trade Server Return Codes",
    setting="AccountSpec.trade_allowed, AccountSpec.trade_expert",
)
def test_a_disabled_account_and_disabled_programs_have_their_own_codes():
    assert _desk(trade_allowed=False).buy(0.1).result.retcode == 10017
    assert _desk(trade_expert=False).buy(0.1).result.retcode == 10026


@pytest.mark.parametrize("price", [0.0, -1.0, 1e-9, float("nan"), float("inf")])
def test_a_quote_that_is_no_price_is_an_error_and_changes_nothing(price):
    desk = _desk()
    with pytest.raises(InvalidField):
        desk.quote(price, 1.1)
    assert desk.engine.last_quote("EURUSD") == (desk.now - 1_000_000_000, 1.1, 1.1002)


# ---- filling ---------------------------------------------------------------------------------------------------------

FOK, IOC, RETURN, BOC = range(4)


@pytest.mark.fidelity(
    rule="Filling modes by execution mode and by the symbol's flags.",
    section="2.5",
    source="MQL5 docs, ENUM_ORDER_TYPE_FILLING",
    setting="SymbolSpec.filling_mode",
)
@pytest.mark.parametrize(
    ("execution", "mask", "deal", "limit", "stop"),
    [
        # the filling modes that are allowed for a deal, for a limit and for a stop order
        (2, 1, {FOK}, {FOK, RETURN}, {FOK, RETURN}),
        (2, 2, {IOC}, {IOC, RETURN}, {IOC, RETURN}),
        (2, 7, {FOK, IOC}, {FOK, IOC, RETURN, BOC}, {FOK, IOC, RETURN}),
        (3, 0, {RETURN}, {RETURN}, {RETURN}),
        (3, 6, {IOC, RETURN}, {IOC, RETURN, BOC}, {IOC, RETURN}),
        (1, 0, {FOK, IOC, RETURN}, {FOK, IOC, RETURN}, {FOK, IOC, RETURN}),
        (0, 0, {FOK, IOC, RETURN}, {FOK, IOC, RETURN}, {FOK, IOC, RETURN}),
    ],
)
def test_filling_modes_by_execution_mode_and_mask(execution, mask, deal, limit, stop):
    desk = _desk(replace(EURUSD, execution=execution, filling_mode=mask))

    def allowed(send: Any) -> set[int]:
        codes = {filling: send(filling).result.retcode for filling in range(5)}
        assert set(codes.values()) <= {10009, 10030}
        return {filling for filling, code in codes.items() if code == 10009}

    assert allowed(lambda f: desk.buy(0.01, price=1.1002, type_filling=f)) == deal
    assert allowed(lambda f: desk.place(BUY_LIMIT, 1.05, 0.01, type_filling=f)) == limit
    assert allowed(lambda f: desk.place(BUY_STOP, 1.15, 0.01, type_filling=f)) == stop


@pytest.mark.parametrize(("execution", "mask", "used"), [(2, 3, 0), (2, 2, 1), (3, 0, 2)])
def test_a_filling_mode_that_nobody_named_is_chosen_from_the_symbols_and_the_note_says_so(execution, mask, used):
    desk = _desk(replace(EURUSD, execution=execution, filling_mode=mask))
    outcome = desk.buy(0.1, auto_filling=True)
    assert outcome.result.retcode == 10009
    assert desk.engine.history_orders()[0].type_filling == used
    assert bool(outcome.note) is (used != 0)


# ---- volume ----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Volume is between minimum and maximum, in steps from 0.",
    section="2.10",
    source="MQL5 docs, SYMBOL_VOLUME_STEP",
    setting="SymbolSpec.volume_min, volume_max, volume_step",
)
@pytest.mark.parametrize(
    ("volume", "retcode"),
    [(0.0, 10014), (-0.1, 10014), (0.09, 10014), (0.1, 10009), (0.15, 10014), (0.3, 10009), (2.0, 10009), (2.1, 10014)],
)
def test_volume_is_between_minimum_and_maximum_in_steps(volume, retcode):
    desk = _desk(replace(EURUSD, volume_min=0.1, volume_step=0.1, volume_max=2.0), deposit=1e6)
    assert desk.buy(volume).result.retcode == retcode


@pytest.mark.parametrize("volume", [1.0000009, 1.9999999])
def test_a_volume_between_two_steps_is_refused_however_large_the_step_is(volume):
    desk = _desk(replace(EURUSD, volume_min=1.0, volume_step=1.0))
    assert desk.buy(volume).result.retcode == 10014


@pytest.mark.parametrize("margin_mode", ["hedging", "netting"])
def test_binary_noise_in_a_volume_is_no_volume(margin_mode):
    desk = _desk(margin_mode=margin_mode)
    ticket = desk.buy(0.3).result.order
    desk.engine.change_symbol(replace(EURUSD, trade_mode=3))
    outcome = desk.sell(0.1 + 0.2, position=ticket)
    assert (outcome.result.retcode, outcome.result.volume) == (10009, 0.3)
    assert desk.engine.positions() == []


def test_binary_noise_in_stop_levels_is_no_change():
    desk = _desk()
    ticket = desk.buy(0.1, sl=1.095).result.order
    assert desk.trade(SLTP, position=ticket, sl=1.0949999999999998).result.retcode == 10025


@pytest.mark.fidelity(
    rule="Volume limit 5, long 5: a sell limit of 5 passes, a larger one or a buy limit does not.",
    section="2.10",
    source="MetaTrader 5 administrator help, Trade",
    setting="SymbolSpec.volume_limit",
)
def test_the_volume_limit_counts_positions_and_pending_orders_of_one_direction():
    desk = _desk(replace(EURUSD, volume_limit=5.0), deposit=1e6)
    assert desk.buy(5.0).result.retcode == 10009
    assert desk.place(BUY_LIMIT, 1.05, 0.01).result.retcode == 10034
    assert desk.place(SELL_LIMIT, 1.15, 5.01).result.retcode == 10034
    assert desk.place(SELL_LIMIT, 1.15, 5.0).result.retcode == 10009
    assert desk.buy(0.01).result.retcode == 10034


def test_the_volume_limit_of_a_direction_leaves_pending_orders_of_the_other_out():
    desk = _desk(replace(EURUSD, volume_limit=5.0), deposit=1e6)
    desk.place(SELL_LIMIT, 1.2, 5.0)
    assert [desk.place(BUY_LIMIT, 1.0, volume).result.retcode for volume in (5.0, 0.01)] == [10009, 10034]


@pytest.mark.fidelity(
    rule="A volume limit of 5: with 5 lots long, opposite pending orders of 5 together pass, and one more does not.",
    section="2.10",
    source="MQL5 docs, SYMBOL_VOLUME_LIMIT",
    setting="SymbolSpec.volume_limit",
)
def test_opposite_pending_orders_of_a_netting_account_have_the_volume_limit_together():
    desk = Desk(replace(EURUSD, volume_limit=5.0), margin_mode="netting", deposit=1e6)
    desk.quote(1.1, 1.1002)
    desk.buy(5.0)
    assert [desk.place(SELL_LIMIT, 1.2, volume).result.retcode for volume in (3.0, 2.0, 0.01)] == [10009, 10009, 10034]
    assert desk.place(BUY_LIMIT, 1.0, 0.01).result.retcode == 10034
    assert desk.sell(5.0).result.retcode == 10009


def test_a_netting_reversal_is_measured_by_what_it_leaves():
    desk = _desk(replace(EURUSD, volume_limit=5.0), deposit=1e6, margin_mode="netting")
    desk.buy(5.0)
    assert desk.sell(10.01).result.retcode == 10034
    assert desk.sell(10.0).result.retcode == 10009


@pytest.mark.fidelity(
    rule="The number of pending orders is limited, that of deals is not.",
    section="2.10",
    source="MQL5 docs, ACCOUNT_LIMIT_ORDERS",
    setting="AccountSpec.limit_orders",
)
def test_the_number_of_pending_orders_is_limited():
    desk = _desk(limit_orders=2)
    assert [desk.place(BUY_LIMIT, 1.05).result.retcode for _ in range(3)] == [10009, 10009, 10033]
    assert desk.buy(0.1).result.retcode == 10009
    assert [_desk(limit_orders=0).place(BUY_LIMIT, 1.05).result.retcode for _ in range(3)] == [10009] * 3


# ---- prices ----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="A pending order on the wrong side of the market has an invalid price.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
)
@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (BUY_LIMIT, 1.1001, 1.1003),
        (SELL_LIMIT, 1.1001, 1.0999),
        (BUY_STOP, 1.1003, 1.1001),
        (SELL_STOP, 1.0999, 1.1001),
    ],
)
def test_a_pending_order_waits_on_its_own_side_of_the_market(kind, right, wrong):
    desk = _desk()
    assert desk.place(kind, right).result.retcode == 10009
    assert desk.place(kind, wrong).result.retcode == 10015


@pytest.mark.fidelity(
    rule="A pending price equal to the market passes without a stops level only.",
    section="2.3",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="SymbolSpec.stops_level",
)
def test_a_price_at_the_market_is_not_on_the_wrong_side_unless_there_is_a_stops_level():
    assert _desk().place(BUY_LIMIT, 1.1002).result.retcode == 10009
    assert _desk(replace(EURUSD, stops_level=1)).place(BUY_LIMIT, 1.1002).result.retcode == 10015


@pytest.mark.fidelity(
    rule="A price off the tick grid is invalid.",
    section="2.10",
    source="MetaTrader 5 server API, Request Processing on the Server",
    setting="SymbolSpec.tick_size",
)
@pytest.mark.parametrize("price", [0.0, -1.1, 1.095001])
def test_a_price_off_the_tick_grid_is_invalid(price):
    assert _desk().place(BUY_LIMIT, price).result.retcode == 10015


def test_the_tick_size_may_be_coarser_than_a_point():
    desk = _desk(replace(EURUSD, tick_size=0.0005))
    assert desk.place(BUY_LIMIT, 1.0995).result.retcode == 10009
    assert desk.place(BUY_LIMIT, 1.0996).result.retcode == 10015


@pytest.mark.fidelity(
    rule="The limit price of a buy stop limit is below its stop price, that of a sell above.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
)
@pytest.mark.parametrize(
    ("kind", "price", "stoplimit", "retcode"),
    [
        (BUY_STOP_LIMIT, 1.105, 1.104, 10009),
        (BUY_STOP_LIMIT, 1.105, 1.105, 10015),
        (BUY_STOP_LIMIT, 1.105, 1.106, 10015),
        (BUY_STOP_LIMIT, 1.105, 0.0, 10015),
        (BUY_STOP_LIMIT, 1.1, 1.09, 10015),
        (SELL_STOP_LIMIT, 1.095, 1.096, 10009),
        (SELL_STOP_LIMIT, 1.095, 1.094, 10015),
        (SELL_STOP_LIMIT, 1.1005, 1.11, 10015),
    ],
)
def test_a_stop_limits_two_prices_have_their_order(kind, price, stoplimit, retcode):
    assert _desk().place(kind, price, stoplimit=stoplimit).result.retcode == retcode


@pytest.mark.parametrize(
    ("price", "deviation", "retcode"), [(1.1002, 0, 10009), (1.1001, 9, 10004), (1.1001, 10, 10009), (0.0, 10, 10015)]
)
def test_instant_execution_requotes_a_price_that_is_off_by_more_than_the_deviation(price, deviation, retcode):
    desk = _desk(replace(EURUSD, execution=1))
    outcome = desk.buy(0.1, price=price, deviation=deviation)
    assert outcome.result.retcode == retcode
    assert (outcome.result.bid, outcome.result.ask) == (1.1, 1.1002)
    if retcode == 10009:
        assert outcome.result.price == 1.1002
        assert desk.engine.history_orders()[0].price_open == price


@pytest.mark.fidelity(
    rule="Market execution ignores price and deviation.",
    section="2.6",
    source="MQL5 docs, MqlTradeRequest",
    setting="SymbolSpec.execution",
)
def test_market_execution_ignores_the_price():
    desk = _desk()
    assert desk.buy(0.1, price=7.7).result.price == 1.1002
    assert desk.engine.history_orders()[0].price_open == 0.0


# ---- stop levels -----------------------------------------------------------------------------------------------------

LEVELS = replace(EURUSD, stops_level=30)


@pytest.mark.fidelity(
    rule="Stops level 30: levels 29 points from the closing price are refused, 30 are accepted.",
    section="2.4",
    source="MQL5 article 2555",
    setting="SymbolSpec.stops_level",
)
@pytest.mark.parametrize(("points", "retcode"), [(29, 10016), (30, 10009)])
def test_the_stops_level_is_inclusive_and_measured_from_the_closing_price(points, retcode):
    distance = points * POINT
    assert _desk(LEVELS).buy(0.1, sl=round(1.1 - distance, 5)).result.retcode == retcode
    assert _desk(LEVELS).buy(0.1, tp=round(1.1 + distance, 5)).result.retcode == retcode
    assert _desk(LEVELS).sell(0.1, sl=round(1.1002 + distance, 5)).result.retcode == retcode
    assert _desk(LEVELS).sell(0.1, tp=round(1.1002 - distance, 5)).result.retcode == retcode
    desk = _desk(LEVELS)
    ticket = desk.buy(0.1).result.order
    assert desk.trade(SLTP, position=ticket, sl=round(1.1 - distance, 5)).result.retcode == retcode


@pytest.mark.fidelity(
    rule="Stops level 30: levels of a pending order 29 points from its price are refused, 30 are accepted.",
    section="2.4",
    source="MQL5 article 2555",
    setting="SymbolSpec.stops_level",
)
@pytest.mark.parametrize(("points", "retcode"), [(29, 10016), (30, 10009)])
def test_levels_of_a_pending_order_are_measured_from_its_price(points, retcode):
    distance = points * POINT
    for kind, price in ((BUY_LIMIT, 1.09), (BUY_STOP, 1.11)):
        assert _desk(LEVELS).place(kind, price, sl=round(price - distance, 5)).result.retcode == retcode
        assert _desk(LEVELS).place(kind, price, tp=round(price + distance, 5)).result.retcode == retcode
    for kind, price in ((SELL_LIMIT, 1.11), (SELL_STOP, 1.09)):
        assert _desk(LEVELS).place(kind, price, sl=round(price + distance, 5)).result.retcode == retcode
        assert _desk(LEVELS).place(kind, price, tp=round(price - distance, 5)).result.retcode == retcode
    outcome = _desk(LEVELS).place(BUY_STOP_LIMIT, 1.12, stoplimit=1.11, sl=round(1.11 - distance, 5))
    assert outcome.result.retcode == retcode


@pytest.mark.parametrize(("points", "retcode"), [(29, 10015), (30, 10009)])
def test_a_pending_price_keeps_the_stops_level_from_the_market(points, retcode):
    distance = points * POINT
    assert _desk(LEVELS).place(BUY_LIMIT, round(1.1002 - distance, 5)).result.retcode == retcode
    assert _desk(LEVELS).place(SELL_STOP, round(1.1 - distance, 5)).result.retcode == retcode
    desk = _desk(LEVELS)
    ticket = desk.place(BUY_LIMIT, 1.05).result.order
    assert desk.trade(MODIFY, order=ticket, price=round(1.1002 - distance, 5)).result.retcode == retcode


@pytest.mark.fidelity(
    rule="Without a stops level, levels must still be on their side.",
    section="2.4",
    source="MQL5 article 2555",
    setting="SymbolSpec.stops_level",
)
@pytest.mark.parametrize("levels", [{"sl": 1.1}, {"sl": 1.11}, {"tp": 1.1}, {"tp": 1.09}, {"sl": 1.095001}])
def test_without_a_stops_level_the_side_still_counts(levels):
    assert _desk().buy(0.1, **levels).result.retcode == 10016


# ---- freeze level ----------------------------------------------------------------------------------------------------

FROZEN = replace(EURUSD, freeze_level=20)


@pytest.mark.fidelity(
    rule="A pending order as near as the freeze level can be neither changed nor deleted.",
    section="2.4",
    source="MetaTrader 5 administrator help, Trade",
    setting="SymbolSpec.freeze_level",
)
def test_a_pending_order_within_the_freeze_level_can_be_neither_changed_nor_deleted():
    for ask, retcode in ((1.0952, 10029), (1.09521, 10009)):
        desk = _desk(FROZEN)
        ticket = desk.place(BUY_LIMIT, 1.095).result.order
        desk.quote(ask - 0.0001, ask)
        assert desk.trade(MODIFY, order=ticket, price=1.09).result.retcode == retcode
        again = 1.09 if retcode == 10009 else 1.095
        desk.quote(again + 0.0001 + ask - 1.095, again + ask - 1.095)
        assert desk.trade(REMOVE, order=ticket).result.retcode == retcode


@pytest.mark.fidelity(
    rule="A position with a level as near as the freeze level can be neither changed nor closed.",
    section="2.4",
    source="MetaTrader 5 administrator help, Trade",
    setting="SymbolSpec.freeze_level",
)
def test_a_position_within_the_freeze_level_of_a_level_can_be_neither_changed_nor_closed():
    for bid, retcode in ((1.0952, 10029), (1.09521, 10009)):
        desk = _desk(FROZEN)
        ticket = desk.buy(0.2, sl=1.095).result.order
        other = desk.sell(0.2).result.order
        desk.quote(bid)
        assert desk.trade(CLOSE_BY, position=other, position_by=ticket).result.retcode == retcode
        desk = _desk(FROZEN)
        ticket = desk.buy(0.2, sl=1.095).result.order
        desk.quote(bid)
        assert desk.trade(SLTP, position=ticket, sl=1.09, tp=1.2).result.retcode == retcode
        desk = _desk(FROZEN)
        ticket = desk.buy(0.2, sl=1.095).result.order
        desk.quote(bid)
        assert desk.sell(0.1, position=ticket).result.retcode == retcode


@pytest.mark.parametrize(("type", "sl"), [(BUY, 1.097), (SELL, 1.1032)])
def test_a_position_is_frozen_by_the_price_that_would_close_it(type, sl):
    desk = _desk(replace(EURUSD, freeze_level=30))
    ticket = desk.trade(DEAL, type=type, volume=0.1, sl=sl).result.order
    close = {"type": 1 - type, "volume": 0.1, "position": ticket}
    desk.quote(*((1.0973, 1.11) if type == BUY else (1.09, 1.1029)))
    assert desk.trade(DEAL, **close).result.retcode == 10029
    desk.quote(*((1.09731, 1.1) if type == BUY else (1.1, 1.10289)))
    assert desk.trade(DEAL, **close).result.retcode == 10009


def test_closing_does_not_look_at_stop_levels_in_the_request():
    desk = _desk()
    ticket = desk.buy(0.2, sl=1.09).result.order
    assert desk.sell(0.1, position=ticket, sl=1.05, tp=1.2).result.retcode == 10009
    assert [(p.volume, p.sl, p.tp) for p in desk.engine.positions()] == [(0.1, 1.09, 0.0)]


def test_in_exchange_execution_the_price_of_a_stop_order_is_verified():
    desk = _desk(replace(EURUSD, execution=3, stops_level=30))
    assert desk.place(BUY_STOP, 1.0999).result.retcode == 10015
    assert desk.place(BUY_STOP_LIMIT, 1.0999, stoplimit=1.09).result.retcode == 10015
    assert desk.place(SELL_LIMIT, 1.0999).result.retcode == 10009


def test_a_new_order_is_never_frozen():
    desk = _desk(FROZEN)
    assert desk.buy(0.1, sl=1.0999).result.retcode == 10009
    assert desk.trade(DEAL, type=SELL, volume=0.1).result.retcode == 10009


def test_an_order_is_not_removed_with_an_investors_password():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.09).result.order
    desk.engine.change_account(replace(desk.engine.account, read_only=True))
    assert desk.trade(REMOVE, order=ticket).result.retcode == 10017
    assert len(desk.engine.orders()) == 1


def test_positions_of_two_symbols_do_not_close_by_each_other():
    desk = _desk()
    desk.quote(1.25, 1.2502, symbol="GBPUSD")
    first, other = desk.buy(0.1).result.order, desk.sell(0.1, symbol="GBPUSD").result.order
    assert desk.trade(CLOSE_BY, position=first, position_by=other).result.retcode == 10013
    assert len(desk.engine.positions()) == 2

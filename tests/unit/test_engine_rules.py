"""What brokers set: execution modes, gaps and slippage, what a price triggers, limits, closing order, no hedging."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mas_router.orders import State
from sim_worker.engine import OrderChange
from sim_worker.records import Order
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    CLOSE_BY,
    DAY,
    DEAL,
    MODIFY,
    MONDAY,
    PENDING,
    REMOVE,
    SECOND,
    SELL,
    SELL_LIMIT,
    SELL_STOP,
    SLTP,
    Desk,
    deals,
    whys,
)

EURUSD = SYMBOLS["EURUSD"]
PRINCIPLES = "MetaTrader 5 help, Trading Principles"
RETCODES = "MQL5 docs, Trade Server Return Codes"
EXECUTION = "MetaTrader 5 administrator help, Execution"


def _desk(spec: SymbolSpec = EURUSD, **account: Any) -> Desk:
    desk = Desk(spec, **account)
    desk.quote(1.1, 1.1002)
    return desk


# ---- the order of the checks -----------------------------------------------------------------------------------------

#: Each step adds one fault; the newest must be the answer, since it is checked earlier.
FAULTS: list[tuple[int, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # retcode, what changes in the request, in the symbol, in the account
    (10019, {"volume": 90.0}, {}, {}),
    (10034, {}, {"volume_limit": 1.0}, {}),
    (10040, {}, {}, {"limit_positions": 1}),
    (10016, {"sl": 1.2}, {}, {}),
    (10004, {"price": 1.1}, {"execution": 1}, {}),
    (10015, {"price": 0.0}, {}, {}),
    (10014, {"volume": 0.001}, {}, {}),
    (10017, {}, {}, {"read_only": True}),
    (10026, {}, {}, {"trade_expert": False}),
    (10017, {}, {}, {"enabled": False}),
    (10030, {"type_filling": 3}, {}, {}),
    (10021, {}, {"quote_max_delay": 0.5}, {}),
    (10018, {}, {"sessions_trade": "Sun 00:00-01:00"}, {}),
    (10035, {}, {"order_mode": 126}, {}),
    (10042, {"type": SELL}, {"trade_mode": 1}, {}),
    (10032, {}, {"only_real": True}, {}),
    (10017, {}, {"trade_mode": 0}, {}),
    (10013, {"symbol": "NOSUCH"}, {}, {}),
    (10035, {"type": 9}, {}, {}),
    (10013, {"action": 3}, {}, {}),
    (10024, {}, {}, {"requests_per_second": 1}),
]


@pytest.mark.fidelity(
    rule="Of a fault of every kind at once, the one that the server checks first is the answer.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
@pytest.mark.parametrize("count", range(1, len(FAULTS) + 1))
def test_of_all_faults_at_once_the_earliest_check_answers(count):
    desk = _desk()
    desk.buy(0.1)
    request: dict[str, Any] = {"action": DEAL, "type": BUY, "volume": 0.1, "price": 1.1002}
    symbol: dict[str, Any] = {}
    account: dict[str, Any] = {}
    for _, in_request, in_symbol, in_account in FAULTS[:count]:
        request |= in_request
        symbol |= in_symbol
        account |= in_account
    desk.engine.change_account(AccountSpec(**account))
    desk.engine.change_symbol(replace(EURUSD, **symbol))
    if "requests_per_second" in account:
        desk.trade(99)
    desk.now += SECOND // 2 + 1 if "requests_per_second" in account else SECOND
    assert desk.trade(**request).result.retcode == FAULTS[count - 1][0]
    assert len(desk.engine.positions()) == 1


# ---- execution modes -------------------------------------------------------------------------------------------------

INSTANT = replace(EURUSD, execution=1)


@pytest.mark.fidelity(
    rule="Request and instant execution need a price; one further off than the deviation is requoted.",
    section="2.6",
    source=EXECUTION,
    setting="SymbolSpec.execution",
)
@pytest.mark.parametrize("execution", [0, 1])
def test_a_price_that_the_market_left_is_requoted_with_the_new_one(execution):
    desk = _desk(replace(EURUSD, execution=execution))
    assert desk.buy(0.1, deviation=100).result.retcode == 10015
    desk.quote(1.1003, 1.1005)
    requote = desk.buy(0.1, price=1.1002, deviation=29).result
    assert (requote.retcode, requote.bid, requote.ask, requote.comment) == (10004, 1.1003, 1.1005, "Requote")
    done = desk.buy(0.1, price=1.1002, deviation=30).result
    assert (done.retcode, done.price) == (10009, 1.1005)
    order = desk.engine.history_orders()[-1]
    assert (order.price_open, order.price_current) == (1.1002, 1.1005)
    assert desk.sell(0.1, price=1.1, position=done.order, deviation=30).result.retcode == 10009


def test_a_requote_has_prices_though_the_request_names_its_position_only():
    desk = _desk(replace(INSTANT, off_quotes_after=1))
    ticket = desk.buy(0.1, price=1.1002).result.order
    requote = desk.sell(0.1, symbol="", position=ticket, price=1.2).result
    assert (requote.retcode, requote.bid, requote.ask) == (10004, 1.1, 1.1002)
    assert desk.sell(0.1, symbol="", position=ticket, price=1.2).result.retcode == 10021


def test_the_price_that_was_asked_for_is_recorded_without_binary_noise():
    desk = _desk(INSTANT)
    assert desk.buy(0.1, price=1.1002000000000003).result.retcode == 10009
    assert desk.engine.history_orders()[-1].price_open == 1.1002


@pytest.mark.fidelity(
    rule="After too many bad prices in a row, instant execution has no prices until one fits.",
    section="2.6",
    source=EXECUTION,
    setting="SymbolSpec.off_quotes_after",
)
def test_after_too_many_requotes_in_a_row_there_are_no_prices():
    desk = _desk(replace(INSTANT, off_quotes_after=2))
    codes = [desk.buy(0.1, price=price).result.retcode for price in (1.2, 1.2, 1.2, 1.1002, 1.2)]
    assert codes == [10004, 10004, 10021, 10009, 10004]


@pytest.mark.fidelity(
    rule="Exchange execution ignores the price of a deal, as market execution does.",
    section="2.6",
    source="MQL5 docs, MqlTradeRequest",
    setting="SymbolSpec.execution",
)
def test_exchange_execution_ignores_the_price_of_a_deal():
    desk = _desk(replace(EURUSD, execution=3))
    assert desk.buy(0.1, price=7.7).result.price == 1.1002
    assert desk.engine.history_orders()[0].price_open == 0.0


@pytest.mark.fidelity(
    rule="A deal with the type of a pending order is answered with a requote, as a demo server did.",
    section="2.6",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="AccountSpec.pending_deal_retcode",
)
@pytest.mark.parametrize("setting", [10004, 10013, 10035])
def test_a_deal_with_the_type_of_a_pending_order_is_refused(setting):
    desk = _desk(pending_deal_retcode=setting)
    for kind in range(BUY_LIMIT, 8):
        assert desk.trade(DEAL, type=kind, volume=0.1, price=1.1).result.retcode == setting
    assert desk.trade(DEAL, type=8, volume=0.1).result.retcode == 10035


# ---- slippage and gaps -----------------------------------------------------------------------------------------------

SLIPPING = replace(EURUSD, slippage_points=5)


@pytest.mark.fidelity(
    rule="What executes at the market may slip: deals, stop orders and stop losses, but no limit and no take profit.",
    section="2.7",
    source=PRINCIPLES,
    setting="SymbolSpec.slippage_points",
)
def test_slippage_makes_what_executes_at_the_market_worse():
    desk = _desk(SLIPPING)
    bought = desk.buy(0.1, sl=1.09).result
    assert bought.price == 1.10025
    assert desk.sell(0.1).result.price == 1.09995
    desk.place(BUY_STOP, 1.105)
    desk.place(SELL_LIMIT, 1.105)
    assert sorted(d.price for d in deals(desk.quote(1.105, 1.1052))) == [1.105, 1.10525]
    assert [d.price for d in deals(desk.quote(1.089))] == [1.08895]


def test_an_agreed_price_does_not_slip_and_neither_does_a_take_profit():
    desk = _desk(replace(SLIPPING, execution=1))
    assert desk.buy(0.1, price=1.1002, tp=1.11).result.price == 1.1002
    assert [d.price for d in deals(desk.quote(1.111))] == [1.111]


@pytest.mark.fidelity(
    rule="In a gap a stop order and a stop loss get the first price beyond their level.",
    section="2.7",
    source=PRINCIPLES,
)
def test_stops_in_a_gap_get_the_first_price_beyond():
    desk = _desk()
    desk.buy(0.1, sl=1.09)
    desk.place(SELL_STOP, 1.085)
    assert [(d.reason, d.price) for d in deals(desk.quote(1.07, 1.0702))] == [(4, 1.07), (3, 1.07)]


@pytest.mark.fidelity(
    rule="A take profit in a gap gets the better price, or its own.",
    section="2.7",
    source=PRINCIPLES,
    setting="AccountSpec.tp_gap_policy",
)
@pytest.mark.parametrize(("policy", "price"), [("improve", 1.12), ("at_price", 1.11)])
def test_a_take_profit_in_a_gap(policy, price):
    desk = _desk(tp_gap_policy=policy)
    desk.buy(0.1, tp=1.11)
    assert [d.price for d in deals(desk.quote(1.12))] == [price]


# ---- exchanges: the last price triggers ------------------------------------------------------------------------------

#: Exchange stocks, in market execution so that pending prices are verified.
STOCK = replace(EURUSD, calc_mode=32, contract_size=100.0)


@pytest.mark.fidelity(
    rule="In the exchange modes the last price triggers orders and stop levels, and bid and ask execute them.",
    section="2.3",
    source=PRINCIPLES,
    setting="SymbolSpec.calc_mode",
)
def test_on_an_exchange_the_last_price_triggers_and_the_book_executes():
    desk = Desk(STOCK)
    engine = desk.engine

    def quote(bid: float, ask: float, last: float) -> Any:
        desk.now += SECOND
        return engine.quote("EURUSD", desk.now, bid, ask, last)

    quote(1.1, 1.1002, 1.1001)
    assert engine.last_price("EURUSD") == engine.symbol_row("EURUSD")["last"] == 1.1001
    desk.buy(0.1, sl=1.09, tp=1.12)
    desk.place(BUY_LIMIT, 1.095)
    desk.place(BUY_STOP, 1.11)
    assert quote(1.085, 1.0852, 1.1) == []  # the bid alone triggers nothing
    assert [d.price for d in deals(quote(1.1, 1.1002, 1.11))] == [1.1002]
    assert [d.price for d in deals(quote(1.0948, 1.0952, 1.095))] == [1.095]
    assert [(d.reason, d.price) for d in deals(quote(1.0905, 1.0907, 1.09))] == [(4, 1.0905)]
    desk.trade(SLTP, position=engine.positions()[0].ticket, tp=1.2)
    assert [(d.reason, d.price) for d in deals(quote(1.18, 1.21, 1.2))] == [(5, 1.18)]


def test_without_a_last_price_the_bid_stands_for_it():
    desk = Desk(STOCK)
    desk.quote(1.1, 1.1002)
    desk.place(BUY_LIMIT, 1.095)
    assert desk.quote(1.0951, 1.0952) == []
    assert whys(desk.quote(1.095, 1.0955)) == ["filled", "deal"]


def test_on_an_exchange_prices_are_measured_from_the_last_price():
    desk = Desk(replace(STOCK, stops_level=10))
    desk.engine.quote("EURUSD", desk.now, 1.09, 1.11, 1.1)
    assert desk.place(BUY_LIMIT, 1.0999).result.retcode == 10009
    assert desk.place(BUY_LIMIT, 1.105).result.retcode == 10015
    assert desk.buy(0.1, sl=1.0999).result.retcode == 10009
    assert desk.buy(0.1, sl=1.09995).result.retcode == 10016


def test_the_horizon_follows_the_last_prices():
    desk = Desk(STOCK)
    desk.engine.quote("EURUSD", desk.now, 1.1, 1.1002, 1.1)
    desk.place(BUY_LIMIT, 1.09)
    times = desk.now + SECOND * np.arange(1, 101, dtype=np.int64)
    flat, lasts = np.full(100, 1.1), np.full(100, 1.1)
    lasts[70:] = 1.09
    assert desk.engine.next_event("EURUSD", times, flat, flat, lasts) == 70
    assert desk.engine.next_event("EURUSD", times, lasts, flat, flat) == 100
    assert desk.engine.next_event("EURUSD", times, lasts, flat) == 70


# ---- pending orders --------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="A pending price on the right side but nearer than the stops level is refused with 10015, or 10016.",
    section="2.4",
    source="MetaTrader 5 administrator help, Trade",
    setting="AccountSpec.near_pending_retcode",
)
@pytest.mark.parametrize("setting", [10015, 10016])
def test_a_pending_order_too_near_to_the_market_has_its_own_answer(setting):
    desk = _desk(replace(EURUSD, stops_level=30), near_pending_retcode=setting)
    assert desk.place(BUY_LIMIT, 1.1).result.retcode == setting
    assert desk.place(BUY_STOP, 1.1003).result.retcode == setting
    assert desk.place(BUY_LIMIT, 1.1002).result.retcode == 10015
    assert desk.place(BUY_LIMIT, 1.11).result.retcode == 10015


@pytest.mark.fidelity(
    rule="Prices outside the limits of the session are invalid.",
    section="3",
    source="MQL5 docs, SYMBOL_SESSION_PRICE_LIMIT_MIN",
    setting="SymbolSpec.price_limit_min, SymbolSpec.price_limit_max",
)
def test_prices_outside_the_limits_of_the_session_are_invalid():
    desk = _desk(replace(EURUSD, price_limit_min=1.05, price_limit_max=1.15))
    codes = [desk.place(BUY_LIMIT, price).result.retcode for price in (1.04999, 1.05)]
    codes += [desk.place(BUY_STOP, price).result.retcode for price in (1.15, 1.15001)]
    assert codes == [10015, 10009, 10009, 10015]
    assert desk.place(BUY_LIMIT, 1.0499999999999998).result.retcode == 10009  # binary noise


@pytest.mark.fidelity(
    rule="SPECIFIED_DAY ends at 23:59:59 of its day, or at its beginning.",
    section="2.9",
    source="MQL5 docs, ENUM_ORDER_TYPE_TIME; MetaTrader 5 administrator help, Trade",
    setting="AccountSpec.specified_day_end",
)
@pytest.mark.parametrize(("setting", "ends"), [("23:59:59", 2 * DAY - SECOND), ("00:00:00", DAY)])
def test_an_order_until_a_day_ends_at_the_end_or_the_beginning_of_it(setting, ends):
    desk = _desk(specified_day_end=setting)
    desk.place(BUY_LIMIT, 1.09, type_time=3, expiration=(MONDAY + DAY) // SECOND + 3_600)
    assert desk.engine.clock(MONDAY + ends - 1) == []
    assert whys(desk.engine.clock(MONDAY + ends)) == ["expired"]


@pytest.mark.fidelity(
    rule="A daily mode ends only GTC orders with the day.",
    section="2.9",
    source="MQL5 docs, ENUM_SYMBOL_ORDER_GTC_MODE",
    setting="SymbolSpec.order_gtc_mode",
)
def test_the_daily_mode_leaves_orders_with_an_expiration_of_their_own_alone():
    desk = _desk(replace(EURUSD, order_gtc_mode=1))
    desk.place(BUY_LIMIT, 1.09, type_time=2, expiration=(MONDAY + 3 * DAY) // SECOND)
    assert desk.engine.clock(MONDAY + 2 * DAY) == []
    assert whys(desk.engine.clock(MONDAY + 3 * DAY)) == ["expired"]


@pytest.mark.fidelity(
    rule="A change of an order that the market has just ended, or turned into a limit order, answers 10023.",
    section="3",
    source=RETCODES,
)
@pytest.mark.parametrize("action", [MODIFY, REMOVE])
def test_a_change_that_comes_just_too_late_finds_the_order_changed(action):
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.09).result.order
    desk.quote(1.08)
    assert desk.trade(action, order=ticket, price=1.07).result.retcode == 10023
    desk.now += 1
    assert desk.trade(action, order=ticket, price=1.07).result.retcode == 10013
    ticket = desk.place(BUY_LIMIT, 1.07, type_time=2, expiration=desk.now // SECOND + 1).result.order
    desk.now = (desk.now // SECOND + 1) * SECOND
    outcome = desk.trade(action, order=ticket, price=1.06)
    assert (outcome.result.retcode, whys(outcome.changes)) == (10023, ["expired"])


def test_a_stop_limit_that_has_become_a_limit_takes_no_stop_limit_price_any_more():
    desk = _desk()
    ticket = desk.place(BUY_STOP_LIMIT, 1.105, stoplimit=1.103).result.order
    desk.quote(1.106, 1.1062)
    assert desk.trade(MODIFY, order=ticket, price=1.107, stoplimit=1.104).result.retcode == 10023
    assert desk.trade(MODIFY, order=ticket, price=1.104).result.retcode == 10009


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Hedging: pending orders count towards the limit of positions.",
    section="2.10",
    source=RETCODES,
    setting="AccountSpec.limit_positions",
)
def test_on_a_hedging_account_pending_orders_count_as_positions():
    desk = _desk(limit_positions=2)
    ticket = desk.buy(0.1).result.order
    desk.place(BUY_LIMIT, 1.05)
    assert desk.buy(0.1).result.retcode == 10040
    assert desk.place(BUY_LIMIT, 1.05).result.retcode == 10040
    assert whys(desk.quote(1.05)) == ["filled", "deal"]
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    assert desk.buy(0.1).result.retcode == 10009


@pytest.mark.fidelity(
    rule="Netting: only positions count, and symbols that have one pass; what opens one too many is rejected.",
    section="2.10",
    source=RETCODES,
    setting="AccountSpec.limit_positions",
)
def test_on_a_netting_account_orders_for_symbols_in_position_pass_the_limit():
    desk = _desk(limit_positions=1, margin_mode="netting")
    desk.quote(1.25, 1.2502, symbol="GBPUSD")
    desk.place(BUY_LIMIT, 1.2, symbol="GBPUSD")
    desk.buy(0.1)
    assert desk.buy(0.1).result.retcode == 10009
    assert desk.place(SELL_LIMIT, 1.2).result.retcode == 10009
    assert desk.buy(0.1, symbol="GBPUSD").result.retcode == 10040
    assert desk.place(BUY_LIMIT, 1.2, symbol="GBPUSD").result.retcode == 10040
    (change,) = desk.quote(1.19, symbol="GBPUSD")
    assert isinstance(change, OrderChange)
    assert (change.state, change.retcode, change.order.state) == (State.REJECTED, 10041, 5)


@pytest.mark.fidelity(
    rule="What only closes: on hedging accounts market orders, on netting accounts opposite pending orders too.",
    section="2.11",
    source="MetaTrader 5 administrator help, Trade",
    setting="SymbolSpec.trade_mode",
)
def test_close_only_means_market_closes_on_hedging_and_also_opposite_pendings_on_netting():
    close_only = replace(EURUSD, trade_mode=3)
    hedging = _desk()
    ticket = hedging.buy(0.2).result.order
    hedging.place(BUY_LIMIT, 1.05)
    hedging.engine.change_symbol(close_only)
    assert hedging.buy(0.1).result.retcode == hedging.sell(0.1).result.retcode == 10044
    assert hedging.place(SELL_LIMIT, 1.2).result.retcode == 10044
    assert hedging.sell(0.1, position=ticket).result.retcode == 10009
    assert whys(hedging.quote(1.05)) == ["rejected"]
    netting = _desk(margin_mode="netting")
    netting.buy(0.2)
    netting.engine.change_symbol(close_only)
    assert netting.buy(0.1).result.retcode == 10044
    assert netting.sell(0.3).result.retcode == 10044
    assert netting.place(SELL_LIMIT, 1.2, 0.3).result.retcode == 10044
    assert netting.place(SELL_LIMIT, 1.2, 0.2).result.retcode == 10009
    assert netting.sell(0.1).result.retcode == 10009


def test_a_disabled_symbol_executes_nothing_until_it_is_enabled_again():
    desk = _desk()
    desk.buy(0.1, sl=1.09)
    desk.engine.change_symbol(replace(EURUSD, trade_mode=0))
    assert desk.quote(1.08) == []
    desk.engine.change_symbol(EURUSD)
    assert whys(desk.quote(1.08)) == ["deal"]


# ---- first in, first out ---------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="First in, first out: only the oldest position of a symbol can be closed.",
    section="2.11",
    source=RETCODES,
    setting="AccountSpec.fifo_close",
)
def test_first_in_first_out_closes_the_oldest_position_first():
    desk = _desk(fifo_close=True)
    tickets = []
    for _ in range(2):
        tickets.append(desk.buy(0.1).result.order)
        desk.quote(1.1)
    short = desk.sell(0.1).result.order
    assert desk.sell(0.1, position=tickets[1]).result.retcode == 10045
    assert desk.trade(CLOSE_BY, position=tickets[1], position_by=short).result.retcode == 10045
    assert desk.sell(0.1, position=tickets[0]).result.retcode == 10009
    assert desk.sell(0.1, position=tickets[1]).result.retcode == 10009
    assert desk.engine.account_row()["fifo_close"] is True


def test_first_in_first_out_mirrors_no_stop_levels_to_the_other_direction():
    desk = _desk(fifo_close=True)
    desk.sell(0.1, sl=1.2)
    desk.buy(0.1, sl=1.05)
    assert [p.sl for p in desk.engine.positions()] == [1.2, 1.05]


def test_first_in_first_out_counts_each_direction_by_itself():
    desk = _desk(fifo_close=True)
    desk.sell(0.1)
    desk.quote(1.1)
    ticket = desk.buy(0.1).result.order
    assert desk.sell(0.1, position=ticket).result.retcode == 10009


def test_first_in_first_out_goes_by_the_time_of_a_position_not_by_the_ticket_of_its_order():
    desk = _desk(fifo_close=True)
    waited = desk.place(BUY_LIMIT, 1.095).result.order
    older = desk.buy(0.1).result.order
    desk.quote(1.094)
    assert desk.sell(0.1, position=waited).result.retcode == 10045
    assert desk.sell(0.1, position=older).result.retcode == 10009


@pytest.mark.parametrize("margin_mode", ["hedging", "netting"])
def test_first_in_first_out_keeps_a_partial_close_on_the_oldest_position(margin_mode):
    desk = _desk(fifo_close=True, margin_mode=margin_mode)
    ticket = desk.buy(0.3, sl=1.09).result.order
    desk.quote(1.1)
    desk.buy(0.1, sl=1.08)
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    desk.quote(1.1)
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    assert {p.sl for p in desk.engine.positions()} == {1.08}


@pytest.mark.fidelity(
    rule="First in, first out: stop levels of one position are those of all positions of the symbol.",
    section="2.11",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.fifo_close",
)
def test_first_in_first_out_mirrors_stop_levels_over_the_positions_of_a_symbol():
    def levels(desk: Desk) -> list[tuple[float, float]]:
        return [(p.sl, p.tp) for p in desk.engine.positions()]

    desk = _desk(fifo_close=True)
    first = desk.buy(0.1).result.order
    desk.buy(0.1, sl=1.09)
    assert levels(desk) == [(1.09, 0.0)] * 2
    desk.buy(0.1)
    assert levels(desk) == [(1.09, 0.0)] * 3
    desk.trade(SLTP, position=first, sl=1.08, tp=1.2)
    assert levels(desk) == [(1.08, 1.2)] * 3
    closed = deals(desk.quote(1.07))
    assert [d.position_id for d in closed] == sorted(d.position_id for d in closed)
    assert len(closed) == 3


# ---- no hedging ------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Where opposite positions are prohibited, so are opposite deals and pending orders.",
    section="2.11",
    source=RETCODES,
    setting="AccountSpec.hedge_allowed",
)
def test_without_hedging_no_opposite_position_or_pending_order_is_taken():
    desk = _desk(hedge_allowed=False)
    desk.place(SELL_STOP, 1.05)
    ticket = desk.buy(0.1).result.order
    assert desk.sell(0.1).result.retcode == 10046
    assert desk.place(SELL_LIMIT, 1.2).result.retcode == 10046
    assert desk.place(BUY_LIMIT, 1.07).result.retcode == 10009
    assert desk.buy(0.1).result.retcode == 10009
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    changes = desk.quote(1.05, 1.0902)
    assert [change.state for change in changes if isinstance(change, OrderChange)] == [State.REJECTED]
    netting = _desk(hedge_allowed=False, margin_mode="netting")
    netting.buy(0.1)
    assert netting.sell(0.3).result.retcode == 10009


# ---- records ---------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Netting: a position has the magic number and the comment of its last deal, a reduction included.",
    section="2.12",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="AccountSpec.margin_mode",
)
def test_a_netting_position_has_magic_and_comment_of_its_last_deal_and_a_hedging_one_of_its_first():
    for mode, expected in (("netting", (2, "out")), ("hedging", (1, "in"))):
        desk = _desk(margin_mode=mode)
        ticket = desk.buy(0.3, magic=1, comment="in").result.order
        desk.sell(0.1, magic=2, comment="out", position=ticket)
        (position,) = desk.engine.positions()
        assert (position.magic, position.comment) == expected


@pytest.mark.fidelity(
    rule="Each action leaves its records: orders in the history, deals, and nothing for MODIFY and SLTP.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_each_action_leaves_its_records():
    desk = _desk()
    first = desk.buy(0.2, sl=1.05).result.order
    second = desk.sell(0.1).result.order
    desk.trade(SLTP, position=first, sl=1.06)
    limit = desk.place(BUY_LIMIT, 1.05).result.order
    desk.trade(MODIFY, order=limit, price=1.04)
    desk.trade(REMOVE, order=limit)
    by = desk.trade(CLOSE_BY, position=first, position_by=second).result.order
    closing = desk.sell(0.1, position=first).result.order

    def record(order: Order) -> tuple[int, int, int, int, int, float]:
        return order.ticket, order.type, order.state, order.position_id, order.position_by_id, order.volume_current

    assert [record(order) for order in desk.engine.history_orders()] == [
        (first, BUY, 4, first, 0, 0.0),
        (second, SELL, 4, second, 0, 0.0),
        (limit, BUY_LIMIT, 2, 0, 0, 0.1),
        (by, 8, 4, first, second, 0.0),
        (closing, SELL, 4, first, 0, 0.0),
    ]
    assert [(d.order, d.entry, d.position_id) for d in desk.deals()] == [
        (first, 0, first),
        (second, 0, second),
        (by, 3, first),
        (by, 3, second),
        (closing, 1, first),
    ]
    assert all(order.time_done >= order.time_setup > 0 for order in desk.engine.history_orders())


def test_a_pending_request_of_every_type_keeps_its_type_in_the_history():
    desk = _desk()
    for kind, price, extra in ((BUY_LIMIT, 1.05, {}), (BUY_STOP_LIMIT, 1.15, {"stoplimit": 1.14})):
        ticket = desk.trade(PENDING, type=kind, volume=0.1, price=price, type_filling=2, **extra).result.order
        desk.trade(REMOVE, order=ticket)
        assert desk.engine.history_orders()[-1].type == kind

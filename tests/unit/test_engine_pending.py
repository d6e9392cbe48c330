"""Pending orders: placed, modified, cancelled, triggered, filled, rejected, expired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mas_router.orders import State
from sim_worker.engine import OrderChange
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    DAY,
    MODIFY,
    MONDAY,
    REMOVE,
    SECOND,
    SELL_LIMIT,
    SELL_STOP,
    SELL_STOP_LIMIT,
    SLTP,
    Desk,
    deals,
    whys,
)

EURUSD = SYMBOLS["EURUSD"]


def _desk(*specs: SymbolSpec, **account: object) -> Desk:
    desk = Desk(*specs, **account)
    desk.quote(1.1, 1.1002)
    return desk


@pytest.mark.fidelity(
    rule="Placing a pending order answers 10009 with its ticket and no deal.",
    section="1.9",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_a_placed_order_answers_done_and_is_accepted():
    desk = _desk()
    outcome = desk.place(BUY_LIMIT, 1.095, magic=3, client_id="c-1", comment="mine")
    assert (outcome.result.retcode, outcome.result.deal, outcome.result.price) == (10009, 0, 1.095)
    (change,) = outcome.changes
    assert isinstance(change, OrderChange)
    assert (change.state, change.why, change.retcode, change.order.client_id) == (
        State.ACCEPTED,
        "placed",
        10009,
        "c-1",
    )
    (order,) = desk.engine.orders()
    assert (order.ticket, order.state, order.magic, order.comment) == (outcome.result.order, 1, 3, "mine")
    assert desk.engine.history_orders() == []


@pytest.mark.fidelity(
    rule="Buys trigger at the ask, sells at the bid; limits fill at their price, stops at the market.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
)
@pytest.mark.parametrize(
    ("kind", "price", "near", "at", "fill"),
    [
        # type, order price, a quote that does not trigger, one that does, and the fill price
        (BUY_LIMIT, 1.095, (1.0949, 1.0951), (1.0946, 1.0948), 1.095),
        (SELL_LIMIT, 1.105, (1.1049, 1.1053), (1.1053, 1.1055), 1.105),
        (BUY_STOP, 1.105, (1.1047, 1.1049), (1.1051, 1.1053), 1.1053),
        (SELL_STOP, 1.095, (1.0951, 1.0953), (1.0946, 1.0948), 1.0946),
    ],
)
def test_an_order_triggers_on_its_own_side_and_limits_fill_at_their_price_but_stops_at_the_market(
    kind, price, near, at, fill
):
    desk = _desk()
    ticket = desk.place(kind, price).result.order
    assert desk.quote(*near) == []
    changes = desk.quote(*at)
    assert whys(changes) == ["filled", "deal"]
    (deal,) = deals(changes)
    assert (deal.price, deal.order, deal.position_id, deal.entry) == (fill, ticket, ticket, 0)
    (order,) = desk.engine.history_orders()
    assert (order.ticket, order.state, order.price_open) == (ticket, 4, price)
    assert desk.engine.orders() == []


@pytest.mark.fidelity(
    rule="A limit order in a gap, a terminal's log: deal at 75.750, price_current in the history 75.670.",
    section="2.7",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="AccountSpec.limit_gap_policy",
)
def test_a_limit_in_a_gap_fills_at_its_own_price_while_the_history_shows_the_market():
    rouble = SymbolSpec("USDRUB", digits=3, currency_base="USD", currency_profit="RUB", currency_margin="USD")
    desk = Desk(rouble, deposit=100_000.0)
    desk.quote(76.2)
    desk.place(BUY_LIMIT, 75.750, 1.0)
    (deal,) = deals(desk.quote(75.670))
    assert deal.price == 75.750
    (order,) = desk.engine.history_orders()
    assert (order.price_open, order.price_current) == (75.750, 75.670)


@pytest.mark.fidelity(
    rule="A limit order in a gap may get the better price.",
    section="2.7",
    source="MetaTrader 5 help, Trading Principles",
    setting="AccountSpec.limit_gap_policy",
)
def test_a_limit_in_a_gap_takes_the_better_price_when_the_account_says_so():
    desk = _desk(limit_gap_policy="improve")
    desk.place(BUY_LIMIT, 1.095)
    (deal,) = deals(desk.quote(1.09, 1.0901))
    assert deal.price == 1.0901


@pytest.mark.fidelity(
    rule="A buy stop opens under its ticket; its take profit of 1818.89 fires at 1818.91.",
    section="2.7",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="AccountSpec.tp_gap_policy",
)
def test_a_buy_stop_opens_under_its_own_ticket_and_its_take_profit_fires_at_the_better_price():
    desk = Desk(replace(SYMBOLS["XAUUSD"], stops_level=0))
    desk.quote(1810.0, 1810.2)
    ticket = desk.place(BUY_STOP, 1812.91, 0.01, sl=1808.00, tp=1818.89).result.order
    (opened,) = deals(desk.quote(1812.8, 1812.95))
    assert (opened.entry, opened.position_id, opened.price) == (0, ticket, 1812.95)
    (closed,) = deals(desk.quote(1818.91, 1819.1))
    assert (closed.reason, closed.price, closed.comment) == (5, 1818.91, "[tp 1818.89]")
    assert closed.profit == 5.96


@pytest.mark.fidelity(
    rule="Positions are looked at before pending orders, so a new position's levels wait for the next tick.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
def test_what_a_pending_order_opens_is_judged_by_the_next_tick():
    desk = _desk()
    desk.place(BUY_STOP, 1.105, tp=1.107)
    assert whys(desk.quote(1.108, 1.1082)) == ["filled", "deal"]
    assert [d.reason for d in deals(desk.quote(1.108, 1.1082))] == [5]


# ---- stop-limit ------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="A buy stop limit at 1.10520 with limit 1.09531 is placed while the market is at 1.0953.",
    section="2.3",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_a_buy_stop_limit_far_above_the_market_is_accepted():
    desk = Desk()
    desk.quote(1.0953, 1.09534)
    outcome = desk.place(BUY_STOP_LIMIT, 1.1052, stoplimit=1.09531)
    assert outcome.result.retcode == 10009
    assert outcome.result.order > 0


@pytest.mark.fidelity(
    rule="A triggered stop limit goes on under its ticket as a limit order, with a new set-up time and filling RETURN.",
    section="2.8",
    source="MetaTrader 5 administrator help, Orders",
)
@pytest.mark.parametrize(
    ("kind", "price", "stoplimit", "trigger", "fill", "limit"),
    [
        (BUY_STOP_LIMIT, 1.105, 1.103, (1.1049, 1.1051), (1.1027, 1.1029), BUY_LIMIT),
        (SELL_STOP_LIMIT, 1.095, 1.097, (1.0949, 1.0951), (1.0971, 1.0973), SELL_LIMIT),
    ],
)
def test_a_stop_limit_becomes_a_limit_under_the_same_ticket_and_then_fills(
    kind, price, stoplimit, trigger, fill, limit
):
    desk = _desk()
    ticket = desk.place(kind, price, stoplimit=stoplimit, type_filling=0, client_id="c-1").result.order
    (step,) = desk.quote(*trigger)
    assert isinstance(step, OrderChange)
    assert (step.state, step.why, step.order.client_id) == (State.TRIGGERED, "triggered", "c-1")
    (order,) = desk.engine.orders()
    assert (order.ticket, order.type, order.price_open, order.stoplimit) == (ticket, limit, stoplimit, 0.0)
    assert (order.time_setup, order.type_filling) == (desk.now, 2)
    assert desk.deals() == []
    changes = desk.quote(*fill)
    assert whys(changes) == ["filled", "deal"]
    assert deals(changes)[0].price == stoplimit
    assert deals(changes)[0].order == ticket


def test_a_triggered_stop_limit_stays_triggered_when_it_is_modified():
    desk = _desk()
    ticket = desk.place(BUY_STOP_LIMIT, 1.105, stoplimit=1.103).result.order
    desk.quote(1.1049, 1.1051)
    (change,) = desk.trade(MODIFY, order=ticket, price=1.102).changes
    assert isinstance(change, OrderChange)
    assert change.state is State.TRIGGERED
    assert deals(desk.quote(1.1018, 1.102))[0].price == 1.102


# ---- modify and cancel -----------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="MODIFY replaces everything; omitted levels are deleted.",
    section="1.8",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_a_modification_replaces_everything_and_omitted_levels_are_deleted():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095, sl=1.09, tp=1.11).result.order
    outcome = desk.trade(MODIFY, order=ticket, price=1.096, tp=1.12)
    assert (outcome.result.retcode, outcome.result.order, outcome.result.price) == (10009, ticket, 1.096)
    (change,) = outcome.changes
    assert isinstance(change, OrderChange)
    assert (change.state, change.why, change.message) == (State.ACCEPTED, "modified", "modified")
    (order,) = desk.engine.orders()
    assert (order.price_open, order.sl, order.tp, order.volume_current) == (1.096, 0.0, 1.12, 0.1)
    assert desk.quote(1.0955, 1.0957)[0].order.ticket == ticket


def test_a_modification_away_from_the_market_moves_the_trigger_away():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095).result.order
    desk.trade(MODIFY, order=ticket, price=1.09)
    assert desk.quote(1.094, 1.0942) == []
    assert whys(desk.quote(1.0899, 1.09)) == ["filled", "deal"]


@pytest.mark.fidelity(
    rule="MODIFY to what the order is already answers 10025.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
def test_a_modification_to_the_same_values_answers_no_changes():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095, sl=1.09).result.order
    assert desk.trade(MODIFY, order=ticket, price=1.095, sl=1.09).result.retcode == 10025


def test_a_modification_can_set_and_lift_an_expiration():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095).result.order
    soon = desk.now // SECOND + 60
    assert desk.trade(MODIFY, order=ticket, price=1.095, type_time=2, expiration=soon).result.retcode == 10009
    assert desk.trade(MODIFY, order=ticket, price=1.095).result.retcode == 10009
    assert desk.engine.clock((soon + 1) * SECOND) == []


@pytest.mark.fidelity(
    rule="REMOVE: the order goes to the history as CANCELED, without a deal.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_a_cancelled_order_goes_to_history_without_a_deal():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095, client_id="c-1").result.order
    outcome = desk.trade(REMOVE, order=ticket)
    assert (outcome.result.retcode, outcome.result.order) == (10009, ticket)
    (change,) = outcome.changes
    assert isinstance(change, OrderChange)
    assert (change.state, change.why, change.order.client_id) == (State.CANCELED, "canceled", "c-1")
    (order,) = desk.engine.history_orders()
    assert (order.state, order.time_done, order.volume_current) == (2, desk.now, 0.1)
    assert desk.deals() == []
    assert desk.quote(1.08) == []


@pytest.mark.fidelity(
    rule="An order that does not rest can be neither changed nor removed: 10013.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
@pytest.mark.parametrize("action", [REMOVE, MODIFY])
def test_an_order_that_does_not_rest_cannot_be_changed(action):
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095).result.order
    desk.quote(1.09)
    desk.now += SECOND
    for unknown in (ticket, 99, 0):
        outcome = desk.trade(action, order=unknown, price=1.09)
        assert (outcome.result.retcode, outcome.changes) == (10013, ())


# ---- activation without money ----------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="A pending order that triggers without the money ends REJECTED, with 10041.",
    section="2.2",
    source="MetaTrader 5 help, Trading Principles",
)
def test_a_trigger_without_the_money_rejects_the_order_for_good():
    desk = _desk(deposit=100.0)
    assert desk.place(BUY_STOP, 1.105, 1.0, client_id="c-1").result.retcode == 10009  # pendings reserve nothing
    (change,) = desk.quote(1.106)
    assert isinstance(change, OrderChange)
    assert (change.state, change.why, change.retcode) == (State.REJECTED, "rejected", 10041)
    assert "No money" in change.message
    assert desk.engine.history_orders()[0].state == 5
    assert desk.engine.orders() == [] and desk.deals() == []
    assert desk.quote(1.107) == []


# ---- expiration ------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="DAY ends with the day, SPECIFIED at its second, SPECIFIED_DAY at 23:59:59; the order is EXPIRED.",
    section="2.9",
    source="MQL5 docs, ENUM_ORDER_TYPE_TIME",
    setting="AccountSpec.specified_day_end",
)
@pytest.mark.parametrize(
    ("fields", "ends"),
    [
        ({"type_time": 1}, MONDAY + DAY),
        ({"type_time": 2, "expiration": MONDAY // SECOND + 60_000}, MONDAY + 60_000 * SECOND),
        ({"type_time": 3, "expiration": MONDAY // SECOND + 90_000}, MONDAY + 2 * DAY - SECOND),
    ],
)
def test_an_order_expires_at_its_moment_by_the_clock_or_by_a_tick(fields, ends):
    for by_clock in (True, False):
        desk = _desk()
        ticket = desk.place(BUY_LIMIT, 1.095, **fields).result.order
        assert desk.engine.clock(ends - 1) == []
        engine = desk.engine
        # A tick that would trigger it comes too late.
        (change,) = engine.clock(ends + 5 * SECOND) if by_clock else engine.quote("EURUSD", ends, 1.0, 1.0)
        assert isinstance(change, OrderChange)
        assert (change.state, change.why, change.time, change.order.ticket) == (State.EXPIRED, "expired", ends, ticket)
        (order,) = desk.engine.history_orders()
        assert (order.state, order.time_done) == (6, ends)


def test_orders_expire_in_the_order_of_their_moments():
    desk = _desk()
    start = desk.now // SECOND
    late = desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=start + 20).result.order
    early = desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=start + 10).result.order
    assert [c.order.ticket for c in desk.engine.clock(desk.now + DAY)] == [early, late]


@pytest.mark.fidelity(
    rule="An expiration that is missing, past or unknown is refused.",
    section="2.9",
    source="MQL5 docs, Trade Server Return Codes",
)
@pytest.mark.parametrize(
    "fields",
    [
        {"type_time": 2},
        {"type_time": 2, "expiration": MONDAY // SECOND},
        {"type_time": 3, "expiration": MONDAY // SECOND - 1},
        {"type_time": 4},
    ],
)
def test_an_expiration_that_is_missing_past_or_unknown_is_refused(fields):
    assert _desk().place(BUY_LIMIT, 1.095, **fields).result.retcode == 10022


def test_an_expiration_at_this_very_moment_is_past():
    desk = _desk()
    assert desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=desk.now // SECOND).result.retcode == 10022
    assert desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=desk.now // SECOND + 1).result.retcode == 10009


@pytest.mark.fidelity(
    rule="An expiration mode that the symbol does not allow is refused.",
    section="2.9",
    source="MQL5 docs, SYMBOL_EXPIRATION_MODE",
    setting="SymbolSpec.expiration_mode",
)
def test_an_expiration_mode_that_the_symbol_lacks_is_refused():
    desk = _desk(replace(EURUSD, expiration_mode=1))
    assert desk.place(BUY_LIMIT, 1.095).result.retcode == 10009
    assert desk.place(BUY_LIMIT, 1.095, type_time=1).result.retcode == 10022


def test_an_expiration_that_a_modification_sets_is_kept_though_nothing_else_ends():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095).result.order
    ends = desk.now // SECOND + 10
    desk.trade(MODIFY, order=ticket, price=1.095, type_time=2, expiration=ends)
    assert whys(desk.engine.clock(ends * SECOND)) == ["expired"]


def test_a_gtc_order_drops_an_expiration_and_outlives_it():
    desk = _desk()
    desk.place(BUY_LIMIT, 1.095, expiration=desk.now // SECOND + 10)
    assert desk.engine.orders()[0].expiration == 0
    assert desk.engine.clock(desk.now + 100 * DAY) == []


@pytest.mark.fidelity(
    rule="In the daily modes GTC orders end with the day, and in one of them stop levels too.",
    section="2.9",
    source="MQL5 docs, ENUM_SYMBOL_ORDER_GTC_MODE",
    setting="SymbolSpec.order_gtc_mode",
)
@pytest.mark.parametrize(("mode", "stop_loss"), [(1, 0.0), (2, 1.05)])
def test_a_daily_symbol_ends_gtc_orders_with_the_day_and_perhaps_the_stop_levels_too(mode, stop_loss):
    desk = _desk(replace(EURUSD, order_gtc_mode=mode))
    desk.buy(0.1, sl=1.05)
    desk.place(BUY_LIMIT, 1.095)
    assert whys(desk.engine.clock(MONDAY + DAY)) == ["expired"]
    assert desk.engine.positions()[0].sl == stop_loss
    assert len(desk.engine.quote("EURUSD", MONDAY + DAY + SECOND, 1.04, 1.04)) == (1 if stop_loss else 0)


@pytest.mark.parametrize(("mode", "stop_loss"), [(1, 0.0), (2, 1.05)])
def test_a_symbol_that_becomes_daily_ends_what_rests_already_with_that_day(mode, stop_loss):
    desk = _desk()
    desk.buy(0.1, sl=1.05)
    desk.place(BUY_LIMIT, 1.095)
    desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=(MONDAY + 3 * DAY) // SECOND)
    desk.engine.change_symbol(replace(EURUSD, order_gtc_mode=mode))
    assert whys(desk.engine.clock(MONDAY + DAY)) == ["expired"]
    assert desk.engine.positions()[0].sl == stop_loss


def test_a_symbol_that_is_daily_no_more_keeps_what_rests():
    desk = _desk(replace(EURUSD, order_gtc_mode=1))
    desk.place(BUY_LIMIT, 1.095)
    desk.engine.change_symbol(EURUSD)
    assert desk.engine.clock(MONDAY + 2 * DAY) == []


def test_stop_levels_that_are_set_after_the_change_of_the_day_last_until_the_next_one():
    desk = _desk(replace(EURUSD, order_gtc_mode=1))
    ticket = desk.buy(0.1, sl=1.05).result.order
    desk.engine.clock(MONDAY + DAY)
    desk.now = MONDAY + DAY
    desk.trade(SLTP, position=ticket, sl=1.06)
    desk.quote(1.1)
    assert desk.engine.positions()[0].sl == 1.06
    desk.engine.clock(MONDAY + 2 * DAY)
    assert desk.engine.positions()[0].sl == 0.0


def test_a_request_that_finds_expired_orders_reports_them_first():
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.095, type_time=2, expiration=desk.now // SECOND + 10).result.order
    desk.now += 20 * SECOND
    outcome = desk.buy(0.1)
    assert whys(outcome.changes) == ["expired", "filled", "deal"]
    assert outcome.changes[0].order.ticket == ticket


def test_a_modification_that_differs_by_binary_noise_answers_no_changes():
    desk = _desk()
    ticket = desk.place(BUY_STOP_LIMIT, 1.11, stoplimit=1.105, sl=1.095).result.order
    fields = {"price": 1.1100000000000003, "stoplimit": 1.1049999999999998, "sl": 1.0949999999999998}
    assert desk.trade(MODIFY, order=ticket, **fields).result.retcode == 10025


# ---- exchange execution ----------------------------------------------------------------------------------------------

EXCHANGE = replace(EURUSD, execution=3, filling_mode=7)


@pytest.mark.fidelity(
    rule="Exchange execution does not verify the price of a limit order; a marketable one executes at once.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
    setting="SymbolSpec.execution",
)
def test_in_exchange_execution_a_limit_beyond_the_market_executes_at_once_at_the_market():
    desk = _desk(EXCHANGE)
    outcome = desk.place(BUY_LIMIT, 1.15)
    assert whys(outcome.changes) == ["placed", "filled", "deal"]
    assert deals(outcome.changes)[0].price == 1.1002
    assert outcome.result.deal == deals(outcome.changes)[0].ticket


@pytest.mark.fidelity(
    rule="In exchange execution a limit order that is modified to what the market has reached executes at once.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
    setting="SymbolSpec.execution",
)
def test_in_exchange_execution_a_limit_that_is_moved_beyond_the_market_executes_at_once_at_the_market():
    desk = _desk(EXCHANGE)
    ticket = desk.place(BUY_LIMIT, 1.05).result.order
    outcome = desk.trade(MODIFY, order=ticket, price=1.15)
    assert whys(outcome.changes) == ["modified", "filled", "deal"]
    (deal,) = deals(outcome.changes)
    assert (deal.price, outcome.result.retcode, outcome.result.deal) == (1.1002, 10009, deal.ticket)


def test_a_book_or_cancel_order_that_is_moved_beyond_the_market_is_cancelled():
    desk = _desk(EXCHANGE)
    ticket = desk.place(BUY_LIMIT, 1.05, type_filling=3).result.order
    assert whys(desk.trade(MODIFY, order=ticket, price=1.15).changes) == ["modified", "dropped"]
    assert desk.engine.positions() == [] == desk.engine.orders()


def test_a_book_or_cancel_order_may_only_rest():
    desk = _desk(EXCHANGE)
    assert whys(desk.place(BUY_LIMIT, 1.15, type_filling=3).changes) == ["placed", "dropped"]
    assert whys(desk.place(BUY_LIMIT, 1.05, type_filling=3).changes) == ["placed"]
    assert desk.place(BUY_STOP, 1.15, type_filling=3).result.retcode == 10030

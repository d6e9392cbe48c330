"""Filling modes where a quote offers less than an order wants: what is executed, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mas_router.orders import State
from sim_worker.engine import Change, DealChange, OrderChange
from sim_worker.specs import SymbolSpec
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
    SLTP,
    Desk,
    deals,
    whys,
)

FOK, IOC, RETURN, BOC = range(4)
STARTED, PLACED, CANCELED, PARTIAL, FILLED, REJECTED = range(6)
FILLING = "MQL5 docs, ENUM_ORDER_TYPE_FILLING"
#: Exchange execution with all filling modes, and 0.3 lots on each side of each quote.
THIN = replace(SYMBOLS["EURUSD"], execution=3, filling_mode=7, liquidity=0.3)


def _desk(spec: SymbolSpec = THIN, **account: Any) -> Desk:
    desk = Desk(spec, **account)
    desk.quote(1.1, 1.1002)
    return desk


def _states(changes: Any) -> list[tuple[State, float, float]]:
    """State, executed volume and rest of each order change."""
    found = [change.order for change in changes if isinstance(change, OrderChange)]
    states = [change.state for change in changes if isinstance(change, OrderChange)]
    return [
        (state, round(o.volume_initial - o.volume_current, 8), o.volume_current)
        for state, o in zip(states, found, strict=True)
    ]


@pytest.mark.fidelity(
    rule="IOC executes what is there, answers 10010, and the rest is cancelled.",
    section="2.5",
    source=FILLING,
    setting="SymbolSpec.liquidity",
)
def test_an_immediate_or_cancel_order_takes_what_is_there_and_cancels_the_rest():
    desk = _desk()
    outcome = desk.buy(0.5, type_filling=IOC, client_id="c-1")
    assert (outcome.result.retcode, outcome.result.volume, outcome.result.price) == (10010, 0.3, 1.1002)
    assert outcome.result.deal == deals(outcome.changes)[0].ticket
    assert whys(outcome.changes) == ["partial", "deal", "dropped"]
    assert _states(outcome.changes) == [(State.PARTIALLY_FILLED, 0.3, 0.2), (State.CANCELED, 0.3, 0.2)]
    (order,) = desk.engine.history_orders()
    assert (order.state, order.volume_initial, order.volume_current) == (CANCELED, 0.5, 0.2)
    assert desk.engine.orders() == []
    assert [p.volume for p in desk.engine.positions()] == [0.3]
    assert desk.quote(1.1) == []


@pytest.mark.fidelity(
    rule="With RETURN the rest stays as an active order in state PARTIAL, under the ticket that the position has, too.",
    section="2.5",
    source="MetaTrader 5 help, Orders",
    setting="SymbolSpec.liquidity",
)
def test_the_rest_of_a_return_order_rests_under_the_positions_ticket_and_fills_on_the_next_quotes():
    desk = _desk()
    outcome = desk.buy(0.8, type_filling=RETURN, sl=1.09)
    ticket = outcome.result.order
    assert (outcome.result.retcode, outcome.result.volume) == (10010, 0.3)
    (order,) = desk.engine.orders()
    assert (order.ticket, order.state, order.type, order.volume_current) == (ticket, PARTIAL, BUY, 0.5)
    assert desk.engine.positions()[0].ticket == ticket
    second = desk.quote(1.1, 1.1005)
    assert whys(second) == ["partial", "deal"]
    third = desk.quote(1.1, 1.1008)
    assert _states(third) == [(State.FILLED, 0.8, 0.0)]
    (done,) = desk.engine.history_orders()
    assert (done.ticket, done.state, done.volume_current) == (ticket, FILLED, 0.0)
    (position,) = desk.engine.positions()
    assert (position.ticket, position.volume, position.sl) == (ticket, 0.8, 1.09)
    assert position.price_open == round((0.3 * 1.1002 + 0.3 * 1.1005 + 0.2 * 1.1008) / 0.8, 8)
    assert {d.position_id for d in desk.deals()} == {d.order for d in desk.deals()} == {ticket}
    assert desk.quote(1.1) == []


def test_levels_that_were_changed_between_two_parts_of_an_order_stay():
    desk = _desk()
    ticket = desk.buy(0.5, type_filling=RETURN, sl=1.09).result.order
    desk.trade(SLTP, position=ticket, sl=1.095)
    desk.quote(1.1)
    assert [(p.volume, p.sl) for p in desk.engine.positions()] == [(0.5, 1.095)]


@pytest.mark.fidelity(
    rule="FOK is all or nothing: where the volume is not there, the order is cancelled and the request refused.",
    section="2.5",
    source=FILLING,
    setting="AccountSpec.unfilled_retcode",
)
@pytest.mark.parametrize(
    ("setting", "state"), [(10006, State.REJECTED), (10018, State.REJECTED), (10009, State.CANCELED)]
)
def test_a_fill_or_kill_order_that_finds_too_little_executes_nothing(setting, state):
    desk = _desk(unfilled_retcode=setting)
    outcome = desk.buy(0.5, type_filling=FOK)
    assert (outcome.result.retcode, outcome.result.volume, outcome.result.deal) == (setting, 0.0, 0)
    (change,) = outcome.changes
    assert isinstance(change, OrderChange)
    assert (change.state, change.retcode) == (state, setting)
    (order,) = desk.engine.history_orders()
    assert (order.ticket, order.state, order.volume_current) == (outcome.result.order, CANCELED, 0.5)
    assert desk.deals() == [] and desk.engine.positions() == []
    assert desk.buy(0.3, type_filling=FOK).result.retcode == 10009


def test_what_one_order_took_is_not_there_for_the_next_but_the_other_side_and_the_next_quote_are():
    desk = _desk()
    assert desk.buy(0.2).result.retcode == 10009
    assert desk.buy(0.2).result.retcode == 10006
    assert desk.buy(0.2, type_filling=IOC).result.volume == 0.1
    assert desk.buy(0.1, type_filling=IOC).result.retcode == 10006
    assert desk.sell(0.3).result.retcode == 10009
    desk.quote(1.1, 1.1002)
    assert desk.buy(0.3).result.retcode == 10009


@pytest.mark.fidelity(
    rule="A deal that has to wait for volume answers 10008, and its fill comes later.",
    section="1.9",
    source="book MQL5 Programming for Traders, Sending a trade request: OrderSend and OrderSendAsync",
    setting="SymbolSpec.liquidity",
)
def test_a_return_order_that_finds_nothing_is_placed_and_waits():
    desk = _desk()
    desk.buy(0.3)
    outcome = desk.buy(0.2, type_filling=RETURN)
    assert (outcome.result.retcode, outcome.result.deal, outcome.result.comment) == (10008, 0, "Order placed")
    assert _states(outcome.changes) == [(State.ACCEPTED, 0.0, 0.2)]
    assert desk.engine.orders()[0].state == PLACED
    assert whys(desk.quote(1.1)) == ["filled", "deal"]


@pytest.mark.fidelity(
    rule="An order cancelled after a partial fill ends CANCELED with a rest; PARTIAL exists only while it is active.",
    section="2.13",
    source="book MQL5 Programming for Traders, Order properties",
    setting="SymbolSpec.liquidity",
)
def test_the_rest_of_an_order_can_be_cancelled_but_not_modified():
    desk = _desk()
    ticket = desk.buy(0.5, type_filling=RETURN).result.order
    assert desk.trade(MODIFY, order=ticket, price=1.2).result.retcode == 10013
    outcome = desk.trade(REMOVE, order=ticket)
    assert _states(outcome.changes) == [(State.CANCELED, 0.3, 0.2)]
    (order,) = desk.engine.history_orders()
    assert (order.state, order.volume_current) == (CANCELED, 0.2)
    assert [p.volume for p in desk.engine.positions()] == [0.3]


# ---- pending orders --------------------------------------------------------------------------------------------------


def _limit(desk: Desk, filling: int, **fields: Any) -> int:
    return desk.place(BUY_LIMIT, 1.09, 0.5, type_filling=filling, **fields).result.order


def test_a_return_limit_fills_in_parts_as_long_as_its_price_is_there():
    desk = _desk()
    ticket = _limit(desk, RETURN)
    assert _states(desk.quote(1.089)) == [(State.PARTIALLY_FILLED, 0.3, 0.2)]
    assert desk.quote(1.091) == []
    assert _states(desk.quote(1.089)) == [(State.FILLED, 0.5, 0.0)]
    assert [d.volume for d in desk.deals()] == [0.3, 0.2]
    assert [(p.ticket, p.volume, p.price_open) for p in desk.engine.positions()] == [(ticket, 0.5, 1.09)]


def test_a_partly_filled_limit_that_is_modified_says_that_it_is_partly_filled():
    desk = _desk()
    ticket = _limit(desk, RETURN)
    desk.quote(1.089)
    (change,) = desk.trade(MODIFY, order=ticket, price=1.08).changes
    assert isinstance(change, OrderChange)
    assert (change.state, change.why) == (State.PARTIALLY_FILLED, "modified")
    assert desk.quote(1.085) == []


def test_a_partly_filled_order_can_expire():
    desk = _desk()
    _limit(desk, RETURN, type_time=2, expiration=desk.now // SECOND + 60)
    desk.quote(1.089)
    assert _states(desk.engine.clock(desk.now + 60 * SECOND)) == [(State.EXPIRED, 0.3, 0.2)]


@pytest.mark.fidelity(
    rule="A triggered order keeps its filling mode: IOC cancels the rest, FOK that finds too little is cancelled.",
    section="2.5",
    source=FILLING,
    setting="SymbolSpec.liquidity",
)
@pytest.mark.parametrize(("filling", "filled"), [(FOK, 0.0), (IOC, 0.3)])
def test_a_triggered_order_with_fok_or_ioc_leaves_nothing_in_the_book(filling, filled):
    desk = _desk()
    _limit(desk, filling)
    changes = desk.quote(1.089)
    assert _states(changes)[-1] == (State.CANCELED, filled, round(0.5 - filled, 8))
    assert desk.engine.orders() == []
    assert desk.engine.history_orders()[-1].state == CANCELED


def test_a_stop_order_that_was_filled_in_part_goes_on_at_any_price():
    desk = _desk()
    desk.place(BUY_STOP, 1.105, 0.5, type_filling=RETURN)
    assert _states(desk.quote(1.105)) == [(State.PARTIALLY_FILLED, 0.3, 0.2)]
    assert _states(desk.quote(1.1)) == [(State.FILLED, 0.5, 0.0)]


def test_a_stop_order_that_found_nothing_waits_for_its_price_again():
    desk = _desk()
    desk.place(BUY_STOP, 1.105, 0.3, type_filling=RETURN)
    late = desk.place(BUY_STOP, 1.105, 0.2, type_filling=RETURN).result.order
    assert _states(desk.quote(1.105)) == [(State.FILLED, 0.3, 0.0)]
    assert [(order.ticket, order.state) for order in desk.engine.orders()] == [(late, PLACED)]
    assert desk.quote(1.1) == []
    assert _states(desk.quote(1.105)) == [(State.FILLED, 0.2, 0.0)]


def test_an_order_whose_position_was_closed_in_between_opens_it_again_under_its_own_ticket():
    desk = _desk()
    ticket = desk.buy(0.5, type_filling=RETURN, sl=1.09).result.order
    changes = desk.quote(1.089)
    assert [(d.reason, d.volume) for d in deals(changes)] == [(4, 0.3), (3, 0.2)]
    assert [(p.ticket, p.identifier, p.volume) for p in desk.engine.positions()] == [(ticket, ticket, 0.2)]


def test_a_partly_filled_order_that_runs_out_of_money_is_cancelled():
    desk = _desk(deposit=400.0)
    _limit(desk, RETURN)
    assert _states(desk.quote(1.0899)) == [(State.REJECTED, 0.0, 0.5)]
    desk = _desk(deposit=700.0)
    _limit(desk, RETURN)
    desk.quote(1.0899)
    changes = desk.quote(1.08)  # the loss of what it holds has eaten the margin of the rest
    assert _states(changes) == [(State.CANCELED, 0.3, 0.2)]
    assert isinstance(changes[0], OrderChange) and changes[0].retcode == 10041


@pytest.mark.fidelity(
    rule="In exchange execution a marketable limit order is accepted and executes at once, as far as there is volume.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
    setting="SymbolSpec.execution",
)
@pytest.mark.parametrize(
    ("filling", "retcode", "states"),
    [
        (RETURN, 10010, [(State.ACCEPTED, 0.0, 0.5), (State.PARTIALLY_FILLED, 0.3, 0.2)]),
        (IOC, 10010, [(State.ACCEPTED, 0.0, 0.5), (State.PARTIALLY_FILLED, 0.3, 0.2), (State.CANCELED, 0.3, 0.2)]),
        (FOK, 10009, [(State.ACCEPTED, 0.0, 0.5), (State.CANCELED, 0.0, 0.5)]),
        (BOC, 10009, [(State.ACCEPTED, 0.0, 0.5), (State.CANCELED, 0.0, 0.5)]),
    ],
)
def test_a_marketable_limit_on_a_thin_exchange(filling, retcode, states):
    desk = _desk()
    outcome = desk.place(BUY_LIMIT, 1.15, 0.5, type_filling=filling)
    assert (outcome.result.retcode, _states(outcome.changes)) == (retcode, states)
    assert [d.price for d in deals(outcome.changes)] == ([1.1002] if filling in (RETURN, IOC) else [])


@pytest.mark.fidelity(
    rule="BOC may only rest: it is cancelled if it would execute at once, and fills as a resting order later.",
    section="2.5",
    source=FILLING,
    setting="SymbolSpec.filling_mode",
)
def test_a_book_or_cancel_order_at_the_market_is_cancelled_in_every_execution_mode():
    for execution in range(4):
        desk = _desk(replace(THIN, execution=execution))
        assert whys(desk.place(BUY_LIMIT, 1.1002, type_filling=BOC).changes) == ["placed", "dropped"]
        assert whys(desk.place(BUY_LIMIT, 1.1001, type_filling=BOC).changes) == ["placed"]
        assert whys(desk.quote(1.1, 1.1001)) == ["filled", "deal"]


def test_book_or_cancel_is_for_limit_and_stop_limit_orders():
    desk = _desk()
    assert desk.buy(0.1, type_filling=BOC).result.retcode == 10030
    assert desk.place(BUY_STOP, 1.11, type_filling=BOC).result.retcode == 10030
    assert desk.place(BUY_STOP_LIMIT, 1.11, stoplimit=1.1, type_filling=BOC).result.retcode == 10009


@pytest.mark.fidelity(
    rule="Where orders end with the day, so does the rest of a market order.",
    section="2.9",
    source="MQL5 docs, ENUM_SYMBOL_ORDER_GTC_MODE",
    setting="SymbolSpec.order_gtc_mode",
)
@pytest.mark.parametrize("mode", [1, 2])
def test_the_rest_of_a_market_order_ends_with_the_day_where_orders_do(mode):
    desk = _desk(replace(THIN, order_gtc_mode=mode))
    desk.buy(0.5, type_filling=RETURN)
    (change,) = desk.engine.clock(MONDAY + DAY)
    assert isinstance(change, OrderChange)
    assert (change.state, change.order.volume_current, change.time) == (State.EXPIRED, 0.2, MONDAY + DAY)
    assert desk.engine.orders() == []


def test_what_an_order_has_opened_does_not_let_its_rest_open_more_on_a_close_only_symbol():
    desk = _desk()
    desk.place(BUY_LIMIT, 1.09, 0.5)
    desk.quote(1.089, 1.09)
    desk.engine.change_symbol(replace(THIN, trade_mode=3))
    assert _states(desk.quote(1.089, 1.09)) == [(State.CANCELED, 0.3, 0.2)]


def test_a_limit_that_executes_at_once_in_part_answers_with_that_part():
    assert _desk().place(BUY_LIMIT, 1.15, 0.5).result.volume == 0.3


def test_the_rest_of_a_market_order_is_no_pending_order_for_the_limit_of_their_number():
    desk = _desk(limit_orders=1)
    desk.buy(0.5, type_filling=RETURN)
    assert [desk.place(BUY_LIMIT, 1.05, 0.1).result.retcode for _ in range(2)] == [10009, 10033]


def test_a_partly_filled_pending_order_counts_once_for_the_limit_of_positions():
    desk = _desk(limit_positions=2)
    desk.place(BUY_LIMIT, 1.1002, 0.5)
    assert (len(desk.engine.positions()), len(desk.engine.orders())) == (1, 1)
    desk.engine.change_symbol(THIN)  # the liquidity of the quote is as new
    assert [desk.buy(0.1).result.retcode for _ in range(2)] == [10009, 10040]


def test_the_rest_of_a_market_order_is_never_frozen():
    desk = _desk(replace(THIN, freeze_level=50))
    ticket = desk.buy(0.5, type_filling=RETURN).result.order
    desk.engine.change_symbol(replace(THIN, freeze_level=200_000))
    assert desk.trade(REMOVE, order=ticket).result.retcode == 10009


# ---- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="A stop level closes what can be closed; the rest keeps its levels, and they fire at the next quote.",
    section="2.2",
    source="MetaTrader 5 help, Trading Principles",
    setting="SymbolSpec.liquidity",
)
def test_a_stop_loss_closes_as_much_as_the_market_takes_and_goes_on_with_the_next_quote():
    desk = _desk()
    desk.buy(0.3, sl=1.09)
    desk.quote(1.1)
    desk.buy(0.3, sl=1.09)
    first = desk.quote(1.089)
    assert [(d.reason, d.volume) for d in deals(first)] == [(4, 0.3)]
    assert all(isinstance(change, DealChange) for change in first)
    assert [(p.volume, p.sl) for p in desk.engine.positions()] == [(0.3, 1.09)]
    assert [d.volume for d in deals(desk.quote(1.089))] == [0.3]
    assert desk.engine.positions() == []


def test_a_partial_close_by_a_level_leaves_a_cancelled_rest_in_the_order():
    desk = _desk()
    ticket = desk.buy(0.3, sl=1.09).result.order
    desk.quote(1.1)
    desk.engine.change_symbol(replace(THIN, liquidity=0.2))
    desk.quote(1.089)
    order = desk.engine.history_orders()[-1]
    assert (order.state, order.volume_initial, order.volume_current, order.reason) == (CANCELED, 0.3, 0.1, 4)
    (left,) = desk.engine.positions()
    assert (left.ticket, left.volume, left.sl) == (ticket, 0.1, 1.09)


def _closing(volume: float) -> tuple[Desk, int, int]:
    """A position of 0.6 lots, and an order that closes this volume of it, half of which is under way."""
    desk = _desk()
    ticket = desk.buy(0.6, type_filling=RETURN).result.order
    desk.quote(1.1)
    return desk, ticket, desk.sell(volume, position=ticket, type_filling=RETURN).result.order


@pytest.mark.fidelity(
    rule="What closing orders that are under way cover cannot be closed once more.",
    section="2.10",
    source="MQL5 docs, Trade Server Return Codes",
    setting="SymbolSpec.liquidity",
)
def test_a_position_that_an_order_is_closing_already_is_not_closed_twice():
    desk, ticket, _ = _closing(0.5)
    assert desk.engine.positions()[0].volume == 0.3
    assert desk.sell(0.2, position=ticket, type_filling=IOC).result.retcode == 10039
    desk.engine.change_symbol(replace(THIN, liquidity=1.0))
    assert desk.sell(0.1, position=ticket, type_filling=IOC).result.retcode == 10009
    assert whys(desk.quote(1.1)) == ["filled", "deal"]
    assert desk.engine.positions() == []


def test_the_rest_of_a_closing_order_never_opens_a_position():
    desk, ticket, closing = _closing(0.6)
    desk.trade(SLTP, position=ticket, sl=1.09)
    first = desk.quote(1.05)
    assert [d.reason for d in deals(first)] == [4]
    assert _states(first) == [(State.CANCELED, 0.3, 0.3)]
    assert isinstance(first[-1], OrderChange) and first[-1].order.ticket == closing
    assert desk.engine.positions() == [] and desk.engine.orders() == []
    assert desk.quote(1.05) == []


def test_the_rest_of_a_closing_order_closes_no_more_than_a_stop_loss_has_left():
    desk, ticket, closing = _closing(0.6)
    desk.trade(SLTP, position=ticket, sl=1.09)
    desk.engine.change_symbol(replace(THIN, liquidity=0.2))
    assert [(d.reason, d.volume) for d in deals(desk.quote(1.09))] == [(4, 0.2)]
    assert [(d.order, d.entry, d.volume) for d in deals(desk.quote(1.095))] == [(closing, 1, 0.1)]
    assert desk.engine.positions() == []
    assert _states(desk.quote(1.095)) == [(State.CANCELED, 0.4, 0.2)]
    assert desk.engine.positions() == [] and desk.engine.orders() == []


@pytest.mark.fidelity(
    rule="A position that an order is closing already cannot be closed by an opposite one.",
    section="2.10",
    source="MQL5 docs, Trade Server Return Codes",
    setting="SymbolSpec.liquidity",
)
@pytest.mark.parametrize("first", [True, False])
def test_a_position_that_an_order_is_closing_already_is_not_closed_by_another(first):
    desk, ticket, closing = _closing(0.5)
    desk.engine.change_symbol(replace(THIN, liquidity=1.0))
    other = desk.sell(0.1).result.order
    pair = {"position": ticket, "position_by": other} if first else {"position": other, "position_by": ticket}
    assert desk.trade(CLOSE_BY, **pair).result.retcode == 10039
    desk.trade(REMOVE, order=closing)
    assert desk.trade(CLOSE_BY, **pair).result.retcode == 10009


def test_a_netting_position_is_closed_and_reversed_in_parts():
    desk = _desk(margin_mode="netting")
    desk.buy(0.3)
    desk.sell(0.9, type_filling=RETURN)
    assert desk.engine.positions() == []
    changes: list[Change] = desk.quote(1.1)
    assert [d.entry for d in deals(changes)] == [0]
    changes = desk.quote(1.1)
    (position,) = desk.engine.positions()
    assert (position.type, position.volume) == (SELL, 0.6)
    assert [d.entry for d in desk.deals()] == [0, 1, 0, 0]


@pytest.mark.parametrize("rules", ["documentation", "server_help"])
@pytest.mark.fidelity(
    rule="Which filling modes an execution mode takes: the documentation and the server's help differ.",
    section="2.5",
    source="MQL5 docs, ENUM_ORDER_TYPE_FILLING; MetaTrader 5 administrator help, Trade",
    setting="AccountSpec.filling_rules",
)
def test_the_servers_help_is_stricter_about_filling_modes(rules):
    def codes(execution: int, action: int, **fields: Any) -> list[int]:
        desk = _desk(replace(SYMBOLS["EURUSD"], execution=execution, filling_mode=3), filling_rules=rules)
        return [desk.trade(action, type_filling=mode, volume=0.1, **fields).result.retcode for mode in range(3)]

    strict = rules == "server_help"
    limit = {"type": BUY_LIMIT, "price": 1.05}
    for execution in (0, 1):
        expected = [10009, 10030, 10030] if strict else [10009] * 3
        assert codes(execution, DEAL, type=BUY, price=1.1002) == expected
        assert codes(execution, PENDING, **limit) == expected
    assert codes(2, DEAL, type=BUY) == [10009, 10009, 10030]
    assert codes(2, PENDING, **limit) == [10009] * 3
    assert codes(2, PENDING, type=BUY_STOP, price=1.15) == [10009, 10009, 10030 if strict else 10009]
    assert codes(3, DEAL, type=BUY) == [10009] * 3

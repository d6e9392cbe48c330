"""Market orders: what opens, grows, shrinks, reverses and closes positions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mas_router.messages import TradeRequest
from mas_router.orders import State
from sim_worker.engine import DealChange, OrderChange
from sim_worker.records import row
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY, BUY_LIMIT, CLOSE_BY, DEAL, NOON, SECOND, SELL, SLTP, Desk, deals, whys

IN, OUT, INOUT, OUT_BY = range(4)


def test_a_market_buy_fills_at_the_ask_and_a_market_sell_at_the_bid():
    desk = Desk()
    desk.quote(1.1, 1.1002)
    assert desk.buy(0.1).result.price == 1.1002
    assert desk.sell(0.1).result.price == 1.1
    assert [p.price_current for p in desk.engine.positions()] == [1.1, 1.1002]


@pytest.mark.fidelity(
    rule="A deal answers 10009 with order, deal, volume and price; its order is FILLED before its deal is reported.",
    section="1.9",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_a_market_order_answers_done_and_reports_the_status_before_the_execution():
    desk = Desk()
    desk.quote(1.1, 1.1002)
    outcome = desk.buy(0.1, magic=7, comment="mine", client_id="c-1")
    result = outcome.result
    assert (result.retcode, result.volume, result.bid, result.ask) == (10009, 0.1, 1.1, 1.1002)
    assert result.comment == "Request executed"
    status, execution = outcome.changes
    assert isinstance(status, OrderChange) and isinstance(execution, DealChange)
    assert (status.state, status.why, status.retcode) == (State.FILLED, "filled", 10009)
    assert (status.order.ticket, status.order.client_id, status.order.volume_current) == (result.order, "c-1", 0.0)
    assert (execution.deal.ticket, execution.deal.order) == (result.deal, result.order)
    assert (execution.deal.entry, execution.deal.reason, execution.deal.magic) == (IN, 3, 7)
    assert status.time == execution.time == execution.deal.time == desk.now


@pytest.mark.fidelity(
    rule="A market order in the history: price_open 0 in market execution, price_current the deal's price.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_the_order_of_a_market_order_keeps_price_zero_and_the_execution_price_as_current():
    desk = Desk()
    desk.quote(1.1)
    desk.buy(0.1)
    (order,) = desk.engine.history_orders()
    assert (order.price_open, order.price_current, order.volume_current, order.state) == (0.0, 1.1, 0.0, 4)
    assert order.position_id == order.ticket


def test_quotes_are_rounded_to_the_symbols_digits_so_binary_noise_reaches_no_record():
    desk = Desk()
    desk.quote(1.1, 1.1000000000000003)
    assert desk.buy(0.1, sl=1.0998).result.price == 1.1
    assert deals(desk.quote(1.0998000000000001))[0].price == 1.0998


@pytest.mark.fidelity(
    rule="A position has the ticket of the order that opened it; deals have numbers of their own.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_orders_and_positions_share_numbers_and_deals_have_their_own():
    desk = Desk()
    desk.quote(1.1)
    outcome = desk.buy(0.1)
    (position,) = desk.engine.positions()
    assert position.ticket == position.identifier == outcome.result.order
    assert outcome.result.deal != outcome.result.order


@pytest.mark.fidelity(
    rule="Hedging: a deal that names no position opens one.",
    section="2.12",
    source="MetaTrader 5 help, Trading Principles",
    setting="AccountSpec.margin_mode",
)
def test_an_opposite_deal_without_a_position_opens_a_second_position_on_a_hedging_account():
    desk = Desk()
    desk.quote(1.1)
    desk.buy(0.1)
    desk.sell(0.1)
    assert [p.type for p in desk.engine.positions()] == [BUY, SELL]


@pytest.mark.fidelity(
    rule="Hedging: an opposite deal with the position's ticket closes it with one OUT deal.",
    section="2.12",
    source="MetaTrader 5 help, Trading Principles",
)
def test_closing_by_ticket_realises_the_profit_and_removes_the_position():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1, client_id="c-1").result.order
    desk.quote(1.101, 1.1012)
    (deal,) = deals(desk.sell(0.1, position=ticket).changes)
    assert (deal.entry, deal.profit, deal.position_id, deal.price) == (OUT, 10.0, ticket, 1.101)
    assert desk.engine.positions() == []
    assert desk.account["balance"] == 10_010.0


@pytest.mark.fidelity(
    rule="A partial close keeps ticket, open price and stop levels; time_update changes with the volume.",
    section="2.12",
    source="MQL5 docs, Position Properties",
)
def test_a_partial_close_keeps_ticket_price_and_stop_levels():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.3, sl=1.09, tp=1.12).result.order
    desk.quote(1.101)
    (deal,) = deals(desk.sell(0.1, position=ticket).changes)
    (left,) = desk.engine.positions()
    assert deal.profit == 10.0
    assert (left.ticket, left.volume, left.price_open, left.sl, left.tp) == (ticket, 0.2, 1.1, 1.09, 1.12)
    assert left.time < left.time_update == desk.now


def test_a_close_needs_no_symbol_in_the_request():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1).result.order
    assert desk.trade(DEAL, symbol="", type=SELL, volume=0.1, position=ticket).result.retcode == 10009


@pytest.mark.fidelity(
    rule="Closing: own side 10013, too much volume 10038, an unknown position 10036.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
@pytest.mark.parametrize(
    ("fields", "retcode"),
    [
        ({"type": BUY, "volume": 0.1}, 10013),  # the position's own side
        ({"type": SELL, "volume": 0.2}, 10038),
        ({"type": SELL, "volume": 0.1, "symbol": "GBPUSD"}, 10013),
        ({"type": SELL, "volume": 0.1, "position": 5}, 10036),
    ],
)
def test_a_close_that_does_not_fit_its_position_is_refused(fields, retcode):
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1).result.order
    outcome = desk.trade(DEAL, **({"position": ticket} | fields))
    assert outcome.result.retcode == retcode
    assert outcome.changes == ()
    assert len(desk.engine.positions()) == 1


@pytest.mark.fidelity(
    rule="The smallest volume does not apply to closing.",
    section="2.10",
    source="MetaTrader 5 administrator help, Trade",
    setting="SymbolSpec.volume_min",
)
def test_the_minimum_volume_does_not_apply_to_a_close():
    desk = Desk(replace(SYMBOLS["EURUSD"], volume_min=0.1, volume_step=0.01))
    desk.quote(1.1)
    ticket = desk.buy(0.15).result.order
    assert desk.sell(0.05).result.retcode == 10014
    assert desk.sell(0.05, position=ticket).result.retcode == 10009


# ---- netting ---------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Netting, a terminal's log: entries IN, IN, INOUT, OUT; profits 0, 0, 0.16, 0.01; one identifier.",
    section="2.12",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="AccountSpec.margin_mode",
)
def test_netting_adds_reverses_and_closes_as_in_a_real_terminals_log():
    desk = Desk(margin_mode="netting")
    made = []
    for side, volume, price in (
        (BUY, 0.01, 1.10011),
        (BUY, 0.01, 1.10009),
        (SELL, 0.03, 1.10018),
        (BUY, 0.01, 1.10017),
    ):
        desk.quote(price)
        made += deals(desk.trade(DEAL, type=side, volume=volume).changes)
    assert [d.entry for d in made] == [IN, IN, INOUT, OUT]
    assert [d.profit for d in made] == [0.0, 0.0, 0.16, 0.01]
    assert len({d.position_id for d in made}) == 1
    assert [(o.price_open, o.price_current) for o in desk.engine.history_orders()] == [
        (0.0, 1.10011),
        (0.0, 1.10009),
        (0.0, 1.10018),
        (0.0, 1.10017),
    ]
    assert desk.engine.positions() == []


@pytest.mark.fidelity(
    rule="Netting: the open price is the average by volume, with three more decimals.",
    section="2.12",
    source="MetaTrader 5 administrator help, Positions",
)
def test_netting_averages_the_open_price_at_three_more_digits():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1005)
    desk.buy(0.01)
    desk.quote(1.10052)
    desk.buy(0.02)
    assert desk.engine.positions()[0].price_open == 1.10051333


@pytest.mark.fidelity(
    rule="Netting: a reversal keeps the identifier, and takes ticket and stop levels of the order.",
    section="2.12",
    source="MQL5 docs, Position Properties",
)
def test_a_netting_reversal_keeps_the_identifier_and_takes_the_new_orders_ticket_and_levels():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    first = desk.buy(0.1, sl=1.09, tp=1.11, magic=1, client_id="a").result.order
    second = desk.sell(0.3, sl=1.12, magic=2, client_id="b").result.order
    (position,) = desk.engine.positions()
    assert (position.identifier, position.ticket, position.type, position.volume) == (first, second, SELL, 0.2)
    assert (position.sl, position.tp, position.magic, position.client_id) == (1.12, 0.0, 2, "b")


@pytest.mark.fidelity(
    rule="Netting: adding replaces the stop levels, reducing keeps them.",
    section="2.12",
    source="MetaTrader 5 help, Trading Principles",
)
def test_netting_reducing_keeps_levels_and_price_while_adding_replaces_the_levels():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    desk.buy(0.3, sl=1.09, tp=1.12)
    desk.sell(0.1)
    (position,) = desk.engine.positions()
    assert (position.volume, position.price_open, position.sl, position.tp) == (0.2, 1.1, 1.09, 1.12)
    desk.buy(0.1)
    assert (desk.engine.positions()[0].sl, desk.engine.positions()[0].tp) == (0.0, 0.0)


@pytest.mark.fidelity(
    rule="Netting: pending orders net when they trigger.",
    section="2.12",
    source="MetaTrader 5 help, Trading Principles",
)
def test_a_pending_order_nets_too():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    desk.sell(0.1)
    desk.place(BUY_LIMIT, 1.09, 0.1)
    (deal,) = deals(desk.quote(1.0899))
    assert (deal.entry, deal.profit) == (OUT, 100.0)
    assert desk.engine.positions() == []


# ---- close by --------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Close by, a terminal's log: one order, two OUT_BY deals of -0.04 and 0.00, each at the other's open price.",
    section="2.14",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_close_by_gives_the_first_deal_all_of_the_result_as_in_a_real_terminals_log():
    desk = Desk()
    desk.quote(1.08344)
    a = desk.buy(0.01).result.order
    desk.quote(1.0834)
    b = desk.sell(0.01).result.order
    outcome = desk.trade(CLOSE_BY, position=a, position_by=b)
    assert whys(outcome.changes) == ["filled", "deal", "deal"]
    first, second = deals(outcome.changes)
    assert (first.profit, second.profit) == (-0.04, 0.0)
    assert {first.entry, second.entry} == {OUT_BY}
    assert (first.position_id, second.position_id) == (a, b)
    order = desk.engine.history_orders()[-1]
    assert (order.type, order.position_id, order.position_by_id) == (8, a, b)
    assert order.comment == f"#{a} by #{b}"
    assert order.price_open == 1.0834
    assert desk.engine.positions() == []
    assert outcome.result.deal == first.ticket


@pytest.mark.fidelity(
    rule="Close by, a terminal's log: the larger position survives with its ticket.",
    section="2.14",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_close_by_leaves_the_larger_position_which_then_closes_as_usual():
    desk = Desk()
    desk.quote(1.10947)
    a = desk.buy(0.01).result.order
    desk.quote(1.10964)
    b = desk.sell(0.02).result.order
    first, second = deals(desk.trade(CLOSE_BY, position=a, position_by=b).changes)
    assert (first.type, first.price) == (SELL, 1.10964)
    assert (second.type, second.price) == (BUY, 1.10947)
    (left,) = desk.engine.positions()
    assert (left.ticket, left.volume, left.price_open) == (b, 0.01, 1.10964)
    assert desk.buy(0.01, position=b).result.retcode == 10009
    assert desk.engine.positions() == []


def test_close_by_of_the_smaller_by_the_larger_and_the_other_way_round_pay_the_same():
    results = []
    for turn in (False, True):
        desk = Desk()
        desk.quote(1.1)
        a = desk.buy(0.1).result.order
        desk.quote(1.101)
        b = desk.sell(0.3).result.order
        first, second = (b, a) if turn else (a, b)
        results.append(sum(d.profit for d in deals(desk.trade(CLOSE_BY, position=first, position_by=second).changes)))
    assert results == [10.0, 10.0]


@pytest.mark.fidelity(
    rule="Close by needs two opposite positions of a symbol, on a hedging account.",
    section="2.12",
    source="MQL5 docs, ENUM_TRADE_REQUEST_ACTIONS",
)
def test_close_by_needs_two_opposite_positions_of_one_symbol_on_a_hedging_account():
    desk = Desk()
    desk.quote(1.1)
    a, b = desk.buy(0.1).result.order, desk.buy(0.1).result.order
    assert desk.trade(CLOSE_BY, position=a, position_by=b).result.retcode == 10013
    assert desk.trade(CLOSE_BY, position=a, position_by=99).result.retcode == 10036
    netting = Desk(margin_mode="netting")
    netting.quote(1.1)
    a = netting.buy(0.1).result.order
    assert netting.trade(CLOSE_BY, position=a, position_by=a).result.retcode == 10035


# ---- stop levels of positions ----------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Levels of a long fire at the bid, of a short at the ask; the order says so in reason and comment.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
)
@pytest.mark.parametrize(
    ("side", "levels", "bid", "ask", "reason", "price"),
    [
        (BUY, {"sl": 1.099}, 1.0989, 1.0995, 4, 1.0989),  # at the first price beyond
        (BUY, {"tp": 1.102}, 1.1025, 1.1026, 5, 1.1025),  # at the better price
        (SELL, {"sl": 1.102}, 1.1, 1.1022, 4, 1.1022),  # a short position closes at the ask
        (SELL, {"tp": 1.099}, 1.0980, 1.0988, 5, 1.0988),
    ],
)
def test_a_level_closes_its_position_at_the_market(side, levels, bid, ask, reason, price):
    desk = Desk()
    desk.quote(1.1, 1.1001)
    ticket = desk.trade(DEAL, type=side, volume=0.1, client_id="c-1", magic=5, **levels).result.order
    (change,) = desk.quote(bid, ask)
    assert isinstance(change, DealChange)
    assert (change.deal.reason, change.deal.price, change.deal.entry) == (reason, price, OUT)
    assert (change.deal.position_id, change.deal.magic) == (ticket, 5)
    assert (change.order.client_id, change.order.reason, change.order.type) == ("c-1", reason, 1 - side)
    name, level = next(iter(levels.items()))
    assert change.deal.comment == f"[{name} {level:.5f}]"
    assert change.order.ticket not in (ticket, change.deal.ticket)


def test_the_spread_alone_triggers_no_level_of_the_other_side():
    desk = Desk()
    desk.quote(1.1, 1.1001)
    desk.buy(0.1, sl=1.099, tp=1.102)
    desk.sell(0.1, sl=1.102, tp=1.099)
    assert desk.quote(1.0991, 1.1019) == []  # bid above the long's SL, ask below the short's SL


@pytest.mark.fidelity(
    rule="The stop loss is looked at before the take profit.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
)
def test_the_stop_loss_wins_when_a_level_of_each_kind_is_reached_on_one_tick():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    desk.buy(0.1, sl=1.05)
    desk.quote(1.2)
    assert desk.trade(SLTP, sl=1.19, tp=1.21).result.retcode == 10009
    (deal,) = deals(desk.quote(1.15))
    assert deal.reason == 4


@pytest.mark.fidelity(
    rule="SLTP replaces both levels, writes no record, and leaves time_update alone.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
)
def test_changing_levels_replaces_both_and_writes_no_record():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1, sl=1.09, tp=1.12).result.order
    before = desk.engine.positions()[0].time_update
    desk.quote(1.1)
    outcome = desk.trade(SLTP, position=ticket, sl=1.095)
    assert (outcome.result.retcode, outcome.result.order, outcome.result.deal) == (10009, 0, 0)
    assert outcome.changes == ()
    (position,) = desk.engine.positions()
    assert (position.sl, position.tp, position.time_update) == (1.095, 0.0, before)
    assert len(desk.engine.history_orders()) == 1


@pytest.mark.fidelity(
    rule="Stop levels are measured from the market, not from the open price.",
    section="2.3",
    source="MQL5 article 2555",
)
def test_a_stop_loss_may_go_beyond_break_even():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1).result.order
    desk.quote(1.11)
    assert desk.trade(SLTP, position=ticket, sl=1.105).result.retcode == 10009
    (deal,) = deals(desk.quote(1.1049))
    assert (deal.reason, deal.profit) == (4, 49.0)


@pytest.mark.fidelity(
    rule="SLTP: an unknown position 10036, levels that it has already 10025.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
def test_levels_of_an_unknown_position_answer_position_closed_and_equal_levels_no_changes():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.buy(0.1, sl=1.09).result.order
    assert desk.trade(SLTP, position=ticket, sl=1.09).result.retcode == 10025
    assert desk.trade(SLTP, position=99, sl=1.09).result.retcode == 10036


# ---- records ---------------------------------------------------------------------------------------------------------


def test_a_change_hands_out_copies_that_later_changes_do_not_touch():
    desk = Desk()
    desk.quote(1.1)
    placed = desk.place(BUY_LIMIT, 1.09).changes[0]
    desk.quote(1.08)
    assert placed.order.state == 1
    assert placed.order.volume_current == 0.1
    desk.engine.positions()[0].volume = 99.0
    assert desk.engine.positions()[0].volume == 0.1


def test_rows_have_the_fields_of_the_packages_tuples_in_their_order():
    desk = Desk()
    desk.quote(1.1)
    desk.buy(0.1, sl=1.09)
    desk.place(BUY_LIMIT, 1.09, type_time=2, expiration=(desk.now // SECOND) + 60)
    assert " ".join(row(desk.engine.positions()[0])) == (
        "ticket time time_msc time_update time_update_msc type magic identifier reason volume price_open sl tp "
        "price_current swap profit symbol comment external_id"
    )
    assert " ".join(row(desk.engine.orders()[0])) == (
        "ticket time_setup time_setup_msc time_done time_done_msc time_expiration type type_time type_filling state "
        "magic position_id position_by_id reason volume_initial volume_current price_open sl tp price_current "
        "price_stoplimit symbol comment external_id"
    )
    assert " ".join(row(desk.deals()[0])) == (
        "ticket order time time_msc type entry magic position_id reason volume price commission swap profit fee "
        "symbol comment external_id"
    )


def test_row_times_are_seconds_and_milliseconds():
    desk = Desk()
    desk.quote(1.1, after=1_234_567_890)
    desk.buy(0.1)
    shown = row(desk.deals()[0])
    assert (shown["time"], shown["time_msc"]) == (NOON // SECOND + 1, NOON // 1_000_000 + 1234)


def test_records_come_in_the_order_of_their_tickets():
    desk = Desk()
    desk.quote(1.1)
    early = desk.place(BUY_LIMIT, 1.09).result.order
    late = desk.buy(0.1).result.order
    desk.quote(1.08)
    assert [p.ticket for p in desk.engine.positions()] == [early, late]


def test_an_order_of_a_human_carries_the_reason_client_into_its_deal_and_position():
    desk = Desk()
    desk.quote(1.1)
    request = TradeRequest(action=DEAL, symbol="EURUSD", type=BUY, volume=0.1)
    outcome = desk.engine.trade(request, desk.now, reason=0)
    assert [order.reason for order in desk.engine.history_orders()] == [0]
    assert [position.reason for position in desk.engine.positions()] == [0]
    assert [deal.reason for deal in deals(outcome.changes)] == [0]


def test_a_human_may_trade_where_programs_may_not():
    desk = Desk(trade_expert=False)
    desk.quote(1.1)
    request = TradeRequest(action=DEAL, symbol="EURUSD", type=BUY, volume=0.1)
    assert desk.engine.trade(request, desk.now).result.retcode == 10026
    assert desk.engine.trade(request, desk.now, reason=0).result.retcode == 10009


def test_an_accepted_order_keeps_its_ticket_and_its_time_when_it_is_dealt_later():
    desk = Desk()
    desk.quote(1.1)
    accepted = desk.engine.accept()
    other = desk.buy(0.1).result.order
    desk.quote(1.1)
    request = TradeRequest(action=DEAL, symbol="EURUSD", type=BUY, volume=0.1)
    outcome = desk.engine.trade(request, desk.now, accepted=accepted)
    assert outcome.result.order == accepted.ticket != other
    order = desk.engine.history_orders()[-1]
    assert (order.time_setup, order.time_done) == (accepted.time, accepted.time + SECOND)


def test_a_dealer_may_refuse_a_pending_order_at_its_activation():
    desk = Desk()
    desk.quote(1.1)
    ticket = desk.place(BUY_LIMIT, 1.09).result.order
    desk.engine.refuse_activation(ticket)
    (change,) = desk.quote(1.089)
    assert isinstance(change, OrderChange) and (change.why, change.retcode) == ("rejected", 10041)
    assert [(order.ticket, order.state) for order in desk.engine.history_orders()] == [(ticket, 5)]
    assert not desk.engine.positions()

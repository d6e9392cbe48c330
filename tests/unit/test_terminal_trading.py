"""Orders, positions and history as a program sees them through the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sim_worker import terminal as mt5
from sim_worker.terminal import helpers
from sim_worker.trade_server import TradeServer
from tests.unit.terminal_kit import LOGIN, buy, buy_limit, connected

SOURCE = "MetaTrader5 package 5.0.6231"
PRACTICE = "Published reports of users of the MetaTrader5 package"
BOOK = "MQL5 Programming for Traders, part 6"


@pytest.fixture
def server() -> Iterator[TradeServer]:
    with connected() as server:
        yield server


def done(result: mt5.OrderSendResult | None) -> mt5.OrderSendResult:
    assert result is not None, mt5.last_error()
    assert result.retcode == mt5.TRADE_RETCODE_DONE, result
    return result


@pytest.mark.fidelity(
    rule="A market order: 10009 with order, deal, volume, price, bid, ask", section="1.9", source=BOOK
)
def test_a_market_order_is_answered_with_its_order_and_its_deal(server: TradeServer):
    result = done(buy(magic=7, comment="mine"))
    assert (result.volume, result.price, result.bid, result.ask) == (0.1, 1.1001, 1.1, 1.1001)
    assert (result.comment, result.request_id, result.retcode_external) == ("Request executed", 1, 0)
    assert isinstance(result.request, mt5.TradeRequest) and result.request.magic == 7
    (position,) = mt5.positions_get(ticket=result.order) or ()
    (order,) = mt5.history_orders_get(ticket=result.order) or ()
    (deal,) = mt5.history_deals_get(ticket=result.order) or ()
    assert (position.magic, position.comment, position.reason) == (7, "mine", mt5.POSITION_REASON_EXPERT)
    assert (order.state, order.price_open, order.price_current) == (mt5.ORDER_STATE_FILLED, 0.0, 1.1001)
    assert (deal.ticket, deal.entry, deal.position_id) == (result.deal, mt5.DEAL_ENTRY_IN, position.identifier)


@pytest.mark.fidelity(rule="A refusal is a result with a retcode, not None", section="1.7", source=SOURCE)
def test_a_refusal_of_the_server_is_a_result(server: TradeServer):
    refused = buy(1000.0)
    assert refused is not None and (refused.retcode, refused.order, refused.deal) == (10014, 0, 0)
    assert mt5.last_error() == (1, "Success")
    for request in ({}, {"action": 1}, {"action": 1, "symbol": "NOSUCH", "volume": 0.1}):
        invalid = mt5.order_send(request)
        assert invalid is not None and invalid.retcode == mt5.TRADE_RETCODE_INVALID
        assert invalid.request_id == 0


@pytest.mark.fidelity(
    rule="What is malformed the terminal refuses itself: request_id 0", section="1.7", source=PRACTICE
)
def test_a_close_in_the_direction_of_the_position_never_leaves_the_terminal(server: TradeServer):
    ticket = done(buy()).order
    wrong = buy(position=ticket)
    assert wrong is not None and (wrong.retcode, wrong.request_id) == (mt5.TRADE_RETCODE_INVALID, 0)
    assert len(server.records(LOGIN, "requests")) == 1


def test_numbers_that_no_market_has_are_an_invalid_request(server: TradeServer):
    for field, value in (("volume", float("nan")), ("price", float("inf")), ("sl", -1e300), ("magic", 2**64 - 1)):
        result = buy(**{field: value})
        assert result is not None and result.retcode == mt5.TRADE_RETCODE_INVALID, field


@pytest.mark.fidelity(rule="A pending order is answered with 10009 and its ticket", section="1.9", source=BOOK)
def test_a_pending_order_rests_is_changed_and_removed(server: TradeServer):
    ticket = done(buy_limit()).order
    (order,) = mt5.orders_get(ticket=ticket) or ()
    assert (order.price_open, order.state, order.volume_current) == (1.09, mt5.ORDER_STATE_PLACED, 0.1)
    assert mt5.orders_total() == 1 and mt5.orders_get(symbol="EURUSD") == mt5.orders_get(group="EUR*") == (order,)
    assert mt5.orders_get(symbol="GBPUSD") == mt5.orders_get(ticket=5) == ()
    done(mt5.order_send(action=7, order=ticket, price=1.08, sl=1.07))
    (order,) = mt5.orders_get() or ()
    assert (order.price_open, order.sl) == (1.08, 1.07)
    done(mt5.order_send(action=8, order=ticket))
    assert mt5.orders_get() == ()
    (past,) = mt5.history_orders_get(ticket=ticket) or ()
    assert past.state == mt5.ORDER_STATE_CANCELED and mt5.history_deals_get(ticket=ticket) == ()


def test_stops_are_set_and_fire_with_their_reason_and_the_brokers_comment(server: TradeServer):
    ticket = done(buy()).order
    done(mt5.order_send(action=6, symbol="EURUSD", position=ticket, sl=1.095, tp=1.2))
    server.advance(5)
    server.quote("EURUSD", 1.0949, 1.0950)
    assert mt5.positions_get() == ()
    opened, closed = mt5.history_deals_get(position=ticket) or ()
    assert (closed.entry, closed.reason, closed.price) == (mt5.DEAL_ENTRY_OUT, mt5.DEAL_REASON_SL, 1.0949)
    assert closed.comment == "[sl 1.09500]" and closed.time == opened.time + 5


@pytest.mark.fidelity(rule="ticket= of history_deals_get is the ticket of an order", section="1.2", source=SOURCE)
@pytest.mark.fidelity(
    rule="date_to in UTC cuts off the newest deals where the server's clock is ahead", section="5", source=PRACTICE
)
def test_the_history_is_asked_by_order_by_position_or_by_dates_of_the_server(server: TradeServer):
    first = done(buy())
    server.advance(3600)
    server.quote("EURUSD", 1.2, 1.2001)
    second = done(mt5.order_send(action=1, symbol="EURUSD", type=1, volume=0.1, position=first.order))
    assert mt5.history_deals_get(ticket=first.deal) == ()
    assert [d.ticket for d in mt5.history_deals_get(ticket=second.order) or ()] == [second.deal]
    assert [d.order for d in mt5.history_deals_get(position=first.order) or ()] == [first.order, second.order]
    (opened, closed) = mt5.history_orders_get(0, 2_000_000_000) or ()
    assert mt5.history_orders_total(0, 2_000_000_000) == 2
    assert mt5.history_orders_get(opened.time_done, closed.time_done - 1) == (opened,)
    assert mt5.history_orders_get(closed.time_done, closed.time_done) == (closed,)
    assert mt5.history_orders_get(0, 2_000_000_000, group="*,!EUR*") == ()
    deposit, *deals = mt5.history_deals_get(0, 2_000_000_000) or ()
    assert (deposit.type, deposit.order, deposit.symbol, deposit.profit) == (2, 0, "", 10_000.0)
    assert [deal.ticket for deal in deals] == [first.deal, second.deal] and mt5.history_deals_total(0, 2e9) == 3
    # The server's clock is two hours ahead: `until` in UTC cuts off what was done in the last two hours.
    assert mt5.history_deals_get(0, closed.time_done - 7200) == ()


def test_calculations_take_ints_and_refuse_what_they_do_not_know(server: TradeServer):
    assert mt5.order_calc_margin(0, "EURUSD", 1, 1.1) == 1100.0
    assert mt5.order_calc_profit(1, "EURUSD", 1.0, 1.2, 1.1) == pytest.approx(10_000.0)
    assert mt5.order_calc_margin(2, "EURUSD", 1.0, 1.1) is None and mt5.last_error()[0] == -2
    assert mt5.order_calc_margin(0, "NOSUCH", 1.0, 1.1) is None and mt5.last_error()[0] == -4
    assert mt5.order_calc_profit(0, "EURUSD", "1", 1.1, 1.2) is None  # type: ignore[arg-type]
    assert mt5.last_error() == (-2, "Invalid arguments")


@pytest.mark.fidelity(rule="order_check answers 0 and Done, with money after it", section="1.9", source=BOOK)
def test_a_check_says_what_would_be_and_changes_nothing(server: TradeServer):
    check = mt5.order_check(action=1, symbol="EURUSD", type=0, volume=0.1)
    assert check is not None and (check.retcode, check.comment, check.margin) == (0, "Done", 110.01)
    assert check.margin_free == 10_000.0 - 110.01 and check.request.volume == 0.1
    refused = mt5.order_check(action=1, symbol="EURUSD", type=0, volume=0.1, type_filling=3)
    assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID_FILL
    assert mt5.positions_total() == 0 and server.records(LOGIN, "requests") == []


def test_request_numbers_count_up_and_go_on_after_a_reconnect(server: TradeServer):
    assert [done(buy()).request_id, done(buy()).request_id] == [1, 2]
    mt5.shutdown()
    mt5.initialize()
    assert done(buy()).request_id == 3


@pytest.mark.fidelity(rule="Nothing found is (), a failure is None", section="5", source=SOURCE)
def test_nothing_found_is_an_empty_tuple_and_a_failure_is_none(server: TradeServer):
    for function in (mt5.positions_get, mt5.orders_get, mt5.history_orders_get, mt5.history_deals_get):
        assert function(ticket=12345) == () and mt5.last_error() == (1, "Success")
    assert mt5.positions_get(symbol="NOSUCH") == mt5.orders_get(group="!*") == ()
    mt5.shutdown()
    for function in (mt5.positions_get, mt5.orders_get, mt5.history_orders_get, mt5.history_deals_get):
        assert function(ticket=12345) is None


# ---- Buy, Sell and Close ---------------------------------------------------------------------------------------------


def test_buy_and_sell_take_the_present_price_and_close_closes_all_of_a_symbol(server: TradeServer):
    first, second = mt5.Buy("EURUSD", 0.1, comment="up"), mt5.Sell("EURUSD", 0.2)
    assert first is not None and second is not None
    assert (first.request.price, first.request.deviation, first.request.type_filling) == (1.1001, 10, 0)
    assert (second.request.price, first.request.comment) == (1.1, "up")
    assert mt5.Close("EURUSD") is True
    assert mt5.positions_get() == ()
    assert mt5.Close("EURUSD") is False


def test_close_closes_one_ticket_and_buy_closes_the_position_it_is_given(server: TradeServer):
    first, second, third = done(buy()), done(buy()), mt5.Sell("EURUSD", 0.1)
    assert mt5.Close("EURUSD", ticket=second.order, comment="bye") is True
    assert third is not None and done(mt5.Buy("EURUSD", 0.1, ticket=third.order))
    assert [p.ticket for p in mt5.positions_get() or ()] == [first.order]


def replay(monkeypatch: pytest.MonkeyPatch, codes: list[int]) -> list[dict[str, Any]]:
    """Answer each order with the next of these codes; what was sent is collected."""
    sent: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> SimpleNamespace:
        sent.append(request)
        return SimpleNamespace(retcode=codes[min(len(sent), len(codes)) - 1])

    monkeypatch.setattr(helpers, "order_send", answer)
    return sent


@pytest.mark.fidelity(rule="Buy, Sell, Close retry 10004 and 10021 ten times", section="1.2", source=SOURCE)
def test_the_helpers_try_a_requote_and_missing_prices_again_ten_times(
    server: TradeServer, monkeypatch: pytest.MonkeyPatch
):
    assert len(replay(monkeypatch, [10004, 10021, 10009])) == 0
    sent = replay(monkeypatch, [10004, 10021, 10009])
    assert mt5.Buy("EURUSD", 0.1).retcode == 10009 and len(sent) == 3  # type: ignore[union-attr]
    sent = replay(monkeypatch, [10004])
    assert mt5.Sell("EURUSD", 0.1).retcode == 10004 and len(sent) == 10  # type: ignore[union-attr]
    sent = replay(monkeypatch, [10030])
    assert mt5.Sell("EURUSD", 0.1).retcode == 10030 and len(sent) == 1  # type: ignore[union-attr]
    sent = replay(monkeypatch, [10004])
    assert mt5.Buy("EURUSD", 0.1, 1.2).retcode == 10004 and len(sent) == 1  # type: ignore[union-attr]


def test_close_says_partially_when_only_some_are_closed(server: TradeServer, monkeypatch: pytest.MonkeyPatch):
    done(buy()), done(buy())
    replay(monkeypatch, [10009, 10018])
    assert mt5.Close("EURUSD") == "Partially"
    replay(monkeypatch, [10008])
    assert mt5.Close("EURUSD") is False


def test_the_helpers_fail_as_the_real_ones_do_without_positions_or_a_tick(server: TradeServer):
    mt5.shutdown()
    with pytest.raises(TypeError):
        mt5.Close("EURUSD")
    with pytest.raises(AttributeError):
        mt5.Buy("EURUSD", 0.1)

"""What can go wrong with a terminal: scripted, at the call that the test names."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mas_router.errors import CallerError, InvalidField
from sim_worker import terminal as mt5
from sim_worker.trade_server import Fault, TradeServer
from tests.unit.terminal_kit import LOGIN, PASSWORD, buy, buy_limit, connected
from tests.unit.test_terminal_trading import done

PRACTICE = "Published reports of users of the MetaTrader5 package"
CODES = "MQL5 docs, Trade Server Return Codes"


@pytest.fixture
def server() -> Iterator[TradeServer]:
    with connected() as server:
        yield server


@pytest.mark.parametrize("code", [10007, 10011, 10012, 10020, 10024, 10028, 10006, 10018])
def test_a_scripted_return_code_means_that_nothing_happened(code: int, server: TradeServer):
    server.arm(Fault(kind="retcode", code=code))
    result = buy()
    assert result is not None and (result.retcode, result.order, result.deal) == (code, 0, 0)
    assert result.request_id == 1
    assert server.records(LOGIN, "positions") == []
    done(buy())


@pytest.mark.fidelity(rule="10011, 10012 and 10031 prove nothing: the order may be done", section="5", source=CODES)
def test_after_the_fill_the_same_code_hides_an_order_that_was_carried_out(server: TradeServer):
    server.arm(Fault(kind="retcode", code=10012, when="after"))
    result = buy()
    assert result is not None and (result.retcode, result.order, result.deal) == (10012, 0, 0)
    assert len(server.records(LOGIN, "positions")) == 1


@pytest.mark.parametrize(("code", "text"), [(-10001, "IPC send failed"), (-10002, "IPC recv failed")])
@pytest.mark.fidelity(rule="None with -10001, -10002, -10005: the outcome is unknown", section="5", source=PRACTICE)
def test_an_answer_may_be_lost_before_or_after_the_fill(code: int, text: str, server: TradeServer):
    server.arm(Fault(kind="no_answer", code=code))
    assert buy() is None and mt5.last_error() == (code, text)
    assert server.records(LOGIN, "positions") == []
    server.arm(Fault(kind="no_answer", code=code, when="after"))
    assert buy() is None and mt5.last_error() == (code, text)
    assert len(server.records(LOGIN, "positions")) == 1
    (request,) = server.records(LOGIN, "requests")
    assert request["retcode"] == 10009, "the trade server knows what it answered"


@pytest.mark.fidelity(rule="10008 is no fill: it comes later", section="5", source=CODES)
def test_an_order_may_be_placed_first_and_dealt_later(server: TradeServer):
    server.arm(Fault(kind="placed", seconds=2.0))
    result = buy(comment="tag")
    assert result is not None and (result.retcode, result.deal, result.comment) == (10008, 0, "Order placed")
    (waiting,) = mt5.orders_get() or ()
    assert (waiting.ticket, waiting.state, waiting.comment) == (result.order, mt5.ORDER_STATE_STARTED, "tag")
    assert mt5.positions_get() == ()
    server.advance(2.0)
    (position,) = mt5.positions_get() or ()
    assert position.ticket == result.order and mt5.orders_get() == ()
    (order,) = mt5.history_orders_get(ticket=result.order) or ()
    assert (order.state, order.time_done) == (mt5.ORDER_STATE_FILLED, order.time_setup + 2)


@pytest.mark.fidelity(
    rule="A market order that is only placed can be cancelled until it is dealt", section="2.15", source=CODES
)
def test_an_order_that_waits_is_cancelled_and_never_dealt(server: TradeServer):
    server.arm(Fault(kind="placed", seconds=5.0))
    ticket = getattr(buy(), "order", 0)
    server.advance(1.0)
    removed = mt5.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": ticket})
    assert removed is not None and (removed.retcode, removed.order, removed.bid) == (10009, ticket, 1.1)
    server.advance(10.0)
    assert mt5.positions_get() == () and mt5.orders_get() == ()
    (order,) = mt5.history_orders_get(ticket=ticket) or ()
    assert (order.state, order.volume_current, order.time_done - order.time_setup) == (2, 0.1, 1)
    again = mt5.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": ticket})
    assert again is not None and again.retcode != 10009


def test_an_order_that_was_dealt_while_it_waited_cannot_be_cancelled(server: TradeServer):
    server.arm(Fault(kind="placed", seconds=5.0))
    ticket = getattr(buy(), "order", 0)
    server.advance(5.0)
    late = mt5.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": ticket})
    assert late is not None and late.retcode != 10009 and len(mt5.positions_get() or ()) == 1


def test_an_order_that_was_placed_may_still_be_rejected(server: TradeServer):
    server.arm(Fault(kind="placed", seconds=5.0))
    result = buy(8.0)
    assert result is not None and result.retcode == 10008
    done(buy(8.0))
    server.advance(5.0)
    (order,) = mt5.history_orders_get(ticket=result.order) or ()
    assert (order.state, order.volume_current) == (mt5.ORDER_STATE_REJECTED, 8.0)
    assert len(mt5.positions_get() or ()) == 1


@pytest.mark.fidelity(rule="A refused activation ends the order REJECTED (10041)", section="3", source=CODES)
def test_the_activation_of_a_pending_order_may_be_refused(server: TradeServer):
    server.arm(Fault(kind="refuse_activation", action=5))
    doomed, other = done(buy_limit()), done(buy_limit())
    server.advance(1)
    server.quote("EURUSD", 1.0899, 1.09)
    (order,) = mt5.history_orders_get(ticket=doomed.order) or ()
    assert order.state == mt5.ORDER_STATE_REJECTED
    assert [p.ticket for p in mt5.positions_get() or ()] == [other.order]


def test_a_requote_comes_with_the_present_prices(server: TradeServer):
    server.arm(Fault(kind="requote"))
    result = buy()
    assert result is not None and (result.retcode, result.bid, result.ask) == (10004, 1.1, 1.1001)
    assert result.comment == "Requote"


@pytest.mark.fidelity(rule="AutoTrading off: 10027 with request_id 0", section="5", source=CODES)
def test_with_autotrading_off_orders_are_refused_by_the_terminal(server: TradeServer):
    server.auto_trading(False)
    result, info = buy(), mt5.terminal_info()
    assert result is not None and info is not None
    assert (result.retcode, result.request_id, result.comment) == (10027, 0, "AutoTrading disabled by client")
    assert not info.trade_allowed
    server.auto_trading(True)
    assert done(buy()).request_id == 1


@pytest.mark.fidelity(rule="Trading by Python forbidden: None and -8", section="5", source=PRACTICE)
def test_with_the_api_option_off_there_is_no_answer_and_the_code_is_minus_8(server: TradeServer):
    server.api_trading(False)
    info = mt5.terminal_info()
    assert buy() is None and mt5.last_error()[0] == -8
    assert info is not None and info.tradeapi_disabled
    assert mt5.positions_get() == ()


@pytest.mark.fidelity(rule="No connection to the server: 10031", section="5", source=CODES)
def test_a_terminal_that_is_cut_off_shows_old_data_and_sends_nothing(server: TradeServer):
    ticket = done(buy()).order
    done(mt5.order_send(action=6, position=ticket, sl=1.09))
    server.connection(False)
    server.advance(60)
    server.quote("EURUSD", 1.08, 1.0801)
    info, tick, result = mt5.terminal_info(), mt5.symbol_info_tick("EURUSD"), buy()
    assert info is not None and not info.connected
    assert tick is not None and tick.bid == 1.1
    assert result is not None and (result.retcode, result.request_id) == (10031, 0)
    assert len(mt5.positions_get() or ()) == 1, "the stop loss was hit, and the terminal does not know it"
    server.connection(True)
    assert mt5.positions_get() == ()


@pytest.mark.fidelity(rule="The history lags behind a fill", section="5", source=PRACTICE)
def test_the_history_and_the_positions_may_lag(server: TradeServer):
    server.lag(LOGIN, history=2.0, positions=1.0)
    result = done(buy())
    assert mt5.positions_get() == mt5.history_deals_get(ticket=result.order) == ()
    server.advance(1.0)
    assert len(mt5.positions_get() or ()) == 1 and mt5.history_orders_get(ticket=result.order) == ()
    server.advance(1.0)
    assert len(mt5.history_deals_get(ticket=result.order) or ()) == 1
    assert len(server.records(LOGIN, "deals")) == 2, "the deposit, and this one"


@pytest.mark.fidelity(rule="A manual login switches the account of a worker", section="5", source=PRACTICE)
def test_a_human_may_log_the_terminal_in_to_another_account(server: TradeServer):
    server.add_account(6001, "another")
    server.arm(Fault(kind="manual_login", code=6001, on="symbol_info_tick"))
    mt5.symbol_info_tick("EURUSD")
    info = mt5.account_info()
    assert info is not None and info.login == 6001
    done(buy())
    assert server.records(LOGIN, "positions") == [] and len(server.records(6001, "positions")) == 1


def test_a_human_trades_from_another_terminal_with_the_reason_client(server: TradeServer):
    deal = server.human_deal(LOGIN, "EURUSD", "buy", 0.3)
    pending = server.human_pending(LOGIN, "EURUSD", mt5.ORDER_TYPE_BUY_LIMIT, 0.2, 1.09)
    assert deal["retcode"] == pending["retcode"] == 10009
    (position,), (order,) = mt5.positions_get() or (), mt5.orders_get() or ()
    assert (position.reason, position.volume) == (mt5.POSITION_REASON_CLIENT, 0.3)
    assert (order.reason, order.ticket) == (mt5.ORDER_REASON_CLIENT, pending["order"])
    server.human_sltp(LOGIN, position.ticket, sl=1.05)
    (position,) = mt5.positions_get() or ()
    assert position.sl == 1.05
    assert server.human_close(LOGIN, position.ticket)["retcode"] == 10009
    assert mt5.positions_get() == ()
    reasons = [d.reason for d in mt5.history_deals_get(position=position.identifier) or ()]
    assert reasons == [mt5.DEAL_REASON_CLIENT] * 2


def test_a_human_may_act_just_before_a_call(server: TradeServer):
    ticket = done(buy()).order
    close = {"action": 1, "symbol": "EURUSD", "type": 1, "volume": 0.1, "position": ticket}
    server.arm(Fault(kind="human", on="order_send", request=close))
    result = mt5.order_send(action=6, position=ticket, sl=1.05)
    assert result is not None and result.retcode == mt5.TRADE_RETCODE_POSITION_CLOSED


@pytest.mark.fidelity(rule="After a restart of the terminal every call fails: -10001", section="5", source=PRACTICE)
def test_a_terminal_that_ends_breaks_the_connection_and_keeps_the_account(server: TradeServer):
    done(buy())
    server.arm(Fault(kind="drop", on="order_send", when="after"))
    assert buy() is None and mt5.last_error() == (-10002, "IPC recv failed")
    for _ in range(2):
        assert mt5.positions_get() is None and mt5.last_error() == (-10001, "IPC send failed")
    assert mt5.initialize()
    assert len(mt5.positions_get() or ()) == 2


def test_a_test_may_end_the_terminal_at_any_time(server: TradeServer):
    server.end_terminal()
    assert mt5.account_info() is None and mt5.last_error()[0] == -10001
    assert mt5.initialize(login=LOGIN, password=PASSWORD)


@pytest.mark.fidelity(rule="Calls have no time limit", section="5", source=PRACTICE)
def test_a_call_may_hang_until_it_is_released_and_holds_up_nobody_else(server: TradeServer):
    server.arm(Fault(kind="hang", on="positions_get", when="after"))
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(mt5.positions_get()), daemon=True)
    thread.start()
    while server.hanging() == 0:
        thread.join(0.01)
    assert not found
    assert server.human_deal(LOGIN, "EURUSD", "buy", 0.1)["retcode"] == 10009
    server.release()
    thread.join(10.0)
    assert found == [()], "it was carried out before the human's deal"
    assert server.hanging() == 0


@pytest.mark.fidelity(rule="Calls of several threads are made one after another", section="1.1", source=PRACTICE)
def test_a_call_that_hangs_holds_up_the_other_threads_of_its_process(server: TradeServer):
    server.arm(Fault(kind="hang", on="positions_get"))
    order: list[str] = []
    first = threading.Thread(target=lambda: (mt5.positions_get(), order.append("first")), daemon=True)
    second = threading.Thread(target=lambda: (mt5.orders_get(), order.append("second")), daemon=True)
    first.start()
    while server.hanging() == 0:
        first.join(0.01)
    second.start()
    second.join(0.2)
    assert second.is_alive() and not order
    server.release()
    second.join(10.0)
    assert sorted(order) == ["first", "second"]


def test_a_call_that_hangs_fails_when_its_terminal_ends_and_sends_nothing(server: TradeServer):
    server.arm(Fault(kind="hang"))
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append((buy(), mt5.last_error())), daemon=True)
    thread.start()
    while server.hanging() == 0:
        thread.join(0.01)
    server.end_terminal("another")
    assert server.hanging() == 1
    server.end_terminal()
    thread.join(10.0)
    assert found == [(None, (-10002, "IPC recv failed"))]
    assert server.records(LOGIN, "requests") == [], "it had not sent the order yet"


# ---- when a fault fires ----------------------------------------------------------------------------------------------


def test_a_fault_fires_at_the_nth_matching_call_and_so_many_times(server: TradeServer):
    server.arm(Fault(kind="retcode", code=10006, nth=2, times=2, every=2))
    codes = [result.retcode for result in (buy(0.01) for _ in range(7)) if result is not None]
    assert codes == [10009, 10006, 10009, 10006, 10009, 10009, 10009]


def test_a_fault_names_what_it_meets(server: TradeServer):
    server.quote("GBPUSD", 1.25, 1.2501)
    server.arm(Fault(kind="retcode", code=10006, symbol="GBPUSD", comment="tag", action=1, times=0))
    assert [done(buy()).retcode, done(buy_limit(comment="a tag")).retcode] == [10009, 10009]
    assert done(buy(symbol="GBPUSD")).retcode == 10009
    hit = buy(symbol="GBPUSD", comment="a tag.")
    assert hit is not None and hit.retcode == 10006
    server.disarm()
    done(buy(symbol="GBPUSD", comment="a tag."))


def test_a_fault_may_be_of_one_account_or_of_any_function(server: TradeServer):
    server.arm(Fault(kind="no_answer", on="*", login=6001))
    assert mt5.orders_total() == 0
    server.arm(Fault(kind="no_answer", on="*", login=LOGIN))
    assert mt5.orders_total() is None and mt5.orders_total() == 0


def test_a_fault_that_makes_no_sense_is_refused_by_the_field_that_is_wrong(server: TradeServer):
    for values, name in (
        ({"kind": "retcode", "code": 5}, "Fault"),
        ({"kind": "no_answer", "code": 10012}, "Fault"),
        ({"kind": "wish"}, "kind"),
        ({"kind": "hang", "seconds": -1.0}, "seconds"),
        ({"kind": "hang", "until": 5}, "until"),
        ({"kind": "hang", "on": "order_sent"}, "order_sent"),
        ({"kind": "requote", "on": "positions_get"}, "order_send"),
    ):
        with pytest.raises(InvalidField, match=name):
            Fault.of(values)
    for order, args in (
        ("wish", {}),
        ("lag", {}),
        ("lag", {"login": 9, "history": 1.0, "positions": 0.0}),
        ("lag", {"login": LOGIN, "history": "late", "positions": 0.0}),
        ("lag", {"login": LOGIN, "history": -1.0, "positions": 0.0}),
        ("quote", {"symbol": "EURUSD", "bid": "1.1", "ask": 1.2}),
        ("quote", {"symbol": "EURUSD", "bid": 1.2, "ask": 1.1}),
        ("advance", {"seconds": float("nan")}),
        ("records", {"login": LOGIN, "what": "secrets"}),
        ("human_close", {"login": LOGIN, "position": 5}),
    ):
        with pytest.raises(CallerError, match="is not allowed"):
            server.control(order, args)


def test_a_fault_may_meet_the_bars_by_the_name_of_the_function(server: TradeServer):
    server.arm(Fault(kind="no_answer", on="copy_rates_from_pos", code=-1))
    assert mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 1) is None
    assert mt5.last_error() == (-1, "Terminal: Call failed")


def test_request_numbers_begin_again_when_the_terminal_was_restarted(server: TradeServer):
    assert done(buy()).request_id == 1
    server.end_terminal()
    assert mt5.initialize() and done(buy()).request_id == 1

"""What a strategy may rely on, embedded and over RabbitMQ: one set of cases, written against the public SDK only."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest

import mas
from mas import mt5
from mas.order_id import OrderId
from tests.conformance.sdk_harness import (
    BUY,
    FALLING,
    POINT,
    REPLAY,
    Call,
    Data,
    Recorder,
    World,
    eventually,
    order,
    price,
)


def words(text: str) -> list[str]:
    return text.split()


ORDER = words(
    "ticket time_setup time_setup_msc time_done time_done_msc time_expiration type type_time type_filling state magic "
    "position_id position_by_id reason volume_initial volume_current price_open sl tp price_current price_stoplimit "
    "symbol comment external_id"
)
POSITION = words(
    "ticket time time_msc time_update time_update_msc type magic identifier reason volume price_open sl tp "
    "price_current swap profit symbol comment external_id"
)
DEAL = words(
    "ticket order time time_msc type entry magic position_id reason volume price commission swap profit fee symbol "
    "comment external_id"
)
ACCOUNT = words(
    "login trade_mode leverage limit_orders margin_so_mode trade_allowed trade_expert margin_mode currency_digits "
    "fifo_close balance credit profit equity margin margin_free margin_level margin_so_call margin_so_so "
    "margin_initial margin_maintenance assets liabilities commission_blocked name server currency company"
)
FAR = 0.01
PENDING = {  # type: (distance of the price from the market, distance of the limit of a stop-limit order)
    "buy_limit": (-FAR, None),
    "sell_limit": (FAR, None),
    "buy_stop": (FAR, None),
    "sell_stop": (-FAR, None),
    "buy_stop_limit": (FAR, FAR / 2),
    "sell_stop_limit": (-FAR, -FAR / 2),
}


def resting(client: Recorder, kind: str = "buy_limit", **changes: object) -> Data:
    """An order that the market does not reach."""
    bid, _ = client.quote()
    distance, limit = PENDING[kind]
    given = order(order_type=kind, price=price(bid + distance), **changes)
    return given if limit is None else {**given, "stoplimit": price(bid + limit)}


# ---- sending -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["buy", "sell"])
def test_a_market_order_is_told_with_its_status_before_its_execution(world: World, kind: str) -> None:
    with world.client() as client:
        sent = client.send_order(order(order_type=kind))
        assert sent.ok
        assert sent == str(sent.ticket)
        status, execution = client.wait_for(sent, "FILLED", "execution")
        assert (status.data["status"], status.data["retcode"], status.data["message"]) == (
            10009,
            10009,
            "Request executed",
        )
        assert "action" not in status.data
        assert execution.data["type"] == execution.data["side"] == kind
        assert execution.data["symbol"] == "EURUSD"
        assert execution.data["volume"] == 0.1
        assert execution.data["time"].tzinfo is UTC
        assert execution.data["position_id"] == sent.position


@pytest.mark.parametrize("kind", PENDING)
def test_a_pending_order_is_told_once_when_it_is_placed_and_rests_under_its_ticket(world: World, kind: str) -> None:
    with world.client() as client:
        given = resting(client, kind)
        sent = client.send_order(given)
        (status,) = client.wait_for(sent, "ACCEPTED")
        assert status.data["order_type"] == kind
        (row,) = client.get_pending_orders()
        assert row["ticket"] == sent.ticket
        assert row["price_open"] == given["price"]
        assert row["price_stoplimit"] == given.get("stoplimit", 0.0)


def test_orders_that_fill_later_are_told_without_a_subscription(world: World) -> None:
    with world.client(seed=FALLING) as client:
        client.send_order(BUY)
        bid, ask = client.quote()
        below = {
            "buy_limit": order(order_type="buy_limit", price=price(ask - 2 * POINT)),
            "sell_stop": order(order_type="sell_stop", price=price(bid - 2 * POINT)),
        }
        sent = {kind: client.send_order(given) for kind, given in below.items()}
        stop_limit = order(
            order_type="sell_stop_limit", price=price(bid - 2 * POINT), stoplimit=price(bid + 500 * POINT)
        )
        triggered = client.send_order(stop_limit)
        for kind, one in sent.items():
            *_, execution = client.wait_for(one, "ACCEPTED", "FILLED", "execution")
            assert execution.data["type"] == kind
        client.wait_for(triggered, "ACCEPTED", "TRIGGERED")


def test_stop_loss_and_take_profit_close_with_an_execution_that_says_why(world: World) -> None:
    with world.client(seed=FALLING) as client:
        bid, ask = client.quote()
        sent = {
            "sl": client.send_order(order(sl=price(bid - 3 * POINT))),
            "tp": client.send_order(order(order_type="sell", tp=price(ask - 3 * POINT))),
        }
        opened = [one.position for one in sent.values()]
        for reason, one in sent.items():
            client.wait(
                lambda reason=reason: [c for c in client.calls if c.data.get("reason") == reason], f"the {reason}"
            )
            (closing,) = [c for c in client.calls if c.kind == "execution" and c.data["reason"] == reason]
            assert closing.data["position_id"] == one.position
            assert closing.data["entry"] == "out"
            assert closing.data["profit"] != 0
        assert not [row for row in client.get_positions() if row["ticket"] in opened]


def test_a_burst_of_orders_is_answered_in_its_order(world: World) -> None:
    with world.client() as client:
        ids = [f"burst-{number}" for number in range(300)]
        answers = client.send_orders([order(volume=0.01, client_order_id=name) for name in ids])
        assert [answer.client_order_id for answer in answers] == ids
        assert all(answer.ok for answer in answers)
        tickets = [answer.ticket for answer in answers]
        assert tickets == sorted(set(tickets))
        client.wait(lambda: len(client.calls) == 600, "600 callbacks")
        assert [str(c.id) for c in client.calls if c.kind == "execution"] == [str(ticket) for ticket in tickets]


def test_submit_answers_with_a_future_whose_order_id_the_callbacks_carry(world: World) -> None:
    with world.client() as client:
        future = client.submit(BUY)
        assert isinstance(future, Future)
        client.wait_for(future.result(10), "FILLED", "execution")


def test_the_same_client_order_id_is_one_order_and_another_order_under_it_is_an_error(world: World) -> None:
    with world.client() as client:
        first, again = (client.send_order(order(client_order_id="mine")) for _ in range(2))
        assert first is again
        assert first.client_order_id == "mine"
        other = client.send_order(order(client_order_id="mine", volume=0.2))
        assert not other.ok
        assert "was used before" in other
        assert len(client.get_positions()) == 1
        client.wait_for(first, "FILLED", "execution")
        client.wait_for(other, "DENIED")


# ---- changing ------------------------------------------------------------------------------------------------------


def test_a_modification_keeps_what_it_does_not_name_and_removes_what_is_0(world: World) -> None:
    with world.client() as client:
        given = resting(client, sl=0.9, tp=1.3)
        sent = client.send_order(given)
        moved = price(given["price"] - 10 * POINT)
        assert client.modify_order({"order_id": sent, "price": moved})
        (row,) = client.get_pending_orders()
        assert (row["price_open"], row["sl"], row["tp"]) == (moved, 0.9, 1.3)
        assert client.modify_order({"order_id": sent, "price": moved, "sl": 0})
        (row,) = client.get_pending_orders()
        assert (row["sl"], row["tp"]) == (0.0, 1.3)
        calls = client.wait_for(sent, "ACCEPTED", "ACCEPTED", "ACCEPTED")
        assert [call.data.get("action") for call in calls] == [None, "modify", "modify"]


def test_a_modified_expiration_is_specified_and_stays_over_the_next_modification(world: World) -> None:
    with world.client() as client:
        given = resting(client)
        sent = client.send_order(given)
        tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        assert client.modify_order({"order_id": sent, "price": given["price"], "expiration": tomorrow})
        assert client.modify_order({"order_id": sent, "price": given["price"], "sl": 0.9})
        (row,) = client.get_pending_orders()
        assert (row["type_time"], row["time_expiration"], row["sl"]) == (mt5.ORDER_TIME_SPECIFIED, tomorrow, 0.9)


def test_a_modification_that_changes_nothing_is_true(world: World) -> None:
    with world.client() as client:
        given = resting(client)
        assert client.modify_order({"order_id": client.send_order(given), "price": given["price"]})


def test_levels_of_a_position_stay_unless_they_are_named_and_0_removes_them(world: World) -> None:
    with world.client() as client:
        sent = client.send_order(order(sl=0.9, tp=1.3))
        assert client.modify_position_sltp({"position_id": sent.position, "sl": 0.95})
        (row,) = client.get_positions()
        assert (row["sl"], row["tp"]) == (0.95, 1.3)
        assert client.modify_position_sltp({"position_id": sent, "tp": 0})
        (row,) = client.get_positions()
        assert (row["sl"], row["tp"]) == (0.95, 0.0)
        assert not client.modify_position_sltp({"position_id": sent, "sl": 1.9})
        assert not client.modify_position_sltp({"position_id": 424242, "sl": 0.9})
        changes = client.wait_for(sent, "FILLED", "execution", "FILLED", "FILLED", "FILLED")[2:]
        assert {c.data["action"] for c in changes} == {"sltp"}
        assert [c.data["retcode"] for c in changes] == [10009, 10009, mt5.TRADE_RETCODE_INVALID_STOPS]


@pytest.mark.parametrize("spelling", [lambda sent: sent, lambda sent: sent.ticket, str, lambda sent: sent[:]])
def test_an_order_is_cancelled_by_its_id_its_ticket_and_its_digits_once(world: World, spelling: object) -> None:
    with world.client() as client:
        sent = client.send_order(resting(client))
        assert client.cancel_order({"order_id": spelling(sent)})  # type: ignore[operator]
        assert sent.state is mas.State.CANCELED
        assert client.get_orders_total() == 0
        assert not client.cancel_order({"order_id": spelling(sent)})  # type: ignore[operator]
        assert sent.state is mas.State.CANCELED
        *_, cancelled, refused = client.wait_for(sent, "ACCEPTED", "CANCELED", "CANCELED")
        assert [c.data["action"] for c in (cancelled, refused)] == ["cancel", "cancel"]
        assert [c.data["retcode"] for c in (cancelled, refused)] == [10009, mt5.TRADE_RETCODE_INVALID]


def test_a_filled_order_cannot_be_cancelled_and_stays_filled(world: World) -> None:
    with world.client() as client:
        sent = client.send_order(BUY)
        assert not client.cancel_order({"order_id": sent})
        assert sent.state is mas.State.FILLED
        assert sent.ok
        assert len(client.get_positions()) == 1
        *_, refused = client.wait_for(sent, "FILLED", "execution", "FILLED")
        assert (refused.data["action"], refused.data["retcode"]) == ("cancel", mt5.TRADE_RETCODE_INVALID)


def test_an_unknown_ticket_is_not_cancelled_and_raises_nothing(world: World) -> None:
    with world.client() as client:
        client.send_order(BUY)
        for ticket in (999, "999", 2**62):
            assert client.cancel_order({"order_id": ticket}) is False
        refused = client.send_order(order(volume=5000))
        assert client.cancel_order({"order_id": refused}) is False
        assert client.modify_order({"order_id": 999, "price": 1.0}) is False


# ---- closing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["position", "order_id"])
def test_a_position_is_closed_in_part_and_in_full_but_not_beyond(world: World, name: str) -> None:
    with world.client() as client:
        sent = client.send_order(order(volume=0.3))
        too_much = client.send_order(order(order_type="sell", volume=0.4, **{name: sent.position}))
        assert too_much.retcode == mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME
        assert str(mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME) in too_much
        part = client.send_order(order(order_type="sell", volume=0.1, **{name: sent}))
        (row,) = client.get_positions()
        assert row["volume"] == 0.2
        rest = client.send_order(order(order_type="sell", volume=0.2, **{name: str(sent)}))
        assert client.get_positions() == []
        for one in (part, rest):
            *_, execution = client.wait_for(one, "FILLED", "execution")
            assert execution.data["entry"] == "out"
            assert execution.data["position_id"] == sent.position
        client.wait_for(too_much, "REJECTED")


def test_opposite_positions_close_each_other(world: World) -> None:
    with world.client() as client:
        long, short = client.send_order(order(volume=0.3)), client.send_order(order(order_type="sell", volume=0.1))
        closed = client.send_order({"position": long, "position_by": short, "backtest_toggle": True})
        assert closed.ok, closed
        (row,) = client.get_positions()
        assert (row["ticket"], row["volume"]) == (long.position, 0.2)
        client.wait(lambda: len(client.of(closed)) == 3, "a status and two executions")
        assert [c.data["entry"] for c in client.of(closed)[1:]] == ["out_by", "out_by"]


# ---- records -------------------------------------------------------------------------------------------------------


def test_records_have_the_fields_of_mt5_and_agree_with_what_was_done(world: World) -> None:
    with world.client() as client:
        before = datetime.now(UTC).replace(microsecond=0)
        filled = client.send_order(order(magic=7, comment="seven", sl=0.9))
        waiting = client.send_order(resting(client, magic=8))
        gone = client.send_order(resting(client, "sell_limit"))
        client.cancel_order({"order_id": gone})
        (position,) = client.get_positions({"symbol": "EURUSD"})
        assert list(position) == POSITION
        assert (position["ticket"], position["magic"], position["comment"]) == (filled.position, 7, "seven")
        (pending,) = client.get_pending_orders({"group": "*USD"})
        assert list(pending) == ORDER
        assert (pending["ticket"], pending["magic"]) == (waiting.ticket, 8)
        history = client.get_history_orders({"from": before})
        assert [list(row) for row in history] == [ORDER, ORDER]
        assert {row["ticket"]: row["state"] for row in history} == {
            filled.ticket: mt5.ORDER_STATE_FILLED,
            gone.ticket: mt5.ORDER_STATE_CANCELED,
        }
        (deal,) = client.get_order_history({"ticket": filled})
        assert list(deal) == DEAL
        assert (deal["order"], deal["position_id"], deal["entry"]) == (
            filled.ticket,
            filled.position,
            mt5.DEAL_ENTRY_IN,
        )
        counts = client.get_orders_total(), client.get_history_orders_total(), client.get_symbols_total()
        assert counts == (1, 2, len(client.get_symbols()))


def test_times_of_records_are_aware_and_their_milliseconds_are_integers(world: World) -> None:
    with world.client() as client:
        client.send_order(BUY)
        (position,) = client.get_positions()
        assert abs(datetime.now(UTC) - position["time"]) < timedelta(seconds=30)
        assert type(position["time_msc"]) is int
        assert position["time_msc"] // 1000 == int(position["time"].timestamp())
        (done,) = client.get_history_orders()
        assert done["time_expiration"] is None


def test_records_are_filtered_by_ticket_symbol_group_position_and_time(world: World) -> None:
    with world.client() as client:
        euro, pound = client.send_order(BUY), client.send_order(order(symbol="GBPUSD"))

        def tickets(**given: object) -> list[int]:
            return [row["ticket"] for row in client.get_positions(given)]

        assert tickets() == [euro.position, pound.position]
        assert tickets(symbol="GBPUSD") == [pound.position]
        assert tickets(group="*,!EUR*") == [pound.position]
        assert tickets(ticket=euro) == [euro.position]
        assert [row["order"] for row in client.get_order_history({"position": pound.position})] == [pound.ticket]
        assert client.get_history_orders({"to": datetime.now(UTC) - timedelta(days=1)}) == []


def test_the_account_has_the_28_fields_of_mt5_and_counts_money_as_they_say(world: World) -> None:
    with world.client() as client:
        client.send_order(BUY)
        info = client.get_account_info()
        assert list(info) == ACCOUNT
        assert len(info) == 28
        assert info["equity"] == pytest.approx(info["balance"] + info["credit"] + info["profit"])
        assert info["margin_free"] == pytest.approx(info["equity"] - info["margin"])
        assert info["margin_level"] == pytest.approx(info["equity"] / info["margin"] * 100)


def test_a_check_tells_what_an_order_would_do_and_does_nothing(world: World) -> None:
    with world.client() as client:
        good = client.order_check(BUY)
        assert good["retcode"] == 0
        assert good["margin"] > 0
        assert client.order_check(order(volume=90))["retcode"] == mt5.TRADE_RETCODE_NO_MONEY
        assert client.order_check(order(symbol="NOSUCH"))["retcode"] == mt5.TRADE_RETCODE_INVALID
        assert client.get_positions() == []
        assert client.calls == []


def test_margin_and_profit_are_calculated_in_the_money_of_the_account(world: World) -> None:
    with world.client() as client:
        one = {"action": "buy", "symbol": "EURUSD", "volume": 1.0, "backtest_toggle": True}
        assert client.calc_order_margin({**one, "price": 1.1}) == pytest.approx(1100.0)
        profit = client.calc_order_profit({**one, "price_open": 1.1, "price_close": 1.2})
        assert profit == pytest.approx(10_000.0)
        loss = client.calc_order_profit({**one, "action": "sell", "price_open": 1.1, "price_close": 1.2})
        assert loss == pytest.approx(-10_000.0)
        assert client.calc_order_margin({**one, "symbol": "NOSUCH", "price": 1.1}) == -1.0


# ---- accounts ------------------------------------------------------------------------------------------------------


def test_one_client_trades_several_accounts_apart_from_each_other(world: World) -> None:
    with world.client() as client:
        first, second = {"account": 1001, "server": "Demo"}, {"account": "1002", "server": "Demo"}
        sent = client.send_order({**BUY, **first})
        client.send_order(order(volume=0.2, **second))
        mine = {"backtest_toggle": True}
        assert [row["volume"] for row in client.get_positions({**mine, **first})] == [0.1]
        assert [row["volume"] for row in client.get_positions({**mine, **second})] == [0.2]
        info = client.get_account_info({**mine, **second})
        assert (str(info["login"]), info["server"]) == ("1002", "Demo")
        status, _ = client.wait_for(sent, "FILLED", "execution")
        assert (status.data["account"], status.data["broker"]) == ("1001", "Demo")


def test_the_newest_login_is_the_default_account_and_a_missing_worker_is_one_warning(world: World) -> None:
    with world.client() as client:
        for account in (2001, 2002):
            with pytest.warns(mas.NoWorkerWarning, match=f"account {account} at Nowhere"):
                assert client.login({"account": account, "password": "p", "server": "Nowhere"}) is False
        status, _ = client.wait_for(client.send_order(BUY), "FILLED", "execution")
        assert (status.data["account"], status.data["broker"]) == ("2002", "Nowhere")
        live = client.send_order(order(backtest_toggle=False))
        assert not live.ok
        assert live.state is mas.State.DENIED
        client.wait_for(live, "DENIED")


# ---- expiration, filling, netting ----------------------------------------------------------------------------------


def test_an_order_with_a_specified_expiration_is_told_when_it_has_expired(world: World) -> None:
    with world.client() as client:
        until = datetime.now(UTC) + timedelta(seconds=2)
        sent = client.send_order(resting(client, type_time=mt5.ORDER_TIME_SPECIFIED, expiration=until))
        client.wait_for(sent, "ACCEPTED", "EXPIRED")
        assert client.get_orders_total() == 0
        assert sent.final


def test_an_expiration_of_a_good_till_cancelled_order_is_dropped_and_the_status_says_so(world: World) -> None:
    with world.client() as client:
        until = datetime.now(UTC) + timedelta(days=1)
        sent = client.send_order(resting(client, type_time=mt5.ORDER_TIME_GTC, expiration=until))
        (status,) = client.wait_for(sent, "ACCEPTED")
        assert "expiration" in status.data["message"]
        (row,) = client.get_pending_orders()
        assert (row["type_time"], row["time_expiration"]) == (mt5.ORDER_TIME_GTC, None)


def test_ioc_on_a_pending_order_is_answered_by_the_trade_server(world: World) -> None:
    with world.client() as client:
        sent = client.send_order(resting(client, type_filling=mt5.ORDER_FILLING_IOC))
        checked = client.order_check(resting(client, type_filling=mt5.ORDER_FILLING_IOC))
        assert sent.ok is (checked["retcode"] == 0)
        assert client.get_orders_total() == int(sent.ok)


@pytest.mark.parametrize(
    ("mode", "number"),
    [("netting", mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING), ("exchange", mt5.ACCOUNT_MARGIN_MODE_EXCHANGE)],
)
def test_a_netting_account_has_one_position_for_each_symbol(world: World, mode: str, number: int) -> None:
    class Netting(Recorder):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            if not self.calls:
                self.calls.append(Call("bar", symbol, data))
                self.send_order(order(volume=0.2))
                self.send_order(order(order_type="sell", volume=0.3))

    with world.client(Netting) as client:
        client.subscribe_bars({**REPLAY, "margin_mode": mode})
        (row,) = client.get_positions()
        assert (row["type"], row["volume"]) == (mt5.POSITION_TYPE_SELL, 0.1)
        assert client.get_account_info()["margin_mode"] == number
        assert [c.data["entry"] for c in client.calls if c.kind == "execution"] == ["in", "inout"]


# ---- the id --------------------------------------------------------------------------------------------------------


def test_an_order_id_follows_its_order(world: World) -> None:
    with world.client() as client:
        sent = client.send_order(resting(client))
        assert isinstance(sent, OrderId)
        assert (sent.ok, sent.final, sent.in_doubt, sent.retcode) == (True, False, False, mt5.TRADE_RETCODE_DONE)
        client.cancel_order({"order_id": sent})
        assert (sent.state, sent.final) == (mas.State.CANCELED, True)


def test_a_refused_order_is_one_status_and_its_id_says_why(world: World) -> None:
    with world.client() as client:
        for given, retcode in (
            (order(volume=90), mt5.TRADE_RETCODE_NO_MONEY),
            (order(symbol="NOSUCH"), mt5.TRADE_RETCODE_INVALID),
            (order(sl=5.0, order_type="sell", tp=4.0), mt5.TRADE_RETCODE_INVALID_STOPS),
        ):
            sent = client.send_order(given)
            assert (sent.ok, sent.retcode) == (False, retcode)
            assert str(retcode) in sent
            (status,) = client.wait_for(sent, "REJECTED")
            assert status.data["final"]
        assert client.get_positions() == []


def test_an_order_whose_time_is_over_is_stale_and_never_executes(world: World) -> None:
    with world.client() as client:
        client.send_order(BUY)
        answers = client.send_orders([order(volume=0.01, valid_for=0.001) for _ in range(200)])
        done = [answer for answer in answers if answer.ok]
        eventually(lambda: not any(answer.in_doubt for answer in answers), "every answer")
        assert all(answer.ok or answer.state is mas.State.STALE for answer in answers)
        late = sum(answer.ok for answer in answers)
        assert late >= len(done)
        assert len(client.get_positions()) == 1 + late


def test_an_order_id_means_its_own_account_though_another_has_the_same_ticket(world: World) -> None:
    with world.client() as client:
        first = client.send_order(resting(client, account=1))
        second = client.send_order(resting(client, account=2))
        assert first == second
        assert first is not second
        assert client.cancel_order({"order_id": first})
        assert (first.state, second.state) == (mas.State.CANCELED, mas.State.ACCEPTED)
        assert not client.cancel_order({"order_id": str(second)}), "a number alone does not say which"
        assert client.cancel_order({"order_id": str(second), "account": 2, "backtest_toggle": True})
        opened = [client.send_order(order(account=account)) for account in (1, 2)]
        assert client.send_order(order(order_type="sell", position=opened[1])).ok
        left = [len(client.get_positions({"account": account, "backtest_toggle": True})) for account in (1, 2)]
        assert left == [1, 0]


def test_an_order_id_of_an_account_that_is_closed_changes_nothing_in_the_next_one(world: World) -> None:
    class One(Recorder):
        sent: mas.OrderId

        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            if is_end:
                self.sent = self.send_order(order(order_type="buy_limit", price=0.5))

    with world.client(One) as client:
        client.subscribe_bars(REPLAY)
        old = client.sent
        client.subscribe_bars(REPLAY)
        assert (old, client.sent.ok) == (client.sent, True)
        assert not client.cancel_order({"order_id": old})
        assert client.get_orders_total() == 1
        assert client.cancel_order({"order_id": client.sent})

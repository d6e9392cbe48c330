"""Backtests over a range: on the caller's thread, in simulated time, the same every time and everywhere."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

import mas
from mas import mt5
from tests.conformance.sdk_harness import MONDAY, POINT, REPLAY, Call, Data, Recorder, World, order, price

TICKS = {name: value for name, value in REPLAY.items() if name != "timeframe"}
BARS = 120
BAR = timedelta(seconds=59, milliseconds=999)  # the last price of a bar is the last that its orders see


class Bars(Recorder):
    """Writes down its rows among its other callbacks."""

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        self.calls.append(Call("bar", symbol, data, is_end))

    def receive_ticks(self, symbol: str, data: Data, is_end: bool = False) -> None:
        self.calls.append(Call("tick", symbol, data, is_end))

    def rows(self, kind: str = "bar") -> list[Call]:
        return [call for call in self.calls if call.kind == kind]


SEVERAL = {**REPLAY, "symbol": ["GBPUSD", "EURUSD"], "timeframe": ["M5", "M1"], "to": MONDAY + timedelta(hours=20)}


class Basket(Bars):
    """Orders in every symbol that it hears of, some of which are closed by a later bar or tick."""

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        super().receive_bars(symbol, data, is_end)
        self.trade(symbol, len(self.rows()), data["close"], 30)

    def receive_ticks(self, symbol: str, data: Data, is_end: bool = False) -> None:
        super().receive_ticks(symbol, data, is_end)
        self.trade(symbol, len(self.rows("tick")), data["bid"], 301)

    def trade(self, symbol: str, number: int, near: float, every: int) -> None:
        if number % every in (1, 2):
            stops = {"sl": price(near - 20 * POINT), "tp": price(near + 20 * POINT)}
            assert self.send_order(order(symbol=symbol, **stops)).ok
        if number % every == 3:
            self.send_order(order(symbol=symbol, order_type="buy_limit", price=price(near - 9 * POINT)))


class Trader(Bars):
    """Orders of every kind among the bars: some fill at once, some later, some never."""

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        super().receive_bars(symbol, data, is_end)
        number, close = len(self.rows()), data["close"]
        if number % 20 == 1:
            self.send_order(order(sl=price(close - 20 * POINT), tp=price(close + 20 * POINT)))
        if number % 20 == 5:
            self.send_order(order(order_type="buy_limit", price=price(close - 5 * POINT)))
            self.send_order(order(order_type="sell_stop", price=price(close - 15 * POINT)))
        if number % 20 == 9:
            self.send_order(order(volume=1e6))
        if number % 20 == 15:
            for row in self.get_pending_orders():
                self.cancel_order({"order_id": row["ticket"]})


def moments(client: Recorder) -> list[datetime]:
    """When each callback happened: a bar is shown at its end."""
    return [call.data["time"] + (BAR if call.kind == "bar" else timedelta()) for call in client.calls]


def log(client: Recorder) -> list[tuple[str, str, Data]]:
    """The callbacks without what names this run: client order ids and the session."""
    ours = {"client_order_id", "session"}
    return [(c.kind, str(c.id), {k: v for k, v in c.data.items() if k not in ours}) for c in client.calls]


def test_bars_come_on_the_callers_thread_in_order_and_end_once(world: World) -> None:
    with world.client(Bars) as client:
        client.subscribe_bars(REPLAY)
        rows = client.rows()
        assert [row.data["time"] for row in rows] == [MONDAY + timedelta(minutes=n) for n in range(BARS)]
        assert [row.is_end for row in rows] == [False] * (BARS - 1) + [True]
        assert {row.thread for row in rows} == {threading.get_ident()}
        assert {row.id for row in rows} == {"EURUSD"}
        assert list(rows[0].data) == ["time", "open", "high", "low", "close", "volume", "symbol", "timeframe"]
        assert all(row.data["low"] <= min(row.data["open"], row.data["close"]) for row in rows)


def test_ticks_come_on_the_callers_thread_in_order_and_end_once(world: World) -> None:
    with world.client(Bars) as client:
        client.subscribe_ticks({**TICKS, "to": MONDAY + timedelta(hours=5)})
        rows = client.rows("tick")
        assert len(rows) > 1000, "more than one chunk"
        times = [row.data["time"] for row in rows]
        assert times == sorted(times)
        assert sum(row.is_end for row in rows) == 1
        assert rows[-1].is_end
        assert {row.thread for row in rows} == {threading.get_ident()}
        assert all(row.data["bid"] < row.data["ask"] for row in rows)


def test_what_happens_to_orders_comes_in_simulated_time_between_the_bars(world: World) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars(REPLAY)
        times = moments(client)
        assert times == sorted(times)
        assert {call.thread for call in client.calls} == {threading.get_ident()}
        reasons = {call.data["reason"] for call in client.calls if call.kind == "execution"}
        assert reasons & {"sl", "tp"}
        assert {"FILLED", "ACCEPTED", "CANCELED", "REJECTED"} <= {c.state for c in client.calls if c.kind == "status"}


def test_the_answer_of_an_order_comes_before_the_next_bar(world: World) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars(REPLAY)
        kinds = [(call.kind, call.state) for call in client.calls]
        assert kinds[:3] == [("bar", "bar"), ("status", "FILLED"), ("execution", "execution")]
        for place, call in enumerate(client.calls):
            if call.state == "REJECTED":
                assert call.data["time"] == client.calls[place - 1].data["time"] + BAR


def test_two_runs_tell_the_same_and_so_do_both_ways_to_run(world: World) -> None:
    logs = []
    for place in (world, world, World("", world.data)):
        with place.client(Trader) as client:
            client.subscribe_bars(REPLAY)
            logs.append(log(client))
    assert len(logs[0]) > BARS + 20
    assert logs[0] == logs[1]
    assert logs[0] == logs[2]


def end_of(row: Call) -> datetime:
    minutes = {"M1": 1, "M5": 5}[row.data["timeframe"]]
    return row.data["time"] + timedelta(minutes=minutes)


def test_bars_of_several_symbols_and_timeframes_come_in_the_order_of_time(world: World) -> None:
    with world.client(Basket) as client:
        client.subscribe_bars(SEVERAL)
        rows = client.rows()
        expected = ["GBPUSD M5", "GBPUSD M1", "EURUSD M5", "EURUSD M1"]
        assert [f"{row.id} {row.data['timeframe']}" for row in rows if end_of(row) == end_of(rows[-1])] == expected
        assert [end_of(row) for row in rows] == sorted(end_of(row) for row in rows)
        assert len(rows) == 2 * (1200 + 240) > 2000, "more than two chunks"
        assert [row.is_end for row in rows] == [False] * (len(rows) - 1) + [True]
        alone = type(client)(world.url, data=world.data)
        with alone:
            alone.subscribe_bars({**SEVERAL, "symbol": "EURUSD", "timeframe": "M5"})
            mine = [row.data for row in rows if (row.id, row.data["timeframe"]) == ("EURUSD", "M5")]
            assert [row.data for row in alone.rows()] == mine


def test_orders_are_filled_in_each_symbol_of_a_replay(world: World) -> None:
    with world.client(Basket) as client:
        client.subscribe_bars(SEVERAL)
        deals = [call.data for call in client.calls if call.kind == "execution"]
        assert {(deal["symbol"], deal["reason"]) for deal in deals} >= {
            (symbol, reason) for symbol in ("EURUSD", "GBPUSD") for reason in ("expert", "sl", "tp")
        }
        times = [c.data["time"] if c.kind != "bar" else end_of(c) - timedelta(minutes=1) + BAR for c in client.calls]
        assert times == sorted(times)


@pytest.mark.parametrize("kind", ["bars", "ticks"])
def test_several_symbols_tell_the_same_twice_and_both_ways(world: World, kind: str) -> None:
    logs = []
    for place in (world, world, World("", world.data)):
        with place.client(Basket) as client:
            if kind == "bars":
                client.subscribe_bars(SEVERAL)
            else:
                ticks = {name: value for name, value in SEVERAL.items() if name != "timeframe"}
                client.subscribe_ticks({**ticks, "to": MONDAY + timedelta(hours=3)})
            logs.append(log(client))
    assert len(logs[0]) > 2100
    assert {kind for kind, _, _ in logs[0]} >= {"status", "execution"}
    assert logs[0] == logs[1]
    assert logs[0] == logs[2]


def test_ticks_of_several_symbols_come_in_the_order_of_time(world: World) -> None:
    with world.client(Bars) as client:
        ticks = {name: value for name, value in SEVERAL.items() if name != "timeframe"}
        client.subscribe_ticks({**ticks, "to": MONDAY + timedelta(hours=2)})
        rows = client.rows("tick")
        moments = [(row.data["time"], ["GBPUSD", "EURUSD"].index(row.id)) for row in rows]
        assert moments == sorted(moments)
        assert sum(row.is_end for row in rows) == 1
        assert rows[-1].is_end


def test_of_several_streams_one_can_be_ended(world: World) -> None:
    class Leaver(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 40:
                self.unsubscribe_bars({"symbol": "GBPUSD"})
            if len(self.calls) == 60:
                self.unsubscribe_bars({"symbol": "EURUSD", "timeframe": "M1"})
            if len(self.calls) == 80:
                self.unsubscribe_bars({"symbol": "EURUSD"})

    with world.client(Leaver) as client:
        client.subscribe_bars(SEVERAL)
        heard = [f"{row.id} {row.data['timeframe']}" for row in client.rows()]
        assert len(heard) == 80
        assert set(heard[40:60]) == {"EURUSD M1", "EURUSD M5"}
        assert set(heard[60:]) == {"EURUSD M5"}


@pytest.mark.parametrize(
    "given", [{"symbol": []}, {"symbol": ["EURUSD", "EURUSD"]}, {"timeframe": ["M1", "M7"]}, {"symbol": ["A"] * 65}]
)
def test_a_list_of_symbols_or_timeframes_is_checked(world: World, given: Data) -> None:
    with world.client(Bars) as client, pytest.raises(mas.CallerError, match=next(iter(given))):
        client.subscribe_bars({**SEVERAL, **given})


def test_each_subscription_starts_a_fresh_account(world: World) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars({**REPLAY, "capital": 5000})
        first = log(client)
        client.calls.clear()
        client.subscribe_bars({**REPLAY, "capital": 5000})
        assert log(client) == first
        assert client.get_account_info({"backtest_toggle": True})["balance"] == pytest.approx(5000, abs=1000)


def test_the_account_can_be_looked_at_and_closed_after_the_end(world: World) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars(REPLAY)
        for row in client.get_positions():
            side = "sell" if row["type"] == mt5.POSITION_TYPE_BUY else "buy"
            closed = client.send_order(order(order_type=side, volume=row["volume"], position=row["ticket"]))
            assert closed.ok, closed
        assert client.get_positions() == []
        assert client.get_account_info()["equity"] == client.get_account_info()["balance"]


@pytest.mark.parametrize("how", ["unsubscribe", "stop_all", "other"])
def test_unsubscribing_in_a_callback_ends_the_replay_before_its_next_row(world: World, how: str) -> None:
    class Stopper(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 7:
                if how == "unsubscribe":
                    self.unsubscribe_bars({"symbol": symbol, "timeframe": "M1"})
                elif how == "stop_all":
                    self.stop_all_subscriptions()
                else:
                    self.unsubscribe_bars({"symbol": symbol, "timeframe": "H1"})
                    self.unsubscribe_bars({"symbol": "GBPUSD"})
                    self.unsubscribe_ticks({"symbol": symbol})

    with world.client(Stopper) as client:
        client.subscribe_bars(REPLAY)
        assert len(client.calls) == (BARS if how == "other" else 7)
        assert sum(call.is_end for call in client.calls) == (how == "other")


def test_the_last_row_that_is_shown_is_the_end_though_a_stream_with_later_rows_was_unsubscribed(world: World) -> None:
    class Stopper(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 20:
                self.unsubscribe_bars({"symbol": "GBPUSD"})

    with world.client(Stopper) as client:
        client.subscribe_bars({**REPLAY, "symbol": ["EURUSD", "GBPUSD"]})
        assert [call.is_end for call in client.calls] == [False] * (len(client.calls) - 1) + [True]
        assert (client.calls[-1].id, len(client.calls)) == ("EURUSD", BARS + 10)


@pytest.mark.parametrize("where", ["receive_bars", "receive_order_status", "receive_order_execution"])
def test_an_exception_in_a_callback_ends_the_replay_and_is_the_callers(world: World, where: str) -> None:
    class Odd(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Odd(where)

    with world.client(Trader) as client:
        setattr(client, where, fail)
        if where == "receive_bars":
            with pytest.raises(Odd, match=where):
                client.subscribe_bars(REPLAY)
            return
        with world.client(type("Failing", (Trader,), {where: fail})) as failing:
            with pytest.raises(Odd, match=where):
                failing.subscribe_bars(REPLAY)
            assert len(failing.rows()) == 1
            failing.unsubscribe_bars({"symbol": "EURUSD"})
            assert failing.send_order(order(account=7)).ok, "the client works on"


def test_missing_quotes_are_an_error_that_names_the_commands(world: World) -> None:
    with world.client(Bars) as client:
        with pytest.raises(mas.DataMissing, match="mas data") as caught:
            client.subscribe_bars({**REPLAY, "source": "catalog"})
        assert "EURUSD" in str(caught.value)
        with pytest.raises(mas.DataMissing, match="mas data"):
            client.subscribe_ticks({**TICKS, "source": "catalog"})
        assert client.calls == []


def test_what_cannot_be_replayed_is_refused_in_words(world: World) -> None:
    with world.client(Bars) as client:
        with pytest.raises(mas.MasError, match="symbol"):
            client.subscribe_bars({**REPLAY, "symbol": "NOSUCH"})
        with pytest.raises(mas.MasError, match="from"):
            client.subscribe_bars({**REPLAY, "from": MONDAY - timedelta(hours=40), "to": MONDAY - timedelta(hours=39)})
        with pytest.raises(mas.CallerError, match="backtest_toggle"):
            client.subscribe_bars({**REPLAY, "backtest_toggle": False})


def test_a_replay_inside_a_replay_of_the_same_account_is_the_callers_error(world: World) -> None:
    class Nested(Bars):
        caught: mas.CallerError | None = None

        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 3:
                with pytest.raises(mas.CallerError, match="a replay is running on this account") as caught:
                    self.subscribe_bars(REPLAY)
                self.caught = caught.value

    with world.client(Nested) as client:
        client.subscribe_bars(REPLAY)
        assert client.caught is not None
        assert len(client.rows()) == BARS


def test_a_replay_inside_a_replay_of_another_account_runs(world: World) -> None:
    class Nested(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 3:
                self.subscribe_ticks({**TICKS, "account": 2, "to": MONDAY + timedelta(minutes=10)})

    with world.client(Nested) as client:
        client.subscribe_bars(REPLAY)
        assert len(client.rows()) == BARS
        assert client.rows("tick")[-1].is_end


def test_two_threads_cannot_replay_on_one_account_at_once(world: World) -> None:
    class Twice(Bars):
        refused: str = ""

        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 3:
                thread = threading.Thread(target=self.again)
                thread.start()
                thread.join(20)
                assert not thread.is_alive()

        def again(self) -> None:
            with pytest.raises(mas.CallerError) as caught:
                self.subscribe_bars(REPLAY)
            self.refused = str(caught.value)

    with world.client(Twice) as client:
        client.subscribe_bars(REPLAY)
        times = [row.data["time"] for row in client.rows()]
        assert "replay" in client.refused
        assert (times, len(times)) == (sorted(times), BARS)


def test_closing_the_client_inside_a_replay_ends_it(world: World) -> None:
    class Closer(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.calls) == 3:
                self.close()

    with world.client(Closer) as client:
        client.subscribe_bars(REPLAY)
        assert len(client.calls) == 3


def test_expirations_in_a_replay_count_in_simulated_time(world: World) -> None:
    class Dated(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.rows()) == 1:
                self.send_order(
                    order(
                        order_type="buy_limit",
                        price=0.5,
                        type_time=mt5.ORDER_TIME_SPECIFIED,
                        expiration=MONDAY + timedelta(minutes=30),
                    )
                )

    with world.client(Dated) as client:
        client.subscribe_bars(REPLAY)
        (expired,) = [call for call in client.calls if call.state == "EXPIRED"]
        assert timedelta(minutes=30) <= expired.data["time"] - MONDAY <= timedelta(minutes=31)
        place = client.calls.index(expired)
        assert len([c for c in client.calls[:place] if c.kind == "bar"]) in (29, 30)


def test_an_order_that_is_refused_on_this_side_is_told_in_the_replay_at_its_time(world: World) -> None:
    class Careless(Bars):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.rows()) == 3:
                self.send_order(order(volume=-1))

    with world.client(Careless) as client:
        client.subscribe_bars(REPLAY)
        (denied,) = [call for call in client.calls if call.kind == "status"]
        assert client.calls.index(denied) == 3, "right after the bar at which it was sent"
        assert denied.thread == threading.get_ident()
        assert denied.data["time"] == MONDAY + timedelta(minutes=2)

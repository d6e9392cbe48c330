"""What strategies call besides trading: bars of the past, the depth of market, versions, connecting by hand."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import mas
from mas import mt5
from tests.conformance.sdk_harness import BUY, MONDAY, REPLAY, Data, Recorder, World

COLUMNS = ["time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume"]
TWO_DAYS = {**REPLAY, "to": MONDAY + timedelta(days=2)}


def bars(client: mas.Client, timeframe: str, count: int, **fields: Any) -> list[Data]:
    """The rows of a frame, after a look at its columns."""
    frame = client.get_bars_from_pos({"symbol": "EURUSD", "timeframe": timeframe, "count": count, **fields})
    assert list(frame.columns) == COLUMNS
    return frame.to_dict("records")


# ---- bars of the past ----------------------------------------------------------------------------------------------


class Looker(Recorder):
    """At each bar, looks back."""

    seen: list[Data]
    looks: list[list[Data]]

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        self.seen.append(data)
        self.looks.append(self.look())

    def look(self) -> list[Data]:
        return bars(self, "M1", 5)


def watched(world: World, kind: type[Looker], replay: Data) -> Looker:
    with world.client(kind) as client:
        client.seen, client.looks = [], []
        client.subscribe_bars(replay)
        return client


def test_bars_of_a_replay_end_with_the_one_that_the_strategy_stands_on(world: World) -> None:
    client = watched(world, Looker, REPLAY)
    for number, look in enumerate(client.looks):
        expected = client.seen[max(0, number - 4) : number + 1]
        assert [row["time"] for row in look] == [bar["time"] for bar in expected]
        for row, bar in zip(look, expected, strict=True):
            prices = ("open", "high", "low", "close")
            assert [row[name] for name in prices] == [bar[name] for name in prices]
            assert (row["tick_volume"], row["real_volume"]) == (bar["volume"], 0)
            assert row["spread"] > 0


def test_a_longer_bar_of_a_replay_knows_only_what_has_happened_of_it(world: World) -> None:
    class Hours(Looker):
        def look(self) -> list[Data]:
            return bars(self, "H1", 1)

    client = watched(world, Hours, REPLAY)
    for number, ((row,), bar) in enumerate(zip(client.looks, client.seen, strict=True)):
        of_this_hour = client.seen[number // 60 * 60 : number + 1]
        assert row["time"] == bar["time"].replace(minute=0)
        assert (row["open"], row["close"]) == (of_this_hour[0]["open"], bar["close"])
        assert row["high"] == max(one["high"] for one in of_this_hour)
        assert row["low"] == min(one["low"] for one in of_this_hour)


def test_a_tick_replay_has_bars_too(world: World) -> None:
    class Ticker(Recorder):
        closes: list[tuple[float, float]]

        def receive_ticks(self, symbol: str, data: Data, is_end: bool = False) -> None:
            if len(self.closes) < 100:
                self.closes.append((data["bid"], bars(self, "M5", 1)[-1]["close"]))

    ticks = {name: value for name, value in REPLAY.items() if name != "timeframe"}
    with world.client(Ticker) as client:
        client.closes = []
        client.subscribe_ticks(ticks)
        assert len(client.closes) == 100
        assert all(bid == close for bid, close in client.closes)


def test_start_pos_leaves_out_the_newest_and_long_looks_come_whole(world: World) -> None:
    class Once(Looker):
        def look(self) -> list[Data]:
            return bars(self, "M1", 2500) if len(self.seen) == 2600 else []

    client = watched(world, Once, TWO_DAYS)
    (look,) = filter(None, client.looks)
    assert [row["time"] for row in look] == [bar["time"] for bar in client.seen[100:2600]]

    class Later(Looker):
        def look(self) -> list[Data]:
            return bars(self, "M1", 2, start_pos=3) if len(self.seen) == 50 else []

    client = watched(world, Later, REPLAY)
    (look,) = filter(None, client.looks)
    assert [row["time"] for row in look] == [client.seen[45]["time"], client.seen[46]["time"]]


@pytest.mark.parametrize("timeframe", ["M1", "H4", "D1", "W1", "MN1"])
def test_a_market_that_follows_the_clock_has_a_past_that_joins_the_present(world: World, timeframe: str) -> None:
    with world.client() as client:
        client.send_order(BUY)
        rows = bars(client, timeframe, 12, backtest_toggle=True)
        assert len(rows) == 12
        times = [row["time"] for row in rows]
        assert times == sorted(set(times))
        assert times[-1] <= datetime.now(UTC)
        for before, after in pairwise(rows):
            assert before["low"] <= min(before["open"], before["close"]), before
            assert abs(after["open"] / before["close"] - 1) < 0.02, "the join is no jump"
        assert bars(client, timeframe, 12, backtest_toggle=True)[:-1] == rows[:-1], "the past does not change"
        assert len(bars(client, "M1", 10_000, backtest_toggle=True)) == 10_000


def test_bars_that_there_are_not_are_no_rows_and_the_reason_is_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with world.client() as client:
        for wrong in (
            {"symbol": "NOSUCH", "timeframe": "M1", "count": 5},
            {"symbol": "EURUSD", "timeframe": "M7", "count": 5},
            {"symbol": "EURUSD", "timeframe": "M1", "count": 0},
            {"symbol": "EURUSD", "timeframe": "M1"},
        ):
            caplog.clear()
            frame = client.get_bars_from_pos({**wrong, "backtest_toggle": True})
            assert (list(frame.columns), len(frame)) == (COLUMNS, 0)
            assert caplog.records, wrong


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with mas.Client("") as client, pytest.raises(mas.CallerError, match=r"pip install .*\[pandas\]"):
        client.get_bars_from_pos({"symbol": "EURUSD", "timeframe": "M1", "count": 5})


# ---- start date ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "count", "start"),
    [
        ("2024-03-15", 1, "2024-03-08"),
        ("2024-03-15", 5, "2024-03-08"),
        ("2024-03-15", 6, "2024-03-01"),
        ("2024-03-15 12:30:00", 10, "2024-03-01"),
        (date(2024, 1, 1), 250, "2023-01-16"),
    ],
)
def test_the_start_date_is_whole_weeks_of_five_days_earlier(to: Any, count: int, start: str) -> None:
    with mas.Client("") as client:
        assert client.get_start_date(to, "D1", count) == start


@pytest.mark.parametrize(
    "wrong", [("2024-03-15", "H1", 5), ("2024-03-15", "D1", 0), ("15.3.2024", "D1", 5), ("2024-03-15", "D1", "5")]
)
def test_a_start_date_of_other_bars_than_days_is_a_value_error(wrong: tuple[Any, Any, Any]) -> None:
    with mas.Client("") as client, pytest.raises(ValueError, match="is not allowed"):
        client.get_start_date(*wrong)


# ---- depth of market -----------------------------------------------------------------------------------------------


def test_the_depth_of_market_is_the_quote_while_it_is_followed(world: World) -> None:
    with world.client() as client:
        asked = {"symbol": "EURUSD", "backtest_toggle": True}
        assert client.get_market_book(asked) == []
        assert client.subscribe_market_book(asked)
        sell, buy = client.get_market_book(asked)
        assert (sell["type"], buy["type"]) == (mt5.BOOK_TYPE_SELL, mt5.BOOK_TYPE_BUY)
        assert sell["price"] > buy["price"] > 0
        assert sell.keys() == {"type", "price", "volume", "volume_dbl"}
        assert sell["volume"] == int(sell["volume_dbl"]) > 0
        assert client.unsubscribe_market_book(asked)
        assert not client.unsubscribe_market_book(asked)
        assert client.get_market_book(asked) == []
        assert not client.subscribe_market_book({**asked, "symbol": "NOSUCH"})
        assert not client.subscribe_market_book({"backtest_toggle": True})


# ---- connecting by hand --------------------------------------------------------------------------------------------


def test_a_client_can_be_shut_down_and_connected_again(world: World) -> None:
    with world.client() as client:
        assert client.initialize_mt5()
        assert client.check_connection()
        client.send_order(BUY)
        client.shutdown_mt5()
        assert not client.check_connection()
        assert not client.send_order(BUY).ok
        assert client.reconnect_mt5()
        assert client.get_positions({"backtest_toggle": True}) == []
        answer = client.send_order(BUY)
        assert answer.ok
        client.wait_for(answer, "FILLED", "execution")


def test_without_an_answer_connecting_by_hand_is_false() -> None:
    with mas.Client("amqp://127.0.0.1:1", timeout=0.5) as client:
        assert not client.initialize_mt5()
        assert not client.reconnect_mt5()


def test_the_version_is_that_of_the_change_log() -> None:
    with mas.Client("") as client:
        version = client.get_version()
    assert version == {"version": mas.__version__, "build": 1, "release_date": version["release_date"]}
    text = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{version['version']}] - {version['release_date']}" in text

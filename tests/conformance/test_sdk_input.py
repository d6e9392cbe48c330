"""Wrong and hostile input to every public method: a clear value or a documented error, and nothing reaches the market.

The tables are of fields and of values that no field takes; `tests/unit/test_params.py` says what each field does take.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import mas
from mas_router.errors import CallerError, MasError
from tests.conformance.sdk_harness import BUY, MONDAY, REPLAY, Data, Recorder, World, order


class Strange:
    """Fails at everything that it is asked."""

    def _fail(self, *_: object) -> Any:
        raise RuntimeError("strange")

    __repr__ = __str__ = __float__ = __int__ = __index__ = __bool__ = __eq__ = __len__ = _fail  # type: ignore[assignment]
    __hash__ = object.__hash__


NUMBERS = [math.nan, math.inf, -math.inf, -1, -0.1, 1e300, 10**400, "0.1", "", b"1", [], {}, True, 1j, Strange()]
TICKETS = [0, -1, 1.5, math.nan, 2**63, 10**400, "", "abc", "1.0", " 1", "1" * 30, b"1", [], {}, True, None, Strange()]
TEXTS = ["", " ", "a" * 2000, "line\nbreak", "\x00", "\ud800", 1, 0.1, b"EURUSD", [], {}, True, Strange()]
CONSTANTS = [-1, 99, 2**70, 0.5, "GTC", "", [], {}, True, Strange()]
MOMENTS = [-1, 2**70, 10**400, math.nan, math.inf, "tomorrow", "2024-13-01", "", [], {}, True, b"1", Strange()]
FLAGS = [0, 1, "True", "", [], {}, 0.0, Strange()]
NO_DICTS = [None, 1, "EURUSD", [], [("symbol", "EURUSD")], b"", object(), Strange(), True]

ORDER_FIELDS = {
    "symbol": TEXTS,
    "order_type": [*TEXTS, "long", 0, 99],
    "volume": [*NUMBERS, 0],
    "price": NUMBERS,
    "sl": NUMBERS,
    "tp": NUMBERS,
    "stoplimit": NUMBERS,
    "deviation": [*CONSTANTS[:1], 0.5, 2**40, "10", [], True, Strange()],
    "magic": [-1, 2**64, 0.5, "1", [], True, Strange()],
    "comment": ["x" * 200, "line\nbreak", "\ud800", 1, b"x", [], Strange()],
    "type_time": CONSTANTS,
    "type_filling": CONSTANTS,
    "expiration": MOMENTS,
    "position": TICKETS,
    "order_id": TICKETS,
    "position_by": TICKETS,
    "client_order_id": ["with space", "ä", "a" * 65, "a\n", 1, b"x", [], Strange()],
    "valid_for": [0, *NUMBERS[:4], 1e9, "1", [], True, Strange()],
    "backtest_toggle": [*FLAGS, None],
    "account": [0, -1, "", " ", "a" * 100, 1.5, [], True, Strange()],
    "server": TEXTS,
}
TARGET = {name: ORDER_FIELDS[name] for name in ("account", "server")} | {"backtest_toggle": FLAGS}
FILTERS = {"symbol": TEXTS, "group": ["", 1, "a" * 2000, [], Strange()], "ticket": TICKETS[:-2], **TARGET}
HISTORY = {**FILTERS, "position": TICKETS[:-2], "from": MOMENTS, "to": MOMENTS}
ONE = {"action": "buy", "symbol": "EURUSD", "volume": 1.0, "price": 1.1, "backtest_toggle": True}
PROFIT = {"action": "buy", "symbol": "EURUSD", "volume": 1.0, "price_open": 1.1, "price_close": 1.2}
STRICTLY = [*NUMBERS, 0]

Method = tuple[Data, dict[str, list[Any]], Any]
#: Methods that answer with a value: a good call, the values that its fields refuse, and the answer to a bad call.
ANSWERING: dict[str, Method] = {
    "cancel_order": ({"order_id": 1}, {"order_id": TICKETS, "comment": ORDER_FIELDS["comment"], **TARGET}, False),
    "modify_order": (
        {"order_id": 1, "price": 1.0},
        {
            "order_id": TICKETS,
            "price": STRICTLY,
            "sl": NUMBERS,
            "tp": NUMBERS,
            "stoplimit": NUMBERS,
            "expiration": MOMENTS,
            **TARGET,
        },
        False,
    ),
    "modify_position_sltp": (
        {"position_id": 1, "sl": 1.0},
        {"position_id": TICKETS, "sl": NUMBERS, "tp": NUMBERS, **TARGET},
        False,
    ),
    "get_positions": ({}, FILTERS, []),
    "get_pending_orders": ({}, FILTERS, []),
    "get_history_orders": ({}, HISTORY, []),
    "get_order_history": ({}, HISTORY, []),
    "get_symbols": ({}, {"symbol": TEXTS, "group": FILTERS["group"], **TARGET}, []),
    "get_orders_total": ({}, FILTERS, 0),
    "get_history_orders_total": ({}, HISTORY, 0),
    "get_symbols_total": ({}, {"symbol": TEXTS, **TARGET}, 0),
    "order_check": (BUY, {n: v for n, v in ORDER_FIELDS.items() if n != "backtest_toggle"}, {}),
    "calc_order_margin": (
        ONE,
        {
            "action": ["buy_limit", "", 0, [], Strange()],
            "symbol": TEXTS,
            "volume": STRICTLY,
            "price": STRICTLY,
            **TARGET,
        },
        -1.0,
    ),
    "calc_order_profit": (
        PROFIT,
        {"action": ["hold", None, 1], "volume": STRICTLY, "price_open": STRICTLY, "price_close": STRICTLY, **TARGET},
        -1.0,
    ),
}
ANSWERING |= {
    "subscribe_market_book": ({"symbol": "EURUSD"}, {"symbol": TEXTS, **TARGET}, False),
    "get_market_book": ({"symbol": "EURUSD"}, {"symbol": TEXTS, **TARGET}, []),
    "unsubscribe_market_book": ({"symbol": "EURUSD"}, {"symbol": TEXTS, **TARGET}, False),
}
BARS = {"symbol": "EURUSD", "timeframe": "M1", "count": 5, "backtest_toggle": True}
BAR_FIELDS = {
    "symbol": TEXTS,
    "timeframe": ["", "M7", 1, [], None, Strange()],
    "count": [0, -1, 10**6, 1.5, "5", [], True, Strange()],
    "start_pos": [-1, 10**6, 1.5, "5", [], True, Strange()],
    **TARGET,
}
SUBSCRIBE = {
    "symbol": TEXTS,
    "from": MOMENTS,
    "to": [*MOMENTS, MONDAY - timedelta(days=1)],
    "capital": STRICTLY,
    "source": ["", "web", 1, []],
    "seed": [-1, 0.5, 2**64, "1"],
    "leverage": [0, -1, 1e9, "100", math.nan],
    "margin_mode": ["", "stock", 0],
    "interval_ms": [0, -1, 10**9, "1"],
    "backtest_toggle": FLAGS,
    **{name: TARGET[name] for name in ("account", "server")},
}
TICKS = {name: value for name, value in REPLAY.items() if name != "timeframe"}
#: Methods that raise CallerError.
RAISING: dict[str, tuple[Data, dict[str, list[Any]]]] = {
    "login": (
        {"account": 1, "password": "p", "server": "s"},
        {
            "account": [*ORDER_FIELDS["account"], None],
            "password": ["", "a" * 300, 1, [], None, Strange()],
            "server": [*TEXTS, None],
            "timeout": [0, -1, 1.5, "1", 10**9, True],
        },
    ),
    "subscribe_bars": (REPLAY, {**SUBSCRIBE, "timeframe": ["", "M7", 1, [], None, Strange()]}),
    "subscribe_ticks": (TICKS, {**SUBSCRIBE, "mode": ["", "some", 1], "flags": [0, 9, "all"]}),
    "unsubscribe_bars": ({"symbol": "EURUSD"}, {"symbol": TEXTS, "timeframe": ["M7", 1]}),
    "unsubscribe_ticks": ({"symbol": "EURUSD"}, {"symbol": TEXTS}),
}


def bad_calls(good: Data, fields: dict[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    """What the call must not take: (the field or what is wrong, the argument)."""
    for name, values in fields.items():
        for value in values:
            yield name, {**good, name: value}
    for argument in NO_DICTS:
        yield "params must be a dict", argument
    for key in ("symbl", 1, None, ("symbol",), "x" * 500, Strange()):
        yield "unknown field", {**good, key: 1}
    for name in good:
        if name not in ("backtest_toggle", "source", "seed", "sl", "action"):
            yield f"'{name}'", {key: value for key, value in good.items() if key != name}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Recorder]:
    """Embedded: what is wrong with a dictionary is found before anything is sent."""
    with World("", tmp_path).client() as made:
        made.send_order(BUY)
        made.wait(lambda: len(made.calls) == 2, "the first order")
        yield made


@pytest.mark.parametrize("field", ORDER_FIELDS)
def test_an_order_with_a_bad_field_is_one_denied_status_and_an_id_that_names_the_field(
    client: Recorder, field: str
) -> None:
    for value in ORDER_FIELDS[field]:
        before = len(client.calls)
        sent = client.send_order({**BUY, field: value})
        assert not sent.ok, (field, value)
        assert sent.state is mas.State.DENIED
        assert field in sent, (field, sent)
        client.wait(lambda before=before: len(client.calls) > before, f"the status of {field}={type(value)}")
        (status,) = client.calls[before:]
        assert (status.kind, status.state) == ("status", "DENIED")
        assert status.id is sent
        assert status.data["message"] == sent
    assert len(client.get_positions()) == 1


@pytest.mark.parametrize("method", ["send_order", "submit", "send_orders"])
def test_what_is_no_order_is_an_error_that_says_what_is_missing_or_unknown(client: Recorder, method: str) -> None:
    def send(argument: Any) -> mas.OrderId:
        if method == "send_orders":
            (answer,) = client.send_orders([argument])
            return answer
        return client.send_order(argument) if method == "send_order" else client.submit(argument).result(1)

    for wrong, argument in bad_calls({k: v for k, v in BUY.items() if k != "symbol"} | {"symbol": "EURUSD"}, {}):
        answer = send(argument)
        assert answer.state is mas.State.DENIED
        assert wrong in answer, answer
    assert len(client.get_positions()) == 1


def test_a_burst_that_is_no_list_is_refused_in_words(client: Recorder) -> None:
    for many in (None, 1, "EURUSD", b"x", {}, BUY, {"a"}, Strange(), True):
        with pytest.raises(CallerError, match="a list of dictionaries"):
            client.send_orders(many)  # type: ignore[arg-type]
    assert client.send_orders([]) == []


@pytest.mark.parametrize("method", ANSWERING)
def test_a_bad_call_is_answered_with_the_documented_value(client: Recorder, method: str) -> None:
    good, fields, answer = ANSWERING[method]
    call: Callable[[Any], Any] = getattr(client, method)
    for _, argument in bad_calls(good, fields):
        got = call(argument)
        assert got == answer
        assert type(got) is type(answer)


def test_a_bad_call_for_bars_gives_a_frame_without_rows(client: Recorder) -> None:
    for _, argument in bad_calls(BARS, BAR_FIELDS):
        assert len(client.get_bars_from_pos(argument)) == 0
    assert len(client.get_bars_from_pos(BARS)) == 5


def test_account_info_says_what_is_wrong(client: Recorder) -> None:
    for wrong, argument in bad_calls({}, TARGET):
        assert wrong in client.get_account_info(argument)["error"]
    assert "symbol" in client.get_account_info({"symbol": "EURUSD"})["error"]


@pytest.mark.parametrize("method", RAISING)
def test_a_bad_call_raises_a_callers_error_that_names_the_field(client: Recorder, method: str) -> None:
    good, fields = RAISING[method]
    call: Callable[[Any], Any] = getattr(client, method)
    for wrong, argument in bad_calls(good, fields):
        with pytest.raises(MasError) as caught:
            call(argument)
        assert isinstance(caught.value, CallerError), caught.value
        assert isinstance(caught.value, ValueError)
        assert wrong in str(caught.value) or re.search("from|to|backtest_toggle", str(caught.value))


def test_a_misspelt_field_is_answered_with_the_right_one(client: Recorder) -> None:
    for wrong, right in (
        ("symbl", "symbol"),
        ("Volume", "volume"),
        ("type_fill", "type_filling"),
        ("stop_limit", "stoplimit"),
    ):
        assert f"did you mean '{right}'?" in client.send_order({**BUY, wrong: 1})


def test_passwords_are_in_no_error(client: Recorder) -> None:
    for password in ("hunter2" * 100, 20_24_11_20):
        with pytest.raises(CallerError) as caught:
            client.login({"account": 1, "password": password, "server": "s"})
        assert "hunter2" not in str(caught.value)
        assert "20241120" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"events": "all"},
        {"client_id": "a b"},
        {"client_id": "a.b"},
        {"client_id": 1},
        {"seed": -1},
        {"seed": "1"},
        {"seed": 2**63},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": math.nan},
        {"timeout": "1"},
        {"data": 5},
        {"url": 5},
        {"url": "http://nowhere"},
    ],
    ids=str,
)
def test_a_bad_setting_of_a_client_is_the_callers_error_and_names_the_setting(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(CallerError, match=f"(?i){name}"), mas.Client(**{"url": "", **settings}) as client:
        client.login({"account": 1, "password": "p", "server": "s"})


@pytest.mark.parametrize("volume", [1e-8, 0.001, 0.015, 1e9])
def test_what_only_the_trade_server_can_judge_is_refused_by_it(world: World, volume: float) -> None:
    with world.client() as client:
        sent = client.send_order(order(volume=volume))
        assert sent.state is mas.State.REJECTED
        assert client.get_positions() == []

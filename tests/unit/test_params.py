"""Every dictionary of the SDK ends in checked values, or in an error with the field, the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas import _send, _subscribe, mt5, params
from mas._fields import _rules
from mas_router.errors import CallerError, InvalidField

NOW = 1_767_268_800 * 10**9  # 2026-01-01 12:00 UTC
LATER = datetime(2026, 2, 1, tzinfo=UTC)
Params = dict[str, Any]

METHODS: dict[str, tuple[Callable[[object], object], Params]] = {
    "login": (params.login_params, {"account": 1001, "password": "secret", "server": "Demo"}),
    "send_order": (
        lambda given: params.send_order(given, NOW),
        {"symbol": "EURUSD", "order_type": "buy_limit", "volume": 0.1, "price": 1.1, "backtest_toggle": True},
    ),
    "order_check": (
        lambda given: params.order_check(given, NOW),
        {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1},
    ),
    "cancel_order": (params.cancel_order, {"order_id": 7}),
    "modify_order": (lambda given: params.modify_order(given, NOW), {"order_id": 7, "price": 1.1}),
    "modify_position_sltp": (params.modify_position_sltp, {"position_id": 7, "sl": 1.1}),
    "positions": (params.positions, {}),
    "pending_orders": (params.pending_orders, {}),
    "history_orders": (params.history_orders, {}),
    "order_history": (params.order_history, {}),
    "account_info": (params.account_info, {}),
    "symbols": (params.symbols, {}),
    "margin": (params.calc_order_margin, {"action": "buy", "symbol": "EURUSD", "volume": 1, "price": 1.1}),
    "profit": (
        params.calc_order_profit,
        {"action": "sell", "symbol": "EURUSD", "volume": 1, "price_open": 1.1, "price_close": 1.2},
    ),
    "subscribe_bars": (params.subscribe_bars, {"symbol": "EURUSD", "timeframe": "M1"}),
    "subscribe_ticks": (params.subscribe_ticks, {"symbol": "EURUSD"}),
    "unsubscribe": (params.unsubscribe, {"symbol": "EURUSD"}),
}

PRICE, POSITIVE = "price", "positive"
SUBSCRIPTION = {
    "symbol": "text",
    **dict.fromkeys(("from", "to"), "moment"),
    **dict.fromkeys(("interval_ms", "seed", "leverage"), "whole"),
    **dict.fromkeys(("capital", "captital"), POSITIVE),
    **dict.fromkeys(("source", "margin_mode"), "choice"),
}
#: Each field of each method, and what it takes.
FIELDS: dict[str, dict[str, str]] = {
    "login": {"account": "login", "password": "secret", "server": "text", "timeout": "whole"},
    "send_order": {
        "symbol": "text",
        "order_type": "choice",
        "volume": POSITIVE,
        **dict.fromkeys(("price", "sl", "tp", "stoplimit"), PRICE),
        **dict.fromkeys(("deviation", "magic"), "whole"),
        "comment": "comment",
        **dict.fromkeys(("type_time", "type_filling"), "constant"),
        "expiration": "moment",
        **dict.fromkeys(("position", "order_id", "position_by"), "ticket"),
        "client_order_id": "text",
        "valid_for": POSITIVE,
    },
    "cancel_order": {"order_id": "ticket", "comment": "comment"},
    "modify_order": {
        "order_id": "ticket",
        "price": POSITIVE,
        **dict.fromkeys(("sl", "tp", "stoplimit"), PRICE),
        "expiration": "moment",
        "comment": "comment",
    },
    "modify_position_sltp": {"position_id": "ticket", "sl": PRICE, "tp": PRICE},
    "positions": {"symbol": "text", "group": "text", "ticket": "ticket"},
    "pending_orders": {"symbol": "text", "group": "text", "ticket": "ticket"},
    "history_orders": {
        **dict.fromkeys(("symbol", "group"), "text"),
        **dict.fromkeys(("from", "to"), "moment"),
        **dict.fromkeys(("ticket", "position"), "ticket"),
    },
    "account_info": {},
    "symbols": {"symbol": "text", "group": "text"},
    "margin": {"action": "choice", "symbol": "text", "volume": POSITIVE, "price": POSITIVE},
    "profit": {
        "action": "choice",
        "symbol": "text",
        **dict.fromkeys(("volume", "price_open", "price_close"), POSITIVE),
    },
    "subscribe_bars": {"timeframe": "choice", **SUBSCRIPTION},
    "subscribe_ticks": {"mode": "choice", "flags": "flags", **SUBSCRIPTION},
    "unsubscribe": {"symbol": "text", "timeframe": "choice"},
}
FIELDS |= {"order_check": FIELDS["send_order"], "order_history": FIELDS["history_orders"]}
for method, fields in FIELDS.items():
    fields |= {"account": "login", "server": "text"} | ({} if method == "login" else {"backtest_toggle": "flag"})

HUGE_INT = 10**5000  # more digits than Python prints
NUMBERS_NOBODY_TAKES = (float("nan"), float("inf"), float("-inf"), -1, -0.5, 1e300, HUGE_INT, "x", b"1", True, [], {})
NOT_WHOLE = (*NUMBERS_NOBODY_TAKES, 1.0, 1.5, 2**63, 2**64, "1", np.float64(1), np.bool_(True), Decimal(1))
NOT_TEXT = (1, 1.5, b"EURUSD", "", " EURUSD", "EUR\nUSD", "\ud800", "x" * 2000, [], {}, True)
WRONG: dict[str, tuple[object, ...]] = {
    "price": (*NUMBERS_NOBODY_TAKES, "1.1", 1j, np.bool_(True), np.array([1.0, 2.0]), np.datetime64("2026-01-01")),
    "positive": (*NUMBERS_NOBODY_TAKES, 0, 0.0, "1.1", np.float64("nan"), np.bool_(True)),
    "whole": NOT_WHOLE,
    "constant": (*NOT_WHOLE, 99, -2, "GTC"),
    "flags": (0, 3, -2, 1.0, True, "all", HUGE_INT, []),
    "ticket": (*(value for value in NOT_WHOLE if value != "1"), 0, "", "0", "x1", "1.0", "-1", "٣", " 1", "9" * 19),
    "text": NOT_TEXT,
    "comment": (1, b"x", "x" * 28, "停" * 28, "😀" * 14, "a\nb", "a\0b", [], True),
    "secret": (1, "", b"x", [], None.__class__, "x" * 300),
    "login": (0, -1, 1.5, 2**63, HUGE_INT, True, "", "\n", [], b"1", float("nan")),
    "choice": (1, 0, True, "", "BUY LIMIT", "M7", [], {}, mt5.ORDER_FILLING_IOC, mt5.ORDER_TYPE_CLOSE_BY),
    "flag": (1, 0, "True", "false", [], 1.0, np.int64(1)),
    "moment": (
        *(float("nan"), 1.5, -1, HUGE_INT, True, "x", "", "2026-13-01", "2026-02-30", "01/02/2026", "2026-W01"),
        *("2026-01-01T00:00:00+02:00", datetime.max.replace(tzinfo=UTC), date(1969, 12, 31), date.max),
        *(np.datetime64("2026-01-01"), [], b"2026-01-01"),
    ),
}
CASES = [
    (method, name, value) for method, fields in FIELDS.items() for name, kind in fields.items() for value in WRONG[kind]
]


def label(value: object) -> str:
    return "huge" if value is HUGE_INT else repr(value)[:20].encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(("method", "name", "value"), CASES, ids=lambda item: label(item))
def test_a_wrong_value_is_refused_by_name_with_what_is_allowed(method: str, name: str, value: object) -> None:
    call, good = METHODS[method]
    with pytest.raises(InvalidField) as caught:
        call({**good, name: value})
    assert caught.value.field == name
    assert str(caught.value).startswith(f"{name}=")
    assert caught.value.allowed
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_dictionary_of_every_method_is_accepted(method: str) -> None:
    call, good = METHODS[method]
    assert call(good) is not None


@pytest.mark.parametrize(("method", "name"), [(method, name) for method, (_, good) in METHODS.items() for name in good])
def test_a_required_field_that_is_missing_is_named(method: str, name: str) -> None:
    call, good = METHODS[method]
    with pytest.raises(CallerError, match=f"missing|{name}") as caught:
        call({key: value for key, value in good.items() if key != name})
    assert name in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_another_account_may_be_named_in_every_dictionary(method: str) -> None:
    call, good = METHODS[method]
    result: Any = call({**good, "account": 42, "server": "Broker-Live"})
    assert (result.account, result.server) == ("42", "Broker-Live")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("given", [None, [], "EURUSD", 1, [("symbol", "EURUSD")], object()])
def test_what_is_no_dictionary_is_refused(method: str, given: object) -> None:
    with pytest.raises(CallerError, match="params must be a dict"):
        METHODS[method][0](given)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", ["bogus_field", 1, None, (), "x" * 10_000, ""])
def test_an_unknown_field_is_refused_and_shown_in_few_characters(method: str, key: object) -> None:
    call, good = METHODS[method]
    with pytest.raises(CallerError, match="unknown field") as caught:
        call({**good, key: 1})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("method", "typed", "meant"),
    [
        ("send_order", "volme", "volume"),
        ("send_order", "Symbol", "symbol"),
        ("send_order", "stop_limit", "stoplimit"),
        ("send_order", "backtest_togle", "backtest_toggle"),
        ("login", "pasword", "password"),
        ("subscribe_bars", "time_frame", "timeframe"),
        ("cancel_order", "orderid", "order_id"),
    ],
)
def test_a_misspelled_field_is_answered_with_the_right_spelling(method: str, typed: str, meant: str) -> None:
    call, good = METHODS[method]
    with pytest.raises(CallerError, match=re.escape(f"unknown field '{typed}'; did you mean '{meant}'?")):
        call({**good, typed: 1})


def test_a_filter_of_the_history_is_unknown_to_the_open_positions() -> None:
    with pytest.raises(CallerError, match="unknown field 'from'"):
        params.positions({"from": "2026-01-01"})


# ---- passwords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"account": 1, "password": "hunter2" * 50, "server": "x"},
        {"account": 1, "password": ["hunter2"], "server": "x"},
        {"account": 1, "password": b"hunter2", "server": "x"},
        {"account": 1, "pasword": "hunter2", "server": "x"},
        {"account": 1, "password": "hunter2"},
        "hunter2",
    ],
)
def test_a_password_is_in_no_error(given: object) -> None:
    with pytest.raises(CallerError) as caught:
        params.login_params(given)
    error = caught.value
    assert "hunter2" not in f"{error} {error!r} {vars(error)} {error.args} {error.__cause__}"


def test_a_password_is_in_no_repr_and_unchanged_otherwise() -> None:
    login = params.login_params({"account": "1001", "password": " p\tw ", "server": "Demo"})
    assert login.password == " p\tw "
    assert "p\tw" not in repr(login) and "p\\tw" not in repr(login)
    assert (login.account, login.timeout_ms) == ("1001", 6000)


# ---- send_order ----------------------------------------------------------------------------------------------------


def send(**given: object) -> params.OrderParams:
    return params.send_order({"symbol": "EURUSD", "volume": 0.1, "backtest_toggle": True, **given}, NOW)


def refused(**given: object) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        send(**given)
    return caught.value


@pytest.mark.parametrize("given", [{}, {"backtest_toggle": None}])
def test_an_order_without_backtest_toggle_is_never_live(given: Params) -> None:
    with pytest.raises(CallerError, match="pass True for the simulator or False for the live account"):
        params.send_order({"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, **given}, NOW)


def test_the_documented_live_example_drops_its_expiration_with_a_note() -> None:
    order = send(
        order_type="buy_limit",
        price=1.12345,
        sl=1.12000,
        tp=1.13000,
        deviation=10,
        magic=888888,
        comment="Test Order",
        type_time=mt5.ORDER_TIME_GTC,
        expiration=datetime(2025, 12, 31, 23, 59),  # noqa: DTZ001 - as documented, and in the past
        type_filling=mt5.ORDER_FILLING_IOC,
        backtest_toggle=False,
    )
    assert (order.request.action, order.request.type, order.request.type_filling) == (5, 2, 1)
    assert (order.request.magic, order.request.comment, order.request.expiration) == (888888, "Test Order", 0)
    assert (order.auto_filling, order.backtest, order.verb) == (False, False, "send")
    assert "expiration" in order.note


def test_the_documented_backtest_example_has_the_documented_defaults() -> None:
    order = send(order_type="sell")
    trade = order.request
    assert (trade.action, trade.type, trade.deviation, trade.magic, trade.comment) == (1, 1, 10, 123456, "MAS Order")
    assert (order.auto_filling, order.backtest, order.note, order.valid_for) == (True, True, "", None)


@pytest.mark.parametrize(
    "volume", [1, np.int64(1), np.float32(1), np.float64(1), Decimal("1.0"), np.array(1.0), mt5.ORDER_TYPE_SELL]
)
def test_what_is_a_number_becomes_a_plain_float(volume: object) -> None:
    value = send(order_type="buy", volume=volume).request.volume
    assert value == 1.0
    assert type(value) is float


@pytest.mark.parametrize("order_type", ["buy_limit", "BUY_LIMIT", mt5.ORDER_TYPE_BUY_LIMIT])
def test_an_order_type_is_a_word_or_a_constant(order_type: object) -> None:
    assert send(order_type=order_type, price=1.1).request.type == 2


@pytest.mark.parametrize("number", [np.int64(1), 1, mt5.ORDER_FILLING_IOC])
def test_a_filling_mode_is_a_constant_or_its_number(number: object) -> None:
    order = send(order_type="buy", type_filling=number)
    assert (order.request.type_filling, order.auto_filling) == (1, False)


def test_the_price_of_a_market_order_is_ignored() -> None:
    assert send(order_type="buy", price=1.1) == send(order_type="buy")


@pytest.mark.parametrize("name", ["price", "sl", "tp", "comment", "expiration", "type_filling", "valid_for", "magic"])
def test_none_means_not_given_where_leaving_out_is_harmless(name: str) -> None:
    assert send(order_type="buy", **{name: None}) == send(order_type="buy")


@pytest.mark.parametrize("name", ["position", "order_id", "position_by"])
def test_a_lost_ticket_never_opens_a_position(name: str) -> None:
    assert refused(order_type="sell", **{name: None}).field == name


class OrderId(str):
    """Like what send_order returns."""

    ticket = 0
    position = 0


def an_id(text: str, ticket: int, position: int = 0) -> OrderId:
    made = OrderId(text)
    made.ticket, made.position = ticket, position
    return made


@pytest.mark.parametrize("ticket", [77, "77", "0077", np.int64(77), an_id("77", 77), an_id("queued", 77)])
def test_a_ticket_may_be_an_int_its_digits_or_an_order_id(ticket: object) -> None:
    assert params.cancel_order({"order_id": ticket}).request.order == 77
    assert send(order_type="sell", order_id=ticket).request.position == 77


def test_the_id_of_an_order_that_has_no_ticket_is_no_ticket() -> None:
    with pytest.raises(InvalidField, match="order_id='10019 No money'"):
        params.cancel_order({"order_id": an_id("10019 No money", 0)})


def test_an_order_id_closes_the_position_that_its_order_went_into() -> None:
    order_id = an_id("77", 77, position=70)
    assert send(order_type="sell", position=order_id).request.position == 70
    assert params.modify_position_sltp({"position_id": order_id, "sl": 1}).request.position == 70
    assert params.cancel_order({"order_id": order_id}).request.order == 77


def test_position_and_order_id_mean_the_same_and_may_not_differ() -> None:
    assert send(order_type="sell", position=5) == send(order_type="sell", order_id="5", position=5)
    assert refused(order_type="sell", position=5, order_id=6).field == "order_id"


def test_a_pending_order_does_not_close_a_position() -> None:
    assert refused(order_type="sell_limit", price=1.2, position=5).field == "order_type"


def test_a_close_by_needs_neither_side_nor_volume() -> None:
    order = params.send_order({"position": 5, "position_by": 6, "backtest_toggle": True}, NOW)
    assert (order.request.action, order.request.position, order.request.position_by) == (10, 5, 6)
    assert order.request.volume == 0.0


@pytest.mark.parametrize("given", [{}, {"position": 6}, {"order_id": "6"}])
def test_a_close_by_needs_another_position(given: Params) -> None:
    assert refused(order_type="buy", position_by=6, **given).field == "position_by"


PENDING = ["buy_limit", "sell_limit", "buy_stop", "sell_stop", "buy_stop_limit", "sell_stop_limit"]


@pytest.mark.parametrize("order_type", PENDING)
@pytest.mark.parametrize("price", [{}, {"price": 0}, {"price": None}])
def test_a_pending_order_needs_a_price(order_type: str, price: Params) -> None:
    assert refused(order_type=order_type, stoplimit=1.0, **price).field == "price"


GOOD_LEVELS = [
    ("buy_limit", {"price": 1.2, "sl": 1.1, "tp": 1.3}),
    ("buy_stop", {"price": 1.2, "sl": 1.1}),
    ("sell_limit", {"price": 1.2, "sl": 1.3, "tp": 1.1}),
    ("sell_stop", {"price": 1.2, "tp": 1.1, "sl": 0}),
    ("buy_stop_limit", {"price": 1.2, "stoplimit": 1.15, "sl": 1.1, "tp": 1.18}),
    ("sell_stop_limit", {"price": 1.2, "stoplimit": 1.25, "sl": 1.3, "tp": 1.22}),
    ("buy", {"sl": 1.1, "tp": 1.3}),
    ("sell", {"sl": 1.3, "tp": 1.1}),
    ("sell", {"sl": 1.0, "tp": 1.1, "position": 5}),
]


@pytest.mark.parametrize(("order_type", "levels"), GOOD_LEVELS)
def test_levels_on_the_right_side_pass(order_type: str, levels: Params) -> None:
    assert send(order_type=order_type, **levels).request.type == mt5.ORDER_TYPES[order_type]


@pytest.mark.parametrize(
    ("order_type", "levels", "field"),
    [
        ("buy_limit", {"price": 1.2, "sl": 1.2}, "sl"),
        ("buy_limit", {"price": 1.2, "sl": 1.3}, "sl"),
        ("buy_limit", {"price": 1.2, "tp": 1.1}, "tp"),
        ("buy_stop", {"price": 1.2, "tp": 1.2}, "tp"),
        ("sell_limit", {"price": 1.2, "sl": 1.1}, "sl"),
        ("sell_stop", {"price": 1.2, "tp": 1.3}, "tp"),
        ("buy_stop_limit", {"price": 1.2}, "stoplimit"),
        ("buy_stop_limit", {"price": 1.2, "stoplimit": 1.2}, "stoplimit"),
        ("buy_stop_limit", {"price": 1.2, "stoplimit": 1.3}, "stoplimit"),
        ("sell_stop_limit", {"price": 1.2, "stoplimit": 1.1}, "stoplimit"),
        ("sell_stop_limit", {"price": 1.2, "stoplimit": 0}, "stoplimit"),
        ("buy_stop_limit", {"price": 1.2, "stoplimit": 1.1, "sl": 1.15}, "sl"),
        ("sell_stop_limit", {"price": 1.2, "stoplimit": 1.3, "tp": 1.35}, "tp"),
        ("buy_limit", {"price": 1.2, "stoplimit": 1.1}, "stoplimit"),
        ("buy", {"stoplimit": 1.1}, "stoplimit"),
        ("buy", {"sl": 1.3, "tp": 1.1}, "sl"),
        ("sell", {"sl": 1.1, "tp": 1.3}, "tp"),
    ],
)
def test_what_is_on_the_wrong_side_without_looking_at_the_market_is_refused(
    order_type: str, levels: Params, field: str
) -> None:
    assert refused(order_type=order_type, **levels).field == field


@given(
    st.sampled_from(PENDING),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
)
def test_a_pending_order_that_passes_has_all_its_levels_in_order(
    order_type: str, price: float, stoplimit: float, sl: float, tp: float
) -> None:
    limit = {"stoplimit": stoplimit} if "stop_limit" in order_type else {}
    opening, sign = (stoplimit if limit else price), (1 if order_type.startswith("buy") else -1)
    right = sign * sl < sign * opening < sign * tp and (not limit or sign * stoplimit < sign * price)
    try:
        send(order_type=order_type, price=price, sl=sl, tp=tp, **limit)
        passed = True
    except InvalidField:
        passed = False
    assert passed is right


# ---- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expiration",
    [
        LATER,
        datetime(2026, 2, 1),  # noqa: DTZ001 - without a zone it is UTC
        datetime(2026, 2, 1, 8, tzinfo=timezone(timedelta(hours=8))),
        date(2026, 2, 1),
        "2026-02-01",
        "2026-02-01 00:00:00",
        int(LATER.timestamp()),
        np.int64(int(LATER.timestamp())),
    ],
)
def test_every_spelling_of_a_time_is_the_same_utc_second(expiration: object) -> None:
    order = send(order_type="buy_limit", price=1.1, type_time=mt5.ORDER_TIME_SPECIFIED, expiration=expiration)
    assert order.request.expiration == int(LATER.timestamp())
    assert (order.request.type_time, order.note) == (2, "")


@pytest.mark.parametrize("order_time", [2, 3])
@pytest.mark.parametrize("expiration", [{}, {"expiration": None}, {"expiration": 0}, {"expiration": "2025-12-31"}])
@pytest.mark.parametrize("order", [{"order_type": "buy_limit", "price": 1.1}, {"order_type": "buy"}])
def test_a_dated_order_needs_a_date_to_come(order_time: int, expiration: Params, order: Params) -> None:
    error = refused(type_time=order_time, **order, **expiration)
    assert error.field == "expiration"
    assert "2026-01-01 12:00:00" in str(error)


def test_an_order_for_a_day_lasts_to_the_end_of_that_day() -> None:
    today = {"order_type": "buy_limit", "price": 1.1, "expiration": "2026-01-01"}
    assert send(**today, type_time=mt5.ORDER_TIME_SPECIFIED_DAY).request.expiration == 1_767_225_600
    assert refused(**today, type_time=mt5.ORDER_TIME_SPECIFIED).field == "expiration"


def test_an_expiration_of_a_market_order_is_dropped_with_a_note() -> None:
    order = send(order_type="buy", expiration=LATER)
    assert order.request.expiration == 0
    assert "market order" in order.note


def test_all_notes_are_kept() -> None:
    note = send(order_type="sell", position=5, sl=1.2, expiration=LATER).note
    assert "sl and tp" in note and "expiration" in note


@pytest.mark.parametrize("seconds", [0.001, 5, 3600, np.float64(5)])
def test_an_order_may_say_how_long_it_is_valid(seconds: float) -> None:
    assert send(order_type="buy", valid_for=seconds).valid_for == seconds


@pytest.mark.parametrize("seconds", [0, 3600.1, 10**9])
def test_an_order_is_not_valid_for_ever(seconds: float) -> None:
    assert refused(order_type="buy", valid_for=seconds).field == "valid_for"


@pytest.mark.parametrize("text", ["a b", "a/b", "ü", "x" * 65, "a\n"])
def test_a_client_order_id_must_travel(text: str) -> None:
    assert refused(order_type="buy", client_order_id=text).field == "client_order_id"
    assert send(order_type="buy", client_order_id="A-1_.:~").client_order_id == "A-1_.:~"


# ---- changes, questions, subscriptions -----------------------------------------------------------------------------


def test_a_cancellation_has_its_documented_comment() -> None:
    order = params.cancel_order({"order_id": 7})
    assert (order.verb, order.request.action, order.request.comment) == ("cancel", 8, "Cancel by MAS")
    assert params.cancel_order({"order_id": 7, "comment": "why"}).request.comment == "why"


def test_a_modification_names_what_has_to_stay() -> None:
    order = params.modify_order({"order_id": 7, "price": 1.1, "sl": 0, "tp": 1.2}, NOW)
    assert (order.verb, order.request.action, order.request.comment) == ("modify", 7, "Modified by MAS")
    assert order.keep == ("stoplimit", "type_time", "expiration")
    dated = params.modify_order({"order_id": 7, "price": 1.1, "expiration": LATER}, NOW)
    assert dated.keep == ("sl", "tp", "stoplimit")
    assert (dated.request.type_time, dated.request.expiration) == (2, int(LATER.timestamp()))


def test_a_modification_cannot_expire_in_the_past() -> None:
    with pytest.raises(InvalidField, match="expiration"):
        params.modify_order({"order_id": 7, "price": 1.1, "expiration": "2025-12-31"}, NOW)


def test_the_levels_of_a_position_are_patched_not_replaced() -> None:
    order = params.modify_position_sltp({"position_id": "7", "sl": 0})
    assert (order.verb, order.request.action, order.request.position, order.keep) == ("sltp", 6, 7, ("tp",))
    with pytest.raises(CallerError, match="'sl' or 'tp'"):
        params.modify_position_sltp({"position_id": 7})


def test_queries_name_their_records_and_have_the_documented_range() -> None:
    names = [
        query({}).what  # type: ignore[attr-defined]
        for query, _ in (
            METHODS[name] for name in ("positions", "pending_orders", "history_orders", "order_history", "symbols")
        )
    ]
    assert names == ["positions", "orders", "history_orders", "deals", "symbols"]
    history = params.order_history({"symbol": "EURUSD", "ticket": None})
    assert (history.since, history.until) == (int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**9, 0)


def test_a_range_that_runs_backwards_is_refused() -> None:
    backwards = {"from": "2026-02-01", "to": "2026-01-01"}
    with pytest.raises(InvalidField, match="to='2026-01-01"):
        params.history_orders(backwards)
    with pytest.raises(InvalidField, match="to='2026-01-01"):
        params.subscribe_ticks({"symbol": "EURUSD", **backwards})


def test_a_client_may_name_itself_or_not() -> None:
    assert [params.client_id(given) for given in (None, "", "desk-1_a")] == ["", "", "desk-1_a"]


@pytest.mark.parametrize("given", ["a b", "a.b", "a#", "*", 1, "x" * 65, b"a"])
def test_the_name_of_a_client_is_one_word_of_a_routing_key(given: object) -> None:
    with pytest.raises(InvalidField, match="client_id="):
        params.client_id(given)


def test_margin_and_profit_take_a_side() -> None:
    margin = params.calc_order_margin({"action": "buy", "symbol": "EURUSD", "volume": 1, "price": 1.1})
    profit = params.calc_order_profit(
        {"action": mt5.ORDER_TYPE_SELL, "symbol": "EURUSD", "volume": 1, "price_open": 1.1, "price_close": 1.2}
    )
    assert (margin.type, margin.price, margin.close) == (0, 1.1, None)
    assert (profit.type, profit.price, profit.close) == (1, 1.1, 1.2)
    with pytest.raises(InvalidField, match="one of buy, sell"):
        params.calc_order_margin({"action": "buy_limit", "symbol": "EURUSD", "volume": 1, "price": 1.1})


def test_a_replay_has_the_documented_defaults_and_leaves_the_money_to_the_account() -> None:
    replay = params.subscribe_bars(
        {"symbol": "EURUSD", "timeframe": "h1", "from": "2026-01-01", "to": "2026-02-01", "backtest_toggle": True}
    )
    assert (replay.timeframes, replay.interval_ms, replay.deposit, replay.leverage) == (("H1",), 1000, None, None)
    assert (replay.source, replay.margin_mode, replay.backtest) == ("catalog", None, True)
    assert replay.until == int(LATER.timestamp()) * 10**9
    ticks = params.subscribe_ticks({"symbol": "EURUSD"})
    assert (ticks.timeframes, ticks.interval_ms, ticks.backtest, ticks.ticks) == ((), 500, False, -1)


@pytest.mark.parametrize("given", [{}, {"from": "2026-01-01"}, {"to": "2026-01-01"}])
def test_a_replay_needs_both_ends(given: Params) -> None:
    with pytest.raises(CallerError, match="'from' or 'to'"):
        params.subscribe_bars({"symbol": "EURUSD", "timeframe": "M1", "backtest_toggle": True, **given})


@pytest.mark.parametrize("name", ["M1", "M2", "M6", "M12", "H1", "H3", "H8", "D1", "W1", "MN1", mt5.TIMEFRAME_M1])
def test_a_time_frame_is_a_name_or_a_constant(name: object) -> None:
    expected = name.name if isinstance(name, mt5.Timeframe) else name
    assert params.subscribe_bars({"symbol": "X", "timeframe": name}).timeframes == (expected,)


def test_the_misspelled_capital_counts_unless_it_contradicts() -> None:
    assert params.subscribe_ticks({"symbol": "X", "captital": 5000}).deposit == 5000.0
    assert params.subscribe_ticks({"symbol": "X", "capital": 1, "captital": 1}).deposit == 1.0
    with pytest.raises(InvalidField, match="captital=2"):
        params.subscribe_ticks({"symbol": "X", "capital": 1, "captital": 2})


def test_mode_and_flags_are_two_names_for_one_thing() -> None:
    assert params.subscribe_ticks({"symbol": "X", "mode": "trade"}).ticks == mt5.COPY_TICKS_TRADE
    assert params.subscribe_ticks({"symbol": "X", "flags": mt5.COPY_TICKS_TRADE}).ticks == mt5.COPY_TICKS_TRADE
    with pytest.raises(InvalidField, match="flags"):
        params.subscribe_ticks({"symbol": "X", "mode": "all", "flags": mt5.COPY_TICKS_TRADE})


# ---- whatever is given ---------------------------------------------------------------------------------------------


class Hostile:
    """Everything that a check may touch raises."""

    def __float__(self) -> float:
        raise RuntimeError

    def __index__(self) -> int:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.binary(max_size=8),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.decimals(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([*mt5.OrderType, *mt5.OrderTime, *mt5.ORDER_TYPES, "M1", "catalog", "2026-01-01", HUGE_INT]),
    st.builds(Hostile),
)


@given(data=st.data(), method=st.sampled_from(list(METHODS)))
def test_whatever_is_given_there_is_a_value_or_a_callers_error(data: st.DataObject, method: str) -> None:
    call, good = METHODS[method]
    keys = st.sampled_from(list(FIELDS[method])) | st.text(max_size=8) | st.integers()
    given_fields = data.draw(st.dictionaries(keys, ANYTHING, max_size=5))
    try:
        result = call({**data.draw(st.sampled_from([good, {}])), **given_fields})
    except CallerError as error:
        assert str(error)
    else:
        assert result is not None


TABLES: dict[str, tuple[Any, ...]] = {
    "login": (params.LoginParams,),
    "send_order": (_send._Send, _send._CloseBy),
    "cancel_order": (params._Cancel,),
    "modify_order": (params._Modify,),
    "modify_position_sltp": (params._Levels,),
    "history_orders": (params.QueryParams,),
    "margin": (params.CalcParams,),
    "profit": (params._Profit,),
    "subscribe_bars": (_subscribe._SubscribeBars,),
    "subscribe_ticks": (_subscribe._SubscribeTicks,),
    "unsubscribe": (params.UnsubscribeParams,),
}


@pytest.mark.parametrize("method", TABLES)
def test_no_field_of_any_table_is_left_out_of_these_tests(method: str) -> None:
    assert {key for table in TABLES[method] for key in _rules(table)} == set(FIELDS[method])

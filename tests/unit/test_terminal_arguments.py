"""The package's rules for arguments: what it refuses before the terminal hears of the call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sim_worker import terminal as mt5
from sim_worker.terminal import arguments as argument
from sim_worker.terminal.failures import BadArgument
from sim_worker.trade_server import TradeServer
from tests.unit.terminal_kit import LOGIN, buy, connected

SOURCE = "MetaTrader5 package 5.0.6231, its extension module"


@pytest.fixture(autouse=True)
def server() -> Iterator[TradeServer]:
    with connected() as server:
        yield server


@pytest.mark.fidelity(rule="An int as volume never reaches the server", section="1.7", source=SOURCE)
def test_a_volume_that_is_an_int_is_refused_with_minus_2_and_nothing_is_sent(server: TradeServer):
    assert buy(1) is None  # type: ignore[arg-type]
    assert mt5.last_error() == (-2, 'Invalid "volume" argument')
    assert server.records(LOGIN, "requests") == []


@pytest.mark.fidelity(rule="A comment of 30 characters never reaches the server", section="1.7", source=SOURCE)
def test_a_comment_of_30_characters_is_refused_and_one_of_29_is_sent(server: TradeServer):
    assert buy(comment="c" * 30) is None
    assert mt5.last_error() == (-2, 'Invalid "comment" argument')
    result = buy(comment="c" * 29)
    assert result is not None and result.retcode == mt5.TRADE_RETCODE_DONE
    assert [position.comment for position in mt5.positions_get() or ()] == ["c" * 29]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", 1.0),
        ("action", "1"),
        ("action", np.int64(1)),
        ("magic", 7.0),
        ("order", "7"),
        ("symbol", b"EURUSD"),
        ("symbol", "S" * 30),
        ("volume", Decimal("0.1")),
        ("volume", np.float32(0.1)),
        ("volume", "0.1"),
        ("price", 1),
        ("sl", 1),
        ("tp", None),
        ("stoplimit", 0),
        ("deviation", 10.0),
        ("type", np.int32(0)),
        ("type_filling", None),
        ("type_time", "0"),
        ("expiration", datetime(2030, 1, 1, tzinfo=UTC)),
        ("comment", None),
        ("comment", "\U0001f600" * 15),  # 30 UTF-16 code units
        ("position", 1.5),
        ("position_by", None),
    ],
)
@pytest.mark.fidelity(
    rule="A field of the wrong type is refused by its name, None as well; nothing is converted",
    section="1.7",
    source=SOURCE,
)
def test_a_field_of_the_wrong_type_is_refused_by_its_name(field: str, value: Any, server: TradeServer):
    request = {"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.1, field: value}
    assert mt5.order_send(request) is None
    assert mt5.last_error() == (-2, f'Invalid "{field}" argument')
    assert mt5.order_check(request) is None
    assert server.records(LOGIN, "requests") == []


@pytest.mark.fidelity(rule="Fields are checked in the order of the struct", section="1.7", source=SOURCE)
def test_of_several_bad_fields_the_first_one_of_the_struct_is_named():
    assert mt5.order_send({"comment": None, "volume": 1, "magic": "x", "tp": 1}) is None
    assert mt5.last_error() == (-2, 'Invalid "magic" argument')


@pytest.mark.fidelity(rule="Unknown keys are ignored, missing ones are 0", section="1.7", source=SOURCE)
def test_unknown_keys_are_ignored_and_missing_ones_are_empty():
    result = buy(ticket=5, price_stoplimit="wrong", allow=None)
    assert result is not None and result.retcode == mt5.TRADE_RETCODE_DONE
    assert result.request.type_filling == mt5.ORDER_FILLING_FOK and result.request.comment == ""


@pytest.mark.fidelity(rule="bool, IntEnum and numpy.float64 pass", section="1.7", source=SOURCE)
def test_subclasses_of_int_and_float_pass_and_arrive_as_plain_numbers():
    result = mt5.order_send({"action": True, "symbol": "EURUSD", "type": mt5.ORDER_TYPE_BUY, "volume": np.float64(0.1)})
    assert result is not None and result.retcode == mt5.TRADE_RETCODE_DONE
    assert [type(value) for value in result.request if value] == [int, str, float]


@pytest.mark.fidelity(rule="One dict, or keywords, and nothing else", section="1.7", source=SOURCE)
def test_a_request_is_one_dict_or_keywords():
    by_keywords = mt5.order_send(action=1, symbol="EURUSD", type=0, volume=0.1)
    assert by_keywords is not None and by_keywords.retcode == mt5.TRADE_RETCODE_DONE
    for args, fields in (((by_keywords.request,), {}), (({}, {}), {}), (({},), {"action": 1}), ((5,), {})):
        assert mt5.order_send(*args, **fields) is None
        assert mt5.last_error() == (-2, "Invalid arguments")


def test_a_number_that_does_not_fit_overflows_as_in_c():
    for field, value in (("magic", -1), ("action", 2**32), ("position", 2**64)):
        with pytest.raises(OverflowError, match="does not fit"):
            buy(**{field: value})


@pytest.mark.fidelity(rule="orders_get and positions_get take keywords only", section="1.2", source=SOURCE)
def test_a_positional_argument_of_orders_get_and_positions_get_is_refused():
    for function in (mt5.orders_get, mt5.positions_get):
        assert function("EURUSD") is None
        assert mt5.last_error() == (-2, "Unnamed arguments not allowed")


@pytest.mark.parametrize("function", [mt5.history_orders_get, mt5.history_deals_get])
@pytest.mark.fidelity(rule="history_*_get knows no date_from= and date_to=", section="1.2", source=SOURCE)
def test_the_history_takes_exactly_two_dates_or_a_ticket_or_a_position(function: Any):
    for args, fields in (((), {}), ((1,), {}), ((1, 2, 3), {}), ((), {"date_from": 1, "date_to": 2}), (("a", 2), {})):
        assert function(*args, **fields) is None
        assert mt5.last_error() == (-2, "Invalid arguments")
    assert function(0, 1_000_000_000) == function(ticket=5) == function(position=5) == ()
    assert function(ticket="5") is None
    assert mt5.last_error() == (-2, 'Invalid "ticket" argument')


def test_a_symbol_that_is_no_text_or_too_long_is_refused():
    for symbol in (5, None, "S" * 30):
        assert mt5.symbol_info(symbol) is None  # type: ignore[arg-type]
        assert mt5.last_error() == (-2, "Invalid arguments")


@pytest.mark.fidelity(rule="A failure without a result resets at the next call", section="1.2", source=SOURCE)
def test_each_call_resets_the_last_error():
    assert mt5.symbol_info("NOSUCH") is None
    assert mt5.last_error() == (-4, "Terminal: Not found")
    assert mt5.last_error() == (-4, "Terminal: Not found")
    assert mt5.orders_total() == 0
    assert mt5.last_error() == (1, "Success")


@pytest.mark.fidelity(rule="A naive datetime is local, a float is cut to 32 bits", section="1.2", source=SOURCE)
def test_dates_are_ints_of_32_bits_floats_or_datetimes():
    aware = datetime(2024, 1, 1, tzinfo=UTC)
    assert argument.moment(aware) == 1_704_067_200
    assert argument.moment(aware.replace(tzinfo=None)) == int(aware.replace(tzinfo=None).timestamp())
    assert argument.moment(1_704_067_200.9) == argument.moment(1_704_067_200) == 1_704_067_200
    assert argument.moment(2.0**31) == -(2**31)
    with pytest.raises(OverflowError):
        argument.moment(2**31)
    with pytest.raises(BadArgument):
        argument.moment("2024-01-01")


def test_the_group_the_password_and_the_server_have_their_longest_text():
    assert mt5.positions_get(group="*" * 1997) == ()
    assert mt5.positions_get(group="*" * 1998) is None
    assert mt5.last_error() == (-2, 'Invalid "group" argument')
    assert mt5.login(LOGIN, password="p" * 254) is False
    assert mt5.last_error() == (-2, 'Invalid "password" argument')


@pytest.mark.fidelity(
    rule="Counts take whatever has an index, prices to calculate with take numbers", section="1.2", source=SOURCE
)
def test_counts_and_calculations_take_numpy_numbers_and_requests_do_not(server: TradeServer):
    rates = mt5.copy_rates_from_pos("EURUSD", np.int64(1), np.int32(0), np.uint8(1))  # type: ignore[arg-type]
    assert rates is not None and len(rates) == 1
    assert mt5.order_calc_margin(0, "EURUSD", np.float32(1.0), Decimal("1.1")) == 1100.0  # type: ignore[arg-type]
    for count in (1.0, "1", None):
        assert mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, count) is None  # type: ignore[arg-type]
        assert mt5.last_error() == (-2, "Invalid arguments")
    for count, start in ((0, 0), (-1, 0), (1, -1)):
        assert mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, start, count) is None
        assert mt5.last_error() == (-2, "Terminal: Invalid params")
    assert mt5.copy_ticks_from("EURUSD", 0, -1, mt5.COPY_TICKS_ALL) is None
    assert mt5.last_error() == (-2, "Terminal: Invalid params")


@pytest.mark.fidelity(
    rule="The ticket is chosen by before the symbol, the symbol before the group; in the history, before the position",
    section="1.2",
    source="MetaTrader5 package 5.0.6231",
)
def test_of_several_filters_the_ticket_is_used_then_the_symbol():
    every = {"ticket": 5, "symbol": "EURUSD", "group": "*"}
    assert argument.selection((), every) == {"ticket": 5}
    assert argument.selection((), {"group": "*", "symbol": "EURUSD"}) == {"symbol": "EURUSD"}
    assert argument.period((), {"position": 7, "ticket": 5}) == {"ticket": 5}

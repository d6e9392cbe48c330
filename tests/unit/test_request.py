"""Trade requests have the fields that MT5 reads for their action, and no others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router import mt5, request
from mas_router.codec import decode, encode
from mas_router.errors import InvalidField
from mas_router.messages import Trade, TradeRequest

BUY, SELL = mt5.OrderType.BUY, mt5.OrderType.SELL
BUY_LIMIT, BUY_STOP_LIMIT = mt5.OrderType.BUY_LIMIT, mt5.OrderType.BUY_STOP_LIMIT
NOON = 1_767_268_800  # 2026-01-01 12:00 UTC


def used(trade: TradeRequest) -> dict[str, object]:
    return {name: value for name, value in trade.__dict__.items() if value}


def test_a_market_order_has_the_documented_defaults_and_no_price() -> None:
    built = request.deal("EURUSD", SELL, 0.1)
    assert used(built.request) == {
        "action": 1,
        "symbol": "EURUSD",
        "type": 1,
        "volume": 0.1,
        "deviation": 10,
        "magic": 123456,
        "comment": "MAS Order",
    }
    assert built.request.type_filling == mt5.ORDER_FILLING_FOK
    assert built.request.type_time == mt5.ORDER_TIME_GTC
    assert built.note == ""


def test_a_deal_with_a_position_closes_it_and_says_that_levels_are_not_used() -> None:
    built = request.deal("EURUSD", SELL, 0.1, position=7, sl=1.2, tp=1.1)
    assert (built.request.position, built.request.sl, built.request.tp) == (7, 0.0, 0.0)
    assert "sl and tp" in built.note


def test_a_deal_keeps_its_levels_when_it_opens() -> None:
    built = request.deal("EURUSD", BUY, 0.1, sl=1.1, tp=1.2)
    assert (built.request.sl, built.request.tp, built.note) == (1.1, 1.2, "")


@pytest.mark.parametrize("order_type", list(mt5.ORDER_TYPES.values())[2:])
def test_a_pending_order_is_placed_with_its_type_and_without_deviation(order_type: mt5.OrderType) -> None:
    trade = request.pending("EURUSD", order_type, 0.2, 1.1, stoplimit=1.05).request
    assert (trade.action, trade.type, trade.price, trade.deviation) == (5, order_type, 1.1, 0)
    assert trade.stoplimit == (1.05 if order_type >= 6 else 0.0)


@pytest.mark.parametrize("time", [mt5.OrderTime.GTC, mt5.OrderTime.DAY])
def test_an_expiration_without_a_dated_order_time_is_dropped_and_the_note_says_so(time: mt5.OrderTime) -> None:
    built = request.pending("EURUSD", BUY_LIMIT, 0.1, 1.1, time=time, expiration=NOON)
    assert built.request.expiration == 0
    assert f"ORDER_TIME_{time.name}" in built.note


@pytest.mark.parametrize("time", [mt5.OrderTime.SPECIFIED, mt5.OrderTime.SPECIFIED_DAY])
def test_a_dated_order_keeps_its_expiration(time: mt5.OrderTime) -> None:
    built = request.pending("EURUSD", BUY_LIMIT, 0.1, 1.1, time=time, expiration=NOON)
    assert (built.request.expiration, built.request.type_time, built.note) == (NOON, time, "")


def test_the_other_actions_have_only_what_they_need() -> None:
    assert used(request.close_by(5, 6)) == {
        "action": 10,
        "position": 5,
        "position_by": 6,
        "magic": 123456,
        "comment": "MAS Order",
    }
    assert used(request.remove(9)) == {"action": 8, "order": 9, "comment": "Cancel by MAS"}
    assert used(request.sltp(9, sl=1.0)) == {"action": 6, "position": 9, "sl": 1.0}
    assert used(request.modify(9, 1.1, tp=1.2)) == {
        "action": 7,
        "order": 9,
        "price": 1.1,
        "tp": 1.2,
        "comment": "Modified by MAS",
    }


def test_a_modification_is_completed_with_the_levels_that_were_not_named() -> None:
    record = {"sl": 1.0, "tp": 1.3, "price_stoplimit": 0.0, "type_time": 2, "time_expiration": NOON, "volume": 9.0}
    trade = request.modify(9, 1.1, tp=1.2)
    done = request.completed(trade, ("sl", "stoplimit", "type_time", "expiration"), record)
    assert (done.sl, done.tp, done.type_time, done.expiration, done.price) == (1.0, 1.2, 2, NOON, 1.1)
    assert request.completed(trade, ("sl",), {}) == trade
    assert request.completed(trade, ("volume", "action", "bogus"), record) == trade


def test_what_order_send_gets_is_exactly_what_each_action_reads() -> None:
    common = {"action", "magic", "symbol", "volume", "type", "price", "sl", "tp", "type_filling", "comment"}
    expected = {
        1: common | {"deviation", "position"},
        5: common | {"stoplimit", "type_time", "expiration"},
        6: {"action", "symbol", "sl", "tp", "position"},
        7: {"action", "order", "symbol", "price", "stoplimit", "sl", "tp", "type_time", "expiration"},
        8: {"action", "order"},
        10: {"action", "magic", "symbol", "comment", "position", "position_by"},
    }
    assert {action: set(request.mt5_dict(TradeRequest(action=action))) for action in expected} == expected


def test_an_action_that_mt5_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidField, match="action=2"):
        request.mt5_dict(TradeRequest(action=2))


def test_mt5_reads_the_expiration_on_the_servers_clock() -> None:
    trade = request.pending("X", BUY_LIMIT, 0.1, 1.0, time=mt5.OrderTime.SPECIFIED, expiration=NOON).request
    assert request.mt5_dict(trade, server_offset=7200)["expiration"] == NOON + 7200
    assert request.mt5_dict(request.pending("X", BUY_LIMIT, 0.1, 1.0).request, server_offset=7200)["expiration"] == 0


def test_the_documented_request_has_17_fields_and_an_aware_expiration() -> None:
    trade = request.pending("X", BUY_LIMIT, 0.1, 1.0, time=mt5.OrderTime.SPECIFIED, expiration=NOON).request
    shown = request.documented_dict(trade)
    assert list(shown) == list(TradeRequest.model_fields)
    assert len(shown) == 17
    assert shown["expiration"] == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert request.documented_dict(request.remove(3))["expiration"] is None


def test_an_expiration_beyond_all_dates_is_shown_as_the_last_one() -> None:
    shown = request.documented_dict(TradeRequest(action=5, expiration=2**62))
    assert shown["expiration"] == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("comment", "tag", "sent"),
    [
        ("MAS Order", "~a1b2c3", "MAS Order~a1b2c3"),
        ("x" * 27, "~a1b2c3", "x" * 20 + "~a1b2c3"),
        ("😀" * 13, "~a1b2c3", "😀" * 10 + "~a1b2c3"),
        ("x", "t" * 40, "t" * 40),
        ("x" * 27, "", "x" * 27),
    ],
)
def test_a_tag_is_appended_and_the_comment_gives_way_to_it(comment: str, tag: str, sent: str) -> None:
    trade = request.deal("X", BUY, 0.1, comment=comment).request
    assert request.mt5_dict(trade, tag=tag)["comment"] == sent


def test_lengths_are_counted_as_mt5_counts_them() -> None:
    assert [request.utf16_length(text) for text in ("", "abc", "停損", "😀a")] == [0, 3, 2, 3]


@given(
    order_type=st.sampled_from(list(mt5.ORDER_TYPES.values())),
    volume=st.floats(1e-8, 1e9),
    price=st.floats(0, 1e12),
    expiration=st.integers(0, 2**33),
    time=st.sampled_from(mt5.OrderTime),
    comment=st.text(st.characters(codec="utf-8"), max_size=13),
)
def test_every_request_travels_unchanged_and_becomes_plain_numbers(
    order_type: mt5.OrderType, volume: float, price: float, expiration: int, time: mt5.OrderTime, comment: str
) -> None:
    if order_type in request.MARKET_TYPES:
        trade = request.deal("EURUSD", order_type, volume, comment=comment).request
    else:
        trade = request.pending(
            "EURUSD", order_type, volume, price, time=time, expiration=expiration, comment=comment
        ).request
    travelled = decode(encode(Trade(id="a", client="c", request=trade)))
    assert isinstance(travelled, Trade)
    assert travelled.request == trade
    for name, value in request.mt5_dict(travelled.request).items():
        floats = {"volume", "price", "stoplimit", "sl", "tp"}
        words = {"symbol", "comment"}
        assert type(value) is (float if name in floats else str if name in words else int), name

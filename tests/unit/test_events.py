"""From what the engine changed to what clients see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mas_router import mt5
from mas_router.orders import State
from sim_worker.events import event, order_type, reason_name
from sim_worker.records import Deal, DealChange, Order, OrderChange

ORDER = Order(
    ticket=5, client_id="mine", symbol="EURUSD", type=2, state=1, volume_initial=0.3, volume_current=0.1,
    price_open=1.1, price_current=1.2, magic=7, position_id=9,
)  # fmt: skip
DEAL = Deal(
    ticket=70, order=5, time=1, symbol="EURUSD", type=0, entry=0, position_id=9, reason=3, volume=0.2, price=1.1,
    profit=1.5, commission=-0.5, swap=-0.1, fee=-0.2, magic=7, comment="c",
)  # fmt: skip
QUOTE = (1, 1.0999, 1.1001)


def change(state: State = State.FILLED, why: str = "filled", message: str = "done") -> OrderChange:
    return OrderChange(state, ORDER, 10009, message, 42, why)  # type: ignore[arg-type]


def test_a_status_tells_what_is_known_of_the_order() -> None:
    made = event(change(), 3, QUOTE)
    assert made.kind == "status"
    assert (made.id, made.ticket, made.position, made.order_type) == ("mine", 5, 9, "buy_limit")
    assert (made.volume, made.filled, made.magic, made.time, made.row) == (0.3, 0.2, 7, 42, 3)
    assert (made.retcode, made.message, made.reason, made.verb) == (10009, "done", "filled", "send")


@pytest.mark.parametrize(
    ("state", "price"),
    [(State.FILLED, 1.2), (State.PARTIALLY_FILLED, 1.2), (State.ACCEPTED, 1.1)],
)
def test_the_price_of_a_status_is_that_of_the_deal_or_of_the_order(state: State, price: float) -> None:
    assert event(change(state), 0, None).price == price


@pytest.mark.parametrize(
    ("why", "verb"), [("canceled", "cancel"), ("modified", "modify"), ("dropped", "send"), ("expired", "send")]
)
def test_the_verb_is_what_was_asked_for(why: str, verb: str) -> None:
    made = event(change(why=why), 0, None)
    assert made.kind == "status"
    assert made.verb == verb


@pytest.mark.parametrize(
    ("message", "note", "text"), [("a", "b", "a; b"), ("a", "", "a"), ("", "b", "b"), ("", "", "")]
)
def test_what_was_adapted_is_added_to_the_message(message: str, note: str, text: str) -> None:
    made = event(change(message=message), 0, None, note)
    assert made.kind == "status"
    assert made.message == text


def test_an_execution_tells_the_deal_its_order_and_the_market() -> None:
    made = event(DealChange(DEAL, ORDER, 42), 3, QUOTE)
    assert made.kind == "execution"
    assert (made.id, made.deal, made.ticket, made.position) == ("mine", 70, 5, 9)
    assert (made.order_type, made.side, made.entry, made.reason) == ("buy_limit", "buy", "in", "expert")
    assert (made.volume, made.price, made.requested_price) == (0.2, 1.1, 1.1)
    assert (made.cum_volume, made.remaining_volume) == (0.2, 0.1)
    assert (made.profit, made.commission, made.swap, made.fee) == (1.5, -0.5, -0.1, -0.2)
    assert (made.bid, made.ask, made.time, made.row, made.comment) == (1.0999, 1.1001, 42, 3, "c")


def test_an_execution_without_a_quote_has_no_market() -> None:
    made = event(DealChange(DEAL, ORDER, 42), 3, None)
    assert made.kind == "execution"
    assert (made.bid, made.ask) == (0.0, 0.0)


@pytest.mark.parametrize(("entry", "name"), [(0, "in"), (1, "out"), (2, "inout"), (3, "out_by")])
def test_every_entry_has_its_name(entry: int, name: str) -> None:
    made = event(DealChange(DEAL._replace(entry=entry, type=mt5.DEAL_TYPE_SELL), ORDER, 1), 0, QUOTE)
    assert made.kind == "execution"
    assert (made.entry, made.side) == (name, "sell")


@pytest.mark.parametrize("reason", mt5.DealReason)
def test_every_reason_has_its_name_in_small_letters(reason: mt5.DealReason) -> None:
    name = reason_name(DEAL._replace(reason=int(reason)))
    assert name == name.lower()
    assert "reason" not in name


def test_the_type_of_a_close_by_order_has_a_name() -> None:
    made = event(OrderChange(State.FILLED, replace(ORDER, type=mt5.ORDER_TYPE_CLOSE_BY), 0, "", 1, "filled"), 0, None)
    assert made.order_type == "close_by" == order_type(8)
    assert [order_type(kind) for kind in range(3)] == ["buy", "sell", "buy_limit"]

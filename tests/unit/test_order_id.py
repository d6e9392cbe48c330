"""What `send_order` returns is a string that knows more, and a plain string to everybody else."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from mas.order_id import Known, OrderId
from mas_router.orders import FINAL, NEVER_SENT, State


def known(state: State = State.FILLED, ticket: int = 1000001) -> Known:
    made = Known("mine")
    made.state, made.ticket = state, ticket
    return made


def test_it_is_a_string_in_every_way() -> None:
    order_id = OrderId("1000001", known())
    assert order_id == "1000001"
    assert hash(order_id) == hash("1000001")
    assert {order_id: 1}["1000001"] == 1
    assert f"{order_id:>10}" == "   1000001"
    assert int(order_id) == 1000001
    assert order_id[:3] + "x" == "100x"
    assert json.dumps({"id": order_id}) == '{"id": "1000001"}'
    assert repr(order_id) == "'1000001'"


def test_its_text_never_changes_and_its_properties_follow_the_order() -> None:
    order = known(State.ACCEPTED)
    order_id = OrderId("1000001", order)
    order.state, order.retcode, order.message, order.position = State.CANCELED, 10009, "gone", 7
    assert order_id == "1000001"
    assert (order_id.state, order_id.retcode, order_id.message) == (State.CANCELED, 10009, "gone")
    assert (order_id.position, order_id.ticket, order_id.client_order_id) == (7, 1000001, "mine")


@pytest.mark.parametrize("state", State)
def test_it_is_ok_when_the_trade_server_took_the_order_and_did_not_refuse_it(state: State) -> None:
    with_ticket, without = OrderId("1", known(state)), OrderId("1", known(state, ticket=0))
    refused = state in NEVER_SENT or state is State.REJECTED or state is State.UNKNOWN
    assert with_ticket.ok is not refused
    assert not without.ok
    assert with_ticket.final is (state in FINAL)
    assert with_ticket.in_doubt is (state is State.UNKNOWN)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_travels_to_other_processes_as_the_plain_text(protocol: int) -> None:
    loaded = pickle.loads(pickle.dumps(OrderId("1000001", known()), protocol))  # noqa: S301 - made a line before
    assert type(loaded) is str
    assert loaded == "1000001"


def test_copies_are_the_plain_text() -> None:
    order_id = OrderId("1000001", known())
    assert type(copy.deepcopy(order_id)) is str
    assert copy.copy(order_id) == "1000001"


def test_its_properties_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        OrderId("1", known()).ticket = 2  # type: ignore[misc]

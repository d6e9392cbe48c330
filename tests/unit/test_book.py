"""The client's own orders: what is told once, what is dropped, and what an order may become."""

from __future__ import annotations

import pytest

from mas._book import Book, Entry
from mas.order_id import Known
from mas_router.messages import Execution, Status, TradeRequest
from mas_router.orders import TRANSITIONS, IllegalTransition, State

REQUEST = TradeRequest(action=1, symbol="EURUSD", volume=0.1)


def entry(name: str = "a", state: State = State.NEW) -> Entry:
    made = Entry(Known(name), REQUEST, "buy")
    made.known.state = state
    return made


def status(state: State, name: str = "a", **changes: object) -> Status:
    return Status.model_validate({"id": name, "state": state, "ticket": 7, **changes})


def execution(deal: int, name: str = "a", **changes: object) -> Execution:
    fields = {"id": name, "deal": deal, "ticket": 7, "position": 9, "symbol": "EURUSD", "order_type": "buy"}
    fields |= {"side": "buy", "entry": "in", "reason": "expert", "volume": 0.1, "price": 1.1}
    return Execution.model_validate({**fields, **changes})


@pytest.mark.parametrize("reported", State)
@pytest.mark.parametrize("now", State)
def test_an_order_becomes_only_what_the_table_allows(now: State, reported: State) -> None:
    book, order = Book(), entry(state=now)
    book.add(order)
    if reported is now:
        assert not book.apply_status(order, status(reported)), "nothing new"
    elif reported in TRANSITIONS[now]:
        assert book.apply_status(order, status(reported))
        assert order.known.state is reported
    else:
        with pytest.raises(IllegalTransition):
            book.apply_status(order, status(reported))
        assert order.known.state is now


def test_a_partial_fill_is_news_only_when_more_was_filled() -> None:
    book, order = Book(), entry()
    assert book.apply_status(order, status(State.PARTIALLY_FILLED, filled=0.02))
    assert not book.apply_status(order, status(State.PARTIALLY_FILLED, filled=0.02))
    assert book.apply_status(order, status(State.PARTIALLY_FILLED, filled=0.05))
    assert order.known.filled == 0.05


@pytest.mark.parametrize("verb", ["modify", "sltp", "cancel"])
def test_a_refused_change_is_told_and_leaves_the_order_where_it_is(verb: str) -> None:
    book, order = Book(), entry(state=State.FILLED)
    assert book.apply_status(order, status(State.REJECTED, verb=verb, retcode=10013))
    assert order.known.state is State.FILLED
    assert order.known.retcode == 10013


def test_a_cancellation_that_was_done_moves_the_order() -> None:
    book, order = Book(), entry(state=State.ACCEPTED)
    assert book.apply_status(order, status(State.CANCELED, verb="cancel"))
    assert order.known.state is State.CANCELED


def test_a_deal_is_told_once() -> None:
    book, order = Book(), entry()
    assert book.apply_execution(order, execution(1))
    assert not book.apply_execution(order, execution(1))
    assert book.apply_execution(order, execution(2, entry="out", position=11, price=1.2))
    assert order.known.position == 9, "the closing deal opened nothing"


def test_an_order_is_found_by_its_name_and_by_its_ticket() -> None:
    book, order = Book(), entry()
    book.add(order)
    assert book.by_ticket(7) is None
    book.apply_status(order, status(State.ACCEPTED))
    assert book.find("a") is order is book.by_ticket(7)
    assert book.find("b") is None


def test_an_order_of_somebody_else_is_known_by_its_ticket_and_waits_for_nothing() -> None:
    book, foreign = Book(), entry("ticket-5")
    book.adopt(foreign, 5)
    assert book.by_ticket(5) is foreign is book.find("ticket-5")
    assert not book.in_flight


def test_what_is_answered_is_no_longer_in_flight() -> None:
    book, order = Book(), entry()
    book.add(order)
    assert list(book.in_flight) == ["a"]
    book.settle(order)
    assert not book.in_flight
    assert book.find("a") is order


def test_only_finished_orders_are_forgotten_the_oldest_first() -> None:
    book = Book(keep=2)
    for name in "xabcd":
        order = entry(name)
        book.add(order)
        book.apply_status(order, status(State.ACCEPTED if name == "x" else State.FILLED, name, ticket=ord(name)))
        book.settle(order)
    assert [name for name in "xabcd" if book.find(name)] == ["x", "c", "d"]
    assert book.by_ticket(ord("a")) is None
    assert book.by_ticket(ord("d")) is book.find("d")


def test_what_this_side_concludes_never_overrules_the_trade_server() -> None:
    book, order = Book(), entry(state=State.FILLED)
    assert not book.set_state(order, State.UNKNOWN, "no answer")
    assert (order.known.state, order.known.message) == (State.FILLED, "")


def test_an_order_that_was_in_doubt_is_reconciled_by_the_answer() -> None:
    book, order = Book(), entry()
    assert book.set_state(order, State.UNKNOWN, "no answer")
    assert not order.reconciled
    book.apply_status(order, status(State.FILLED))
    assert order.reconciled


@pytest.mark.parametrize(
    ("state", "ticket", "message", "retcode", "text"),
    [
        (State.FILLED, 7, "done", 10009, "7"),
        (State.ACCEPTED, 7, "", 0, "7"),
        (State.REJECTED, 7, "No money", 10019, "No money (retcode 10019)"),
        (State.DENIED, 0, "no route", 0, "no route"),
        (State.STALE, 0, "too late", 0, "too late"),
        (State.UNKNOWN, 0, "", 0, "the order is UNKNOWN"),
    ],
)
def test_the_public_id_is_the_ticket_or_the_reason_and_is_made_once(
    state: State, ticket: int, message: str, retcode: int, text: str
) -> None:
    order = entry(state=state)
    order.known.ticket, order.known.message, order.known.retcode = ticket, message, retcode
    first = order.identify()
    assert first == text
    order.known.ticket = 99
    assert order.identify() is first

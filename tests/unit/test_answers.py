"""No id ever acts twice, also when its answer is forgotten."""

from __future__ import annotations

from mas_router.messages import Execution, Report, Status, Trade, TradeRequest
from mas_router.orders import State
from sim_worker.answers import EVENTS_OF_ONE, Answers

REQUEST = TradeRequest(action=1, symbol="EURUSD", volume=0.1)


def trade(name: str, **changes: object) -> Trade:
    return Trade.model_validate({"id": name, "client": "c", "request": REQUEST, **changes})


def report(name: str) -> Report:
    return Report(id=name, session="s", mode="backtest", seq=1)


def status(name: str, state: State = State.FILLED) -> Status:
    return Status(id=name, state=state)


def deal(name: str, number: int) -> Execution:
    return Execution(
        id=name, deal=number, ticket=1, position=1, symbol="EURUSD", order_type="buy", side="buy", entry="in",
        reason="expert", volume=0.1, price=1.1,
    )  # fmt: skip


def test_an_answer_is_found_under_its_id() -> None:
    answers = Answers()
    answers.remember(trade("a"), (report("a"),))
    known = answers.find("a")
    assert known is not None
    assert known.reports == (report("a"),)
    assert answers.find("b") is None
    assert not answers.is_gone("a")


def test_the_same_command_is_the_same_whatever_its_deadline_and_another_is_not() -> None:
    answers = Answers()
    answers.remember(trade("a", deadline=1), (report("a"),))
    known = answers.find("a")
    assert known is not None
    assert known.same(trade("a", deadline=2))
    assert not known.same(trade("a", verb="cancel"))
    assert not known.same(trade("a", request=REQUEST.model_copy(update={"volume": 0.2})))


def test_the_oldest_answers_are_forgotten_but_not_that_they_were_given() -> None:
    answers = Answers(keep=2)
    for name in "abc":
        answers.remember(trade(name), (report(name),))
    assert [answers.find(name) is not None for name in "abc"] == [False, True, True]
    assert [answers.is_gone(name) for name in "abc"] == [True, False, False]


def test_a_buried_id_is_gone_for_ever() -> None:
    answers = Answers()
    answers.bury("a")
    assert answers.is_gone("a")
    assert answers.find("a") is None


def test_the_events_of_an_order_are_kept_in_order_and_the_newest_status_is_told() -> None:
    answers = Answers()
    events = [status("a", State.ACCEPTED), deal("a", 1), status("a"), deal("a", 2)]
    for event in events:
        answers.note(event)
    assert answers.events("a") == tuple(events)
    assert answers.newest("a") == status("a")
    assert answers.events("b") == ()
    assert answers.newest("b") is None


def test_an_order_with_many_events_keeps_the_first_and_the_newest() -> None:
    answers = Answers()
    answers.note(status("a", State.ACCEPTED))
    for number in range(200):
        answers.note(deal("a", number))
    kept = answers.events("a")
    assert len(kept) == EVENTS_OF_ONE + 1
    assert kept[0] == status("a", State.ACCEPTED)
    assert kept[-1] == deal("a", 199)


def test_events_of_nobody_are_not_kept() -> None:
    answers = Answers()
    answers.note(status(""))
    assert answers.events("") == ()

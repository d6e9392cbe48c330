"""The pure parts of the RabbitMQ transport: confirms, acks, what is remembered, back-off, refusals."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import exceptions as pika_errors
from pika.adapters.utils import connection_workflow as workflow

from mas_router.amqp import errand
from mas_router.amqp.config import explain
from mas_router.amqp.consumer import Held
from mas_router.amqp.memory import Backoff, Memory
from mas_router.amqp.publisher import Confirms, verdict
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import Envelope, Outcome


def _failed(error: Exception) -> workflow.AMQPConnectionWorkflowFailed:
    """As pika wraps what went wrong with a socket."""
    return workflow.AMQPConnectionWorkflowFailed([workflow.AMQPConnectorSocketConnectError(error)])


# Confirms


class Ledger:
    """Confirms, and what each publish was told, by tag."""

    def __init__(self, exchanges: list[str]) -> None:
        self.confirms = Confirms()
        self.told: dict[int, list[Outcome]] = {}
        for tag, exchange in enumerate(exchanges, 1):
            told = self.told.setdefault(tag, [])
            self.confirms.add((Envelope(exchange, "k", b"12345"), told.append))

    @property
    def single(self) -> dict[int, Outcome]:
        """What was told, given that nobody was told twice."""
        assert all(len(told) <= 1 for told in self.told.values())
        return {tag: told[0] for tag, told in self.told.items() if told}


def test_a_return_makes_its_own_ack_mean_no_route_and_no_other() -> None:
    ledger = Ledger(["e"] * 3)
    ledger.confirms.returned(2)
    ledger.confirms.settle(3, True, Outcome.CONFIRMED)
    assert ledger.single == {1: Outcome.CONFIRMED, 2: Outcome.NO_ROUTE, 3: Outcome.CONFIRMED}


def test_a_multiple_nack_refuses_only_what_is_still_open() -> None:
    ledger = Ledger(["e"] * 4)
    ledger.confirms.settle(2, False, Outcome.CONFIRMED)
    ledger.confirms.settle(3, True, Outcome.REFUSED)
    assert ledger.single == {1: Outcome.REFUSED, 2: Outcome.CONFIRMED, 3: Outcome.REFUSED}
    assert (len(ledger.confirms), ledger.confirms.bytes) == (1, 5)


def test_the_only_publish_to_a_missing_exchange_has_no_route_and_its_neighbours_are_lost() -> None:
    ledger = Ledger(["e", "missing", "e"])
    ledger.confirms.give_up("missing", Outcome.NO_ROUTE)
    assert ledger.single == {1: Outcome.LOST, 2: Outcome.NO_ROUTE, 3: Outcome.LOST}


def test_of_several_publishes_to_an_exchange_that_went_away_only_the_last_is_certainly_not_queued() -> None:
    ledger = Ledger(["gone", "gone", "e"])
    ledger.confirms.give_up("gone", Outcome.NO_ROUTE)
    assert ledger.single == {1: Outcome.LOST, 2: Outcome.NO_ROUTE, 3: Outcome.LOST}


confirmations = st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.sampled_from(["ack", "nack", "return"])))


@given(count=st.integers(0, 30), steps=confirmations)
def test_every_publish_is_told_exactly_once_whatever_the_broker_sends(
    count: int, steps: list[tuple[int, bool, str]]
) -> None:
    ledger = Ledger(["e"] * count)
    acked: set[int] = set()
    returned: set[int] = set()
    for tag, multiple, kind in steps:
        if kind == "return":
            ledger.confirms.returned(tag)
            returned |= {tag} - acked
        else:
            outcome = Outcome.CONFIRMED if kind == "ack" else Outcome.REFUSED
            ledger.confirms.settle(tag, multiple, outcome)
            acked |= set(range(1, tag + 1)) if multiple else {tag}
    ledger.confirms.give_up()
    assert ledger.single.keys() == set(range(1, count + 1))
    for tag, outcome in ledger.single.items():
        assert (outcome is Outcome.NO_ROUTE) == (tag in returned)
        assert (outcome is Outcome.LOST) == (tag not in acked | returned)
    assert (len(ledger.confirms), ledger.confirms.bytes) == (0, 0)


def test_one_callback_that_raises_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger([])

    def fail(_: Outcome) -> None:
        raise RuntimeError("a user's mistake")

    told: list[Outcome] = []
    ledger.confirms.add((Envelope("e", "k", b""), fail))
    ledger.confirms.add((Envelope("e", "k", b""), told.append))
    ledger.confirms.settle(2, True, Outcome.CONFIRMED)
    assert told == [Outcome.CONFIRMED]
    assert "a user's mistake" in caplog.text


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (404, "NOT_FOUND - no exchange 'gone' in vhost '/'", ("gone", Outcome.NO_ROUTE)),
        (403, "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'", ("x", Outcome.REFUSED)),
        (
            403,
            "ACCESS_REFUSED - write access to topic 'k' in exchange 'x' in vhost '/' refused",
            ("x", Outcome.REFUSED),
        ),
        (406, "PRECONDITION_FAILED - invalid expiration", (None, Outcome.LOST)),
    ],
)
def test_a_channel_error_names_the_exchange_of_the_publish_that_caused_it(
    code: int, text: str, expected: tuple[str | None, Outcome]
) -> None:
    assert verdict(code, text) == expected


# Acks


def test_acks_in_a_row_become_one_frame_and_stop_at_what_is_still_held() -> None:
    held = _held(6)
    assert held.ack([1, 2, 3, 5]) == [(3, True), (5, False)]
    assert held.ack([4]) == [(4, False)]
    assert held.ack([6]) == [(6, False)]


def test_an_ack_that_is_repeated_or_follows_a_reject_does_nothing() -> None:
    held = _held(2)
    assert held.take(1) and not held.take(1)
    assert held.ack([1, 2, 2]) == [(2, False)]
    assert held.ack([2]) == []


@given(st.data())
def test_frames_cover_exactly_what_was_acked(data: st.DataObject) -> None:
    held, open_tags = _held(12), set(range(1, 13))
    while open_tags:
        acked = data.draw(st.lists(st.sampled_from(sorted(open_tags)), min_size=1, unique=True))
        covered: Counter[int] = Counter()
        for tag, multiple in held.ack(acked):
            covered.update([each for each in open_tags if each <= tag and not covered[each]] if multiple else [tag])
        assert covered == Counter(acked)
        open_tags -= set(acked)
    assert len(held) == 0


def _held(count: int) -> Held:
    held = Held()
    for tag in range(1, count + 1):
        held.add(tag)
    return held


# Memory and back-off

EXCHANGE, QUEUE, BINDING = Exchange("e"), Queue("q"), Binding("e", "q", "k")


@dataclass(frozen=True)
class Subscribed:
    queue: str


def test_what_is_declared_twice_is_remembered_once_and_in_order() -> None:
    memory: Memory[Subscribed] = Memory()
    memory.remember([EXCHANGE, QUEUE, BINDING, EXCHANGE, Binding("e", "q", "other")])
    assert memory.declarations == [EXCHANGE, QUEUE, BINDING, Binding("e", "q", "other")]


def test_a_queue_is_forgotten_with_its_bindings_and_consumers_and_an_exchange_stays() -> None:
    memory: Memory[Subscribed] = Memory()
    memory.remember([EXCHANGE, QUEUE, BINDING, Queue("other")])
    memory.subscriptions = [Subscribed("q"), Subscribed("other")]
    memory.forget([QUEUE, EXCHANGE])
    assert memory.declarations == [EXCHANGE, Queue("other")]
    assert memory.subscriptions == [Subscribed("other")]


def test_only_the_given_binding_is_forgotten() -> None:
    memory: Memory[Subscribed] = Memory()
    memory.remember([QUEUE, BINDING, Binding("e", "q", arguments={"x-match": "all"})])
    memory.forget([BINDING])
    assert memory.of_queue("q") == [QUEUE, Binding("e", "q", arguments={"x-match": "all"})]


def test_delays_double_up_to_the_most_and_begin_again_after_a_success() -> None:
    backoff = Backoff(lambda: 1.0, first=0.2, most=1.0)
    assert [backoff.next() for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next() == 0.2


def test_the_jitter_goes_down_to_no_delay_at_all() -> None:
    assert Backoff(lambda: 0.0).next() == 0.0


# Refusals


@pytest.mark.parametrize(
    ("items", "text", "expected"),
    [
        ([EXCHANGE, QUEUE], "inequivalent arg 'durable' for queue 'q' in vhost '/'", "queue 'q'"),
        ([EXCHANGE, QUEUE], "inequivalent arg 'type' for exchange 'e' in vhost '/'", "exchange 'e'"),
        ([QUEUE, BINDING], "NOT_FOUND - no exchange 'e' in vhost '/'", "binding of queue 'q' to exchange 'e'"),
        ([QUEUE], "something new", "queue 'q'"),
        ([EXCHANGE, QUEUE], "something new", "declaration"),
    ],
)
def test_a_refused_declaration_is_named_by_the_object_in_the_brokers_text(
    items: list[Declaration], text: str, expected: str
) -> None:
    assert errand.culprit(items, text) == expected


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (pika_errors.ConnectionClosedByBroker(320, "CONNECTION_FORCED - bye"), "320 CONNECTION_FORCED - bye"),
        (pika_errors.AMQPConnectionError(_failed(ConnectionRefusedError(111, "Connection refused"))), "refused"),
        (_failed(socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
        (pika_errors.ProbableAuthenticationError("s3cr3t"), "the broker refused the user or the password"),
        (pika_errors.ProbableAccessDeniedError("s3cr3t"), "the broker refused the vhost"),
        (pika_errors.StreamLostError("Stream connection lost: s3cr3t"), "the connection was cut"),
        (pika_errors.AMQPHeartbeatTimeout("s3cr3t"), "no heartbeat"),
        (RuntimeError("s3cr3t"), "RuntimeError"),
        (None, "closed"),
    ],
)
def test_the_end_of_a_connection_is_explained_without_repeating_what_an_exception_carries(
    error: Exception | None, says: str
) -> None:
    text = explain(error)
    assert says in text
    assert "s3cr3t" not in text

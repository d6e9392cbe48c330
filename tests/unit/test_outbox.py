"""What a worker said reaches the broker at least once and in order, whatever the connection does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mas_router.memory import MemoryBroker, MemoryTransport
from mas_router.outbox import Outbox
from mas_router.topology import Binding, Exchange, Queue
from mas_router.transport import Delivery, Envelope


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def worker(broker: MemoryBroker) -> Iterator[MemoryTransport]:
    transport = broker.connect("worker")
    transport.declare([Exchange("events"), Queue("reply"), Binding("events", "reply", "#")])
    yield transport
    transport.close()


def heard(broker: MemoryBroker) -> list[bytes]:
    bodies: list[bytes] = []

    def take(delivery: Delivery) -> None:
        bodies.append(delivery.body)
        delivery.ack()

    broker.connect("client").consume("reply", take)
    return bodies


def say(outbox: Outbox, *words: str, done: list[str] | None = None) -> None:
    for word in words:
        told = None if done is None else (lambda word=word: done.append(word))
        outbox.publish(Envelope("events", "k", word.encode()), told)


def test_what_is_published_arrives_in_order_and_is_done(broker: MemoryBroker, worker: MemoryTransport) -> None:
    bodies, done, outbox = heard(broker), [], Outbox(worker)
    say(outbox, "a", "b", "c", done=done)
    assert bodies == [b"a", b"b", b"c"]
    assert done == ["a", "b", "c"]
    assert outbox.wait_empty(0)


def test_what_is_said_during_an_outage_follows_in_order_afterwards(
    broker: MemoryBroker, worker: MemoryTransport
) -> None:
    bodies, done, outbox = heard(broker), [], Outbox(worker)
    broker.disconnect("worker")
    say(outbox, "a", "b", done=done)
    assert not outbox.wait_empty(0)
    assert (bodies, done, len(outbox)) == ([], [], 2)
    broker.reconnect("worker")
    say(outbox, "c", done=done)
    assert bodies == [b"a", b"b", b"c"]
    assert done == ["a", "b", "c"]


def test_a_lost_confirm_means_the_event_is_said_again(broker: MemoryBroker, worker: MemoryTransport) -> None:
    bodies, done, outbox = heard(broker), [], Outbox(worker)
    broker.drop_next_confirm()
    say(outbox, "a", "b", done=done)
    broker.disconnect("worker")
    broker.reconnect("worker")
    assert bodies[0] == b"a"
    assert bodies.count(b"a") == 2
    assert sorted(set(bodies)) == [b"a", b"b"]
    assert sorted(done) == ["a", "b"]
    assert outbox.wait_empty(0)


def test_an_event_that_nobody_can_receive_is_dropped(broker: MemoryBroker, worker: MemoryTransport) -> None:
    done, outbox = [], Outbox(worker)
    worker.forget([Queue("reply")])
    say(outbox, "a", done=done)
    assert done == ["a"]
    assert len(outbox) == 0


def test_a_blocked_broker_holds_events_back_until_it_accepts_again(
    broker: MemoryBroker, worker: MemoryTransport
) -> None:
    bodies, outbox = heard(broker), Outbox(worker)
    broker.block()
    say(outbox, "a", "b")
    assert bodies == []
    broker.unblock()
    assert outbox.wait_empty(5)
    assert bodies == [b"a", b"b"]

"""What the transport suite needs of an implementation, and collectors that can be waited for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mas_router.memory import MemoryBroker
from mas_router.transport import Delivery, Envelope, Outcome, Transport

if TYPE_CHECKING:
    from mas_router.amqp import AmqpTransport
    from tests.rabbit import Rabbit

# A limit for a broken implementation, not a duration that a passing test takes. A broker frees the exclusive queue of
# a connection that was cut only after it noticed.
PATIENCE = 30.0


class Line(Protocol):
    """A broker under test, and what can be done to it."""

    def connect(self, name: str) -> Transport:
        """A connected transport; closed at the end of the test."""

    def cut(self, name: str) -> None:
        """Cut the connection of one participant, which comes back by itself."""

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def block(self) -> None: ...

    def unblock(self) -> None: ...

    def close(self) -> None: ...


class MemoryLine:
    """The in-process broker."""

    def __init__(self) -> None:
        self._broker = MemoryBroker()
        self._transports: list[Transport] = []
        self.stop, self.start = self._broker.stop, self._broker.start
        self.block, self.unblock = self._broker.block, self._broker.unblock

    def connect(self, name: str) -> Transport:
        transport = self._broker.connect(name)
        self._transports.append(transport)
        return transport

    def cut(self, name: str) -> None:
        self._broker.disconnect(name)
        self._broker.reconnect(name)

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


class RabbitLine:
    """RabbitMQ, in a vhost of the test's own."""

    def __init__(self, rabbit: Rabbit, url: str) -> None:
        self._rabbit = rabbit
        self._url = url
        self._transports: dict[str, AmqpTransport] = {}
        self._stopped = self._blocked = False

    def connect(self, name: str) -> Transport:
        from mas_router.amqp import AmqpTransport

        transport = self._transports[name] = AmqpTransport(self._url, name=name)
        assert transport.wait_connected(PATIENCE)
        return transport

    def cut(self, name: str) -> None:
        self._transports[name].kick()

    def stop(self) -> None:
        _ = self._rabbit.node  # skips when the broker is not ours
        self._stopped = True
        self._rabbit.stop()

    def start(self) -> None:
        self._rabbit.start()
        self._stopped = False

    def block(self) -> None:
        _ = self._rabbit.node
        self._blocked = True
        self._rabbit.set_alarm(True)

    def unblock(self) -> None:
        self._rabbit.set_alarm(False)
        self._blocked = False

    def close(self) -> None:
        """Leave the broker as it was found, also after a test that failed half way."""
        if self._stopped:
            self.start()
        if self._blocked:
            self.unblock()
        for transport in self._transports.values():
            transport.close()


class Inbox:
    """An `on_delivery` that keeps what arrives, in order; it acks unless told to hold."""

    def __init__(self, *, ack: bool = True) -> None:
        self.deliveries: list[Delivery] = []
        self._ack = ack
        self._changed = threading.Condition()

    def __call__(self, delivery: Delivery) -> None:
        with self._changed:
            self.deliveries.append(delivery)
            self._changed.notify_all()
        if self._ack:
            delivery.ack()

    @property
    def ids(self) -> list[str]:
        with self._changed:
            return [delivery.message_id for delivery in self.deliveries]

    def wait(self, count: int) -> list[Delivery]:
        """The deliveries, once there are `count` of them."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.deliveries) >= count, PATIENCE)
            assert arrived, f"{len(self.deliveries)} of {count} messages arrived in {PATIENCE:g} s"
            return list(self.deliveries)

    def wait_for(self, message_id: str) -> None:
        """Return once this message is among the deliveries."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._has(message_id), PATIENCE)
            assert arrived, f"{message_id} did not arrive in {PATIENCE:g} s"

    def _has(self, message_id: str) -> bool:
        return any(delivery.message_id == message_id for delivery in self.deliveries)


class Outcomes:
    """What became of each publish, by message id; a second outcome for one publish fails the test."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Outcome]] = {}
        self._counts: Counter[Outcome] = Counter()
        self._changed = threading.Condition()

    def publish(self, transport: Transport, envelope: Envelope) -> None:
        transport.publish(envelope, lambda outcome: self._add(envelope.message_id, outcome))

    def wait(self, count: int) -> dict[str, Outcome]:
        """The outcomes, once there are `count` of them."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self._by_id) >= count, PATIENCE)
            assert arrived, f"{len(self._by_id)} of {count} outcomes in {PATIENCE:g} s"
            assert all(len(got) == 1 for got in self._by_id.values()), "an outcome was told twice"
            return {message_id: got[0] for message_id, got in self._by_id.items()}

    def count(self, outcome: Outcome) -> int:
        with self._changed:
            return self._counts[outcome]

    def wait_until_pending(self, sent: list[str], most: int) -> bool:
        """Wait until at most so many of the publishes have no outcome; False when that does not come."""
        with self._changed:
            return self._changed.wait_for(lambda: len(sent) - len(self._by_id) <= most, PATIENCE)

    def has_within(self, message_id: str, seconds: float) -> Outcome | None:
        """The outcome of one publish, or None when there is none in that time."""
        with self._changed:
            self._changed.wait_for(lambda: message_id in self._by_id, seconds)
            return self._by_id.get(message_id, [None])[0]

    def _add(self, message_id: str, outcome: Outcome) -> None:
        with self._changed:
            self._by_id.setdefault(message_id, []).append(outcome)
            self._counts[outcome] += 1
            self._changed.notify_all()


class States:
    """An `on_state` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self._changed = threading.Condition()

    def __call__(self, connected: bool, reason: str) -> None:
        assert connected or reason, "the end of a connection has a reason"
        with self._changed:
            self.told.append(connected)
            self._changed.notify_all()

    def wait(self, expected: list[bool]) -> None:
        with self._changed:
            reached = self._changed.wait_for(lambda: len(self.told) >= len(expected), PATIENCE)
            assert reached and self.told == expected, f"told {self.told}, not {expected}"


def outcome_of(transport: Transport, envelope: Envelope) -> Outcome:
    """Publish and wait for the outcome."""
    outcomes = Outcomes()
    outcomes.publish(transport, envelope)
    return outcomes.wait(1)[envelope.message_id]


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Ask until it holds: for what a broker does in its own time and tells nobody."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"in {PATIENCE:g} s not true: {what}"
        pause.wait(0.01)

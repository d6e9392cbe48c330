"""One participant's connection to the in-process broker. What it declared and consumed outlives a disconnect."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from mas_router.errors import Closed, InvalidField, NotConnected, TopologyError
from mas_router.memory_queue import Message, Subscription
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import MAX_BODY, Envelope, OnDelivery, OnOutcome, OnState, Outcome, QueueInfo

if TYPE_CHECKING:
    from mas_router.memory import MemoryBroker

log = logging.getLogger(__name__)

# RabbitMQ's own limits, so that what runs here runs there.
_MAX_PREFETCH = 2000
_MAX_TTL_MS = 2**32 - 1


class MemoryTransport:
    """One participant's connection to a MemoryBroker: `mas_router.transport.Transport`."""

    def __init__(self, broker: MemoryBroker, name: str, user: str) -> None:
        self.name = name
        self._broker = broker
        self._calls = broker.calls
        self._user = user
        self._connected = False
        self._cut = False
        self._closed = False
        self._declared: list[Declaration] = []
        self._consuming: list[Subscription] = []
        self._watchers: list[OnState] = []
        self._unconfirmed: list[OnOutcome] = []

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def address(self) -> str:
        return "memory"

    def declare(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        """Declare, and again after every reconnect: all items, or (at TopologyError) none are remembered."""
        wanted = list(items)
        with self._calls.lock:
            self._await_connection(timeout)
            for item in wanted:
                self._declare(item)
            self._declared += [item for item in wanted if item not in self._declared]

    def forget(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        unwanted = list(items)
        with self._calls.lock:
            self._declared = [item for item in self._declared if not _undone(item, unwanted)]
            self._await_connection(timeout)
            for item in unwanted:
                self._broker.host.forget(item, self)

    def publish(self, envelope: Envelope, on_outcome: OnOutcome | None = None) -> None:
        ttl = envelope.ttl_ms
        if ttl is not None and not 0 <= ttl <= _MAX_TTL_MS:
            raise InvalidField("ttl_ms", ttl, f"0 to {_MAX_TTL_MS}")
        with self._calls.lock:
            outcome = self._publish(envelope)
            if on_outcome is not None:
                if outcome is None:
                    self._unconfirmed.append(on_outcome)
                else:
                    self._calls.later(self, partial(on_outcome, outcome))
        self._calls.run()

    def consume(
        self, queue: str, on_delivery: OnDelivery, *, prefetch: int = 64, auto_ack: bool = False
    ) -> MemoryConsumer:
        """Consume, and again after every reconnect. TopologyError when connected and there is no such queue."""
        if not 1 <= prefetch <= _MAX_PREFETCH:
            raise InvalidField("prefetch", prefetch, f"1 to {_MAX_PREFETCH}")
        subscription = Subscription(queue, self, on_delivery, prefetch, auto_ack)
        with self._calls.lock:
            self._check_open()
            if self._connected:
                self._broker.host.subscribe(subscription)
            self._consuming.append(subscription)
        self._calls.run()
        return MemoryConsumer(self, subscription)

    def inspect(self, queue: str, timeout: float = 5.0) -> QueueInfo | None:
        with self._calls.lock:
            self._await_connection(timeout)
            info = self._broker.host.inspect(queue, self)
        self._calls.run()
        return info

    def has_exchange(self, name: str, timeout: float = 5.0) -> bool:
        with self._calls.lock:
            self._await_connection(timeout)
            self._broker.check_permission(Exchange(name))
            return self._broker.host.has_exchange(name)

    def watch(self, on_state: OnState) -> None:
        with self._calls.lock:
            self._watchers.append(on_state)

    def wait_connected(self, timeout: float) -> bool:
        with self._calls.lock:
            self._calls.changed.wait_for(lambda: self._connected or self._closed, timeout)
            return self._connected

    def close(self, timeout: float = 5.0) -> None:
        with self._calls.lock:
            if self._closed:
                return
            self._closed = True
            self.down("closed")
            self._broker.remove(self)
        self._calls.run()
        with self._calls.lock:
            self._calls.finish([self, *self._consuming], timeout)

    def cancel(self, subscription: Subscription, timeout: float) -> None:
        """Stop a consumer of this transport, and wait for the callback that may be under way."""
        with self._calls.lock:
            if subscription in self._consuming:
                self._consuming.remove(subscription)
            self._broker.host.unsubscribe(subscription)
            self._calls.finish([subscription], timeout)
        self._calls.run()

    # For the broker; it holds the lock

    def down(self, reason: str, *, cut: bool = False) -> None:
        """The connection is gone: nothing is known of what was not confirmed."""
        self._cut = self._cut or cut
        if not self._connected:
            return
        self._connected = False
        self._broker.host.leave(self)
        for on_outcome in self._unconfirmed:
            self._calls.later(self, partial(on_outcome, Outcome.LOST))
        self._unconfirmed.clear()
        self._tell(reason)

    def up(self, reason: str, *, heal: bool = False) -> None:
        """Connect if nothing is in the way: declare everything, consume again, then tell the watchers."""
        self._cut = self._cut and not heal
        if self._connected or self._cut or self._closed or not self._broker.running:
            return
        try:
            for item in self._declared:
                self._declare(item)
        except TopologyError as error:
            self._broker.host.leave(self)
            log.warning("%s cannot come back: %s", self.name, error)
            return
        self._resume()
        self._connected = True
        self._tell(reason)

    def _resume(self) -> None:
        """Consume again. A queue that is gone must not keep the rest from working."""
        for subscription in self._consuming:
            try:
                self._broker.host.subscribe(subscription)
            except TopologyError as error:
                log.error("%s consumes no longer: %s", self.name, error)

    def _declare(self, item: Declaration) -> None:
        self._broker.check_permission(item)
        self._broker.host.declare(item, self)

    def _tell(self, reason: str) -> None:
        self._calls.changed.notify_all()
        for on_state in self._watchers:
            self._calls.later(self, partial(on_state, self._connected, reason))

    def _await_connection(self, timeout: float) -> None:
        """Wait for the connection, at most `timeout` seconds: NotConnected then. Closed after close."""
        self._calls.changed.wait_for(lambda: self._connected or self._closed, timeout)
        self._check_open()
        if not self._connected:
            raise NotConnected(f"{self.name} is not connected to the message broker")

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the message transport is closed")

    def _publish(self, envelope: Envelope) -> Outcome | None:
        if len(envelope.body) > MAX_BODY:
            return Outcome.TOO_LARGE
        if not self._connected:
            return Outcome.OFFLINE
        if self._broker.blocked:
            return Outcome.BLOCKED
        return self._broker.publish(_message(envelope, self._user), envelope.mandatory)


class MemoryConsumer:
    """A subscription of a MemoryTransport."""

    def __init__(self, transport: MemoryTransport, subscription: Subscription) -> None:
        self._transport = transport
        self._subscription = subscription

    def cancel(self, timeout: float = 5.0) -> None:
        """Stop new deliveries; returns when none will come. Held deliveries can still be acked."""
        self._transport.cancel(self._subscription, timeout)


def _message(envelope: Envelope, user: str) -> Message:
    return Message(
        envelope.exchange,
        envelope.key,
        envelope.body,
        envelope.message_id,
        envelope.type,
        dict(envelope.headers),
        envelope.persistent,
        user,
        envelope.ttl_ms,
    )


def _undone(item: Declaration, unwanted: list[Declaration]) -> bool:
    """Whether a forgotten item takes this one along: itself, or a binding of a queue that goes."""
    if isinstance(item, Exchange):
        return False
    if isinstance(item, Binding):
        gone = [one.name for one in unwanted if isinstance(one, Queue)]
        return item in unwanted or item.queue in gone
    return item in unwanted

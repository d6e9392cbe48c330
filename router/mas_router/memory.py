"""The transport inside one process: the same declarations, bytes and outcomes as over RabbitMQ, without a network.

The SDK's embedded mode runs on it, and tests use its faults: connections cut, publishes blocked, confirms lost. It has
no thread for delivery: callbacks run one at a time, in order, on the threads that publish, ack or consume.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from mas_router.errors import InvalidField, NotConnected, TopologyError
from mas_router.memory_broker import VirtualHost
from mas_router.memory_calls import Call, Calls
from mas_router.memory_queue import Clock, Entry, Message, Subscription
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import (
    MAX_BODY,
    Delivery,
    Envelope,
    OnDelivery,
    OnOutcome,
    OnState,
    Outcome,
    QueueInfo,
)

log = logging.getLogger(__name__)

# RabbitMQ's own limits, so that what runs here runs there.
_MAX_PREFETCH = 2000
_MAX_TTL_MS = 2**32 - 1


class MemoryBroker:
    """A message broker in this process. `connect` gives each participant its own transport.

    With a `clock` of your own (seconds), nothing expires until you call `sweep`; without, a daemon thread does
    it, which lives only while a message with a time to live waits at the head of a queue.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.calls = Calls(self._next_delivery)
        self._clock = clock or time.monotonic
        self._sweeps_itself = clock is None
        self._sweeper: threading.Thread | None = None
        self._sweep_at = 0.0
        self._sweep_sooner = threading.Condition(self.calls.lock)
        self.host = VirtualHost(self._clock)
        self.running = True
        self.blocked = False
        self._held = False
        self._transports: list[MemoryTransport] = []
        self._refused: set[str] = set()
        self._lost_confirms = 0
        self._duplicates = 0

    def connect(self, name: str, *, user: str = "") -> MemoryTransport:
        """A new connection. Names need not differ; the faults below hit every connection of a name."""
        transport = MemoryTransport(self, name, user)
        with self.calls.lock:
            self._transports.append(transport)
            transport.up("connected")
        return transport

    def sweep(self) -> None:
        """Carry out what is due by the clock: messages and queues that expired."""
        with self.calls.lock:
            self.host.sweep()
        self.calls.run()

    # Faults, for tests

    def disconnect(self, name: str, reason: str = "connection reset") -> None:
        """Cut a participant off until `reconnect`."""
        self._each(name, lambda transport: transport.down(reason, cut=True))

    def reconnect(self, name: str) -> None:
        """Let a participant come back: everything it declared and consumed is there again."""
        self._each(name, lambda transport: transport.up("reconnected", heal=True))

    def stop(self) -> None:
        """Stop the broker: durable queues keep their persistent messages, the rest goes."""
        with self.calls.lock:
            self.running = False
            for transport in self._transports:
                transport.down("the broker stopped")
            self.host.restart()
        self.calls.run()

    def start(self) -> None:
        """Start the broker again; whoever was not cut off reconnects."""
        with self.calls.lock:
            self.running = True
            for transport in self._transports:
                transport.up("the broker started")
        self.calls.run()

    def block(self) -> None:
        """Refuse publishes as BLOCKED, as RabbitMQ does when short of memory or disk."""
        self.blocked = True

    def unblock(self) -> None:
        self.blocked = False

    def hold_deliveries(self) -> None:
        """Deliver nothing until `release_deliveries`; publishes are taken and confirmed."""
        self._held = True

    def release_deliveries(self) -> None:
        self._held = False
        self.calls.run()

    def drop_next_confirm(self) -> None:
        """Queue the next publish, but never confirm it: LOST at the next disconnect or close."""
        with self.calls.lock:
            self._lost_confirms += 1

    def duplicate_next(self) -> None:
        """Queue the next publish twice, as when a publisher repeats after a lost confirm."""
        with self.calls.lock:
            self._duplicates += 1

    def refuse(self, name: str) -> None:
        """Refuse declarations and look-ups of this exchange or queue from now on, as for a missing permission."""
        self._refused.add(name)

    # For transports; they hold the lock

    def check_permission(self, item: Declaration) -> None:
        names = (item.exchange, item.queue) if isinstance(item, Binding) else (item.name,)
        for name in names:
            if name in self._refused:
                raise TopologyError(f"access to {name!r} is refused")

    def permits(self, name: str) -> bool:
        return name not in self._refused

    def publish(self, message: Message, mandatory: bool) -> Outcome | None:
        """Queue a message; None when a fault swallows the confirm."""
        outcome = self.host.publish(message, mandatory)
        if self._duplicates:
            self._duplicates -= 1
            self.host.publish(message, mandatory)
        if self._lost_confirms:
            self._lost_confirms -= 1
            return None
        return outcome

    def remove(self, transport: MemoryTransport) -> None:
        if transport in self._transports:
            self._transports.remove(transport)

    # Delivery

    def _each(self, name: str, action: Callable[[MemoryTransport], None]) -> None:
        with self.calls.lock:
            for transport in [one for one in self._transports if one.name == name]:
                action(transport)
        self.calls.run()

    def _next_delivery(self) -> Call | None:
        if self._held:
            return None
        found = self.host.next_delivery()
        if found is not None:
            subscription, tag, entry = found
            return Call(subscription, partial(subscription.on_delivery, self._delivery(subscription, tag, entry)))
        if self._sweeps_itself:
            self._plan_sweep()
        return None

    def _delivery(self, subscription: Subscription, tag: int, entry: Entry) -> Delivery:
        message = entry.message
        return Delivery(
            subscription.queue,
            message.exchange,
            message.key,
            message.body,
            message.message_id,
            message.type,
            message.headers,
            entry.redelivered,
            message.user_id,
            partial(self._settle, subscription, tag, False),
            partial(self._settle, subscription, tag, True),
        )

    def _settle(self, subscription: Subscription, tag: int, rejected: bool) -> None:
        with self.calls.lock:
            self.host.settle(subscription, tag, rejected)
        self.calls.run()

    # Expiry

    def _plan_sweep(self) -> None:
        """See that a thread sweeps when the next message expires; the caller holds the lock."""
        due = self.host.next_expiry()
        if due is None:
            return
        if self._sweeper is None:
            self._sweep_at = due
            self._sweeper = threading.Thread(target=self._sweep_while_due, name="mas-memory-expiry", daemon=True)
            self._sweeper.start()
        elif due < self._sweep_at:
            self._sweep_at = due
            self._sweep_sooner.notify_all()

    def _sweep_while_due(self) -> None:
        while True:
            with self.calls.lock:
                due = self.host.next_expiry()
                if due is None:
                    self._sweeper = None
                    return
                self._sweep_at = due
                left = due - self._clock()
                if left > 0:
                    self._sweep_sooner.wait(left)
            self.sweep()


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
            return self._broker.permits(name) and self._broker.host.has_exchange(name)

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
        """Wait for the connection, at most `timeout` seconds; NotConnected then, and after close."""
        self._calls.changed.wait_for(lambda: self._connected or self._closed, timeout)
        if not self._connected:
            raise NotConnected(f"{self.name} is {'closed' if self._closed else 'not connected to the broker'}")

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

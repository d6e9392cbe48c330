"""The transport inside one process: the same declarations, bytes and outcomes as over RabbitMQ, without a network.

The SDK's embedded mode runs on it, and tests use its faults: connections cut, publishes blocked, confirms lost. It has
no thread for delivery: callbacks run one at a time, in order, on the threads that publish, ack or consume, before the
call returns (unless a callback is running already; then after it). So hold no lock across a call that a callback takes
as well. Unlike over RabbitMQ, a callback may also declare, inspect or cancel.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from mas_router.errors import TopologyError
from mas_router.memory_broker import VirtualHost
from mas_router.memory_calls import Call, Calls
from mas_router.memory_queue import Clock, Entry, Message, Subscription
from mas_router.memory_transport import MemoryTransport
from mas_router.topology import Binding, Declaration
from mas_router.transport import Delivery, Outcome

__all__ = ["MemoryBroker", "MemoryTransport"]


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

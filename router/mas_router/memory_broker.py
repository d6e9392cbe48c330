"""The exchanges and queues of the in-process broker, and what happens to messages between them.

Pure but for the given clock: calls change state, deliveries are taken one at a time with `next_delivery`. Nothing here
locks or calls back; `mas_router.memory` does both. An `owner` is a connection, known by identity only.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Mapping

from mas_router.errors import TopologyError
from mas_router.memory_exchange import MemoryExchange
from mas_router.memory_queue import Clock, Entry, MemoryQueue, Message, Subscription
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import Outcome, QueueInfo


class VirtualHost:
    """Everything that RabbitMQ keeps in one vhost, with its rules."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._exchanges: dict[str, MemoryExchange] = {}
        self._queues: dict[str, MemoryQueue] = {}
        self._subscriptions: dict[object, list[Subscription]] = {}
        self._awake: deque[MemoryQueue] = deque()
        self._expiring: dict[str, MemoryQueue] = {}
        self._tags = itertools.count(1)

    # Declarations

    def declare(self, item: Declaration, owner: object) -> None:
        """Declare; the same again does nothing. TopologyError when it exists differently or is out of reach."""
        if isinstance(item, Exchange):
            self._declare_exchange(item)
        elif isinstance(item, Queue):
            self._declare_queue(item, owner)
        else:
            self._source(item, owner).bind(item)

    def forget(self, item: Declaration, owner: object) -> None:
        """Unbind a binding, delete a queue with its messages; exchanges stay. What is not there is no error."""
        if isinstance(item, Queue) and item.name in self._queues:
            self._delete(self._reachable(item.name, owner))
        elif isinstance(item, Binding) and item.exchange in self._exchanges:
            self._exchanges[item.exchange].unbind(item)

    def inspect(self, queue: str, owner: object) -> QueueInfo | None:
        """Messages that are ready and consumers; None when absent, or another connection's exclusive queue."""
        found = self._queues.get(queue)
        if found is None or found.owner not in (None, owner):
            return None
        found.expire()
        return QueueInfo(len(found.ready), len(found.consumers))

    def has_exchange(self, name: str) -> bool:
        return name in self._exchanges

    # Messages

    def publish(self, message: Message, mandatory: bool) -> Outcome:
        """Route a message and queue it. REFUSED when any queue refused it: others may have it, as in RabbitMQ."""
        if message.exchange and message.exchange not in self._exchanges:
            return Outcome.NO_ROUTE
        names = self._route(message.exchange, message)
        if not names and mandatory:
            return Outcome.NO_ROUTE
        taken = [self._push(self._queues[name], message) for name in names]
        return Outcome.CONFIRMED if all(taken) else Outcome.REFUSED

    def next_delivery(self) -> tuple[Subscription, int, Entry] | None:
        """The next message for a consumer, as (consumer, delivery tag, entry); queues take turns."""
        while self._awake:
            queue = self._awake.popleft()
            taken = queue.take()
            if taken is not None:
                self._awake.append(queue)
                return self._hold(*taken)
            queue.awake = False
            if queue.ready and queue.ready[0].expires_at is not None:
                self._expiring[queue.name] = queue
        return None

    def settle(self, subscription: Subscription, tag: int, rejected: bool) -> None:
        """Ack, or dead-letter, a delivery; nothing happens when it was settled or taken back."""
        entry = subscription.held.pop(tag, None)
        if entry is None:
            return
        queue = self._queues[subscription.queue]
        if rejected:
            self._bury(queue, entry.message, "rejected")
        self._wake(queue)
        if not subscription.active:
            self._drop_if_done(subscription)

    # Consumers and connections

    def subscribe(self, subscription: Subscription) -> None:
        """Start a consumer; TopologyError when the queue is absent or another connection's."""
        queue = self._reachable(subscription.queue, subscription.owner)
        subscription.active = True
        queue.consumers.append(subscription)
        self._subscriptions.setdefault(subscription.owner, []).append(subscription)
        self._wake(queue)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop a consumer. It keeps what it holds."""
        if not subscription.active:
            return
        subscription.active = False
        queue = self._queues[subscription.queue]
        queue.remove_consumer(subscription)
        self._wake(queue)
        self._drop_if_done(subscription)

    def leave(self, owner: object) -> None:
        """A connection is gone: its consumers stop, what they held goes back, its exclusive queues vanish."""
        subscriptions = self._subscriptions.pop(owner, [])
        for subscription in subscriptions:
            self._queues[subscription.queue].remove_consumer(subscription)
            subscription.active = False
        for subscription in subscriptions:
            self._take_back(subscription)
        for queue in [queue for queue in self._queues.values() if queue.owner is owner]:
            self._delete(queue)

    def restart(self) -> None:
        """What a restart of the broker leaves: durable queues with their persistent messages. Connections left."""
        for queue in list(self._queues.values()):
            if queue.declaration.durable:
                queue.ready = deque(entry for entry in queue.ready if entry.message.persistent)
            else:
                self._delete(queue)

    # Time

    def sweep(self) -> None:
        """Carry out what is due by now: expired messages, and queues that nobody used for `x-expires`."""
        for queue in list(self._queues.values()):
            queue.expire()
            if queue.abandoned:
                self._delete(queue)

    def next_expiry(self) -> float | None:
        """When the first message at the head of a queue expires, in the clock's seconds."""
        if not self._expiring:
            return None
        heads = {name: queue.ready[0].expires_at for name, queue in self._expiring.items() if queue.ready}
        due = {name: at for name, at in heads.items() if at is not None}
        self._expiring = {name: self._expiring[name] for name in due}
        return min(due.values(), default=None)

    # Inside

    def _declare_exchange(self, item: Exchange) -> None:
        old = self._exchanges.get(item.name)
        if old is None:
            self._exchanges[item.name] = MemoryExchange(item)
        else:
            _same(f"exchange {item.name!r}", old.declaration, item)

    def _declare_queue(self, item: Queue, owner: object) -> None:
        if item.name not in self._queues:
            self._queues[item.name] = MemoryQueue(item, owner, self._clock, self._bury)
            return
        old = self._reachable(item.name, owner)
        _same(f"queue {item.name!r}", old.declaration, item)
        old.used_at = self._clock()

    def _source(self, item: Binding, owner: object) -> MemoryExchange:
        exchange = self._exchanges.get(item.exchange)
        if exchange is None:
            raise TopologyError(f"binding of {item.queue!r}: there is no exchange {item.exchange!r}")
        self._reachable(item.queue, owner)
        return exchange

    def _reachable(self, name: str, owner: object) -> MemoryQueue:
        queue = self._queues.get(name)
        if queue is None:
            raise TopologyError(f"there is no queue {name!r}")
        if queue.owner not in (None, owner):
            raise TopologyError(f"queue {name!r} is exclusive to another connection")
        return queue

    def _delete(self, queue: MemoryQueue) -> None:
        """Delete a queue; its messages go silently, its consumers get nothing more, their acks do nothing."""
        for subscriptions in self._subscriptions.values():
            for subscription in [one for one in subscriptions if one.queue == queue.name]:
                subscription.active = False
                subscription.held.clear()
                subscriptions.remove(subscription)
        queue.ready.clear()
        queue.consumers.clear()
        del self._queues[queue.name]
        self._expiring.pop(queue.name, None)
        for exchange in self._exchanges.values():
            exchange.unbind_queue(queue.name)

    def _route(self, exchange: str, message: Message) -> tuple[str, ...]:
        """The queues for a message, through alternate exchanges if need be; "" routes to the queue named by the key."""
        if not exchange:
            return (message.key,) if message.key in self._queues else ()
        seen: set[str] = set()
        while exchange not in seen and exchange in self._exchanges:
            seen.add(exchange)
            found = self._exchanges[exchange]
            names = found.route(message.key, message.headers)
            if names or not found.alternate:
                return names
            exchange = found.alternate
        return ()

    def _push(self, queue: MemoryQueue, message: Message) -> bool:
        taken = queue.push(message)
        if taken:
            self._wake(queue)
        return taken

    def _wake(self, queue: MemoryQueue) -> None:
        if not queue.awake:
            queue.awake = True
            self._awake.append(queue)

    def _hold(self, subscription: Subscription, entry: Entry) -> tuple[Subscription, int, Entry]:
        tag = next(self._tags)
        if not subscription.auto_ack:
            subscription.held[tag] = entry
        return subscription, tag, entry

    def _take_back(self, subscription: Subscription) -> None:
        queue = self._queues[subscription.queue]
        entries = list(subscription.held.values())
        subscription.held.clear()
        queue.put_back(entries)
        self._wake(queue)

    def _drop_if_done(self, subscription: Subscription) -> None:
        """Forget a consumer that was cancelled and has settled all that it held."""
        owned = self._subscriptions.get(subscription.owner, [])
        if not subscription.held and subscription in owned:
            owned.remove(subscription)

    def _bury(self, queue: MemoryQueue, message: Message, reason: str) -> None:
        """Publish a message that left a queue without an ack to the queue's dead-letter exchange, if it has one."""
        exchange = queue.declaration.arguments.get("x-dead-letter-exchange")
        if not isinstance(exchange, str):
            return
        key = queue.declaration.arguments.get("x-dead-letter-routing-key", message.key)
        letter = dead_letter(message, queue.name, reason, exchange, str(key))
        for name in self._route(exchange, letter):
            if not _circles(letter, name):
                self._push(self._queues[name], letter)


def dead_letter(message: Message, queue: str, reason: str, exchange: str, key: str) -> Message:
    """The message as RabbitMQ dead-letters it: without its time to live, with `x-death` and `x-first-death-*`.

    `x-death` lists (queue, reason) pairs, the latest first, with a count. `time` is left out: there is no wall clock.
    """
    deaths = _deaths(message.headers)
    earlier = [death for death in deaths if (death["queue"], death["reason"]) == (queue, reason)]
    death: dict[str, object] = {
        "count": 1 + sum(count for one in earlier if isinstance(count := one["count"], int)),
        "reason": reason,
        "queue": queue,
        "exchange": message.exchange,
        "routing-keys": [message.key],
    }
    if message.ttl_ms is not None:
        death["original-expiration"] = str(message.ttl_ms)
    first = {
        "x-first-death-reason": reason,
        "x-first-death-queue": queue,
        "x-first-death-exchange": message.exchange,
    }
    others = [one for one in deaths if one not in earlier]
    headers = {**first, **message.headers, "x-death": [death, *others]}
    return dataclasses.replace(message, exchange=exchange, key=key, headers=headers, ttl_ms=None)


def _deaths(headers: Mapping[str, object]) -> list[dict[str, object]]:
    deaths = headers.get("x-death")
    return deaths if isinstance(deaths, list) else []


def _circles(letter: Message, queue: str) -> bool:
    """Whether a message comes back to a queue where it died, and nobody rejected it: RabbitMQ drops it."""
    deaths = _deaths(letter.headers)
    return any(one["queue"] == queue for one in deaths) and all(one["reason"] != "rejected" for one in deaths)


def _same(what: str, old: Exchange | Queue, new: Exchange | Queue) -> None:
    """TopologyError that names the first difference of two declarations of one name."""
    before, after = _flat(old), _flat(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            raise TopologyError(f"{what} exists with {name}={before.get(name)!r}, not {after.get(name)!r}")


def _flat(item: Exchange | Queue) -> dict[str, object]:
    fields = {field.name: getattr(item, field.name) for field in dataclasses.fields(item) if field.name != "arguments"}
    return {**fields, **item.arguments}

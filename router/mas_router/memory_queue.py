"""One queue of the in-process broker, and who consumes it. Pure: time and dead letters go through given functions.

Follows RabbitMQ in what can be observed: expiry is looked at only at the head, what comes back keeps its place and its
expiry, and only messages that are ready count against the maximum length.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mas_router.errors import TopologyError
from mas_router.topology import Queue
from mas_router.transport import OnDelivery

Clock = Callable[[], float]


@dataclass(slots=True)
class Message:
    """What was published; the queues that got it share it. `ttl_ms` is the publisher's time to live, if any."""

    exchange: str
    key: str
    body: bytes
    message_id: str
    type: str
    headers: Mapping[str, object]
    persistent: bool
    user_id: str
    ttl_ms: int | None


@dataclass(slots=True)
class Entry:
    """A message's place in one queue. `expires_at` is in the clock's seconds, `returns` counts lost deliveries."""

    message: Message
    position: int
    expires_at: float | None
    redelivered: bool = False
    returns: int = 0


@dataclass(slots=True, eq=False)
class Subscription:
    """One consumer of one queue. `held` is what it has not acked, by delivery tag, at most `prefetch`."""

    queue: str
    owner: object
    on_delivery: OnDelivery
    prefetch: int
    auto_ack: bool
    active: bool = False
    held: dict[int, Entry] = field(default_factory=dict)

    @property
    def has_credit(self) -> bool:
        return self.auto_ack or len(self.held) < self.prefetch


Bury = Callable[["MemoryQueue", Message, str], None]


class MemoryQueue:
    """The messages of one queue, in order. `owner` is the connection of an exclusive queue.

    `bury(queue, message, reason)` is told of every message that leaves without an ack, with RabbitMQ's reasons:
    rejected, expired, maxlen, delivery_limit.
    """

    def __init__(self, declaration: Queue, owner: object, clock: Clock, bury: Bury) -> None:
        self.declaration = declaration
        self.name = declaration.name
        self.owner = owner if declaration.exclusive else None
        self.ready: deque[Entry] = deque()
        self.consumers: deque[Subscription] = deque()
        self.awake = False
        self.used_at = clock()
        self.expires = _number(declaration, "x-expires")
        self._clock = clock
        self._bury = bury
        self._positions = itertools.count()
        self._ttl = _number(declaration, "x-message-ttl")
        self._max_length = _number(declaration, "x-max-length")
        self._refuses = declaration.arguments.get("x-overflow") == "reject-publish"
        self._one_active = declaration.arguments.get("x-single-active-consumer") is True
        self._delivery_limit = _number(declaration, "x-delivery-limit")

    def push(self, message: Message) -> bool:
        """Append a message; False when the queue is full and refuses."""
        full = self._full()
        if full and self._refuses:
            return False
        self.ready.append(Entry(message, next(self._positions), self._expiry(message)))
        if full:
            self._bury(self, self.ready.popleft().message, "maxlen")
        return True

    def take(self) -> tuple[Subscription, Entry] | None:
        """The next message and the consumer that gets it; None when there is none of either."""
        self.expire()
        if not self.ready:
            return None
        consumer = self._next_consumer()
        return (consumer, self.ready.popleft()) if consumer else None

    def expire(self) -> None:
        """Bury what is overdue at the head."""
        while self.ready:
            due = self.ready[0].expires_at
            if due is None or due > self._clock():
                return
            self._bury(self, self.ready.popleft().message, "expired")

    def put_back(self, entries: list[Entry]) -> None:
        """Take back deliveries whose consumer is gone, at their old places, as redelivered."""
        kept = []
        for entry in entries:
            entry.redelivered = True
            entry.returns += 1
            if self._delivery_limit is not None and entry.returns > self._delivery_limit:
                self._bury(self, entry.message, "delivery_limit")
            else:
                kept.append(entry)
        if kept:
            self.ready = deque(sorted([*kept, *self.ready], key=lambda entry: entry.position))

    def remove_consumer(self, subscription: Subscription) -> None:
        if subscription in self.consumers:
            self.consumers.remove(subscription)
            self.used_at = self._clock()

    @property
    def abandoned(self) -> bool:
        """Whether `x-expires` has passed without a consumer or a declaration."""
        return self.expires is not None and not self.consumers and self._clock() >= self.used_at + self.expires / 1000

    def _full(self) -> bool:
        if self._max_length is None or len(self.ready) < self._max_length:
            return False
        self.expire()
        return len(self.ready) >= self._max_length

    def _expiry(self, message: Message) -> float | None:
        lives = [ttl for ttl in (self._ttl, message.ttl_ms) if ttl is not None]
        return self._clock() + min(lives) / 1000 if lives else None

    def _next_consumer(self) -> Subscription | None:
        if self._one_active:
            return self.consumers[0] if self.consumers and self.consumers[0].has_credit else None
        for _ in range(len(self.consumers)):
            consumer = self.consumers[0]
            self.consumers.rotate(-1)
            if consumer.has_credit:
                return consumer
        return None


def _number(declaration: Queue, argument: str) -> int | None:
    value = declaration.arguments.get(argument)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TopologyError(
            f"queue {declaration.name!r}: {argument}={value!r} is not allowed: a whole number from 0 up"
        )
    return value

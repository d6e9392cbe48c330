"""The interface between this system and a message broker.

Two implementations: `mas_router.memory` (in this process, the same bytes) and `mas_router.amqp` (RabbitMQ). One
conformance suite holds both to what is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mas_router.topology import Declaration


class Outcome(StrEnum):
    """What is proven about a publish. Only LOST leaves open whether the message was queued."""

    CONFIRMED = "confirmed"
    NO_ROUTE = "no_route"
    REFUSED = "refused"
    LOST = "lost"
    OFFLINE = "offline"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"


#: Outcomes that prove that the message is in no queue.
NOT_QUEUED = frozenset(Outcome) - {Outcome.CONFIRMED, Outcome.LOST}

MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way out. `ttl_ms` is the broker's time to live; `mandatory` asks for NO_ROUTE."""

    exchange: str
    key: str
    body: bytes
    message_id: str = ""
    type: str = ""
    ttl_ms: int | None = None
    headers: Mapping[str, str | int] = field(default_factory=dict)
    persistent: bool = True
    mandatory: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that arrived. Exactly one of `ack` and `reject` is called, from any thread, unless the consumer
    asked for `auto_ack`. `reject` never requeues: the message goes to the queue's dead-letter exchange. Both do
    nothing once the connection that delivered it is gone; the broker delivers again, with `redelivered`.
    """

    queue: str
    exchange: str
    key: str
    body: bytes
    message_id: str
    type: str
    headers: Mapping[str, object]
    redelivered: bool
    user_id: str
    ack: Callable[[], None]
    reject: Callable[[], None]


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """What a passive declaration tells."""

    messages: int
    consumers: int


class Consumer(Protocol):
    """A subscription to one queue."""

    def cancel(self, timeout: float = 5.0) -> None:
        """Stop new deliveries; returns when none will come. Held deliveries can still be acked."""


OnOutcome = Callable[[Outcome], None]
OnDelivery = Callable[[Delivery], None]
OnState = Callable[[bool, str], None]


class Transport(Protocol):
    """One participant's line to a message broker. Every method may be called from any thread.

    `on_outcome`, `on_delivery` and `on_state` are called one at a time, on a thread of the transport's choosing, and
    must not block.
    """

    @property
    def connected(self) -> bool:
        """Publishing is possible now."""

    @property
    def address(self) -> str:
        """Host and port for messages to people; never a password."""

    def declare(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        """Declare, and again after every reconnect. Raises TopologyError (refused), NotConnected (time-out)."""

    def forget(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        """Undo: unbind the bindings, delete the queues; exchanges stay. They are not declared again."""

    def publish(self, envelope: Envelope, on_outcome: OnOutcome | None = None) -> None:
        """Publish without blocking. `on_outcome` gets exactly one Outcome, also at close."""

    def consume(self, queue: str, on_delivery: OnDelivery, *, prefetch: int = 64, auto_ack: bool = False) -> Consumer:
        """Consume, and again after every reconnect."""

    def inspect(self, queue: str, timeout: float = 5.0) -> QueueInfo | None:
        """Length and consumers of a queue; None when there is no such queue (or it is another's exclusive one)."""

    def has_exchange(self, name: str, timeout: float = 5.0) -> bool:
        """Whether the exchange exists. Never declares it. Raises TopologyError when this user may not see it."""

    def watch(self, on_state: OnState) -> None:
        """Be told of `(connected, reason)` at every change, once everything is declared and consuming again."""

    def wait_connected(self, timeout: float) -> bool:
        """Wait for a connection; False at the deadline."""

    def close(self, timeout: float = 5.0) -> None:
        """Wait for outstanding confirms, then leave. Unconfirmed publishes get LOST. Never raises, may be repeated."""

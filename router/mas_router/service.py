"""A worker is a handler behind a transport: decode, handle, publish, ack.

The handler decides (and remembers what it has seen); this file moves bytes. A command is acked only when the broker
has confirmed every event that it caused, so a worker that dies in between leaves the command to be delivered again.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from mas_router.codec import decode, encode
from mas_router.errors import DecodeError
from mas_router.messages import Message, Refused
from mas_router.outbox import Outbox
from mas_router.topology import EVENTS
from mas_router.transport import Consumer, Delivery, Envelope, Transport

log = logging.getLogger("mas.service")


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to publish on the event exchange, and its routing key."""

    key: str
    message: BaseModel
    message_id: str = ""


class Handler(Protocol):
    """What a worker does with a command. Must not raise for anything that a client can send."""

    def handle(self, delivery: Delivery, message: Message) -> Iterable[Reply]: ...

    def reply_key(self, message: Message) -> str:
        """Where a refusal of this message goes; empty when nobody can be told."""


def _after(count: int, action: Callable[[], None]) -> Callable[[], None]:
    """Call `action` at the `count`-th call: confirms may arrive in any order, the ack waits for all of them."""
    left = itertools.count(count - 1, -1)

    def once() -> None:
        if next(left) == 0:
            action()

    return once


class Pipeline:
    """The steps for one delivery, on whichever thread calls it."""

    def __init__(self, transport: Transport, handler: Handler) -> None:
        self.outbox = Outbox(transport)
        self.handled = 0
        self.malformed = 0
        self._handler = handler

    def process(self, delivery: Delivery) -> None:
        try:
            message = decode(delivery.body)
        except DecodeError as error:
            self.malformed += 1
            log.warning("rejected a message on %s: %s", delivery.queue, error, extra={"action": "reject"})
            delivery.reject()
            return
        self._publish(self._handle(delivery, message), delivery.ack)
        self.handled += 1

    def _handle(self, delivery: Delivery, message: Message) -> list[Reply]:
        try:
            return list(self._handler.handle(delivery, message))
        except Exception:
            log.exception("a %s command failed", message.kind, extra={"action": "handle"})
            return self._apology(message)

    def _apology(self, message: Message) -> list[Reply]:
        key, name = self._handler.reply_key(message), getattr(message, "id", "")
        text = f"the worker failed on this {message.kind} command; its log has the reason"
        return [Reply(key, Refused(id=name, code="internal", message=text))] if key and name else []

    def _publish(self, replies: list[Reply], ack: Callable[[], None]) -> None:
        done = ack if len(replies) < 2 else _after(len(replies), ack)
        for reply in replies:
            self.send(reply, done)
        if not replies:
            ack()

    def send(self, reply: Reply, done: Callable[[], None] | None = None) -> None:
        body, kind = encode(reply.message), str(getattr(reply.message, "kind", ""))
        self.outbox.publish(Envelope(EVENTS, reply.key, body, reply.message_id, kind), done)


class Service:
    """Consumes queues on the transport and processes deliveries one at a time, on a thread of its own.

    `tick` runs on that thread too, at least every `interval` seconds: a handler needs no locks.
    """

    def __init__(
        self, transport: Transport, handler: Handler, *, tick: Callable[[], None] | None = None, interval: float = 0.1
    ) -> None:
        self.transport = transport
        self.pipeline = Pipeline(transport, handler)
        self._tick, self._interval = tick, interval
        self._inbox: queue.SimpleQueue[tuple[Delivery, float] | None] = queue.SimpleQueue()
        self.lag_ms = 0.0
        self._consumers: dict[str, Consumer] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mas-service", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def receive(self, delivery: Delivery) -> None:
        """Hand in a delivery; it is processed on the service's thread."""
        self._inbox.put((delivery, time.monotonic()))

    def announce(self, reply: Reply) -> None:
        """Publish once, to whoever listens: what is lost of it is replaced by the next one."""
        message = Envelope(EVENTS, reply.key, encode(reply.message), type="beat", persistent=False, mandatory=False)
        self.transport.publish(message)

    @property
    def waiting(self) -> int:
        """Deliveries that wait to be processed."""
        return self._inbox.qsize()

    def consume(self, name: str, prefetch: int) -> None:
        self._consumers[name] = self.transport.consume(name, self.receive, prefetch=prefetch)

    def stop(self, timeout: float = 10.0) -> bool:
        """Drain: no new deliveries, finish those held, wait for their confirms. False if the time was too short."""
        deadline = time.monotonic() + timeout
        for consumer in self._consumers.values():
            consumer.cancel(max(0.1, deadline - time.monotonic()))
        self._inbox.put(None)
        in_time = self._stopped.wait(max(0.1, deadline - time.monotonic()))
        return self.pipeline.outbox.wait_empty(max(0.1, deadline - time.monotonic())) and in_time

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        running = True
        while running:
            running = self._step(max(0.0, due - time.monotonic()))
            if time.monotonic() >= due:
                self._run_tick()
                due = time.monotonic() + self._interval
        self._stopped.set()

    def _step(self, timeout: float) -> bool:
        """Process one delivery if one comes in time; False at the end."""
        try:
            item = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return True
        if item is None:
            return False
        delivery, received = item
        self.lag_ms = (time.monotonic() - received) * 1000
        self.pipeline.process(delivery)
        return True

    def _run_tick(self) -> None:
        if self._tick is None:
            return
        try:
            self._tick()
        except Exception:
            log.exception("the periodic work of the worker failed", extra={"action": "tick"})

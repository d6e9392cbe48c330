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
from functools import partial
from typing import Protocol

from pydantic import BaseModel

from mas_router.codec import decode, encode
from mas_router.errors import DecodeError
from mas_router.messages import Message, Refused
from mas_router.outbox import Outbox
from mas_router.topology import EVENTS
from mas_router.transport import Consumer, Delivery, Envelope, Outcome, Transport

log = logging.getLogger("mas.service")


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to publish on the event exchange, and its routing key."""

    key: str
    message: BaseModel

    def envelope(self) -> Envelope:
        return Envelope(EVENTS, self.key, encode(self.message), type=str(getattr(self.message, "kind", "")))


class Handler(Protocol):
    """What a worker does with a command. Must not raise for anything that a client can send."""

    def handle(self, delivery: Delivery, message: Message) -> Iterable[Reply]: ...

    def is_slow(self, message: Message) -> bool:
        """It may wait for the broker or a disk, so it must not run on the transport's thread."""

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
    """The steps for one delivery, on whichever thread calls it.

    Replies leave in the order in which they were made: making them and giving them their place is one step under the
    lock. A slow command has the lock only for the second half, and must not make replies that others depend on.
    """

    def __init__(self, transport: Transport, handler: Handler) -> None:
        self.outbox = Outbox(transport)
        self.handled = 0
        self.malformed = 0
        self._handler = handler
        self.lock = threading.RLock()

    def process(self, delivery: Delivery) -> None:
        message = self.read(delivery)
        if message is not None:
            self.answer(delivery, message)

    def read(self, delivery: Delivery) -> Message | None:
        """The command of a delivery; what is none is rejected, and thus dead-lettered."""
        try:
            return decode(delivery.body)
        except DecodeError as error:
            self.malformed += 1
            log.warning("rejected a message on %s: %s", delivery.queue, error, extra={"action": "reject"})
            delivery.reject()
            return None

    def answer(self, delivery: Delivery, message: Message) -> None:
        if self._handler.is_slow(message):
            self._enqueue(self._handle(delivery, message), delivery.ack)
        else:
            with self.lock:
                self._enqueue(self._handle(delivery, message), delivery.ack)
        self.outbox.flush()
        self.handled += 1

    def run(self, work: Callable[[], Iterable[Reply]]) -> None:
        """Send the replies that something else than a command brings about, in order with all others."""
        with self.lock:
            self._enqueue(list(work()), _nothing)
        self.outbox.flush()

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

    def _enqueue(self, replies: list[Reply], ack: Callable[[], None]) -> None:
        done = ack if len(replies) < 2 else _after(len(replies), ack)
        with self.lock:
            for reply in replies:
                self.outbox.enqueue(reply.envelope(), done)
        if not replies:
            ack()


def _nothing() -> None:
    """There is no command to ack."""


class Service:
    """Answers deliveries as they come: quick commands on the transport's thread, slow ones on a thread of its own.

    Every hand-over between threads costs more than a quick command does. `tick` runs on the service's thread, at least
    every `interval` seconds.
    """

    def __init__(
        self, transport: Transport, handler: Handler, *, tick: Callable[[], None] | None = None, interval: float = 0.1
    ) -> None:
        self.transport = transport
        self.pipeline = Pipeline(transport, handler)
        self._handler = handler
        self._tick, self._interval = tick, interval
        self._inbox: queue.SimpleQueue[tuple[Delivery, Message] | None] = queue.SimpleQueue()
        self.lag_ms = 0.0
        self._consumers: dict[str, Consumer] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mas-service", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def receive(self, delivery: Delivery) -> None:
        """Hand in a delivery, on the transport's thread."""
        message = self.pipeline.read(delivery)
        if message is None:
            return
        if self._handler.is_slow(message):
            self._inbox.put((delivery, message))
        else:
            self.pipeline.answer(delivery, message)

    def announce(self, reply: Reply) -> None:
        """Publish once, to whoever listens: what is lost of it is replaced by the next one.

        How long its confirm takes is the worker's lag: it waits behind the commands that have come, as answers do.
        """
        message = Envelope(EVENTS, reply.key, encode(reply.message), type="beat", persistent=False, mandatory=False)
        self.transport.publish(message, partial(self._measure, time.monotonic()))

    def _measure(self, sent: float, outcome: Outcome) -> None:
        if outcome is Outcome.CONFIRMED:
            self.lag_ms = (time.monotonic() - sent) * 1000

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
        self.pipeline.answer(*item)
        return True

    def _run_tick(self) -> None:
        if self._tick is None:
            return
        try:
            self._tick()
        except Exception:
            log.exception("the periodic work of the worker failed", extra={"action": "tick"})

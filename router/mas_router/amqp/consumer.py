"""Consuming: one channel per consumer, acks from any thread, several acks in one frame where that is right."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from pika import BasicProperties
from pika import exceptions as pika_errors
from pika.channel import Channel
from pika.spec import Basic

from mas_router.amqp.errand import Refusal, refusal
from mas_router.amqp.wire import Wire
from mas_router.transport import Delivery, OnDelivery

if TYPE_CHECKING:
    from mas_router.amqp.transport import AmqpTransport

log = logging.getLogger("mas.amqp")


class Subscription:
    """The wish to consume, which outlives connections. It is what `AmqpTransport.consume` returns."""

    def __init__(
        self, transport: AmqpTransport, queue: str, on_delivery: OnDelivery, prefetch: int, auto_ack: bool
    ) -> None:
        self.queue = queue
        self.on_delivery = on_delivery
        self.prefetch = prefetch
        self.auto_ack = auto_ack
        self._transport = transport

    def cancel(self, timeout: float = 5.0) -> None:
        """Stop new deliveries; returns when none will come. Held deliveries can still be acked."""
        self._transport.cancel(self, timeout)

    def __repr__(self) -> str:
        return f"<consumer of {self.queue!r}>"


class Held:
    """The delivery tags of a channel that wait for an ack or reject, oldest first. Pure; as long as the prefetch."""

    def __init__(self) -> None:
        self._tags: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._tags)

    def add(self, tag: int) -> None:
        self._tags[tag] = None

    def take(self, tag: int) -> bool:
        """Whether the tag was held. It is not any more."""
        if tag not in self._tags:
            return False
        del self._tags[tag]
        return True

    def ack(self, tags: Iterable[int]) -> list[tuple[int, bool]]:
        """The basic.ack frames, as (tag, multiple), for these tags; those not held are ignored.

        `multiple` covers everything older, so it is used only up to the first tag that is still wanted.
        """
        fresh = {tag for tag in tags if tag in self._tags}
        run = []
        for tag in self._tags:
            if tag not in fresh:
                break
            run.append(tag)
        for tag in fresh:
            del self._tags[tag]
        rest = fresh.difference(run)
        head = [(run[-1], len(run) > 1)] if run else []
        return head + [(tag, False) for tag in sorted(rest)]


class Lane:
    """One subscription on one connection. Lives on the I/O thread; never used again once it ended.

    `on_running` is called when the broker has taken the subscription, `on_end` when it or the channel's end
    was not our wish. Deliveries that are settled after the end are forgotten: the broker has taken them back.
    """

    def __init__(
        self,
        connection: Wire,
        subscription: Subscription,
        settle: Callable[[Lane, int, bool], None],
        on_running: Callable[[Lane], None],
        on_end: Callable[[Lane, Refusal], None],
    ) -> None:
        self.subscription = subscription
        self.running = False
        self._settle = settle
        self._on_running, self._on_end = on_running, on_end
        self._held = Held()
        self._tag = ""
        self._cancelled: list[Callable[[], None]] | None = None
        self._channel: Channel | None = connection.channel(on_open_callback=self._on_open)
        self._channel.add_on_close_callback(self._on_close)

    @property
    def is_pressed(self) -> bool:
        """Half of the prefetch is held: the broker may soon wait for acks."""
        return 2 * len(self._held) >= self.subscription.prefetch

    def settle(self, acked: list[int], rejected: list[int]) -> None:
        """Send the acks and rejects that have come together."""
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        with channel.connection.corked():
            for tag in rejected:
                if self._held.take(tag):
                    channel.basic_reject(tag, requeue=False)
            for tag, multiple in self._held.ack(acked):
                channel.basic_ack(tag, multiple)
        self._leave_when_done()

    def cancel(self, done: Callable[[], None]) -> None:
        """Stop deliveries and call `done` when none will come. The channel stays while deliveries are held."""
        if self._channel is None or (self._cancelled == []):
            done()
        elif self._cancelled is not None:
            self._cancelled.append(done)
        else:
            self._cancelled = [done]
            if self.running:
                self._channel.basic_cancel(self._tag, callback=self._on_cancelled)

    def drop(self) -> None:
        """The connection is gone, or the queue is: let go of the channel, and of all that a held delivery would
        keep alive through us."""
        channel, self._channel = self._channel, None
        self._on_running, self._on_end = _ignore, _ignore
        self.running = False
        self._on_cancelled(None)
        if channel is not None and channel.is_open:
            channel.close()

    def _on_open(self, channel: Channel) -> None:
        if self._channel is None:
            channel.close()  # dropped while it was opening
        elif self._cancelled:
            self._on_cancelled(None)
        elif self.subscription.auto_ack:
            self._consume(channel)
        else:
            qos = {"prefetch_count": self.subscription.prefetch, "global_qos": False}
            channel.basic_qos(**qos, callback=lambda _frame: self._consume(channel))

    def _consume(self, channel: Channel) -> None:
        if not channel.is_open:
            return
        channel.add_on_cancel_callback(self._on_broker_cancel)
        handler = self._on_auto if self.subscription.auto_ack else self._on_message
        self._tag = channel.basic_consume(
            self.subscription.queue, handler, auto_ack=self.subscription.auto_ack, callback=self._on_consuming
        )

    def _on_consuming(self, _frame: object) -> None:
        self.running = True
        if self._cancelled and self._channel is not None:
            self._channel.basic_cancel(self._tag, callback=self._on_cancelled)
        self._on_running(self)

    def _on_message(self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        tag = method.delivery_tag
        self._held.add(tag)
        ack, reject = partial(self._settle, self, tag, True), partial(self._settle, self, tag, False)
        self._deliver(method, properties, body, ack, reject)

    def _on_auto(self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self._deliver(method, properties, body, _nothing, _nothing)

    def _deliver(
        self,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
        ack: Callable[[], None],
        reject: Callable[[], None],
    ) -> None:
        subscription = self.subscription
        delivery = Delivery(
            subscription.queue,
            method.exchange,
            method.routing_key,
            body,
            properties.message_id or "",
            properties.type or "",
            properties.headers or {},
            method.redelivered,
            properties.user_id or "",
            ack,
            reject,
        )
        try:
            subscription.on_delivery(delivery)
        except Exception:
            log.exception("on_delivery raised for a message of queue %r", subscription.queue)

    def _on_cancelled(self, _frame: object) -> None:
        waiting, self._cancelled = self._cancelled or [], []
        self.running = False
        for done in waiting:
            done()
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        """A cancelled consumer's channel goes with the last delivery that it holds."""
        if self._cancelled == [] and not self._held and self._channel is not None:
            self.drop()

    def _on_broker_cancel(self, _frame: object) -> None:
        """The queue was deleted, or moved to another node of the cluster."""
        self._end(Refusal(0, f"the broker cancelled the consumer of queue {self.subscription.queue!r}"))

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        if isinstance(reason, pika_errors.ChannelClosedByBroker):
            self._end(refusal(reason))
        else:
            self.drop()  # our own wish, or the connection's end, which is handled where it is seen

    def _end(self, why: Refusal) -> None:
        if self._channel is None:
            return
        on_end = self._on_end if self._cancelled is None else _ignore
        self.drop()
        on_end(self, why)


def _ignore(*_: object) -> None:
    """In place of the callbacks of a lane that has ended."""


def _nothing() -> None:
    """The broker took the message as acknowledged when it sent it."""

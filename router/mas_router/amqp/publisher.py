"""Publishing with asynchronous confirms: what is on its way, and what became of it."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable

from pika import BasicProperties
from pika import exceptions as pika_errors
from pika.channel import Channel
from pika.spec import Basic

from mas_router.amqp.config import CONTENT_TYPE
from mas_router.amqp.errand import ACCESS_REFUSED, NOT_FOUND
from mas_router.amqp.wire import Wire
from mas_router.transport import Envelope, OnOutcome, Outcome

log = logging.getLogger("mas.amqp")

Publish = tuple[Envelope, OnOutcome | None]

#: What may be unconfirmed at once. It bounds pika's output buffer too, which holds nothing else of size.
WINDOW = 4096
WINDOW_BYTES = 16 * 1024 * 1024
#: Messages per turn, so that reads get their share of the thread and the broker can begin while we encode the next
#: (of 16, 32, 64 and 128 the fastest with quorum queues).
BURST = 64


def answer(on_outcome: OnOutcome | None, outcome: Outcome) -> None:
    """Tell the publisher; its exception is logged and goes no further."""
    if on_outcome is None:
        return
    try:
        on_outcome(outcome)
    except Exception:
        log.exception("on_outcome raised; the message transport goes on")


class Confirms:
    """The unconfirmed publishes of one channel by delivery tag. Every entry leaves it exactly once.

    Pure. Tags are consecutive from 1, so a `multiple` confirm walks a range and needs no search.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._pending: dict[int, Publish] = {}
        self._returned: set[int] = set()
        self._lowest = 1
        self._next = 1

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def next_tag(self) -> int:
        """The tag that the broker will give to the next publish."""
        return self._next

    def add(self, publish: Publish) -> None:
        self._pending[self._next] = publish
        self._next += 1
        self.bytes += len(publish[0].body)

    def returned(self, tag: int) -> None:
        """The broker returned this one as unroutable; its ack follows."""
        self._returned.add(tag)

    def settle(self, tag: int, multiple: bool, outcome: Outcome) -> None:
        """An ack or nack, for one tag or for all up to it."""
        if multiple:
            for each in range(self._lowest, tag + 1):
                self._settle(each, outcome)
            self._lowest = tag + 1
        else:
            self._settle(tag, outcome)

    def _settle(self, tag: int, outcome: Outcome) -> None:
        publish = self._pending.pop(tag, None)
        if publish is None:
            return
        self.bytes -= len(publish[0].body)
        if self._returned and tag in self._returned:
            self._returned.discard(tag)
            outcome = Outcome.NO_ROUTE
        answer(publish[1], outcome)

    def give_up(self, exchange: str | None = None, outcome: Outcome = Outcome.LOST) -> None:
        """The channel is gone. `outcome` is proven for the publish to `exchange` that closed it.

        Which one that is: with several unconfirmed ones to that exchange, an earlier one may have been queued
        before the exchange went away. Only the last is certain not to be: it closed the channel, or came after.
        """
        pending, self._pending = self._pending, {}
        self.bytes = 0
        guilty = max((tag for tag, (envelope, _) in pending.items() if envelope.exchange == exchange), default=0)
        for tag, (_, on_outcome) in pending.items():
            if tag in self._returned:
                answer(on_outcome, Outcome.NO_ROUTE)
            else:
                answer(on_outcome, outcome if tag == guilty else Outcome.LOST)


class Publisher:
    """The confirm channel of one connection. Lives on the I/O thread; dies with its connection."""

    def __init__(
        self,
        connection: Wire,
        outbox: deque[Publish],
        *,
        user: str,
        app: str,
        wall: Callable[[], float],
        on_ready: Callable[[], None],
        on_room: Callable[[], None],
        on_broken: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._wall = wall
        self._on_ready, self._on_room, self._on_broken = on_ready, on_room, on_broken
        self._channel: Channel | None = None
        self._confirms = Confirms()
        self._properties = BasicProperties(content_type=CONTENT_TYPE, app_id=app, user_id=user)
        self._open()

    @property
    def ready(self) -> bool:
        return self._channel is not None

    @property
    def unconfirmed(self) -> int:
        return len(self._confirms)

    def pump(self) -> bool:
        """Publish from the outbox. True when more could go, but others should have their turn first."""
        channel, outbox, confirms = self._channel, self._outbox, self._confirms
        if channel is None or not outbox:
            return False
        with self._connection.corked():
            for _ in range(BURST):
                if not outbox or len(confirms) >= WINDOW or confirms.bytes >= WINDOW_BYTES:
                    return False
                if not self._publish(channel, outbox.popleft()):
                    return False
        return bool(outbox)

    def _publish(self, channel: Channel, publish: Publish) -> bool:
        """False when the connection is no use any more."""
        confirms = self._confirms
        try:
            self._send(channel, publish[0], confirms.next_tag)
        except (ValueError, TypeError, pika_errors.AMQPError) as error:
            # pika encodes a message before it writes any of it, so this one is on no wire.
            log.error("a message to exchange %r cannot be encoded: %s", publish[0].exchange, error)
            answer(publish[1], Outcome.REFUSED)
        except Exception:
            confirms.add(publish)
            log.exception("pika failed while publishing")
            self._on_broken("pika failed while publishing")
            return False
        else:
            confirms.add(publish)
        return True

    def lost(self) -> None:
        """The connection is gone: nobody knows what became of the unconfirmed."""
        self._channel = None
        self._confirms.give_up()

    def _send(self, channel: Channel, envelope: Envelope, tag: int) -> None:
        """One properties object serves all: pika has it encoded when basic_publish returns.

        The correlation id is the tag. It comes back in a basic.return, where message ids may be empty or repeated.
        """
        properties = self._properties
        properties.message_id = envelope.message_id or None
        properties.type = envelope.type or None
        properties.correlation_id = str(tag)
        properties.headers = envelope.headers or None
        properties.delivery_mode = 2 if envelope.persistent else 1
        properties.expiration = None if envelope.ttl_ms is None else str(envelope.ttl_ms)
        properties.timestamp = int(self._wall())
        channel.basic_publish(envelope.exchange, envelope.key, envelope.body, properties, envelope.mandatory)

    def _open(self) -> None:
        self._confirms = Confirms()
        self._connection.channel(on_open_callback=self._on_open)

    def _on_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_close)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._on_select(channel))

    def _on_select(self, channel: Channel) -> None:
        self._channel = channel
        self._on_ready()

    def _on_confirm(self, frame: object) -> None:
        method = frame.method  # type: ignore[attr-defined]  # pika's frame classes are not generic
        outcome = Outcome.CONFIRMED if isinstance(method, Basic.Ack) else Outcome.REFUSED
        self._confirms.settle(method.delivery_tag, method.multiple, outcome)
        if self._outbox:
            self._on_room()

    def _on_return(self, _channel: Channel, _method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        self._confirms.returned(int(properties.correlation_id))

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        """An error of one publish closes the channel for all; the connection stays, so a new channel is opened."""
        if not isinstance(reason, pika_errors.ChannelClosedByBroker):
            return  # the connection is going, and its end is handled where it is seen
        log.warning("the broker closed the publish channel: %s %s", reason.reply_code, reason.reply_text)
        exchange, outcome = verdict(reason.reply_code, reason.reply_text)
        self._channel = None
        confirms = self._confirms
        if self._connection.is_open:
            self._open()
        confirms.give_up(exchange, outcome)


def verdict(code: int, text: str) -> tuple[str | None, Outcome]:
    """The exchange that a channel error names, and what is proven for the publish that caused it."""
    named = re.search(r"exchange '(.*?)' in vhost", text)
    if named and code in (NOT_FOUND, ACCESS_REFUSED):
        return named[1], Outcome.NO_ROUTE if code == NOT_FOUND else Outcome.REFUSED
    return None, Outcome.LOST

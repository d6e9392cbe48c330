"""Declarations, deletions and look-ups: each done on a channel of its own, which an error may close.

Declarations are pipelined without waiting (`nowait`); the answer to the last one proves them all, because a
channel is served in order and the first error closes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pika import exceptions as pika_errors
from pika.channel import Channel

from mas_router.amqp.wire import Wire
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import QueueInfo

NO_CODE = -1
CONNECTION_FORCED = 320
ACCESS_REFUSED = 403
NOT_FOUND = 404
RESOURCE_LOCKED = 405


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the broker closed a channel (or a connection); code 0 when the connection was lost, NO_CODE when the
    refusal is our own."""

    code: int
    text: str


LOST = Refusal(0, "the connection was lost")

Finish = Callable[[object], None]
Work = Callable[[Channel, Finish], None]
Done = Callable[[object, Refusal | None], None]


class Errand:
    """Opens a channel, does `work`, closes the channel. `done(result, refusal)` is called exactly once."""

    def __init__(self, work: Work, done: Done) -> None:
        self._work = work
        self._done: Done | None = done

    def start(self, connection: Wire) -> None:
        try:
            channel = connection.channel(on_open_callback=self._on_open)
        except pika_errors.NoFreeChannels:
            self._answer(None, Refusal(NO_CODE, "the connection has no channel left"))
        except pika_errors.AMQPError:
            self._answer(None, LOST)  # it is closing
        else:
            channel.add_on_close_callback(self._on_close)

    def lose(self) -> None:
        """The connection is gone; there is nobody left to answer."""
        self._answer(None, LOST)

    def _on_open(self, channel: Channel) -> None:
        try:
            self._work(channel, lambda result: self._finish(channel, result))
        except (ValueError, TypeError, pika_errors.AMQPError) as error:  # pika could not encode a name or argument
            self._answer(None, Refusal(NO_CODE, str(error) or type(error).__name__))
            _close(channel)

    def _finish(self, channel: Channel, result: object) -> None:
        _close(channel)
        self._answer(result, None)

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        self._answer(None, refusal(reason))

    def _answer(self, result: object, problem: Refusal | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(result, problem)


def _close(channel: Channel) -> None:
    if channel.is_open:
        channel.close()


def refusal(reason: Exception) -> Refusal:
    """A close reason from pika as code and text."""
    if isinstance(reason, pika_errors.ChannelClosedByBroker | pika_errors.ConnectionClosedByBroker):
        # A broker that shuts down, or an operator who cuts the line, refuses nothing.
        return LOST if reason.reply_code == CONNECTION_FORCED else Refusal(reason.reply_code, reason.reply_text)
    return LOST


def declare(items: Sequence[Declaration]) -> Work:
    """Declare all, in order."""

    def work(channel: Channel, finish: Finish) -> None:
        if not items:
            finish(None)
            return
        for item in items[:-1]:
            _declare(channel, item, None)
        _declare(channel, items[-1], lambda _frame: finish(None))

    return work


def _declare(channel: Channel, item: Declaration, callback: Callable[[object], None] | None) -> None:
    if isinstance(item, Exchange):
        channel.exchange_declare(item.name, item.kind, durable=True, arguments=dict(item.arguments), callback=callback)
    elif isinstance(item, Queue):
        channel.queue_declare(
            item.name,
            durable=item.durable,
            exclusive=item.exclusive,
            arguments=dict(item.arguments),
            callback=callback,
        )
    else:
        channel.queue_bind(item.queue, item.exchange, item.key, dict(item.arguments), callback=callback)


def forget(item: Binding | Queue) -> Work:
    """Unbind a binding or delete a queue."""

    def work(channel: Channel, finish: Finish) -> None:
        def callback(_frame: object) -> None:
            finish(None)

        if isinstance(item, Queue):
            channel.queue_delete(item.name, callback=callback)
        else:
            channel.queue_unbind(item.queue, item.exchange, item.key, dict(item.arguments), callback=callback)

    return work


def inspect(queue: str) -> Work:
    """A passive declaration; its result is a QueueInfo."""

    def work(channel: Channel, finish: Finish) -> None:
        channel.queue_declare(
            queue,
            passive=True,
            callback=lambda frame: finish(QueueInfo(frame.method.message_count, frame.method.consumer_count)),
        )

    return work


def has_exchange(name: str) -> Work:
    """A passive declaration; its result is True."""

    def work(channel: Channel, finish: Finish) -> None:
        channel.exchange_declare(name, passive=True, callback=lambda _frame: finish(True))

    return work


def describe(item: Declaration) -> str:
    """A declaration as people name it."""
    if isinstance(item, Binding):
        return f"binding of queue {item.queue!r} to exchange {item.exchange!r}"
    return f"{type(item).__name__.lower()} {item.name!r}"


def culprit(items: Sequence[Declaration], text: str) -> str:
    """The declaration that a refusal is about, by the object that its text names; "declaration" when it names none."""
    if len(items) == 1:
        return describe(items[0])
    kind_and_name = re.search(r"(queue|exchange) '(.*?)'", text)
    if kind_and_name is None:
        return "declaration"
    kind, name = kind_and_name.groups()
    for item in items:
        if isinstance(item, Queue if kind == "queue" else Exchange) and item.name == name:
            return describe(item)
    for item in items:
        if isinstance(item, Binding) and name == (item.queue if kind == "queue" else item.exchange):
            return describe(item)
    return f"{kind} {name!r}"

"""One client's conversation with workers over one transport: commands out, answers and events in."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Protocol

from mas_router import topology
from mas_router.codec import decode, encode
from mas_router.errors import (
    Busy,
    DataMissing,
    DecodeError,
    LoginRefused,
    MasError,
    NotConnected,
    RemoteError,
    SessionLost,
)
from mas_router.messages import Beat, Command, Message, Pong, Refused, Report
from mas_router.transport import Consumer, Delivery, Envelope, OnOutcome, Outcome, Transport

log = logging.getLogger("mas")

PREFETCH = 1000

NO_ANSWER = {
    Outcome.NO_ROUTE: "nobody takes commands for {target}",
    Outcome.REFUSED: "RabbitMQ at {address} refused it: the queue of {target} is full",
    Outcome.OFFLINE: "there is no connection to RabbitMQ at {address}",
    Outcome.BLOCKED: "RabbitMQ at {address} accepts nothing at the moment (memory or disk alarm)",
    Outcome.TOO_LARGE: "it is too large to send",
    Outcome.LOST: "the connection to RabbitMQ at {address} broke before it was confirmed",
}

_ERRORS: dict[str, type[MasError]] = {
    "busy": Busy,
    "data_missing": DataMissing,
    "session_closed": SessionLost,
    "login_refused": LoginRefused,
}


class Listener(Protocol):
    """Who hears what workers say without being asked, and the answers to trade commands."""

    def on_report(self, report: Report) -> None: ...

    def on_refused(self, refused: Refused) -> None: ...

    def on_pong(self, pong: Pong) -> None: ...

    def on_bounce(self, command_id: str, reason: str) -> None: ...


class Line:
    """The reply queue of a client and the commands that wait for an answer."""

    def __init__(self, transport: Transport, client: str, listener: Listener) -> None:
        self.transport, self.client = transport, client
        self._listener = listener
        self._calls: dict[str, Future[Message]] = {}
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None

    def start(self, timeout: float) -> None:
        """Declare the reply queue and listen to it. Raises NotConnected, TopologyError."""
        with self._lock:
            if self._consumer is not None:
                return
            self.transport.declare(topology.client(self.client), timeout)
            queue = topology.reply_queue(self.client)
            self._consumer = self.transport.consume(queue, self._on_delivery, prefetch=PREFETCH)

    def leave(self, timeout: float) -> None:
        """Delete the reply queue, because nobody will read it again. If that fails, it expires by itself."""
        if self._consumer is None or not self.transport.connected:
            return
        queue = topology.reply_queue(self.client)
        mine = [item for item in topology.client(self.client) if isinstance(item, topology.Queue)]
        with suppress(MasError):
            self._consumer.cancel(timeout)
            self.transport.forget([item for item in mine if item.name == queue], timeout)

    def also_hear(self, pattern: str, timeout: float) -> None:
        """Hear other clients' events, too: those whose routing key matches."""
        binding = topology.Binding(topology.EVENTS, topology.reply_queue(self.client), pattern)
        self.transport.declare([binding], timeout)

    def has_simulator(self) -> bool:
        """Is there a simulator worker that would open a session?"""
        info = self.transport.inspect(topology.OPEN_QUEUE)
        return info is not None and bool(info.consumers)

    def tick(self) -> None:
        """Called every tenth of a second. The markets of workers elsewhere run by themselves."""

    def send(
        self, exchange: str, key: str, command: Command, on_outcome: OnOutcome | None, ttl_ms: int | None = None
    ) -> None:
        """Publish a command without waiting for anything."""
        envelope = Envelope(exchange, key, encode(command), command.id, command.kind, ttl_ms, {"client": self.client})
        self.transport.publish(envelope, on_outcome)

    def call(self, exchange: str, key: str, command: Command, timeout: float, target: str) -> Message:
        """Publish a command and wait for its answer. Raises RemoteError, NotConnected; never waits beyond `timeout`."""
        future = self.start_call(exchange, key, command, target, max(1, int(timeout * 1000)))
        try:
            return accepted(future.result(timeout))
        except FutureTimeout:
            raise NotConnected(f"no answer from {target} within {timeout:g} s") from None
        finally:
            self._calls.pop(command.id, None)

    def start_call(
        self, exchange: str, key: str, command: Command, target: str, ttl_ms: int | None = None
    ) -> Future[Message]:
        """Publish a command; the future gets its answer, or the error that it cannot get one."""
        future: Future[Message] = Future()
        self._calls[command.id] = future
        future.add_done_callback(lambda _: self._calls.pop(command.id, None))

        def on_outcome(outcome: Outcome) -> None:
            if outcome is not Outcome.CONFIRMED:
                _fail(future, _no_answer(outcome, self.describe(outcome, target)))

        self.send(exchange, key, command, on_outcome, ttl_ms)
        return future

    def describe(self, outcome: Outcome, target: str) -> str:
        """Why a command got no answer, for people."""
        return NO_ANSWER[outcome].format(address=self.transport.address, target=target)

    def fail_calls(self, error: MasError) -> None:
        """Nobody will answer any more."""
        for future in list(self._calls.values()):
            _fail(future, error)

    # ---- on the transport's thread -------------------------------------------------------------------------------

    def _on_delivery(self, delivery: Delivery) -> None:
        try:
            self._take(delivery)
        finally:
            delivery.ack()

    def _take(self, delivery: Delivery) -> None:
        reason = delivery.headers.get("x-first-death-reason")
        if reason is not None:
            self._bounced(delivery.message_id, str(reason))
            return
        try:
            message = decode(delivery.body)
        except DecodeError as error:
            log.warning("dropped an event that could not be read: %s", error)
            return
        self._route(message)

    def _bounced(self, command_id: str, reason: str) -> None:
        future = self._calls.get(command_id)
        if future is not None:
            _fail(future, NotConnected(f"nobody took the command in time ({reason})"))
        else:
            self._listener.on_bounce(command_id, reason)

    def _route(self, message: Message) -> None:
        if isinstance(message, Beat):
            return
        future = self._calls.get(message.id)
        if future is not None and not (isinstance(message, Report) and message.more):
            if isinstance(message, Report):
                self._listener.on_report(message)
            with suppress(InvalidStateError):
                future.set_result(message)
        elif isinstance(message, Report):
            self._listener.on_report(message)
        elif isinstance(message, Refused):
            self._listener.on_refused(message)
        elif isinstance(message, Pong):
            self._listener.on_pong(message)


def _fail(future: Future[Message], error: MasError) -> None:
    with suppress(InvalidStateError):  # the answer came at the same time, from another thread
        future.set_exception(error)


def accepted(answer: Message) -> Message:
    """The answer, unless it is a refusal: that raises the error it stands for."""
    if isinstance(answer, Refused):
        raise _ERRORS.get(answer.code, RemoteError)(answer.message)
    return answer


def _no_answer(outcome: Outcome, text: str) -> MasError:
    return SessionLost(text) if outcome is Outcome.NO_ROUTE else NotConnected(text)

"""The transport that callers see: any thread in front, one I/O thread behind."""

from __future__ import annotations

import logging
import os
import random as random_module
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from mas_router.amqp import errand
from mas_router.amqp.config import Settings, quiet_pika, tls_context
from mas_router.amqp.consumer import Lane, Subscription
from mas_router.amqp.errand import Done, Refusal, Work
from mas_router.amqp.link import Link, not_ready
from mas_router.amqp.loop import IoThread, guarded
from mas_router.amqp.memory import Memory
from mas_router.amqp.publisher import Publish, answer
from mas_router.amqp.session import Shared
from mas_router.amqp.url import parse
from mas_router.errors import CallerError, Closed, InvalidField, NotConnected, TopologyError
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import MAX_BODY, Envelope, OnDelivery, OnOutcome, OnState, Outcome, QueueInfo

log = logging.getLogger("mas.amqp")

MAX_TTL_MS = 2**32 - 1
MAX_PREFETCH = 2000  # a quorum queue takes no more
CONSUME_SECONDS = 10.0
ACKS, ACK_SECONDS = 64, 0.01

Answer = tuple[object, Refusal | None]


class AmqpTransport:
    """A `mas_router.transport.Transport` over RabbitMQ 3.10 to 4.x.

    Returns at once and connects in the background, to the first of the hosts that answers, for ever. `heartbeat`
    in seconds (5 to 20 is sensible): a line that died in silence is seen within 2 x (heartbeat + 5) seconds.
    `blocked_timeout` in seconds: how long a broker's memory or disk alarm is borne before the line counts as lost.
    `ca_file` verifies the server of an amqps:// URL in place of the system's certificates. `outbox_limit` messages
    may wait for a slow line.

    Raises CallerError for a bad URL or argument. Passwords are in no text, log or repr.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        name: str,
        heartbeat: int = 10,
        blocked_timeout: float = 15.0,
        ca_file: str | None = None,
        outbox_limit: int = 100_000,
        random: Callable[[], float] = random_module.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if heartbeat < 1:
            raise InvalidField("heartbeat", heartbeat, "at least 1 second")
        addresses = parse(urls)
        tls = tls_context(ca_file) if any(address.tls for address in addresses) else None
        quiet_pika()
        self._pid = os.getpid()
        self._outbox_limit = outbox_limit
        self._outbox: deque[Publish] = deque()
        self._refused: deque[tuple[OnOutcome | None, Outcome]] = deque()
        self._settled: deque[tuple[Lane, int, bool]] = deque()
        self._watchers: list[OnState] = []
        self._changed = threading.Condition()
        self._up = False
        self._closing = False
        self._ended = False
        self._leftovers = threading.RLock()  # an answer may publish again
        self._io = IoThread(f"mas-amqp-{name}", self._turn, self._on_crash, self._on_exit)
        self._memory: Memory[Subscription] = Memory()
        settings = Settings(name, heartbeat, blocked_timeout, ca_file=ca_file)
        shared = Shared(settings, tls, self._io, self._memory, self._outbox, self._settle, random, wall)
        self._link = Link(addresses, shared, self._settled, self._refused, self._on_change)
        self._io.start()
        self._io.post(self._link.connect)

    def __repr__(self) -> str:
        return f"<AmqpTransport {self.address} {'connected' if self._up else 'not connected'}>"

    # State

    @property
    def connected(self) -> bool:
        """Declared, consuming and able to publish. A broker's alarm does not end it; publishes then get BLOCKED."""
        return self._up

    @property
    def address(self) -> str:
        """`host:port/vhost` of the broker in use, or tried last."""
        return str(self._link.address)

    @property
    def last_error(self) -> str:
        """Why there is no connection; empty when there is one."""
        return self._link.last_error

    def watch(self, on_state: OnState) -> None:
        """Be told of `(connected, reason)` at every change from now on."""
        self._check_process()
        self._post(partial(self._watchers.append, on_state))

    def wait_connected(self, timeout: float) -> bool:
        """Wait for a connection; False at the deadline, or when closed."""
        self._check_may_wait("wait_connected")
        with self._changed:
            self._changed.wait_for(lambda: self._up or self._ended, timeout)
            return self._up

    # Messages

    def publish(self, envelope: Envelope, on_outcome: OnOutcome | None = None) -> None:
        """Publish without blocking. `on_outcome` gets exactly one Outcome: OFFLINE when closed, REFUSED when
        more than `outbox_limit` messages wait. Raises CallerError for a time to live out of range."""
        ttl = envelope.ttl_ms
        if ttl is not None and not 0 <= ttl <= MAX_TTL_MS:
            raise InvalidField("ttl_ms", ttl, f"0 to {MAX_TTL_MS}")
        self._check_process()
        if len(envelope.body) > MAX_BODY:
            self._refused.append((on_outcome, Outcome.TOO_LARGE))
        elif self._closing:
            self._refused.append((on_outcome, Outcome.OFFLINE))
        elif len(self._outbox) >= self._outbox_limit:
            self._refused.append((on_outcome, Outcome.REFUSED))
        else:
            self._outbox.append((envelope, on_outcome))
        if self._ended:
            self._answer_leftovers()
        else:
            self._io.wake()

    def consume(
        self, queue: str, on_delivery: OnDelivery, *, prefetch: int = 64, auto_ack: bool = False
    ) -> Subscription:
        """Consume, and again after every reconnect. When connected, raises TopologyError if the broker refuses;
        when not, the consumer starts with the connection."""
        if not 1 <= prefetch <= MAX_PREFETCH:
            raise InvalidField("prefetch", prefetch, f"1 to {MAX_PREFETCH}")
        self._check_may_wait("consume")
        subscription = Subscription(self, queue, on_delivery, prefetch, auto_ack)
        _, problem = self._ask(partial(self._consume, subscription), CONSUME_SECONDS, f"consuming queue {queue!r}")
        if problem is not None and problem.code:
            raise TopologyError(f"queue {queue!r} cannot be consumed: {problem.text}")
        return subscription

    def cancel(self, subscription: Subscription, timeout: float) -> None:
        """See `Consumer.cancel`."""
        self._check_may_wait("cancel")
        try:
            self._ask(partial(self._cancel, subscription), timeout, f"cancelling the {subscription!r}")
        except Closed:
            return  # nothing is delivered any more

    # Topology

    def declare(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        """Declare, and again after every reconnect. Raises TopologyError (refused), NotConnected (time-out)."""
        items = list(items)
        _, problem = self._run(errand.declare(items), timeout, "declaring", partial(self._memory.remember, items))
        if problem is not None:
            raise TopologyError(f"{errand.culprit(items, problem.text)}: {problem.text}")

    def forget(self, items: Iterable[Declaration], timeout: float = 10.0) -> None:
        """Undo: unbind the bindings, delete the queues; exchanges stay. They are not declared again."""
        items = list(items)
        self._check_may_wait("forget")
        self._post(partial(self._memory.forget, items))
        deadline = time.monotonic() + timeout
        bindings: list[Binding | Queue] = [item for item in items if isinstance(item, Binding)]
        for item in bindings + [item for item in items if isinstance(item, Queue)]:
            _, problem = self._run(errand.forget(item), deadline - time.monotonic(), "forgetting")
            if problem is not None and problem.code != errand.NOT_FOUND:
                raise TopologyError(f"{errand.describe(item)}: {problem.text}")

    def inspect(self, queue: str, timeout: float = 5.0) -> QueueInfo | None:
        """Length and consumers of a queue; None when there is no such queue (or it is another's exclusive one)."""
        info = self._probe(errand.inspect(queue), timeout, Queue(queue))
        return info if isinstance(info, QueueInfo) else None

    def has_exchange(self, name: str, timeout: float = 5.0) -> bool:
        """Whether the exchange exists. Never declares it. Raises TopologyError when this user may not see it."""
        return self._probe(errand.has_exchange(name), timeout, Exchange(name)) is True

    def _probe(self, work: Work, timeout: float, item: Declaration) -> object:
        result, problem = self._run(work, timeout, f"looking up {errand.describe(item)}")
        if problem is None or problem.code in (errand.NOT_FOUND, errand.RESOURCE_LOCKED):
            return result
        what = "no permission on " if problem.code == errand.ACCESS_REFUSED else ""
        raise TopologyError(f"{what}{errand.describe(item)}: {problem.text}")

    # Leaving

    def close(self, timeout: float = 5.0) -> None:
        """Wait for outstanding confirms and acks, then leave. Never raises, but for a call that would wait for
        itself; may be repeated. In a forked child it does nothing: the line is the parent's.

        Settle what is held first: a single active consumer's successor may get later messages before those that
        go back here.
        """
        if os.getpid() != self._pid:
            return
        self._check_may_wait("close")
        self._closing = True
        with suppress(Closed):
            self._io.post(partial(self._begin_close, timeout * 0.7, timeout * 0.2))
        if not self._io.join(timeout):
            log.error("the I/O thread of the transport to %s did not end within %g s", self.address, timeout)

    def kick(self) -> None:
        """Cut both sockets, as a broken network would; for tests."""
        self._post(lambda: self._link.session.abort() if self._link.session else None)

    # On the I/O thread

    def _turn(self) -> None:
        self._link.turn()

    def _begin_close(self, drain_for: float, close_for: float) -> None:
        if not self._link.closing:
            self._link.close(drain_for, close_for, self._io.stop)

    def _consume(self, subscription: Subscription, done: Done) -> None:
        self._memory.subscriptions.append(subscription)
        session = self._link.session
        if session is None or not session.ready:
            if session is not None:
                session.start(subscription)
            done(None, None)
            return

        def answered(result: object, problem: Refusal | None) -> None:
            if problem is not None and problem.code:
                self._memory.subscriptions.remove(subscription)
            done(result, problem)

        session.consume(subscription, answered)

    def _cancel(self, subscription: Subscription, done: Done) -> None:
        if subscription in self._memory.subscriptions:
            self._memory.subscriptions.remove(subscription)
        session = self._link.session
        if session is None:
            done(None, None)
        else:
            session.cancel(subscription, partial(done, None, None))

    def _errand(self, work: Work, on_success: Callable[[], None], done: Done) -> None:
        def answered(result: object, problem: Refusal | None) -> None:
            if problem is None:
                on_success()
            done(result, problem)

        session = self._link.session
        if session is not None and session.ready:
            session.errand(work, answered)
        else:
            done(None, not_ready(self._link.last_error))

    def _on_change(self, connected: bool, reason: str) -> None:
        with self._changed:
            told, self._up = self._up, connected
            self._changed.notify_all()
        if told != connected:
            for watcher in list(self._watchers):
                guarded(partial(watcher, connected, reason))

    def _on_crash(self) -> None:
        self._link.crashed()

    def _on_exit(self) -> None:
        self._on_change(False, "closed")
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._answer_leftovers()

    # On any thread

    def _settle(self, lane: Lane, tag: int, acked: bool) -> None:
        """Acks may wait a little, so that one frame settles many, unless the consumer's prefetch runs out meanwhile."""
        self._settled.append((lane, tag, acked))
        if acked and self._io.here and len(self._settled) < ACKS and not lane.is_pressed:
            self._io.wake_in(ACK_SECONDS)
        else:
            self._io.wake()

    def _answer_leftovers(self) -> None:
        """After the I/O thread. What was appended before `_ended` was set, its last act finds; the rest, this call."""
        with self._leftovers:
            while self._refused:
                answer(*self._refused.popleft())
            while self._outbox:
                answer(self._outbox.popleft()[1], Outcome.OFFLINE)

    def _run(self, work: Work, timeout: float, what: str, on_success: Callable[[], None] = lambda: None) -> Answer:
        """Have an errand done, again if the connection is lost meanwhile. Raises NotConnected at the deadline."""
        self._check_may_wait(what)
        deadline = time.monotonic() + timeout
        while True:
            if not self.wait_connected(max(0.0, deadline - time.monotonic())):
                raise self._not_connected(what)
            result, problem = self._ask(partial(self._errand, work, on_success), deadline - time.monotonic(), what)
            if problem is None or problem.code:
                return result, problem

    def _ask(self, start: Callable[[Done], None], timeout: float, what: str) -> Answer:
        """Start something on the I/O thread and wait for its answer. Raises NotConnected at the deadline."""
        future: Future[Answer] = Future()

        def done(result: object, problem: Refusal | None) -> None:
            if not future.done():
                future.set_result((result, problem))

        def begin() -> None:
            try:
                start(done)
            except Exception as error:
                future.set_exception(error)

        self._io.post(begin)
        try:
            return future.result(max(0.0, timeout))
        except TimeoutError:
            raise self._not_connected(what) from None

    def _not_connected(self, what: str) -> NotConnected | Closed:
        if self._ended:
            return Closed("the message transport is closed")
        reason = self.last_error or "the broker did not answer in time"
        return NotConnected(f"{what} failed, broker {self.address}: {reason}")

    def _post(self, call: Callable[[], object]) -> None:
        self._check_process()
        self._io.post(lambda: (call(), None)[1])

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise CallerError("this transport was made before a fork and belongs to the parent process: make a new one")

    def _check_may_wait(self, what: str) -> None:
        self._check_process()
        if self._io.here:
            raise CallerError(f"{what} waits for the I/O thread and was called on it, from a callback: it would hang")

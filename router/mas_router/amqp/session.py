"""One life of the link to a broker: a pair of connections, and what runs on them until either is lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext

from pika import exceptions as pika_errors

from mas_router.amqp import errand
from mas_router.amqp.config import Settings, explain, parameters
from mas_router.amqp.consumer import Lane, Subscription
from mas_router.amqp.errand import Done, Errand, Refusal, Work
from mas_router.amqp.loop import Call, IoThread, Timer
from mas_router.amqp.memory import Backoff, Memory
from mas_router.amqp.publisher import Publish, Publisher
from mas_router.amqp.url import Address
from mas_router.amqp.wire import Wire
from mas_router.topology import Declaration

log = logging.getLogger("mas.amqp")

TRANSIENT = (errand.NOT_FOUND, errand.RESOURCE_LOCKED)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a transport's sessions have in common. `settle` takes (lane, tag, acked) on any thread."""

    settings: Settings
    context: SSLContext | None
    io: IoThread
    memory: Memory[Subscription]
    outbox: deque[Publish]
    settle: Callable[[Lane, int, bool], None]
    random: Callable[[], float]
    wall: Callable[[], float]


class Session:
    """Connects at once. Calls `on_ready` when everything is declared and consuming, `on_lost(reason)` at the end.

    Lives on the I/O thread. Publishing and consuming have a connection each, because a broker in distress stops
    reading from those that publish, and acks must not wait behind. The loss of one ends both.
    """

    def __init__(self, address: Address, shared: Shared, on_ready: Call, on_lost: Callable[[str], None]) -> None:
        self.address = address
        self.ready = False
        self.blocked = False
        self._shared, self._io, self._memory = shared, shared.io, shared.memory
        self._on_ready, self._on_lost = on_ready, on_lost
        self._over = False
        self._on_closed: Call | None = None
        self._problem = "the broker did not answer in time"
        self._backoff = Backoff(shared.random)
        self._timers: set[Timer] = set()
        self._cut: set[Wire] = set()
        self._errands: set[Errand] = set()
        self._lanes: dict[Subscription, Lane] = {}
        self._starting: dict[Subscription, Done] = {}
        self._declared = False
        self._publisher: Publisher | None = None
        self._connections: dict[str, Wire] = {}
        for role in ("publish", "consume"):
            self._connections[role] = self._connect(role)

    # Work

    @property
    def unconfirmed(self) -> int:
        return self._publisher.unconfirmed if self._publisher else 0

    def pump(self) -> bool:
        """Publish from the outbox; True when there is more to do now."""
        return self._publisher.pump() if self._publisher else False

    def errand(self, work: Work, done: Done) -> None:
        """Do something on a channel of its own, on the connection that owns the exclusive queues."""

        def finished(result: object, problem: Refusal | None) -> None:
            self._errands.discard(task)
            done(result, problem)

        task = Errand(work, finished)
        self._errands.add(task)
        task.start(self._connections["consume"])

    def consume(self, subscription: Subscription, done: Done) -> None:
        """Start a new subscription; `done` hears the broker's answer."""
        self._starting[subscription] = done
        self.start(subscription)

    def cancel(self, subscription: Subscription, done: Call) -> None:
        """Stop a subscription that the memory has let go already; `done` when no delivery will come."""
        self._starting.pop(subscription, None)
        lane = self._lanes.get(subscription)
        if lane is None:
            done()
        else:
            lane.cancel(partial(self._cancelled, subscription, done))
        self._check_ready()

    def _cancelled(self, subscription: Subscription, done: Call) -> None:
        self._lanes.pop(subscription, None)
        done()

    # Coming up

    def _connect(self, role: str) -> Wire:
        shared = self._shared
        wire = Wire(
            parameters(self.address, shared.settings, role, shared.context),
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_down,
            on_close_callback=self._on_down,
            custom_ioloop=self._io.loop,
        )
        wire.reading = self._io.reading
        return wire

    def _on_open(self, connection: Wire) -> None:
        if not self._over and all(each.is_open for each in self._connections.values()):
            self._later(self._shared.settings.retry_for, self._out_of_patience)
            self._set_up()

    def _set_up(self) -> None:
        publish = self._connections["publish"]
        publish.add_on_connection_blocked_callback(self._on_blocked)
        publish.add_on_connection_unblocked_callback(self._on_unblocked)
        self._publisher = Publisher(
            publish,
            self._shared.outbox,
            user=self.address.user,
            app=self._shared.settings.name,
            wall=self._shared.wall,
            on_ready=self._on_publisher_ready,
            on_room=self._io.wake,
            on_broken=self.fail,
        )
        self._redeclare()

    def _redeclare(self) -> None:
        items = self._memory.declarations
        self.errand(errand.declare(items), partial(self._redeclared, items))

    def _redeclared(self, items: list[Declaration], _result: object, problem: Refusal | None) -> None:
        if self._over:
            return
        if problem is None:
            self._declared = True
            for subscription in list(self._memory.subscriptions):
                self.start(subscription)
            self._check_ready()
            return
        self._problem = f"{errand.culprit(items, problem.text)}: {problem.text}"
        if problem.code in TRANSIENT:
            # After a cut the broker holds our exclusive queues until it misses our heartbeats.
            self._later(self._backoff.next(), self._redeclare)
        elif problem.code:
            self.fail(self._problem)

    def _on_publisher_ready(self) -> None:
        self._check_ready()
        self._io.wake()

    def _check_ready(self) -> None:
        lanes = [self._lanes.get(each) for each in self._memory.subscriptions]
        if all(lane is not None and lane.running for lane in lanes):
            self._become_ready()

    def _become_ready(self) -> bool:
        if self._over or not self._declared or self._publisher is None or not self._publisher.ready:
            return False
        if not self.ready:
            self.ready = True
            self._backoff.reset()
            self._on_ready()
        return True

    def _out_of_patience(self) -> None:
        """A queue that cannot be consumed must not keep the rest from working; all else that is missing does."""
        if self.ready or self._over:
            return
        if self._become_ready():
            log.error("not every queue can be consumed: %s; still trying", self._problem)
        else:
            self.fail(self._problem)

    # Consumers

    def start(self, subscription: Subscription) -> None:
        """Consume, unless it is too early, too late, or done."""
        wanted = subscription in self._memory.subscriptions and subscription not in self._lanes
        if self._over or not self._declared or not wanted:
            return
        connection = self._connections["consume"]
        try:
            lane = Lane(connection, subscription, self._shared.settle, self._on_running, self._on_lane_end)
        except pika_errors.AMQPError:
            self._consume_refused(subscription, Refusal(errand.NO_CODE, "the connection has no channel left"))
        else:
            self._lanes[subscription] = lane

    def _on_running(self, lane: Lane) -> None:
        self._backoff.reset()
        if done := self._starting.pop(lane.subscription, None):
            done(None, None)
        self._check_ready()

    def _on_lane_end(self, lane: Lane, why: Refusal) -> None:
        if self._lanes.get(lane.subscription) is lane:
            del self._lanes[lane.subscription]
            self._consume_refused(lane.subscription, why)

    def _consume_refused(self, subscription: Subscription, why: Refusal) -> None:
        """A new subscription hears of it; one that worked before is tried again, queue and bindings first."""
        if self._over or subscription not in self._memory.subscriptions:
            return
        if done := self._starting.pop(subscription, None):
            done(None, why)
            return
        if self._problem != why.text:
            log.warning("consuming queue %r ended: %s; trying again", subscription.queue, why.text)
        self._problem = why.text
        self._later(self._backoff.next(), partial(self._restart, subscription))

    def _restart(self, subscription: Subscription) -> None:
        items = self._memory.of_queue(subscription.queue)

        def declared(_result: object, problem: Refusal | None) -> None:
            if problem is None:
                self.start(subscription)
            else:
                self._consume_refused(subscription, problem)

        self.errand(errand.declare(items), declared)

    # Trouble and the end

    def _on_blocked(self, _connection: Wire, frame: object) -> None:
        self.blocked = True
        reason = frame.method.reason  # type: ignore[attr-defined]  # pika's frame classes are not generic
        log.warning("the broker at %s blocks publishing: %s", self.address, reason)
        self._io.wake()

    def _on_unblocked(self, _connection: Wire, _frame: object) -> None:
        self.blocked = False
        log.warning("the broker at %s takes messages again", self.address)

    def _on_down(self, _connection: Wire, error: BaseException) -> None:
        if not self._over:
            self.fail(explain(error))
        elif self._on_closed is not None and all(each.is_closed for each in self._connections.values()):
            on_closed, self._on_closed = self._on_closed, None
            on_closed()

    def fail(self, reason: str) -> None:
        """Cut both connections, answer everything that waits, and report the loss."""
        if self._over:
            return
        self._finish()
        self.abort()
        self._on_lost(reason)

    def close(self, on_closed: Call) -> None:
        """Leave in good order; what is unconfirmed by now is LOST. `on_closed` comes when the broker has answered."""
        self._finish()
        self._on_closed = on_closed
        for connection in self._connections.values():
            if connection.is_open:
                connection.close()
            else:
                self._abort(connection)
        if all(each.is_closed for each in self._connections.values()):
            self._on_closed = None
            on_closed()

    def abort(self) -> None:
        """Cut both sockets, without a word to the broker."""
        for connection in self._connections.values():
            self._abort(connection)

    def _abort(self, connection: Wire) -> None:
        if connection not in self._cut and not connection.is_closed:
            self._cut.add(connection)
            connection.cut()

    def _finish(self) -> None:
        self._over, self.ready = True, False
        for timer in self._timers:
            timer.cancel()
        for task in list(self._errands):
            task.lose()
        starting, self._starting = self._starting, {}
        for done in starting.values():
            done(None, errand.LOST)
        for lane in list(self._lanes.values()):
            lane.drop()
        self._lanes.clear()
        if self._publisher is not None:
            self._publisher.lost()

    def _later(self, delay: float, call: Call) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            if not self._over:
                call()

        timer = self._io.later(delay, fire)
        self._timers.add(timer)

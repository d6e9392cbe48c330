"""What a worker has said and RabbitMQ has not confirmed yet.

An event must reach its client even when the connection breaks in the moment it is published. So each one stays here
until its confirm, and everything that is left is published again, in order, once the connection is back. A client may
thus see an event twice, and drops the second by its number.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from mas_router.transport import Envelope, Outcome, Transport

log = logging.getLogger("mas.outbox")

PAUSE = 0.5
Done = Callable[[], None]
#: There is no reader any more: the client's reply queue is gone, so the event has no one to go to.
_SETTLED = frozenset({Outcome.CONFIRMED, Outcome.NO_ROUTE, Outcome.TOO_LARGE})


class Outbox:
    """Publishes in order, at least once, across reconnects. Safe to use from any thread.

    No lock is held while the transport publishes: a transport in this process may run the reader's callbacks then.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: dict[int, tuple[Envelope, Done | None]] = {}
        self._ready: deque[int] = deque()
        self._number = 0
        self._flowing = transport.connected
        self._empty = threading.Event()
        self._empty.set()
        transport.watch(self._on_state)

    def publish(self, envelope: Envelope, done: Done | None = None) -> None:
        """Publish, now or after the reconnect. `done` is called once the broker has taken it (or nobody can)."""
        self.enqueue(envelope, done)
        self.flush()

    def enqueue(self, envelope: Envelope, done: Done | None = None) -> None:
        """Give it its place in the order; `flush` publishes it."""
        with self._lock:
            self._number += 1
            self._waiting[self._number] = (envelope, done)
            self._empty.clear()
            if self._flowing:
                self._ready.append(self._number)

    def flush(self) -> None:
        """Publish what is ready. One thread at a time does it, for all; the others need not wait."""
        while self._ready and self._flushing.acquire(blocking=False):
            try:
                self._publish_ready()
            finally:
                self._flushing.release()

    def _publish_ready(self) -> None:
        while self._ready:
            number = self._ready.popleft()
            waiting = self._waiting.get(number)
            if waiting is not None:
                self._transport.publish(waiting[0], partial(self._on_outcome, number))

    def wait_empty(self, timeout: float) -> bool:
        """Wait until everything is confirmed; False at the deadline."""
        return self._empty.wait(timeout)

    def __len__(self) -> int:
        return len(self._waiting)

    def _on_outcome(self, number: int, outcome: Outcome) -> None:
        if outcome not in _SETTLED:
            self._hold(outcome)
            return
        with self._lock:
            _, done = self._waiting.pop(number, (None, None))
            if not self._waiting:
                self._empty.set()
        if outcome is Outcome.TOO_LARGE:
            log.error("an event was too large to publish", extra={"action": "publish"})
        if done is not None:
            done()

    def _hold(self, outcome: Outcome) -> None:
        """Nothing may overtake what failed: hold everything until the transport is connected again.

        A connection that is still there (the broker is blocked, a channel broke) is tried again after a pause.
        """
        with self._lock:
            if not self._flowing:
                return
            self._flowing = False
            self._ready.clear()
        log.debug("holding events back: %s", outcome, extra={"action": "hold"})
        timer = threading.Timer(PAUSE, self._resume)
        timer.daemon = True
        timer.start()

    def _resume(self) -> None:
        if self._transport.connected and not self._flowing:
            self._on_state(True, "resumed")

    def _on_state(self, connected: bool, _reason: str) -> None:
        with self._lock:
            self._flowing = connected
            self._ready.clear()
            if connected:
                self._ready.extend(self._waiting)
        self.flush()

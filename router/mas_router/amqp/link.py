"""The I/O thread's side of a transport: one session after another, hosts in order, with back-off between rounds."""

from __future__ import annotations

import logging
from collections import deque
from typing import Protocol

from mas_router.amqp.consumer import Lane
from mas_router.amqp.errand import Refusal
from mas_router.amqp.loop import Call, Timer
from mas_router.amqp.memory import Backoff
from mas_router.amqp.publisher import answer
from mas_router.amqp.session import Session, Shared
from mas_router.amqp.url import Address
from mas_router.transport import OnOutcome, Outcome

log = logging.getLogger("mas.amqp")

DRAIN_CHECK = 0.01
SETTLE_BURST = 1024


class OnChange(Protocol):
    """Told of every change, and why."""

    def __call__(self, connected: bool, reason: str) -> None: ...


class Link:
    """Keeps a session up. Lives on the I/O thread, except for what is said otherwise.

    `turn` is the heart: it answers refusals, settles deliveries and publishes, as far as the session allows.
    """

    def __init__(
        self,
        addresses: list[Address],
        shared: Shared,
        settled: deque[tuple[Lane, int, bool]],
        refused: deque[tuple[OnOutcome | None, Outcome]],
        on_change: OnChange,
    ) -> None:
        self.address = addresses[0]
        self.last_error = ""
        self.closing = False
        self.session: Session | None = None
        self._addresses = addresses
        self._shared = shared
        self._settled, self._refused = settled, refused
        self._on_change = on_change
        self._next_host = 0
        self._backoff = Backoff(shared.random)
        self._timer: Timer | None = None
        self._reported: set[str] = set()

    @property
    def ready(self) -> bool:
        return self.session is not None and self.session.ready

    # Connecting

    def connect(self) -> None:
        """Try the next host."""
        if self.closing:
            return
        self.address = self._addresses[self._next_host]
        self._next_host = (self._next_host + 1) % len(self._addresses)
        try:
            self.session = Session(self.address, self._shared, self._on_ready, self._on_lost)
        except Exception:  # out of threads or files: it must not be the last attempt
            log.exception("no attempt to connect could be made")
            self._on_lost("no attempt to connect could be made")

    def crashed(self) -> None:
        """The loop itself failed: nothing on it can be trusted, and its timers may be lost."""
        if self.session is not None:
            self.session.fail("the I/O loop failed")
        elif not self.closing:
            self._connect_after(self._backoff.next())

    def _on_ready(self) -> None:
        self.last_error = ""
        self._reported.clear()
        self._backoff.reset()
        self._next_host = 0
        log.info("connected to the broker at %s", self.address)
        self._on_change(True, f"connected to {self.address}")
        self._shared.io.wake()

    def _on_lost(self, reason: str) -> None:
        self.session = None
        self.last_error = reason
        self._report(f"no connection to the broker at {self.address}: {reason}")
        self._on_change(False, reason)
        self.turn()  # what waits in the outbox is OFFLINE
        if self.closing:
            return
        delay = self._backoff.next() if self._next_host == 0 else 0.0
        self._connect_after(delay)

    def _connect_after(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._shared.io.later(delay, self.connect)

    def _report(self, text: str) -> None:
        """Say it once, not at every attempt."""
        if text not in self._reported and not self.closing:
            log.warning("%s; connecting again", text)
        self._reported.add(text)

    # Work

    def turn(self) -> None:
        """Do what has piled up."""
        while self._refused:
            answer(*self._refused.popleft())
        self._settle()
        session, outbox = self.session, self._shared.outbox
        if session is None or not session.ready:
            self._drain(Outcome.OFFLINE)
        elif session.blocked:
            self._drain(Outcome.BLOCKED)
        elif session.pump() and outbox:
            self._shared.io.wake()

    def _drain(self, outcome: Outcome) -> None:
        outbox = self._shared.outbox
        for _ in range(len(outbox)):  # not more: an answer may publish again, and would do so for ever
            answer(outbox.popleft()[1], outcome)
        if outbox:
            self._shared.io.wake()

    def _settle(self) -> None:
        """Group by channel what was acked and rejected, so that one frame can serve many."""
        settled = self._settled
        if not settled:
            return
        lanes: dict[Lane, tuple[list[int], list[int]]] = {}
        for _ in range(min(len(settled), SETTLE_BURST)):
            lane, tag, acked = settled.popleft()
            lists = lanes.get(lane)
            if lists is None:
                lists = lanes[lane] = ([], [])
            lists[0 if acked else 1].append(tag)
        for lane, (acks, rejects) in lanes.items():
            lane.settle(acks, rejects)
        if settled:
            self._shared.io.wake()

    # Leaving

    def close(self, drain_for: float, close_for: float, done: Call) -> None:
        """Wait for confirms and acks, then say goodbye; each for so many seconds at most. Then `done`."""
        self.closing = True
        if self._timer is not None:
            self._timer.cancel()
        io = self._shared.io
        expired: list[bool] = []
        io.later(drain_for, lambda: expired.append(True))

        def drained() -> None:
            session = self.session
            busy = session is not None and session.ready and (session.unconfirmed or self._shared.outbox)
            if (busy or self._settled) and not expired:
                io.later(DRAIN_CHECK, drained)
            else:
                self._leave(close_for, done)

        self.turn()
        drained()

    def _leave(self, close_for: float, done: Call) -> None:
        session, self.session = self.session, None
        if session is None:
            self.turn()
            done()
            return
        was_ready = session.ready
        finished: list[bool] = []

        def finish() -> None:
            if not finished:
                finished.append(True)
                session.abort()
                done()

        session.close(finish)
        self._shared.io.later(close_for, finish)
        self.turn()
        if was_ready:
            self._on_change(False, "closed")


def not_ready(last_error: str) -> Refusal:
    """What an errand is told that finds no session."""
    return Refusal(0, last_error or "not connected yet")

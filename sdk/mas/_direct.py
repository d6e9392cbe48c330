"""A line to a simulator in the same process: the messages themselves, without bytes and without a broker."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from mas._line import Line, Listener
from mas_router import topology
from mas_router.messages import Command, Message, Refused, Reply
from mas_router.transport import OnOutcome, Outcome, Transport

log = logging.getLogger("mas")


class Simulator(Protocol):
    """A worker that is called, not sent to."""

    def answer(self, key: str, command: Command) -> Iterable[Reply] | None:
        """The answers to a command; None when its session is not here."""

    def is_slow(self, message: Message) -> bool:
        """It may read a disk, so others must not wait for it."""

    def follow(self) -> Iterable[Reply]:
        """Let the markets that follow the clock run up to now; what happened in them."""


class DirectLine(Line):
    """A `Line` whose commands for the simulator are answered in the thread that sends them.

    Answers arrive in the order in which they were made, whichever threads send, and no lock is held while they do: what
    hears them may send again. `transport` is a broker on which nobody is: that is where live commands go.
    """

    def __init__(self, transport: Transport, client: str, listener: Listener, worker: Simulator) -> None:
        super().__init__(transport, client, listener)
        self._worker = worker
        self._working, self._handing = threading.RLock(), threading.Lock()
        self._made: deque[Reply] = deque()

    def start(self, timeout: float) -> None:
        """Nothing to declare: there is no reply queue."""

    def leave(self, timeout: float) -> None:
        """Nothing to delete."""

    def also_hear(self, pattern: str, timeout: float) -> None:
        """Nobody else uses this simulator."""

    def has_simulator(self) -> bool:
        return True

    def send(
        self, exchange: str, key: str, command: Command, on_outcome: OnOutcome | None, ttl_ms: int | None = None
    ) -> None:
        if exchange != topology.BACKTEST:
            super().send(exchange, key, command, on_outcome, ttl_ms)
            return
        known = self._work(key, command)
        self._hand_over()
        if on_outcome is not None:
            on_outcome(Outcome.CONFIRMED if known else Outcome.NO_ROUTE)

    def tick(self) -> None:
        with self._working:
            self._made.extend(self._worker.follow())
        self._hand_over()

    def _work(self, key: str, command: Command) -> bool:
        if self._worker.is_slow(command):
            replies = self._answer(key, command)
            self._made.extend(replies or ())
        else:
            with self._working:
                replies = self._answer(key, command)
                self._made.extend(replies or ())
        return replies is not None

    def _answer(self, key: str, command: Command) -> Iterable[Reply] | None:
        try:
            return self._worker.answer(key, command)
        except Exception:
            log.exception("a %s command failed", command.kind)
            text = f"the simulator failed on this {command.kind} command; the log has the reason"
            return [Refused(id=command.id, code="internal", message=text)]

    def _hand_over(self) -> None:
        """One thread at a time does it, for all; so an answer may arrive in another thread, but always in order."""
        while self._made and self._handing.acquire(blocking=False):
            try:
                while self._made:
                    self._route(self._made.popleft())
            finally:
                self._handing.release()

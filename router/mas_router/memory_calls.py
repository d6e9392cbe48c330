"""Callbacks one at a time, in order, on whichever thread is there: no thread of its own, no recursion, no deadlock.

Whoever adds work and finds nobody running callbacks runs them all, also those that others add meanwhile. A callback
that adds work only adds it: it runs after the callback has returned.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

log = logging.getLogger(__name__)


class Call(NamedTuple):
    """A callback with its arguments filled in. `owner` is whom `finish` waits for."""

    owner: object
    function: Callable[[], None]


class Calls:
    """The callbacks that wait to be run. `more` is asked for the next one when none waits; it holds `lock`."""

    def __init__(self, more: Callable[[], Call | None]) -> None:
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self._more = more
        self._waiting: deque[Call] = deque()
        self._running: Call | None = None
        self._runner: int | None = None
        self._finishing = 0

    def later(self, owner: object, function: Callable[[], None]) -> None:
        """Add a callback. The caller holds `lock`, and calls `run` once it has let go of it."""
        self._waiting.append(Call(owner, function))

    def run(self) -> None:
        """Run callbacks until none is left, unless a thread (maybe this one) already does."""
        mine = False
        try:
            with self.lock:
                if self._runner is not None:
                    return
                self._runner, mine = threading.get_ident(), True
                call = self._next()
            while call is not None:
                _run_one(call)
                with self.lock:
                    call = self._next()
        except BaseException:  # Ctrl-C, at any point: the next caller of `run` goes on
            if mine:
                with self.lock:
                    self._stop()
            raise

    def finish(self, owners: Sequence[object], timeout: float) -> bool:
        """Wait until no callback of these owners waits or runs on another thread; the caller holds `lock`.

        False at the deadline (`timeout` in seconds). At once True on the thread that runs callbacks: it cannot wait
        for itself.
        """
        if self._runner == threading.get_ident():
            return True
        self._finishing += 1
        try:
            return self.changed.wait_for(lambda: not self._busy_with(owners), timeout)
        finally:
            self._finishing -= 1

    def _busy_with(self, owners: Sequence[object]) -> bool:
        calls = [self._running, *self._waiting] if self._running else self._waiting
        return any(call.owner is owner for call in calls for owner in owners)

    def _next(self) -> Call | None:
        """The next callback; None, and nobody runs callbacks any more. The caller holds `lock`."""
        call = self._waiting.popleft() if self._waiting else self._more()
        if call is None:
            self._stop()
            return None
        self._running = call
        self._tell()
        return call

    def _stop(self) -> None:
        self._running = self._runner = None
        self._tell()

    def _tell(self) -> None:
        if self._finishing:  # notifying nobody would cost a tenth of a delivery
            self.changed.notify_all()


def _run_one(call: Call) -> None:
    try:
        call.function()
    except Exception:
        log.exception("a callback failed; delivery goes on")

"""Where the user's callbacks run: on one thread of their own, or in a replay on the caller's."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

log = logging.getLogger("mas")

Call = Callable[[], None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dispatcher:
    """Runs callbacks in order on one daemon thread, which starts with the first of them.

    It is never the thread that reads from the broker, so a callback may send orders and wait for them.
    """

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._closed = False
        self._idle = threading.Condition(self._lock)

    def put(self, calls: list[Call]) -> None:
        """Give callbacks their place in the order. They run once `wake` is called."""
        with self._lock:
            if not self._closed:
                self._pending += len(calls)
                self._calls.extend(calls)

    def wake(self) -> None:
        """Let the callbacks run. Apart from `put`, so that who waits for an answer gets it first."""
        if not self._calls:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mas-callbacks", daemon=True)
                self._thread.start()
        self._tokens.put(True)

    def drain(self, timeout: float) -> bool:
        """Wait until every callback has returned; False at the deadline. From inside a callback: at once."""
        if threading.current_thread() is self._thread:
            return True
        deadline = time.monotonic() + timeout
        with self._idle:
            while self._pending:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._idle.wait(left)
        return True

    def close(self, timeout: float) -> None:
        """Take no more callbacks; those that wait still run. Waits for the thread to end, unless it is the caller."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._tokens.put(False)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        running = True
        while running:
            running = self._tokens.get()
            done = 0
            while self._calls:
                run_safely(self._calls.popleft())
                done += 1
            self._finish(done)

    def _finish(self, done: int) -> None:
        with self._idle:
            self._pending -= done
            if not self._pending:
                self._idle.notify_all()


def run_safely(call: Call) -> None:
    """An exception in a user's callback is logged and must not stop the next one."""
    try:
        call()
    except BaseException:  # a sys.exit() would end this thread, and with it every later callback
        log.exception("a callback raised an exception")


class Inline:
    """Collects the callbacks of a replay until the caller's thread runs them. Exceptions go to the caller.

    `row` is the one that the strategy has got last, `heard` the time (UTC ns) of the newest event.
    """

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.row: dict[str, Any] = {}
        self.heard = 0

    @property
    def now(self) -> int:
        """The newest simulated time (UTC ns) that the strategy knows of."""
        since = self.row["time"] - _EPOCH if self.row else timedelta()
        return max(self.heard, since // timedelta(microseconds=1) * 1000)

    def put(self, calls: list[Call]) -> None:
        self.calls.extend(calls)

    def run(self) -> None:
        while self.calls:
            self.calls.popleft()()

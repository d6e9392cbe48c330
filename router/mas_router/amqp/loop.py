"""The one thread that does all input and output of a transport."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pika.adapters.select_connection import IOLoop

from mas_router.errors import Closed

log = logging.getLogger("mas.amqp")

Call = Callable[[], None]
CRASH_PAUSE = 0.1


def guarded(call: Call) -> None:
    """Run it; an exception is logged with its traceback and goes no further."""
    try:
        call()
    except Exception:
        log.exception("a callback raised; the message transport goes on")


class Timer:
    """A call to come; `cancel` may be repeated and may come too late."""

    def __init__(self, loop: IOLoop, delay: float, call: Call) -> None:
        self._loop = loop
        self._handle = loop.call_later(max(0.0, delay), lambda: guarded(call))

    def cancel(self) -> None:
        self._loop.remove_timeout(self._handle)


class IoThread:
    """A daemon thread around pika's loop. `on_turn` runs on it after `wake`, many wakes making one turn."""

    def __init__(self, name: str, on_turn: Call, on_crash: Call, on_exit: Call) -> None:
        self.loop = IOLoop()
        self._on_turn, self._on_crash, self._on_exit = on_turn, on_crash, on_exit
        self._calls: deque[Call] = deque()
        self._lock = threading.Lock()
        self._awake = False
        self._dozing = False
        self._reading = False
        self._stopping = False
        self._dead = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def here(self) -> bool:
        """Whether the caller runs on this thread, and so must not wait for it."""
        return threading.current_thread() is self._thread

    def wake(self) -> None:
        """Have a turn soon. Any thread; cheap when one is due already.

        The flag is set after the work was appended and cleared before it is drained: no work stays behind.
        """
        if self._awake:
            return
        self._awake = True
        if not self.here:
            self.loop.add_callback_threadsafe(self._turn)
        elif not self._reading:
            self.loop.call_later(0, self._turn)  # needs no byte through the wake-up pipe

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What the frames of one read bring about is done right after it, without another round of the loop."""
        self._reading = True
        try:
            yield
        finally:
            self._reading = False
            if self._awake:
                self._awake = False
                guarded(self._on_turn)
            if self._calls:  # they may end the connection, which is not done inside its own reading
                self.wake()

    def wake_in(self, delay: float) -> None:
        """Have a turn after `delay` seconds at the latest. Only on this thread; cheap when one is due already."""
        if not self._awake and not self._dozing:
            self._dozing = True
            self.loop.call_later(delay, self._end_doze)

    def _end_doze(self) -> None:
        self._dozing = False
        self._turn()

    def post(self, call: Call) -> None:
        """Run `call` on this thread. Any thread. Raises Closed when the thread has ended; else it will run."""
        with self._lock:
            if self._dead:
                raise Closed("the message transport is closed")
            self._calls.append(call)
        self.wake()

    def later(self, delay: float, call: Call) -> Timer:
        """Run `call` after `delay` seconds. Only on this thread."""
        return Timer(self.loop, delay, call)

    def stop(self) -> None:
        """End the thread in the next round of its loop. Only on this thread.

        Not in this round: pika closes the sockets of connections that were cut by calls that are due in the next.
        """
        self.loop.add_callback_threadsafe(self._stop)

    def _stop(self) -> None:
        self._stopping = True
        self.loop.stop()

    def join(self, timeout: float) -> bool:
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def _turn(self) -> None:
        self._awake = False
        self._run_calls()
        guarded(self._on_turn)

    def _run_calls(self) -> None:
        while self._calls:
            guarded(self._calls.popleft())

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.loop.start()
            except Exception:
                log.exception("the I/O loop failed; connecting again")
                guarded(self._on_crash)
                time.sleep(CRASH_PAUSE)
                self._awake = self._dozing = self._reading = (
                    False  # what was due may have been dropped with the round that failed
                )
                self.wake()
        with self._lock:
            self._dead = True
        self._run_calls()  # what was posted in time is answered, not dropped
        guarded(self._on_exit)
        self.loop.close()

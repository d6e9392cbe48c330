"""The client's own clockwork: one daemon thread that does small periodic work while there is any."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("mas")


class Keeper:
    """Calls `work` every `interval` seconds from the first `start` until `stop`."""

    def __init__(self, work: Callable[[], None], interval: float) -> None:
        self._work, self._interval = work, interval
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="mas-keeper", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self._work()
            except Exception:
                log.exception("the periodic work of the client failed")

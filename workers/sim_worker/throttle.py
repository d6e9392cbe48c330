"""How many trade requests an account may send in a second. Pure: time is an argument."""

from __future__ import annotations

from collections import deque

from sim_worker.records import SECOND


class Throttle:
    """Counts the requests of the last second; those that are refused do not count."""

    __slots__ = ("_limit", "_passed")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._passed: deque[int] = deque()

    def passes(self, now: int) -> bool:
        """May one more request pass at this time (UTC ns)? If so, it is counted."""
        while self._passed and self._passed[0] <= now - SECOND:
            self._passed.popleft()
        if len(self._passed) >= self._limit:
            return False
        self._passed.append(now)
        return True

"""Time at a trade server: which moment it is, and what the server's wall clock shows. Pure.

MetaTrader 5 gives times as seconds since 1970 of the server's wall clock, as if that were UTC. The clock is one or more
whole hours off UTC, in summer often one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, Protocol

from mas_router.errors import InvalidField

SECOND: Final = 1_000_000_000
HOUR: Final = 3_600 * SECOND
Dst = Literal["none", "eu", "us"]


class Clock(Protocol):
    """Nanoseconds since 1970 in UTC."""

    def now(self) -> int: ...


class ManualClock:
    """A clock that stands still until it is moved, for tests. `start` is in nanoseconds since 1970 in UTC."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> int:
        """Move on, and say what time it is."""
        if not 0.0 <= seconds < 1e9:
            raise InvalidField("seconds", seconds, "0 or more; a trade server's time never goes back")
        self._now += round(seconds * SECOND)
        return self._now


class PacedClock:
    """A clock that begins at `start` (UTC ns) and goes `speed` times as fast as `ticking`, a count of nanoseconds."""

    def __init__(self, start: int, speed: float, ticking: Callable[[], int]) -> None:
        if not 0.0 < speed <= 1e6:
            raise InvalidField("speed", speed, "above 0, at most 1000000")
        self._start, self._speed, self._ticking = start, speed, ticking
        self._begin = ticking()

    def now(self) -> int:
        return self._start + round((self._ticking() - self._begin) * self._speed)


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The server's wall clock: `offset` nanoseconds ahead of UTC in winter, one hour more in summer.

    `dst`: the summer of Europe (from 01:00 UTC on the last Sunday of March to the last Sunday of October), of New York
    (from 07:00 UTC on the second Sunday of March to 06:00 UTC on the first Sunday of November), or none.
    """

    offset: int = 0
    dst: Dst = "none"

    def shift(self, utc: int) -> int:
        """How far the clock is ahead of UTC at a moment."""
        if self.dst == "none":
            return self.offset
        begin, end = summer(datetime.fromtimestamp(utc // SECOND, UTC).year, self.dst)
        return self.offset + (HOUR if begin <= utc < end else 0)

    def server(self, utc: int) -> int:
        """What the server's clock shows."""
        return utc + self.shift(utc)

    def utc(self, shown: int) -> int:
        """The moment at which the server's clock shows this; of two, as when summer ends, the second."""
        moment = shown - self.offset
        return moment if self.shift(moment) == self.offset else moment - HOUR

    def spans(self, since: int, until: int) -> Iterator[tuple[int, int, int]]:
        """since <= time < until in parts within which the shift is the same: begin, end, shift."""
        while since < until:
            year = datetime.fromtimestamp(since // SECOND, UTC).year
            changes = () if self.dst == "none" else (*summer(year, self.dst), *summer(year + 1, self.dst))
            stop = min([until, *(change for change in changes if change > since)])
            yield since, stop, self.shift(since)
            since = stop


@lru_cache(maxsize=128)
def summer(year: int, dst: Dst) -> tuple[int, int]:
    """The begin and the end of a year's summer time (UTC ns)."""
    if dst == "eu":
        return _at(_sunday(date(year, 4, 1), -1), 1), _at(_sunday(date(year, 11, 1), -1), 1)
    return _at(_sunday(date(year, 3, 1), 1), 7), _at(_sunday(date(year, 11, 1), 0), 6)


def _sunday(month: date, weeks: int) -> date:
    """The first Sunday from a date on, moved by weeks."""
    return month + timedelta(days=(6 - month.weekday()) % 7 + 7 * weeks)


def _at(day: date, hour: int) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()) * SECOND

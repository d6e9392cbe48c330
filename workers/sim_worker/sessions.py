"""When a market is open: weekly sessions, holidays, a server's working hours and a contract's life.

Pure. Moments are UTC nanoseconds, and the server's clock is UTC. Sources: MetaTrader 5 administrator help, "Sessions",
"Holidays", "Trade Server"; MQL5 docs, SYMBOL_START_TIME, SYMBOL_EXPIRATION_TIME.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final, Protocol

from mas_router.errors import InvalidField
from sim_worker.records import DAY, SECOND

WEEK: Final = 7 * DAY
NEVER: Final = 2**63 - 1

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FIRST_MONDAY: Final = 4 * DAY  # 1970-01-05
_EPOCH: Final = date(1970, 1, 1).toordinal()
_MAX_TEXT: Final = 4_000
_SPAN: Final = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?-(\d\d?):(\d\d)(?::(\d\d))?")
_WEEKLY: Final = "such as 'Mon-Thu 00:05-23:55; Fri 00:05-12:00, 13:00-23:50', or empty for always"
_HOLIDAYS: Final = "such as '2024-12-25; 2024-12-24 00:05-13:00', or empty for none"

#: Moments at which something opens and closes in turn, ascending; the first one opens it.
Edges = tuple[int, ...]


class Layer(Protocol):
    """One of the reasons for which a market may be closed."""

    def is_open(self, time: int) -> bool:
        """Is it open at this moment?"""

    def until(self, time: int) -> int:
        """A moment after `time` before which that does not change."""


class Weekly:
    """Sessions that repeat every week."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    def is_open(self, time: int) -> bool:
        return bool(bisect_right(self._edges, (time - _FIRST_MONDAY) % WEEK) & 1)

    def until(self, time: int) -> int:
        offset = (time - _FIRST_MONDAY) % WEEK
        at = bisect_right(self._edges, offset)
        edge = self._edges[at] if at < len(self._edges) else WEEK + self._edges[0]
        return time - offset + edge


class Holidays:
    """Days on which the market is closed, or open only in some hours."""

    def __init__(self, days: dict[int, Edges]) -> None:
        self._days = days
        self._order = sorted(days)

    def is_open(self, time: int) -> bool:
        edges = self._days.get(time // DAY)
        return edges is None or bool(bisect_right(edges, time % DAY) & 1)

    def until(self, time: int) -> int:
        day = time // DAY
        edges = self._days.get(day)
        if edges is None:
            at = bisect_right(self._order, day)
            return self._order[at] * DAY if at < len(self._order) else NEVER
        at = bisect_right(edges, time % DAY)
        return day * DAY + (edges[at] if at < len(edges) else DAY)


class Life:
    """From the first to the last moment of trading in a contract; 0: without such an end."""

    def __init__(self, start: int, end: int) -> None:
        self._start, self._end = start, end or NEVER

    def is_open(self, time: int) -> bool:
        return self._start <= time < self._end

    def until(self, time: int) -> int:
        return next((edge for edge in (self._start, self._end) if edge > time), NEVER)


class Hours:
    """Open while every layer is. What was found out holds until a layer may change, so most questions cost nothing."""

    def __init__(self, layers: dict[str, Layer]) -> None:
        self._layers = layers
        self._since, self._until, self._why = 0, 0, ""

    def closed(self, time: int) -> str:
        """Why it is closed at this moment: the name of the first layer that is; "" when it is open."""
        if not self._since <= time < self._until:
            self._why = next((name for name, layer in self._layers.items() if not layer.is_open(time)), "")
            self._since = time
            self._until = min(layer.until(time) for layer in self._layers.values())
        return self._why

    def until(self, time: int) -> int:
        """A moment after `time` before which nothing opens or closes."""
        self.closed(time)
        return self._until


def trading_hours(sessions: str, holidays: str, server: str, start: int, end: int) -> Hours | None:
    """The layers of a symbol's trading hours in the order in which the server looks at them; None: always open.

    `start` and `end` are in UTC seconds, 0 for none.
    """
    layers: dict[str, Layer] = {}
    if sessions:
        layers["outside the trade sessions"] = weekly("sessions_trade", sessions)
    if holidays:
        layers["a holiday"] = closed_days("holidays", holidays)
    if server:
        layers["outside the server's working hours"] = weekly("server_hours", server)
    if start or end:
        layers["before the start or after the end of the contract"] = Life(start * SECOND, end * SECOND)
    return Hours(layers) if layers else None


def quoting_hours(sessions: str) -> Hours | None:
    """When a symbol is quoted; None: always."""
    return Hours({"outside the quote sessions": weekly("sessions_quote", sessions)}) if sessions else None


# ---- reading the settings --------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def weekly(field: str, text: str) -> Weekly:
    """Read weekly sessions: days, or ranges of days, with spans of time on the server's clock.

    Raises InvalidField that names `field`.
    """
    spans = []
    for days, times in _parts(field, text, _WEEKLY):
        if not times:
            raise InvalidField(field, days, _WEEKLY)
        spans += [(day * DAY + start, day * DAY + end) for day in _days(field, days) for start, end in times]
    if not spans:
        raise InvalidField(field, text, _WEEKLY)
    return Weekly(_edges(spans))


@lru_cache(maxsize=256)
def closed_days(field: str, text: str) -> Holidays:
    """Read holidays: dates, each with the spans in which the market is open nevertheless."""
    found: dict[int, Edges] = {}
    for day, times in _parts(field, text, _HOLIDAYS):
        try:
            found[date.fromisoformat(day).toordinal() - _EPOCH] = _edges(times)
        except ValueError:
            raise InvalidField(field, day, _HOLIDAYS) from None
    return Holidays(found)


def _parts(field: str, text: str, allowed: str) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    if len(text) > _MAX_TEXT:
        raise InvalidField(field, f"{len(text)} characters", f"at most {_MAX_TEXT}")
    for part in text.split(";"):
        head, _, rest = part.strip().partition(" ")
        if head:
            yield head, [_span(field, span.strip(), allowed) for span in rest.split(",") if span.strip()]


def _days(field: str, text: str) -> list[int]:
    first, _, last = text.partition("-")
    if first not in _DAYS or (last or first) not in _DAYS:
        raise InvalidField(field, text, _WEEKLY)
    start = _DAYS.index(first)
    count = (_DAYS.index(last or first) - start) % 7 + 1
    return [(start + i) % 7 for i in range(count)]


def _span(field: str, text: str, allowed: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidField(field, text, allowed)
    numbers = [int(group or 0) for group in match.groups()]
    start, end = (h * 3600 + m * 60 + s for h, m, s in (numbers[:3], numbers[3:]))
    if not start < end <= 86_400 or max(*numbers[1:3], *numbers[4:]) > 59:
        raise InvalidField(field, text, "a span of one day that ends after it starts, at 24:00 at the latest")
    return start * SECOND, end * SECOND


def _edges(spans: list[tuple[int, int]]) -> Edges:
    """Spans that touch or overlap are one."""
    merged: list[list[int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return tuple(edge for span in merged for edge in span)

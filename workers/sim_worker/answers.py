"""What a session has answered to which command id, so that no id ever acts twice. Pure.

Full answers are kept for the newest ids only. Of older ones it is remembered that they were answered: asking again is
refused, never executed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from mas_router.messages import Event, Report, Status, Trade, TradeRequest, Verb

KEEP = 20_000
EVENTS_OF_ONE = 40


@dataclass(frozen=True, slots=True)
class Remembered:
    """The command as it came first, and the reports that answered it."""

    verb: Verb
    request: TradeRequest
    reports: tuple[Report, ...]

    def same(self, trade: Trade) -> bool:
        return self.verb == trade.verb and self.request == trade.request


class Answers:
    """Answered ids, tombstones, and the events of each order."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._full: OrderedDict[str, Remembered] = OrderedDict()
        self._events: OrderedDict[str, list[Event]] = OrderedDict()
        self._gone: set[str] = set()

    def remember(self, trade: Trade, reports: tuple[Report, ...]) -> None:
        self._full[trade.id] = Remembered(trade.verb, trade.request, reports)
        if len(self._full) > self._keep:
            self._gone.add(self._full.popitem(last=False)[0])

    def find(self, name: str) -> Remembered | None:
        return self._full.get(name)

    def is_gone(self, name: str) -> bool:
        """Answered long ago, or buried by `bury`: it must not act any more."""
        return name in self._gone

    def bury(self, name: str) -> None:
        """Promise that this id, never seen so far, will never act."""
        self._gone.add(name)

    def note(self, event: Event) -> None:
        """Keep an event of an order, for questions about its outcome."""
        if not event.id:
            return
        kept = self._events.setdefault(event.id, [])
        kept.append(event)
        del kept[1:-EVENTS_OF_ONE]
        if len(self._events) > self._keep:
            self._events.popitem(last=False)

    def events(self, name: str) -> tuple[Event, ...]:
        """What has happened to an order so far, oldest first."""
        return tuple(self._events.get(name, ()))

    def newest(self, name: str) -> Status | None:
        return next((e for e in reversed(self._events.get(name, ())) if isinstance(e, Status)), None)

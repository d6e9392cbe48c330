"""Bringing the quotes of a trade server to the engine of one account, as far as they matter to it. Pure.

The engine lives on the server's clock: there its days begin and its orders expire. The quotes of the source are in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sim_worker.engine import Change, Engine
from sim_worker.market import run_together
from sim_worker.quotes import Quotes
from sim_worker.rates import conversion_symbols
from sim_worker.specs import SymbolSpec
from sim_worker.trade_server.clocks import HOUR, ServerTime
from sim_worker.trade_server.sources import Source

#: Quotes that are brought to the engine at once, so that memory stays bounded after a long absence.
WINDOW = 6 * HOUR


class Following:
    """The symbols whose quotes an account has asked for, and how far each has been followed."""

    def __init__(
        self, source: Source, time: ServerTime, find: Callable[[str], SymbolSpec | None], currency: str
    ) -> None:
        self._source, self._time, self._find, self._currency = source, time, find, currency
        self._seen: dict[str, int] = {}  # -1: not one quote so far

    def watch(self, symbol: str) -> None:
        """Follow a symbol of the trade server, and those that convert its money."""
        spec = self._find(symbol)
        if spec is not None and symbol not in self._seen:
            for name in (symbol, *conversion_symbols(spec, self._currency, self._find)):
                self._seen.setdefault(name, -1)

    def advance(self, engine: Engine, now: int) -> list[Change]:
        """Bring the engine to this moment (UTC): through every quote of the symbols in which something rests, and to
        the newest quote of the others.
        """
        active = sorted(engine.active_symbols() & self._seen.keys())
        changes = self._follow(engine, active, now) if active else []
        for symbol in sorted(self._seen.keys() - set(active)):
            self._jump(engine, symbol, now)
        return changes + engine.clock(self._time.server(now))

    def _jump(self, engine: Engine, symbol: str, now: int) -> None:
        quotes = self._source.newest(symbol, now)
        if len(quotes) and int(quotes.time[0]) > self._seen[symbol]:
            self._seen[symbol] = int(quotes.time[0])
            engine.quote(symbol, self._time.server(self._seen[symbol]), float(quotes.bid[0]), float(quotes.ask[0]))

    def _follow(self, engine: Engine, active: list[str], now: int) -> list[Change]:
        changes: list[Change] = []
        start = max(min(self._seen[symbol] for symbol in active), self._source.start - 1)
        while start < now:
            stop = min(start + WINDOW, now)
            for begin, end, shift in self._time.spans(start + 1, stop + 1):
                changes += run_together(engine, {s: self._part(s, begin - 1, end - 1, shift) for s in active})
            start = stop
        for symbol in active:
            self._seen[symbol] = max(self._seen[symbol], now)
        return changes

    def _part(self, symbol: str, since: int, until: int, shift: int) -> Quotes:
        """The quotes that the engine has not seen, on the server's clock."""
        quotes = self._source.between(symbol, max(since, self._seen[symbol]), until)
        return replace(quotes, time=quotes.time + shift)

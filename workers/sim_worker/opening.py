"""Opening a simulated account: from its settings to an engine and a market.

Reads the catalog when quotes come from there.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mas_router.errors import InvalidField
from mas_router.messages import MAX_STREAMS, Open
from sim_worker.bars import DAY, minute_bars, minutes_of
from sim_worker.catalog import Catalog
from sim_worker.engine import Engine
from sim_worker.market import Market, WallMarket
from sim_worker.quotes import Bars
from sim_worker.rates import conversion_symbols
from sim_worker.replay import ReplayMarket
from sim_worker.session import CHUNK_ROWS, Session
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import ServerSettings
from sim_worker.synthetic import synthetic_bar_chunks, synthetic_quote_chunks
from sim_worker.tape import Chunks, Stream, Tape

#: Rows that are read at once: bars or ticks.
CHUNK = 65_536
#: A century: beyond it times leave what 64 bits hold.
MAX_SYNTHETIC_DAYS = 36_525


@dataclass(frozen=True, slots=True)
class Sources:
    """Where quotes come from, and what the trade server offers."""

    data: Path
    server: ServerSettings = field(default_factory=ServerSettings)


def default_data() -> Path:
    """The catalog's directory: MAS_DATA, else ~/.mas/data."""
    return Path(os.environ.get("MAS_DATA") or Path.home() / ".mas" / "data")


def default_market() -> Path | None:
    """The market file: MAS_MARKET, if it is set."""
    path = os.environ.get("MAS_MARKET")
    return Path(path) if path else None


def open_session(opening: Open, sources: Sources, now: int, chunk: int = CHUNK_ROWS) -> Session:
    """A session as asked for; `chunk` rows of a replay go into one message.

    Raises InvalidField (settings), DataMissing (quotes).
    """
    account = _account(opening, sources.server)
    symbols = sources.server.symbols
    replay = opening.timeframes or opening.ticks
    engine = Engine(account, symbols.find, opened=opening.since if replay else now)
    return Session(opening, engine, _market(opening, account.currency, sources, now), tuple(symbols), chunk)


def _account(opening: Open, server: ServerSettings) -> AccountSpec:
    return server.account(
        opening.login,
        opening.server,
        currency=opening.currency,
        leverage=opening.leverage,
        deposit=opening.deposit,
        margin_mode=opening.margin_mode,
    )


def _market(opening: Open, currency: str, sources: Sources, now: int) -> Market:
    find = sources.server.symbols.find
    if not opening.timeframes and not opening.ticks:
        return WallMarket(opening.seed, now, find, currency)
    streams = _streams(opening)
    specs = [_spec(name, find) for name in opening.symbols]
    money = [_spec(name, find) for spec in specs for name in conversion_symbols(spec, currency, find)]
    reader = _Reader(opening, sources)
    market = ReplayMarket(lambda: Tape(reader.feeds(specs, money), streams), reader.past)
    if not market.known_rows:
        raise InvalidField("from", opening.since, "the start of a range in which the market was open")
    return market


def _streams(opening: Open) -> list[Stream]:
    """What the strategy is to see; InvalidField for what is no replay."""
    for timeframe in opening.timeframes:
        minutes_of(timeframe)
    streams = [Stream(symbol, timeframe) for symbol in opening.symbols for timeframe in opening.timeframes or ("",)]
    if not 1 <= len(streams) <= MAX_STREAMS:
        raise InvalidField("symbol", opening.symbols, f"1 to {MAX_STREAMS} symbols times timeframes")
    if opening.source == "synthetic" and opening.until - opening.since > MAX_SYNTHETIC_DAYS * DAY:
        raise InvalidField("to", opening.until, f"at most {MAX_SYNTHETIC_DAYS} days of synthetic prices")
    return streams


def _spec(name: str, find: Callable[[str], SymbolSpec | None]) -> SymbolSpec:
    spec = find(name)
    if spec is None:
        raise InvalidField("symbol", name, "a symbol of the simulator; get_symbols() lists them")
    return spec


class _Reader:
    """The quotes that one replay asks for, read as they are needed. Raises DataMissing before the first of them."""

    def __init__(self, opening: Open, sources: Sources) -> None:
        self._opening, self._sources = opening, sources

    def feeds(self, specs: list[SymbolSpec], money: list[SymbolSpec]) -> dict[str, Chunks]:
        """All of them; the symbols that only convert `money` do so from the first row on."""
        opening = self._opening
        feeds = {s.name: self.bars(s, opening.since - DAY // 24, opening.until) for s in money if s not in specs}
        bars = {} if opening.ticks else {s.name: self.bars(s, opening.since, opening.until) for s in specs}
        ticks = {s.name: self.ticks(s) for s in specs} if opening.ticks else {}
        return {**bars, **ticks, **feeds}

    def bars(self, spec: SymbolSpec, since: int, until: int) -> Chunks:
        """What bars are made of, and orders executed at: ticks where the catalog has them, else M1 bars."""
        if self._opening.source == "synthetic":
            return synthetic_bar_chunks(self._opening.seed, spec, since, until)
        return Catalog(self._sources.data).chunks(spec.name, since, until, CHUNK)

    def ticks(self, spec: SymbolSpec) -> Chunks:
        opening = self._opening
        if opening.source == "synthetic":
            return synthetic_quote_chunks(opening.seed, spec, opening.since, opening.until)
        return Catalog(self._sources.data).tick_chunks(spec.name, opening.since, opening.until, CHUNK)

    def past(self, symbol: str, until: int) -> list[Bars]:
        """The M1 bars of a symbol from the start of the replay on."""
        spec = _spec(symbol, self._sources.server.symbols.find)
        chunks = self.ticks(spec) if self._opening.ticks else self.bars(spec, self._opening.since, until)
        return list(minute_bars(itertools.takewhile(len, (part.between(0, until) for part in chunks))))

"""Opening a simulated account: from its settings to an engine and a market.

Reads the catalog when quotes come from there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from mas_router.errors import InvalidField
from mas_router.messages import Open
from sim_worker.bars import Replay, bars_replay, ticks_replay
from sim_worker.catalog import Catalog
from sim_worker.engine import Engine
from sim_worker.market import Market, ReplayMarket, WallMarket
from sim_worker.quotes import Bars, Quotes
from sim_worker.session import Session
from sim_worker.specs import AccountSpec, SymbolSpec, conversion_symbols
from sim_worker.symbols import TradeServer
from sim_worker.synthetic import synthetic_bars, synthetic_quotes

#: A year of ticks does not fit in a message's patience; longer ranges are replayed in parts.
MAX_SYNTHETIC_TICK_DAYS = 31
#: Ten years of M1 bars take a gigabyte; one message must not be able to ask for more than a machine has.
MAX_SYNTHETIC_BAR_DAYS = 3_653
DAY = 86_400_000_000_000
HOUR = DAY // 24


@dataclass(frozen=True, slots=True)
class Sources:
    """Where quotes come from, and what the trade server offers."""

    data: Path
    server: TradeServer = field(default_factory=TradeServer)


def default_data() -> Path:
    """The catalog's directory: MAS_DATA, else ~/.mas/data."""
    return Path(os.environ.get("MAS_DATA") or Path.home() / ".mas" / "data")


def default_market() -> Path | None:
    """The market file: MAS_MARKET, if it is set."""
    path = os.environ.get("MAS_MARKET")
    return Path(path) if path else None


def open_session(opening: Open, sources: Sources, now: int) -> Session:
    """A session as asked for. Raises InvalidField (settings), DataMissing (quotes)."""
    account = _account(opening, sources.server)
    symbols = sources.server.symbols
    replay = opening.timeframe or opening.ticks
    engine = Engine(account, symbols.find, opened=opening.since if replay else now)
    return Session(opening, engine, _market(opening, account.currency, sources, now), tuple(symbols))


def _account(opening: Open, server: TradeServer) -> AccountSpec:
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
    if not opening.timeframe and not opening.ticks:
        return WallMarket(opening.seed, now, find, currency)
    spec = find(opening.symbol)
    if spec is None:
        raise InvalidField("symbol", opening.symbol, "a symbol of the simulator; get_symbols() lists them")
    replay = _ticks(opening, spec, sources) if opening.ticks else _bars(opening, spec, sources)
    if not len(replay):
        raise InvalidField("from", opening.since, "the start of a range in which the market was open")
    companions = conversion_symbols(spec, currency, find)
    return ReplayMarket(opening.symbol, replay, {name: _companion(opening, name, sources) for name in companions})


def _companion(opening: Open, name: str, sources: Sources) -> Quotes:
    """The quotes by which money of a cross converts to the deposit currency, a little earlier than they are needed."""
    source = _minutes(opening, name, opening.since - HOUR, sources)
    return source if isinstance(source, Quotes) else source.quotes()


def _bars(opening: Open, spec: SymbolSpec, sources: Sources) -> Replay:
    if opening.source == "synthetic" and opening.until - opening.since > MAX_SYNTHETIC_BAR_DAYS * DAY:
        raise InvalidField("to", opening.until, f"at most {MAX_SYNTHETIC_BAR_DAYS} days of synthetic bars")
    return bars_replay(_minutes(opening, spec.name, opening.since, sources), opening.timeframe)


def _minutes(opening: Open, name: str, since: int, sources: Sources) -> Bars | Quotes:
    spec = sources.server.symbols.find(name)
    if opening.source == "synthetic" and spec is not None:
        return synthetic_bars(opening.seed, spec, since, opening.until)
    return Catalog(sources.data).read(name, since, opening.until)


def _ticks(opening: Open, spec: SymbolSpec, sources: Sources) -> Replay:
    if opening.source == "catalog":
        return ticks_replay(Catalog(sources.data).read_ticks(opening.symbol, opening.since, opening.until))
    if opening.until - opening.since > MAX_SYNTHETIC_TICK_DAYS * DAY:
        raise InvalidField("to", opening.until, f"at most {MAX_SYNTHETIC_TICK_DAYS} days of synthetic ticks")
    return ticks_replay(synthetic_quotes(opening.seed, spec, opening.since, opening.until))

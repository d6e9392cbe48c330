"""The dictionaries of the subscriptions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from mas._fields import INT64, agreed, as_datetime, choice, constant, flag, moment, number, parse, several, whole
from mas._shared import SYMBOL, Symbol, Target
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import MAX_STREAMS
from mas_router.mt5_enums import CopyTicks, Timeframe
from mas_router.mt5_tables import TIMEFRAMES

Source = Literal["catalog", "synthetic"]
MarginMode = Literal["hedging", "netting", "exchange"]

TICK_MODES: Final = {"all": CopyTicks.ALL, "info": CopyTicks.INFO, "trade": CopyTicks.TRADE}


@dataclass(slots=True, kw_only=True)
class ReplayParams(Target):
    """A subscription. In a backtest a replay of `since`..`until` (UTC nanoseconds), on an account of its own; live,
    a poll every `interval_ms`. `timeframes` is empty for ticks, `ticks` says which of them.
    """

    symbols: tuple[str, ...]
    timeframes: tuple[str, ...] = ()
    ticks: CopyTicks = CopyTicks.ALL
    since: int = 0
    until: int = 0
    interval_ms: int
    deposit: float | None
    source: Source
    seed: int
    leverage: int | None
    margin_mode: MarginMode | None


@dataclass(slots=True, kw_only=True)
class _Subscribe(Target):
    backtest: Annotated[bool, flag(), "backtest_toggle"] = False
    symbol: Annotated[tuple[str, ...], several(SYMBOL, MAX_STREAMS)]
    since: Annotated[int | None, moment(), "from"] = None
    until: Annotated[int | None, moment(), "to"] = None
    capital: Annotated[float | None, number(0.01, 1e12)] = None
    captital: Annotated[float | None, number(0.01, 1e12)] = None  # the documentation's misspelling is in use
    source: Annotated[Source, choice({"catalog": "catalog", "synthetic": "synthetic"})] = "catalog"
    seed: Annotated[int, whole(0, INT64)] = 1
    leverage: Annotated[int | None, whole(1, 10_000)] = None
    margin_mode: Annotated[
        MarginMode | None, choice({"hedging": "hedging", "netting": "netting", "exchange": "exchange"})
    ] = None


@dataclass(slots=True, kw_only=True)
class _SubscribeBars(_Subscribe):
    timeframe: Annotated[tuple[Timeframe, ...], several(choice(TIMEFRAMES), len(TIMEFRAMES))]
    interval_ms: Annotated[int, whole(1, 3_600_000)] = 1000


@dataclass(slots=True, kw_only=True)
class _SubscribeTicks(_Subscribe):
    interval_ms: Annotated[int, whole(1, 3_600_000)] = 500
    mode: Annotated[CopyTicks | None, choice(TICK_MODES)] = None
    flags: Annotated[CopyTicks | None, constant(CopyTicks)] = None


@dataclass(slots=True, kw_only=True)
class UnsubscribeParams(Target):
    """What to stop: one time frame of a symbol, or everything of it when `timeframe` is None."""

    symbol: Symbol
    timeframe: Annotated[Timeframe | None, choice(TIMEFRAMES)] = None


def subscribe_bars(params: object) -> ReplayParams:
    """`subscribe_bars`."""
    given = parse(_SubscribeBars, params)
    return _replay(given, given.interval_ms, timeframes=tuple(timeframe.name for timeframe in given.timeframe))


def subscribe_ticks(params: object) -> ReplayParams:
    """`subscribe_ticks`; `mode` and `flags` are two names for one thing."""
    given = parse(_SubscribeTicks, params)
    ticks = agreed(("mode", given.mode), ("flags", given.flags))
    return _replay(given, given.interval_ms, ticks=CopyTicks.ALL if ticks is None else ticks)


def unsubscribe(params: object) -> UnsubscribeParams:
    """`unsubscribe_bars`, `unsubscribe_ticks`."""
    return parse(UnsubscribeParams, params)


def _replay(
    given: _Subscribe, interval_ms: int, *, timeframes: tuple[str, ...] = (), ticks: CopyTicks = CopyTicks.ALL
) -> ReplayParams:
    streams = len(given.symbol) * max(1, len(timeframes))
    if streams > MAX_STREAMS:
        raise InvalidField("symbol", given.symbol, f"at most {MAX_STREAMS} symbols times timeframes, not {streams}")
    if given.backtest and (given.since is None or given.until is None):
        raise CallerError("missing 'from' or 'to': a backtest needs both")
    since, until = given.since or 0, given.until or 0
    if until and until <= since:
        raise InvalidField("to", str(as_datetime(until)), f"after from={as_datetime(since)}")
    return ReplayParams(
        symbols=given.symbol,
        timeframes=timeframes,
        ticks=ticks,
        since=since,
        until=until,
        interval_ms=interval_ms,
        deposit=agreed(("capital", given.capital), ("captital", given.captital)),
        source=given.source,
        seed=given.seed,
        leverage=given.leverage,
        margin_mode=given.margin_mode,
        account=given.account,
        server=given.server,
        backtest=given.backtest,
    )

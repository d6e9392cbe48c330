"""What a run is: a strategy, its parameters, and a range of quotes; and the key by which it is known again. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mas import params
from mas._fields import as_datetime
from mas.backtest.points import Point
from mas_router.errors import CallerError
from mas_router.messages import Run

KEY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """The quotes and the account of a run. Times are UTC nanoseconds; no timeframes mean ticks. What is None of the
    account is as the simulator's settings say.
    """

    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    since: int
    until: int
    capital: float | None
    leverage: int | None
    margin_mode: Literal["hedging", "netting", "exchange"] | None
    source: Literal["catalog", "synthetic"]
    seed: int

    @property
    def fields(self) -> dict[str, Any]:
        """All of it by name, symbols and timeframes as lists with commas: what a row and a key have of it."""
        fields = asdict(self)
        symbols, timeframes = ",".join(fields.pop("symbols")), ",".join(fields.pop("timeframes"))
        return {"symbol": symbols, "timeframe": timeframes, **fields}


@dataclass(frozen=True, slots=True)
class Job:
    """A run to do. `code` says which version of the strategy's file it is for."""

    strategy: str
    code: str
    point: Point
    subscription: Subscription

    @property
    def key(self) -> str:
        """The same for the same strategy, parameters and subscription, on every machine and at any time."""
        parts = [self.strategy, sorted(self.point.items()), sorted(self.subscription.fields.items())]
        text = json.dumps(parts, allow_nan=False, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def subscription(given: Mapping[str, Any]) -> Subscription:
    """A subscription from the dictionary that `subscribe_bars` or, without a timeframe, `subscribe_ticks` takes.

    Raises CallerError.
    """
    raw = {**given, "backtest_toggle": True}
    read = params.subscribe_bars(raw) if "timeframe" in raw else params.subscribe_ticks(raw)
    if read.since <= 0:
        raise CallerError("from must be after 1970-01-01")
    return Subscription(
        symbols=tuple(read.symbols),
        timeframes=tuple(read.timeframes),
        since=read.since,
        until=read.until,
        capital=read.deposit,
        leverage=read.leverage,
        margin_mode=read.margin_mode,
        source=read.source,
        seed=read.seed,
    )


def as_params(one: Subscription) -> dict[str, Any]:
    """The dictionary that the SDK's subscription takes."""
    apart = ("since", "until", "symbols", "timeframes")
    named = {name: value for name, value in asdict(one).items() if name not in apart and value is not None}
    named |= {"timeframe": list(one.timeframes)} if one.timeframes else {}
    return {
        "symbol": list(one.symbols),
        **named,
        "from": as_datetime(one.since),
        "to": as_datetime(one.until),
        "backtest_toggle": True,
    }


def command(job: Job, run_id: str, client: str, seconds: float) -> Run:
    """The message that asks for a run."""
    one = job.subscription
    return Run(
        id=run_id,
        client=client,
        strategy=job.strategy,
        code=job.code,
        params=job.point,
        deposit=one.capital,
        leverage=one.leverage,
        margin_mode=one.margin_mode,
        source=one.source,
        seed=one.seed,
        symbols=one.symbols,
        timeframes=one.timeframes,
        ticks=not one.timeframes,
        since=one.since,
        until=one.until,
        seconds=seconds,
    )


def asked(run: Run) -> Job:
    """What a message asks for."""
    one = Subscription(
        symbols=run.symbols,
        timeframes=run.timeframes,
        since=run.since,
        until=run.until,
        capital=run.deposit,
        leverage=run.leverage,
        margin_mode=run.margin_mode,
        source=run.source,
        seed=run.seed,
    )
    return Job(run.strategy, run.code, dict(run.params), one)

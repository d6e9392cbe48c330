"""Subscriptions to bars and ticks: in a backtest a replay, on the thread that subscribes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from mas import params
from mas._hub import Hub
from mas._replay import OnRow, Replay, Stream
from mas._trading import Desk
from mas.params import ReplayParams, UnsubscribeParams
from mas_router.errors import CallerError
from mas_router.messages import Open


class Strategy(Protocol):
    """The callbacks of market data."""

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None: ...

    def receive_ticks(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None: ...


class MarketData:
    """The replays of one client, one at a time for each account."""

    def __init__(self, hub: Hub, desk: Desk, strategy: Strategy) -> None:
        self._hub, self._desk, self._strategy = hub, desk, strategy
        self._lock = threading.Lock()
        self._taken: set[tuple[str, str]] = set()
        self._running: dict[tuple[str, str], Replay] = {}

    def bars(self, raw: object) -> None:
        self._subscribe(params.subscribe_bars(raw), self._strategy.receive_bars)

    def ticks(self, raw: object) -> None:
        self._subscribe(params.subscribe_ticks(raw), self._strategy.receive_ticks)

    def _subscribe(self, given: ReplayParams, on_row: OnRow) -> None:
        self._hub.check_open()
        if not given.backtest:
            raise CallerError("live market data needs an MT5 worker; give backtest_toggle=True for a replay")
        names = self._desk.names(given)
        self._take(names)
        try:
            account = self._hub.backtest_account(*names, make=self._opening(given, *names))
            streams = [(symbol, frame) for symbol in given.symbols for frame in given.timeframes or ("",)]
            replay = self._running[names] = Replay(account, streams, on_row, self._hub.new_id)
            with self._hub.replay_here(replay.inline):
                replay.run()
        finally:
            self._running.pop(names, None)
            self._taken.discard(names)

    def _take(self, names: tuple[str, str]) -> None:
        """One replay at a time for each account, also while its market is still being opened."""
        with self._lock:
            if names in self._taken:
                raise CallerError("a replay is running on this account: wait for its end, or use another account")
            self._taken.add(names)

    def _opening(self, given: ReplayParams, server: str, login: str) -> Callable[[str, str], Open]:
        def make(command_id: str, session: str) -> Open:
            return Open(
                id=command_id,
                client=self._hub.client,
                session=session,
                server=server,
                login=login,
                deposit=given.deposit,
                leverage=given.leverage,
                margin_mode=given.margin_mode,
                source="synthetic" if given.source == "synthetic" else "catalog",
                seed=given.seed,
                symbols=given.symbols,
                timeframes=given.timeframes,
                ticks=not given.timeframes,
                since=given.since,
                until=given.until,
            )

        return make

    def stop(self, which: UnsubscribeParams, *, ticks: bool) -> None:
        frame = None if which.timeframe is None else which.timeframe.name

        def wanted(stream: Stream) -> bool:
            symbol, timeframe = stream
            return symbol == which.symbol and ticks == (not timeframe) and frame in (None, timeframe)

        for replay in list(self._running.values()):
            replay.stop(wanted)

    def stop_all(self) -> None:
        for replay in list(self._running.values()):
            replay.stop(lambda _: True)

"""A backtest over a range of quotes, on the thread that asked for it.

The worker holds the market and the account; the client is the clock. Rows travel ahead in chunks. Between two events of
the account nothing is asked of the worker: it says with every report up to which row nothing can happen (`horizon`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, datetime, timedelta
from typing import Any

from mas._accounts import BacktestAccount
from mas._dispatch import Inline
from mas._line import accepted
from mas_router.columns import BarColumns, TickColumns, unpack_columns
from mas_router.errors import NotConnected, RemoteError, SessionLost
from mas_router.messages import Advance, Chunk, Command, Fetch, Message

ROWS = 1000
AHEAD = 4
PATIENCE = 60.0
CHUNK_PATIENCE = 15.0
RETRY = 0.2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]
OnRow = Callable[[str, Row, bool], None]


class Replay:
    """One run over the rows of a session."""

    def __init__(self, account: BacktestAccount, symbol: str, timeframe: str, on_row: OnRow, new_id: Callable[[], str]):
        self._account, self._symbol, self._timeframe = account, symbol, timeframe
        self._on_row, self._new_id = on_row, new_id
        self._stopped = False
        self.inline = Inline()

    def stop(self) -> None:
        """End the replay before its next row."""
        self._stopped = True

    def run(self) -> None:
        """Show every row to the strategy. An exception in a callback ends the replay and is the caller's."""
        account, opened = self._account, self._account.opened
        assert opened is not None  # noqa: S101  (an open session is what a replay is made from)
        account.inline = self.inline
        try:
            last = opened.rows - 1
            for number, row in enumerate(self._rows(opened.rows)):
                if self._stopped:
                    break
                self._show(number, row, number == last)
            self.inline.run()
        finally:
            account.inline = None

    def _show(self, number: int, row: Row, is_end: bool) -> None:
        account = self._account
        if number >= account.horizon:
            self._advance(number)
        account.row = number
        self.inline.row = row
        if self.inline:
            self.inline.run()
        self._on_row(self._symbol, row, is_end)
        if self.inline:
            self.inline.run()

    def _advance(self, number: int) -> None:
        """Hear of everything that happened up to this row, before the strategy sees it."""
        self._ask(lambda: Advance(id=self._new_id(), client=self._account.line.client, to=number))

    def _ask(self, make: Callable[[], Command]) -> Message:
        """Ask until there is an answer: the session outlives an outage, and asking twice changes nothing."""
        account, deadline = self._account, time.monotonic() + PATIENCE
        while True:
            try:
                return account.call(make(), deadline - time.monotonic())
            except (NotConnected, SessionLost):
                if account.lost or time.monotonic() > deadline - RETRY:
                    raise
                time.sleep(RETRY)
                account.line.transport.wait_connected(deadline - time.monotonic())

    # ---- rows, ahead of the strategy -----------------------------------------------------------------------------

    def _rows(self, count: int) -> Iterator[Row]:
        waiting: deque[tuple[int, Future[Message]]] = deque()
        starts = iter(range(0, count, ROWS))
        for start in starts:
            waiting.append(self._fetch(start))
            if len(waiting) >= AHEAD:
                yield from self._unpack(waiting.popleft())
        while waiting:
            yield from self._unpack(waiting.popleft())

    def _fetch(self, start: int) -> tuple[int, Future[Message]]:
        account, command = self._account, self._fetching(start)
        return start, account.line.start_call(account.exchange, account.key(command), command, account.target)

    def _fetching(self, start: int) -> Fetch:
        return Fetch(id=self._new_id(), client=self._account.line.client, start=start, count=ROWS)

    def _unpack(self, waiting: tuple[int, Future[Message]]) -> Iterator[Row]:
        start, future = waiting
        try:
            chunk = accepted(future.result(CHUNK_PATIENCE))
        except (FutureTimeout, NotConnected, SessionLost):  # lost in an outage
            chunk = self._ask(lambda: self._fetching(start))
        if not isinstance(chunk, Chunk):
            raise RemoteError(f"unexpected answer to fetch: {chunk.kind}")
        columns = unpack_columns(chunk.columns, chunk.count)
        if isinstance(columns, BarColumns):
            return self._bars(columns)
        if isinstance(columns, TickColumns):
            return self._ticks(columns)
        raise RemoteError(f"unexpected columns in answer to fetch: {len(columns)}")

    def _bars(self, columns: BarColumns) -> Iterator[Row]:
        symbol, timeframe = self._symbol, self._timeframe
        for start, first, high, low, close, volume in zip(*columns, strict=True):
            yield {
                "time": _EPOCH + timedelta(microseconds=start // 1000),
                "open": first,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
                "symbol": symbol,
                "timeframe": timeframe,
            }

    def _ticks(self, columns: TickColumns) -> Iterator[Row]:
        symbol = self._symbol
        for moment, bid, ask, last, volume in zip(*columns, strict=True):
            yield {
                "time": _EPOCH + timedelta(microseconds=moment // 1000),
                "bid": bid,
                "ask": ask,
                "last": last,
                "volume": volume,
                "symbol": symbol,
            }

"""A backtest over a range of quotes, on the thread that asked for it.

The worker holds the market and the account; the client is the clock. Rows travel ahead in chunks. Between two events of
the account nothing is asked of the worker: it says with every report up to which row nothing can happen (`horizon`).
The three loops over rows do the same for bars, ticks and several streams; each is written out, because a call for each
row would take as long as all the rest of it.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from mas._accounts import BacktestAccount
from mas._dispatch import Inline
from mas._line import accepted
from mas_router.columns import BAR_CODES, TICK_CODES, unpack_rows
from mas_router.errors import DecodeError, NotConnected, RemoteError, SessionLost
from mas_router.messages import Advance, Chunk, Command, Fetch, Message

AHEAD = 4
PATIENCE = 60.0
CHUNK_PATIENCE = 15.0
RETRY = 0.2

Row = dict[str, Any]
OnRow = Callable[[str, Row, bool], None]
#: A symbol, and a timeframe or "" for ticks.
Stream = tuple[str, str]


class Replay:
    """One run over the rows of a session."""

    def __init__(
        self, account: BacktestAccount, streams: Sequence[Stream], on_row: OnRow, new_id: Callable[[], str]
    ) -> None:
        self._account, self._streams = account, streams
        self._on_row, self._new_id = on_row, new_id
        self._stopped = False
        self._muted: set[int] = set()
        self._chunk: Chunk | None = None
        self._last = -1
        self.inline = Inline()

    def stop(self, of: Callable[[Stream], bool]) -> None:
        """End these streams before their next row, and the replay when none is left."""
        self._muted |= {number for number, stream in enumerate(self._streams) if of(stream)}
        self._stopped = len(self._muted) == len(self._streams)
        self._last = self._last_shown()

    def run(self) -> None:
        """Show every row to the strategy. An exception in a callback ends the replay and is the caller's."""
        account = self._account
        account.inline = self.inline
        try:
            for chunk in self._chunks():
                self._play(chunk)
                if self._stopped:
                    break
            self.inline.run()
        finally:
            account.inline = None

    # ---- one chunk -----------------------------------------------------------------------------------------------

    def _play(self, chunk: Chunk) -> None:
        if len(self._streams) > 1:
            self._play_merged(chunk)
        elif self._streams[0][1]:
            self._play_bars(chunk)
        else:
            self._play_ticks(chunk)

    def _play_bars(self, chunk: Chunk) -> None:
        account, inline, on_row = self._account, self.inline, self._on_row
        symbol, timeframe = self._streams[0]
        calls, last = inline.calls, chunk.start + chunk.count - 1 if chunk.end else -1
        for number, moment, first, high, low, close, volume in zip(
            itertools.count(chunk.start), *_columns(chunk, 0, chunk.count, BAR_CODES), strict=False
        ):
            if self._stopped:
                return
            if number >= account.horizon:
                self._advance(number)
            account.row = number
            row = {
                "time": moment,
                "open": first,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
                "symbol": symbol,
                "timeframe": timeframe,
            }
            inline.row = row
            on_row(symbol, row, number == last)
            if calls:
                inline.run()

    def _play_ticks(self, chunk: Chunk) -> None:
        account, inline, on_row = self._account, self.inline, self._on_row
        symbol = self._streams[0][0]
        calls, last = inline.calls, chunk.start + chunk.count - 1 if chunk.end else -1
        for number, moment, bid, ask, traded, volume in zip(
            itertools.count(chunk.start), *_columns(chunk, 0, chunk.count, TICK_CODES), strict=False
        ):
            if self._stopped:
                return
            if number >= account.horizon:
                self._advance(number)
            account.row = number
            row = {"time": moment, "bid": bid, "ask": ask, "last": traded, "volume": volume, "symbol": symbol}
            inline.row = row
            on_row(symbol, row, number == last)
            if calls:
                inline.run()

    def _play_merged(self, chunk: Chunk) -> None:
        account, inline, on_row, muted = self._account, self.inline, self._on_row, self._muted
        if len(chunk.order) != chunk.count or max(chunk.order, default=0) >= len(self._streams):
            raise DecodeError("a chunk does not say of which stream each of its rows is")
        sources = [self._rows(chunk, number) for number in range(len(self._streams))]
        symbols = [symbol for symbol, _ in self._streams]
        calls, self._chunk = inline.calls, chunk
        self._last = self._last_shown()
        for number, stream in enumerate(chunk.order, chunk.start):
            if self._stopped:
                return
            row = next(sources[stream])
            if stream in muted:
                continue
            if number >= account.horizon:
                self._advance(number)
            account.row = number
            inline.row = row
            on_row(symbols[stream], row, number == self._last)
            if calls:
                inline.run()

    def _last_shown(self) -> int:
        """The number of the last row of a merged replay that is not unsubscribed; -1 before it is in this chunk."""
        chunk, muted = self._chunk, self._muted
        if chunk is None or not chunk.end:
            return -1
        places = range(chunk.count - 1, -1, -1)
        return next((chunk.start + place for place in places if chunk.order[place] not in muted), -1)

    def _rows(self, chunk: Chunk, stream: int) -> Iterator[Row]:
        symbol, timeframe = self._streams[stream]
        columns = _columns(chunk, stream, chunk.order.count(stream), BAR_CODES if timeframe else TICK_CODES)
        names = _BAR_NAMES if timeframe else _TICK_NAMES
        of = {"symbol": symbol, "timeframe": timeframe} if timeframe else {"symbol": symbol}
        for values in zip(*columns, strict=True):
            yield {**dict(zip(names, values, strict=True)), **of}

    # ---- questions to the worker ---------------------------------------------------------------------------------

    def _advance(self, number: int) -> None:
        """Hear of everything that happened up to this row, before the strategy sees it."""
        self._ask(lambda: Advance(id=self._new_id(), client=self._account.line.client, to=number))
        self._account.row = number
        self.inline.run()

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

    # ---- chunks, ahead of the strategy ---------------------------------------------------------------------------

    def _chunks(self) -> Iterator[Chunk]:
        """All chunks in their order. The last one says that it is; those that were asked for beyond it are empty."""
        opened = self._account.opened
        size = opened.chunk if opened is not None else 0
        starts = itertools.count(0, max(1, size))
        waiting = deque(self._fetch(start) for start in itertools.islice(starts, AHEAD))
        while True:
            chunk = self._await(*waiting.popleft())
            if not chunk.end:
                waiting.append(self._fetch(next(starts)))
            yield chunk
            if chunk.end:
                return

    def _fetch(self, start: int) -> tuple[int, Future[Message]]:
        account, command = self._account, self._fetching(start)
        return start, account.line.start_call(account.exchange, account.key(command), command, account.target)

    def _fetching(self, start: int) -> Fetch:
        return Fetch(id=self._new_id(), client=self._account.line.client, start=start, at=self._account.row)

    def _await(self, start: int, future: Future[Message]) -> Chunk:
        try:
            chunk = accepted(future.result(CHUNK_PATIENCE))
        except (FutureTimeout, NotConnected, SessionLost):  # lost in an outage
            chunk = self._ask(lambda: self._fetching(start))
        if not isinstance(chunk, Chunk):
            raise RemoteError(f"unexpected answer to fetch: {chunk.kind}")
        return chunk


_BAR_NAMES = ("time", "open", "high", "low", "close", "volume")
_TICK_NAMES = ("time", "bid", "ask", "last", "volume")


def _columns(chunk: Chunk, stream: int, count: int, codes: str) -> list[list[Any]]:
    if stream >= len(chunk.parts):
        if not count:
            return [[] for _ in codes]
        raise DecodeError(f"a chunk has {len(chunk.parts)} streams, and rows of a further one")
    return unpack_rows(chunk.parts[stream], count, codes)

"""The rows of a replay as columns of bytes: what `messages.Chunk.columns` carries.

Pure, and without numpy, which a strategy on another machine than the simulator's does not need. Each column is the
values of one field, little-endian, 8 bytes each: `q` a signed integer, `d` a float. Times are nanoseconds since 1970
in UTC.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from mas_router.errors import DecodeError

BAR_CODES = "qddddq"
TICK_CODES = "qdddq"
RATE_CODES = "qddddqq"


class BarColumns(NamedTuple):
    """Bars; prices are of the bid, `time` is the start, `volume` the number of ticks."""

    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]


class TickColumns(NamedTuple):
    """Ticks; `last` and `volume` are 0 on a market without deals of its own, such as Forex."""

    time: list[int]
    bid: list[float]
    ask: list[float]
    last: list[float]
    volume: list[int]


class RateColumns(NamedTuple):
    """Bars as MT5 copies them: like BarColumns, and the spread in points."""

    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]
    spread: list[int]


def unpack_columns(columns: Sequence[bytes], count: int) -> BarColumns | TickColumns | RateColumns:
    """The rows of a chunk: six columns are bars, five ticks, seven rates. DecodeError if they are not `count` rows."""
    if any(len(column) != 8 * count for column in columns):
        raise DecodeError(f"a column is not {count} rows of 8 bytes")
    if len(columns) == len(BAR_CODES):
        time, first, high, low, close, volume = columns
        return BarColumns(_ints(time), _floats(first), _floats(high), _floats(low), _floats(close), _ints(volume))
    if len(columns) == len(TICK_CODES):
        time, bid, ask, last, volume = columns
        return TickColumns(_ints(time), _floats(bid), _floats(ask), _floats(last), _ints(volume))
    if len(columns) == len(RATE_CODES):
        time, first, high, low, close, volume, spread = columns
        prices = (_floats(first), _floats(high), _floats(low), _floats(close))
        return RateColumns(_ints(time), *prices, _ints(volume), _ints(spread))
    raise DecodeError(f"{len(columns)} columns are neither bars nor ticks")


def _ints(column: bytes) -> list[int]:
    values = array("q", column)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def _floats(column: bytes) -> list[float]:
    values = array("d", column)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()

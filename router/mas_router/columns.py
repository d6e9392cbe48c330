"""Rows as columns of bytes: what `messages.Chunk` carries.

Pure. Each column is the values of one field, little-endian, 8 bytes each: `q` a signed integer, `d` a float. Times are
nanoseconds since 1970 in UTC. numpy is imported with the first chunk, not with the SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from mas_router.errors import DecodeError

#: Bars: time (the start), open, high, low, close (of the bid), volume (ticks).
BAR_CODES: Final = "qddddq"
#: Ticks: time, bid, ask, last, volume; the last two are 0 on a market without deals of its own, such as Forex.
TICK_CODES: Final = "qdddq"
#: Bars as MT5 copies them: with the spread in points.
RATE_CODES: Final = "qddddqq"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RateColumns(NamedTuple):
    """Bars as MT5 copies them."""

    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]
    spread: list[int]


def unpack_rates(columns: Sequence[bytes], count: int) -> RateColumns:
    """The bars of a chunk that answers Rates. DecodeError if they are not `count` rows of it."""
    _check(columns, count, RATE_CODES)
    return RateColumns(*(_values(column, code) for column, code in zip(columns, RATE_CODES, strict=True)))


def unpack_rows(columns: Sequence[bytes], count: int, codes: str) -> list[list[Any]]:
    """The columns of one stream of a replay, with aware times. DecodeError if they are not `count` rows of it."""
    _check(columns, count, codes)
    values = (_values(column, code) for column, code in zip(columns[1:], codes[1:], strict=True))
    return [_moments(columns[0]), *values]


def _check(columns: Sequence[bytes], count: int, codes: str) -> None:
    if len(columns) != len(codes) or any(len(column) != 8 * count for column in columns):
        raise DecodeError(f"the columns are not {count} rows of {len(codes)} fields of 8 bytes")


def _values(column: bytes, code: str) -> list[Any]:
    import numpy as np

    values: list[Any] = np.frombuffer(column, "<i8" if code == "q" else "<f8").tolist()
    return values


def _moments(column: bytes) -> list[datetime]:
    """One aware time and what lies between: five times faster than making each of them from its number."""
    import numpy as np

    times = np.frombuffer(column, "<i8") // 1000
    if not len(times):
        return []
    base = _EPOCH + timedelta(microseconds=int(times[0]))
    return [base + ahead for ahead in (times - times[0]).astype("m8[us]").tolist()]

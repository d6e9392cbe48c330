"""The rows of a replay out of the worker's chunks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mas._report.curve import Market
from mas_router.errors import DecodeError
from mas_router.messages import Chunk

COLUMNS: Final = 8  # time, open, high, low, close, ask, long, short
_MS: Final = 1_000_000


def market(symbol: str, chunks: Iterable[Chunk], *, ticks: bool = False) -> Market:
    """All rows of these chunks, which carry marks. Raises DecodeError for what is none.

    A tick is its own open, high, low and close, so there it is kept once: there may be millions.
    """
    parts = [_columns(chunk, ticks) for chunk in chunks]
    time, *prices = (np.concatenate(column) for column in zip(*parts, strict=True))
    prices[-2:] = (np.nan_to_num(worth) for worth in prices[-2:])  # before the first quote of a pair that converts
    same = [prices[0]] * 3 if ticks else []
    return Market(symbol, time.view("<i8").astype(np.int64) // _MS, *same, *prices)


def _columns(chunk: Chunk, ticks: bool) -> list[NDArray[np.float64]]:
    parts = chunk.parts[0] if len(chunk.parts) == 1 else ()
    if len(parts) != COLUMNS or any(len(column) != 8 * chunk.count for column in parts):
        raise DecodeError(f"{len(parts)} columns are no marks of {chunk.count} rows")
    columns = [np.frombuffer(column, dtype="<f8") for column in parts]
    return [columns[0], *columns[4:]] if ticks else columns

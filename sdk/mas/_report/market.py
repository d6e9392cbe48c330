"""The rows of a replay out of the worker's chunks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from mas._report.curve import Market
from mas_router.errors import DecodeError
from mas_router.messages import Chunk

COLUMNS: Final = 8  # time, open, high, low, close, ask, long, short
_MS: Final = 1_000_000


def market(symbol: str, chunks: Iterable[Chunk]) -> Market:
    """All rows of these chunks, which carry marks. Raises DecodeError for what is none."""
    parts = [_columns(chunk) for chunk in chunks]
    time, *prices = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Market(symbol, time.view("<i8").astype(np.int64) // _MS, *(column.astype(np.float64) for column in prices))


def _columns(chunk: Chunk) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    columns = chunk.parts[0] if len(chunk.parts) == 1 else ()
    if len(columns) != COLUMNS or any(len(column) != 8 * chunk.count for column in columns):
        raise DecodeError(f"{len(columns)} columns are no marks of {chunk.count} rows")
    return [np.frombuffer(column, dtype="<f8") for column in columns]

"""The rows of a replay out of the worker's chunks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mas._report.curve import Market
from mas_router.errors import DecodeError
from mas_router.messages import Chunk

COLUMNS: Final = 8  # time, open, high, low, close, ask, long, short
_MS: Final = 1_000_000


def markets(symbols: Sequence[str], chunks: Iterable[Chunk], *, ticks: bool = False) -> list[Market]:
    """All rows of these chunks, which carry marks, of each symbol that has any. Raises DecodeError for what is none.

    A tick is its own open, high, low and close, so there it is kept once: there may be millions.
    """
    parts = [_parts(chunk, len(symbols), ticks) for chunk in chunks]
    every = [_market(symbol, found, ticks) for symbol, found in zip(symbols, zip(*parts, strict=True), strict=True)]
    return [market for market in every if len(market)]


def _market(symbol: str, parts: Sequence[list[NDArray[np.float64]]], ticks: bool) -> Market:
    time, *prices = (np.concatenate(column) for column in zip(*parts, strict=True))
    prices[-2:] = (np.nan_to_num(worth) for worth in prices[-2:])  # before the first quote of a pair that converts
    same = [prices[0]] * 3 if ticks else []
    return Market(symbol, time.view("<i8").astype(np.int64) // _MS, *same, *prices)


def _parts(chunk: Chunk, symbols: int, ticks: bool) -> list[list[NDArray[np.float64]]]:
    if len(chunk.parts) != symbols:
        raise DecodeError(f"marks of {len(chunk.parts)} symbols came, not of {symbols}")
    return [_columns(part, ticks) for part in chunk.parts]


def _columns(part: Sequence[bytes], ticks: bool) -> list[NDArray[np.float64]]:
    sizes = {len(column) for column in part}
    if len(part) != COLUMNS or len(sizes) != 1 or min(sizes) % 8:
        raise DecodeError(f"{len(part)} columns of {sorted(sizes)} bytes are no marks")
    columns = [np.frombuffer(column, dtype="<f8") for column in part]
    return [columns[0], *columns[4:]] if ticks else columns

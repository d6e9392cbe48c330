"""Quotes out of CSV files (`formats`), a few megabytes at a time.

Parsing is pyarrow's. Only when it fails, or a value is out of range, `first_fault` goes through the file once more,
line by line, to name the line and the field. An ask below its bid, which real files have, is raised to it and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim_worker.formats import BadFile, Format, first_fault, format_of
from sim_worker.month_file import parquet
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes
from sim_worker.survey import Report, Survey

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4 << 20  # bytes of text that are parsed at once
EASTERN = 5 * 60 * MINUTE  # to add to HistData's times
#: The volume of an imported M1 bar, of which the file does not tell it: the quotes that it stands for.
BAR_VOLUME = 4

Progress = Callable[[int, int], None]


class Import:
    """One import. Iterate over it for tables that the catalog takes; after that, `report` tells what was in the file.

    `paths` are the bid's and the ask's file for fxcm, one file else; `form_name` is a key of FORMATS, None to let the
    first line decide. `progress` is called with the bytes done and the bytes in all. Iterate once. Raises BadFile,
    InvalidField or OSError.
    """

    def __init__(
        self, paths: Sequence[Path], form_name: str | None = None, progress: Progress = lambda done, total: None
    ) -> None:
        form = format_of(paths[0], form_name)
        if len(paths) != form.files:
            pair = "two files, the bid's and then the ask's" if form.files == 2 else "one file with bid and ask"
            raise BadFile(f"format {form.name} is {pair}; {len(paths)} given: {', '.join(map(str, paths))}")
        for path in paths[1:]:
            format_of(path, form.name)
        self._paths, self._form, self._progress = paths, form, progress
        self._total = sum(path.stat().st_size for path in paths)
        self._done = dict.fromkeys(range(len(paths)), 0)
        self._survey = Survey()

    @property
    def report(self) -> Report:
        """What has been found so far."""
        return self._survey.report()

    def __iter__(self) -> Iterator[Bars | Quotes]:
        for rows in self._bars() if self._form.files == 2 else self._ticks():
            self._survey.add(rows)
            self._refuse_swapped()
            yield _uncrossed(rows)
        if not self.report.rows:
            raise BadFile(f"{' and '.join(map(str, self._paths))}: no rows")

    def _refuse_swapped(self) -> None:
        found = self.report
        if found.crossed * 2 > found.rows:
            text = f"{found.crossed} of {found.rows} asks are below their bid: are they swapped?"
            raise BadFile(f"{self._paths[-1]}: {text}")

    def _ticks(self) -> Iterator[Quotes]:
        for time, (bid, ask) in self._blocks(0):
            yield Quotes(time=time, bid=bid, ask=ask)

    def _bars(self) -> Iterator[Bars]:
        for time, bid, ask in self._pairs():
            yield Bars(
                time=time,
                **dict(zip(("open", "high", "low", "close"), bid, strict=True)),
                **dict(zip(("ask_open", "ask_high", "ask_low", "ask_close"), ask, strict=True)),
                volume=np.full(len(time), BAR_VOLUME, dtype=np.int64),
            )

    def _pairs(self) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
        """Rows of both files that have the same time. Blocks of the two files end at different times."""
        sides = [self._blocks(0), self._blocks(1)]
        held = [next(side, _NO_ROWS) for side in sides]
        while all(len(time) for time, _ in held):
            end = min(time[-1] for time, _ in held)
            counts = [int(np.searchsorted(time, end, side="right")) for time, _ in held]
            (bid_time, bid), (ask_time, ask) = ((t[:n], p[:, :n]) for (t, p), n in zip(held, counts, strict=True))
            both, in_bid, in_ask = np.intersect1d(bid_time, ask_time, assume_unique=True, return_indices=True)
            self._survey.unpaired += sum(counts) - 2 * len(both)
            if len(both):
                yield both, bid[:, in_bid], ask[:, in_ask]
            rest = [(t[n:], p[:, n:]) for (t, p), n in zip(held, counts, strict=True)]
            held = [r if len(r[0]) else next(side, _NO_ROWS) for r, side in zip(rest, sides, strict=True)]
        self._survey.unpaired += sum(len(time) for time, _ in held) + sum(len(t) for side in sides for t, _ in side)

    def _blocks(self, number: int) -> Iterator[tuple[IntArray, FloatArray]]:
        """The times and the prices (a row for each column) of one file, block by block, all values proven good."""
        path, last = self._paths[number], None
        for batch, done in _batches(path, self._form):
            time, prices = _parsed(batch, self._form)
            if time is None or not _plausible(prices, self._form) or _goes_back(time, last, self._form):
                raise first_fault(path, self._form) or BadFile(f"{path}: a value is out of its range")
            if len(time):
                last = int(time[-1])
                yield time, prices
            self._done[number] = done
            self._progress(sum(self._done.values()), self._total)


_NO_ROWS = (np.empty(0, dtype=np.int64), np.empty((4, 0)))


def _uncrossed(rows: Bars | Quotes) -> Bars | Quotes:
    """The rows with each ask at least at its bid."""
    if isinstance(rows, Quotes):
        return replace(rows, ask=np.maximum(rows.ask, rows.bid))
    raised: dict[str, Any] = {
        f"ask_{name}": np.maximum(getattr(rows, f"ask_{name}"), getattr(rows, name))
        for name in ("open", "high", "low", "close")
    }
    return replace(rows, **raised)


# ---- parsing -------------------------------------------------------------------------------------------------------


def _batches(path: Path, form: Format) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Blocks of a file with the bytes read so far."""
    parquet()  # says how to install pyarrow
    import pyarrow as pa
    import pyarrow.csv

    types = dict.fromkeys(form.fields, pa.float64())
    types["timestamp"] = pa.timestamp("ns", "UTC" if _has_offset(path) else None) if form.header else pa.binary(18)
    try:
        with path.open("rb") as file:
            reader = pyarrow.csv.open_csv(
                file,
                pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=BLOCK, column_names=form.fields, skip_rows=int(form.header)
                ),
                pyarrow.csv.ParseOptions(quote_char=False),
                pyarrow.csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
            )
            for batch in reader:
                yield batch, file.tell()
    except pa.ArrowInvalid as error:
        raise first_fault(path, form) or BadFile(f"{path}: {error}") from error


def _has_offset(path: Path) -> bool:
    """Whether the first row's time ends in an offset from UTC; without one it is taken for UTC."""
    with path.open("rb") as file:
        file.readline()
        return re.match(rb"[^,]*(Z|[+-]\d\d:?\d\d),", file.readline()) is not None


def _parsed(batch: pa.RecordBatch, form: Format) -> tuple[IntArray | None, FloatArray]:
    names = [name for name in form.fields if name not in ("timestamp", "volume")]
    prices = np.stack([batch.column(name).to_numpy() for name in names])
    column = batch.column("timestamp")
    if form.header:
        return column.cast("int64").to_numpy(), prices
    text = np.frombuffer(column.buffers()[1], dtype=np.uint8)[18 * column.offset :][: 18 * len(column)]
    return _eastern_times(text.reshape(-1, 18)), prices


def _eastern_times(text: NDArray[np.uint8]) -> IntArray | None:
    """UTC of lines of `YYYYMMDD HHMMSSmmm`; None if one of them is no such time."""
    digits = np.delete(text, 8, axis=1).astype(np.int64) - ord("0")
    if np.any(text[:, 8] != ord(" ")) or np.any((digits < 0) | (digits > 9)):
        return None
    year, month, day, hour, minute, second, milli = (
        digits[:, a:b] @ 10 ** np.arange(b - a - 1, -1, -1)
        for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (14, 17))
    )
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]").astype(np.int64) + day - 1
    good = (month >= 1) & (month <= 12) & (day >= 1) & (days < (months + 1).astype("M8[D]").astype(np.int64))
    good &= (year >= 1970) & (year < 2262) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return (seconds * 1000 + milli) * 1_000_000 + EASTERN if good.all() else None


def _plausible(prices: FloatArray, form: Format) -> bool:
    if not (np.isfinite(prices) & (prices > 0)).all():
        return False
    if form.files == 1:
        return True
    opens, high, low, close = prices
    return bool(np.all((high >= np.maximum(opens, close)) & (low <= np.minimum(opens, close))))


def _goes_back(time: IntArray, last: int | None, form: Format) -> bool:
    """Bars must come in order, or the two sides could not be put together in bounded memory. Ticks are sorted later."""
    if form.files == 1 or not len(time):
        return False
    return bool(np.any(time[1:] <= time[:-1])) or (last is not None and int(time[0]) <= last)

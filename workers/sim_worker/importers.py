"""Quotes out of CSV files, a few megabytes at a time.

Formats (all numbers with a decimal point, no quotation marks):

- fxcm: M1 bars, one file for the bid and one for the ask, `timestamp,open,high,low,close`, ISO times in UTC
- histdata: ticks, no header, `YYYYMMDD HHMMSSmmm,bid,ask,volume`, in Eastern time without daylight saving (UTC-5)
- truefx: ticks, `timestamp,bid,ask`, ISO times in UTC

Parsing is pyarrow's. Only when it fails, or a value is out of range, `first_fault` goes through the file once more,
line by line, to name the line and the field. An ask below its bid, which real files have, is raised to it and counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mas_router.errors import CallerError, InvalidField
from sim_worker.catalog import parquet
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes
from sim_worker.survey import Report, Survey

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4 << 20  # bytes of text that are parsed at once
EASTERN = 5 * 60 * MINUTE  # to add to HistData's times
#: The volume of an imported M1 bar, of which the file does not tell it: the quotes that it stands for.
BAR_VOLUME = 4

Progress = Callable[[int, int], None]


class BadFile(CallerError):
    """A file is not what it should be."""


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write quotes down. `first` matches the first line, `fields` are the columns."""

    name: str
    fields: tuple[str, ...]
    first: re.Pattern[str]
    like: str
    header: bool = True
    files: int = 1


def _headed(name: str, line: str, files: int = 1) -> Format:
    pattern = re.compile(re.escape(line) + r"\s*$", re.IGNORECASE)
    return Format(name, tuple(line.split(",")), pattern, line, files=files)


FORMATS = {
    f.name: f
    for f in (
        _headed("fxcm", "timestamp,open,high,low,close", files=2),
        Format(
            "histdata",
            ("timestamp", "bid", "ask", "volume"),
            re.compile(r"\d{8} \d{9},[^,]+,[^,]+,[^,]+$"),
            "YYYYMMDD HHMMSSmmm,bid,ask,volume",
            header=False,
        ),
        _headed("truefx", "timestamp,bid,ask"),
    )
}


def format_of(path: Path, name: str | None = None) -> Format:
    """The format of this name, else the one that the file's first line tells."""
    if name is not None:
        if name not in FORMATS:
            raise InvalidField("format", name, f"one of {', '.join(FORMATS)}")
        return FORMATS[name]
    with path.open("rb") as file:
        line = file.readline(200).decode("utf-8-sig", "replace").rstrip("\r\n")
    for form in FORMATS.values():
        if form.first.match(line):
            return form
    known = "; ".join(f"{f.name}: {f.like}" for f in FORMATS.values())
    raise BadFile(f"{path}, line 1: {line[:80]!r} begins none of the formats ({known})")


class Import:
    """One import. Iterate over it for tables that the catalog takes; after that, `report` tells what was in the file.

    `paths` are the bid's and the ask's file for fxcm, one file else. `progress` is called with the bytes done and the
    bytes in all. Raises BadFile, InvalidField or OSError.
    """

    def __init__(self, paths: list[Path], form: Format, progress: Progress = lambda done, total: None) -> None:
        if len(paths) != form.files:
            pair = "two files, the bid's and then the ask's" if form.files == 2 else "one file with bid and ask"
            raise BadFile(f"format {form.name} is {pair}; {len(paths)} given: {', '.join(map(str, paths))}")
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
            self._refuse_swapped(rows)
            self._survey.add(rows)
            yield _uncrossed(rows)
        if not self._survey.report().rows:
            raise BadFile(f"{' and '.join(map(str, self._paths))}: no rows")

    def _refuse_swapped(self, rows: Bars | Quotes) -> None:
        crossed = int(np.count_nonzero(rows.ask_close < rows.close if isinstance(rows, Bars) else rows.ask < rows.bid))
        if crossed * 2 > len(rows):
            raise BadFile(f"{self._paths[-1]}: {crossed} of {len(rows)} asks are below their bid: are they swapped?")

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


# ---- the fast way --------------------------------------------------------------------------------------------------


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


# ---- the slow way, when something is wrong -------------------------------------------------------------------------


def first_fault(path: Path, form: Format) -> BadFile | None:
    """The first line of a file that is not as its format wants it."""
    check = _Line(form)
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8-sig", "replace").rstrip("\r\n")
            if not line or (number == 1 and form.header):
                continue
            fault = check.fault(line)
            if fault:
                return BadFile(f"{path}, line {number}: {fault}")
    return None


class _Line:
    """The rules for a line, and the time of the line above it."""

    def __init__(self, form: Format) -> None:
        self._form, self._above = form, ""

    def fault(self, line: str) -> str | None:
        values = line.split(",")
        names = self._form.fields
        if len(values) != len(names):
            return f"{len(values)} fields, where {self._form.name} has {len(names)}: {self._form.like}"
        for name, value in zip(names, values, strict=True):
            allowed = self._wrong(name, value)
            if allowed:
                return f"{name}={value[:40]!r} is not allowed: {allowed}"
        return self._order_fault(values) or self._range_fault(values)

    def _wrong(self, name: str, value: str) -> str | None:
        """What is allowed in a field, if the value is not."""
        if name == "timestamp":
            return self._wrong_time(value)
        number = _number(value)
        if name == "volume":
            return None if math.isfinite(number) else "a number"
        return None if math.isfinite(number) and number > 0 else "a price, a finite number above 0"

    def _wrong_time(self, value: str) -> str | None:
        try:
            if self._form.header:
                datetime.fromisoformat(value)
            elif re.fullmatch(r"\d{8} \d{9}", value):
                datetime.strptime(value + "000+0000", "%Y%m%d %H%M%S%f%z")
            else:
                raise ValueError(value)
        except ValueError:
            like = "2012-02-01 00:00:00+00:00" if self._form.header else "YYYYMMDD HHMMSSmmm"
            return f"a time like {like}"
        return None

    def _order_fault(self, values: list[str]) -> str | None:
        above, self._above = self._above, values[0]
        if self._form.files == 2 and values[0] <= above:
            return f"timestamp={values[0]!r} is not allowed: bars in the order of time (the line above has {above!r})"
        return None

    def _range_fault(self, values: list[str]) -> str | None:
        if self._form.files == 1:
            return None
        opens, high, low, close = map(float, values[1:])
        if high < max(opens, close):
            return f"high={high} is not allowed: at least open and close"
        return f"low={low} is not allowed: at most open and close" if low > min(opens, close) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

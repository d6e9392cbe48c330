"""Blocks of lines as columns of numbers. What is no row is left out, with its line and the reason.

pyarrow parses a block at once. Where it refuses a block, the block is halved until the lines at fault stand alone, so
that a few bad lines cost little and none of the others is lost.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim_worker.formats import ASKS, OPTIONAL, PRICES, SIDES, Format
from sim_worker.month_file import parquet
from sim_worker.quotes import MINUTE, FloatArray, IntArray
from sim_worker.survey import EXAMPLES
from sim_worker.time_text import Mask, Texts, parse_times
from sim_worker.zones import Zone

if TYPE_CHECKING:
    import pyarrow as pa

#: Lines that are looked at one by one, rather than halved again.
FEW: Final = 256
Fault = tuple[int, str, str, str]
"""The number of a line, its text, the kind of its fault and what is wrong in words; only the first have a text."""
OnFault = Callable[[list[Fault]], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file: UTC ns, the numbers of each role, and the line that each row is from."""

    time: IntArray
    numbers: dict[str, FloatArray]
    lines: IntArray

    def __getitem__(self, rows: Mask | slice) -> Rows:
        numbers = {role: values[rows] for role, values in self.numbers.items()}
        return Rows(self.time[rows], numbers, self.lines[rows])


class Parser:
    """The rows of one file, block by block. `on_fault` gets what is left out."""

    def __init__(self, form: Format, zone: Zone, on_fault: OnFault) -> None:
        self._form, self._zone, self._on_fault = form, zone, on_fault
        self._kept: dict[str, float] = {}
        parquet()  # says how to install pyarrow

    def rows(self, block: bytes, line: int) -> Rows | None:
        """The good rows of a block of whole lines whose first one has this number."""
        parts = list(self._parts(block, line))
        if not parts:
            return None
        numbers = {role: np.concatenate([part.numbers[role] for part in parts]) for role in parts[0].numbers}
        return Rows(
            np.concatenate([part.time for part in parts]), numbers, np.concatenate([part.lines for part in parts])
        )

    def _parts(self, block: bytes, line: int) -> Iterator[Rows]:
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        table = self._table(block, count)
        if table is not None:
            yield self._checked(table, block, np.arange(line, line + count))
        elif count > FEW:
            half = len(block) // 2
            middle = (block.rfind(b"\n", 0, half) + 1) or (block.find(b"\n", half) + 1)
            yield from self._parts(block[:middle], line)
            yield from self._parts(block[middle:], line + block.count(b"\n", 0, middle))
        else:
            yield from self._one_by_one(block, line)

    def _one_by_one(self, block: bytes, line: int) -> Iterator[Rows]:
        """The rows of a few lines, of which some have faults."""
        good: list[tuple[int, bytes]] = []
        faults: list[Fault] = []
        for number, raw in enumerate(block.split(b"\n"), line):
            text = _shown(raw)
            fault = fault_of(text, self._form, times=False) if text.strip() else None
            if fault:
                faults.append((number, text, *fault))
            elif text.strip():
                good.append((number, raw.rstrip(b"\r")))
        self._on_fault(faults)
        if good:
            yield from self._together(good)

    def _together(self, lines: list[tuple[int, bytes]]) -> Iterator[Rows]:
        """The rows of lines that look good; pyarrow may be stricter, and then they go one by one."""
        block = b"\n".join(raw for _, raw in lines)
        table = self._table(block, len(lines))
        if table is not None:
            yield self._checked(table, block, np.array([number for number, _ in lines]))
        elif len(lines) == 1:
            self._on_fault([(lines[0][0], _shown(block), "unreadable", "not written as in the lines around it")])
        else:
            for line in lines:
                yield from self._together([line])

    def _table(self, block: bytes, count: int) -> pa.Table | None:
        """The block's lines as a table, None if one of them is no row, by its shape or for pyarrow."""
        import pyarrow as pa
        import pyarrow.csv

        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(block), *_options(self._form, max(len(block), 1) + 1))
        except pa.ArrowInvalid:
            return None
        return table.combine_chunks() if table.num_rows == count else None

    def _checked(self, table: pa.Table, block: bytes, lines: IntArray) -> Rows:
        """The rows of a table without those whose values cannot be. Line n of the block is the n-th of `lines`."""
        rows, good = self._read(table, lines)
        kinds = [("time", ~good), *_faults(rows, self._form)]
        bad = np.any([mask for _, mask in kinds], axis=0)
        if not bad.any():
            return rows
        names = np.array([kind for kind, _ in kinds])
        first = names[np.argmax([mask[bad] for _, mask in kinds], axis=0)].tolist()
        places = np.flatnonzero(bad).tolist()
        self._on_fault(self._told(list(zip(places, first, strict=True)), block, lines))
        return rows[~bad]

    def _told(self, found: list[tuple[int, str]], block: bytes, lines: IntArray) -> list[Fault]:
        """The faults of rows (place and kind), the first of each kind in words."""
        texts, seen = block.split(b"\n"), Counter[str]()
        faults: list[Fault] = []
        for place, kind in found:
            seen[kind] += 1
            text, why = "", ""
            if seen[kind] <= EXAMPLES:
                text = _shown(texts[place])
                why = (fault_of(text, self._form) or (kind, _WORDS.get(kind, kind)))[1]
            faults.append((int(lines[place]), text, kind, why))
        return faults

    def _read(self, table: pa.Table, lines: IntArray) -> tuple[Rows, Mask]:
        """The rows, and which of them have a time."""
        time, good, utc = parse_times(_texts(table.column("time")), self._form.time_layout)
        if "date" in self._form.columns:
            day, fine, _ = parse_times(_texts(table.column("date")), self._form.date_layout)
            time, good = np.where(fine, day, 0) + time, good & fine
        if not utc.all():
            time = np.where(utc, time, self._zone.to_utc(np.where(good, time, 0)))
        numbers = {role: self._number(table, role) for role in self._form.numbers}
        return Rows(time, numbers, lines), good

    def _number(self, table: pa.Table, role: str) -> FloatArray:
        column = table.column(role)
        values: FloatArray = column.to_numpy()
        return self._filled(role, values, column.is_null().to_numpy()) if self._form.keeps else values

    def _filled(self, role: str, values: FloatArray, empty: Mask) -> FloatArray:
        """Empty cells with the value above them; 0 above the first one."""
        place = np.maximum.accumulate(np.where(empty, -1, np.arange(len(values))))
        filled = np.where(place < 0, self._kept.get(role, 0.0), values[place])
        self._kept[role] = float(filled[-1])
        return filled


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\r")


_WORDS = {
    "no quote yet": "an empty cell means the value above it, and there is none yet",
    "minute": "time is not allowed: a whole minute, as bars of M1 have it",
}


@lru_cache(maxsize=64)
def _names(form: Format) -> tuple[list[str], list[str]]:
    """A name for each column, and the names of those that are read."""
    return [role or f"-{place}" for place, role in enumerate(form.columns)], [role for role in form.columns if role]


def _options(form: Format, size: int) -> tuple[Any, Any, Any]:
    import pyarrow as pa
    import pyarrow.csv

    names, wanted = _names(form)
    types = {role: pa.binary() if role in ("time", "date") else pa.float64() for role in wanted}
    return (
        pyarrow.csv.ReadOptions(use_threads=False, block_size=size, column_names=names),
        pyarrow.csv.ParseOptions(delimiter=form.delimiter, quote_char=False, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=wanted,
            null_values=[""] if form.keeps else [],
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )


def _texts(column: pa.ChunkedArray) -> Texts:
    array = column.chunk(0)
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int32)[array.offset :][: len(array) + 1].astype(np.int64)
    return Texts(np.frombuffer(data or b"", np.uint8), starts[:-1], np.diff(starts))


def _faults(rows: Rows, form: Format) -> Iterator[tuple[str, Mask]]:
    """For each kind of fault the rows that have it."""
    with np.errstate(invalid="ignore"):
        for role, values in rows.numbers.items():
            if role in OPTIONAL:
                yield role, ~(np.isfinite(values) & (values >= 0) & (values < 2**53))
            elif form.keeps:
                yield "no quote yet", values == 0
                yield role, ~(np.isfinite(values) & (values >= 0))
            else:
                yield role, ~(np.isfinite(values) & (values > 0))
        if form.ticks:
            yield "ask below bid", rows.numbers["ask"] < rows.numbers["bid"]
            return
        yield "minute", rows.time % MINUTE != 0
        for names in (SIDES, ASKS):
            if names[0] in rows.numbers:
                opens, high, low, close = (rows.numbers[name] for name in names)
                yield "high", high < np.maximum(opens, close)
                yield "low", low > np.minimum(opens, close)


# ---- one line ------------------------------------------------------------------------------------------------------


def fault_of(line: str, form: Format, times: bool = True) -> tuple[str, str] | None:
    """The kind of a line's fault and what is wrong in words; None for a line that is as its format wants it.

    Looking at one time alone is slow, and only wanted for the words.
    """
    values = line.split(form.delimiter)
    if len(values) != len(form.columns):
        return "columns", f"{len(values)} fields, where {form.name} has {len(form.columns)}: {form.like}"
    cells = {role: value for role, value in zip(form.columns, values, strict=True) if role}
    for role, value in cells.items():
        allowed = _wrong(role, value, form) if times or role not in ("time", "date") else None
        if allowed:
            return role, f"{role}={value[:40]!r} is not allowed: {allowed}"
    return _odd(cells, form)


def _wrong(role: str, value: str, form: Format) -> str | None:
    """What is allowed in a cell, if the value is not."""
    if role in ("time", "date"):
        layout = form.time_layout if role == "time" else form.date_layout
        data = np.frombuffer(value.encode(), np.uint8)
        _, good, _ = parse_times(Texts(data, np.array([0]), np.array([len(data)])), layout)
        return None if good[0] else f"a {role} like {layout}" if layout != "iso" else "a time like 2012-02-01 00:00:00"
    if form.keeps and not value:
        return None
    number = _number(value)
    if role in OPTIONAL:
        return None if 0 <= number < 2**53 else "a number of at least 0"
    return None if math.isfinite(number) and number > 0 else "a price, a finite number above 0"


def _odd(cells: dict[str, str], form: Format) -> tuple[str, str] | None:
    """What values that are allowed by themselves do not allow each other."""
    prices = {role: _number(value) for role, value in cells.items() if role in PRICES}
    if form.ticks:
        if prices["ask"] < prices["bid"]:
            return "ask below bid", f"ask={prices['ask']} is not allowed: at least the bid ({prices['bid']})"
        return None
    for names in (SIDES, ASKS):
        if names[0] in prices:
            opens, high, low, close = (prices[name] for name in names)
            if high < max(opens, close):
                return "high", f"{names[1]}={high} is not allowed: at least open and close"
            if low > min(opens, close):
                return "low", f"{names[2]}={low} is not allowed: at most open and close"
    return None


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan

"""The quotes on this machine: one Parquet file for each symbol, kind of rows and month.

`DIR/symbol=GBPUSD/m1/2012-02.parquet`; `ticks` beside `m1`. What no market made lies apart, in `m1-synthetic`, so a
replay is wholly real or wholly synthetic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mas_router.errors import DataMissing, InvalidField
from sim_worker.bars import DAY, minute_bars, period_starts
from sim_worker.file_lock import locked
from sim_worker.month_file import DRAFT, GROUP, KINDS, SYNTHETIC, CatalogError, Note, draft, load, read_note
from sim_worker.quotes import Bars, Quotes
from sim_worker.stretch import Stretch, months

#: What rows are taken from, the first that covers a range: for bars, for ticks.
BARS = ("ticks", "m1", "m1" + SYNTHETIC)
TICKS = ("ticks", "ticks" + SYNTHETIC)
FOLDERS = (*KINDS, *(name + SYNTHETIC for name in KINDS))
#: The folder of the files by which writers keep out of each other's way.
LOCKS = "locks"


@dataclass(frozen=True, slots=True)
class Entry:
    """One symbol's rows of one kind. Times are those of the first and the last row; `imported_at` is the newest."""

    symbol: str
    kind: str
    synthetic: bool
    first: int
    last: int
    rows: int
    months: int
    sources: tuple[str, ...]
    imported_at: int

    @property
    def folder(self) -> str:
        """The name of the kind's folder, which tells synthetic rows apart."""
        return self.kind + (SYNTHETIC if self.synthetic else "")


class Catalog:
    """The quotes in a directory. Needs pyarrow."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, symbol: str, chunks: Iterable[Bars | Quotes], source: str, imported_at: int) -> int:
        """Add the rows of one source, and return how many there were. See `Addition`."""
        with self.adding(symbol, imported_at) as addition:
            return addition.write(chunks, source)

    @contextmanager
    def adding(self, symbol: str, imported_at: int) -> Iterator[Addition]:
        """Add rows to a symbol; they are there when the block ends, and nothing is changed if it ends in an error.

        `imported_at` is in UTC ns. CatalogError while another process adds to the symbol.
        """
        _check_symbol(symbol)
        with self._alone(symbol) as folder:
            addition = Addition(folder, symbol, imported_at)
            try:
                yield addition
                addition.commit()
            finally:
                addition.discard()

    def remove(self, symbol: str, names: Iterable[str]) -> int:
        """Take away all rows of a symbol of these kinds (names of folders), and return how many files that were."""
        _check_symbol(symbol)
        with self._alone(symbol) as folder:
            removed = sum(_emptied(folder / name) for name in names)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return removed

    @contextmanager
    def _alone(self, symbol: str) -> Iterator[Path]:
        """The folder of a symbol, which no other process writes meanwhile."""
        folder = self._folder(symbol)
        with locked(self.directory / LOCKS / folder.name) as alone:
            if not alone:
                raise CatalogError(f"{folder} is being written by another process; try again when it is done")
            yield folder

    def read(self, symbol: str, since: int, until: int) -> Bars | Quotes:
        """What bars of since <= time < until are made of: ticks, else M1 bars, else synthetic M1 bars.

        DataMissing, naming what to do, if none of them covers the range but for weekends and holidays.
        """
        return _joined(list(self.chunks(symbol, since, until)))

    def read_ticks(self, symbol: str, since: int, until: int) -> Quotes:
        """The ticks of since <= time < until, or DataMissing. Bars are never passed off as ticks."""
        return Quotes.concat(list(self.tick_chunks(symbol, since, until)))

    def chunks(self, symbol: str, since: int, until: int, rows: int = GROUP) -> Iterator[Bars | Quotes]:
        """What `read` gives, in tables of 1 to `rows` rows that are read as they are asked for.

        A month that is imported again in the meantime is read as it is when its turn comes.
        """
        return self._source(symbol, since, until, BARS).chunks(rows)

    def tick_chunks(self, symbol: str, since: int, until: int, rows: int = GROUP) -> Iterator[Quotes]:
        """What `read_ticks` gives, in tables of 1 to `rows` rows that are read as they are asked for."""
        return (_ticks(part) for part in self._source(symbol, since, until, TICKS).chunks(rows))

    def bar_chunks(self, symbol: str, since: int, until: int, rows: int = GROUP) -> Iterator[Bars]:
        """The M1 bars of what `read` gives, in tables of up to `rows` bars; ticks become the bars of their minutes."""
        return minute_bars(self.chunks(symbol, since, until, rows))

    def tick_count(self, symbol: str, since: int, until: int) -> int:
        """How many ticks `tick_chunks` gives. Reads almost no rows."""
        return self._source(symbol, since, until, TICKS).count()

    def bar_count(self, symbol: str, since: int, until: int) -> int:
        """How many bars `bar_chunks` gives. Reads almost no rows of bars, and the times of ticks."""
        return self._source(symbol, since, until, BARS).minutes()

    def entries(self) -> list[Entry]:
        """What there is, sorted by symbol and kind. Reads no rows."""
        folders = sorted(self.directory.glob("symbol=*/*/"))
        return [entry for folder in folders if (entry := _entry(folder)) is not None]

    def _source(self, symbol: str, since: int, until: int, names: tuple[str, ...]) -> Stretch:
        """The first of these kinds that covers the range."""
        if until <= since:
            raise InvalidField("until", _text(until), f"a time after since ({_text(since)})")
        for name in names:
            stretch = Stretch(self._folder(symbol) / name, symbol, since, until)
            if stretch.covers():
                return stretch
        raise DataMissing(self._explain(symbol, since, until, names))

    def _explain(self, symbol: str, since: int, until: int, names: tuple[str, ...]) -> str:
        what, option = ("quotes", "") if "m1" in names else ("ticks", " --ticks")
        have = "; ".join(filter(None, (self._holding(symbol, name, since, until) for name in names)))
        days = f"--from {_day(since)} --to {_day(until + DAY - 1)}"
        return (
            f"{self.directory} has no {what} of {symbol} for all of {_text(since)} to {_text(until)} UTC "
            f"(it has {have or 'none of this symbol'}). Fill it with: mas data import FILE --symbol {symbol}"
            f" | or with made-up prices: mas data synth {symbol} {days}{option}"
        )

    def _holding(self, symbol: str, name: str, since: int, until: int) -> str:
        """What there is of one kind, and what the range lacks, in words."""
        entry = _entry(self._folder(symbol) / name)
        if entry is None:
            return ""
        stretch = Stretch(self._folder(symbol) / name, symbol, since, until)
        hole = stretch.hole() if stretch.count() else None
        lacks = f", but not {_text(hole[0])} to {_text(hole[1])}" if hole else ""
        return f"{name} from {_text(entry.first)} to {_text(entry.last)}{lacks}"

    def stretch(self, entry: Entry) -> Stretch:
        """All rows of an entry."""
        return Stretch(self._folder(entry.symbol) / entry.folder, entry.symbol, entry.first, entry.last + 1)

    def kinds(self, symbol: str) -> dict[str, int]:
        """The kinds (names of folders) that there are of a symbol, with their months. Opens no file."""
        found = {name: len(months(self._folder(symbol) / name)) for name in FOLDERS}
        return {name: count for name, count in found.items() if count}

    def damaged(self) -> list[str]:
        """What is wrong with the files that cannot even be opened, one text for each."""
        found: list[str] = []
        for folder in sorted(self.directory.glob("symbol=*/*/")):
            for path in months(folder):
                try:
                    read_note(path)
                except CatalogError as error:
                    found.append(str(error))
        return found

    def drafts(self) -> list[Path]:
        """What imports have left behind that were killed; the next import of the same months takes their place."""
        return sorted(self.directory.glob(f"symbol=*/*/*{DRAFT}"))

    def _folder(self, symbol: str) -> Path:
        # "symbol=" keeps the name from being one that Windows reserves, such as the ticker PRN; a final dot, which
        # Windows would drop, and all that is no letter or digit is spelled as %2E is.
        return self.directory / f"symbol={quote(symbol, safe='').replace('.', '%2E')}"


class Addition:
    """Rows on their way into a symbol's folder, month by month, as drafts beside the files.

    Where the catalog, or what was written before, has rows of the same time, the new ones replace them, so that the
    same file may be imported twice. Rows of one source may be out of order; a month is held in memory.
    """

    def __init__(self, folder: Path, symbol: str, imported_at: int) -> None:
        self._root, self._symbol, self._imported_at = folder, symbol, imported_at
        self._drafts: dict[Path, Path] = {}

    def write(self, chunks: Iterable[Bars | Quotes], source: str) -> int:
        """Add the rows of one source, and return how many there were."""
        rows = 0
        for month in _by_month(chunks):
            self._merge(month, source)
            rows += len(month)
        return rows

    def commit(self) -> None:
        """Put the drafts in their places, each in one step."""
        for path in sorted(self._drafts):
            self._drafts[path].replace(path)
            del self._drafts[path]

    def discard(self) -> None:
        """Take away what is not in its place."""
        for written in self._drafts.values():
            written.unlink(missing_ok=True)

    def _merge(self, new: Bars | Quotes, source: str) -> None:
        """Put rows of one month into its draft. New rows take the place of old ones of the same time."""
        path = self._path(new)
        present = self._drafts.get(path, path)
        sources = {source}
        if present.exists():
            known = read_note(present).sources
            sources |= set(known)
            old = load(present, self._symbol)
            new = _merged(old, new)
            if source in known and _equal(old, new):
                return  # it is in already
        first, last = int(new.time[0]), int(new.time[-1])
        note = Note(self._symbol, tuple(sorted(sources)), new.synthetic, self._imported_at, len(new), first, last)
        self._drafts[path] = draft(path, new.checked(), note)

    def _path(self, rows: Bars | Quotes) -> Path:
        kind = "m1" if isinstance(rows, Bars) else "ticks"
        month = np.datetime64(int(rows.time[0]), "ns").astype("M8[M]")
        return self._root / (kind + (SYNTHETIC if rows.synthetic else "")) / f"{month}.parquet"


# ---- tables --------------------------------------------------------------------------------------------------------


def _by_month(chunks: Iterable[Bars | Quotes]) -> Iterator[Bars | Quotes]:
    """The rows of the chunks in tables of one month each, sorted by time. Bars of the same time: the last one."""
    held: dict[int, list[Bars | Quotes]] = defaultdict(list)
    for chunk in chunks:
        months = period_starts(chunk.time, "MN1")
        for month in np.unique(months).tolist():
            held[month].append(chunk[months == month])
        for month in sorted(held)[:-1]:  # a chunk has begun the next month: these are complete
            yield _sorted(_joined(held.pop(month)))
    for month in sorted(held):
        yield _sorted(_joined(held.pop(month)))


def _joined(parts: list[Bars | Quotes]) -> Bars | Quotes:
    if isinstance(parts[0], Bars):
        return Bars.concat([p for p in parts if isinstance(p, Bars)])
    return Quotes.concat([p for p in parts if isinstance(p, Quotes)])


def _ticks(rows: Bars | Quotes) -> Quotes:
    if not isinstance(rows, Quotes):
        raise TypeError("a file of ticks holds bars")
    return rows


def _merged(old: Bars | Quotes, new: Bars | Quotes) -> Bars | Quotes:
    place = np.minimum(np.searchsorted(new.time, old.time), len(new) - 1)
    return _sorted(_joined([old[new.time[place] != old.time], new]))


def _equal(one: Bars | Quotes, other: Bars | Quotes) -> bool:
    mine, theirs = one.columns(), other.columns()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def _sorted(rows: Bars | Quotes) -> Bars | Quotes:
    """By time; ticks of the same time keep their order, of bars of the same time the last one stays."""
    if np.any(rows.time[1:] < rows.time[:-1]):
        rows = rows[np.argsort(rows.time, kind="stable")]
    if isinstance(rows, Bars):
        rows = rows[np.append(rows.time[1:] != rows.time[:-1], True)]
    return rows


def _check_symbol(symbol: str) -> None:
    if not symbol or len(symbol) > 64 or not symbol.isprintable():
        raise InvalidField("symbol", symbol, "1 to 64 printable characters")


def _text(time: int) -> str:
    return str(np.datetime64(time, "ns").astype("M8[m]")).replace("T", " ")


def _day(time: int) -> str:
    return str(np.datetime64(time, "ns").astype("M8[D]"))


# ---- folders -------------------------------------------------------------------------------------------------------


def _emptied(folder: Path) -> int:
    """Take away the months and the drafts of a folder, and the folder if nothing else is in it. Returns the months."""
    paths = months(folder)
    for path in [*paths, *folder.glob(f"*{DRAFT}")]:
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return len(paths)


def _entry(folder: Path) -> Entry | None:
    """What a folder of months holds, None for an empty or a foreign one."""
    if folder.name.removesuffix(SYNTHETIC) not in KINDS:
        return None
    notes = [read_note(path) for path in months(folder)]
    if not notes:
        return None
    return Entry(
        symbol=notes[0].symbol,
        kind=folder.name.removesuffix(SYNTHETIC),
        synthetic=folder.name.endswith(SYNTHETIC),
        first=min(note.first for note in notes),
        last=max(note.last for note in notes),
        rows=sum(note.rows for note in notes),
        months=len(notes),
        sources=tuple(sorted({source for note in notes for source in note.sources})),
        imported_at=max(note.imported_at for note in notes),
    )

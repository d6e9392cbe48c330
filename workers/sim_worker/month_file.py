"""One Parquet file of the catalog: `m1/2012-02.parquet` or `ticks/...`, with a note of what it holds.

A file is replaced in one step and never written to, so a reader or a crash meets the old one or the new one. Times and
prices come back bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mas_router.errors import CallerError, MasError
from sim_worker.quotes import Bars, IntArray, Quotes, Table

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")

#: Folders of files by what is in them; those with SYNTHETIC behind hold what no market made.
KINDS: dict[str, type[Bars] | type[Quotes]] = {"m1": Bars, "ticks": Quotes}
SYNTHETIC = "-synthetic"

#: Rows in a row group: what a range is read by, and so what reading one holds in memory (about 20 MB of bars).
GROUP = 262_144

#: What the name of a file ends in that has not taken its place yet.
DRAFT = ".tmp"

_KEY = b"mas"
_REMEDY = "remove it, and import its source again"


class CatalogError(MasError):
    """A file of the catalog cannot be used."""


def parquet() -> Any:
    """pyarrow.parquet, or an error that says how to get it."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise CallerError("quotes in files need pyarrow: pip install 'mas-order-router[sim]'") from error
    return pyarrow.parquet


@dataclass(frozen=True, slots=True)
class Note:
    """What a file says about itself. Times are in UTC ns; `sources` are names of files, or seeds."""

    symbol: str
    sources: tuple[str, ...]
    synthetic: bool
    imported_at: int
    rows: int
    first: int
    last: int


def draft(path: Path, rows: Table, note: Note) -> Path:
    """Write what is to take the place of a file beside it: Path.replace is atomic then, on Windows too."""
    pq = parquet()
    table = _to_arrow(rows).replace_schema_metadata({_KEY: json.dumps(asdict(note))})
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{path.name}{DRAFT}")
    try:
        pq.write_table(table, written, compression="zstd", row_group_size=GROUP)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    return written


def _to_arrow(rows: Table) -> pa.Table:
    import pyarrow as pa

    columns = {name: pa.array(column) for name, column in rows.columns().items()}
    columns["time"] = columns["time"].cast(pa.timestamp("ns", "UTC"))
    return pa.table(columns)


def load(path: Path, symbol: str) -> Bars | Quotes:
    """All rows of a file. CatalogError if it is damaged, foreign or of another symbol."""
    with MonthFile(path, symbol) as file:
        return file.table(range(len(file.groups)))


@dataclass(frozen=True, slots=True)
class Group:
    """One row group of a file: the times of its first and last row (UTC ns), and how many rows it has."""

    first: int
    last: int
    rows: int


class MonthFile:
    """A file that is open for reading, row group by row group. CatalogError as with `load`; close it, or use `with`."""

    def __init__(self, path: Path, symbol: str) -> None:
        self._path = path
        self._file = _guarded(path, lambda: parquet().ParquetFile(path))
        try:
            self.note = _parsed(path, self._file.schema_arrow.metadata)
            if self.note.symbol != symbol:  # a file system that takes EURUSDm for EURUSDM
                held = self.note.symbol
                raise CatalogError(f"{path} holds {held}, not {symbol}: this disk can keep only one of the two")
            self.groups = _guarded(path, self._read_groups)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> MonthFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def times(self, group: int) -> IntArray:
        """The times of a row group; no other column is read."""
        return _guarded(self._path, lambda: _column(self._file.read_row_group(group, columns=["time"]), "time"))

    def table(self, groups: Iterable[int]) -> Bars | Quotes:
        """The rows of these row groups."""
        return _guarded(self._path, lambda: self._made(self._file.read_row_groups(list(groups))))

    def chunks(self, groups: Iterable[int], rows: int) -> Iterator[Bars | Quotes]:
        """The rows of these row groups in tables of up to `rows` rows; a group is read when its turn comes."""
        for group in groups:  # one at a time: of several, pyarrow would fetch all bytes before the first row
            table = self.table([group])
            for start in range(0, len(table), rows):
                yield table[start : start + rows]

    def _made(self, table: pa.Table | pa.RecordBatch) -> Bars | Quotes:
        kind = KINDS[self._path.parent.name.removesuffix(SYNTHETIC)]
        columns: dict[str, Any] = {name: _column(table, name) for name in table.schema.names}
        return _guarded(self._path, lambda: kind(**{"synthetic": self.note.synthetic, **columns}))

    def _read_groups(self) -> list[Group]:
        metadata, place = self._file.metadata, self._file.schema_arrow.names.index("time")
        return [self._group(metadata.row_group(number), place) for number in range(metadata.num_row_groups)]

    def _group(self, group: Any, place: int) -> Group:
        span = group.column(place).statistics
        return Group(span.min_raw, span.max_raw, group.num_rows)  # rows are sorted by time


def _column(table: pa.Table | pa.RecordBatch, name: str) -> np.ndarray[Any, Any]:
    column = table.column(name)
    return np.asarray((column.cast("int64") if name == "time" else column).to_numpy())


def read_note(path: Path) -> Note:
    """What a file says about itself, without reading its rows."""
    return _parsed(path, _guarded(path, lambda: parquet().read_schema(path)).metadata)


def _parsed(path: Path, metadata: dict[bytes, bytes] | None) -> Note:
    if not metadata or _KEY not in metadata:
        raise CatalogError(f"{path} was not written by mas: {_REMEDY}")
    values = _guarded(path, lambda: json.loads(metadata[_KEY]))
    return _guarded(path, lambda: Note(**values | {"sources": tuple(values["sources"])}))


def _guarded(path: Path, read: Callable[[], Result]) -> Result:
    """Read a file. What the disk refuses stays an OSError; what is wrong with the bytes becomes a CatalogError."""
    try:
        return read()
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # pyarrow's errors derive from these, and so does InvalidField
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CatalogError(f"{path} cannot be read ({error}): {_REMEDY}") from error

"""One Parquet file of the catalog: `m1/2012-02.parquet` or `ticks/...`, with a note of what it holds.

A file is replaced in one step and never written to, so a reader or a crash meets the old one or the new one. Times and
prices come back bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mas_router.errors import CallerError, MasError
from sim_worker.quotes import Bars, Quotes, Table

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")

#: Folders of files by what is in them; those with SYNTHETIC behind hold what no market made.
KINDS: dict[str, type[Bars] | type[Quotes]] = {"m1": Bars, "ticks": Quotes}
SYNTHETIC = "-synthetic"

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


def save(path: Path, rows: Table, note: Note) -> None:
    """Write beside the file, then take its place: Path.replace is atomic on Windows too."""
    pq = parquet()
    table = _to_arrow(rows).replace_schema_metadata({_KEY: json.dumps(asdict(note))})
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{getpid()}.tmp")
    try:
        pq.write_table(table, draft, compression="zstd")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _to_arrow(rows: Table) -> pa.Table:
    import pyarrow as pa

    columns = {name: pa.array(column) for name, column in rows.columns().items()}
    columns["time"] = columns["time"].cast(pa.timestamp("ns", "UTC"))
    return pa.table(columns)


def load(path: Path, symbol: str) -> Bars | Quotes:
    """The rows of a file. CatalogError if it is damaged, foreign or of another symbol."""
    table = _guarded(path, lambda: parquet().read_table(path, partitioning=None))
    note = _parsed(path, table.schema.metadata)
    if note.symbol != symbol:  # a file system that takes EURUSDm for EURUSDM
        raise CatalogError(f"{path} holds {note.symbol}, not {symbol}: this disk can keep only one of the two")
    kind = KINDS[path.parent.name.removesuffix(SYNTHETIC)]
    columns: dict[str, Any] = {name: _column(table, name) for name in table.column_names}
    return _guarded(path, lambda: kind(**{"synthetic": note.synthetic, **columns}))


def _column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
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
    ) as error:  # pyarrow's errors derive from these, and so does InvalidField
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CatalogError(f"{path} cannot be read ({error}): {_REMEDY}") from error

"""The file of a grid's results: a row is in it as soon as its run has ended, so that a grid can be gone on with.

CSV is appended to. Parquet cannot be: its rows are kept in a CSV file beside it until the grid ends, or, after a crash,
until the next one.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from mas.backtest import rows
from mas.backtest.parameters import Parameter
from mas.backtest.rows import Row
from mas_router.errors import CallerError, InvalidField

SUFFIXES: Final = (".csv", ".parquet")


class Results:
    """The rows of a grid by their key: those that were there, and those that come."""

    def __init__(self, path: Path | None, columns: list[str], known: Mapping[str, Parameter]) -> None:
        self.rows: dict[str, Row] = {}
        self._columns, self._known = columns, known
        self._path = path
        self._log: IO[str] | None = None
        if path is not None:
            self._open(path)

    def add(self, row: Row) -> None:
        """Keep a row. It survives this process from now on."""
        self.rows[str(row["key"])] = row
        if self._log is not None:
            self._writer.writerow([rows.as_text(name, row[name]) for name in self._columns])
            self._log.flush()

    def close(self) -> None:
        """Bring the file to its final form."""
        if self._log is None or self._path is None:
            return
        os.fsync(self._log.fileno())
        self._log.close()
        if self._path.suffix == ".parquet":
            _write_parquet(self._path, self._columns, self.rows.values())
            _partial(self._path).unlink()

    # ---- what is there already -----------------------------------------------------------------------------------

    def _open(self, path: Path) -> None:
        if path.suffix not in SUFFIXES:
            raise InvalidField("--out", str(path), "a file name that ends in .csv or .parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path
        if path.suffix == ".parquet":
            log = _partial(path)
            _pyarrow()  # what is missing is said before the first run, not after the last one
            if path.exists():
                self._take(_read_parquet(path), path)
        if log.exists():
            _drop_torn_line(log)
            self._take(self._read_csv(log), log)
        self._start(log)

    def _start(self, log: Path) -> None:
        fresh = not log.exists() or not log.stat().st_size
        self._log = log.open("a", encoding="utf-8", newline="")
        self._writer = csv.writer(self._log, lineterminator="\n")
        if fresh:
            self._writer.writerow(self._columns)
            self._log.flush()

    def _take(self, found: Iterable[Row], path: Path) -> None:
        for row in found:
            if list(row) != self._columns:
                raise CallerError(
                    f"{path} holds the results of another grid (its columns are not those of these parameters): "
                    "name another --out"
                )
            self.rows[str(row["key"])] = row

    def _read_csv(self, path: Path) -> Iterator[Row]:
        with path.open(encoding="utf-8", newline="") as file:
            for number, cells in enumerate(csv.DictReader(file), 2):
                if list(cells) != self._columns:
                    yield dict(cells)
                    return
                try:
                    yield {name: rows.from_text(name, text, self._known) for name, text in cells.items()}
                except (ValueError, AttributeError, TypeError):
                    raise CallerError(f"{path}, line {number}: this is no row of results") from None


@contextmanager
def results(path: Path | None, columns: list[str], known: Mapping[str, Parameter]) -> Iterator[Results]:
    """The results in a file, or, without one, only in memory. Raises CallerError, OSError."""
    made = Results(path, columns, known)
    try:
        yield made
    finally:
        made.close()


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial.csv")


def _drop_torn_line(path: Path) -> None:
    """A crash may have cut the last line short; its run is done again."""
    with path.open("r+b") as file:
        body = file.read()
        whole = body.rfind(b"\n") + 1
        if whole != len(body):
            file.truncate(whole)


def _pyarrow() -> Any:
    with suppress(ModuleNotFoundError):
        import pyarrow.parquet

        return pyarrow
    raise CallerError("a Parquet file needs pyarrow: pip install 'mas-order-router[sim]', or name a .csv file")


def _read_parquet(path: Path) -> list[Row]:
    found: list[Row] = _pyarrow().parquet.read_table(path).to_pylist()
    return found


def _write_parquet(path: Path, columns: list[str], found: Iterable[Row]) -> None:
    """In place of the old file, in one step."""
    arrow, kept = _pyarrow(), list(found)
    table = arrow.table({name: arrow.array([row[name] for row in kept]) for name in columns})
    fresh = path.with_suffix(".tmp")
    arrow.parquet.write_table(table, fresh)
    fresh.replace(path)

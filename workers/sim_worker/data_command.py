"""`mas data`: fill the catalog of quotes, and see what is in it.

A shell: environment, clock, terminal. Every refusal is one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from mas_router.errors import InvalidField, MasError
from sim_worker.bars import DAY
from sim_worker.catalog import Catalog, Entry
from sim_worker.formats import FORMATS
from sim_worker.importers import Import
from sim_worker.quotes import Bars, Quotes
from sim_worker.survey import Report
from sim_worker.symbols import find_symbol
from sim_worker.synthetic import synthetic_bars, synthetic_quotes

app = typer.Typer(name="data", help="Quotes for backtests: import, list, make up.", no_args_is_help=True)

Directory = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The catalog; else $MAS_DATA, else ~/.mas/data."),
]
#: `mas data synth` works in stretches of so many days.
STRETCH = 7


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="The file; for bars of one side each, the bid's and the ask's.")],
    symbol: Annotated[str, typer.Option(help="What the quotes are of, such as GBPUSD.")],
    form: Annotated[
        str | None, typer.Option("--format", help=f"{', '.join(FORMATS)}; else the first line decides.")
    ] = None,
    data: Directory = None,
) -> None:
    """Add the quotes of a CSV file to the catalog.

    Importing a file again changes nothing. If a line of it is wrong, the months before that line may be in already.
    """
    with _one_line_errors():
        catalog = Catalog(_directory(data))
        source = " + ".join(path.name for path in files)
        with _bar(f"importing {source}") as progress:
            job = Import(files, form, progress)
            catalog.write(symbol, job, source, time.time_ns())
        typer.echo(_summary(symbol, job.report))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, times in UTC nanoseconds.")] = False,
    data: Directory = None,
) -> None:
    """Show what quotes there are."""
    with _one_line_errors():
        directory = _directory(data)
        entries = Catalog(directory).entries()
        if as_json:
            typer.echo(json.dumps([asdict(entry) for entry in entries]))
        elif entries:
            Console().print(_table(entries))
        else:
            typer.echo(f"{directory} has no quotes yet: mas data import --help")


@app.command()
def synth(
    symbol: Annotated[str, typer.Argument(help="A built-in symbol, such as GBPUSD.")],
    since: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day, UTC.")],
    until: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="The day after the last one.")],
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other prices.")] = 1,
    ticks: Annotated[bool, typer.Option("--ticks", help="Ticks in place of M1 bars.")] = False,
    data: Directory = None,
) -> None:
    """Fill the catalog with made-up prices. They are kept apart from real ones and always named as synthetic."""
    with _one_line_errors():
        spec = find_symbol(symbol)
        if spec is None:
            raise InvalidField("symbol", symbol, "a built-in symbol, such as EURUSD")
        first, end = _day("--from", since), _day("--to", until)
        if end <= first:
            raise InvalidField("--to", until, f"a day after --from ({since})")
        make = synthetic_quotes if ticks else synthetic_bars

        def stretches(progress: Callable[[int, int], None]) -> Iterator[Bars | Quotes]:
            for start in range(first, end, STRETCH * DAY):
                yield make(seed, spec, start, min(start + STRETCH * DAY, end))
                progress(min(start + STRETCH * DAY, end) - first, end - first)

        with _bar(f"making up {symbol}", sizes=False) as progress:
            rows = Catalog(_directory(data)).write(symbol, stretches(progress), f"seed {seed}", time.time_ns())
        kind = "ticks" if ticks else "M1 bars"
        typer.echo(f"{symbol}: {rows} synthetic {kind} from {since} to {until} (seed {seed})")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what the user or the disk got wrong into one line and exit code 2."""
    try:
        yield
    except (MasError, OSError) as error:
        typer.echo(f"mas data: {error}", err=True)
        raise typer.Exit(2) from None


@contextmanager
def _bar(text: str, sizes: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, which is only drawn on a terminal."""
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()]
    if sizes:
        columns.append(DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _directory(given: Path | None) -> Path:
    if given is not None:
        return given
    named = os.environ.get("MAS_DATA")
    return Path(named) if named else Path.home() / ".mas" / "data"


def _day(option: str, text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidField(option, text, "a day as YYYY-MM-DD") from None
    if not 1970 < day.year < 2262:
        raise InvalidField(option, text, "a day from 1971 to 2261")
    return int(day.timestamp()) * 1_000_000_000


def _text(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"


def _summary(symbol: str, report: Report) -> str:
    """One line for the rows, and one for what is odd about them, if anything is."""
    odd = [
        f"{count} {text}"
        for count, text in (
            (report.out_of_order, "rows out of order (sorted)"),
            (report.duplicates, "duplicates"),
            (report.crossed, "rows with an ask below the bid (raised to it)"),
            (report.unpaired, "rows of one side only (left out)"),
            (report.spikes, "spikes above 1 %"),
        )
        if count
    ]
    if report.gaps:
        hours = report.longest_gap / 3_600_000_000_000
        gap = f"the longest {hours:.1f} h from {_text(report.longest_gap_at)}"
        odd.append(f"{report.gaps} gaps above one hour, {gap}")
    line = f"{symbol}: {report.rows} rows from {_text(report.first)} to {_text(report.last)} UTC"
    return f"{line}\nworth a look: {'; '.join(odd)}" if odd else line


def _table(entries: list[Entry]) -> Table:
    table = Table("symbol", "kind", "from (UTC)", "to (UTC)", "rows", "source", box=None)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for entry in entries:
        kind = f"{entry.kind}, synthetic" if entry.synthetic else entry.kind
        table.add_row(
            entry.symbol, kind, _text(entry.first), _text(entry.last), str(entry.rows), ", ".join(entry.sources)
        )
    return table

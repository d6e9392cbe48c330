"""`mas data`: fill the catalog of quotes, and see what is in it.

A shell: environment, clock, terminal. Every refusal is one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from mas_router.errors import InvalidField, MasError
from sim_worker.bars import DAY
from sim_worker.catalog import FOLDERS, Catalog, Entry
from sim_worker.data_text import counted, day, gap, kind, moment, sources, summary, table
from sim_worker.formats import NAMES
from sim_worker.import_plan import Options
from sim_worker.importers import Import
from sim_worker.month_file import GROUP, CatalogError
from sim_worker.opening import default_data, default_market
from sim_worker.quotes import Bars, Quotes
from sim_worker.survey import GAP, Survey
from sim_worker.symbols import read_server
from sim_worker.symbols_command import Market
from sim_worker.synthetic import synthetic_bars, synthetic_quotes

app = typer.Typer(name="data", help="Quotes for backtests: import, list, check, make up.", no_args_is_help=True)

Directory = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The catalog; else $MAS_DATA, else ~/.mas/data."),
]
#: `mas data synth` works in stretches of so many days.
STRETCH = 7
#: Without a terminal, progress is told every so many seconds.
EVERY = 5.0
#: So many gaps are listed.
SHOWN = 10


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files, .gz, .zip or directories of one format; for fxcm the bid's and the ask's file."),
    ],
    symbol: Annotated[str, typer.Option(help="What the quotes are of, such as GBPUSD.")],
    form: Annotated[str | None, typer.Option("--format", help=f"{', '.join(NAMES)}; else the content decides.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Of times without an offset, in place of the format's: Europe/Athens, +02:00, NY+7."),
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Of format csv, by name or number: time=Date,bid=Bid,ask=Ask or time=1,open=2,...")
    ] = "",
    delimiter: Annotated[str, typer.Option(help="Between the columns of format csv; tab for a tab.")] = ",",
    time_format: Annotated[
        str, typer.Option(help="Of format csv: iso, s, ms, us, ns, or such as '%d.%m.%Y %H:%M:%S.%f'.")
    ] = "iso",
    spread: Annotated[
        float | None, typer.Option(help="In points, for bars of one side, in place of the file's or the symbol's.")
    ] = None,
    digits: Annotated[int | None, typer.Option(help="The decimals of a point, if not those of the symbol.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse files with a row that would be left out.")] = False,
    market: Market = None,
    data: Directory = None,
) -> None:
    """Add the quotes of files to the catalog.

    Rows of the same time are replaced, so importing a file again changes nothing. Nothing is changed if it fails.
    """
    options = Options(
        symbol=symbol,
        form=form,
        columns=columns,
        delimiter="\t" if delimiter in ("tab", "\\t") else delimiter,
        time_format=time_format,
        timezone=timezone,
        digits=digits,
        spread=spread,
        strict=strict,
    )
    with _one_line_errors():
        with _bar(f"importing {files[0].name}") as progress:
            job = Import(files, options, progress, read_server(market or default_market()).symbols.find)
            with Catalog(data or default_data()).adding(symbol, time.time_ns()) as addition:
                for name, tables in job.parts():
                    addition.write(tables, name)
        typer.echo(f"read as {job.assumed}")
        typer.echo(summary(symbol, job.report))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, times in UTC nanoseconds.")] = False,
    data: Directory = None,
) -> None:
    """Show what quotes there are."""
    with _one_line_errors():
        directory = data or default_data()
        entries = Catalog(directory).entries()
        if as_json:
            typer.echo(json.dumps([asdict(entry) for entry in entries]))
        elif entries:
            Console().print(table(entries))
        else:
            typer.echo(f"{directory} has no quotes yet: mas data import --help")


@app.command()
def show(
    symbol: Annotated[str, typer.Argument(help="A symbol of the catalog.")],
    data: Directory = None,
) -> None:
    """Show what there is of a symbol: ranges, rows, sources, and the gaps of more than an hour."""
    with _one_line_errors():
        catalog = Catalog(data or default_data())
        for entry in _entries(catalog, symbol):
            gaps = list(catalog.stretch(entry).gaps(GAP))
            typer.echo(
                f"{entry.symbol}, {kind(entry)}: {counted(entry.rows, 'row')} in {counted(entry.months, 'month')},"
            )
            typer.echo(
                f"  from {moment(entry.first)} to {moment(entry.last)} UTC, imported {moment(entry.imported_at)}"
            )
            typer.echo(f"  sources: {sources(entry, 20)}")
            typer.echo(f"  gaps above one hour of the Forex week: {len(gaps) or 'none'}")
            for ends in gaps[:SHOWN]:
                typer.echo(f"    {gap(ends)}")
            if len(gaps) > SHOWN:
                typer.echo(f"    and {len(gaps) - SHOWN} more")


@app.command()
def check(
    symbol: Annotated[str | None, typer.Argument(help="Only this symbol.")] = None,
    data: Directory = None,
) -> None:
    """Read every row again, and tell what is odd. Exit code 1 if a file is damaged."""
    with _one_line_errors():
        catalog = Catalog(data or default_data())
        for path in catalog.drafts():
            typer.echo(f"{path}: left behind by an import that was stopped, or in the making")
        unreadable = catalog.damaged()
        for text in unreadable:
            typer.echo(f"damaged: {text}", err=True)
        entries = [] if unreadable else _entries(catalog, symbol)
        sound = [_sound(catalog, entry) for entry in entries]  # of all, not up to the first that is not
    if unreadable or not all(sound):
        raise typer.Exit(1)


def _sound(catalog: Catalog, entry: Entry) -> bool:
    """Whether all rows of an entry can be read and are as quotes must be. Says what is odd."""
    survey = Survey()
    try:
        for rows in catalog.stretch(entry).chunks(GROUP):
            survey.add(rows.checked())
        if survey.report().rows != entry.rows:
            raise CatalogError(f"{survey.report().rows} rows, where the notes of the files say {entry.rows}")
    except (CatalogError, InvalidField) as error:
        typer.echo(f"{entry.symbol}, {kind(entry)}: damaged: {error}", err=True)
        return False
    typer.echo(summary(f"{entry.symbol}, {kind(entry)}", survey.report()))
    return True


@app.command()
def remove(
    symbol: Annotated[str, typer.Argument(help="A symbol of the catalog.")],
    only: Annotated[str | None, typer.Option("--kind", help=f"Only {', '.join(FOLDERS)}; else all kinds.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Directory = None,
) -> None:
    """Remove a symbol's quotes from the catalog. The files that they came from are not touched."""
    with _one_line_errors():
        if only not in (None, *FOLDERS):
            raise InvalidField("kind", only, f"one of {', '.join(FOLDERS)}")
        catalog = Catalog(data or default_data())
        found = {name: count for name, count in catalog.kinds(symbol).items() if only in (None, name)}
        if not found:
            raise CatalogError(f"{catalog.directory} has no {only or 'quotes'} of {symbol}")
        what = ", ".join(f"{name} ({counted(count, 'month')})" for name, count in found.items())
        if not yes and not typer.confirm(f"Remove {what} of {symbol}?"):
            raise CatalogError("nothing is removed; --yes removes without asking")
        catalog.remove(symbol, found)
        typer.echo(f"{symbol}: removed {what}")


def _entries(catalog: Catalog, symbol: str | None) -> list[Entry]:
    """What there is of a symbol, or of all. CatalogError, naming what to do, for a symbol that is not there."""
    entries = catalog.entries()
    found = [entry for entry in entries if symbol in (None, entry.symbol)]
    if symbol is not None and not found:
        have = ", ".join(sorted({entry.symbol for entry in entries})) or "nothing"
        raise CatalogError(
            f"{catalog.directory} has no quotes of {symbol}, only of: {have}. Fill it with: mas data import FILE "
            f"--symbol {symbol} | or with made-up prices: mas data synth {symbol} --from DAY --to DAY"
        )
    return found


@app.command()
def synth(
    symbol: Annotated[str, typer.Argument(help="A symbol of the simulator, such as GBPUSD.")],
    since: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day, UTC.")],
    until: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="The day after the last one.")],
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other prices.")] = 1,
    ticks: Annotated[bool, typer.Option("--ticks", help="Ticks in place of M1 bars.")] = False,
    market: Market = None,
    data: Directory = None,
) -> None:
    """Fill the catalog with made-up prices. They are kept apart from real ones and always named as synthetic."""
    with _one_line_errors():
        spec = read_server(market or default_market()).symbols.find(symbol)
        if spec is None:
            raise InvalidField("symbol", symbol, "a symbol of the simulator; mas symbols show lists them")
        first, end = day("--from", since), day("--to", until)
        if end <= first:
            raise InvalidField("--to", until, f"a day after --from ({since})")
        make = synthetic_quotes if ticks else synthetic_bars

        def stretches(progress: Callable[[int, int], None]) -> Iterator[Bars | Quotes]:
            for start in range(first, end, STRETCH * DAY):
                yield make(seed, spec, start, min(start + STRETCH * DAY, end))
                progress(min(start + STRETCH * DAY, end) - first, end - first)

        with _bar(f"making up {symbol}", sizes=False) as progress:
            rows = Catalog(data or default_data()).write(symbol, stretches(progress), f"seed {seed}", time.time_ns())
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
    """A progress bar on stderr; where that is no terminal, a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(text)
        return
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()]
    if sizes:
        columns.append(DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_lines(text: str) -> Callable[[int, int], None]:
    """Progress as a line of text every few seconds."""
    due = time.monotonic() + EVERY

    def show_line(done: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + EVERY
            typer.echo(f"{text}: {100 * done // max(1, total)} %", err=True)

    return show_line

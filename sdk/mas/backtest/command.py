"""`mas backtest`: one run in this process, or a grid of them over many."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mas.backtest import grid, plan, points, strategy
from mas.backtest.fleet import Fleet, local, remote
from mas.backtest.measure import KPIS
from mas.backtest.parameters import Parameter, require_all
from mas.backtest.performing import replay
from mas.backtest.plan import Job, Subscription
from mas.backtest.points import Point
from mas.backtest.results import Results, results
from mas.backtest.rows import columns
from mas.backtest.screen import show_one, show_table, shown
from mas.backtest.strategy import Source
from mas.client import Client
from mas_router.amqp import AmqpTransport
from mas_router.cli.broker import BACKTEST, PATIENCE, Url, broker
from mas_router.cli.screen import screen
from mas_router.errors import CallerError, InvalidField
from mas_router.runs import Place

#: What a message can carry.
MOST_PARAMETERS: Final = 64


class SourceName(StrEnum):
    """Where quotes come from."""

    CATALOG = "catalog"
    SYNTHETIC = "synthetic"


class MarginMode(StrEnum):
    """How an account keeps positions."""

    HEDGING = "hedging"
    NETTING = "netting"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A checked command line: what to run, and where it comes from."""

    source: Source
    found: type[Client]
    known: dict[str, Parameter]
    fixed: Point
    subscription: Subscription
    varying: dict[str, points.Axis] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{self.source.name}:{self.found.__name__}"


def command(
    target: Annotated[
        str, typer.Argument(metavar="STRATEGY", help="A file or an import path; with :Class when it has several.")
    ],
    symbol: Annotated[str, typer.Option(help="What to trade, such as EURUSD, or EURUSD,GBPUSD.")],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="YYYY-MM-DD[ HH:MM[:SS]], UTC.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="The end, which is not in it.")],
    timeframe: Annotated[str, typer.Option(help="Bars of this length, such as M5, or M5,H1.")] = "",
    ticks: Annotated[bool, typer.Option("--ticks", help="Ticks in place of bars.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; repeatable.")
    ] = None,
    capital: Annotated[float | None, typer.Option(help="The deposit; else the market file's, else 10,000.")] = None,
    leverage: Annotated[int | None, typer.Option(help="Of the account; else the market file's, else 100.")] = None,
    margin_mode: Annotated[MarginMode | None, typer.Option(help="Likewise, else hedging.")] = None,
    source: Annotated[SourceName, typer.Option(help="Your quotes, or made-up ones.")] = SourceName.CATALOG,
    seed: Annotated[int, typer.Option(help="Of made-up quotes, of Python's `random`, and of --random.")] = 1,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The catalog of quotes; else $MAS_DATA, else ~/.mas/data.")
    ] = None,
    market: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Symbols and accounts; else $MAS_MARKET, else the built-in ones."),
    ] = None,
    grid_: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="NAME=A,B,C", help="Vary a parameter; repeatable: every combination is run."),
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="NAME=LOW:HIGH[:STEP|int|log]", help="Vary a number; repeatable."),
    ] = None,
    random: Annotated[int | None, typer.Option(min=1, metavar="N", help="Draw N points of the grid.")] = None,
    random_seed: Annotated[int | None, typer.Option(help="Of --random alone; else --seed.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Processes on this machine, even with a RabbitMQ; else a core each."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write kpi_report.html and trade_chart.html of a single run.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=1, max=604_800, help="Seconds that one run of a grid may take.")
    ] = 3600,
    sort: Annotated[str, typer.Option(help=f"The figure to sort by: {', '.join(KPIS)}.")] = "profit",
    top: Annotated[int, typer.Option(min=0, help="Rows of the table.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep results in this .csv or .parquet; runs in it are left out."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As --out, for a file that must be there.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do failed runs of the file again.")] = False,
    strategies: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where import paths begin; else a file's directory, else this one."),
    ] = None,
    url: Url = None,
) -> None:
    """Run a strategy over a range of quotes; with --grid or --range, one run for each combination of parameters.

    A grid is spread over the simulator workers that were started with --strategies and have the same files there. With
    --jobs, or without a RabbitMQ, over processes on this machine.
    """
    _set_environment(MAS_DATA=data, MAS_MARKET=market)
    if sort not in KPIS:
        raise InvalidField("--sort", sort, f"one of {', '.join(KPIS)}")
    quotes = {
        "symbol": _listed(symbol),
        **_rows_of(timeframe, ticks),
        "from": since,
        "to": until,
        "capital": capital,
        "leverage": leverage,
        "margin_mode": margin_mode and margin_mode.value,
        "source": source.value,
        "seed": seed,
    }
    wanted = _wanted(target, strategies, quotes, set_ or [], grid_ or [], range_ or [])
    if not wanted.varying:
        _refuse_without_grid(random=random, jobs=jobs, out=out or resume)
        _one(wanted, url, report)
        return
    if report is not None:
        raise CallerError("--report is for a single run: leave --grid and --range out, and --set the best parameters")
    drawn = points.drawn(wanted.varying, random, seed if random_seed is None else random_seed) if random else None
    every = points.every(wanted.varying) if drawn is None else drawn
    jobs_ = [Job(wanted.path, wanted.source.code, {**wanted.fixed, **point}, wanted.subscription) for point in every]
    with results(_file(out, resume), columns(jobs_[0].point), wanted.known) as kept:
        todo = grid.left(jobs_, kept, retry_failed=retry_failed)
        code = _grid(wanted, jobs_, todo, kept, url=url, jobs=jobs, seconds=time_limit, kpi=sort, top=top)
    raise typer.Exit(code)


# ---- what is asked for ---------------------------------------------------------------------------------------------


def _wanted(
    target: str, strategies: Path | None, quotes: dict[str, Any], set_: list[str], grid_: list[str], range_: list[str]
) -> _Wanted:
    path, name = strategy.split(target)
    source = strategy.source_of(path, strategies)
    subscription = plan.subscription(quotes)
    found = strategy.find(strategy.load(source), name)
    known = strategy.settable(found)
    fixed, varying = points.settings(set_, known), points.axes(grid_, range_, known)
    if both := fixed.keys() & varying.keys():
        raise CallerError(f"{', '.join(sorted(both))}: either --set or varied, not both")
    if len(fixed) + len(varying) > MOST_PARAMETERS:
        raise CallerError(f"at most {MOST_PARAMETERS} parameters can be given")
    require_all(known, [*fixed, *varying])
    return _Wanted(source, found, known, fixed, subscription, varying)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _rows_of(timeframe: str, ticks: bool) -> dict[str, list[str]]:
    if ticks == bool(timeframe):
        raise CallerError("give --timeframe, such as M5, or --ticks" + (", not both" if ticks else ""))
    return {} if ticks else {"timeframe": _listed(timeframe)}


def _refuse_without_grid(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise CallerError(f"--{name} is for a grid: give --grid or --range, too")


def _file(out: Path | None, resume: Path | None) -> Path | None:
    if resume is None:
        return out
    if out is not None and out != resume:
        raise CallerError("--out and --resume name one file: give one of them")
    if not resume.exists() and not resume.with_suffix(".partial.csv").exists():
        raise InvalidField("--resume", str(resume), "a file of results; there is none")
    return resume


def _set_environment(**paths: Path | None) -> None:
    """Clients in this process, whoever makes them, find these files."""
    for name, path in paths.items():
        if path is not None:
            os.environ[name] = str(path.resolve())


def _heading(wanted: _Wanted) -> str:
    """What is run, on which quotes: those that are made up are named as such."""
    one = wanted.subscription
    synthetic = f", made-up prices (seed {one.seed})" if one.source == "synthetic" else ""
    return f"{wanted.path} on {', '.join(one.symbols)} {', '.join(one.timeframes) or 'ticks'}{synthetic}"


# ---- one run -------------------------------------------------------------------------------------------------------


def _one(wanted: _Wanted, url: str | None, directory: Path | None) -> None:
    """In this process: what the strategy prints is seen, and a debugger works."""
    if url:
        os.environ["MAS_BACKTEST_URL"] = url
    console = screen()
    written: list[dict[str, Any]] = []

    def write(client: Client) -> None:
        if directory is not None:
            written.extend(
                (client.generate_kpi_report(directory=directory), client.generate_trade_chart(directory=directory))
            )

    outcome = replay(wanted.found, wanted.fixed, wanted.subscription, after=write)
    console.print(_heading(wanted), markup=False)
    show_one(console, dict(outcome.kpis), outcome.seconds)
    for answer in written:
        console.print(answer.get("path") or f"no report: {answer['error']}", markup=False, soft_wrap=True)


# ---- a grid --------------------------------------------------------------------------------------------------------


def _grid(
    wanted: _Wanted,
    jobs_: list[Job],
    todo: list[Job],
    kept: Results,
    *,
    url: str | None,
    jobs: int | None,
    seconds: float,
    kpi: str,
    top: int,
) -> int:
    """Do what is left and show all; the exit code."""
    console, varying, started = screen(), list(wanted.varying), time.monotonic()
    there = f", {len(jobs_) - len(todo)} of them are there already" if len(todo) < len(jobs_) else ""
    console.print(f"{_heading(wanted)}: {len(jobs_)} runs{there}", markup=False)
    interrupted = False
    if todo:
        with _fleet(wanted, url, jobs) as fleet, shown(console, len(todo), varying, kpi) as progress:
            try:
                grid.run(todo, fleet, kept, progress, seconds)
            except KeyboardInterrupt:
                interrupted = True
        took = time.monotonic() - started
        console.print(f"{progress.done} runs in {took:.1f} s, {progress.done / took:.1f} a second", markup=False)
    mine = [kept.rows[job.key] for job in jobs_ if job.key in kept.rows]
    show_table(console, mine, varying, kpi, top)
    if interrupted:
        console.print(f"interrupted with {len(jobs_) - len(mine)} runs to go", markup=False)
        return 130
    return int(any(row["status"] == "failed" for row in mine))


@contextmanager
def _fleet(wanted: _Wanted, url: str | None, jobs: int | None) -> Iterator[Fleet]:
    """The workers of the broker that is named, or else processes here."""
    named = url or next((os.environ[name] for name in BACKTEST if os.environ.get(name)), None)
    if named is None or jobs is not None:
        place = _place(wanted.source)
        with local(place, jobs or os.cpu_count() or 1) as here:
            yield here
        return
    with broker(named, "mas backtest") as transport, _workers(transport) as there:
        yield there


@contextmanager
def _workers(transport: AmqpTransport) -> Iterator[Fleet]:
    with remote(transport, f"grid-{secrets.token_hex(5)}", PATIENCE) as fleet:
        yield fleet


def _place(source: Source) -> Place:
    catalog, market = os.environ.get("MAS_DATA"), os.environ.get("MAS_MARKET")
    data = Path(catalog) if catalog else Path.home() / ".mas" / "data"
    return Place(source.directory, data, Path(market) if market else None, "local")

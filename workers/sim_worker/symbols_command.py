"""`mas symbols`: what a trade server offers, and whether a market file is right."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mas_router.errors import InvalidField
from sim_worker.market_file import WORDS, worded
from sim_worker.opening import default_market
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import ServerSettings, read_server

app = typer.Typer(name="symbols", help="Symbols and accounts of the simulator: show, check.", no_args_is_help=True)

Market = Annotated[
    Path | None,
    typer.Option("--market", metavar="FILE", help="Symbols and accounts; else $MAS_MARKET, else the built-in ones."),
]


@app.command()
def show(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Symbols; none: a list of all.")
    ] = None,
    market: Market = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the symbols of the trade server, or show every setting of some of them."""
    server = read_server(market or default_market())
    chosen = [_symbol(server, name) for name in names or ()]
    if as_json:
        typer.echo(json.dumps({spec.name: settings(spec) for spec in chosen or server.symbols.values()}, indent=2))
    elif chosen:
        for spec in chosen:
            _print_settings(spec)
    else:
        _print_list(server)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A market file.")]) -> None:
    """Read a market file as a worker would. The first thing that is wrong with it is named; exit code 2."""
    server = read_server(file)
    typer.echo(f"{file}: {len(server.symbols)} symbols (with the built-in ones), {server.accounts} accounts")


def settings(spec: SymbolSpec) -> dict[str, Any]:
    """A symbol's settings in the words of a market file."""
    values = {item.name: getattr(spec, item.name) for item in fields(spec)}
    return {name: worded(WORDS[name], value) if name in WORDS else _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "items") else value


def _symbol(server: ServerSettings, name: str) -> SymbolSpec:
    spec = server.symbols.find(name)
    if spec is None:
        raise InvalidField("symbol", name, "one of " + ", ".join(server.symbols))
    return spec


def _print_settings(spec: SymbolSpec) -> None:
    table = Table(title=spec.name, show_header=False, title_justify="left", box=None)
    for name, value in settings(spec).items():
        table.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    Console().print(table)


def _print_list(server: ServerSettings) -> None:
    table = Table(
        "symbol", "description", "digits", "contract", "calculation", "execution", "lots", box=None, expand=False
    )
    table.columns[0].no_wrap = True
    for name, spec in server.symbols.items():
        lots = f"{spec.volume_min:g} to {spec.volume_max:g} by {spec.volume_step:g}"
        words = (str(worded(WORDS[key], getattr(spec, key))) for key in ("calc_mode", "execution"))
        table.add_row(name, spec.description, str(spec.digits), f"{spec.contract_size:g}", *words, lots)
    Console().print(table)

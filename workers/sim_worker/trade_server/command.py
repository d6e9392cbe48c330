"""`mas sim-terminal`: terminals of a simulated trade server as a process."""

from __future__ import annotations

import signal
import threading
import tomllib
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from mas_router.cli import logs
from mas_router.errors import InvalidField
from sim_worker.catalog import Catalog
from sim_worker.command import Data
from sim_worker.data_text import day
from sim_worker.opening import default_data
from sim_worker.quotes import Quotes
from sim_worker.symbols import read_server
from sim_worker.trade_server.local import LOGIN, PASSWORD
from sim_worker.trade_server.personality import DEFAULT, built_in, find
from sim_worker.trade_server.server import TradeServer
from sim_worker.trade_server.sockets import serve


def command(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where to listen on 127.0.0.1; 0: a free port.")] = 9700,
    personality: Annotated[str, typer.Option(help="A built-in broker (see --list), or a TOML file.")] = DEFAULT,
    accounts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with [[accounts]]: login, password, deposit ...")
    ] = None,
    market: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A market file with the symbols; else the built-in ones.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the prices that are made up.")] = 1,
    scripted: Annotated[bool, typer.Option("--scripted", help="No prices and no time but those of a control.")] = False,
    symbol: Annotated[
        list[str] | None, typer.Option(help="Replay the catalog's ticks of this symbol; may be given several times.")
    ] = None,
    since: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day of a replay, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="The day after its last one.")] = "",
    speed: Annotated[
        float, typer.Option(min=0, max=1e6, help="How fast its time goes; 0: only a control moves it.")
    ] = 1.0,
    data: Data = None,
    show: Annotated[bool, typer.Option("--list", help="Show the built-in brokers and exit.")] = False,
    log_level: Annotated[logs.Level, typer.Option(help="What is logged to stderr.")] = logs.Level.INFO,
) -> None:
    """Serve simulated MetaTrader 5 terminals to programs that use `sim_worker.terminal`, until SIGTERM or Ctrl-C.

    Accounts and their orders live as long as this process, whatever becomes of the programs.
    """
    if show:
        for broker in built_in().values():
            typer.echo(f"{broker.name:22}{broker.description}")
        return
    logs.set_up(log_level, False)
    broker, symbols = find(personality), read_server(market).symbols
    if scripted and symbol:
        raise InvalidField("--symbol", ", ".join(symbol), "left out with --scripted")
    if (since or until) and not symbol:
        raise InvalidField("--from, --to", f"{since} {until}".strip(), "left out without --symbol")
    if scripted:
        server = TradeServer.scripted(broker, symbols=symbols)
    elif symbol:
        quotes = _past(data or default_data(), symbol, since, until)
        quotes = {name + broker.suffix: ticks for name, ticks in quotes.items()}
        server = TradeServer.replay(quotes, broker, speed=speed, symbols=symbols)
    else:
        server = TradeServer(broker, seed=seed, symbols=symbols)
    for account in _accounts(accounts):
        server.control("add_account", account)
    stop = threading.Event()
    _stop_on_signals(stop)
    with serve(server, port) as listener:
        typer.echo(f"{listener.path} {broker.name}")
        while not stop.wait(3_600.0):
            pass


def _past(data: Path, symbols: list[str], since: str, until: str) -> dict[str, Quotes]:
    """The catalog's ticks of these symbols. Raises InvalidField for the days, DataMissing."""
    catalog, first, end = Catalog(data), day("--from", since), day("--to", until)
    if end <= first:
        raise InvalidField("--to", until, f"a day after --from ({since})")
    return {symbol: catalog.read_ticks(symbol, first, end) for symbol in symbols}


def _accounts(path: Path | None) -> list[dict[str, Any]]:
    """The accounts of a file; without one, a single one for a first try."""
    if path is None:
        return [{"login": LOGIN, "password": PASSWORD, "investor": "", "settings": {}}]
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("accounts", [])
    except tomllib.TOMLDecodeError as error:
        raise InvalidField("accounts", str(path), f"a TOML file ({error})") from None
    if not isinstance(tables, list) or not tables:
        raise InvalidField("accounts", str(path), "at least one table [[accounts]]")
    return [_account(table) for table in tables]


def _account(table: dict[str, Any]) -> dict[str, Any]:
    if "login" not in table or "password" not in table:
        raise InvalidField("accounts", sorted(table), "a login and a password")
    own = ("login", "password", "investor")
    settings = {name: value for name, value in table.items() if name not in own}
    return {name: table.get(name, "") for name in own} | {"settings": settings}


def _stop_on_signals(stop: threading.Event) -> None:
    def handler(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)

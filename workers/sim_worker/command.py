"""`mas sim-worker`: one simulator worker as a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mas_router.amqp import AmqpTransport
from mas_router.cli import logs
from mas_router.cli.broker import Url, url_of, wait
from mas_router.errors import CallerError, InvalidField
from mas_router.runs import Place
from sim_worker.opening import Sources, default_data, default_market
from sim_worker.runner import Runner, RunnerSettings, stop_on_signals
from sim_worker.symbols import read_server

Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The catalog of quotes; else $MAS_DATA, else ~/.mas/data.")
]

Market = Annotated[
    Path | None,
    typer.Option("--market", metavar="FILE", help="Symbols and accounts; else $MAS_MARKET, else the built-in ones."),
]


def command(
    url: Url = None,
    data: Data = None,
    market: Market = None,
    slots: Annotated[int, typer.Option(min=1, max=10_000, help="Simulated accounts at once.")] = 32,
    name: Annotated[str, typer.Option(help="The worker's name in `mas status`; else one is made up.")] = "",
    drain: Annotated[float, typer.Option(min=0.1, help="Seconds that a shutdown may take.")] = 10.0,
    connect_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for RabbitMQ at the start.")] = 60.0,
    strategies: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also run whole backtests (`mas backtest --grid`) of the strategies in here."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Backtests at once, each in a process; else one for each core.")
    ] = None,
    run_limit: Annotated[float, typer.Option(min=1, help="Seconds that one backtest may take at most.")] = 86_400.0,
    log_level: Annotated[logs.Level, typer.Option(help="What is logged to stderr.")] = logs.Level.INFO,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="One JSON object per log line.")] = False,
) -> None:
    """Serve simulated accounts, until SIGTERM or Ctrl-C: then finish what was taken, tell the clients, exit 0.

    Start as many as there are cores: they share the work. RabbitMQ may be started after them. With --strategies it runs
    the code in that directory, and no other, for everybody who may use this RabbitMQ.
    """
    logs.set_up(log_level, json_logs)
    transport = AmqpTransport(url_of(url), name=name or "sim-worker")
    try:
        if runs is not None and strategies is None:
            raise CallerError("--runs is for backtests of strategies: give --strategies, too")
        catalog, server = data or default_data(), market or default_market()
        sources = Sources(catalog, read_server(server))
        place = Place(_directory(strategies), catalog, server, name, run_limit) if strategies else None
        settings = RunnerSettings(sources, name, slots, drain, place, runs or os.cpu_count() or 1)
        runner = Runner(transport, settings)
        stop_on_signals(runner)
        if wait(transport, connect_timeout, after_refusal=connect_timeout, stopped=runner.stop.is_set):
            runner.run()
    finally:
        transport.close()


def _directory(given: Path) -> Path:
    """Raises InvalidField: a worker whose every run fails would be found out late."""
    if not given.is_dir():
        raise InvalidField("--strategies", str(given), "a directory")
    return given

"""`mas topology`: the exchanges, queues and bindings, as they are meant and as they are on a broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from mas_router.cli.broker import BACKTEST, LIVE, Url, broker
from mas_router.cli.plan import Account, Plan, Planned, account, everything, wanted
from mas_router.cli.plan import describe as described
from mas_router.cli.screen import screen, table
from mas_router.errors import TopologyError
from mas_router.topology import Arguments, Binding, Exchange, Queue
from mas_router.transport import Transport


class QueueType(StrEnum):
    """The type of the queues of live accounts."""

    QUORUM = "quorum"
    CLASSIC = "classic"


Live = Annotated[
    list[str] | None,
    typer.Option("--live", metavar="SERVER[:LOGIN]", help="A trade server, or one account at it; may be repeated."),
]
Kind = Annotated[
    QueueType, typer.Option(help="Of live accounts' queues. A quorum queue survives the loss of one of three nodes.")
]
app = typer.Typer(name="topology", help="Exchanges, queues and bindings.", no_args_is_help=True)


@app.command()
def declare(
    url: Url = None,
    live: Live = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="The stream of all events.")] = False,
    queue_type: Kind = QueueType.QUORUM,
) -> None:
    """Declare ahead of time what workers and clients would declare when they start. May be repeated.

    Without --live and --ledger: what backtests need. With --live the URL is --url, else $MAS_LIVE_URL, else $MAS_URL.
    """
    plan = wanted(_accounts(live), ledger, queue_type)
    with broker(url, "mas topology", LIVE if live else BACKTEST) as transport:
        transport.declare([planned.item for planned in plan])
        typer.echo(f"declared at {transport.address}: {described(plan)}")


@app.command()
def show(
    url: Url = None,
    live: Live = None,
    queue_type: Kind = QueueType.QUORUM,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the whole topology; names in CAPITALS stand for many. With --url, also what of it exists there."""
    plan = everything(_accounts(live), queue_type)
    found: dict[str, str] | None = None
    if url:
        with broker(url, "mas topology") as transport:
            found = _look(transport, plan)
    if as_json:
        typer.echo(json.dumps(_as_dict(plan, found)))
        return
    console = screen()
    for part in (_exchanges(plan, found), _queues(plan, found), _bindings(plan)):
        console.print(part)
        console.print()


def _accounts(live: list[str] | None) -> list[Account]:
    return [account(text) for text in live or []]


# ---- what exists ---------------------------------------------------------------------------------------------------


def _look(transport: Transport, plan: Plan) -> dict[str, str]:
    """What the broker has of the plan, by name, in a word or two. Raises NotConnected."""
    found = {}
    for item in (planned.item for planned in plan if not planned.many):
        if isinstance(item, Exchange):
            found[item.name] = _ask(lambda name=item.name: _has(transport, name))  # type: ignore[misc]
        elif isinstance(item, Queue):
            found[item.name] = _ask(lambda name=item.name: _length(transport, name))  # type: ignore[misc]
    return found


def _ask(question: Callable[[], str]) -> str:
    try:
        return question()
    except TopologyError:
        return "no permission"


def _has(transport: Transport, exchange: str) -> str:
    return "yes" if transport.has_exchange(exchange) else "no"


def _length(transport: Transport, queue: str) -> str:
    info = transport.inspect(queue)
    return f"{info.messages} messages, {info.consumers} consumers" if info else "no"


# ---- showing -------------------------------------------------------------------------------------------------------


def _as_dict(plan: Plan, found: dict[str, str] | None) -> dict[str, list[dict[str, object]]]:
    def entry(planned: Planned) -> dict[str, object]:
        item = planned.item
        fields = {name: getattr(item, name) for name in item.__dataclass_fields__}
        row = {**fields, "arguments": dict(item.arguments), "many": planned.many}
        return row if found is None or isinstance(item, Binding) else {**row, "found": found.get(item.name)}

    kinds = {"exchanges": Exchange, "queues": Queue, "bindings": Binding}
    return {name: [entry(p) for p in plan if isinstance(p.item, kind)] for name, kind in kinds.items()}


def _table(title: str, *columns: str, found: dict[str, str] | None = None) -> Table:
    return table(title, *columns, *(["on the broker"] if found is not None else []))


def _exchanges(plan: Plan, found: dict[str, str] | None) -> Table:
    made = _table("Exchanges", "name", "type", "arguments", found=found)
    for item in (planned.item for planned in plan):
        if isinstance(item, Exchange):
            _row(made, item.name, found, item.kind, _text(item.arguments))
    return made


def _queues(plan: Plan, found: dict[str, str] | None) -> Table:
    made = _table("Queues", "name", "kind", "arguments", found=found)
    for item in (planned.item for planned in plan):
        if isinstance(item, Queue):
            kind = "exclusive" if item.exclusive else "durable" if item.durable else "transient"
            _row(made, item.name, found, kind, _text(item.arguments))
    return made


def _bindings(plan: Plan) -> Table:
    made = _table("Bindings", "exchange", "key", "queue")
    for item in (planned.item for planned in plan):
        if isinstance(item, Binding):
            made.add_row(item.exchange, item.key or _text(item.arguments), item.queue)
    return made


def _row(made: Table, name: str, found: dict[str, str] | None, *cells: str) -> None:
    made.add_row(name, *cells, *([found.get(name, "")] if found is not None else []))


def _text(arguments: Arguments) -> str:
    return ", ".join(f"{name.removeprefix('x-')}={value}" for name, value in arguments.items())

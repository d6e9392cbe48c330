"""`mas status`: who serves, whom, and what is wrong."""

from __future__ import annotations

import json
import secrets
import threading
import time
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from mas_router import topology
from mas_router.cli.broker import Url, broker
from mas_router.cli.health import Fleet, Heard, problems
from mas_router.cli.screen import fitting, screen
from mas_router.codec import decode
from mas_router.errors import DecodeError, TopologyError
from mas_router.messages import Beat, Row, Scalar
from mas_router.topology import Binding, Queue
from mas_router.transport import Delivery, QueueInfo, Transport

MEANINGS: Final = {
    topology.OPEN_QUEUE: "clients that wait for a simulated account",
    topology.RUN_QUEUE: "backtests that wait for a worker with --strategies",
    topology.DEAD_QUEUE: "messages that nobody could be told of",
    topology.LEDGER_QUEUE: "every event, for audit",
}
#: Columns by their worth: a narrow terminal shows the first ones.
WORKER: Final = ("worker", "state", "open", "free", "runs", "lag", "waiting", "handled", "up", "host", "version")
SESSION: Final = ("account", "server", "client", "market", "positions", "orders", "idle", "handled", "worker")
QUEUE: Final = ("queue", "messages", "consumers", "holds")
NUMBERS: Final = {
    "open",
    "free",
    "runs",
    "lag",
    "waiting",
    "handled",
    "up",
    "positions",
    "orders",
    "idle",
    "messages",
    "consumers",
}
#: A beat names so many sessions; of more, nobody knows the number.
NAMED: Final = 64


def status(
    url: Url = None,
    wait: Annotated[float, typer.Option(min=1.0, max=60, help="Seconds to listen; workers beat once a second.")] = 2.5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when there is a problem.")] = False,
) -> None:
    """Show workers, their sessions and the queues, and say in words what is wrong.

    Listens on a queue of its own and takes no message from anybody.
    """
    with broker(url, "mas status") as transport:
        fleet = look(transport, wait)
    found = problems(fleet)
    if as_json:
        typer.echo(json.dumps(_as_dict(fleet, found)))
    else:
        _draw(screen(), fleet, found)
    if check and found:
        raise typer.Exit(1)


# ---- looking -------------------------------------------------------------------------------------------------------


def look(transport: Transport, seconds: float) -> Fleet:
    """Listen for so long. Raises NotConnected, TopologyError."""
    heard: dict[str, Heard] = {}
    listening = transport.has_exchange(topology.EVENTS)
    if listening:
        _listen(transport, seconds, heard)
    queues = {name: _inspect(transport, name) for name in MEANINGS}
    return Fleet(transport.address, seconds if listening else 0.0, heard, queues)


def _listen(transport: Transport, seconds: float, heard: dict[str, Heard]) -> None:
    queue = Queue(f"mas.status.{secrets.token_hex(6)}", durable=False, exclusive=True)

    def hear(delivery: Delivery) -> None:
        try:
            message = decode(delivery.body)
        except DecodeError:  # another version's worker; it cannot be shown
            return
        if isinstance(message, Beat):
            heard[message.worker] = Heard(message, time.time_ns())

    transport.declare([queue, Binding(topology.EVENTS, queue.name, "*.*.*.*.beat")])
    consumer = transport.consume(queue.name, hear, auto_ack=True)
    threading.Event().wait(seconds)
    consumer.cancel()


def _inspect(transport: Transport, queue: str) -> QueueInfo | None:
    try:
        return transport.inspect(queue)
    except TopologyError:  # no permission: as good as not there
        return None


# ---- showing -------------------------------------------------------------------------------------------------------


def _as_dict(fleet: Fleet, found: list[str]) -> dict[str, object]:
    queues = {
        name: None if info is None else {"messages": info.messages, "consumers": info.consumers}
        for name, info in fleet.queues.items()
    }
    workers = [
        {**heard.beat.model_dump(exclude={"kind", "v"}), "clock_ahead_ms": round(heard.skew / 1e6, 1)}
        for _, heard in sorted(fleet.workers.items())
    ]
    return {
        "broker": fleet.address,
        "healthy": not found,
        "problems": found,
        "workers": workers,
        "queues": queues,
    }


def _draw(console: Console, fleet: Fleet, found: list[str]) -> None:
    console.print(f"RabbitMQ at [bold]{escape(fleet.address)}[/], listened for {fleet.seconds:g} s\n")
    for title, columns, rows in (
        ("Workers", WORKER, [_worker(heard) for _, heard in sorted(fleet.workers.items())]),
        ("Simulated accounts", SESSION, [_session(beat, row) for beat in fleet.beats for row in beat.sessions]),
        ("Queues", QUEUE, [_queue(name, info) for name, info in fleet.queues.items() if info is not None]),
    ):
        if rows:
            console.print(fitting(console, title, columns, rows, NUMBERS))
            console.print()
    for text in found:
        console.print(f"[bold red]problem[/]  {escape(text)}")
    if not found:
        console.print("[green]no problems[/]")


def _worker(heard: Heard) -> list[str]:
    beat = heard.beat
    return [
        escape(beat.worker),
        "[yellow]draining[/]" if beat.draining else "[green]serving[/]",
        f"{len(beat.sessions)}{'+' if len(beat.sessions) >= NAMED else ''}",
        str(beat.slots),
        f"{beat.runs}/{beat.run_slots}" if beat.run_slots else "-",
        f"{beat.lag_ms:.1f} ms",
        str(beat.waiting),
        str(beat.handled),
        duration((beat.time - beat.started) / 1e9),
        escape(beat.host),
        escape(beat.version),
    ]


def _session(beat: Beat, row: Row) -> list[str]:
    market = f"replay, row {_cell(row.get('row'))}" if row.get("replay") else "wall clock"
    names = [_cell(row.get(name)) for name in ("login", "server", "client")]
    counts = [_cell(row.get(name)) for name in ("positions", "orders")]
    idle = f"{_cell(row.get('idle_s'))} s"
    return [*names, market, *counts, idle, _cell(row.get("handled")), escape(beat.worker)]


def _queue(name: str, info: QueueInfo) -> list[str]:
    return [name, str(info.messages), str(info.consumers), MEANINGS[name]]


def _cell(value: Scalar) -> str:
    return "-" if value in ("", None) else escape(str(value))


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h`, `12 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

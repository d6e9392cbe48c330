"""`mas tail`: order states and deals as they happen."""

from __future__ import annotations

import itertools
import json
import queue
import secrets
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mas_router import topology
from mas_router.cli import lines
from mas_router.cli.broker import Url, broker
from mas_router.cli.screen import screen
from mas_router.codec import decode
from mas_router.errors import DecodeError, InvalidField
from mas_router.messages import Event, Report
from mas_router.topology import Binding, Queue
from mas_router.transport import Delivery, Transport

#: Events of a fast replay that this program is too slow for: the broker keeps so many reports and drops the oldest.
BUFFER = 10_000
PREFETCH = 500
FOREVER = 366 * 86_400.0
#: Ctrl-C is handled in the main thread, and only when it wakes: the kernel may give the signal to another one.
LISTEN_SECONDS = 0.5

Seen = tuple[Report, str, Event]


class Kind(StrEnum):
    """One of the two kinds of events."""

    STATUS = "status"
    EXECUTION = "execution"


def tail(
    url: Url = None,
    account: Annotated[str, typer.Option(metavar="LOGIN", help="Only of this account.")] = "",
    client: Annotated[str, typer.Option(metavar="ID", help="Only of this client.")] = "",
    kind: Annotated[Kind | None, typer.Option(help="Only order states, or only deals.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many events.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End after this.")] = None,
) -> None:
    """Print events of all accounts, live and simulated, until Ctrl-C: one line each, times in UTC.

    A replay's events carry its simulated time. Listens on a queue of its own and takes no message from anybody.
    """
    pattern = _pattern(account, client)
    show = _json_line if as_json else _line(screen())
    with broker(url, "mas tail") as transport:
        try:
            for seen in itertools.islice(_events(transport, pattern, kind, seconds or FOREVER), count):
                show(*seen)
        except KeyboardInterrupt:
            return


def _pattern(account: str, client: str) -> str:
    """The events' routing key is mode.server.login.client.kind."""
    if "." in client:
        raise InvalidField("--client", client, "a client id, which has no dots")
    return f"*.*.{topology.slug(account) if account else '*'}.{client or '*'}.report"


def _events(transport: Transport, pattern: str, kind: Kind | None, seconds: float) -> Iterator[Seen]:
    """Events as they come, for so long. Raises TopologyError, NotConnected."""
    inbox: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
    deadline = time.monotonic() + seconds
    _listen(transport, pattern, inbox.put)
    while (left := deadline - time.monotonic()) > 0:
        try:
            delivery = inbox.get(timeout=min(left, LISTEN_SECONDS))
        except queue.Empty:
            continue
        yield from _read(delivery, kind)
        delivery.ack()


def _listen(transport: Transport, pattern: str, put: Callable[[Delivery], None]) -> None:
    if not transport.has_exchange(topology.EVENTS):
        transport.declare(topology.base())
    limit: topology.Arguments = {"x-max-length": BUFFER, "x-overflow": "drop-head"}
    own = Queue(f"mas.tail.{secrets.token_hex(6)}", durable=False, exclusive=True, arguments=limit)
    transport.declare([own, Binding(topology.EVENTS, own.name, pattern)])
    transport.consume(own.name, put, prefetch=PREFETCH)
    transport.watch(_tell)
    typer.echo(f"listening at {transport.address}", err=True)


def _tell(connected: bool, reason: str) -> None:
    """On the transport's thread, which also ends with a change: that one is no news."""
    if reason != "closed":
        typer.echo("connected again" if connected else f"no connection ({reason}): events are missed", err=True)


def _read(delivery: Delivery, kind: Kind | None) -> Iterator[Seen]:
    try:
        report = decode(delivery.body)
    except DecodeError as error:
        typer.echo(f"left out a message that cannot be read: {error}", err=True)
        return
    if isinstance(report, Report):
        client = delivery.key.split(".")[3]
        yield from ((report, client, event) for event in report.events if kind in (None, event.kind))


def _json_line(report: Report, client: str, event: Event) -> None:
    typer.echo(json.dumps(lines.as_dict(report, client, event)))


def _line(console: Console) -> Callable[[Report, str, Event], None]:
    def show(report: Report, _client: str, event: Event) -> None:
        state = (f"{lines.word(event):<9}", lines.colour(event))
        line = Text.assemble((lines.head(report, event), "dim"), " ", state, " ", lines.tail(event))
        console.print(line, soft_wrap=True)

    return show

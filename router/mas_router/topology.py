"""Every exchange, queue and binding of the system, as data.

Pure: a name or a list of declarations comes out, nothing is sent. `Transport.declare` carries them out, on
RabbitMQ or in memory, and repeats them after a reconnect. Arguments stay inside what RabbitMQ 3.10 to 4.x
understand alike; a queue name ends in its schema version because arguments are frozen once declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Argument = str | int | bool
Arguments = Mapping[str, Argument]

BACKTEST = "mas.backtest"
EVENTS = "mas.events"
DEAD_LETTERS = "mas.dlx"
DEAD = "mas.dead"
DEAD_QUEUE = "mas.dead.v1"
OPEN_QUEUE = "mas.backtest.open.v1"
RUN_QUEUE = "mas.backtest.runs.v1"
LEDGER_QUEUE = "mas.ledger.v1"

OPEN_TTL_MS = 30_000
REPLY_EXPIRES_MS = 3_600_000
RUN_TTL_MS = 3_600_000
REPLY_MAX_LENGTH = 50_000
ORDERS_MAX_LENGTH = 200
COMMAND_TTL_MS = 60_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """An AMQP exchange; `kind` is topic, headers or fanout."""

    name: str
    kind: str = "topic"
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """An AMQP queue. `exclusive` ties it to the declaring connection: it goes when that connection goes."""

    name: str
    durable: bool = True
    exclusive: bool = False
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue's wish for the messages of an exchange with a routing key pattern (or header values)."""

    exchange: str
    queue: str
    key: str = ""
    arguments: Arguments = field(default_factory=dict)


Declaration = Exchange | Queue | Binding


@lru_cache(maxsize=4096)
def slug(server: str) -> str:
    """The name of an MT5 trade server as one word of a routing key: `MetaQuotes-Demo` -> `metaquotes-demo`."""
    return re.sub(r"[^a-z0-9-]+", "-", server.strip().lower()).strip("-") or "none"


def live_exchange(server: str) -> str:
    return f"mas.live.{slug(server)}"


def live_queue(server: str, login: str, lane: str) -> str:
    """The queue of one account: `lane` is orders or control."""
    return f"mas.live.{slug(server)}.{slug(login)}.{lane}.v1"


def reply_queue(client: str) -> str:
    return f"mas.reply.{client}.v1"


def session_queue(session: str) -> str:
    return f"mas.backtest.session.{session}.v1"


def event_key(mode: str, server: str, login: str, client: str, kind: str) -> str:
    """The routing key of an event: `backtest.none.1001.c1.report`."""
    return f"{mode}.{slug(server)}.{slug(login)}.{client}.{kind}"


def base() -> list[Declaration]:
    """What every participant needs: the event exchange and a dead-letter exchange that can always route.

    The alternate exchange behind `mas.dlx` is what keeps at-least-once dead-lettering from blocking a queue.
    """
    return [
        Exchange(DEAD, "fanout"),
        Exchange(DEAD_LETTERS, "headers", {"alternate-exchange": DEAD}),
        Exchange(EVENTS),
        Queue(DEAD_QUEUE, arguments={"x-max-length": 100_000, "x-overflow": "drop-head"}),
        Binding(DEAD, DEAD_QUEUE),
    ]


def backtest() -> list[Declaration]:
    """The exchange of the simulators and the work queue from which they take new sessions."""
    arguments: Arguments = {"x-message-ttl": OPEN_TTL_MS, "x-dead-letter-exchange": DEAD_LETTERS}
    return [
        *base(),
        Exchange(BACKTEST),
        Queue(OPEN_QUEUE, arguments=arguments),
        Binding(BACKTEST, OPEN_QUEUE, "open"),
    ]


def runs() -> list[Declaration]:
    """The work queue of whole backtests: workers that offer to run strategies share it.

    A run that waits for too long goes back to its client, which may ask again.
    """
    arguments: Arguments = {"x-message-ttl": RUN_TTL_MS, "x-dead-letter-exchange": DEAD_LETTERS}
    return [*backtest(), Queue(RUN_QUEUE, arguments=arguments), Binding(BACKTEST, RUN_QUEUE, "run")]


def session(name: str) -> list[Declaration]:
    """The command queue of one simulated account. It dies with its worker, so a command is returned at once.

    What the worker cannot read goes back to its client, or to the dead letters.
    """
    queue = session_queue(name)
    arguments: Arguments = {"x-dead-letter-exchange": DEAD_LETTERS}
    return [Queue(queue, durable=False, exclusive=True, arguments=arguments), Binding(BACKTEST, queue, f"{name}.*")]


def client(name: str, patterns: tuple[str, ...] = ()) -> list[Declaration]:
    """The reply queue of one client: its own events, the events of `patterns`, and its own dead letters."""
    queue = reply_queue(name)
    arguments: Arguments = {
        "x-expires": REPLY_EXPIRES_MS,
        "x-max-length": REPLY_MAX_LENGTH,
        "x-overflow": "drop-head",
    }
    return [
        *base(),
        Queue(queue, arguments=arguments),
        *(Binding(EVENTS, queue, key) for key in (f"*.*.*.{name}.*", *patterns)),
        Binding(DEAD_LETTERS, queue, arguments={"x-match": "all", "client": name}),
    ]


def live(server: str) -> list[Declaration]:
    return [*base(), Exchange(live_exchange(server))]


def live_account(server: str, login: str, queue_type: str = "quorum") -> list[Declaration]:
    """The two queues of one account; each key reaches exactly one of them, so a nack means "not queued"."""
    common: dict[str, Argument] = {
        "x-queue-type": queue_type,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": DEAD_LETTERS,
        "x-message-ttl": COMMAND_TTL_MS,
    }
    if queue_type == "quorum":
        common["x-delivery-limit"] = 5
    limited = {**common, "x-max-length": ORDERS_MAX_LENGTH, "x-overflow": "reject-publish"}
    orders, control = (live_queue(server, login, lane) for lane in ("orders", "control"))
    exchange = live_exchange(server)
    return [
        *live(server),
        Queue(orders, arguments=limited),
        Queue(control, arguments=common),
        Binding(exchange, orders, f"{slug(login)}.order"),
        Binding(exchange, control, f"{slug(login)}.control"),
    ]


def ledger() -> list[Declaration]:
    """A stream of every event, for audit and replay."""
    arguments = {"x-queue-type": "stream", "x-max-age": "30D"}
    return [*base(), Queue(LEDGER_QUEUE, arguments=arguments), Binding(EVENTS, LEDGER_QUEUE, "#")]

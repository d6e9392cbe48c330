"""Which declarations make up a topology. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mas_router import topology
from mas_router.errors import InvalidField
from mas_router.topology import Binding, Declaration, Exchange, Queue


@dataclass(frozen=True, slots=True)
class Account:
    """A trade server, or with a login one account at it."""

    server: str
    login: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A declaration; `many` when its name stands for many, such as one queue for each client."""

    item: Declaration
    many: bool = False


Plan = Sequence[Planned]


def account(text: str) -> Account:
    """`MetaQuotes-Demo` or `MetaQuotes-Demo:1001`. Raises InvalidField."""
    server, colon, login = (part.strip() for part in text.partition(":"))
    if not server or (colon and not login):
        raise InvalidField("--live", text, "SERVER or SERVER:LOGIN, such as MetaQuotes-Demo:1001")
    return Account(server, login)


def wanted(live: Sequence[Account], ledger: bool, queue_type: str) -> Plan:
    """What to declare: what is named, else the backtest topology."""
    parts = [_of(one, queue_type) for one in live]
    if ledger:
        parts.append(topology.ledger())
    return _once(Planned(item) for part in parts or [topology.runs()] for item in part)


def everything(live: Sequence[Account], queue_type: str) -> Plan:
    """The whole topology, with names in capitals where there are many of a kind."""
    real = [*topology.runs(), *topology.ledger()]
    for one in live:
        real += _of(one, queue_type)
    many = [*topology.session("SESSION"), *topology.client("CLIENT")]
    if not live:
        many += [_capitals(item) for item in topology.live_account("broker", "login", queue_type)]
    return _once([*(Planned(item) for item in real), *(Planned(item, True) for item in many)])


def describe(plan: Plan) -> str:
    """`5 exchanges, 2 queues, 2 bindings`."""
    kinds = {"exchanges": Exchange, "queues": Queue, "bindings": Binding}
    return ", ".join(f"{sum(isinstance(p.item, kind) for p in plan)} {name}" for name, kind in kinds.items())


def _of(one: Account, queue_type: str) -> list[Declaration]:
    return topology.live_account(one.server, one.login, queue_type) if one.login else topology.live(one.server)


def _once(plan: Iterable[Planned]) -> Plan:
    """Without repetitions, in order. Arguments are dictionaries, so there is nothing to hash."""
    seen: list[Declaration] = []
    kept = []
    for planned in plan:
        if planned.item not in seen:
            seen.append(planned.item)
            kept.append(planned)
    return kept


def _capitals(item: Declaration) -> Declaration:
    """The names of a live account, which `topology` writes in small letters, as placeholders."""

    def shout(name: str) -> str:
        words = name.split(".")
        return ".".join(word.upper() if word in ("broker", "login") else word for word in words)

    if isinstance(item, Exchange):
        return Exchange(shout(item.name), item.kind, item.arguments)
    if isinstance(item, Queue):
        return Queue(shout(item.name), item.durable, item.exclusive, item.arguments)
    return Binding(shout(item.exchange), shout(item.queue), shout(item.key), item.arguments)

"""Events as lines: for people, or one JSON object each. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mas_router.messages import Event, Report, Status
from mas_router.mt5_enums import Retcode
from mas_router.orders import State

COLOURS: Final = {
    State.FILLED: "green",
    State.PARTIALLY_FILLED: "green",
    State.ACCEPTED: "cyan",
    State.UNKNOWN: "bold red",
    State.REJECTED: "red",
    State.DENIED: "red",
    State.STALE: "red",
    State.CANCELED: "yellow",
    State.EXPIRED: "yellow",
}
DEAL: Final = "deal"
_DONE: Final = frozenset({Retcode.DONE, Retcode.DONE_PARTIAL, Retcode.PLACED})


def word(event: Event) -> str:
    """The state of the order, or `deal`."""
    return event.state.value if isinstance(event, Status) else DEAL


def colour(event: Event) -> str:
    return COLOURS.get(event.state, "default") if isinstance(event, Status) else "bold"


def head(report: Report, event: Event) -> str:
    """Time (UTC, simulated in a replay), mode, account, client order id."""
    return f"{moment(event.time)} {report.mode:<8} {report.login or '-':<6} {event.id or '-':<14}"


def tail(event: Event) -> str:
    """What happened, as short as it can be said."""
    trade = f"{event.order_type} {event.volume:g} {event.symbol} @ {event.price:.10g}"
    if isinstance(event, Status):
        parts = [trade if event.order_type else event.symbol, _ticket(event.ticket), _why(event)]
    else:
        closing = event.entry != "in"
        parts = [
            trade,
            _ticket(event.ticket),
            f"{event.entry} of #{event.position} {event.profit:+.2f}" if closing else "",
        ]
    return " ".join(filter(None, parts))


def _ticket(ticket: int) -> str:
    return f"#{ticket}" if ticket else ""


def _why(status: Status) -> str:
    """The return code and text of a refusal, or what was adapted; that a request was executed, its state says."""
    if status.retcode in _DONE:
        return status.message.partition("; ")[2]
    return f"{status.retcode or ''} {status.message}".strip()


def as_dict(report: Report, client: str, event: Event) -> dict[str, object]:
    """Everything that is known, flat; `time` in ISO 8601, `time_ns` as it travels."""
    about = {"mode": report.mode, "account": report.login, "server": report.server, "client": client}
    where = {"session": report.session, "seq": report.seq}
    fields = event.model_dump(mode="json")
    time = fields.pop("time")
    return {"time": f"{moment(event.time)}Z".replace(" ", "T"), **about, **where, **fields, "time_ns": time}


def moment(ns: int) -> str:
    """`2025-03-01 12:00:00.123`; whole milliseconds, cut off."""
    whole = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1000:03d}"

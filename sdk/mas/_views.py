"""From events and records to the documented dictionaries. Pure.

The documented names stay as they are; what is added next to them is listed in `docs/reference/events.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mas._book import Entry
from mas_router import mt5
from mas_router.messages import Execution, Report, Row, Scalar, Status
from mas_router.orders import FINAL, State
from mas_router.request import documented_dict

SCHEMA = 1
_RETCODE_NAMES = {int(code): f"TRADE_RETCODE_{code.name.removeprefix('TRADE_RETCODE_')}" for code in mt5.Retcode}
_NOT_TOLD = frozenset({"kind", "id", "position", "order_type", "row"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRANSIENT = frozenset(
    {
        mt5.TRADE_RETCODE_REQUOTE,
        mt5.TRADE_RETCODE_PRICE_CHANGED,
        mt5.TRADE_RETCODE_PRICE_OFF,
        mt5.TRADE_RETCODE_TOO_MANY_REQUESTS,
    }
)


def when(ns: int) -> datetime:
    """An aware UTC time; microseconds are the finest that a datetime holds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def retcode_name(retcode: int) -> str:
    return _RETCODE_NAMES.get(retcode, "")


class StatusView:
    """What was known of an order when a status came. The dictionary is made on the thread that hands it to the user."""

    __slots__ = ("_entry", "_filled", "_note", "_position", "_reconciled", "_report", "_status", "_ticket")

    def __init__(self, status: Status, report: Report, entry: Entry) -> None:
        known = entry.known
        self._status, self._report, self._entry = status, report, entry
        self._ticket = status.ticket or known.ticket
        self._position = status.position or known.position
        self._filled, self._reconciled = known.filled, entry.reconciled
        self._note, entry.note = entry.note, ""  # what was adapted on the way is said once

    def data(self) -> dict[str, Any]:
        """What `receive_order_status` gets: status, retcode, message, request, action; and what is added."""
        status, report, request = self._status, self._report, self._entry.request
        volume = status.volume or request.volume
        data: dict[str, Any] = {
            "status": status.retcode,
            "retcode": status.retcode,
            "retcode_name": retcode_name(status.retcode),
            "message": "; ".join(filter(None, (status.message, self._note))),
            "request": documented_dict(report.request or request),
            "state": status.state.value,
            "reason": status.reason,
            "client_order_id": self._entry.name,
            "ticket": self._ticket,
            "position_id": self._position,
            "order_type": status.order_type or self._entry.order_type,
            "symbol": status.symbol or request.symbol,
            "volume": volume,
            "filled_volume": self._filled,
            "remaining_volume": round(volume - self._filled, 8),
            "price": status.price,
            "final": status.state in FINAL,
            "outcome": "ambiguous" if status.state is State.UNKNOWN else "definitive",
            "reconciled": self._reconciled,
            "retryable": status.retcode in _TRANSIENT,
            "time": when(status.time),
            **_common(report, status.magic or request.magic),
        }
        if status.verb != "send":
            data["action"] = status.verb
        return data


def execution_data(execution: Execution, report: Report, client_order_id: str) -> dict[str, Any]:
    """What `receive_order_execution` gets: price, volume, symbol, time, type; and what is added."""
    return {
        **{name: value for name, value in execution.__dict__.items() if name not in _NOT_TOLD},
        "time": when(execution.time),
        "time_msc": execution.time // 1_000_000,
        "type": execution.order_type,
        "position_id": execution.position,
        "client_order_id": client_order_id,
        **_common(report, execution.magic),
    }


def _common(report: Report, magic: int) -> dict[str, Any]:
    return {
        "magic": magic,
        "account": report.login,
        "broker": report.server,
        "mode": report.mode,
        "session": report.session,
        "seq": report.seq,
        "schema": SCHEMA,
    }


def record(row: Row) -> dict[str, Any]:
    """A position, order or deal: times as aware datetimes, `_msc` times as the integers that MT5 has."""
    return {name: _time(value) if _is_time(name) else value for name, value in row.items()}


def _is_time(name: str) -> bool:
    return name.startswith("time") and not name.endswith("_msc")


def _time(value: Scalar) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) and value else None

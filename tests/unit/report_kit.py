"""Deals as the trade server's records have them, for the tests of reports."""

from __future__ import annotations

from typing import Any

BUY, SELL, BALANCE = 0, 1, 2
IN, OUT, INOUT, OUT_BY = 0, 1, 2, 3
_NUMBERS = iter(range(700_000_001, 800_000_000))


def deal(kind: int, entry: int, volume: float, price: float, **fields: Any) -> dict[str, Any]:
    """A row with the fields of TradeDeal."""
    return {
        "ticket": next(_NUMBERS),
        "order": 1,
        "time_msc": fields.pop("at", 0),
        "type": kind,
        "entry": entry,
        "magic": 0,
        "position_id": 1,
        "reason": 3,
        "volume": volume,
        "price": price,
        "commission": 0.0,
        "swap": 0.0,
        "profit": 0.0,
        "fee": 0.0,
        "symbol": "EURUSD",
        "comment": "",
        **fields,
    }


def deposit(amount: float, at: int = 0) -> dict[str, Any]:
    return deal(BALANCE, IN, 0.0, 0.0, profit=amount, symbol="", position_id=0, order=0, at=at)

"""What a terminal shows of a trade server: rows of symbols and market depth, and which records were asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from mas_router.messages import Row
from sim_worker.masks import in_group
from sim_worker.records import SECOND, Deal, Order, Position

R = TypeVar("R", Position, Order, Deal)
_NO_QUOTE: Final[Row] = {
    "time": 0,
    "bid": 0.0,
    "ask": 0.0,
    "spread": 0,
    "trade_tick_value": 0.0,
    "trade_tick_value_profit": 0.0,
    "trade_tick_value_loss": 0.0,
}


def symbol_row(row: Row, *, selected: bool) -> Row:
    """The fields of SymbolInfo that are not empty. A symbol that is not in Market Watch has no quote."""
    shown: Row = row if selected else {**row, **_NO_QUOTE}
    return {
        **shown,
        "select": selected,
        "visible": selected,
        "ticks_bookdepth": 1,  # a quote is one level on each side
    }


def day_rows(bids: Any, asks: Any, close: float) -> Row:
    """What the day has brought so far. `close`: the last bid of the day before, to which the change in percent relates
    (MQL5 docs, "Symbol Properties", SYMBOL_PRICE_CHANGE); 0 if there was none.
    """
    row: Row = {"session_close": close}
    if not len(bids):
        return row
    return row | {
        "bidhigh": float(bids.max()),
        "bidlow": float(bids.min()),
        "askhigh": float(asks.max()),
        "asklow": float(asks.min()),
        "session_open": float(bids[0]),
        "price_change": round((float(bids[-1]) / close - 1.0) * 100.0, 4) if close else 0.0,
    }


def tick_row(time: int, bid: float, ask: float) -> Row:
    """The fields of Tick."""
    return {"time": time // SECOND, "bid": bid, "ask": ask, "time_msc": time // 1_000_000, "flags": 6}


def selected(records: Iterable[R], args: Mapping[str, Any]) -> list[R]:
    """Of orders or positions: the ticket, else the symbol, else the group."""
    if "ticket" in args:
        return [r for r in records if not isinstance(r, Deal) and r.ticket == args["ticket"]]
    return [r for r in records if _wanted(r.symbol, args)]


def _wanted(symbol: str, args: Mapping[str, Any]) -> bool:
    if args.get("symbol"):
        return bool(symbol == args["symbol"])
    return not args.get("group") or in_group(symbol, args["group"])


def past(records: Iterable[R], args: Mapping[str, Any]) -> list[R]:
    """Of the history: the ticket of an order, else a position, else two dates (both included) and a group."""
    if "ticket" in args:
        return [r for r in records if _order_of(r) == args["ticket"]]
    if "position" in args:
        return [r for r in records if not isinstance(r, Position) and r.position_id == args["position"]]
    since, until = args["since"] * SECOND, (args["until"] + 1) * SECOND
    return [r for r in records if since <= _done(r) < until and _wanted(r.symbol, args)]


def _order_of(record: Position | Order | Deal) -> int:
    return record.order if isinstance(record, Deal) else record.ticket


def _done(record: Position | Order | Deal) -> int:
    return record.time_done if isinstance(record, Order) else record.time

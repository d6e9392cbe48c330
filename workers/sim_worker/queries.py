"""Records of a simulated account, selected as MT5 selects them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from mas_router import mt5
from mas_router.messages import Query, Row
from sim_worker.engine import Engine
from sim_worker.masks import in_group
from sim_worker.records import Deal, Order, Position, row

NS = 1_000_000_000


def _wanted(symbol: str, query: Query) -> bool:
    """Without a ticket: the symbol counts, else the group (MetaTrader5 package: ticket, then symbol, then group)."""
    if query.symbol:
        return symbol == query.symbol
    return not query.group or in_group(symbol, query.group)


def _positions(engine: Engine, query: Query) -> list[Position]:
    if query.ticket:
        return [p for p in engine.positions() if p.ticket == query.ticket]
    return [p for p in engine.positions() if _wanted(p.symbol, query)]


def _orders(engine: Engine, query: Query) -> list[Order]:
    if query.ticket:
        return [o for o in engine.orders() if o.ticket == query.ticket]
    return [o for o in engine.orders() if _wanted(o.symbol, query)]


def _in_time(moment: int, query: Query) -> bool:
    return query.since <= moment <= (query.until or moment)


def _history_orders(engine: Engine, query: Query) -> list[Order]:
    """By ticket or position whatever the time; else by the time at which the order was done."""
    if query.ticket:
        return [o for o in engine.history_orders() if o.ticket == query.ticket]
    if query.position:
        return [o for o in engine.history_orders() if o.position_id == query.position]
    return [o for o in engine.history_orders() if _in_time(o.time_done, query) and _wanted(o.symbol, query)]


def _deals(engine: Engine, query: Query) -> list[Deal]:
    """`ticket` is the ticket of the order that caused the deals, as in history_deals_get."""
    if query.ticket:
        return [d for d in engine.deals() if d.order == query.ticket]
    if query.position:
        return [d for d in engine.deals() if d.position_id == query.position]
    if not (query.since or query.until or query.symbol or query.group):
        return engine.deals()  # a report reads thousands, page by page
    return [d for d in engine.deals() if _in_time(d.time, query) and _wanted(d.symbol, query)]


def _symbols(engine: Engine, names: Sequence[str], query: Query) -> list[Row]:
    return [engine.symbol_row(name) for name in names if _wanted(name, query)]


def _tick(engine: Engine, query: Query) -> list[Row]:
    quote = engine.last_quote(query.symbol)
    if quote is None:
        return []
    time, bid, ask = quote
    return [
        {
            "time": time // NS,
            "bid": bid,
            "ask": ask,
            "last": engine.last_price(query.symbol),
            "volume": 0,
            "time_msc": time // 1_000_000,
        }
    ]


def depth(engine: Engine, symbol: str) -> list[Row]:
    """The depth of market, from the highest price down (MQL5 docs, MarketBookGet).

    A quote is one level on each side: what it offers to buyers and to sellers, less what was taken of it.
    """
    quote = engine.last_quote(symbol)
    if quote is None:
        return []
    _, bid, ask = quote
    levels = ((mt5.BOOK_TYPE_SELL, ask, engine.offered(symbol, 0)), (mt5.BOOK_TYPE_BUY, bid, engine.offered(symbol, 1)))
    return [_level(side, price, lots) for side, price, lots in levels if lots > 0.0]


def _level(side: int, price: float, lots: float) -> Row:
    return {"type": int(side), "price": price, "volume": int(lots), "volume_dbl": lots}


def _swaps(engine: Engine, query: Query) -> list[Row]:
    return [{"time_msc": a.time // 1_000_000, "position_id": a.position_id, "swap": a.swap} for a in engine.accruals()]


_RECORDS: dict[str, Callable[[Engine, Query], Sequence[Position | Order | Deal]]] = {
    "positions": _positions,
    "orders": _orders,
    "history_orders": _history_orders,
    "deals": _deals,
}


def select(engine: Engine, symbols: Sequence[str], query: Query) -> Sequence[Row]:
    """The rows that a query asks for, in the order of their tickets. `symbols` are the names that the server lists."""
    if query.what == "account":
        return [engine.account_row()]
    if query.what == "symbols":
        return _symbols(engine, symbols, query)
    if query.what == "tick":
        return _tick(engine, query)
    if query.what == "book":
        return depth(engine, query.symbol)
    if query.what == "swaps":
        return _swaps(engine, query)
    return _Rows(_RECORDS[query.what](engine, query))


class _Rows(Sequence[Row]):
    """Records that become rows when they are looked at: an answer takes a page of what may be thousands."""

    def __init__(self, records: Sequence[Position | Order | Deal]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [row(record) for record in self._records[at]]
        return row(self._records[at])

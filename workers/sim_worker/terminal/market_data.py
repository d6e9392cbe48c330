"""Symbols, quotes, market depth, bars and ticks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_worker.terminal import arguments as argument
from sim_worker.terminal.arrays import RATES, TICKS
from sim_worker.terminal.failures import BadArgument
from sim_worker.terminal.state import api, call
from sim_worker.terminal.structs import BookInfo, SymbolInfo, Tick

Moment = int | float | datetime
Records = NDArray[np.void]


@api(None)
def symbols_total() -> int:
    """The number of all symbols of the trade server."""
    return int(call("symbols_total"))


@api(None)
def symbols_get(*args: Any, **kwargs: Any) -> tuple[SymbolInfo, ...]:
    """All symbols, or those of `group="mask, mask, !mask"`."""
    if args:
        raise BadArgument("Unnamed arguments not allowed")
    group = argument.named("group", argument.group_mask, kwargs, "")
    return tuple(SymbolInfo.of(row) for row in call("symbols_get", group=group))


@api(None)
def symbol_info(symbol: str, /) -> SymbolInfo:
    """The properties of a symbol."""
    return SymbolInfo.of(call("symbol_info", symbol=argument.symbol_name(symbol)))


@api(None)
def symbol_info_tick(symbol: str, /) -> Tick:
    """The newest quote of a symbol in Market Watch."""
    return Tick.of(call("symbol_info_tick", symbol=argument.symbol_name(symbol)))


@api(False)
def symbol_select(symbol: str, enable: bool = True, /) -> bool:
    """Put a symbol into Market Watch, or take it out. One with a position or an order stays in."""
    return bool(call("symbol_select", symbol=argument.symbol_name(symbol), enable=argument.flag(enable)))


@api(False)
def market_book_add(symbol: str, /) -> bool:
    """Subscribe to the market depth of a symbol."""
    return bool(call("market_book_add", symbol=argument.symbol_name(symbol)))


@api(None)
def market_book_get(symbol: str, /) -> tuple[BookInfo, ...]:
    """The market depth, sell lines first, from the highest price to the lowest."""
    return tuple(BookInfo.of(row) for row in call("market_book_get", symbol=argument.symbol_name(symbol)))


@api(False)
def market_book_release(symbol: str, /) -> bool:
    """Cancel the subscription to the market depth."""
    return bool(call("market_book_release", symbol=argument.symbol_name(symbol)))


@api(None)
def copy_rates_from(symbol: str, timeframe: int, date_from: Moment, count: int, /) -> Records:
    """`count` bars back from a date."""
    return _rates(symbol, timeframe, until=argument.moment(date_from), count=_count(count))


@api(None)
def copy_rates_from_pos(symbol: str, timeframe: int, start_pos: int, count: int, /) -> Records:
    """`count` bars back from bar number `start_pos`, where 0 is the present one."""
    return _rates(symbol, timeframe, position=argument.c_int(start_pos), count=_count(count))


@api(None)
def copy_rates_range(symbol: str, timeframe: int, date_from: Moment, date_to: Moment, /) -> Records:
    """The bars that open between two dates, both included."""
    return _rates(symbol, timeframe, since=argument.moment(date_from), until=argument.moment(date_to))


@api(None)
def copy_ticks_from(symbol: str, date_from: Moment, count: int, flags: int, /) -> Records:
    """`count` ticks from a date on."""
    return _ticks(symbol, flags, since=argument.moment(date_from), count=_count(count))


@api(None)
def copy_ticks_range(symbol: str, date_from: Moment, date_to: Moment, flags: int, /) -> Records:
    """The ticks between two dates."""
    return _ticks(symbol, flags, since=argument.moment(date_from), until=argument.moment(date_to))


def _count(value: int) -> int:
    return int(argument.c_int(value))


def _rates(symbol: str, timeframe: int, **which: int) -> Records:
    name, frame = argument.symbol_name(symbol), argument.c_int(timeframe)
    return _array(call("copy_rates", symbol=name, timeframe=frame, **which), RATES)


def _ticks(symbol: str, flags: int, **which: int) -> Records:
    name, kind = argument.symbol_name(symbol), argument.c_int(flags)
    return _array(call("copy_ticks", symbol=name, flags=kind, **which), TICKS)


def _array(data: bytes, dtype: np.dtype[Any]) -> Records:
    """Writable, as the package's arrays are."""
    return np.frombuffer(data, dtype=dtype).copy()

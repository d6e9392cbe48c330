"""The package's short forms for market orders: Buy, Sell and Close.

They send with a deviation of 10 points and name no filling mode, so it is FOK. A requote and missing prices are tried
again with the newest quote, ten times in all.
"""

from __future__ import annotations

from typing import Any, Final

from sim_worker.terminal.constants import (
    ORDER_TYPE_BUY,
    ORDER_TYPE_SELL,
    TRADE_ACTION_DEAL,
    TRADE_RETCODE_DONE,
    TRADE_RETCODE_PRICE_OFF,
    TRADE_RETCODE_REQUOTE,
)
from sim_worker.terminal.market_data import symbol_info_tick
from sim_worker.terminal.structs import OrderSendResult
from sim_worker.terminal.trading import order_send, positions_get

ATTEMPTS: Final = 10
DEVIATION: Final = 10
_AGAIN: Final = frozenset({int(TRADE_RETCODE_REQUOTE), int(TRADE_RETCODE_PRICE_OFF)})


def Buy(
    symbol: str, volume: float, price: float | None = None, *, comment: str | None = None, ticket: int | None = None
) -> OrderSendResult | None:
    """Buy at a price, or at the present ask. `ticket`: the position that this closes."""
    return _deal(ORDER_TYPE_BUY, symbol, volume, price, comment, ticket)


def Sell(
    symbol: str, volume: float, price: float | None = None, *, comment: str | None = None, ticket: int | None = None
) -> OrderSendResult | None:
    """Sell at a price, or at the present bid. `ticket`: the position that this closes."""
    return _deal(ORDER_TYPE_SELL, symbol, volume, price, comment, ticket)


def Close(symbol: str, *, comment: str | None = None, ticket: int | None = None) -> bool | str | None:
    """Close the positions of a symbol, or the one with this ticket.

    True: all of them; "Partially": some of them; False: none; None: a call failed. TypeError if the positions cannot be
    read, as in the real package.
    """
    positions: Any = positions_get(symbol=symbol) if ticket is None else positions_get(ticket=ticket)
    done = 0
    for position in positions:
        opposite = ORDER_TYPE_BUY if position.type else ORDER_TYPE_SELL
        result = _closing(opposite, symbol, position.volume, comment, position.ticket)
        if result is None:
            return None
        done += result.retcode == TRADE_RETCODE_DONE
    if not done:
        return False
    return True if done == len(positions) else "Partially"


def _closing(kind: int, symbol: str, volume: float, comment: str | None, ticket: int) -> OrderSendResult | None:
    result = None
    for _ in range(ATTEMPTS):
        tick = symbol_info_tick(symbol)
        if tick is None:
            return None
        result = _send(kind, symbol, volume, tick.bid if kind else tick.ask, comment, ticket)
        if result is None or result.retcode not in _AGAIN:
            break
    return result


def _deal(
    kind: int, symbol: str, volume: float, price: float | None, comment: str | None, ticket: int | None
) -> OrderSendResult | None:
    if price is not None:
        return _send(kind, symbol, volume, price, comment, ticket)
    result = None
    for _ in range(ATTEMPTS):
        tick: Any = symbol_info_tick(symbol)  # without one the real package fails with the same AttributeError
        result = _send(kind, symbol, volume, tick.bid if kind else tick.ask, comment, ticket)
        if result is None or result.retcode not in _AGAIN:
            break
    return result


def _send(
    kind: int, symbol: str, volume: float, price: float, comment: str | None, ticket: int | None
) -> OrderSendResult | None:
    request: dict[str, Any] = {
        "action": TRADE_ACTION_DEAL,
        "symbol": symbol,
        "volume": volume,
        "type": kind,
        "price": price,
        "deviation": DEVIATION,
    }
    if comment is not None:
        request["comment"] = comment
    if ticket is not None:
        request["position"] = ticket
    return order_send(request)

"""Orders, positions and history; checking, sending and calculating."""

from __future__ import annotations

from typing import Any

from sim_worker.terminal import arguments as argument
from sim_worker.terminal.state import api, call
from sim_worker.terminal.structs import OrderCheckResult, OrderSendResult, TradeDeal, TradeOrder, TradePosition


@api(None)
def orders_total() -> int:
    """The number of active orders."""
    return int(call("orders_total"))


@api(None)
def orders_get(*args: Any, **kwargs: Any) -> tuple[TradeOrder, ...]:
    """The active orders, of `ticket=`, else of `symbol=`, else of `group=`."""
    return tuple(TradeOrder.of(row) for row in call("orders_get", **argument.selection(args, kwargs)))


@api(None)
def positions_total() -> int:
    """The number of open positions."""
    return int(call("positions_total"))


@api(None)
def positions_get(*args: Any, **kwargs: Any) -> tuple[TradePosition, ...]:
    """The open positions, of `ticket=`, else of `symbol=`, else of `group=`."""
    return tuple(TradePosition.of(row) for row in call("positions_get", **argument.selection(args, kwargs)))


@api(None)
def history_orders_total(*args: Any) -> int:
    """The number of orders that were done between two dates."""
    return int(call("history_orders_total", **argument.period(args, {})))


@api(None)
def history_orders_get(*args: Any, **kwargs: Any) -> tuple[TradeOrder, ...]:
    """The orders that were done between two dates (and of `group=`), or of `ticket=`, or of `position=`."""
    return tuple(TradeOrder.of(row) for row in call("history_orders_get", **argument.period(args, kwargs)))


@api(None)
def history_deals_total(*args: Any) -> int:
    """The number of deals between two dates."""
    return int(call("history_deals_total", **argument.period(args, {})))


@api(None)
def history_deals_get(*args: Any, **kwargs: Any) -> tuple[TradeDeal, ...]:
    """The deals between two dates (and of `group=`), or of the order `ticket=`, or of `position=`."""
    return tuple(TradeDeal.of(row) for row in call("history_deals_get", **argument.period(args, kwargs)))


@api(None)
def order_calc_margin(action: int, symbol: str, volume: float, price: float, /) -> float:
    """The margin of an order by itself, in the deposit currency."""
    return float(call("order_calc_margin", **_calculation(action, symbol, volume), price=argument.number(price)))


@api(None)
def order_calc_profit(action: int, symbol: str, volume: float, price_open: float, price_close: float, /) -> float:
    """The profit from one price to another, in the deposit currency."""
    prices = {"price_open": argument.number(price_open), "price_close": argument.number(price_close)}
    return float(call("order_calc_profit", **_calculation(action, symbol, volume), **prices))


def _calculation(action: int, symbol: str, volume: float) -> dict[str, Any]:
    return {
        "action": argument.unsigned(32)(action),
        "symbol": argument.symbol_name(symbol),
        "volume": argument.number(volume),
    }


@api(None)
def order_check(*args: Any, **kwargs: Any) -> OrderCheckResult:
    """Would this request pass? A dict or keywords. Retcode 0 means yes."""
    request = argument.request(args, kwargs)
    return OrderCheckResult.of({**call("order_check", request=request._asdict()), "request": request})


@api(None)
def order_send(*args: Any, **kwargs: Any) -> OrderSendResult:
    """Send a trade request: a dict or keywords. None only if it did not reach the trade server, or its answer did not
    come back; a refusal is a result, too.
    """
    request = argument.request(args, kwargs)
    return OrderSendResult.of({**call("order_send", request=request._asdict()), "request": request})

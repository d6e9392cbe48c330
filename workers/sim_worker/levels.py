"""Checks of prices: on the tick grid, on the right side of the market, far enough from it, and not frozen.

Pure, and reads only. Distances are whole points. Sources: MetaTrader 5 help, "Trade" tab of a symbol; MQL5 docs,
SYMBOL_TRADE_STOPS_LEVEL, SYMBOL_TRADE_FREEZE_LEVEL.
"""

from __future__ import annotations

from typing import Final

from mas_router import mt5
from mas_router.mt5 import Retcode, TradeAction
from sim_worker.book import Book
from sim_worker.cases import Case, Refusal
from sim_worker.records import Position
from sim_worker.specs import SymbolSpec

_GRID: Final = 1e-4
_LIMITS: Final = (2, 3)
_STOP_LIMITS: Final = (6, 7)


def is_price(spec: SymbolSpec, price: float) -> bool:
    """Can an order have this price: is it on the tick grid, and within the limits of the session?"""
    if not on_grid(spec, price) or price <= 0.0:
        return False
    near = round(price, spec.digits)
    return spec.price_limit_min <= near and (not spec.price_limit_max or near <= spec.price_limit_max)


def on_grid(spec: SymbolSpec, price: float) -> bool:
    """Is a price a multiple of the tick size?"""
    ticks = price / spec.tick_size
    return abs(ticks - round(ticks)) < _GRID


def points(spec: SymbolSpec, distance: float) -> int:
    return round(distance / spec.point)


def deal_price(book: Book, case: Case) -> Refusal | None:
    """Request and instant execution take a price within `deviation` points of the market; the others ignore it.

    After too many requotes in a row there are no prices any more, until one fits.
    """
    spec, price = case.spec, case.request.price
    if not is_price(spec, price):
        return Refusal(Retcode.INVALID_PRICE, f"price {price:g} is not a price of {spec.name}")
    if abs(points(spec, price - case.market)) > case.request.deviation:
        note = f"price {price:g} is more than {case.request.deviation} points off the market {case.market:g}"
        off = spec.off_quotes_after and case.side.requotes >= spec.off_quotes_after
        return Refusal(Retcode.PRICE_OFF if off else Retcode.REQUOTE, note)
    return None


def _type(case: Case) -> int:
    """The type of the pending order: a new one's, or the present one of the order that is modified."""
    return case.request.type if case.order is None else case.order.type


def pending_price(book: Book, case: Case) -> Refusal | None:
    """A limit order waits on the better side of the market, a stop order on the worse side, at least stops_level away.

    In exchange execution the price of a limit order is not verified.
    """
    spec, request, order_type = case.spec, case.request, _type(case)
    stop_limit = order_type in _STOP_LIMITS
    needed = (request.price, request.stoplimit) if stop_limit else (request.price,)
    for price in needed:
        if not is_price(spec, price):
            return Refusal(Retcode.INVALID_PRICE, f"price {price:g} is not a price of {spec.name}")
    limit = order_type in _LIMITS
    if limit and spec.execution == mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE:
        return None
    market = case.trigger(case.sell)
    distance = points(spec, request.price - market) * (1 if limit is bool(case.sell) else -1)
    if distance < spec.stops_level:
        near = distance > 0
        asked, there = f"{request.price:.{spec.digits}f}", f"{market:.{spec.digits}f}"
        note = f"price {asked} is on the wrong side of {there}"
        if near:
            note = f"price {asked} is nearer than {spec.stops_level} points to {there}"
        return Refusal(Retcode(book.account.near_pending_retcode) if near else Retcode.INVALID_PRICE, note)
    if stop_limit and points(spec, request.price - request.stoplimit) * (-1 if case.sell else 1) <= 0:
        return Refusal(Retcode.INVALID_PRICE, "stoplimit is below the price of a buy, above that of a sell")
    return None


def _reference(case: Case) -> float:
    """What stop levels are measured from: the closing price, or the price at which a pending order opens."""
    request = case.request
    if request.action in (TradeAction.DEAL, TradeAction.SLTP):
        return case.trigger(1 - case.sell)
    return request.stoplimit if _type(case) in _STOP_LIMITS else request.price


def stops(book: Book, case: Case) -> Refusal | None:
    """SL on the losing side, TP on the winning side, at least stops_level points away, wherever the open price is."""
    request, spec = case.request, case.spec
    if not (request.sl or request.tp) or (request.action == TradeAction.DEAL and request.position):
        return None  # closing leaves the levels of the rest as they are
    reference, least = _reference(case), max(spec.stops_level, 1)
    for name, price, winning in (("sl", request.sl, 0), ("tp", request.tp, 1)):
        if not price:
            continue
        upwards = winning != case.sell
        distance = points(spec, price - reference) * (1 if upwards else -1)
        if price < 0.0 or distance < least or not on_grid(spec, price):
            side = "above" if upwards else "below"
            note = f"{name} {price:.{spec.digits}f} is not at least {least} points {side} {reference:.{spec.digits}f}"
            return Refusal(Retcode.INVALID_STOPS, note)
    return None


# ---- frozen ----------------------------------------------------------------------------------------------------------


def frozen_order(book: Book, case: Case) -> Refusal | None:
    """Near its trigger price, a pending order can be neither changed nor deleted."""
    order, level = case.order, case.spec.freeze_level
    if order is None or not level or order.insists:
        return None
    if abs(points(case.spec, order.price_open - case.trigger(case.sell))) > level:
        return None
    return Refusal(Retcode.FROZEN, f"order {order.ticket} is within {level} points of the market")


def frozen_position(book: Book, case: Case) -> Refusal | None:
    """Near its stop loss or take profit, a position can be neither changed nor closed by hand."""
    level = case.spec.freeze_level
    if level:
        for position in (case.position, case.other):
            if position is not None and _is_frozen(case, position, level):
                return Refusal(Retcode.FROZEN, f"position {position.ticket} is within {level} points of its SL or TP")
    return None


def _is_frozen(case: Case, position: Position, level: int) -> bool:
    price = case.trigger(1 - position.type)
    return any(abs(points(case.spec, stop - price)) <= level for stop in (position.sl, position.tp) if stop)


# ---- nothing to do ---------------------------------------------------------------------------------------------------


def unchanged_position(book: Book, case: Case) -> Refusal | None:
    request, position, digits = case.request, case.position, case.spec.digits
    if position is not None and (round(request.sl, digits), round(request.tp, digits)) == (position.sl, position.tp):
        return Refusal(Retcode.NO_CHANGES, "the position has these stop levels already")
    return None


def unchanged_order(book: Book, case: Case) -> Refusal | None:
    request, order, digits = case.request, case.order, case.spec.digits
    if order is None:
        return None
    stoplimit = request.stoplimit if order.type in _STOP_LIMITS else 0.0
    asked = [round(price, digits) for price in (request.price, stoplimit, request.sl, request.tp)]
    same_terms = (request.type_time, _expiration(case)) == (order.type_time, order.expiration)
    if same_terms and asked == [order.price_open, order.stoplimit, order.sl, order.tp]:
        return Refusal(Retcode.NO_CHANGES, "the order is like this already")
    return None


def _expiration(case: Case) -> int:
    """GTC and DAY orders have no expiration of their own."""
    return case.request.expiration if case.request.type_time >= mt5.ORDER_TIME_SPECIFIED else 0

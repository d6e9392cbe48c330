"""The dictionary of `send_order` and `order_check`, and what is known to be wrong with it without a market. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final

from mas._fields import INT64, SECOND, agreed, choice, constant, identifier, moment, number, parse, ticket, whole
from mas._shared import Comment, OrderParams, Price, Symbol, Target, Volume, check_expiration
from mas_router import request
from mas_router.errors import CallerError, InvalidField
from mas_router.mt5_enums import OrderFilling, OrderTime, OrderType
from mas_router.mt5_tables import ORDER_TYPES

LEVELS: Final = frozenset({"sl", "tp"})
BUY_TYPES: Final = frozenset({OrderType.BUY, OrderType.BUY_LIMIT, OrderType.BUY_STOP, OrderType.BUY_STOP_LIMIT})
TOGGLE_MISSING: Final = "backtest_toggle is missing: pass True for the simulator or False for the live account"


@dataclass(slots=True, kw_only=True)
class _Order(Target):
    price: Price = 0.0
    sl: Price = 0.0
    tp: Price = 0.0
    stoplimit: Price = 0.0
    deviation: Annotated[int, whole(0, 2**31 - 1)] = request.DEVIATION
    magic: Annotated[int, whole(0, INT64)] = request.MAGIC
    comment: Comment = request.COMMENT
    type_time: Annotated[OrderTime, constant(OrderTime)] = OrderTime.GTC
    expiration: Annotated[int, moment()] = 0
    type_filling: Annotated[OrderFilling | None, constant(OrderFilling)] = None
    position: Annotated[int | None, ticket("position")] = None
    order_id: Annotated[int | None, ticket("position")] = None
    client_order_id: Annotated[str, identifier()] = ""
    valid_for: Annotated[float | None, number(0.001, 3600)] = None


@dataclass(slots=True, kw_only=True)
class _Send(_Order):
    symbol: Symbol
    order_type: Annotated[OrderType, choice(ORDER_TYPES)]
    volume: Volume


@dataclass(slots=True, kw_only=True)
class _CloseBy(_Order):
    position_by: Annotated[int, ticket("position")]
    symbol: Symbol = ""
    order_type: Annotated[OrderType | None, choice(ORDER_TYPES)] = None
    volume: Annotated[float, number(0, 1e9)] = 0.0


def send_order(params: object, now: int) -> OrderParams:
    """`send_order`. A missing `backtest_toggle` is refused: nothing is live by default."""
    order = order_check(params, now)
    if order.backtest is None:
        raise CallerError(TOGGLE_MISSING)
    return order


def order_check(params: object, now: int) -> OrderParams:
    """`order_check`: the fields of `send_order`; `backtest_toggle` may be left out."""
    # A close-by has neither side nor volume: MT5 takes both from the two positions.
    if isinstance(params, dict) and "position_by" in params:
        close = parse(_CloseBy, params)
        return _params(close, _close_by(close))
    order = parse(_Send, params)
    check_expiration(order.type_time, order.expiration, now)
    if order.order_type in request.MARKET_TYPES:
        return _params(order, _deal(order))
    return _params(order, _pending(order))


def _params(given: _Order, built: request.Built) -> OrderParams:
    return OrderParams(
        verb="send",
        request=built.request,
        note=built.note,
        auto_filling=given.type_filling is None,
        client_order_id=given.client_order_id,
        valid_for=given.valid_for,
        account=given.account,
        server=given.server,
        backtest=given.backtest,
    )


def _position(given: _Order) -> int:
    """The ticket to close, 0 for none."""
    if given.position is None:
        return given.order_id or 0
    return agreed(("position", given.position), ("order_id", given.order_id)) or 0


def _close_by(given: _CloseBy) -> request.Built:
    position, other = _position(given), given.position_by
    if position in {0, other}:
        raise InvalidField("position_by", other, "only together with `position`, the ticket of another position")
    trade = request.close_by(position, other, symbol=given.symbol, magic=given.magic, comment=given.comment)
    return request.Built(trade)


def _deal(given: _Send) -> request.Built:
    _check_stoplimit(given)
    position = _position(given)
    if not position and (given.sl or given.tp):
        _check_ladder(given.order_type, ("sl", given.sl), ("tp", given.tp))
    built = request.deal(
        given.symbol,
        given.order_type,
        given.volume,
        position=position,
        sl=given.sl,
        tp=given.tp,
        deviation=given.deviation,
        filling=given.type_filling or OrderFilling.FOK,
        magic=given.magic,
        comment=given.comment,
    )
    if not given.expiration:
        return built
    unused = "expiration is not used with a market order"
    return request.Built(built.request, "; ".join(filter(None, (built.note, unused))))


def _pending(given: _Send) -> request.Built:
    name = given.order_type.name.lower()
    if _position(given):
        raise InvalidField("order_type", name, "buy or sell, because a pending order does not close a position")
    if not given.price:
        raise InvalidField("price", given.price, f"a price above 0 for a {name} order")
    _check_stoplimit(given)
    opening = ("stoplimit", given.stoplimit) if given.stoplimit else ("price", given.price)
    _check_ladder(given.order_type, ("sl", given.sl), opening, ("tp", given.tp))
    return request.pending(
        given.symbol,
        given.order_type,
        given.volume,
        given.price,
        stoplimit=given.stoplimit,
        sl=given.sl,
        tp=given.tp,
        time=given.type_time,
        expiration=given.expiration // SECOND,
        filling=given.type_filling or OrderFilling.FOK,
        magic=given.magic,
        comment=given.comment,
    )


def _check_stoplimit(given: _Send) -> None:
    """MQL5 docs, ENUM_ORDER_TYPE: the limit of a buy stop limit is below its stop price, of a sell stop limit above."""
    order_type = given.order_type
    if not given.stoplimit and order_type in request.MARKET_TYPES:
        return
    name = order_type.name.lower()
    if order_type not in request.STOP_LIMIT_TYPES:
        if given.stoplimit:
            raise InvalidField("stoplimit", given.stoplimit, f"nothing for a {name} order, only for stop-limit orders")
        return
    side = "below" if order_type in BUY_TYPES else "above"
    right = given.stoplimit < given.price if side == "below" else given.stoplimit > given.price
    if not (given.stoplimit and right):
        raise InvalidField("stoplimit", given.stoplimit, f"a price {side} price={given.price} for a {name} order")


def _check_ladder(order_type: OrderType, *rungs: tuple[str, float]) -> None:
    """A buy needs sl < opening price < tp, a sell the reverse; 0 means not set. (MT5: 10016, invalid stops.)"""
    ladder = [rung for rung in rungs if rung[1]]
    if order_type not in BUY_TYPES:
        ladder.reverse()
    for lower, upper in pairwise(ladder):
        if lower[1] < upper[1]:
            continue
        wrong, side, other = (lower, "below", upper) if lower[0] in LEVELS else (upper, "above", lower)
        raise InvalidField(*wrong, f"{side} {other[0]}={other[1]} for a {order_type.name.lower()} order")

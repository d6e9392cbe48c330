"""From checked order parameters to trade requests, and from a trade request to what others read.

Pure. One builder per action (MQL5 docs, MqlTradeRequest), for values that were checked before. A field that its action
ignores stays 0, so two requests that mean the same are equal. Times are UTC seconds, volumes lots, `deviation` points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from mas_router.errors import InvalidField
from mas_router.messages import Scalar, TradeRequest
from mas_router.mt5_enums import OrderFilling, OrderTime, OrderType, TradeAction

DEVIATION: Final = 10
MAGIC: Final = 123456
COMMENT: Final = "MAS Order"
CANCEL_COMMENT: Final = "Cancel by MAS"
MODIFY_COMMENT: Final = "Modified by MAS"

#: UTF-16 units. Terminals refuse 29 or 30; 27 passes everywhere.
COMMENT_LIMIT: Final = 27

MARKET_TYPES: Final = frozenset({OrderType.BUY, OrderType.SELL})
STOP_LIMIT_TYPES: Final = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})
DATED: Final = frozenset({OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY})

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999, where datetime ends


@dataclass(frozen=True, slots=True)
class Built:
    """A request, and a note for the user when something that was given could not be used."""

    request: TradeRequest
    note: str = ""


def deal(
    symbol: str,
    order_type: OrderType,
    volume: float,
    *,
    position: int = 0,
    sl: float = 0.0,
    tp: float = 0.0,
    deviation: int = DEVIATION,
    filling: OrderFilling = OrderFilling.FOK,
    magic: int = MAGIC,
    comment: str = COMMENT,
) -> Built:
    """Buy or sell at the market; with `position`, close or reduce that ticket (`order_type` is then the opposite side).

    The price stays 0: whoever executes takes the bid or ask of that moment. A closing deal has no levels.
    """
    request = TradeRequest.made(
        action=int(TradeAction.DEAL),
        symbol=symbol,
        type=int(order_type),
        volume=volume,
        position=position,
        sl=0.0 if position else sl,
        tp=0.0 if position else tp,
        deviation=deviation,
        type_filling=int(filling),
        magic=magic,
        comment=comment,
    )
    dropped = position and (sl or tp)
    return Built(request, "sl and tp are not used when a position is closed" if dropped else "")


def close_by(
    position: int, position_by: int, *, symbol: str = "", magic: int = MAGIC, comment: str = COMMENT
) -> TradeRequest:
    """Close a position by an opposite one of the same symbol (hedging accounts)."""
    return TradeRequest.made(
        action=int(TradeAction.CLOSE_BY),
        symbol=symbol,
        position=position,
        position_by=position_by,
        magic=magic,
        comment=comment,
    )


def pending(
    symbol: str,
    order_type: OrderType,
    volume: float,
    price: float,
    *,
    stoplimit: float = 0.0,
    sl: float = 0.0,
    tp: float = 0.0,
    time: OrderTime = OrderTime.GTC,
    expiration: int = 0,
    filling: OrderFilling = OrderFilling.FOK,
    magic: int = MAGIC,
    comment: str = COMMENT,
) -> Built:
    """Place a pending order. An expiration counts only with a dated order time; else it is dropped, with a note."""
    dated = time in DATED
    request = TradeRequest.made(
        action=int(TradeAction.PENDING),
        symbol=symbol,
        type=int(order_type),
        volume=volume,
        price=price,
        stoplimit=stoplimit if order_type in STOP_LIMIT_TYPES else 0.0,
        sl=sl,
        tp=tp,
        type_time=int(time),
        expiration=expiration if dated else 0,
        type_filling=int(filling),
        magic=magic,
        comment=comment,
    )
    if not expiration or dated:
        return Built(request)
    return Built(request, f"expiration is not used with ORDER_TIME_{time.name}: it needs ORDER_TIME_SPECIFIED")


def modify(
    order: int,
    price: float,
    *,
    stoplimit: float = 0.0,
    sl: float = 0.0,
    tp: float = 0.0,
    time: OrderTime = OrderTime.GTC,
    expiration: int = 0,
    comment: str = MODIFY_COMMENT,
) -> TradeRequest:
    """Replace the prices and the expiration of a pending order: what is 0 is removed. See `completed`."""
    return TradeRequest.made(
        action=int(TradeAction.MODIFY),
        order=order,
        price=price,
        stoplimit=stoplimit,
        sl=sl,
        tp=tp,
        type_time=int(time),
        expiration=expiration,
        comment=comment,
    )


def sltp(position: int, *, sl: float = 0.0, tp: float = 0.0, symbol: str = "") -> TradeRequest:
    """Replace stop loss and take profit of a position: what is 0 is removed. See `completed`."""
    return TradeRequest.made(action=int(TradeAction.SLTP), position=position, symbol=symbol, sl=sl, tp=tp)


def remove(order: int, *, comment: str = CANCEL_COMMENT) -> TradeRequest:
    """Delete a pending order."""
    return TradeRequest.made(action=int(TradeAction.REMOVE), order=order, comment=comment)


_RECORD_FIELDS: Final = {
    "sl": "sl",
    "tp": "tp",
    "stoplimit": "price_stoplimit",
    "type_time": "type_time",
    "expiration": "time_expiration",
}


def completed(request: TradeRequest, keep: Iterable[str], record: Mapping[str, Scalar]) -> TradeRequest:
    """A MODIFY or SLTP request in which the fields of `keep` have the values of the order or position as it is now.

    MT5 replaces all levels at once; a user who names only one means the others to stay. `record` has the names of
    TradeOrder or TradePosition, with `time_expiration` in UTC seconds. A name
    that is no such field, or that the record lacks, changes nothing.
    """
    sources = {name: _RECORD_FIELDS[name] for name in keep if name in _RECORD_FIELDS}
    found = {name: record[source] for name, source in sources.items() if source in record}
    return TradeRequest.model_validate({**request.__dict__, **found})


_ORDER: Final = ("action", "magic", "symbol", "volume", "type", "price", "sl", "tp", "type_filling", "comment")
_SENT: Final[dict[int, tuple[str, ...]]] = {
    TradeAction.DEAL: (*_ORDER, "deviation", "position"),
    TradeAction.PENDING: (*_ORDER, "stoplimit", "type_time", "expiration"),
    TradeAction.SLTP: ("action", "symbol", "sl", "tp", "position"),
    TradeAction.MODIFY: ("action", "order", "symbol", "price", "stoplimit", "sl", "tp", "type_time", "expiration"),
    TradeAction.REMOVE: ("action", "order"),
    TradeAction.CLOSE_BY: ("action", "magic", "symbol", "comment", "position", "position_by"),
}


def mt5_dict(request: TradeRequest, *, server_offset: int = 0, tag: str = "") -> dict[str, int | float | str]:
    """What `MetaTrader5.order_send` takes: plain ints and floats, and only the fields that the action reads.

    `server_offset` is the trade server's clock minus UTC, in seconds: MT5 reads `expiration` on that clock. `tag` is
    appended to the comment, whose end gives way to it when both together would be too long.
    """
    names = _SENT.get(request.action)
    if names is None:
        raise InvalidField("action", request.action, f"one of {[int(action) for action in TradeAction]}")
    fields: dict[str, int | float | str] = {name: getattr(request, name) for name in names}
    if request.expiration and "expiration" in fields:
        fields["expiration"] = request.expiration + server_offset
    if tag and "comment" in fields:
        fields["comment"] = _cut(request.comment, COMMENT_LIMIT - utf16_length(tag)) + tag
    return fields


def documented_dict(request: TradeRequest) -> dict[str, int | float | str | datetime | None]:
    """All 17 fields as the SDK documents them: `expiration` is an aware UTC datetime, or None."""
    seconds = min(request.expiration, _LAST_SECOND)
    expiration = _EPOCH + timedelta(seconds=seconds) if seconds else None
    return {**request.__dict__, "expiration": expiration}


def utf16_length(text: str) -> int:
    """The length that MT5 counts: characters beyond the basic plane, such as emoji, take two units."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def _cut(text: str, units: int) -> str:
    """As much of the beginning of `text` as fits into so many UTF-16 units."""
    while text and utf16_length(text) > units:
        text = text[:-1]
    return text

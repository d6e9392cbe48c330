"""Words for MT5's numbers: names of order types and time frames, texts and classes of return codes. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from mas_router.mt5_enums import OrderType, Retcode, Timeframe

#: The eight order types that a request may name, by the word that strategies use: "buy_limit" and so on.
ORDER_TYPES: Final[dict[str, OrderType]] = {
    member.name.lower(): member for member in OrderType if member is not OrderType.CLOSE_BY
}

_ORDER_TYPE_NAMES: Final[dict[int, str]] = {int(member): member.name.lower() for member in OrderType}

#: Time frames by name, "M1" to "MN1".
TIMEFRAMES: Final[dict[str, Timeframe]] = {member.name: member for member in Timeframe}

_CALENDAR: Final = frozenset({Timeframe.W1, Timeframe.MN1})


def order_type_name(number: int) -> str:
    """The word for an order type: 2 -> "buy_limit", 8 -> "close_by". ValueError for a number that MT5 does not have."""
    name = _ORDER_TYPE_NAMES.get(number)
    return OrderType(number).name.lower() if name is None else name


def timeframe_seconds(timeframe: Timeframe) -> int | None:
    """The length of a bar. None for W1 and MN1: their bars start with the week and the month, not at a multiple.

    The other numbers are minutes, or 0x4000 + hours (MQL5 docs, ENUM_TIMEFRAMES).
    """
    if timeframe in _CALENDAR:
        return None
    return (timeframe & 0x3FFF) * (3600 if timeframe & 0x4000 else 60)


class RetcodeClass(StrEnum):
    """What a return code of `order_send` means for the order, and for whether it may be sent again."""

    #: Carried out, or accepted and carried out later.
    DONE = "done"
    #: A part was filled.
    PARTIAL = "partial"
    #: Nothing changed because everything was so already.
    BENIGN = "benign"
    #: The order may be in the market: look it up, never send it again.
    AMBIGUOUS = "ambiguous"
    #: Not accepted at this price or this moment.
    TRANSIENT = "transient"
    #: Not accepted with this filling mode; another one may pass.
    ADAPT = "adapt"
    #: The request is wrong, or this symbol or account does not take such a request.
    REQUEST = "request"
    #: The account or the terminal may not trade.
    ACCOUNT = "account"
    #: The market, the dealer or a limit stands against it.
    MARKET = "market"
    #: The order or position is no longer as the request supposed.
    RACE = "race"


_R, _C = Retcode, RetcodeClass
_CLASSES: Final[dict[RetcodeClass, tuple[Retcode, ...]]] = {
    _C.DONE: (_R.PLACED, _R.DONE),
    _C.PARTIAL: (_R.DONE_PARTIAL,),
    _C.BENIGN: (_R.NO_CHANGES,),
    _C.AMBIGUOUS: (_R.ERROR, _R.TIMEOUT, _R.LOCKED, _R.CONNECTION),
    _C.TRANSIENT: (_R.REQUOTE, _R.PRICE_CHANGED, _R.PRICE_OFF, _R.TOO_MANY_REQUESTS),
    _C.ADAPT: (_R.INVALID_FILL,),
    _C.REQUEST: (
        _R.INVALID,
        _R.INVALID_VOLUME,
        _R.INVALID_PRICE,
        _R.INVALID_STOPS,
        _R.INVALID_EXPIRATION,
        _R.INVALID_ORDER,
        _R.INVALID_CLOSE_VOLUME,
        _R.LONG_ONLY,
        _R.SHORT_ONLY,
        _R.CLOSE_ONLY,
        _R.FIFO_CLOSE,
        _R.HEDGE_PROHIBITED,
    ),
    _C.ACCOUNT: (_R.TRADE_DISABLED, _R.SERVER_DISABLES_AT, _R.CLIENT_DISABLES_AT, _R.ONLY_REAL),
    _C.MARKET: (
        _R.REJECT,
        _R.CANCEL,
        _R.MARKET_CLOSED,
        _R.NO_MONEY,
        _R.LIMIT_ORDERS,
        _R.LIMIT_VOLUME,
        _R.LIMIT_POSITIONS,
    ),
    _C.RACE: (_R.ORDER_CHANGED, _R.FROZEN, _R.POSITION_CLOSED, _R.CLOSE_ORDER_EXIST, _R.REJECT_CANCEL),
}
_CLASS_OF: Final = {int(code): group for group, codes in _CLASSES.items() for code in codes}


def classify(retcode: int | None) -> RetcodeClass:
    """The class of an answer of `order_send`. No answer (None) and an unknown code prove nothing: AMBIGUOUS."""
    return _CLASS_OF.get(-1 if retcode is None else retcode, RetcodeClass.AMBIGUOUS)


#: What MT5 writes into `result.comment`. 0 is the success of `order_check`.
RETCODE_TEXT: Final[dict[int, str]] = {
    0: "Done",
    _R.REQUOTE: "Requote",
    _R.REJECT: "Request rejected",
    _R.CANCEL: "Request canceled by trader",
    _R.PLACED: "Order placed",
    _R.DONE: "Request executed",
    _R.DONE_PARTIAL: "Request executed partially",
    _R.ERROR: "Common error",
    _R.TIMEOUT: "Request timed out",
    _R.INVALID: "Invalid request",
    _R.INVALID_VOLUME: "Invalid volume",
    _R.INVALID_PRICE: "Invalid price",
    _R.INVALID_STOPS: "Invalid stops",
    _R.TRADE_DISABLED: "Trade disabled",
    _R.MARKET_CLOSED: "Market closed",
    _R.NO_MONEY: "No money",
    _R.PRICE_CHANGED: "Price changed",
    _R.PRICE_OFF: "No prices",
    _R.INVALID_EXPIRATION: "Invalid expiration",
    _R.ORDER_CHANGED: "Order changed",
    _R.TOO_MANY_REQUESTS: "Too many requests",
    _R.NO_CHANGES: "No changes",
    _R.SERVER_DISABLES_AT: "AutoTrading disabled by server",
    _R.CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    _R.LOCKED: "Request locked",
    _R.FROZEN: "Order or position frozen",
    _R.INVALID_FILL: "Unsupported filling mode",
    _R.CONNECTION: "No connection",
    _R.ONLY_REAL: "Only real accounts allowed",
    _R.LIMIT_ORDERS: "Orders limit reached",
    _R.LIMIT_VOLUME: "Volume limit reached",
    _R.INVALID_ORDER: "Invalid order",
    _R.POSITION_CLOSED: "Position closed",
    _R.INVALID_CLOSE_VOLUME: "Invalid close volume",
    _R.CLOSE_ORDER_EXIST: "Close order already exists",
    _R.LIMIT_POSITIONS: "Positions limit reached",
    _R.REJECT_CANCEL: "Order activation rejected, order canceled",
    _R.LONG_ONLY: "Only long positions allowed",
    _R.SHORT_ONLY: "Only short positions allowed",
    _R.CLOSE_ONLY: "Only position closing allowed",
    _R.FIFO_CLOSE: "Position closing only by FIFO rule",
    _R.HEDGE_PROHIBITED: "Hedging prohibited",
}


def retcode_text(retcode: int) -> str:
    """The text of a return code; for an unknown one a text that names the number."""
    return RETCODE_TEXT.get(retcode, f"Return code {retcode}")

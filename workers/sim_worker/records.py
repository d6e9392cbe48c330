"""The records of the trade server: orders, deals, positions, and what a change of them looks like.

Pure. Times are UTC nanoseconds; `row` turns a record into the fields of the MetaTrader5 package's tuples, whose times
are seconds and milliseconds. Numbers of types, states and reasons are MT5's (see `mas_router.mt5`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from mas_router import mt5
from mas_router.messages import Row, TradeResult
from mas_router.orders import State

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND

_PARTIAL: Final = int(mt5.ORDER_STATE_PARTIAL)
_SELL: Final = int(mt5.ORDER_TYPE_SELL)
_AT_MARKET: Final = frozenset({0, 1, int(mt5.ORDER_TYPE_BUY_STOP), int(mt5.ORDER_TYPE_SELL_STOP)})

#: What happened to an order. `canceled` by a request, `dropped` by the server.
Why = Literal["placed", "triggered", "filled", "partial", "canceled", "dropped", "expired", "rejected", "modified"]


@dataclass(slots=True)
class Order:
    """An order, resting or done. `client_id` is the client order id, "" for an order of nobody.

    `expires` is the moment at which a resting order ends, 0 for never; `expiration` is what the client asked for, in
    seconds. `triggered`: a stop-limit order that has become a limit order.
    """

    ticket: int
    client_id: str
    symbol: str
    type: int
    state: int
    volume_initial: float
    volume_current: float
    price_open: float = 0.0
    price_current: float = 0.0
    stoplimit: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    type_time: int = 0
    type_filling: int = 0
    expiration: int = 0
    expires: int = 0
    time_setup: int = 0
    time_done: int = 0
    magic: int = 0
    position_id: int = 0
    position_by_id: int = 0
    reason: int = 3
    comment: str = ""
    triggered: bool = False

    @property
    def insists(self) -> bool:
        """Does it execute whatever the price is? The rest of a market or stop order that was filled in part does."""
        return self.type in _AT_MARKET and (self.state == _PARTIAL or self.type <= _SELL)

    def copy(self) -> Order:
        return Order(*_ORDER(self))


class Deal(NamedTuple):
    """An execution. `order` is the ticket of the order that caused it; money is in the deposit currency."""

    ticket: int
    order: int
    time: int
    symbol: str
    type: int
    entry: int
    position_id: int
    reason: int
    volume: float
    price: float
    profit: float = 0.0
    commission: float = 0.0
    swap: float = 0.0
    fee: float = 0.0
    magic: int = 0
    comment: str = ""


class Accrual(NamedTuple):
    """A swap that was charged to an open position. It leaves the balance with a later deal."""

    time: int
    position_id: int
    swap: float


@dataclass(slots=True)
class Position:
    """An open position. `type` is 0 (long) or 1 (short); `identifier` never changes, `ticket` does on a reversal.

    `price_current` and `profit` are filled in copies that the engine hands out. Where profit depends on it, `cost` is
    the entry's value in the deposit currency, and `accrued` the interest of one bond at that time.
    """

    ticket: int
    identifier: int
    client_id: str
    symbol: str
    type: int
    volume: float
    price_open: float
    sl: float = 0.0
    tp: float = 0.0
    time: int = 0
    time_update: int = 0
    magic: int = 0
    reason: int = 3
    comment: str = ""
    swap: float = 0.0
    price_current: float = 0.0
    profit: float = 0.0
    cost: float = 0.0
    accrued: float = 0.0

    def copy(self) -> Position:
        return Position(*_POSITION(self))


_ORDER = attrgetter(*(f.name for f in fields(Order)))
_POSITION = attrgetter(*(f.name for f in fields(Position)))


class Accepted(NamedTuple):
    """A market order that the server has accepted, to be dealt later: its ticket, and when that was."""

    ticket: int
    time: int


class OrderChange(NamedTuple):
    """An order came to be in a state. `order` is a copy, or done.

    `retcode` 0: the market's doing, no answer to a request.
    """

    state: State
    order: Order
    retcode: int
    message: str
    time: int
    why: Why


class DealChange(NamedTuple):
    """A deal was made. `order` is the order that caused it, after the deal: a copy, or done."""

    deal: Deal
    order: Order
    time: int


Change = OrderChange | DealChange


class Outcome(NamedTuple):
    """The answer to a trade request, what it changed, and `note`: a detail of a refusal, or what was adapted."""

    result: TradeResult
    changes: tuple[Change, ...] = ()
    note: str = ""


def is_sell(order_type: int) -> int:
    """1 for the types of selling, 0 for those of buying: ENUM_ORDER_TYPE alternates. Not meaningful for CLOSE_BY."""
    return order_type & 1


def row(record: Order | Deal | Position) -> Row:
    """A record as the fields of TradeOrder, TradeDeal or TradePosition, in their order."""
    if isinstance(record, Order):
        return _order_row(record)
    return _deal_row(record) if isinstance(record, Deal) else _position_row(record)


def _order_row(order: Order) -> Row:
    return {
        "ticket": order.ticket,
        "time_setup": order.time_setup // SECOND,
        "time_setup_msc": order.time_setup // MILLISECOND,
        "time_done": order.time_done // SECOND,
        "time_done_msc": order.time_done // MILLISECOND,
        "time_expiration": order.expiration,
        "type": order.type,
        "type_time": order.type_time,
        "type_filling": order.type_filling,
        "state": order.state,
        "magic": order.magic,
        "position_id": order.position_id,
        "position_by_id": order.position_by_id,
        "reason": order.reason,
        "volume_initial": order.volume_initial,
        "volume_current": order.volume_current,
        "price_open": order.price_open,
        "sl": order.sl,
        "tp": order.tp,
        "price_current": order.price_current,
        "price_stoplimit": order.stoplimit,
        "symbol": order.symbol,
        "comment": order.comment,
        "external_id": "",
    }


def _position_row(position: Position) -> Row:
    return {
        "ticket": position.ticket,
        "time": position.time // SECOND,
        "time_msc": position.time // MILLISECOND,
        "time_update": position.time_update // SECOND,
        "time_update_msc": position.time_update // MILLISECOND,
        "type": position.type,
        "magic": position.magic,
        "identifier": position.identifier,
        "reason": position.reason,
        "volume": position.volume,
        "price_open": position.price_open,
        "sl": position.sl,
        "tp": position.tp,
        "price_current": position.price_current,
        "swap": position.swap,
        "profit": position.profit,
        "symbol": position.symbol,
        "comment": position.comment,
        "external_id": "",
    }


def _deal_row(deal: Deal) -> Row:
    return {
        "ticket": deal.ticket,
        "order": deal.order,
        "time": deal.time // SECOND,
        "time_msc": deal.time // MILLISECOND,
        "type": deal.type,
        "entry": deal.entry,
        "magic": deal.magic,
        "position_id": deal.position_id,
        "reason": deal.reason,
        "volume": deal.volume,
        "price": deal.price,
        "commission": deal.commission,
        "swap": deal.swap,
        "profit": deal.profit,
        "fee": deal.fee,
        "symbol": deal.symbol,
        "comment": deal.comment,
        "external_id": "",
    }

"""Executing an order as its filling mode says, with the volume that the market offers.

Changes the book. Sources: MQL5 docs, ENUM_ORDER_TYPE_FILLING; MetaTrader 5 help, "Types of Orders".
"""

from __future__ import annotations

from math import inf
from typing import Final

from mas_router import mt5
from mas_router.mt5 import RETCODE_TEXT
from mas_router.orders import State
from sim_worker.book import Book, day_end
from sim_worker.execution import DONE_PARTIAL, fill
from sim_worker.records import Change, Order, OrderChange, Why

_FOK: Final = int(mt5.ORDER_FILLING_FOK)
_IOC: Final = int(mt5.ORDER_FILLING_IOC)
_CANCELED: Final = int(mt5.ORDER_STATE_CANCELED)
_PLACED: Final = int(mt5.ORDER_STATE_PLACED)
_DONE: Final = int(mt5.TRADE_RETCODE_DONE)
_GTC: Final = int(mt5.SYMBOL_ORDERS_GTC)
_ANSWERED: Final = int(mt5.TRADE_RETCODE_PLACED)


def execute(book: Book, order: Order, price: float, *, asked: bool = False, most: float = inf) -> list[Change]:
    """Execute what the market offers of an order, and `most` lots of it. `asked`: a request waits for the outcome.

    FOK: all or nothing. IOC: what there is, and the rest is cancelled. RETURN (and what rests as BOC): what there is,
    and the rest stays in the book until the next quote.
    """
    liquidity, sell = book.symbols[order.symbol].liquidity, order.type & 1
    volume = min(order.volume_current, most)
    if liquidity is not None:
        volume = min(volume, liquidity.offered(sell, book.quotes[order.symbol]))
        if volume < order.volume_current and order.type_filling == _FOK:
            volume = 0.0
        liquidity.take(sell, volume)
    changes = fill(book, order, price, volume) if volume else []
    return changes if not order.volume_current else changes + _rest(book, order, asked)


def _rest(book: Book, order: Order, asked: bool) -> list[Change]:
    """What happens to the volume that was not there."""
    if order.type_filling in (_FOK, _IOC):
        return [_cancel(book, order, asked)]
    if order.ticket in book.orders:
        side = book.symbols[order.symbol]
        side.stale = True
        side.watch_order(order)
        return []
    untouched = order.volume_current == order.volume_initial
    if untouched:
        order.state = _PLACED
    if book.symbols[order.symbol].spec.order_gtc_mode != _GTC:
        order.expires = day_end(book.now)
    book.rest(order)
    text = RETCODE_TEXT[_ANSWERED]
    return [OrderChange(State.ACCEPTED, order.copy(), _ANSWERED, text, book.now, "placed")] if untouched else []


def _cancel(book: Book, order: Order, asked: bool) -> OrderChange:
    """A deal that found nothing was refused, for its sender; its record says that it was cancelled."""
    order.state = _CANCELED
    book.leave(order)
    state, why, code, message = State.CANCELED, _DROPPED, DONE_PARTIAL, "the rest was cancelled: no more volume"
    if order.volume_current == order.volume_initial:
        code = book.account.unfilled_retcode if asked else 0
        message = "cancelled: the volume is not there"
        if asked and code != _DONE:
            state, why = State.REJECTED, _REJECTED
    return OrderChange(state, order.copy(), code, message, book.now, why)


_DROPPED: Final[Why] = "dropped"
_REJECTED: Final[Why] = "rejected"

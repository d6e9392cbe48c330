"""The life of a resting order: placed, modified, cancelled, triggered, filled, rejected, expired.

Changes the book, and returns what happened. Sources: MQL5 docs, "Order Properties"; MetaTrader 5 help, "Orders".
"""

from __future__ import annotations

from math import inf
from typing import Final

from mas_router import mt5
from mas_router.mt5 import RETCODE_TEXT, Retcode
from mas_router.orders import State
from sim_worker.book import Book
from sim_worker.cases import Case, Refusal, opposite
from sim_worker.checks import affordable
from sim_worker.execution import DONE, slipped
from sim_worker.filling import execute
from sim_worker.pipeline import activation_refusal
from sim_worker.records import Change, Order, OrderChange, Why

_PLACED, _CANCELED = int(mt5.ORDER_STATE_PLACED), int(mt5.ORDER_STATE_CANCELED)
_PARTIAL = int(mt5.ORDER_STATE_PARTIAL)
_REJECTED, _EXPIRED = int(mt5.ORDER_STATE_REJECTED), int(mt5.ORDER_STATE_EXPIRED)
_RETURN, _BOC = int(mt5.ORDER_FILLING_RETURN), int(mt5.ORDER_FILLING_BOC)
_BUY_LIMIT, _SELL_LIMIT = int(mt5.ORDER_TYPE_BUY_LIMIT), int(mt5.ORDER_TYPE_SELL_LIMIT)
_BUY_STOP_LIMIT, _TO_LIMIT = int(mt5.ORDER_TYPE_BUY_STOP_LIMIT), 4
_SPECIFIED = int(mt5.ORDER_TIME_SPECIFIED)
_EXCHANGE: Final = int(mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE)


def _change(book: Book, order: Order, state: State, why: Why, retcode: int, message: str) -> OrderChange:
    return OrderChange(state, order.copy(), retcode, message, book.now, why)


def place(book: Book, case: Case, client_id: str) -> tuple[Order, list[Change]]:
    """Let an order rest, if the market has not reached it."""
    request = case.request
    order = Order(
        book.order_ticket(),
        client_id,
        case.spec.name,
        request.type,
        _PLACED,
        request.volume,
        request.volume,
        round(request.price, case.spec.digits),
        case.market,
        time_setup=book.now,
        type_filling=case.filling,
        magic=request.magic,
        reason=case.reason,
        comment=request.comment,
    )
    _set_terms(order, case)
    book.rest(order)
    changes: list[Change] = [_change(book, order, State.ACCEPTED, "placed", DONE, RETCODE_TEXT[DONE])]
    return order, changes + _reached(book, order, case)


def _reached(book: Book, order: Order, case: Case) -> list[Change]:
    """In exchange execution a limit order that the market has reached executes at once, and at the market.

    An order that may only rest (book or cancel) is cancelled then.
    """
    if order.type > _SELL_LIMIT or not triggered(order, case.bid, case.ask):
        return []
    if order.type_filling == _BOC:
        return [_end(book, order, _CANCELED, State.CANCELED, "dropped", 0, "book or cancel")]
    return _execute(book, order, case.market, case.market) if case.spec.execution == _EXCHANGE else []


def _set_terms(order: Order, case: Case) -> None:
    """What a modification may change, as a full replacement."""
    request, digits = case.request, case.spec.digits
    order.price_open = round(request.price, digits)
    order.stoplimit = round(request.stoplimit, digits) if order.type >= _BUY_STOP_LIMIT else 0.0
    order.sl, order.tp = round(request.sl, digits), round(request.tp, digits)
    order.type_time = request.type_time
    order.expiration = request.expiration if request.type_time >= _SPECIFIED else 0
    order.expires = case.expires


def modify(book: Book, order: Order, case: Case) -> list[Change]:
    """Replace price, stop levels and expiration; what the request leaves out is deleted (TRADE_ACTION_MODIFY)."""
    _set_terms(order, case)
    book.symbols[order.symbol].changed(order)
    book.expect(order.expires)
    state = State.TRIGGERED if order.triggered else State.ACCEPTED
    if order.state == _PARTIAL:
        state = State.PARTIALLY_FILLED
    return [_change(book, order, state, "modified", DONE, "modified"), *_reached(book, order, case)]


def remove(book: Book, order: Order) -> list[Change]:
    """Cancel."""
    return [_end(book, order, _CANCELED, State.CANCELED, "canceled", DONE, RETCODE_TEXT[DONE])]


def _end(book: Book, order: Order, mt5_state: int, state: State, why: Why, retcode: int, message: str) -> OrderChange:
    order.state = mt5_state
    book.leave(order)
    return _change(book, order, state, why, retcode, message)


def triggered(order: Order, bid: float, ask: float) -> bool:
    """Buying triggers at the ask, selling at the bid: limits at the price or better, stops at the price or worse.

    Where the last price triggers, it is given for both.
    """
    if order.insists:
        return True
    limit = order.type <= _SELL_LIMIT
    if order.type & 1:
        return bid >= order.price_open if limit else bid <= order.price_open
    return ask <= order.price_open if limit else ask >= order.price_open


def activate(book: Book, order: Order) -> list[Change]:
    """A stop-limit becomes a limit, a stop executes at the market, a limit at its price or better."""
    if order.type >= _BUY_STOP_LIMIT:
        return [_to_limit(book, order)]
    spec, sell = book.symbols[order.symbol].spec, order.type & 1
    _, bid, ask = book.quotes[order.symbol]
    market = bid if sell else ask
    if order.type not in (_BUY_LIMIT, _SELL_LIMIT):
        return _execute(book, order, slipped(spec, sell, market), market)
    if book.account.limit_gap_policy == "improve":
        best = max if sell else min
        return _execute(book, order, best(order.price_open, market), market)
    return _execute(book, order, order.price_open, market)


def _to_limit(book: Book, order: Order) -> OrderChange:
    """The same ticket goes on as a limit order at the former stoplimit price, with filling RETURN."""
    order.type -= _TO_LIMIT
    order.price_open, order.stoplimit, order.time_setup = order.stoplimit, 0.0, book.now
    order.type_filling, order.triggered = _RETURN, True
    book.symbols[order.symbol].changed(order)
    return _change(book, order, State.TRIGGERED, "triggered", 0, "the stop price was reached, a limit order rests now")


def _execute(book: Book, order: Order, price: float, market: float) -> list[Change]:
    """Fill what the market offers, or end the order: the activation runs through the checks again.

    The end of an order that was filled in part is a cancellation; of another one, a rejection.
    """
    order.price_current = market
    closed = _closes(book, order)
    if closed and closed not in book.positions:
        message = "the position that it closes is gone"
        return [_end(book, order, _CANCELED, State.CANCELED, "dropped", 0, message)]
    refusal = _refusal(book, order, price)
    if refusal is None:
        # A stop level or a close-by may have left less of the position than this order was to close.
        most = book.positions[closed].volume if closed else inf
        return execute(book, order, price, most=most)
    code = int(Retcode.REJECT_CANCEL)
    message = f"{RETCODE_TEXT[code]}: {RETCODE_TEXT[refusal.retcode]}"
    if order.state == _PARTIAL:
        return [_end(book, order, _CANCELED, State.CANCELED, "dropped", code, message)]
    return [_end(book, order, _REJECTED, State.REJECTED, "rejected", code, message)]


def _closes(book: Book, order: Order) -> int:
    """Hedging: the ticket of the position that the rest of this order is to close; 0 for one that opens."""
    return order.position_id if book.account.hedging and order.position_id != order.ticket else 0


def _refusal(book: Book, order: Order, price: float) -> Refusal | None:
    if order.ticket in book.doomed:
        return Refusal(Retcode.REJECT, "the dealer refuses")
    refusal = activation_refusal(book, order)
    if refusal is not None or _closes(book, order):
        return refusal
    side, sell = book.symbols[order.symbol], order.type & 1
    return affordable(book, side, opposite(book, side, sell), sell, order.volume_current, price, order)


def expire(book: Book, time: int) -> list[Change]:
    """End every order whose time has come by `time`, each at its own moment, the earliest first."""
    due = sorted((o for o in book.orders.values() if 0 < o.expires <= time), key=lambda o: (o.expires, o.ticket))
    changes: list[Change] = []
    for order in due:
        book.now = max(book.now, order.expires)
        changes.append(_end(book, order, _EXPIRED, State.EXPIRED, "expired", 0, "expired"))
    if time >= book.stops_end:
        book.end_stops()
    book.find_deadline()
    return changes

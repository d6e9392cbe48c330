"""Carrying out a request that has passed all checks: from a case to the answer and the changes.

Changes the book. What the answer contains for each action is from MQL5 docs, MqlTradeResult.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mas_router import mt5
from mas_router.messages import TradeResult
from mas_router.mt5 import RETCODE_TEXT, Retcode, TradeAction
from sim_worker import execution, pending
from sim_worker.book import Book
from sim_worker.cases import NO_QUOTE, Case, Refusal
from sim_worker.execution import DONE, DONE_PARTIAL, slipped
from sim_worker.filling import execute
from sim_worker.records import Change, DealChange, Order

_STARTED = int(mt5.ORDER_STATE_STARTED)
_CLOSE_BY = int(mt5.ORDER_TYPE_CLOSE_BY)
_QUOTED = (int(mt5.SYMBOL_TRADE_EXECUTION_REQUEST), int(mt5.SYMBOL_TRADE_EXECUTION_INSTANT))
_PLACED: Final = int(Retcode.PLACED)
_DONE_TEXT: Final = RETCODE_TEXT[DONE]

Performed = tuple[TradeResult, list[Change]]


def perform(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    """Carry out a case."""
    return _PERFORMERS[case.request.action](book, case, client_id, request_id)


def refused(book: Book, symbol: str, refusal: Refusal, request_id: int) -> TradeResult:
    """The answer to a request about a symbol that did not pass. Requotes in a row are counted for the symbol."""
    if refusal.retcode == Retcode.REQUOTE and symbol in book.symbols:
        book.symbols[symbol].requotes += 1
    _, bid, ask = book.quotes.get(symbol, NO_QUOTE)
    code = int(refusal.retcode)
    return TradeResult(retcode=code, bid=bid, ask=ask, comment=RETCODE_TEXT[code], request_id=request_id)


def _result(
    case: Case,
    request_id: int,
    order: int = 0,
    deal: int = 0,
    volume: float = 0.0,
    price: float = 0.0,
    retcode: int = DONE,
) -> TradeResult:
    return TradeResult.made(
        retcode=retcode,
        deal=deal,
        order=order,
        volume=volume,
        price=price,
        bid=case.bid,
        ask=case.ask,
        comment=_DONE_TEXT if retcode == DONE else RETCODE_TEXT[retcode],
        request_id=request_id,
    )


def _deal(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    """A market order: it is filled at once at the market, as far as there is volume.

    Its price stays 0 where the execution mode ignores prices; where it does not, there is no slippage either.
    """
    request, quoted = case.request, case.spec.execution in _QUOTED
    price = case.market if quoted else slipped(case.spec, case.sell, case.market)
    ticket, setup = case.accepted or (book.order_ticket(), book.now)
    case.side.requotes = 0
    volume, digits = request.volume, case.spec.digits
    order = Order(
        ticket,
        client_id,
        case.spec.name,
        request.type,
        _STARTED,
        volume,
        volume,
        round(request.price, digits) if quoted else 0.0,
        price,
        sl=round(request.sl, digits),
        tp=round(request.tp, digits),
        type_filling=case.filling,
        time_setup=setup,
        magic=request.magic,
        position_id=case.position.identifier if case.position is not None else 0,
        reason=case.reason,
        comment=request.comment,
    )
    changes = execute(book, order, price, asked=True)
    if order.volume_current:
        return _not_filled(book, case, request_id, order, changes), changes
    return _result(case, request_id, order.ticket, _first_deal(changes), volume, price), changes


def _not_filled(book: Book, case: Case, request_id: int, order: Order, changes: list[Change]) -> TradeResult:
    """The answer to a deal that was filled in part, waits for volume, or found none."""
    done = round(order.volume_initial - order.volume_current, 8)
    if done:
        deal = _first_deal(changes)
        return _result(case, request_id, order.ticket, deal, done, order.price_current, DONE_PARTIAL)
    code = _PLACED if order.ticket in book.orders else book.account.unfilled_retcode
    return _result(case, request_id, order.ticket, retcode=code)


def _close_by(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    """Two positions against each other; the order belongs to the first one."""
    position, other = case.position, case.other
    if position is None or other is None:
        raise TypeError("a close-by is about two positions")
    volume = min(position.volume, other.volume)
    price = other.price_open
    order = Order(
        book.order_ticket(),
        client_id,
        case.spec.name,
        _CLOSE_BY,
        _STARTED,
        volume,
        volume,
        price,
        price,
        time_setup=book.now,
        magic=case.request.magic,
        position_id=position.identifier,
        position_by_id=other.identifier,
        reason=case.reason,
        comment=f"#{position.ticket} by #{other.ticket}",
    )
    changes = execution.close_by(book, order, position, other)
    return _result(case, request_id, order.ticket, _first_deal(changes), volume, price), changes


def _first_deal(changes: list[Change]) -> int:
    return next((change.deal.ticket for change in changes if isinstance(change, DealChange)), 0)


def _pending(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    """Placed; in exchange execution perhaps filled already, or in part."""
    order, changes = pending.place(book, case, client_id)
    volume, code = order.volume_initial, DONE
    if 0.0 < order.volume_current < volume:
        volume, code = round(volume - order.volume_current, 8), DONE_PARTIAL
    return _result(case, request_id, order.ticket, _first_deal(changes), volume, order.price_open, code), changes


def _sltp(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    """Replace both stop levels; one that the request leaves out is deleted. No order comes of it."""
    position, digits = case.position, case.spec.digits
    if position is None:
        raise TypeError("stop levels belong to a position")
    execution.set_levels(book, position, round(case.request.sl, digits), round(case.request.tp, digits))
    return _result(case, request_id), []


def _modify(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    order = _order(case)
    changes = pending.modify(book, order, case)
    return _result(case, request_id, order.ticket, _first_deal(changes), price=order.price_open), changes


def _remove(book: Book, case: Case, client_id: str, request_id: int) -> Performed:
    order = _order(case)
    return _result(case, request_id, order.ticket), pending.remove(book, order)


def _order(case: Case) -> Order:
    if case.order is None:
        raise TypeError("the request is about a resting order")
    return case.order


_PERFORMERS: Final[dict[int, Callable[[Book, Case, str, int], Performed]]] = {
    TradeAction.DEAL: _deal,
    TradeAction.PENDING: _pending,
    TradeAction.SLTP: _sltp,
    TradeAction.MODIFY: _modify,
    TradeAction.REMOVE: _remove,
    TradeAction.CLOSE_BY: _close_by,
}

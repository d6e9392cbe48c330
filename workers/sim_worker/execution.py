"""What a deal does: positions open, grow, shrink, reverse and close, and the balance follows.

Changes the book, and returns what happened. The order's own status always comes before its deals. Sources: MQL5 docs,
"Position Properties" and "Deal Properties"; MetaTrader 5 help, "Positions" and "Trading Principles".
"""

from __future__ import annotations

from typing import Final

from mas_router import mt5
from mas_router.mt5 import RETCODE_TEXT
from mas_router.orders import State
from sim_worker.book import Book
from sim_worker.money import normalize
from sim_worker.records import Change, Deal, DealChange, Order, OrderChange, Position, Why
from sim_worker.specs import SymbolSpec
from sim_worker.valuation import closing_price, closing_profit, mark_entry

_IN, _OUT = int(mt5.DEAL_ENTRY_IN), int(mt5.DEAL_ENTRY_OUT)
_INOUT, _OUT_BY = int(mt5.DEAL_ENTRY_INOUT), int(mt5.DEAL_ENTRY_OUT_BY)
_FILLED, _STARTED = int(mt5.ORDER_STATE_FILLED), int(mt5.ORDER_STATE_STARTED)
_PARTIAL, _CANCELED = int(mt5.ORDER_STATE_PARTIAL), int(mt5.ORDER_STATE_CANCELED)
_SL, _TP = int(mt5.ORDER_REASON_SL), int(mt5.ORDER_REASON_TP)
_CLOSE_BY = int(mt5.ORDER_TYPE_CLOSE_BY)
DONE, DONE_PARTIAL = int(mt5.TRADE_RETCODE_DONE), int(mt5.TRADE_RETCODE_DONE_PARTIAL)
_WHOLLY: Final[tuple[State, int, Why]] = (State.FILLED, DONE, "filled")
_PARTLY: Final[tuple[State, int, Why]] = (State.PARTIALLY_FILLED, DONE_PARTIAL, "partial")


def fill(book: Book, order: Order, price: float, volume: float) -> list[Change]:
    """Execute a volume of an order at this price: the order's status, then its deal.

    An order that is done leaves the book; what to do with the rest of another one is the caller's.
    """
    deal = execute(book, order, price, volume)
    after = order.copy() if order.volume_current else order  # nothing changes an order any more that is done
    state, code, why = _PARTLY if order.volume_current else _WHOLLY
    return [OrderChange(state, after, code, RETCODE_TEXT[code], book.now, why), DealChange(deal, after, book.now)]


def execute(book: Book, order: Order, price: float, volume: float) -> Deal:
    """The deal alone, and what it does to positions."""
    sell, position = order.type & 1, _counterpart(book, order)
    if position is None:
        deal = _open(book, order, sell, price, volume)
    elif position.type == sell:
        deal = _add(book, order, position, price, volume)
    elif volume <= position.volume:
        deal = _reduce(book, order, position, _OUT, volume, price)
    else:
        deal = _reverse(book, order, position, price, volume)
    order.volume_current = round(order.volume_current - volume, 8)
    if order.volume_current:
        order.state = _PARTIAL
    else:
        order.state = _FILLED
        book.leave(order)
    return deal


def slipped(spec: SymbolSpec, sell: int, price: float) -> float:
    """What an order at the market gets where the market is `price`: it is worse by the symbol's slippage."""
    if not spec.slippage_points:
        return price
    worse = -spec.slippage_points if sell else spec.slippage_points
    return round(max(price + worse * spec.point, spec.point), spec.digits)


def _counterpart(book: Book, order: Order) -> Position | None:
    """The position that the order's deal changes: on a hedging account only one that the order names."""
    if book.account.hedging:
        return book.positions.get(order.position_id) if order.position_id else None
    return next(iter(book.symbols[order.symbol].positions.values()), None)


def _open(book: Book, order: Order, sell: int, price: float, volume: float) -> Deal:
    order.position_id = order.ticket
    deal = book.record(order, sell, _IN, volume, price)
    position = Position(
        order.ticket,
        order.ticket,
        order.client_id,
        order.symbol,
        sell,
        volume,
        price,
        order.sl,
        order.tp,
        book.now,
        book.now,
        order.magic,
        order.reason,
        order.comment,
    )
    mark_entry(book, position)
    book.hold(position)
    if book.account.fifo_close:
        _level_new(book, position)
    return deal


def _add(book: Book, order: Order, position: Position, price: float, volume: float) -> Deal:
    """The volumes add up, and the open price is their average, kept at three digits more than the symbol's.

    So on netting accounts, and where an order is filled in parts.
    """
    order.position_id = position.identifier
    deal = book.record(order, position.type, _IN, volume, price)
    total = round(position.volume + volume, 8)
    cost = position.volume * position.price_open + volume * price
    book.reprice(position, total, normalize(cost / total, book.symbols[order.symbol].spec.digits + 3))
    mark_entry(book, position, volume, price)
    if order.volume_current == order.volume_initial:  # what its owner changed since then stays
        _adopt(book, position, order)
    return deal


def _reverse(book: Book, order: Order, position: Position, price: float, volume: float) -> Deal:
    """Netting: one deal closes the position and opens the rest the other way. Only the identifier stays."""
    sell = order.type & 1
    order.position_id = position.identifier
    profit = closing_profit(book, position, position.volume, price)
    deal = book.record(order, sell, _INOUT, volume, price, profit=profit, swap=position.swap)
    book.drop(position)
    position.ticket, position.client_id, position.type = order.ticket, order.client_id, sell
    position.volume, position.price_open = round(volume - position.volume, 8), price
    position.swap = 0.0
    mark_entry(book, position)
    book.hold(position)
    _adopt(book, position, order)
    return deal


def _adopt(book: Book, position: Position, order: Order) -> None:
    """Netting: what adds to a position or reverses it replaces its stop levels."""
    _mark(book, position, order)
    set_levels(book, position, order.sl, order.tp)


def _mark(book: Book, position: Position, order: Order) -> None:
    """Netting: a position has the magic number and the comment of its last deal."""
    position.magic, position.comment, position.time_update = order.magic, order.comment, book.now


def set_levels(book: Book, position: Position, sl: float, tp: float) -> None:
    """Replace the stop levels of a position; where positions close first in, first out, of all of its symbol."""
    side = book.symbols[position.symbol]
    together = book.account.hedging and book.account.fifo_close
    for other in list(side.positions.values()) if together else [position]:
        if other.type == position.type:
            other.sl, other.tp = sl, tp
            side.watch_position(other)
            book.expect_stops(other)
    side.stale = True


def _level_new(book: Book, position: Position) -> None:
    """First in, first out: a new position brings its levels to the others, or takes theirs over."""
    others = book.symbols[position.symbol].positions.values()
    other = next((p for p in others if p.type == position.type and p is not position), None)
    if other is not None:
        source = position if position.sl or position.tp else other
        set_levels(book, position, source.sl, source.tp)


def _reduce(book: Book, order: Order, position: Position, entry: int, volume: float, price: float) -> Deal:
    """Close a part of a position, or all of it. The rest keeps its price, stop levels, ticket and share of the swap."""
    order.position_id = position.identifier
    profit = closing_profit(book, position, volume, price)
    swap = book.take_swap(position, volume)
    deal = book.record(order, 1 - position.type, entry, volume, price, profit=profit, swap=swap)
    book.resize(position, round(position.volume - volume, 8))
    if not book.account.hedging:
        _mark(book, position, order)
    return deal


# ---- the server's own closing orders ---------------------------------------------------------------------------------


def close_at_stop(book: Book, position: Position, *, take_profit: bool) -> list[Change]:
    """A stop loss or take profit closes its position: at the market, or a take profit at its own price.

    As much of it as the market offers; the rest keeps its levels, and they fire again at the next quote.
    """
    side, sell = book.symbols[position.symbol], 1 - position.type
    quote, volume = book.quotes[position.symbol], position.volume
    if side.liquidity is not None:
        volume = min(volume, side.liquidity.offered(sell, quote))
        if not volume:
            return []
        side.liquidity.take(sell, volume)
    level_, name, reason = (position.tp, "tp", _TP) if take_profit else (position.sl, "sl", _SL)
    price = closing_price(position, quote)
    if not take_profit:
        price = slipped(side.spec, sell, price)
    elif book.account.tp_gap_policy == "at_price":
        price = level_
    order = _closing(book, position, position.volume, price, reason, f"[{name} {level_:.{side.spec.digits}f}]", level_)
    return [_close(book, order, price, volume)]


def close_at_market(book: Book, position: Position, volume: float, reason: int, comment: str) -> Change:
    """The server closes this volume of a position at the market."""
    price = closing_price(position, book.quotes[position.symbol])
    price = slipped(book.symbols[position.symbol].spec, 1 - position.type, price)
    order = _closing(book, position, volume, price, reason, comment)
    return _close(book, order, price, volume)


def _close(book: Book, order: Order, price: float, volume: float) -> Change:
    """The server's order, and its deal; what the market does not offer is cancelled."""
    deal = execute(book, order, price, volume)
    if order.volume_current:
        order.state = _CANCELED
        book.leave(order)
    return DealChange(deal, order.copy(), book.now)


def _closing(
    book: Book, position: Position, volume: float, price: float, reason: int, comment: str, price_open: float = 0.0
) -> Order:
    return Order(
        book.order_ticket(),
        position.client_id,
        position.symbol,
        1 - position.type,
        _STARTED,
        volume,
        volume,
        price_open,
        price,
        time_setup=book.now,
        magic=position.magic,
        position_id=position.identifier,
        reason=reason,
        comment=comment,
    )


# ---- close by --------------------------------------------------------------------------------------------------------


def close_by(book: Book, order: Order, position: Position, other: Position) -> list[Change]:
    """Close two opposite positions against each other, each at the other's open price; the first has all the profit.

    The larger one survives with its ticket (MQL5 docs, TRADE_ACTION_CLOSE_BY).
    """
    volume = order.volume_initial
    opened, closed = position.price_open, other.price_open
    deals = [_reduce(book, order, position, _OUT_BY, volume, closed)]
    swap = book.take_swap(other, volume)
    # The second deal belongs to the other position, so its position_id is not the order's.
    order.position_id = other.identifier
    deals.append(book.record(order, 1 - other.type, _OUT_BY, volume, opened, swap=swap))
    book.resize(other, round(other.volume - volume, 8))
    order.position_id, order.volume_current, order.state = position.identifier, 0.0, _FILLED
    book.leave(order)
    after = order.copy()
    status = OrderChange(State.FILLED, after, DONE, RETCODE_TEXT[DONE], book.now, "filled")
    return [status, *(DealChange(deal, after, book.now) for deal in deals)]

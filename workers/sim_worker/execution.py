"""What a deal does: positions open, grow, shrink, reverse and close, and the balance follows.

Changes the book, and returns what happened. The order's own status always comes before its deals. Sources: MQL5 docs,
"Position Properties" and "Deal Properties"; MetaTrader 5 help, "Positions" and "Trading Principles".
"""

from __future__ import annotations

from mas_router import mt5
from mas_router.mt5 import RETCODE_TEXT
from mas_router.orders import State
from sim_worker.book import Book
from sim_worker.records import Change, Deal, DealChange, Order, OrderChange, Position
from sim_worker.valuation import closing_price, equity, floating, level, profit_of

_IN, _OUT = int(mt5.DEAL_ENTRY_IN), int(mt5.DEAL_ENTRY_OUT)
_INOUT, _OUT_BY = int(mt5.DEAL_ENTRY_INOUT), int(mt5.DEAL_ENTRY_OUT_BY)
_FILLED, _STARTED = int(mt5.ORDER_STATE_FILLED), int(mt5.ORDER_STATE_STARTED)
_SL, _TP, _SO = int(mt5.ORDER_REASON_SL), int(mt5.ORDER_REASON_TP), int(mt5.ORDER_REASON_SO)
_CLOSE_BY = int(mt5.ORDER_TYPE_CLOSE_BY)
DONE = int(mt5.TRADE_RETCODE_DONE)
_COMMENT = 31  # characters that the server keeps


def fill(book: Book, order: Order, price: float) -> list[Change]:
    """Execute an order in full at this price: its status, then its deal."""
    deal = _execute(book, order, price)
    after = order.copy()
    return [
        OrderChange(State.FILLED, after, DONE, RETCODE_TEXT[DONE], book.now, "filled"),
        DealChange(deal, after, book.now),
    ]


def _execute(book: Book, order: Order, price: float) -> Deal:
    sell, position = order.type & 1, _counterpart(book, order)
    if position is None:
        deal = _open(book, order, sell, price)
    elif position.type == sell:
        deal = _add(book, order, position, price)
    elif order.volume_current <= position.volume:
        deal = _reduce(book, order, position, _OUT, order.volume_current, price)
    else:
        deal = _reverse(book, order, position, price)
    order.volume_current, order.state = 0.0, _FILLED
    book.leave(order)
    return deal


def _counterpart(book: Book, order: Order) -> Position | None:
    """The position that the order's deal changes: on a hedging account only one that the order names."""
    if book.account.hedging:
        return book.positions.get(order.position_id) if order.position_id else None
    return next(iter(book.symbols[order.symbol].positions.values()), None)


def _open(book: Book, order: Order, sell: int, price: float) -> Deal:
    order.position_id = order.ticket
    deal = book.record(order, sell, _IN, order.volume_current, price)
    position = Position(
        order.ticket,
        order.ticket,
        order.client_id,
        order.symbol,
        sell,
        order.volume_current,
        price,
        order.sl,
        order.tp,
        book.now,
        book.now,
        order.magic,
        order.reason,
        order.comment,
    )
    book.hold(position)
    return deal


def _add(book: Book, order: Order, position: Position, price: float) -> Deal:
    """Netting: the volumes add up, and the open price is their average, kept at three digits more than the symbol's."""
    order.position_id = position.identifier
    deal = book.record(order, position.type, _IN, order.volume_current, price)
    book.drop(position)
    volume = round(position.volume + order.volume_current, 8)
    cost = position.volume * position.price_open + order.volume_current * price
    position.price_open = round(cost / volume, book.symbols[order.symbol].spec.digits + 3)
    position.volume = volume
    _adopt(book, position, order)
    return deal


def _reverse(book: Book, order: Order, position: Position, price: float) -> Deal:
    """Netting: one deal closes the position and opens the rest the other way. Only the identifier stays."""
    spec, sell = book.symbols[order.symbol].spec, order.type & 1
    order.position_id = position.identifier
    profit = profit_of(book, spec, position.type, position.volume, position.price_open, price)
    deal = book.record(order, sell, _INOUT, order.volume_current, price, profit=profit, swap=position.swap)
    book.drop(position)
    position.ticket, position.client_id, position.type = order.ticket, order.client_id, sell
    position.volume, position.price_open = round(order.volume_current - position.volume, 8), price
    position.swap = 0.0
    _adopt(book, position, order)
    return deal


def _adopt(book: Book, position: Position, order: Order) -> None:
    """Netting: what adds to a position or reverses it replaces its stop levels, magic and comment."""
    position.sl, position.tp = order.sl, order.tp
    position.magic, position.comment, position.time_update = order.magic, order.comment, book.now
    book.hold(position)


def _reduce(book: Book, order: Order, position: Position, entry: int, volume: float, price: float) -> Deal:
    """Close a part of a position, or all of it. The rest keeps its price, stop levels, ticket and share of the swap."""
    order.position_id = position.identifier
    spec = book.symbols[order.symbol].spec
    profit = profit_of(book, spec, position.type, volume, position.price_open, price)
    swap = book.take_swap(position, volume)
    deal = book.record(order, 1 - position.type, entry, volume, price, profit=profit, swap=swap)
    book.resize(position, round(position.volume - volume, 8))
    return deal


# ---- the server's own closing orders ---------------------------------------------------------------------------------


def close_at_stop(book: Book, position: Position, *, take_profit: bool) -> Change:
    """A stop loss or take profit closes its position at the market."""
    digits = book.symbols[position.symbol].spec.digits
    level_, name, reason = (position.tp, "tp", _TP) if take_profit else (position.sl, "sl", _SL)
    return _close(book, position, reason, level_, f"[{name} {level_:.{digits}f}]")


def close_by_stop_out(book: Book, margin: float) -> Change:
    """Close the position with the largest loss (or the smallest profit), swap not counted; the older one of equals."""
    worth = equity(book)
    comment = f"[so {level(worth, margin):.2f}%/{worth:.2f}/{margin:.2f}]"
    worst = min(book.positions.values(), key=lambda p: (floating(book, p), p.ticket))
    return _close(book, worst, _SO, 0.0, comment[:_COMMENT])


def _close(book: Book, position: Position, reason: int, price_open: float, comment: str) -> Change:
    price = closing_price(position, book.quotes[position.symbol])
    order = Order(
        book.order_ticket(),
        position.client_id,
        position.symbol,
        1 - position.type,
        _STARTED,
        position.volume,
        position.volume,
        price_open,
        price,
        time_setup=book.now,
        magic=position.magic,
        position_id=position.identifier,
        reason=reason,
        comment=comment,
    )
    deal = _execute(book, order, price)
    return DealChange(deal, order.copy(), book.now)


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

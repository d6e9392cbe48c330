"""The stop-out: what the server closes, and in which order, when an account has too little equity left.

Changes the book, and returns what happened. Source: MetaTrader 5 administrator help, "Groups", "Stop Out".
"""

from __future__ import annotations

from mas_router import mt5
from mas_router.orders import State
from sim_worker import ledger
from sim_worker.book import Book
from sim_worker.execution import close_at_market
from sim_worker.margins import reserved
from sim_worker.records import Change, Order, OrderChange, Position
from sim_worker.valuation import account_risk, equity, floating, is_safe, level

_SO, _CANCELED = int(mt5.ORDER_REASON_SO), int(mt5.ORDER_STATE_CANCELED)
_REAL = int(mt5.ACCOUNT_TRADE_MODE_REAL)
_COMMENT = 31  # characters that the server keeps


def stop_out(book: Book) -> list[Change]:
    """First pending orders, the largest margin first; then positions, the largest loss first; until it is enough.

    Orders that reserve nothing stay, and so does what cannot be traded now.
    """
    changes: list[Change] = []
    while not is_safe(book):
        change = _next(book)
        if change is None:
            break
        changes.append(change)
    if book.account.compensate_negative and book.balance < 0.0 and changes and not book.positions:
        ledger.compensate(book)
    return changes


def _next(book: Book) -> Change | None:
    mark = _mark(book)
    order = _dearest(book)
    if order is not None:
        order.state = _CANCELED
        book.leave(order)
        return OrderChange(State.CANCELED, order.copy(), 0, f"stop-out {mark}", book.now, "dropped")
    position = _worst(book)
    return None if position is None else close_at_market(book, position, _chunk(book, position), _SO, mark)


def _mark(book: Book) -> str:
    worth, margin = equity(book), account_risk(book)
    return f"[so {level(worth, margin):.2f}%/{worth:.2f}/{margin:.2f}]"[:_COMMENT]


def _dearest(book: Book) -> Order | None:
    """The resting order that reserves most, if any reserves anything; the older one of equals."""
    if not book.reserving:
        return None
    margin, ticket = max((reserved(book, o), -o.ticket) for o in book.orders.values())
    return book.orders[-ticket] if margin else None


def _worst(book: Book) -> Position | None:
    """The position with the largest loss or, if all of them win, the smallest profit; swap does not count.

    With FIFO only the oldest losing position of each symbol may be chosen.
    """
    profits = {p.ticket: floating(book, p) for p in book.positions.values() if can_close(book, p)}
    if book.account.fifo_close:
        profits = _oldest_losing(book, profits) or profits
    ticket = min(profits, key=lambda t: (profits[t], t), default=None)
    return None if ticket is None else book.positions[ticket]


def _oldest_losing(book: Book, profits: dict[int, float]) -> dict[int, float]:
    first: dict[str, int] = {}
    for ticket in sorted(profits, key=lambda t: (book.positions[t].time, t)):
        if profits[ticket] < 0.0:
            first.setdefault(book.positions[ticket].symbol, ticket)
    return {ticket: profits[ticket] for ticket in first.values()}


def can_close(book: Book, position: Position) -> bool:
    """Is the market of a position open, and the symbol enabled?"""
    return book.symbols[position.symbol].executes(book.now)


def _chunk(book: Book, position: Position) -> float:
    """Real netting accounts lose no more at once than one order may have; the others the whole position."""
    if book.account.hedging or book.account.trade_mode != _REAL:
        return position.volume
    return min(position.volume, book.symbols[position.symbol].spec.volume_max)

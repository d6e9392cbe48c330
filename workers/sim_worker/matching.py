"""What a tick sets off, in the trade server's order: stop losses, take profits, pending orders.

Changes the book, and returns what happened. Positions come before pending orders, so what a pending order opens is
judged by the next tick. Sources: MetaTrader 5 server API, "Request Processing on the Server"; administrator help,
"Stop Out".
"""

from __future__ import annotations

from sim_worker.book import Book
from sim_worker.execution import close_at_stop
from sim_worker.pending import activate, triggered
from sim_worker.records import Change, Position
from sim_worker.symbol_book import SymbolBook


def trigger(book: Book, side: SymbolBook, bid: float, ask: float) -> list[Change]:
    """Close what has reached its stop loss or take profit, then activate what has been triggered.

    When a gap reaches both levels of a position, the stop loss wins. `bid` and `ask` are both the last price where that
    one triggers. While the market is closed nothing executes; levels and orders wait for the next quote when it is not.
    """
    changes: list[Change] = []
    if not side.executes(book.now):
        return changes
    for position in list(side.positions.values()):
        if _stop_lost(position, bid, ask):
            changes += close_at_stop(book, position, take_profit=False)
    for position in list(side.positions.values()):
        if _profit_taken(position, bid, ask):
            changes += close_at_stop(book, position, take_profit=True)
    for order in list(side.orders.values()):
        if triggered(order, bid, ask):
            changes += activate(book, order)
    side.refresh()
    return changes


def _stop_lost(position: Position, bid: float, ask: float) -> bool:
    if not position.sl:
        return False
    return ask >= position.sl if position.type else bid <= position.sl


def _profit_taken(position: Position, bid: float, ask: float) -> bool:
    if not position.tp:
        return False
    return ask <= position.tp if position.type else bid >= position.tp

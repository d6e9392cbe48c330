"""Checks of volumes and numbers: of one order, of a symbol, of an account, and which position may be closed.

Pure, and reads only. Sources: MetaTrader 5 administrator help, "Trade" tab of a symbol and "Groups"; MQL5 docs,
"Trade Server Return Codes".
"""

from __future__ import annotations

from typing import Final

from mas_router import mt5
from mas_router.mt5 import Retcode, TradeAction
from sim_worker.book import Book
from sim_worker.cases import Case, Refusal
from sim_worker.records import Position
from sim_worker.symbol_book import SymbolBook

_EPSILON: Final = 1e-6
#: Less than half of the smallest unit in which volumes are kept.
_HAIR: Final = 4e-9
_SELL: Final = int(mt5.ORDER_TYPE_SELL)


def closes(book: Book, case: Case) -> bool:
    """Does the order only close? A pending order of a hedging account never does."""
    position = case.position
    if position is None:
        return False
    return book.account.hedging or case.request.volume <= position.volume


# ---- volume ----------------------------------------------------------------------------------------------------------


def volume(book: Book, case: Case) -> Refusal | None:
    """Minimum, maximum and step; the minimum does not apply to closing."""
    spec, lots, position = case.spec, case.request.volume, case.position
    if case.request.position and position is not None and lots > position.volume:
        note = f"volume {lots:g} exceeds the {position.volume:g} of position {position.ticket}"
        return Refusal(Retcode.INVALID_CLOSE_VOLUME, note)
    whole = round(lots / spec.volume_step) * spec.volume_step
    least = 0.0 if closes(book, case) and lots > 0.0 else spec.volume_min - _EPSILON
    if least <= lots <= spec.volume_max + _EPSILON and abs(lots - whole) < _HAIR:
        return None
    limits = f"{spec.volume_min:g} to {spec.volume_max:g} in steps of {spec.volume_step:g}"
    return Refusal(Retcode.INVALID_VOLUME, f"volume {lots:g} is not {limits}")


def total_volume(book: Book, case: Case) -> Refusal | None:
    """SYMBOL_VOLUME_LIMIT: positions and pending orders of one direction together."""
    limit, request = case.spec.volume_limit, case.request
    if request.action == TradeAction.DEAL and closes(book, case):
        return None
    held = case.side.exposure.side(case.sell)[0]
    if case.position is not None and request.action == TradeAction.DEAL:
        held -= case.position.volume  # what a reversal closes first
    resting = sum(o.volume_current for o in case.side.orders.values() if o.type & 1 == case.sell)
    if held + resting + request.volume > limit + _EPSILON:
        return Refusal(Retcode.LIMIT_VOLUME, f"more than {limit:g} lots of {case.spec.name} in one direction")
    return None


def other_close(book: Book, case: Case) -> Refusal | None:
    """The rest of a closing order that was filled in part may cover the position already. A close-by never has one."""
    if not case.request.position:
        return None
    for position in (case.position, case.other):
        covered = 0.0 if position is None else _closing(case.side, position)
        if position is None or not covered:
            continue
        if case.other is not None or covered + case.request.volume > position.volume + _EPSILON:
            note = f"orders that close {covered:g} lots of position {position.ticket} are under way"
            return Refusal(Retcode.CLOSE_ORDER_EXIST, note)
    return None


def _closing(side: SymbolBook, position: Position) -> float:
    """Lots of a position that orders are to close."""
    return sum(o.volume_current for o in side.orders.values() if o.position_id == position.identifier != o.ticket)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def order_count(book: Book, case: Case) -> Refusal | None:
    """ACCOUNT_LIMIT_ORDERS counts pending orders."""
    limit = book.account.limit_orders
    if len(book.orders) >= limit and sum(order.type > _SELL for order in book.orders.values()) >= limit:
        return Refusal(Retcode.LIMIT_ORDERS, f"{limit} pending orders rest already")
    return None


def position_count(book: Book, case: Case) -> Refusal | None:
    """Hedging: pending orders count, for each opens a position. Netting: only symbols without a position count."""
    limit = book.account.limit_positions
    if book.account.hedging:
        pendings = sum(not order.position_id for order in book.orders.values())
        count = 0 if case.position is not None else len(book.positions) + pendings
    else:
        count = 0 if case.side.positions else len(book.positions)
    return Refusal(Retcode.LIMIT_POSITIONS, f"{limit} positions are open already") if count >= limit else None


# ---- which position --------------------------------------------------------------------------------------------------


def first_in(book: Book, case: Case) -> Refusal | None:
    """ACCOUNT_FIFO_CLOSE: of one symbol and direction, the oldest position is closed first."""
    for position in (case.position, case.other):
        if position is not None and position is not _oldest(case.side, position.type):
            return Refusal(Retcode.FIFO_CLOSE, f"position {position.ticket} is not the oldest of {position.symbol}")
    return None


def _oldest(side: SymbolBook, sell: int) -> Position:
    return min((p for p in side.positions.values() if p.type == sell), key=lambda p: (p.time, p.ticket))


def no_hedge(book: Book, case: Case) -> Refusal | None:
    """Where opposite positions are prohibited, so are the orders that would open them."""
    if case.position is None and any(position.type != case.sell for position in case.side.positions.values()):
        return Refusal(Retcode.HEDGE_PROHIBITED, f"there is an opposite position in {case.spec.name}")
    return None

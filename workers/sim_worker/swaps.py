"""The end of the trading day: swaps, rolled over positions, and the commissions that were kept for it.

Changes the book, and returns what happened. Sources: MetaTrader 5 administrator help, "Swaps", "Trade Server"; MQL5
docs, ENUM_SYMBOL_SWAP_MODE, ENUM_DAY_OF_WEEK.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

from mas_router import mt5
from sim_worker import ledger, money
from sim_worker.book import Book
from sim_worker.pending import expire
from sim_worker.rates import convert
from sim_worker.records import DAY, Accrual, Change, DealChange, Order, Position
from sim_worker.specs import FOREX_MODES, TICK_MODES, SymbolSpec, currency_digits
from sim_worker.valuation import closing_price, closing_profit, converted, mark_entry

_POINTS = int(mt5.SYMBOL_SWAP_MODE_POINTS)
_REOPEN_CURRENT = int(mt5.SYMBOL_SWAP_MODE_REOPEN_CURRENT)
_REOPEN_BID = int(mt5.SYMBOL_SWAP_MODE_REOPEN_BID)
_INTEREST_CURRENT = int(mt5.SYMBOL_SWAP_MODE_INTEREST_CURRENT)
_INTEREST_OPEN = int(mt5.SYMBOL_SWAP_MODE_INTEREST_OPEN)
_ROLLOVER = int(mt5.DEAL_REASON_ROLLOVER)
_IN, _OUT = int(mt5.DEAL_ENTRY_IN), int(mt5.DEAL_ENTRY_OUT)
_FILLED = int(mt5.ORDER_STATE_FILLED)
_THURSDAY: Final = 4  # 1970-01-01
_EPOCH: Final = date(1970, 1, 1).toordinal()


def pass_time(book: Book, time: int) -> list[Change]:
    """What ends by `time`, each thing at its own moment: orders, stop levels, days."""
    changes: list[Change] = []
    while book.rollover <= time:
        changes += expire(book, book.rollover)
        book.now = max(book.now, book.rollover)
        changes += end_day(book)
    return changes + expire(book, time)


def end_day(book: Book) -> list[Change]:
    """Charge what the day costs. What is negative leaves the equity now, the balance when the position closes."""
    changes: list[Change] = []
    for position in list(book.positions.values()):
        changes += _charge(book, position)
    ledger.settle(book)
    book.adopt_settings()
    return changes


def _charge(book: Book, position: Position) -> list[Change]:
    side = book.symbols[position.symbol]
    spec = side.spec
    rate = spec.swap_short if position.type else spec.swap_long
    days = multiplier(spec, book.now)
    if not (spec.swap_mode and rate and days):
        return []
    if spec.swap_mode in (_REOPEN_CURRENT, _REOPEN_BID):
        return _reopen(book, position, rate * days)
    amount = book.money(_FORMULAS[spec.swap_mode](book, spec, position, rate) * days)
    position.swap = book.money(position.swap + amount)
    side.swap += amount
    book.accruals.append(Accrual(book.now, position.identifier, amount))
    return []


def multiplier(spec: SymbolSpec, time: int) -> float:
    """How many days of swap are charged at the end of this day.

    A holiday is charged on the day before it, whatever that is: nothing on the holiday itself.
    """
    day = time // DAY
    if is_holiday(spec, day):
        return 0.0
    total = _weight(spec, day)
    while is_holiday(spec, day + 1):
        day += 1
        total += _weight(spec, day)
    return total


def _weight(spec: SymbolSpec, day: int) -> float:
    return spec.day_multipliers[(day + _THURSDAY) % 7]


def is_holiday(spec: SymbolSpec, day: int) -> bool:
    """Is this day (since 1970-01-01) a holiday of the symbol, as a whole?"""
    return bool(spec.holidays) and day in _whole_days(spec.holidays)


@lru_cache(maxsize=256)
def _whole_days(holidays: str) -> frozenset[int]:
    """The dates without hours in which the market is open nevertheless."""
    parts = [part.strip() for part in holidays.split(";")]
    return frozenset(date.fromisoformat(part).toordinal() - _EPOCH for part in parts if part and " " not in part)


# ---- the formulas: for one day, in the deposit currency --------------------------------------------------------------

Formula = Callable[[Book, SymbolSpec, Position, float], float]


def _by_points(book: Book, spec: SymbolSpec, position: Position, rate: float) -> float:
    """Points of the position's price; the worth of one point is rounded, so a small position may pay nothing."""
    price = closing_price(position, book.quotes[spec.name])
    point = money.normalize(position.volume * spec.lot_value * spec.point, currency_digits(spec.currency_profit))
    return book.money(converted(book, spec, position.type, point, price, book.quotes)) * rate


def _by_money(currency: Callable[[Book, SymbolSpec], str]) -> Formula:
    """Money per lot, converted to the trader's disadvantage."""

    def formula(book: Book, spec: SymbolSpec, position: Position, rate: float) -> float:
        price = closing_price(position, book.quotes[spec.name])
        route = book.route(spec, currency(book, spec))
        return position.volume * rate * convert(route, spec.name, price, rate < 0.0, book.quotes)

    return formula


def _by_interest(book: Book, spec: SymbolSpec, position: Position, rate: float) -> float:
    """Percent a year of what the position is worth, at the present price or at its open price."""
    opened = spec.swap_mode == _INTEREST_OPEN
    price = position.price_open if opened else closing_price(position, book.quotes[spec.name])
    forex = spec.calc_mode in FOREX_MODES
    size = spec.lot_value if spec.calc_mode in TICK_MODES else spec.contract_size
    cost = position.volume * size * (1.0 if forex else price)
    route = book.route(spec, spec.currency_base if forex else spec.currency_profit)
    worth = cost * convert(route, spec.name, price, bool(position.type), book.quotes)
    return worth * rate / 100.0 / spec.swap_year


_FORMULAS: Final[dict[int, Formula]] = {
    _POINTS: _by_points,
    int(mt5.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL): _by_money(lambda book, spec: spec.currency_base),
    int(mt5.SYMBOL_SWAP_MODE_CURRENCY_MARGIN): _by_money(lambda book, spec: spec.currency_margin),
    int(mt5.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT): _by_money(lambda book, spec: book.account.currency),
    _INTEREST_CURRENT: _by_interest,
    _INTEREST_OPEN: _by_interest,
}


# ---- reopening -------------------------------------------------------------------------------------------------------


def _reopen(book: Book, position: Position, points: float) -> list[Change]:
    """Close the position at the market and open it anew, worse by a negative swap and better by a positive one.

    Ticket, stop levels and times stay; there are two deals and no order.
    """
    spec = book.symbols[position.symbol].spec
    price = closing_price(position, book.quotes[spec.name])
    again = book.quotes[spec.name][1] if spec.swap_mode == _REOPEN_BID else price
    again = round(again + points * spec.point * (1 if position.type else -1), spec.digits)
    order = _nobodys(book, position)
    profit, swap = closing_profit(book, position, position.volume, price), position.swap
    closed = book.record(order, 1 - position.type, _OUT, position.volume, price, profit=profit, swap=swap)
    book.drop(position)
    opened = book.record(order, position.type, _IN, position.volume, again)
    position.swap, position.price_open = 0.0, again
    mark_entry(book, position)
    book.hold(position)
    return [DealChange(deal, order, book.now) for deal in (closed, opened)]


def _nobodys(book: Book, position: Position) -> Order:
    """A rollover has deals without an order. This one says whose they are, and is in no history."""
    return Order(
        0,
        position.client_id,
        position.symbol,
        position.type,
        _FILLED,
        position.volume,
        0.0,
        magic=position.magic,
        position_id=position.identifier,
        reason=_ROLLOVER,
        comment="rollover",
    )

"""What leaves and enters the balance besides the results of trading: commissions, fees, deposits.

Changes the book where it says so. Source: MetaTrader 5 administrator help, "Commission Settings"; MQL5 docs,
ENUM_DEAL_TYPE, ENUM_DEAL_ENTRY.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from mas_router import mt5
from sim_worker.charges import Commission
from sim_worker.rates import convert
from sim_worker.records import DAY

if TYPE_CHECKING:
    from sim_worker.book import Book

_IN, _OUT = int(mt5.DEAL_ENTRY_IN), int(mt5.DEAL_ENTRY_OUT)
_INOUT, _OUT_BY = int(mt5.DEAL_ENTRY_INOUT), int(mt5.DEAL_ENTRY_OUT_BY)
_BALANCE, _CREDIT = int(mt5.DEAL_TYPE_BALANCE), int(mt5.DEAL_TYPE_CREDIT)
_ENTRIES: Final = {"both": (_IN, _OUT, _INOUT), "in": (_IN, _INOUT), "out": (_OUT, _INOUT)}
#: The deal types of commissions that are charged later, by when.
BLOCKED: Final = {"daily": int(mt5.DEAL_TYPE_COMMISSION_DAILY), "monthly": int(mt5.DEAL_TYPE_COMMISSION_MONTHLY)}
_EPOCH: Final = date(1970, 1, 1).toordinal()


def open_account(book: Book, time: int) -> None:
    """The first deals of an account: its deposit, and its credit."""
    book.now = max(book.now, time)
    book.operate(_BALANCE, book.money(book.account.deposit), "deposit")
    if book.account.credit:
        book.operate(_CREDIT, book.money(book.account.credit), "credit")


def charge(book: Book, symbol: str, entry: int, volume: float, price: float) -> tuple[float, float]:
    """The commission and the fee of a deal, negative where they cost. What is charged later is blocked until then."""
    commission = fee = 0.0
    for rule in book.symbols[symbol].charges:
        if not _applies(rule, entry):
            continue
        amount = book.money(-_amount(book, rule, symbol, volume, price))
        if rule.charge != "instant":
            book.blocked[rule.charge] += amount
            book.aside += amount
            book.expect_rollover()
        elif rule.fee:
            fee += amount
        else:
            commission += amount
    return book.money(commission), book.money(fee)


def expected(book: Book, symbol: str, volume: float, price: float) -> float:
    """What an opening deal will take from the equity, besides its margin."""
    rules = [rule for rule in book.symbols[symbol].charges if _applies(rule, _IN)]
    return sum(_amount(book, rule, symbol, volume, price) for rule in rules)


def _applies(rule: Commission, entry: int) -> bool:
    return rule.close_by if entry == _OUT_BY else entry in _ENTRIES[rule.entry]


def _amount(book: Book, rule: Commission, symbol: str, volume: float, price: float) -> float:
    return rule.amount(volume, worth(book, symbol, volume, price) if rule.by_value else 0.0)


def worth(book: Book, symbol: str, volume: float, price: float) -> float:
    """What a volume is worth at a price, in the deposit currency."""
    spec = book.symbols[symbol].spec
    route = book.route(spec, spec.currency_profit)
    return volume * spec.lot_value * price * convert(route, symbol, price, False, book.quotes)


def settle(book: Book) -> None:
    """The end of a day: charge what was blocked for it, and at the end of a month what was blocked for that."""
    _pay(book, "daily")
    if _month(book.now) != _month(book.now + DAY):
        _pay(book, "monthly")


def _pay(book: Book, when: str) -> None:
    amount = book.money(book.blocked[when])
    if amount:
        book.aside -= book.blocked[when]
        book.blocked[when] = 0.0
        book.operate(BLOCKED[when], amount, f"{when} commission")


def _month(time: int) -> int:
    return date.fromordinal(_EPOCH + time // DAY).month


def compensate(book: Book) -> None:
    """Make a negative balance 0, as a broker does that lets nobody owe it money."""
    book.operate(_BALANCE, -book.balance, "so compensation")

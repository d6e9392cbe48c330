"""The checks of a trade request after it was found well formed: its symbol, its times, the account and the money.

Pure, and reads only. Each check returns a refusal or None; `sim_worker.pipeline` puts them in order. Source: MetaTrader
5 server API, "Request Processing on the Server".
"""

from __future__ import annotations

from typing import Final

from mas_router import mt5
from mas_router.mt5 import Retcode, TradeAction
from sim_worker import ledger, margins, valuation
from sim_worker.book import Book, day_end
from sim_worker.cases import NO_QUOTE, Case, Refusal, filling_allowed
from sim_worker.limits import closes
from sim_worker.rates import NoRate
from sim_worker.records import DAY, SECOND, Order, Position
from sim_worker.symbol_book import SymbolBook

# ---- the symbol and the account --------------------------------------------------------------------------------------


def enabled(book: Book, case: Case) -> Refusal | None:
    """On a disabled symbol nothing at all can be done."""
    if case.spec.trade_mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
        return Refusal(Retcode.TRADE_DISABLED, f"trading {case.spec.name} is disabled")
    return None


def live(book: Book, case: Case) -> Refusal | None:
    """Some symbols are for real accounts only."""
    return Refusal(Retcode.ONLY_REAL, f"{case.spec.name} is traded on real accounts only")


def hours(book: Book, case: Case) -> Refusal | None:
    """Trade sessions, holidays, the server's working hours and the life of the contract, in this order."""
    why = case.side.trading.closed(book.now) if case.side.trading is not None else ""
    return Refusal(Retcode.MARKET_CLOSED, f"{case.spec.name} is not traded now: {why}") if why else None


def fresh(book: Book, case: Case) -> Refusal | None:
    """The newest quote may not be older than the symbol allows."""
    quoted, limit = book.quotes.get(case.spec.name, NO_QUOTE)[0], case.spec.quote_max_delay
    if case.ask and book.now - quoted > limit * SECOND:
        return Refusal(Retcode.PRICE_OFF, f"{case.spec.name} has not been quoted for more than {limit:g} s")
    return None


def tradable(book: Book, case: Case) -> Refusal | None:
    """SYMBOL_TRADE_MODE: what the symbol may be used for."""
    mode = case.spec.trade_mode
    if closes(book, case):
        return None
    name = case.spec.name
    if mode == mt5.SYMBOL_TRADE_MODE_CLOSEONLY:
        return Refusal(Retcode.CLOSE_ONLY, f"positions in {name} can only be closed")
    if mode == mt5.SYMBOL_TRADE_MODE_LONGONLY and case.sell:
        return Refusal(Retcode.LONG_ONLY, f"{name} can only be bought")
    if mode == mt5.SYMBOL_TRADE_MODE_SHORTONLY and not case.sell:
        return Refusal(Retcode.SHORT_ONLY, f"{name} can only be sold")
    return None


#: SYMBOL_ORDER_* bits of the order types.
_TYPE_BITS: Final = (1, 1, 2, 2, 4, 4, 8, 8)


def kind(book: Book, case: Case) -> Refusal | None:
    """SYMBOL_ORDER_MODE: the types of orders, and stop levels, that the symbol takes."""
    allowed, request = case.spec.order_mode, case.request
    needed = 0
    if request.action in (TradeAction.DEAL, TradeAction.PENDING):
        needed = _TYPE_BITS[request.type]
    elif request.action == TradeAction.CLOSE_BY:
        needed = int(mt5.SYMBOL_ORDER_CLOSEBY)
    if request.action != TradeAction.CLOSE_BY:
        needed |= (16 if request.sl else 0) | (32 if request.tp else 0)
    if needed & ~allowed:
        return Refusal(Retcode.INVALID_ORDER, f"{case.spec.name} does not take such orders (order_mode {allowed})")
    return None


def filling(book: Book, case: Case) -> Refusal | None:
    """The filling mode; see `cases.filling_allowed`."""
    request = case.request
    if filling_allowed(book.account, case.spec, request.action == TradeAction.PENDING, request.type, case.filling):
        return None
    note = f"{case.spec.name} does not allow filling mode {case.filling} (filling_mode {case.spec.filling_mode})"
    return Refusal(Retcode.INVALID_FILL, note)


def expiration(book: Book, case: Case) -> Refusal | None:
    """When the order is to end (ENUM_ORDER_TYPE_TIME); fills `case.expires`."""
    request, spec = case.request, case.spec
    if request.type_time > mt5.ORDER_TIME_SPECIFIED_DAY or not spec.expiration_mode >> request.type_time & 1:
        return Refusal(Retcode.INVALID_EXPIRATION, f"{spec.name} does not allow type_time {request.type_time}")
    moment = request.expiration * SECOND
    if request.type_time == mt5.ORDER_TIME_SPECIFIED:
        case.expires = moment
    elif request.type_time == mt5.ORDER_TIME_SPECIFIED_DAY:
        case.expires = _specified_day(book, moment)
    elif request.type_time == mt5.ORDER_TIME_DAY or spec.order_gtc_mode != mt5.SYMBOL_ORDERS_GTC:
        case.expires = day_end(book.now)
    else:
        return None
    if case.expires <= book.now:
        note = f"expiration {request.expiration} is not after the server's time {book.now // SECOND}"
        return Refusal(Retcode.INVALID_EXPIRATION, note)
    return None


def _specified_day(book: Book, moment: int) -> int:
    """The end of the day of a moment: its last second, or its beginning, as the server is set."""
    if book.account.specified_day_end == "23:59:59":
        return day_end(moment) - SECOND if moment else 0
    return moment // DAY * DAY


def account(book: Book, case: Case) -> Refusal | None:
    """May this account trade, and may programs on it? An investor's password only reads."""
    spec = book.account
    if not spec.enabled:
        return Refusal(Retcode.TRADE_DISABLED, "the account is disabled")
    if not spec.trade_allowed:
        return Refusal(Retcode.TRADE_DISABLED, "trading is disabled on this account")
    if not spec.trade_expert and case.reason == mt5.ORDER_REASON_EXPERT:
        return Refusal(Retcode.SERVER_DISABLES_AT, "trading by programs is disabled on this account")
    return Refusal(Retcode.TRADE_DISABLED, "an investor's password only reads") if spec.read_only else None


def prices(book: Book, case: Case) -> Refusal | None:
    """There must be a quote; and to open anything, the quotes that convert its money."""
    spec = case.spec
    if not case.ask:
        return Refusal(Retcode.PRICE_OFF, f"{spec.name} has not been quoted yet")
    if case.request.action not in (TradeAction.DEAL, TradeAction.PENDING):
        return None
    try:
        for currency in spec.currencies:
            book.route(spec, currency)
    except NoRate as error:
        names = ", ".join(book.conversion_symbols(spec)) or "such a pair"
        return Refusal(Retcode.PRICE_OFF, f"{error}: {names} is not quoted")
    return None


# ---- money -----------------------------------------------------------------------------------------------------------


def free_margin(book: Book, case: Case) -> Refusal | None:
    """Is there money for a deal at the market? Closing a position by its ticket needs none."""
    if book.account.hedging and case.position is not None:
        return None
    return affordable(book, case.side, case.position, case.sell, case.request.volume, case.market)


def reserve(book: Book, case: Case) -> Refusal | None:
    """Is there money for what a pending order reserves, or will at its new price? Usually it reserves nothing."""
    before = valuation.account_margin(book)
    return _covered(book, before, margin_reserved(book, case, before))


def margin_reserved(book: Book, case: Case, before: float) -> float:
    """The account's margin with a new pending order, or with a resting one at its new price."""
    request, order = case.request, case.order
    kind, lots = (request.type, request.volume) if order is None else (order.type, order.volume_current)
    return margins.margin_after_order(book, case.side, margins.Claim(kind, lots, request.price), before, order)


def affordable(
    book: Book,
    side: SymbolBook,
    position: Position | None,
    sell: int,
    lots: float,
    price: float,
    order: Order | None = None,
) -> Refusal | None:
    """Is there money for a deal at this price? What needs no more margin than before always passes.

    `position` is the opposite one that the deal closes or reverses, `order` the resting one that it executes.
    """
    before = valuation.account_margin(book)
    after = margins.margin_after_deal(book, side, position, margins.Claim(sell, lots, price), before, order)
    return _covered(book, before, after, ledger.expected(book, side.spec.name, lots, price) if side.charges else 0.0)


def _covered(book: Book, before: float, after: float, charges: float = 0.0) -> Refusal | None:
    needed = after + charges
    if after <= before or valuation.covers(book, needed):
        return None
    return Refusal(
        Retcode.NO_MONEY, f"{needed:.2f} {book.account.currency} are needed, there are {valuation.funds(book):.2f}"
    )

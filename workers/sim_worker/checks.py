"""The checks of a trade request after it was found well formed, in the trade server's order.

Pure, and reads only. Each check returns a refusal or None; the first refusal is the answer, so a bad filling mode beats
a bad volume, that beats a bad price, that beats bad stops, and that beats missing money. Source: MetaTrader 5 server
API, "Request Processing on the Server".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mas_router import mt5
from mas_router.mt5 import Retcode, TradeAction
from sim_worker import levels, valuation
from sim_worker.book import Book, SymbolBook, day_end
from sim_worker.cases import Case, Refusal, filling_allowed
from sim_worker.rates import NoRate
from sim_worker.records import SECOND, Position

Check = Callable[[Book, Case], Refusal | None]
_EPSILON: Final = 1e-6


def first_refusal(book: Book, case: Case) -> Refusal | None:
    """The answer of the first check that does not pass."""
    for check in _PIPELINES[case.request.action]:
        refusal = check(book, case)
        if refusal is not None:
            return refusal
    return None


# ---- the symbol and the account --------------------------------------------------------------------------------------


def closes(book: Book, case: Case) -> bool:
    """Does the order only close? A pending order of a hedging account never does."""
    position = case.position
    if position is None:
        return False
    return book.account.hedging or case.request.volume <= position.volume


def enabled(book: Book, case: Case) -> Refusal | None:
    """On a disabled symbol nothing at all can be done."""
    if case.spec.trade_mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
        return Refusal(Retcode.TRADE_DISABLED, f"trading {case.spec.name} is disabled")
    return None


def tradable(book: Book, case: Case) -> Refusal | None:
    """SYMBOL_TRADE_MODE: what the symbol may be used for."""
    mode = case.spec.trade_mode
    if mode == mt5.SYMBOL_TRADE_MODE_FULL or closes(book, case):
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
    if filling_allowed(case.spec, request.action == TradeAction.PENDING, request.type, case.filling):
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
        case.expires = day_end(moment) if moment else 0
    elif request.type_time == mt5.ORDER_TIME_DAY or spec.order_gtc_mode != mt5.SYMBOL_ORDERS_GTC:
        case.expires = day_end(book.now)
    else:
        return None
    if case.expires <= book.now:
        note = f"expiration {request.expiration} is not after the server's time {book.now // SECOND}"
        return Refusal(Retcode.INVALID_EXPIRATION, note)
    return None


def account(book: Book, case: Case) -> Refusal | None:
    """May this account trade, and may programs on it?"""
    if not book.account.trade_allowed:
        return Refusal(Retcode.TRADE_DISABLED, "trading is disabled on this account")
    if not book.account.trade_expert and case.reason == mt5.ORDER_REASON_EXPERT:
        return Refusal(Retcode.SERVER_DISABLES_AT, "trading by programs is disabled on this account")
    return None


def prices(book: Book, case: Case) -> Refusal | None:
    """There must be a quote; and to open anything, the quotes that convert its profit and margin."""
    spec = case.spec
    if not case.ask:
        return Refusal(Retcode.PRICE_OFF, f"{spec.name} has not been quoted yet")
    if case.request.action not in (TradeAction.DEAL, TradeAction.PENDING):
        return None
    try:
        book.route(spec, spec.currency_profit)
        book.route(spec, spec.currency_margin)
    except NoRate as error:
        names = ", ".join(book.conversion_symbols(spec)) or "such a pair"
        return Refusal(Retcode.PRICE_OFF, f"{error}: {names} is not quoted")
    return None


# ---- volume ----------------------------------------------------------------------------------------------------------


def volume(book: Book, case: Case) -> Refusal | None:
    """Minimum, maximum and step; the minimum does not apply to closing."""
    spec, lots, position = case.spec, case.request.volume, case.position
    if case.request.position and position is not None and lots > position.volume:
        note = f"volume {lots:g} exceeds the {position.volume:g} of position {position.ticket}"
        return Refusal(Retcode.INVALID_CLOSE_VOLUME, note)
    steps = lots / spec.volume_step
    least = 0.0 if closes(book, case) and lots > 0.0 else spec.volume_min - _EPSILON
    if least <= lots <= spec.volume_max + _EPSILON and abs(steps - round(steps)) < _EPSILON:
        return None
    limits = f"{spec.volume_min:g} to {spec.volume_max:g} in steps of {spec.volume_step:g}"
    return Refusal(Retcode.INVALID_VOLUME, f"volume {lots:g} is not {limits}")


def order_count(book: Book, case: Case) -> Refusal | None:
    limit = book.account.limit_orders
    if limit and len(book.orders) >= limit:
        return Refusal(Retcode.LIMIT_ORDERS, f"{limit} pending orders rest already")
    return None


def total_volume(book: Book, case: Case) -> Refusal | None:
    """SYMBOL_VOLUME_LIMIT: positions and pending orders of one direction together."""
    limit, request = case.spec.volume_limit, case.request
    if not limit or closes(book, case):
        return None
    held = case.side.exposure.side(case.sell)[0]
    if case.position is not None and request.action == TradeAction.DEAL:
        held -= case.position.volume  # what a reversal closes first
    resting = sum(o.volume_current for o in case.side.orders.values() if o.type & 1 == case.sell)
    if held + resting + request.volume > limit + _EPSILON:
        return Refusal(Retcode.LIMIT_VOLUME, f"more than {limit:g} lots of {case.spec.name} in one direction")
    return None


# ---- money -----------------------------------------------------------------------------------------------------------


def free_margin(book: Book, case: Case) -> Refusal | None:
    """Is there money for a deal at the market? Closing a position by its ticket needs none."""
    if book.account.hedging and case.position is not None:
        return None
    return affordable(book, case.side, case.position, case.sell, case.request.volume, case.market)


def affordable(
    book: Book, side: SymbolBook, position: Position | None, sell: int, lots: float, price: float
) -> Refusal | None:
    """Is there money for a deal at this price? What needs no more margin than before always passes.

    `position` is the opposite one that the deal closes or reverses.
    """
    before = valuation.account_margin(book)
    after = valuation.margin_after(book, side, position, sell, lots, price, before)
    if after <= before:
        return None
    needed = after + book.account.commission_per_lot * lots
    if valuation.equity_floor(book) >= needed:
        return None
    equity = valuation.equity(book)
    if equity >= needed:
        return None
    return Refusal(Retcode.NO_MONEY, f"{needed:.2f} {book.account.currency} are needed, equity is {equity:.2f}")


_PIPELINES: Final[dict[int, tuple[Check, ...]]] = {
    TradeAction.DEAL: (
        enabled,
        tradable,
        kind,
        filling,
        account,
        prices,
        volume,
        levels.deal_price,
        levels.stops,
        levels.frozen_position,
        total_volume,
        free_margin,
    ),
    TradeAction.PENDING: (
        enabled,
        tradable,
        kind,
        filling,
        expiration,
        account,
        prices,
        volume,
        levels.pending_price,
        levels.stops,
        order_count,
        total_volume,
    ),
    TradeAction.SLTP: (enabled, levels.unchanged_position, kind, account, prices, levels.stops, levels.frozen_position),
    TradeAction.MODIFY: (
        enabled,
        levels.unchanged_order,
        kind,
        expiration,
        account,
        prices,
        levels.pending_price,
        levels.stops,
        levels.frozen_order,
    ),
    TradeAction.REMOVE: (enabled, account, prices, levels.frozen_order),
    TradeAction.CLOSE_BY: (enabled, kind, account, prices, levels.frozen_position),
}

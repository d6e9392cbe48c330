"""The checks of a trade request in the trade server's order.

Pure, and reads only. The first refusal is the answer, so a closed market beats a bad filling mode, that beats a bad
volume, that beats a bad price, that beats bad stops, and that beats missing money. Checks that the settings of the
account and the symbol do not need are left out once, so they cost nothing. Source: MetaTrader 5 server API, "Request
Processing on the Server".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mas_router import mt5
from mas_router.messages import TradeRequest
from mas_router.mt5 import TradeAction
from sim_worker import levels, limits
from sim_worker.book import Book
from sim_worker.cases import Case, Refusal, opposite
from sim_worker.checks import (
    account,
    enabled,
    expiration,
    filling,
    free_margin,
    fresh,
    hours,
    kind,
    live,
    prices,
    reserve,
    tradable,
)
from sim_worker.records import Order
from sim_worker.specs import ALL_ORDERS, AccountSpec, SymbolSpec
from sim_worker.symbol_book import Check, SymbolBook

#: In the table of a symbol's checks, those of an activation; the others are under the number of their action.
_ACTIVATE: Final = -1


def first_refusal(book: Book, case: Case) -> Refusal | None:
    """The answer of the first check that does not pass."""
    action = case.request.action
    checks = case.side.checks.get(action)
    if checks is None:
        checks = case.side.checks[action] = _needed(book, case.side, _PIPELINES[action])
    for check in checks:
        refusal: Refusal | None = check(book, case)
        if refusal is not None:
            return refusal
    return None


def activation_refusal(book: Book, order: Order) -> Refusal | None:
    """May a pending order that was placed in other times still open what it opens? Money is checked apart."""
    side = book.symbols[order.symbol]
    checks = side.checks.get(_ACTIVATE)
    if checks is None:
        netting = () if book.account.hedging else (limits.position_count,)
        checks = side.checks[_ACTIVATE] = _needed(book, side, (tradable, limits.no_hedge, *netting))
    if not checks:
        return None
    case = _activation(book, side, order)
    return next((refusal for check in checks if (refusal := check(book, case)) is not None), None)


def _activation(book: Book, side: SymbolBook, order: Order) -> Case:
    sell = order.type & 1
    request = TradeRequest(action=TradeAction.PENDING, type=order.type, volume=order.volume_current)
    if not book.account.hedging:
        position = opposite(book, side, sell)
    else:  # what it has opened itself, it adds to
        position = book.positions.get(order.position_id) if order.position_id != order.ticket else None
    return Case(request, side, side.spec, 0.0, 0.0, sell, position)


def _needed(book: Book, side: SymbolBook, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks that can refuse anything at all with the settings of this account and symbol."""
    return tuple(check for check in checks if check not in _WHEN or _WHEN[check](book.account, side.spec))


_SYMBOL: Final[tuple[Check, ...]] = (enabled, live)
_TIMES: Final[tuple[Check, ...]] = (hours, fresh)

_PIPELINES: Final[dict[int, tuple[Check, ...]]] = {
    TradeAction.DEAL: (
        *_SYMBOL,
        tradable,
        kind,
        *_TIMES,
        filling,
        account,
        prices,
        limits.volume,
        limits.other_close,
        levels.deal_price,
        levels.stops,
        levels.frozen_position,
        limits.first_in,
        limits.no_hedge,
        limits.position_count,
        limits.total_volume,
        free_margin,
    ),
    TradeAction.PENDING: (
        *_SYMBOL,
        tradable,
        kind,
        *_TIMES,
        filling,
        expiration,
        account,
        prices,
        limits.volume,
        levels.pending_price,
        levels.stops,
        limits.no_hedge,
        limits.order_count,
        limits.position_count,
        limits.total_volume,
        reserve,
    ),
    TradeAction.SLTP: (
        *_SYMBOL,
        kind,
        *_TIMES,
        account,
        prices,
        levels.unchanged_position,
        levels.stops,
        levels.frozen_position,
    ),
    TradeAction.MODIFY: (
        *_SYMBOL,
        kind,
        *_TIMES,
        expiration,
        account,
        prices,
        levels.unchanged_order,
        levels.pending_price,
        levels.stops,
        levels.frozen_order,
        reserve,
    ),
    TradeAction.REMOVE: (*_SYMBOL, *_TIMES, account, prices, levels.frozen_order),
    TradeAction.CLOSE_BY: (
        *_SYMBOL,
        kind,
        *_TIMES,
        account,
        prices,
        limits.other_close,
        levels.frozen_position,
        limits.first_in,
    ),
}

_QUOTED: Final = (mt5.SYMBOL_TRADE_EXECUTION_REQUEST, mt5.SYMBOL_TRADE_EXECUTION_INSTANT)

#: With which settings a check is needed; those that are not here always are.
_WHEN: Final[dict[Check, Callable[[AccountSpec, SymbolSpec], bool]]] = {
    enabled: lambda a, s: s.trade_mode == mt5.SYMBOL_TRADE_MODE_DISABLED,
    live: lambda a, s: s.only_real and a.trade_mode != mt5.ACCOUNT_TRADE_MODE_REAL,
    tradable: lambda a, s: s.trade_mode != mt5.SYMBOL_TRADE_MODE_FULL,
    kind: lambda a, s: s.order_mode & ALL_ORDERS != ALL_ORDERS,
    hours: lambda a, s: bool(s.sessions_trade or s.holidays or a.server_hours or s.start_time or s.expiration_time),
    fresh: lambda a, s: s.quote_max_delay > 0.0,
    account: lambda a, s: not (a.enabled and a.trade_allowed and a.trade_expert) or a.read_only,
    limits.other_close: lambda a, s: a.hedging and s.liquidity > 0.0,
    levels.deal_price: lambda a, s: s.execution in _QUOTED,
    levels.frozen_position: lambda a, s: s.freeze_level > 0,
    levels.frozen_order: lambda a, s: s.freeze_level > 0,
    limits.first_in: lambda a, s: a.hedging and a.fifo_close,
    limits.no_hedge: lambda a, s: a.hedging and not a.hedge_allowed,
    limits.order_count: lambda a, s: a.limit_orders > 0,
    limits.position_count: lambda a, s: a.limit_positions > 0,
    limits.total_volume: lambda a, s: s.volume_limit > 0.0,
    reserve: lambda a, s: s.reserves,
}

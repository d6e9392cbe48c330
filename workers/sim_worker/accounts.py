"""What a terminal shows of the book: rows of the account and its symbols, and records with current prices.

Pure, and reads only. The fields are those of the MetaTrader5 package's tuples.
"""

from __future__ import annotations

from typing import Final

from mas_router import mt5
from mas_router.messages import Row, TradeRequest
from mas_router.mt5 import RETCODE_TEXT, TradeAction
from sim_worker import margins, valuation
from sim_worker.book import Book
from sim_worker.cases import NO_QUOTE, Case, examine
from sim_worker.checks import margin_reserved
from sim_worker.pipeline import first_refusal
from sim_worker.records import SECOND, Order, Position
from sim_worker.specs import SymbolSpec

_MARGIN_MODES: Final = {
    "netting": mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
    "exchange": mt5.ACCOUNT_MARGIN_MODE_EXCHANGE,
    "hedging": mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
}
_STOP_OUT_MODES: Final = {"percent": mt5.ACCOUNT_STOPOUT_MODE_PERCENT, "money": mt5.ACCOUNT_STOPOUT_MODE_MONEY}


def positions(book: Book) -> list[Position]:
    """Copies of the open positions with current price and profit, in the order of their tickets."""
    return [_valued(book, book.positions[ticket]) for ticket in sorted(book.positions)]


def _valued(book: Book, position: Position) -> Position:
    shown = position.copy()
    shown.price_current = valuation.mark_prices(book.symbols[position.symbol], book.quotes)[position.type]
    shown.profit = valuation.floating(book, position)
    return shown


def orders(book: Book) -> list[Order]:
    """Copies of the resting orders with the current price, in the order of their tickets."""
    return [_priced(book, book.orders[ticket]) for ticket in sorted(book.orders)]


def _priced(book: Book, order: Order) -> Order:
    shown = order.copy()
    _, bid, ask = book.quotes[order.symbol]
    shown.price_current = bid if order.type & 1 else ask
    return shown


def account_row(book: Book) -> Row:
    """The 28 fields of AccountInfo. A margin level without margin is 0, as in the terminal."""
    spec = book.account
    margin, maintenance = valuation.account_margin(book), valuation.account_maintenance(book)
    equity, blocked = valuation.equity(book), sum(book.blocked.values())
    return {
        "login": int(spec.login) if str(spec.login).isdecimal() else spec.login,
        "trade_mode": spec.trade_mode,
        "leverage": spec.leverage,
        "limit_orders": spec.limit_orders,
        "margin_so_mode": int(_STOP_OUT_MODES[spec.stop_out_mode]),
        "trade_allowed": spec.enabled and spec.trade_allowed and not spec.read_only,
        "trade_expert": spec.trade_expert,
        "margin_mode": int(_MARGIN_MODES[spec.margin_mode]),
        "currency_digits": spec.currency_digits,
        "fifo_close": spec.fifo_close,
        "balance": book.balance,
        "credit": book.money(book.aside - blocked),
        "profit": valuation.account_profit(book),
        "equity": equity,
        "margin": margin,
        "margin_free": book.money(valuation.funds(book) - margin),
        "margin_level": valuation.level(equity, margin),
        "margin_so_call": spec.margin_call,
        "margin_so_so": spec.stop_out,
        "margin_initial": valuation.account_initial(book),
        "margin_maintenance": maintenance,
        "assets": valuation.account_assets(book),
        "liabilities": 0.0,
        "commission_blocked": book.money(blocked),
        "name": spec.name,
        "server": spec.server,
        "currency": spec.currency,
        "company": spec.company,
    }


def check_row(book: Book, request: TradeRequest, time: int) -> Row:
    """The fields of OrderCheckResult: retcode 0 and "Done", or a refusal; money as it would be after the request."""
    now, book.now = book.now, max(book.now, time)
    try:
        case = examine(book, request)
        refusal = first_refusal(book, case) if isinstance(case, Case) else case
        margin = _margin_after(book, case) if isinstance(case, Case) else valuation.account_margin(book)
    except valuation.NoRate:  # the refusal says so
        margin = valuation.account_margin(book)
    finally:
        book.now = now
    code = int(refusal.retcode) if refusal is not None else 0
    profit, equity = valuation.account_profit(book), valuation.equity(book)
    return {
        "retcode": code,
        "balance": book.balance,
        "equity": equity,
        "profit": profit,
        "margin": margin,
        "margin_free": book.money(valuation.funds(book) - margin),
        "margin_level": valuation.level(equity, margin),
        "comment": RETCODE_TEXT[code],
    }


def _margin_after(book: Book, case: Case) -> float:
    before = valuation.account_margin(book)
    request = case.request
    if request.action in (TradeAction.PENDING, TradeAction.MODIFY):
        return margin_reserved(book, case, before) if case.spec.reserves else before
    if request.action != TradeAction.DEAL or not case.ask:
        return before
    claim = margins.Claim(case.sell, request.volume, case.market)
    return margins.margin_after_deal(book, case.side, case.position, claim, before)


def symbol_row(book: Book, symbol: str) -> Row:
    """The fields of SymbolInfo that a simulated symbol has, under their names; empty for an unknown symbol."""
    side = book.symbol(symbol)
    if side is None:
        return {}
    time, bid, ask = book.quotes.get(symbol, NO_QUOTE)
    market: Row = {"time": time // SECOND, "bid": bid, "ask": ask, "last": side.last}
    if bid:
        market["spread"] = round((ask - bid) / side.spec.point)
    return _contract(side.spec) | market | _tick_values(book, side.spec, bid)


_TICK_VALUES: Final = ("trade_tick_value", "trade_tick_value_profit", "trade_tick_value_loss")


def _tick_values(book: Book, spec: SymbolSpec, price: float) -> Row:
    """What one tick of one lot is worth in the deposit currency, won or lost; 0 while it cannot be converted."""
    value = spec.lot_value * spec.tick_size
    if not price:
        return dict.fromkeys(_TICK_VALUES, 0.0)
    try:
        won, lost = (abs(valuation.converted(book, spec, 0, sign * value, price, book.quotes)) for sign in (1, -1))
    except valuation.NoRate:
        return dict.fromkeys(_TICK_VALUES, 0.0)
    return dict(zip(_TICK_VALUES, (won, won, lost), strict=True))


def _contract(spec: SymbolSpec) -> Row:
    return {
        "name": spec.name,
        "description": spec.description,
        "path": spec.path,
        "digits": spec.digits,
        "point": spec.point,
        "spread": spec.spread_points,
        "spread_float": True,
        "select": True,
        "visible": True,
        "trade_face_value": spec.face_value,
        "trade_liquidity_rate": spec.liquidity_rate,
        "trade_contract_size": spec.contract_size,
        "trade_tick_size": spec.tick_size,
        "trade_calc_mode": spec.calc_mode,
        "trade_mode": spec.trade_mode,
        "trade_exemode": spec.execution,
        "trade_stops_level": spec.stops_level,
        "trade_freeze_level": spec.freeze_level,
        "filling_mode": spec.filling_mode,
        "expiration_mode": spec.expiration_mode,
        "order_mode": spec.order_mode,
        "order_gtc_mode": spec.order_gtc_mode,
        "volume_min": spec.volume_min,
        "volume_max": spec.volume_max,
        "volume_step": spec.volume_step,
        "volume_limit": spec.volume_limit,
        "start_time": spec.start_time,
        "expiration_time": spec.expiration_time,
        "session_price_limit_min": spec.price_limit_min,
        "session_price_limit_max": spec.price_limit_max,
        "currency_base": spec.currency_base,
        "currency_profit": spec.currency_profit,
        "currency_margin": spec.currency_margin,
        "margin_initial": spec.margin_initial,
        "margin_maintenance": spec.margin_maintenance,
        "margin_hedged": spec.margin_hedged,
        "margin_hedged_use_leg": spec.margin_hedged_use_leg,
        "swap_mode": spec.swap_mode,
        "swap_long": spec.swap_long,
        "swap_short": spec.swap_short,
        "swap_rollover3days": spec.swap_rollover3days,
    }

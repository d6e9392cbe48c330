"""What a terminal answers to each function of the MetaTrader5 package. Pure.

A function gets the terminal, its arguments by name, and the moment (UTC ns). What goes wrong is a CallFailed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mas_router import mt5
from mas_router.messages import Row, TradeResult
from mas_router.mt5 import ResultCode
from sim_worker.bars import DAY
from sim_worker.masks import in_group
from sim_worker.queries import depth
from sim_worker.records import Deal, Order, Position, row
from sim_worker.terminal.failures import CallFailed
from sim_worker.trade_server import history, views
from sim_worker.trade_server.account import TradeAccount, refusal
from sim_worker.trade_server.clocks import SECOND
from sim_worker.trade_server.desk import VERSION, Terminal


def answer(terminal: Terminal, function: str, args: Mapping[str, Any], now: int) -> Any:
    """The answer of a terminal that somebody is logged in to."""
    account = terminal.logged_in()
    if terminal.connected:  # a terminal that is cut off shows what it saw last
        account.follow(now)
    return FUNCTIONS[function](terminal, args, now)


def _version(terminal: Terminal, args: Mapping[str, Any], now: int) -> Any:
    return list(VERSION)


def _terminal_info(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    account = terminal.logged_in()
    return {
        "connected": terminal.connected,
        "trade_allowed": terminal.auto_trading,
        "tradeapi_disabled": not terminal.api_allowed,
        "notifications_enabled": False,
        "build": VERSION[1],
        "maxbars": 100_000,
        "ping_last": 1_000,
        "company": account.spec.company,
        "name": "MAS Simulated Terminal",
        "language": "English",
        "path": f"sim:{terminal.name}",
        "data_path": f"sim:{terminal.name}",
        "commondata_path": "sim:",
    }


def _account_info(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    return terminal.logged_in().row(readonly=terminal.readonly)


def _symbols_total(terminal: Terminal, args: Mapping[str, Any], now: int) -> int:
    return len(terminal.market.listed)


def _symbols_get(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Row]:
    names = [name for name in terminal.market.listed if in_group(name, args.get("group") or "*")]
    return [terminal.symbol_row(name, now) for name in names]


def _symbol_info(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    """With the day's highest and lowest prices, which cost more than the rest: a list of symbols goes without."""
    name = args["symbol"]
    shown = terminal.symbol_row(name, now)
    if not shown["select"]:
        return shown
    moment = terminal.shown_time(now)
    past, midnight = terminal.market.past, moment - moment % DAY
    today, before = past.quotes(name, midnight, moment + 1), past.newest(name, midnight - 1)
    return {**shown, **views.day_rows(today.bid, today.ask, float(before.bid[-1]) if len(before) else 0.0)}


def _symbol_info_tick(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    quote = terminal.quote(args["symbol"], now)
    if quote is None:
        raise CallFailed(ResultCode.NOT_FOUND)
    return views.tick_row(*quote)


def _symbol_select(terminal: Terminal, args: Mapping[str, Any], now: int) -> bool:
    name = args["symbol"]
    terminal.spec(name)
    if args["enable"]:
        terminal.watched.add(name)
    else:
        if terminal.uses(name):
            raise CallFailed(ResultCode.FAIL)
        terminal.watched.discard(name)
    return True


def _market_book_add(terminal: Terminal, args: Mapping[str, Any], now: int) -> bool:
    terminal.spec(args["symbol"])
    terminal.depths.add(args["symbol"])
    return True


def _market_book_get(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Row]:
    spec = terminal.spec(args["symbol"])
    quote = terminal.quote(spec.name, now)
    if spec.name not in terminal.depths or quote is None:
        raise CallFailed(ResultCode.NOT_FOUND)
    return depth(terminal.logged_in().engine, spec.name)


def _market_book_release(terminal: Terminal, args: Mapping[str, Any], now: int) -> bool:
    terminal.spec(args["symbol"])
    if args["symbol"] not in terminal.depths:
        raise CallFailed(ResultCode.NOT_FOUND)
    terminal.depths.discard(args["symbol"])
    return True


def _counted(args: Mapping[str, Any]) -> None:
    if args.get("count", 1) <= 0 or args.get("position", 0) < 0:
        raise CallFailed(ResultCode.INVALID_PARAMS)


def _copy_rates(terminal: Terminal, args: Mapping[str, Any], now: int) -> bytes:
    _counted(args)
    spec, frame = terminal.spec(args["symbol"]), history.timeframe_name(args["timeframe"])
    which = {name: args[name] for name in ("since", "until", "position", "count") if name in args}
    moment = terminal.shown_time(now)
    return history.copy_rates(terminal.market.past, spec, frame, moment, **which).tobytes()


def _copy_ticks(terminal: Terminal, args: Mapping[str, Any], now: int) -> bytes:
    _counted(args)
    spec = terminal.spec(args["symbol"])
    which = {name: args[name] for name in ("since", "until", "count") if name in args}
    moment = terminal.shown_time(now)
    return history.copy_ticks(terminal.market.past, spec.name, args["flags"], moment, **which).tobytes()


# ---- records ---------------------------------------------------------------------------------------------------------


def _orders(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Order]:
    return views.selected(terminal.logged_in().orders(), args)


def _positions(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Position]:
    return views.selected(terminal.logged_in().positions(now), args)


def _history_orders(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Order]:
    return views.past(terminal.logged_in().history_orders(now), args)


def _history_deals(terminal: Terminal, args: Mapping[str, Any], now: int) -> list[Deal]:
    return views.past(terminal.logged_in().deals(now), args)


_Find = Callable[[Terminal, Mapping[str, Any], int], "list[Order] | list[Position] | list[Deal]"]


def _rows(find: _Find) -> Callable[[Terminal, Mapping[str, Any], int], list[Row]]:
    return lambda terminal, args, now: [row(record) for record in find(terminal, args, now)]


def _number(find: _Find) -> Callable[[Terminal, Mapping[str, Any], int], int]:
    return lambda terminal, args, now: len(find(terminal, args, now))


# ---- trading ---------------------------------------------------------------------------------------------------------


def _calc_margin(terminal: Terminal, args: Mapping[str, Any], now: int) -> float:
    return _calculated(
        terminal,
        args,
        now,
        lambda account: account.engine.calc_margin(args["action"], args["symbol"], args["volume"], args["price"]),
    )


def _calc_profit(terminal: Terminal, args: Mapping[str, Any], now: int) -> float:
    prices = args["price_open"], args["price_close"]
    return _calculated(
        terminal,
        args,
        now,
        lambda account: account.engine.calc_profit(args["action"], args["symbol"], args["volume"], *prices),
    )


def _calculated(
    terminal: Terminal, args: Mapping[str, Any], now: int, compute: Callable[[TradeAccount], float | None]
) -> float:
    if args["action"] not in (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL):
        raise CallFailed(ResultCode.INVALID_PARAMS)
    terminal.quote(args["symbol"], now)
    value = compute(terminal.logged_in())
    if value is None:
        raise CallFailed(ResultCode.FAIL)
    return value


def _order_check(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    account = terminal.logged_in()
    request = account.request(args["request"])
    if request is None:
        return {"retcode": int(mt5.TRADE_RETCODE_INVALID), "comment": "Invalid request"}
    if request.symbol in terminal.market.listed:
        terminal.quote(request.symbol, now)
    return account.engine.check(request, account.time.server(now))


def _order_send(terminal: Terminal, args: Mapping[str, Any], now: int) -> Row:
    """The terminal's own checks, in its order, and then the trade server."""
    if not terminal.api_allowed:
        raise CallFailed(ResultCode.AUTO_TRADING_DISABLED)
    account, symbol = terminal.logged_in(), args["request"]["symbol"]
    own = _own_refusal(terminal)
    if own:
        return refusal(own).model_dump()
    if symbol and symbol not in terminal.market.listed:
        return refusal(mt5.TRADE_RETCODE_INVALID).model_dump()
    if symbol and terminal.shows(symbol):
        account.watch(symbol)
    if terminal.readonly:
        return _numbered(terminal, refusal(mt5.TRADE_RETCODE_TRADE_DISABLED))
    delay, doomed = round(args.get("delay", 0.0) * SECOND), bool(args.get("doomed"))
    return _numbered(terminal, account.send(args["request"], now, delay=delay, doomed=doomed))


def _numbered(terminal: Terminal, result: TradeResult) -> Row:
    """An answer with the number of its request. What is no request at all the terminal refuses itself: number 0."""
    if result.retcode == mt5.TRADE_RETCODE_INVALID:
        return {**result.model_dump(), "request_id": 0}
    terminal.requests += 1
    return {**result.model_dump(), "request_id": terminal.requests}


def _own_refusal(terminal: Terminal) -> int:
    """What the terminal refuses before it asks the trade server."""
    if not terminal.connected:
        return int(mt5.TRADE_RETCODE_CONNECTION)
    return 0 if terminal.auto_trading else int(mt5.TRADE_RETCODE_CLIENT_DISABLES_AT)


FUNCTIONS: Final[dict[str, Callable[[Terminal, Mapping[str, Any], int], Any]]] = {
    "version": _version,
    "terminal_info": _terminal_info,
    "account_info": _account_info,
    "symbols_total": _symbols_total,
    "symbols_get": _symbols_get,
    "symbol_info": _symbol_info,
    "symbol_info_tick": _symbol_info_tick,
    "symbol_select": _symbol_select,
    "market_book_add": _market_book_add,
    "market_book_get": _market_book_get,
    "market_book_release": _market_book_release,
    "copy_rates": _copy_rates,
    "copy_ticks": _copy_ticks,
    "orders_total": _number(_orders),
    "orders_get": _rows(_orders),
    "positions_total": _number(_positions),
    "positions_get": _rows(_positions),
    "history_orders_total": _number(_history_orders),
    "history_orders_get": _rows(_history_orders),
    "history_deals_total": _number(_history_deals),
    "history_deals_get": _rows(_history_deals),
    "order_calc_margin": _calc_margin,
    "order_calc_profit": _calc_profit,
    "order_check": _order_check,
    "order_send": _order_send,
}

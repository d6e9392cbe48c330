"""The dictionaries that the SDK's methods take -> checked values, trade requests among them.

Pure. Every function raises InvalidField (which field, which value, what is allowed) or CallerError, and nothing else.
`now` is UTC nanoseconds: the clock's for a live account, the simulated time in a backtest. Every dictionary may also
have `account` and `server`, to mean another account that is logged in, and `backtest_toggle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Final, Literal

from mas._fields import (
    INT64,
    SECOND,
    address,
    as_datetime,
    choice,
    identifier,
    login,
    moment,
    number,
    parse,
    password,
    text,
    ticket,
    whole,
)
from mas._send import order_check as order_check
from mas._send import send_order as send_order
from mas._shared import DAY, PRICE, Comment, Group, SomePrice, Symbol, Volume, check_expiration
from mas._shared import OrderParams as OrderParams
from mas._shared import Target as Target
from mas._subscribe import ReplayParams as ReplayParams
from mas._subscribe import UnsubscribeParams as UnsubscribeParams
from mas._subscribe import subscribe_bars as subscribe_bars
from mas._subscribe import subscribe_ticks as subscribe_ticks
from mas._subscribe import unsubscribe as unsubscribe
from mas_router import request
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import TradeRequest, Verb
from mas_router.mt5_enums import OrderTime, OrderType, Timeframe
from mas_router.mt5_tables import TIMEFRAMES

#: In one call of `get_bars_from_pos`; more are asked for in parts.
MOST_BARS: Final = 100_000
HISTORY_START: Final = 946_684_800 * SECOND  # 2000-01-01
SIDES: Final = {"buy": OrderType.BUY, "sell": OrderType.SELL}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginParams:
    """`login`: the account and its password, which is in no repr."""

    account: Annotated[str, login()]
    password: Annotated[str, password()] = field(repr=False)
    server: Annotated[str, text(64)]
    timeout_ms: Annotated[int, whole(1, 600_000), "timeout"] = 6000


def login_params(params: object) -> LoginParams:
    """`login`, `switch_account`."""
    return parse(LoginParams, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    client_id: Annotated[str, identifier("_-")] = ""  # one word of a routing key, so without a dot
    url: Annotated[str, address()] = ""
    live_url: Annotated[str, address()] = ""
    backtest_url: Annotated[str, address()] = ""
    seed: Annotated[int, whole(0, INT64)] = 1
    timeout: Annotated[float, number(0.001, 3600)] = 10.0


def client_id(value: object) -> str:
    """The name that a client gave itself; "" for None and ""."""
    return parse(_Client, {"client_id": None if value == "" else value}).client_id


def check_client(**given: object) -> None:
    """The other settings of a client: url, live_url, backtest_url, seed, timeout (seconds)."""
    parse(_Client, given)


# ---- changes of an order or a position -----------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Cancel(Target):
    order_id: Annotated[int, ticket()]
    comment: Comment = request.CANCEL_COMMENT


@dataclass(slots=True, kw_only=True)
class _Modify(Target):
    order_id: Annotated[int, ticket()]
    price: SomePrice
    sl: Annotated[float | None, PRICE] = None
    tp: Annotated[float | None, PRICE] = None
    stoplimit: Annotated[float | None, PRICE] = None
    expiration: Annotated[int | None, moment()] = None
    comment: Comment = request.MODIFY_COMMENT


@dataclass(slots=True, kw_only=True)
class _Levels(Target):
    position_id: Annotated[int, ticket("position")]
    sl: Annotated[float | None, PRICE] = None
    tp: Annotated[float | None, PRICE] = None


def cancel_order(params: object) -> OrderParams:
    """`cancel_order`."""
    given = parse(_Cancel, params)
    return _change("cancel", given, request.remove(given.order_id, comment=given.comment))


def modify_order(params: object, now: int) -> OrderParams:
    """`modify_order`: what is not given stays, 0 removes a level; `expiration` means ORDER_TIME_SPECIFIED."""
    given = parse(_Modify, params)
    time = OrderTime.SPECIFIED if given.expiration else OrderTime.GTC
    check_expiration(time, given.expiration or 0, now)
    trade = request.modify(
        given.order_id,
        given.price,
        stoplimit=given.stoplimit or 0.0,
        sl=given.sl or 0.0,
        tp=given.tp or 0.0,
        time=time,
        expiration=(given.expiration or 0) // SECOND,
        comment=given.comment,
    )
    keep = {"sl": given.sl, "tp": given.tp, "stoplimit": given.stoplimit}
    keep |= {"type_time": given.expiration, "expiration": given.expiration}
    return _change("modify", given, trade, keep)


def modify_position_sltp(params: object) -> OrderParams:
    """`modify_position_sltp`: what is not given stays, 0 removes a level."""
    given = parse(_Levels, params)
    if given.sl is None and given.tp is None:
        raise CallerError("missing 'sl' or 'tp': give at least one of them, 0 to remove it")
    trade = request.sltp(given.position_id, sl=given.sl or 0.0, tp=given.tp or 0.0)
    return _change("sltp", given, trade, {"sl": given.sl, "tp": given.tp})


def _change(
    verb: Verb, given: Target, trade: TradeRequest, keep: Mapping[str, float | None] = MappingProxyType({})
) -> OrderParams:
    return OrderParams(
        verb=verb,
        request=trade,
        keep=tuple(name for name, value in keep.items() if value is None),
        account=given.account,
        server=given.server,
        backtest=given.backtest,
    )


# ---- questions -----------------------------------------------------------------------------------------------------

FILTER: Final = ticket(none_is_absent=True)
What = Literal["positions", "orders", "history_orders", "deals", "account", "symbols", "tick", "book", "swaps"]


@dataclass(slots=True, kw_only=True)
class QueryParams(Target):
    """A filter of records: `since` and `until` in UTC nanoseconds, `until` 0 for no end."""

    what: What
    symbol: Symbol = ""
    group: Group = ""
    ticket: Annotated[int, FILTER] = 0
    position: Annotated[int, FILTER] = 0
    since: Annotated[int, moment(), "from"] = HISTORY_START
    until: Annotated[int, moment(), "to"] = 0


_TARGET: Final = frozenset({"account", "server", "backtest_toggle"})
_LIVE: Final = _TARGET | {"symbol", "group", "ticket"}
_HISTORY: Final = _LIVE | {"position", "from", "to"}


def positions(params: object) -> QueryParams:
    """`get_positions`."""
    return parse(QueryParams, params, only=_LIVE, what="positions")


def pending_orders(params: object) -> QueryParams:
    """`get_pending_orders`."""
    return parse(QueryParams, params, only=_LIVE, what="orders")


def history_orders(params: object) -> QueryParams:
    """`get_history_orders`."""
    return _ordered(parse(QueryParams, params, only=_HISTORY, what="history_orders"))


def order_history(params: object) -> QueryParams:
    """`get_order_history`: the deals."""
    return _ordered(parse(QueryParams, params, only=_HISTORY, what="deals"))


def account_info(params: object) -> QueryParams:
    """`get_account_info`."""
    return parse(QueryParams, params, only=_TARGET, what="account")


def symbols(params: object) -> QueryParams:
    """`get_symbols`."""
    return parse(QueryParams, params, only=_TARGET | {"symbol", "group"}, what="symbols")


def _ordered(query: QueryParams) -> QueryParams:
    if query.until and query.until < query.since:
        raise InvalidField("to", str(as_datetime(query.until)), f"not before from={as_datetime(query.since)}")
    return query


@dataclass(slots=True, kw_only=True)
class BarsParams(Target):
    """Which of the newest bars: `count` of them, without the `start_pos` newest."""

    symbol: Symbol
    timeframe: Annotated[Timeframe, choice(TIMEFRAMES)]
    count: Annotated[int, whole(1, MOST_BARS)]
    start_pos: Annotated[int, whole(0, MOST_BARS)] = 0


def bars_from_pos(params: object) -> BarsParams:
    """`get_bars_from_pos`."""
    return parse(BarsParams, params)


@dataclass(slots=True, kw_only=True)
class BookParams(Target):
    """The symbol whose depth of market is meant."""

    symbol: Symbol


def market_book(params: object) -> BookParams:
    """`subscribe_market_book`, `get_market_book`, `unsubscribe_market_book`."""
    return parse(BookParams, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartDate:
    to_date: Annotated[int, moment()]
    timeframe: Annotated[Timeframe, choice({"D1": Timeframe.D1})]
    kbar_num: Annotated[int, whole(1, MOST_BARS)]


def start_date(to_date: object, timeframe: object, kbar_num: object) -> str:
    """`get_start_date`: the day that is as many whole weeks before, of five trading days each, as the bars need."""
    given = parse(_StartDate, {"to_date": to_date, "timeframe": timeframe, "kbar_num": kbar_num})
    weeks = -(-given.kbar_num // 5)
    if given.to_date < weeks * 7 * DAY:
        raise InvalidField("kbar_num", kbar_num, "no more bars than there are days since 1970")
    return f"{as_datetime(given.to_date - weeks * 7 * DAY):%Y-%m-%d}"


@dataclass(slots=True, kw_only=True)
class CalcParams(Target):
    """What margin or profit is asked for; `close` is None for margin."""

    type: Annotated[OrderType, choice(SIDES), "action"]
    symbol: Symbol
    volume: Volume
    price: SomePrice
    close: float | None = None


@dataclass(slots=True, kw_only=True)
class _Profit(Target):
    action: Annotated[OrderType, choice(SIDES)]
    symbol: Symbol
    volume: Volume
    price_open: SomePrice
    price_close: SomePrice


def calc_order_margin(params: object) -> CalcParams:
    """`calc_order_margin`."""
    return parse(CalcParams, params)


def calc_order_profit(params: object) -> CalcParams:
    """`calc_order_profit`."""
    given = parse(_Profit, params)
    return CalcParams(
        type=given.action,
        symbol=given.symbol,
        volume=given.volume,
        price=given.price_open,
        close=given.price_close,
        account=given.account,
        server=given.server,
        backtest=given.backtest,
    )

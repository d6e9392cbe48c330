"""What a trade request is about: its symbol, quote, position and order, looked up once.

Pure. This is the first check of the trade server: is the request well formed (MQL5 docs, MqlTradeRequest)?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from mas_router import mt5
from mas_router.messages import TradeRequest
from mas_router.mt5 import Retcode, TradeAction
from sim_worker.book import Book
from sim_worker.records import Accepted, Order, Position
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbol_book import SymbolBook

NO_QUOTE: Final = (0, 0.0, 0.0)
#: The types of limit and stop-limit orders.
_LIMITS: Final = (2, 3, 6, 7)


class Refusal(NamedTuple):
    """A request that is not carried out: MT5's code, and a sentence that says why."""

    retcode: Retcode
    note: str


@dataclass(slots=True)
class Case:
    """A request and what it is about. `position` is what it closes or changes, `order` the resting order it changes.

    `expires` is filled by the check of the expiration, `note` says what was adapted. `reason` is who asks
    (ENUM_ORDER_REASON); `accepted` says when the server took an order that it deals now.
    """

    request: TradeRequest
    side: SymbolBook
    spec: SymbolSpec
    bid: float
    ask: float
    sell: int = 0
    position: Position | None = None
    other: Position | None = None
    order: Order | None = None
    filling: int = 0
    expires: int = 0
    note: str = ""
    reason: int = int(mt5.ORDER_REASON_EXPERT)
    accepted: Accepted | None = None
    last: float = 0.0  # where the last price triggers, else 0

    @property
    def market(self) -> float:
        """The price of a deal now: buying at the ask, selling at the bid."""
        return self.bid if self.sell else self.ask

    def trigger(self, sell: int) -> float:
        """The price that triggers an order, or the end of a position, that sells (1) or buys (0)."""
        return self.last or (self.bid if sell else self.ask)


def examine(book: Book, request: TradeRequest, auto_filling: bool = False) -> Case | Refusal:
    """Find what the request is about, or refuse it as malformed."""
    resolve = _RESOLVERS.get(request.action)
    if resolve is None:
        return Refusal(Retcode.INVALID, f"action {request.action} is none of 1, 5, 6, 7, 8, 10")
    volume = round(request.volume, 8)
    if volume != request.volume:  # 0.1 + 0.2 closes 0.3
        request = request.model_copy(update={"volume": volume})
    case = resolve(book, request)
    if isinstance(case, Case):
        case.filling = request.type_filling
        if auto_filling and request.action in (TradeAction.DEAL, TradeAction.PENDING):
            _choose_filling(book, case)
    return case


def _case(book: Book, request: TradeRequest, symbol: str) -> Case | Refusal:
    side = book.symbol(symbol)
    if side is None:
        return Refusal(Retcode.INVALID, f"symbol {symbol!r} is not known here")
    _, bid, ask = book.quotes.get(symbol, NO_QUOTE)
    return Case(request, side, side.spec, bid, ask, request.type & 1, last=side.last if side.by_last else 0.0)


def _deal(book: Book, request: TradeRequest) -> Case | Refusal:
    if request.type > mt5.ORDER_TYPE_SELL:
        pending = request.type <= mt5.ORDER_TYPE_SELL_STOP_LIMIT
        code = Retcode(book.account.pending_deal_retcode) if pending else Retcode.INVALID_ORDER
        return Refusal(code, f"a deal is of type 0 (buy) or 1 (sell), not {request.type}")
    if not request.position:
        case = _case(book, request, request.symbol)
        if isinstance(case, Case):
            case.position = opposite(book, case.side, case.sell)
        return case
    position = book.positions.get(request.position)
    if position is None:
        return _gone(request.position)
    if request.symbol not in ("", position.symbol) or request.type == position.type:
        return Refusal(Retcode.INVALID, f"position {position.ticket} closes with the opposite type, in its own symbol")
    case = _case(book, request, position.symbol)
    if isinstance(case, Case):
        case.position = position
    return case


def opposite(book: Book, side: SymbolBook, sell: int) -> Position | None:
    """Netting: the position that a deal of this direction reduces or reverses. Hedging: none."""
    if book.account.hedging:
        return None
    return next((p for p in side.positions.values() if p.type != sell), None)


def _pending(book: Book, request: TradeRequest) -> Case | Refusal:
    if not mt5.ORDER_TYPE_BUY_LIMIT <= request.type <= mt5.ORDER_TYPE_SELL_STOP_LIMIT:
        return Refusal(Retcode.INVALID_ORDER, f"a pending order is of type 2 to 7, not {request.type}")
    case = _case(book, request, request.symbol)
    if isinstance(case, Case):
        case.position = opposite(book, case.side, case.sell)
    return case


def _sltp(book: Book, request: TradeRequest) -> Case | Refusal:
    position = book.positions.get(request.position)
    if position is None and not request.position and not book.account.hedging:
        side = book.symbols.get(request.symbol)
        position = next(iter(side.positions.values()), None) if side is not None else None
    if position is None:
        return _gone(request.position)
    case = _case(book, request, position.symbol)
    if isinstance(case, Case):
        case.position, case.sell = position, position.type
    return case


def _resting(book: Book, request: TradeRequest) -> Case | Refusal:
    order = book.orders.get(request.order)
    if order is None:
        return _done(book, request.order)
    if request.action == TradeAction.MODIFY and order.insists:
        return Refusal(Retcode.INVALID, f"order {order.ticket} waits for volume, it has no price to modify")
    if order.triggered and request.stoplimit:
        return Refusal(Retcode.ORDER_CHANGED, f"order {order.ticket} has become a limit order")
    case = _case(book, request, order.symbol)
    if isinstance(case, Case):
        case.order, case.sell = order, order.type & 1
    return case


def _done(book: Book, ticket: int) -> Refusal:
    """An order that ended at this very moment was changed by the market while the request was under way."""
    for order in reversed(book.history):
        if order.time_done < book.now:
            break
        if order.ticket == ticket and order.state != mt5.ORDER_STATE_CANCELED:
            return Refusal(Retcode.ORDER_CHANGED, f"order {ticket} has just ended")
    return Refusal(Retcode.INVALID, f"order {ticket} does not rest in the book")


def _close_by(book: Book, request: TradeRequest) -> Case | Refusal:
    if not book.account.hedging:
        return Refusal(Retcode.INVALID_ORDER, "a netting account has no two positions to close by each other")
    position, other = book.positions.get(request.position), book.positions.get(request.position_by)
    if position is None or other is None:
        return _gone(request.position if position is None else request.position_by)
    if position.symbol != other.symbol or position.type == other.type:
        return Refusal(Retcode.INVALID, "only opposite positions of one symbol close by each other")
    case = _case(book, request, position.symbol)
    if isinstance(case, Case):
        case.position, case.other, case.sell = position, other, 1 - position.type
    return case


def _gone(ticket: int) -> Refusal:
    return Refusal(Retcode.POSITION_CLOSED, f"position {ticket} is not open")


_RESOLVERS: Final[dict[int, Callable[[Book, TradeRequest], Case | Refusal]]] = {
    TradeAction.DEAL: _deal,
    TradeAction.PENDING: _pending,
    TradeAction.SLTP: _sltp,
    TradeAction.MODIFY: _resting,
    TradeAction.REMOVE: _resting,
    TradeAction.CLOSE_BY: _close_by,
}


# ---- filling ---------------------------------------------------------------------------------------------------------


def filling_allowed(account: AccountSpec, spec: SymbolSpec, pending: bool, order_type: int, filling: int) -> bool:
    """May an order have this filling mode? (MQL5 docs, ENUM_ORDER_TYPE_FILLING)

    Request and instant execution take FOK, IOC and RETURN whatever the symbol's flags say; exchange execution always
    takes RETURN, and so do pending orders everywhere. The server's help is stricter (`AccountSpec.filling_rules`):
    only FOK in request and instant execution, and in market execution RETURN only for limit and stop-limit orders.
    """
    strict, limit = account.filling_rules == "server_help", order_type in _LIMITS
    quoted = spec.execution in (mt5.SYMBOL_TRADE_EXECUTION_REQUEST, mt5.SYMBOL_TRADE_EXECUTION_INSTANT)
    if strict and quoted:
        return filling == mt5.ORDER_FILLING_FOK
    if filling == mt5.ORDER_FILLING_FOK or filling == mt5.ORDER_FILLING_IOC:
        return quoted or bool(spec.filling_mode & (1 << filling))
    if filling == mt5.ORDER_FILLING_RETURN:
        exchange = spec.execution == mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE
        return exchange or quoted or (limit if strict else pending)
    return filling == mt5.ORDER_FILLING_BOC and limit and bool(spec.filling_mode & mt5.SYMBOL_FILLING_BOC)


def _choose_filling(book: Book, case: Case) -> None:
    """The caller named no filling mode: the requested one if it is allowed, else the first that is."""
    request = case.request
    pending = request.action == TradeAction.PENDING
    for filling in (request.type_filling, 0, 1, 2):
        if filling_allowed(book.account, case.spec, pending, request.type, filling):
            case.filling = filling
            break
    if case.filling != request.type_filling:
        asked, used = mt5.OrderFilling(request.type_filling).name, mt5.OrderFilling(case.filling).name
        case.note = f"{case.spec.name} does not allow filling {asked}, so {used} was used"

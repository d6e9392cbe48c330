"""The simulated trade server: trade requests and quotes in, answers and changes out.

Pure: no clock, no thread, no I/O, no randomness. Time is what the caller says, in UTC nanoseconds, and the server's
clock is UTC. The same calls give the same answers, on every machine. The rules are in the modules around: `cases`,
`pipeline` and the checks that it names decide whether a request passes, `actions`, `filling`, `execution` and `pending`
carry it out, `matching` says what a tick sets off, `valuation` counts the money, and `horizon` looks ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mas_router import mt5
from mas_router.errors import InvalidField
from mas_router.messages import Row, TradeRequest
from mas_router.mt5 import Retcode
from sim_worker import accounts, actions, horizon, ledger, margins, matching, stopout, swaps, valuation
from sim_worker.book import Book
from sim_worker.cases import Case, Refusal, examine
from sim_worker.horizon import Lookout, Span
from sim_worker.pipeline import first_refusal
from sim_worker.rates import NoRate, Quote
from sim_worker.records import Accepted, Accrual, Deal, Order, Position
from sim_worker.records import Change as Change
from sim_worker.records import DealChange as DealChange
from sim_worker.records import OrderChange as OrderChange
from sim_worker.records import Outcome as Outcome
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import find_symbol
from sim_worker.throttle import Throttle

EXPERT: Final = int(mt5.ORDER_REASON_EXPERT)


class Engine:
    """One simulated account and its trade server."""

    def __init__(
        self, account: AccountSpec, symbols: Callable[[str], SymbolSpec | None] = find_symbol, opened: int = 0
    ) -> None:
        """`opened` is the time of the deposit."""
        self.account = account
        self._book = Book(account, symbols)
        ledger.open_account(self._book, opened)
        self._requests = self._settings = 0
        self._throttle = Throttle(account.requests_per_second) if account.requests_per_second else None

    # ---- settings ----------------------------------------------------------------------------------------------------

    def change_symbol(self, spec: SymbolSpec) -> None:
        """The broker changes the settings of a symbol, which has been used before: they count from now on.

        Raises InvalidField for a symbol that has not been used, for digits, which cannot change, and while there are
        positions or orders for currencies that cannot be converted.
        """
        side = self._book.symbols.get(spec.name)
        if side is None or side.spec.digits != spec.digits:
            raise InvalidField("symbol", spec.name, "a symbol in use, with the digits that it has")
        if side.positions or side.orders:
            try:
                self._book.require_rates(spec)
            except NoRate as error:
                raise InvalidField("symbol", spec.name, f"convertible while it is held; {error}") from None
        keeps = side.spec.order_gtc_mode == spec.order_gtc_mode
        side.adopt(spec, self.account)
        side.stale = True
        if not keeps:
            self._book.end_with_day(side)
        self._settings += 1
        self._book.adopt_settings()

    def change_account(self, account: AccountSpec) -> None:
        """The broker changes the settings of the account. Its currency and its kind of positions cannot change."""
        for name in ("currency", "currency_digits", "margin_mode"):
            if getattr(account, name) != getattr(self.account, name):
                raise InvalidField(name, getattr(account, name), f"{getattr(self.account, name)}, as it was")
        self.account = self._book.account = account
        self._settings += 1
        self._throttle = Throttle(account.requests_per_second) if account.requests_per_second else None
        for side in self._book.symbols.values():
            side.adopt(side.spec, account)
        self._book.adopt_settings()

    # ---- time and quotes ---------------------------------------------------------------------------------------------

    def quote(self, symbol: str, time: int, bid: float, ask: float, last: float = 0.0) -> list[Change]:
        """One tick. First what has expired by now; then SL, TP, pending orders, and the stop-out.

        `last` counts for symbols of an exchange, whose last price triggers; 0 means the bid. Prices are rounded to the
        symbol's digits. Outside the symbol's quote sessions the tick is thrown away. Raises InvalidField for what is no
        symbol or no price.
        """
        book = self._book
        side = book.symbol(symbol)
        if side is None:
            raise InvalidField("symbol", symbol, "a symbol of this trade server")
        bid, ask = round(bid, side.spec.digits), round(ask, side.spec.digits)
        if not (0.0 < bid < inf and 0.0 < ask < inf):
            raise InvalidField("bid, ask", (bid, ask), "prices of at least one point")
        changes = self.clock(time)
        if side.quoting is not None and side.quoting.closed(time):
            return changes
        book.set_quote(symbol, (time, bid, ask))
        if side.by_last:
            bid = ask = side.last = round(last, side.spec.digits) or bid
        if side.crossed(bid, ask):
            changes += matching.trigger(book, side, bid, ask)
        if (book.positions or book.reserving) and not valuation.is_safe(book):
            changes += stopout.stop_out(book)
        return changes

    def clock(self, time: int) -> list[Change]:
        """Time passes without a tick: what is to end by then ends. A time in the past changes nothing."""
        book = self._book
        changes: list[Change] = []
        if time >= book.deadline:
            changes = swaps.pass_time(book, time)
        if time > book.now:
            book.now = time
        return changes

    def next_event(
        self,
        symbol: str,
        times: NDArray[np.int64],
        bids: NDArray[np.float64],
        asks: NDArray[np.float64],
        lasts: NDArray[np.float64] | None = None,
    ) -> int:
        """The first index of the coming quotes at which `quote` could change anything; their number when there is none.

        `lasts` as in `quote`; None means the bids.

        Times ascend. It may be too early, never too late: until the account changes, and, where the quotes of several
        symbols count, until the earliest of their next events. The cost grows with the rows that are looked at: give a
        window, and ask again at its end. Before the first quote after `end_of_day`, the one before it must be given to
        `quote`, too.
        """
        found = None if lasts is None else Span(lasts, lasts)
        return self.lookout(symbol).first(times, Span(bids, bids), Span(asks, asks), found)

    def lookout(self, symbol: str) -> Lookout:
        """For several questions like `next_event` while the account and the quotes stay as they are.

        A row may stand for several quotes, but not where a symbol has quote sessions.
        """
        return Lookout(self._book, symbol)

    @property
    def idle(self) -> bool:
        """Are there neither positions nor orders? Then no quote changes anything."""
        return not (self._book.positions or self._book.orders)

    def has_sessions(self, symbol: str) -> bool:
        """Are there times at which quotes of this symbol do not count?"""
        side = self._book.symbol(symbol)
        return side is not None and side.quoting is not None

    @property
    def version(self) -> int:
        """Another number after anything but a quote that may have changed the account: `next_event` is to be asked."""
        return self._requests + self._settings

    @property
    def end_of_day(self) -> int:
        """When something will be charged by the newest quotes; later than any time when there is nothing to charge."""
        return self._book.rollover

    def last_quote(self, symbol: str) -> Quote | None:
        """Time, bid and ask of the newest quote."""
        return self._book.quotes.get(symbol)

    def last_price(self, symbol: str) -> float:
        """The last price of an exchange's symbol; 0 without one, and for other symbols."""
        side = self._book.symbols.get(symbol)
        return side.last if side is not None else 0.0

    def active_symbols(self) -> frozenset[str]:
        """The symbols whose quotes can change anything: with resting orders or positions, or converting their money."""
        return horizon.active_symbols(self._book)

    # ---- requests ----------------------------------------------------------------------------------------------------

    def trade(
        self,
        request: TradeRequest,
        time: int,
        *,
        client_id: str = "",
        auto_filling: bool = False,
        reason: int = EXPERT,
        accepted: Accepted | None = None,
    ) -> Outcome:
        """Check a request and carry it out. `client_id` marks the order and everything that comes of it, `reason` says
        who asks (ENUM_ORDER_REASON), `accepted` is from `accept` if the server deals an order that it took earlier.

        `auto_filling`: the request names no filling mode, so another one may replace it; `note` says so. A refused
        request changes nothing; its changes are only what had ended by this time.
        """
        book = self._book
        before = self.clock(time)
        self._requests += 1
        case = examine(book, request, auto_filling) if self._throttle is None else self._admit(request, auto_filling)
        if isinstance(case, Case):
            case.reason, case.accepted = reason, accepted
            refusal = first_refusal(book, case)
            if refusal is None:
                result, changes = actions.perform(book, case, client_id, self._requests)
                return Outcome(result, (*before, *changes), case.note)
            symbol = case.spec.name  # which a request that names a position or an order may leave out
        else:
            refusal, symbol = case, request.symbol
        return Outcome(actions.refused(book, symbol, refusal, self._requests), tuple(before), refusal.note)

    def _admit(self, request: TradeRequest, auto_filling: bool) -> Case | Refusal:
        """Too many requests in a second are refused before they are looked at."""
        if self._throttle is not None and not self._throttle.passes(self._book.now):
            limit = self.account.requests_per_second
            return Refusal(Retcode.TOO_MANY_REQUESTS, f"more than {limit} requests in a second")
        return examine(self._book, request, auto_filling)

    def accept(self) -> Accepted:
        """A ticket for a market order that the server takes now and deals later."""
        return Accepted(self._book.order_ticket(), self._book.now)

    def refuse_activation(self, ticket: int) -> None:
        """The dealer will refuse this resting order when its price is reached: it ends REJECTED."""
        if ticket in self._book.orders:
            self._book.doomed.add(ticket)

    def bury(self, order: Order) -> None:
        """Write an order into the history that ended without having been in the book."""
        self._book.leave(order)

    def check(self, request: TradeRequest, time: int) -> Row:
        """order_check: would this request pass at this time, and what would the account look like after it?"""
        return accounts.check_row(self._book, request, time)

    def calc_margin(self, type: int, symbol: str, volume: float, price: float) -> float | None:
        """order_calc_margin: the margin of an order by itself. None for an unknown symbol or without a rate."""
        side = self._book.symbol(symbol)
        try:
            return None if side is None else margins.margin_of(self._book, side.spec, type & 1, volume, price)
        except NoRate:
            return None

    def calc_profit(self, type: int, symbol: str, volume: float, open: float, close: float) -> float | None:
        """order_calc_profit: the profit from one price to another. None for an unknown symbol or without a rate."""
        side = self._book.symbol(symbol)
        try:
            return None if side is None else valuation.profit_of(self._book, side.spec, type & 1, volume, open, close)
        except NoRate:
            return None

    # ---- records -----------------------------------------------------------------------------------------------------

    def positions(self) -> list[Position]:
        """Copies of the open positions with their current price and profit, in the order of their tickets."""
        return accounts.positions(self._book)

    def orders(self) -> list[Order]:
        """Copies of the resting orders with the current price, in the order of their tickets."""
        return accounts.orders(self._book)

    def order(self, ticket: int) -> Order | None:
        """A copy of one resting order."""
        order = self._book.orders.get(ticket)
        return None if order is None else order.copy()

    def history_orders(self) -> list[Order]:
        """The orders that are done, in the order in which they were done. Not to be changed."""
        return list(self._book.history)

    def deals(self) -> list[Deal]:
        """All deals, the oldest first."""
        return list(self._book.deals)

    def accruals(self) -> list[Accrual]:
        """The swaps that were charged to open positions, the oldest first."""
        return list(self._book.accruals)

    def account_row(self) -> Row:
        """The fields of AccountInfo."""
        return accounts.account_row(self._book)

    def symbol_spec(self, symbol: str) -> SymbolSpec | None:
        """The contract of a symbol; None for an unknown one."""
        side = self._book.symbol(symbol)
        return None if side is None else side.spec

    def offered(self, symbol: str, sell: int) -> float:
        """Lots that the newest quote still has for an order of this direction; volume_max where it has any volume."""
        side, quote = self._book.symbol(symbol), self._book.quotes.get(symbol)
        if side is None or quote is None:
            return 0.0
        return side.spec.volume_max if side.liquidity is None else side.liquidity.offered(sell, quote)

    def symbol_row(self, symbol: str) -> Row:
        """The fields of SymbolInfo that a simulated symbol has; empty for an unknown symbol."""
        return accounts.symbol_row(self._book, symbol)

"""The state of the trade server: quotes, resting orders, positions, history, money and ticket counters.

Pure data structures; the rules are in the modules that use them. Everything is kept in insertion order, and nothing
iterates over a set, so the same input gives the same output everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mas_router import mt5
from sim_worker import ledger
from sim_worker.money import normalize
from sim_worker.rates import NoRate, Quote, Route, conversion_symbols, find_route
from sim_worker.records import DAY, SECOND, Accrual, Deal, Order, Position
from sim_worker.sessions import NEVER
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbol_book import SymbolBook

#: Orders and positions share one number space, deals have another, as on a real server.
FIRST_ORDER: Final = 1_000_001
FIRST_DEAL: Final = 700_000_001
DAILY: Final = int(mt5.SYMBOL_ORDERS_DAILY)

_CREDIT: Final = int(mt5.DEAL_TYPE_CREDIT)


class Book:
    """One account: all there is to know about it."""

    def __init__(self, account: AccountSpec, find: Callable[[str], SymbolSpec | None]) -> None:
        self.account, self._find = account, find
        self.unit = 10.0**-account.currency_digits  # a cent
        self.quotes: dict[str, Quote] = {}
        self.symbols: dict[str, SymbolBook] = {}
        self.orders: dict[int, Order] = {}
        self.positions: dict[int, Position] = {}
        self.history: list[Order] = []
        self.deals: list[Deal] = []
        self.accruals: list[Accrual] = []
        self.balance = 0.0
        self.aside = 0.0  # credit, and commissions that are blocked: equity that is no balance
        self.blocked = dict.fromkeys(ledger.BLOCKED, 0.0)
        self.reserving = 0  # resting orders that may reserve margin
        self.now = 0
        self.deadline = NEVER  # nothing expires before; may be too early, never too late
        self.doomed: set[int] = set()  # orders whose activation the dealer will refuse
        self.stops_end = NEVER  # when stop levels end that do not outlive the day
        self.rollover = NEVER  # the end of the day, while there is anything to charge
        self.end_of_day = seconds_of(account.end_of_day)
        self._next_order, self._next_deal = FIRST_ORDER, FIRST_DEAL
        self._routes: dict[tuple[str, str], Route] = {}

    def symbol(self, name: str) -> SymbolBook | None:
        """The book of a symbol, made on first use. None for a symbol that the server does not have."""
        book = self.symbols.get(name)
        if book is None:
            spec = self._find(name)
            if spec is None:
                return None
            book = self.symbols[name] = SymbolBook(spec, self.account)
        return book

    def set_quote(self, symbol: str, quote: Quote) -> None:
        if symbol not in self.quotes:
            self._routes.clear()  # there may be a shorter way now
        self.quotes[symbol] = quote

    def conversion_symbols(self, spec: SymbolSpec) -> tuple[str, ...]:
        """The other symbols that must be quoted so that a symbol's money converts to the deposit currency."""
        return conversion_symbols(spec, self.account.currency, self._find)

    def route(self, spec: SymbolSpec, source: str) -> Route:
        """How to convert into the deposit currency; NoRate if the quotes for it are missing."""
        key = (spec.name, source)
        route = self._routes.get(key)
        if route is None:
            route = find_route(spec, source, self.account.currency, self.quotes)
            if route is None:
                raise NoRate(source, self.account.currency)
            self._routes[key] = route
        return route

    def require_rates(self, spec: SymbolSpec) -> None:
        """Can all of a symbol's money be converted with the quotes that are there? Raises NoRate."""
        for source in spec.currencies:
            if find_route(spec, source, self.account.currency, self.quotes) is None:
                raise NoRate(source, self.account.currency)

    def money(self, amount: float) -> float:
        """An amount of the deposit currency, rounded to its decimals."""
        return normalize(amount, self.account.currency_digits)

    # ---- orders ------------------------------------------------------------------------------------------------------

    def order_ticket(self) -> int:
        self._next_order += 1
        return self._next_order - 1

    def rest(self, order: Order) -> None:
        """Put an order into the book."""
        side = self.symbols[order.symbol]
        self.orders[order.ticket] = side.orders[order.ticket] = order
        side.watch_order(order)
        if side.spec.reserves:
            self.reserving += 1
            side.margin = None
        self.expect(order.expires)

    def expect(self, moment: int) -> None:
        """Something ends at this moment (0: never)."""
        if moment and moment < self.deadline:
            self.deadline = moment

    def leave(self, order: Order) -> None:
        """Take an order out of the book, if it is in it, and write it into the history."""
        if self.orders.pop(order.ticket, None) is not None:
            side = self.symbols[order.symbol]
            del side.orders[order.ticket]
            self.doomed.discard(order.ticket)
            side.stale = True
            if side.spec.reserves:
                self.reserving -= 1
                side.margin = None
        order.time_done = self.now
        self.history.append(order)

    # ---- positions ---------------------------------------------------------------------------------------------------

    def hold(self, position: Position) -> None:
        side = self.symbols[position.symbol]
        self.positions[position.ticket] = side.positions[position.ticket] = position
        side.expose(position.type, position.volume, position.price_open)
        side.swap += position.swap
        side.watch_position(position)
        self.expect_stops(position)
        if side.spec.swap_mode:
            self.expect_rollover()

    def drop(self, position: Position) -> None:
        side = self.symbols[position.symbol]
        del self.positions[position.ticket], side.positions[position.ticket]
        side.expose(position.type, position.volume, position.price_open, -1)
        side.swap = side.swap - position.swap if side.positions else 0.0
        side.stale = True

    def resize(self, position: Position, volume: float) -> None:
        """Change the volume; a volume of 0 ends the position."""
        if volume <= 0.0:
            self.drop(position)
            return
        position.cost *= volume / position.volume
        self.reprice(position, volume, position.price_open)

    def reprice(self, position: Position, volume: float, price: float) -> None:
        """Change the volume and the open price."""
        side = self.symbols[position.symbol]
        side.expose(position.type, position.volume, position.price_open, -1)
        side.expose(position.type, volume, price)
        position.volume, position.price_open, position.time_update = volume, price, self.now

    def take_swap(self, position: Position, volume: float) -> float:
        """Take the share of a volume out of a position's swap."""
        share = self.money(position.swap * volume / position.volume) if position.swap else 0.0
        position.swap = self.money(position.swap - share)
        self.symbols[position.symbol].swap -= share
        return share

    def expect_stops(self, position: Position) -> None:
        """In the "daily" mode the stop levels of positions end with the day (ENUM_SYMBOL_ORDER_GTC_MODE)."""
        if self.symbols[position.symbol].spec.order_gtc_mode == DAILY and (position.sl or position.tp):
            self.stops_end = day_end(self.now)
            self.expect(self.stops_end)

    def end_with_day(self, side: SymbolBook) -> None:
        """The symbol has another "daily" mode now: what ends with the day, ends with this one."""
        ends = side.spec.order_gtc_mode != mt5.SYMBOL_ORDERS_GTC
        for order in side.orders.values():
            if order.type_time == mt5.ORDER_TIME_GTC:
                order.expires = day_end(self.now) if ends else 0
                self.expect(order.expires)
        for position in side.positions.values():
            self.expect_stops(position)

    def expect_rollover(self) -> None:
        """There is something to charge at the end of the day."""
        if self.rollover == NEVER:
            today = self.now // DAY * DAY + self.end_of_day
            self.rollover = today if today > self.now else today + DAY
            self.expect(self.rollover)

    def adopt_settings(self) -> None:
        """The settings of a symbol or of the account have changed: find anew what was counted by them."""
        self._routes.clear()
        self.reserving = sum(self.symbols[order.symbol].spec.reserves for order in self.orders.values())
        self.end_of_day = seconds_of(self.account.end_of_day)
        self.rollover = NEVER
        if any(self.symbols[p.symbol].spec.swap_mode for p in self.positions.values()) or any(self.blocked.values()):
            self.expect_rollover()

    def end_stops(self) -> None:
        """The day is over: delete the stop levels that do not outlive it."""
        for side in self.symbols.values():
            if side.spec.order_gtc_mode == DAILY and side.positions:
                side.stale = True
                for position in side.positions.values():
                    position.sl = position.tp = 0.0
        self.stops_end = NEVER

    def find_deadline(self) -> None:
        """Find anew the first moment at which something ends."""
        self.deadline = min((o.expires for o in self.orders.values() if o.expires), default=NEVER)
        self.deadline = min(self.deadline, self.stops_end, self.rollover)

    # ---- money -------------------------------------------------------------------------------------------------------

    def record(
        self,
        order: Order,
        sell: int,
        entry: int,
        volume: float,
        price: float,
        *,
        profit: float = 0.0,
        swap: float = 0.0,
    ) -> Deal:
        """Write a deal of this order into the history, and its money into the balance."""
        commission = fee = 0.0
        if self.symbols[order.symbol].charges:
            commission, fee = ledger.charge(self, order.symbol, entry, volume, price)
        deal = Deal(
            self._next_deal,
            order.ticket,
            self.now,
            order.symbol,
            sell,
            entry,
            order.position_id,
            order.reason,
            volume,
            price,
            profit,
            commission,
            swap,
            fee,
            order.magic,
            order.comment,
        )
        self._write(deal, profit + commission + swap + fee)
        return deal

    def operate(self, kind: int, amount: float, comment: str) -> None:
        """A deal without an order or a symbol: a deposit, a credit, a commission of the day ... (ENUM_DEAL_TYPE)."""
        reason = 0  # DEAL_REASON_CLIENT: nobody's program
        deal = Deal(self._next_deal, 0, self.now, "", kind, 0, 0, reason, 0.0, 0.0, amount, comment=comment)
        self._write(deal, amount)

    def _write(self, deal: Deal, amount: float) -> None:
        self._next_deal += 1
        self.deals.append(deal)
        if deal.type == _CREDIT:
            self.aside += amount
        else:
            self.balance = self.money(self.balance + amount)


def day_end(time: int) -> int:
    """The midnight (UTC, the server's clock) after a time."""
    return (time // DAY + 1) * DAY


def seconds_of(clock: str) -> int:
    """The nanosecond of the day at which the 59th second of this minute ("HH:MM") begins."""
    hours, minutes = clock.split(":")
    return (int(hours) * 3600 + int(minutes) * 60 + 59) * SECOND

"""What the trade server knows about one symbol: its orders and positions, and when and at which prices they can act.

Pure data structures; the rules are in the modules that use them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from mas_router import mt5
from sim_worker.exposure import Exposure
from sim_worker.liquidity import Liquidity
from sim_worker.masks import in_group
from sim_worker.records import Order, Position
from sim_worker.sessions import quoting_hours, trading_hours
from sim_worker.specs import BY_LAST_MODES, AccountSpec, SymbolSpec

_DISABLED: Final = int(mt5.SYMBOL_TRADE_MODE_DISABLED)

#: A check of `sim_worker.checks`, which the book only keeps: takes a book and a case, returns a refusal or None.
Check = Callable[[Any, Any], Any]


class SymbolBook:
    """Resting orders and positions of one symbol, and the prices at which any of them can trigger.

    `bid_low` and so on are the nearest levels: nothing triggers while bid_low < bid < bid_high and
    ask_low < ask < ask_high. They may be too near after something was taken away (`stale`), never too far. Where the
    last price triggers (`by_last`), it stands for both bid and ask.

    `checks` are the checks that this symbol's settings call for, by action; `trading` and `quoting` its hours, None
    for always; `liquidity` what its quotes offer, None for any volume; `requotes` how many came in a row.
    """

    __slots__ = (
        "ask_high",
        "ask_low",
        "bid_high",
        "bid_low",
        "by_last",
        "charges",
        "checks",
        "exposure",
        "last",
        "liquidity",
        "maintenance",
        "margin",
        "orders",
        "positions",
        "quoting",
        "requotes",
        "spec",
        "stale",
        "swap",
        "trading",
    )

    def __init__(self, spec: SymbolSpec, account: AccountSpec) -> None:
        self.checks: dict[int, tuple[Check, ...]] = {}
        self.last, self.requotes = 0.0, 0
        self.adopt(spec, account)
        self.orders: dict[int, Order] = {}
        self.positions: dict[int, Position] = {}
        self.exposure = Exposure()
        self.swap = 0.0
        self.refresh()

    def adopt(self, spec: SymbolSpec, account: AccountSpec) -> None:
        """Take over settings, at first or when the broker changes them."""
        self.spec = spec
        self.checks.clear()
        self.by_last = spec.calc_mode in BY_LAST_MODES
        self.trading = trading_hours(
            spec.sessions_trade, spec.holidays, account.server_hours, spec.start_time, spec.expiration_time
        )
        self.quoting = quoting_hours(spec.sessions_quote)
        self.liquidity = Liquidity(spec.liquidity, spec.volume_step) if spec.liquidity else None
        self.charges = tuple(rule for rule in account.commissions if in_group(spec.name, rule.symbols))
        # Of positions and orders, and of positions alone, when they do not depend on other symbols' quotes.
        self.margin: float | None = None
        self.maintenance: float | None = None

    def executes(self, time: int) -> bool:
        """Can anything be executed now: is the symbol enabled and its market open?"""
        if self.spec.trade_mode == _DISABLED:
            return False
        return self.trading is None or not self.trading.closed(time)

    def expose(self, sell: int, volume: float, price: float, sign: int = 1) -> None:
        """A position (or a part of it) came, or with sign -1 went."""
        self.exposure = self.exposure.plus(sell, volume, price, sign)
        self.margin = self.maintenance = None

    def changed(self, order: Order) -> None:
        """A resting order is not what it was."""
        self.stale, self.margin = True, None
        self.watch_order(order)

    def crossed(self, bid: float, ask: float) -> bool:
        """Could anything trigger at this quote?"""
        return not (self.bid_low < bid < self.bid_high and self.ask_low < ask < self.ask_high)

    def refresh(self) -> None:
        """Find the nearest levels anew."""
        self.bid_low = self.ask_low = -inf
        self.bid_high = self.ask_high = inf
        for position in self.positions.values():
            self.watch_position(position)
        for order in self.orders.values():
            self.watch_order(order)
        self.stale = False

    def watch_position(self, position: Position) -> None:
        """A long position closes at the bid, a short one at the ask."""
        if position.type:
            self._watch_ask(position.tp or -inf, position.sl or inf)
        else:
            self._watch_bid(position.sl or -inf, position.tp or inf)

    def watch_order(self, order: Order) -> None:
        """Buying triggers at the ask, selling at the bid; limits from one side, stops from the other.

        The rest of a market or stop order that was filled in part waits for volume, not for a price.
        """
        if order.insists:
            self._watch_bid(inf, -inf)
            return
        limit = order.type in (mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT)
        if order.type & 1:
            self._watch_bid(*((-inf, order.price_open) if limit else (order.price_open, inf)))
        else:
            self._watch_ask(*((order.price_open, inf) if limit else (-inf, order.price_open)))

    def _watch_bid(self, low: float, high: float) -> None:
        self.bid_low, self.bid_high = max(self.bid_low, low), min(self.bid_high, high)

    def _watch_ask(self, low: float, high: float) -> None:
        self.ask_low, self.ask_high = max(self.ask_low, low), min(self.ask_high, high)

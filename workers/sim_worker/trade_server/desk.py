"""A terminal: what it is set to, and what it knows. `functions` says what it answers. Pure.

It outlives the Python process that talks to it, and so do its account, its saved passwords and its Market Watch.
"""

from __future__ import annotations

from typing import Final, TypeVar

from mas_router.messages import Row
from mas_router.mt5 import ResultCode
from sim_worker.specs import SymbolSpec
from sim_worker.terminal.failures import CallFailed
from sim_worker.trade_server import history, views
from sim_worker.trade_server.account import TradeAccount

VERSION: Final = (500, 5836, "15 May 2026")
S = TypeVar("S")


class Market:
    """What all terminals of a trade server share: its symbols and their past."""

    def __init__(self, symbols: dict[str, SymbolSpec], listed: tuple[str, ...], past: history.History) -> None:
        self.symbols, self.listed, self.past = symbols, listed, past


class Terminal:
    """One installation of a terminal. `now` is UTC ns."""

    def __init__(self, name: str, market: Market) -> None:
        self.name, self.market = name, market
        self.account: TradeAccount | None = None
        self.readonly = False
        self.saved: dict[int, str] = {}  # passwords by login
        self.connected = self.auto_trading = self.api_allowed = True
        self.watched: set[str] = set()
        self.depths: set[str] = set()
        self.requests = 0
        self.life = 1  # how often it was started

    @property
    def login(self) -> int:
        """The account's number; 0 if nobody is logged in."""
        return int(self.account.spec.login) if self.account is not None else 0

    def logged_in(self) -> TradeAccount:
        if self.account is None:
            raise CallFailed(ResultCode.INTERNAL_FAIL_TIMEOUT)
        return self.account

    def enter(self, account: TradeAccount, password: str) -> None:
        """Log in. Raises CallFailed for a wrong password."""
        right = account.credentials
        if not password or password not in (right.password, right.investor):
            raise CallFailed(ResultCode.AUTH_FAILED)
        self.account, self.readonly = account, password != right.password
        self.saved[int(account.spec.login)] = password
        self.depths.clear()
        if not account.broker.must_select:
            self.watched.update(self.market.listed)

    def end(self) -> None:
        """The process ends; the settings are on its disk. The requests of the next one count from 1 again."""
        self.life += 1
        self.requests = 0
        self.depths.clear()

    # ---- symbols -------------------------------------------------------------------------------------------------

    def spec(self, name: str) -> SymbolSpec:
        if name not in self.market.listed:
            raise CallFailed(ResultCode.NOT_FOUND)
        return self.market.symbols[name]

    def shows(self, name: str) -> bool:
        """Is a symbol in Market Watch? One with a position or an order always is."""
        return name in self.watched or self.uses(name)

    def uses(self, name: str) -> bool:
        account = self.logged_in()
        held = any(position.symbol == name for position in account.positions())
        return held or any(order.symbol == name for order in account.orders())

    def quote(self, name: str, now: int) -> tuple[int, float, float] | None:
        """The newest quote of a symbol in Market Watch."""
        self.spec(name)
        account = self.logged_in()
        if not self.shows(name):
            return None
        if account.engine.last_quote(name) is None and self.connected:
            account.watch(name)
            account.follow(now)
        return account.engine.last_quote(name)

    def symbol_row(self, name: str, now: int) -> Row:
        self.spec(name)  # or the error that there is no such symbol
        account = self.logged_in()
        self.quote(name, now)
        shown = account.engine.symbol_row(name)
        return views.symbol_row(shown, selected=self.shows(name))

    def shown_time(self, now: int) -> int:
        """The server's clock."""
        return self.logged_in().time.server(now)

"""A broker's house: its accounts, the terminals that are logged in to it, its market, and what is to go wrong. Pure.

The clock is one that is given. Whoever calls takes care that only one thread does so at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from mas_router import mt5
from mas_router.errors import InvalidField
from mas_router.messages import Row
from mas_router.mt5 import ResultCode
from sim_worker.specs import SymbolSpec
from sim_worker.terminal.failures import CallFailed
from sim_worker.trade_server.account import CLIENT, Credentials, TradeAccount
from sim_worker.trade_server.clocks import Clock
from sim_worker.trade_server.desk import Market, Terminal
from sim_worker.trade_server.history import History
from sim_worker.trade_server.personality import Personality
from sim_worker.trade_server.script import Script
from sim_worker.trade_server.sources import Source

#: Trade requests that are remembered for `records(login, "requests")`.
KEPT_REQUESTS: Final = 10_000
#: Terminals at one trade server: whoever connects names one.
MAX_TERMINALS: Final = 1_000


class House:
    """`symbols` are all that there are, by their names at this broker; `listed` those that a terminal is shown."""

    def __init__(
        self,
        broker: Personality,
        clock: Clock,
        source: Source,
        symbols: dict[str, SymbolSpec],
        listed: tuple[str, ...],
    ) -> None:
        self.broker, self.clock, self.source = broker, clock, source
        self.market = Market(symbols, listed, History(source, broker.time))
        self.script = Script(broker.faults)
        self.accounts: dict[int, TradeAccount] = {}
        self._terminals: dict[str, Terminal] = {}
        self._requests: deque[Row] = deque(maxlen=KEPT_REQUESTS)

    # ---- accounts and terminals ------------------------------------------------------------------------------------

    def account(self, login: int) -> TradeAccount:
        if login not in self.accounts:
            raise InvalidField("login", login, f"one of {', '.join(map(str, self.accounts)) or 'none so far'}")
        return self.accounts[login]

    def open_account(self, login: int, credentials: Credentials, settings: Mapping[str, Any]) -> None:
        """Open an account with the broker's settings but for these."""
        spec, now = self.broker.account_spec(login, settings), self.clock.now()
        self.accounts[login] = TradeAccount(spec, credentials, self.broker, self.source, self.market.symbols, now)

    def terminal(self, name: str) -> Terminal:
        """The terminal of this name, there as soon as somebody asks for it. InvalidField if there are too many."""
        if name not in self._terminals:
            if len(self._terminals) >= MAX_TERMINALS:
                raise InvalidField("terminal", name, f"one of the {MAX_TERMINALS} that there are")
            self._terminals[name] = Terminal(name, self.market)
        return self._terminals[name]

    def enter(self, desk: Terminal, login: int, password: str, server: str) -> None:
        """Log in with what is given; the rest is what the terminal has saved. Without an account that was ever used,
        the first one. Raises CallFailed.
        """
        account = self.accounts.get(login) if login else desk.account or next(iter(self.accounts.values()), None)
        if account is None and not login:
            raise CallFailed(ResultCode.INTERNAL_FAIL_TIMEOUT)  # no account: the terminal waits for somebody to log in
        if account is None or server not in ("", account.spec.server) or not desk.connected:
            raise CallFailed(ResultCode.AUTH_FAILED)
        number = int(account.spec.login)
        desk.enter(account, password or desk.saved.get(number, "" if login else account.credentials.password))

    def change_account(self, desk: Terminal, login: int) -> None:
        """A human, who knows the password, logs a terminal in."""
        account = self.account(login)
        desk.enter(account, account.credentials.password)

    # ---- requests --------------------------------------------------------------------------------------------------

    def human(self, login: int, request: dict[str, Any]) -> Row:
        """A human sends a request: a deal at the price he sees, if the request names none."""
        account, now = self.account(login), self.clock.now()
        account.watch(str(request.get("symbol", "")))
        account.follow(now)
        if request.get("action") == mt5.TRADE_ACTION_DEAL and "price" not in request:
            _, bid, ask = account.engine.last_quote(str(request.get("symbol"))) or (0, 0.0, 0.0)
            request = {**request, "price": bid if request.get("type") else ask}
        answer = account.send(request, now, reason=CLIENT).model_dump()
        self.remember(login, request, answer, CLIENT)
        return answer

    def remember(self, login: int, request: Mapping[str, Any], answer: Row, reason: int) -> None:
        """Keep a request that has reached the trade server, and what that has answered."""
        known = {"retcode": answer["retcode"], "answer_order": answer["order"], "reason": reason, "login": login}
        self._requests.append({**request, **known, "time": self.clock.now()})

    def requests(self, login: int) -> list[Row]:
        return [request for request in self._requests if request["login"] == login]

"""A simulated trade server with its accounts and terminals, its market, and its script of faults.

It lives beyond the process that trades: its orders stay when that one crashes. All its methods may be called from any
thread; a call that hangs holds up nobody else.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mas_router import mt5
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import Row
from mas_router.mt5 import ResultCode, Retcode
from sim_worker.bars import DAY
from sim_worker.quotes import Quotes
from sim_worker.records import row
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from sim_worker.terminal.failures import TEXTS, CallFailed
from sim_worker.trade_server.account import CLIENT, Credentials, TradeAccount, refusal
from sim_worker.trade_server.clocks import SECOND, Clock, ManualClock
from sim_worker.trade_server.controls import Controls
from sim_worker.trade_server.desk import Market, Terminal
from sim_worker.trade_server.history import History
from sim_worker.trade_server.personality import DEFAULT, Personality, find
from sim_worker.trade_server.script import Fault, Script
from sim_worker.trade_server.sources import ScriptedSource, Source, SyntheticSource

HISTORY_DAYS: Final = 30
#: Trade requests that are remembered for `records(login, "requests")`.
KEPT_REQUESTS: Final = 10_000


class SystemClock:
    """The clock of this machine."""

    def now(self) -> int:
        return time.time_ns()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call: a value, or an error for last_error. `end`: the terminal or the calling process ends."""

    value: Any = None
    error: tuple[int, str] | None = None
    end: str = ""
    code: int = 0


class TradeServer(Controls):
    """`personality` is one of `personality.built_in()`, a TOML file, or a Personality.

    Quotes are made up and follow `clock`, unless a `source` is given: `TradeServer.scripted()` has prices and a time of
    the test's own, `TradeServer.replay(quotes)` those of the past. `symbols` are the built-in ones, or those of a
    market file.
    """

    def __init__(
        self,
        personality: Personality | str = DEFAULT,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        source: Source | None = None,
        symbols: Mapping[str, SymbolSpec] = SYMBOLS,
    ) -> None:
        self.broker = find(personality) if isinstance(personality, str) else personality
        self.clock = clock or SystemClock()
        self._symbols = self.broker.specs(symbols)
        start = self.clock.now() - HISTORY_DAYS * DAY
        self._source = source or SyntheticSource(seed, self._symbols, start, weekends=self.broker.weekends)
        past = History(self._source, self.broker.time)
        self._market = Market(self._symbols, self.broker.listed(symbols), past)
        self._script = Script(self.broker.faults)
        self._accounts: dict[int, TradeAccount] = {}
        self._terminals: dict[str, Terminal] = {}
        self._requests: deque[Row] = deque(maxlen=KEPT_REQUESTS)
        self._lock = threading.RLock()
        self._go = threading.Event()
        self._hanging = 0

    @classmethod
    def scripted(
        cls,
        personality: Personality | str = DEFAULT,
        *,
        start: int = 1_704_708_000 * SECOND,
        symbols: Mapping[str, SymbolSpec] = SYMBOLS,
    ) -> TradeServer:
        """With a clock that stands still and no prices, until `advance` and `quote` are called. It begins at `start`
        (UTC ns; a Monday morning).
        """
        return cls(personality, clock=ManualClock(start), source=ScriptedSource(start), symbols=symbols)

    @classmethod
    def replay(cls, quotes: Mapping[str, Quotes], personality: Personality | str = DEFAULT) -> TradeServer:
        """With the quotes of the past, by the names of the symbols at this broker, and a clock that stands still at the
        first of them until `advance` is called.
        """
        start = min((int(q.time[0]) for q in quotes.values() if len(q)), default=0)
        if not start:
            raise InvalidField("quotes", sorted(quotes), "at least one quote of one symbol")
        return cls(personality, clock=ManualClock(start), source=ScriptedSource(start, quotes))

    # ---- calls of terminals --------------------------------------------------------------------------------------

    def call(self, terminal: str, function: str, args: Mapping[str, Any]) -> Reply:
        """What a terminal answers to a function of the MetaTrader5 package, faults included."""
        with self._lock:
            desk = self._terminal(terminal)
            login = _login(desk)
            faults = self._script.strike(function, login, args)
            for fault in faults:
                self._meddle(fault, desk)
        before, after = _split(faults)
        for fault in before:
            reply = self._go_wrong(fault, desk, args)
            if reply is not None:
                return reply
        with self._lock:
            reply = self._answer(desk, function, {**args, **_orders(faults)})
        for fault in after:
            reply = self._go_wrong(fault, desk, args) or reply
        return reply

    def life(self, terminal: str) -> int:
        """How often a terminal was started: a connection to an earlier life is broken."""
        with self._lock:
            return self._terminal(terminal).life

    def _terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            self._terminals[name] = Terminal(name, self._market)
        return self._terminals[name]

    def _answer(self, desk: Terminal, function: str, args: Mapping[str, Any]) -> Reply:
        now = self.clock.now()
        try:
            if function in ("initialize", "login"):
                self._enter(desk, args["login"], args["password"], args["server"])
                return Reply(True)
            value = desk.call(function, args, now)
        except CallFailed as error:
            return Reply(error=(error.code, error.text))
        if function == "order_send":
            self._remember(desk, args["request"], value, now)
        return Reply(value)

    def _enter(self, desk: Terminal, login: int, password: str, server: str) -> None:
        """Log in with what is given; the rest is what the terminal has saved. Without an account that was ever used,
        the first one.
        """
        account = self._accounts.get(login) if login else desk.account or next(iter(self._accounts.values()), None)
        if account is None and not login:
            raise CallFailed(ResultCode.INTERNAL_FAIL_TIMEOUT)  # no account: the terminal waits for somebody to log in
        if account is None or server not in ("", account.spec.server) or not desk.connected:
            raise CallFailed(ResultCode.AUTH_FAILED)
        number = int(account.spec.login)
        desk.enter(account, password or desk.saved.get(number, "" if login else account.credentials.password))

    def _remember(self, desk: Terminal, request: Mapping[str, Any], answer: Row, now: int) -> None:
        if answer["request_id"]:  # the others ended in the terminal
            kept = {**request, "retcode": answer["retcode"], "answer_order": answer["order"], "time": now}
            self._requests.append({**kept, "login": _login(desk), "reason": 3})

    # ---- faults --------------------------------------------------------------------------------------------------

    def _meddle(self, fault: Fault, desk: Terminal) -> None:
        """What a human does just before a call."""
        if fault.kind == "manual_login":
            self._change_account(desk, fault.code)
        elif fault.kind == "human":
            self._human(_login(desk), dict(fault.request))

    def _go_wrong(self, fault: Fault, desk: Terminal, args: Mapping[str, Any]) -> Reply | None:
        """The answer that a fault makes; None if the call goes on."""
        if fault.kind == "hang":
            self._hang(fault.seconds)
            return None
        if fault.kind == "no_answer":
            code = fault.code or int(ResultCode.INTERNAL_FAIL_RECEIVE)
            return Reply(error=(code, TEXTS[code]))
        if fault.kind in ("exit", "drop"):
            if fault.kind == "drop":
                with self._lock:
                    desk.end()
            return Reply(end=fault.kind, code=fault.code)
        return self._refusal(desk, args, Retcode.REQUOTE if fault.kind == "requote" else fault.code)

    def _refusal(self, desk: Terminal, args: Mapping[str, Any], code: int) -> Reply:
        """An answer of the trade server, or of the terminal if the code is one of its own."""
        request: Mapping[str, Any] = args.get("request", {})
        own = code in (Retcode.CLIENT_DISABLES_AT, Retcode.CONNECTION)
        with self._lock:
            desk.requests += 0 if own else 1
            name = request.get("symbol", "")
            quote = desk.quote(name, self.clock.now()) if name in self._market.listed and not own else None
            _, bid, ask = quote or (0, 0.0, 0.0)
            return Reply(refusal(code, bid, ask, 0 if own else desk.requests).model_dump())

    def _hang(self, seconds: float) -> None:
        with self._lock:
            self._hanging += 1
            go = self._go
        go.wait(seconds or None)
        with self._lock:
            self._hanging -= 1

    # ---- controls ------------------------------------------------------------------------------------------------

    def control(self, order: str, args: dict[str, Any]) -> Any:
        handler = _CONTROLS.get(order)
        if handler is None:
            raise InvalidField("order", order, f"one of {', '.join(_CONTROLS)}")
        with self._lock:
            try:
                return handler(self, **args)
            except CallerError:
                raise
            except (TypeError, ValueError) as error:
                raise InvalidField(order, sorted(args), str(error)) from None

    def _add_account(self, login: int, password: str, investor: str, settings: dict[str, Any]) -> None:
        if isinstance(login, bool) or not isinstance(login, int) or login <= 0:
            raise InvalidField("login", login, "a whole number above 0")
        if login in self._accounts or not password:
            raise InvalidField("login", login, "an account that is not there yet, with a password")
        now = self.clock.now()
        spec, credentials = self.broker.account_spec(login, settings), Credentials(password, investor)
        self._accounts[login] = TradeAccount(spec, credentials, self.broker, self._source, self._symbols, now)

    def _quote(self, symbol: str, bid: float, ask: float) -> None:
        if not isinstance(self._source, ScriptedSource):
            raise CallerError("this trade server's quotes are not scripted: use TradeServer.scripted()")
        if symbol not in self._symbols:
            raise InvalidField("symbol", symbol, f"one of {', '.join(self._market.listed)}")
        self._source.add(symbol, self.clock.now(), bid, ask)

    def _advance(self, seconds: float) -> int:
        if not isinstance(self.clock, ManualClock):
            raise CallerError("this trade server follows the clock of the machine: use TradeServer.scripted()")
        return self.clock.advance(seconds)

    def _arm(self, fault: dict[str, Any]) -> None:
        self._script.arm(Fault.of(fault))

    def _disarm(self) -> None:
        self._script.clear()

    def _release(self) -> None:
        self._go.set()
        self._go = threading.Event()

    def _count_hanging(self) -> int:
        return self._hanging

    def _lag(self, login: int, history: float, positions: float) -> None:
        account = self._account(login)
        lags = {"history": float(history), "positions": float(positions)}
        for name, seconds in lags.items():
            if not 0.0 <= seconds < 1e6:
                raise InvalidField(name, seconds, "seconds, 0 or more")
        account.history_lag, account.position_lag = (round(seconds * SECOND) for seconds in lags.values())

    def _auto_trading(self, on: bool, terminal: str) -> None:
        self._terminal(terminal).auto_trading = on

    def _api_trading(self, on: bool, terminal: str) -> None:
        self._terminal(terminal).api_allowed = on

    def _connection(self, on: bool, terminal: str) -> None:
        desk = self._terminal(terminal)
        if desk.account is not None and desk.connected and not on:
            desk.account.follow(self.clock.now())
        desk.connected = on

    def _manual_login(self, login: int, terminal: str) -> None:
        self._change_account(self._terminal(terminal), login)

    def _change_account(self, desk: Terminal, login: int) -> None:
        account = self._account(login)
        desk.enter(account, account.credentials.password)

    def _end_terminal(self, terminal: str) -> None:
        self._terminal(terminal).end()

    def _human(self, login: int, request: dict[str, Any]) -> Row:
        account, now = self._account(login), self.clock.now()
        account.watch(str(request.get("symbol", "")))
        account.follow(now)
        if request.get("action") == mt5.TRADE_ACTION_DEAL and "price" not in request:
            _, bid, ask = account.engine.last_quote(str(request.get("symbol"))) or (0, 0.0, 0.0)
            request = {**request, "price": bid if request.get("type") else ask}  # a human deals at the price he sees
        answer = account.send(request, now, reason=CLIENT).model_dump()
        kept = {"retcode": answer["retcode"], "answer_order": answer["order"], "time": now}
        self._requests.append({**request, **kept, "login": login, "reason": CLIENT})
        return answer

    def _human_close(self, login: int, position: int) -> Row:
        account = self._account(login)
        account.follow(self.clock.now())
        found = next((p for p in account.positions() if p.ticket == position), None)
        if found is None:
            raise InvalidField("position", position, "the ticket of an open position")
        request = {"action": 1, "symbol": found.symbol, "type": 1 - found.type, "volume": found.volume}
        if account.spec.hedging:
            request["position"] = position
        return self._human(login, request)

    def _records(self, login: int, what: str) -> list[Row]:
        account = self._account(login)
        account.follow(self.clock.now())
        if what == "requests":
            return [request for request in self._requests if request["login"] == login]
        if what == "account":
            return [account.row(readonly=False)]
        if what not in ("positions", "orders", "history_orders", "deals"):
            raise InvalidField("what", what, "positions, orders, history_orders, deals, account or requests")
        return [row(record) for record in getattr(account, what)()]

    def _account(self, login: int) -> TradeAccount:
        if login not in self._accounts:
            raise InvalidField("login", login, f"one of {', '.join(map(str, self._accounts)) or 'none so far'}")
        return self._accounts[login]


def _login(desk: Terminal) -> int:
    return int(desk.account.spec.login) if desk.account is not None else 0


def _split(faults: list[Fault]) -> tuple[list[Fault], list[Fault]]:
    """Those that strike before the call is carried out, and after."""
    plain = [f for f in faults if f.kind not in ("placed", "refuse_activation", "manual_login", "human")]
    return [f for f in plain if f.when == "before"], [f for f in plain if f.when == "after"]


def _orders(faults: list[Fault]) -> dict[str, Any]:
    """What the trade server does differently with a request."""
    found: dict[str, Any] = {}
    for fault in faults:
        if fault.kind == "placed":
            found["delay"] = fault.seconds
        elif fault.kind == "refuse_activation":
            found["doomed"] = True
    return found


_CONTROLS: Final[dict[str, Callable[..., Any]]] = {
    "add_account": TradeServer._add_account,
    "quote": TradeServer._quote,
    "advance": TradeServer._advance,
    "arm": TradeServer._arm,
    "disarm": TradeServer._disarm,
    "release": TradeServer._release,
    "hanging": TradeServer._count_hanging,
    "lag": TradeServer._lag,
    "auto_trading": TradeServer._auto_trading,
    "api_trading": TradeServer._api_trading,
    "connection": TradeServer._connection,
    "manual_login": TradeServer._manual_login,
    "end_terminal": TradeServer._end_terminal,
    "human": TradeServer._human,
    "human_close": TradeServer._human_close,
    "records": TradeServer._records,
}

"""A simulated trade server with its accounts and terminals, its market, and its script of faults.

It lives beyond the process that trades: its orders stay when that one crashes. All its methods may be called from any
thread; a call that hangs holds up nobody else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mas_router.errors import InvalidField
from mas_router.mt5 import ResultCode, Retcode
from sim_worker.bars import DAY
from sim_worker.engine import EXPERT
from sim_worker.quotes import Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from sim_worker.terminal.failures import TEXTS, CallFailed
from sim_worker.trade_server.account import refusal
from sim_worker.trade_server.clocks import SECOND, Clock, ManualClock, PacedClock
from sim_worker.trade_server.controls import Controls
from sim_worker.trade_server.desk import Terminal
from sim_worker.trade_server.functions import answer
from sim_worker.trade_server.house import House
from sim_worker.trade_server.orders import carry_out
from sim_worker.trade_server.personality import DEFAULT, Personality, find
from sim_worker.trade_server.script import Fault
from sim_worker.trade_server.sources import ScriptedSource, Source, SyntheticSource

HISTORY_DAYS: Final = 30


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
        broker = find(personality) if isinstance(personality, str) else personality
        clock, specs = clock or SystemClock(), broker.specs(symbols)
        start = clock.now() - HISTORY_DAYS * DAY
        source = source or SyntheticSource(seed, specs, start, weekends=broker.weekends)
        self._house = House(broker, clock, source, specs, broker.listed(symbols))
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)  # of calls that hang
        self._hanging = self._releases = 0

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
    def replay(
        cls,
        quotes: Mapping[str, Quotes],
        personality: Personality | str = DEFAULT,
        *,
        speed: float = 0.0,
        symbols: Mapping[str, SymbolSpec] = SYMBOLS,
    ) -> TradeServer:
        """With the quotes of the past, by the names of the symbols at this broker. The time begins at the first of them
        and goes `speed` times as fast as a clock; 0: it stands still until `advance` is called.
        """
        start = min((int(q.time[0]) for q in quotes.values() if len(q)), default=0)
        if not start:
            raise InvalidField("quotes", sorted(quotes), "at least one quote of one symbol")
        clock = PacedClock(start, speed, time.monotonic_ns) if speed else ManualClock(start)
        server = cls(personality, clock=clock, source=ScriptedSource(start, quotes), symbols=symbols)
        unknown = sorted(quotes.keys() - server._house.market.symbols.keys())
        if unknown:
            raise InvalidField("quotes", unknown[0], f"one of {', '.join(server._house.market.listed)}")
        return server

    # ---- calls of terminals --------------------------------------------------------------------------------------

    def call(self, terminal: str, function: str, args: Mapping[str, Any]) -> Reply:
        """What a terminal answers to a function of the MetaTrader5 package, faults included."""
        with self._lock:
            desk = self._house.terminal(terminal)
            life, faults = desk.life, self._house.script.strike(function, desk.login, args)
            for fault in faults:
                self._meddle(fault, desk)
        before, after = _split(faults)
        for fault in before:
            reply = self._go_wrong(fault, desk, args)
            if reply is not None:
                return reply
        with self._lock:
            if desk.life != life:  # it ended while the call hung: nothing was sent
                return Reply(end="drop")
            reply = self._answer(desk, function, {**args, **_changes(faults)})
        for fault in after:
            reply = self._go_wrong(fault, desk, args) or reply
        return reply

    def life(self, terminal: str) -> int:
        """How often a terminal was started: a connection to an earlier life is broken."""
        with self._lock:
            return self._house.terminal(terminal).life

    def _answer(self, desk: Terminal, function: str, args: Mapping[str, Any]) -> Reply:
        try:
            if function in ("initialize", "login"):
                self._house.enter(desk, args["login"], args["password"], args["server"])
                return Reply(True)
            value = answer(desk, function, args, self._house.clock.now())
        except CallFailed as error:
            return Reply(error=(error.code, error.text))
        if function == "order_send" and value["request_id"]:  # the others ended in the terminal
            self._house.remember(desk.login, args["request"], value, EXPERT)
        return Reply(value)

    # ---- faults --------------------------------------------------------------------------------------------------

    def _meddle(self, fault: Fault, desk: Terminal) -> None:
        """What a human does just before a call."""
        if fault.kind == "manual_login":
            self._house.change_account(desk, fault.code)
        elif fault.kind == "human":
            self._house.human(desk.login, dict(fault.request))

    def _go_wrong(self, fault: Fault, desk: Terminal, args: Mapping[str, Any]) -> Reply | None:
        """The answer that a fault makes; None if the call goes on."""
        if fault.kind == "hang":
            self._hang(desk, fault.seconds)
            return None
        if fault.kind == "no_answer":
            code = fault.code or int(ResultCode.INTERNAL_FAIL_RECEIVE)
            return Reply(error=(code, TEXTS[code]))
        if fault.kind in ("exit", "drop"):
            if fault.kind == "drop":
                with self._wake:
                    desk.end()
                    self._wake.notify_all()
            return Reply(end=fault.kind, code=fault.code)
        return self._refusal(desk, args["request"], Retcode.REQUOTE if fault.kind == "requote" else fault.code)

    def _refusal(self, desk: Terminal, request: Mapping[str, Any], code: int) -> Reply:
        """An answer of the trade server, or of the terminal if the code is one of its own."""
        if code in (Retcode.CLIENT_DISABLES_AT, Retcode.CONNECTION):
            return Reply(refusal(code).model_dump())
        with self._lock:
            desk.requests += 1
            known, name = self._house.market.listed, request["symbol"]
            quote = desk.quote(name, self._house.clock.now()) if name in known else None
            _, bid, ask = quote or (0, 0.0, 0.0)
            return Reply(refusal(code, bid, ask, desk.requests).model_dump())

    def _hang(self, desk: Terminal, seconds: float) -> None:
        """Wait, at most until the calls are released or the terminal ends."""
        with self._wake:
            self._hanging += 1
            before = self._releases, desk.life
            self._wake.wait_for(lambda: (self._releases, desk.life) != before, seconds or None)
            self._hanging -= 1

    # ---- controls ------------------------------------------------------------------------------------------------

    def control(self, order: str, args: dict[str, Any]) -> Any:
        with self._wake:
            if order == "hanging":
                return self._hanging
            self._releases += order == "release"
            self._wake.notify_all()
            return None if order == "release" else carry_out(self._house, order, args)


def _split(faults: list[Fault]) -> tuple[list[Fault], list[Fault]]:
    """Those that strike before the call is carried out, and after."""
    plain = [f for f in faults if f.kind not in ("placed", "refuse_activation", "manual_login", "human")]
    return [f for f in plain if f.when == "before"], [f for f in plain if f.when == "after"]


def _changes(faults: list[Fault]) -> dict[str, Any]:
    """What the trade server does differently with a request."""
    found: dict[str, Any] = {}
    for fault in faults:
        if fault.kind == "placed":
            found["delay"] = fault.seconds
        elif fault.kind == "refuse_activation":
            found["doomed"] = True
    return found

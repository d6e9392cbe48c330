"""What a test does to a trade server: the same methods on one in this process and on one behind a socket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from mas_router.messages import Row
from sim_worker.trade_server.script import Fault

What = Literal["positions", "orders", "history_orders", "deals", "account", "requests"]


class Controls(ABC):
    """Prices, time, faults, the human at the terminal, and the truth about an account."""

    @abstractmethod
    def control(self, order: str, args: dict[str, Any]) -> Any:
        """Carry out one of the orders below. Raises InvalidField."""

    # ---- accounts, quotes, time ----------------------------------------------------------------------------------

    def add_account(self, login: int, password: str, *, investor: str = "", **settings: Any) -> None:
        """Open an account. `settings` are fields of AccountSpec, such as deposit, that differ from the personality's.
        `investor` is a password with which one can look, but not trade.
        """
        self.control("add_account", {"login": login, "password": password, "investor": investor, "settings": settings})

    def quote(self, symbol: str, bid: float, ask: float) -> None:
        """The newest price of a symbol, from now on. Only where quotes are scripted."""
        self.control("quote", {"symbol": symbol, "bid": bid, "ask": ask})

    def advance(self, seconds: float) -> int:
        """Move the time on, and say what time it is (UTC ns). Only with a manual clock."""
        return int(self.control("advance", {"seconds": seconds}))

    # ---- faults --------------------------------------------------------------------------------------------------

    def arm(self, fault: Fault) -> None:
        """Have something go wrong. Faults fire in the order in which they were armed."""
        self.control("arm", {"fault": fault.model_dump()})

    def disarm(self) -> None:
        """No more faults, the personality's own included."""
        self.control("disarm", {})

    def release(self) -> None:
        """Let the calls go on that hang."""
        self.control("release", {})

    def hanging(self) -> int:
        """How many calls hang."""
        return int(self.control("hanging", {}))

    def lag(self, login: int, *, history: float = 0.0, positions: float = 0.0) -> None:
        """From now on a terminal sees new deals and positions of an account so many seconds late."""
        self.control("lag", {"login": login, "history": history, "positions": positions})

    # ---- the terminal --------------------------------------------------------------------------------------------

    def auto_trading(self, on: bool, terminal: str = "") -> None:
        """The AutoTrading button of a terminal. Off: 10027."""
        self.control("auto_trading", {"on": on, "terminal": terminal})

    def api_trading(self, on: bool, terminal: str = "") -> None:
        """The option that lets Python trade. Off: order_send returns None, and last_error is -8."""
        self.control("api_trading", {"on": on, "terminal": terminal})

    def connection(self, on: bool, terminal: str = "") -> None:
        """The line between a terminal and the trade server. Off: 10031, and the terminal shows what it saw last."""
        self.control("connection", {"on": on, "terminal": terminal})

    def manual_login(self, login: int, terminal: str = "") -> None:
        """A human logs a terminal in to another account."""
        self.control("manual_login", {"login": login, "terminal": terminal})

    def end_terminal(self, terminal: str = "") -> None:
        """A terminal crashes or is closed; it starts again with the next `initialize`. Accounts are not touched."""
        self.control("end_terminal", {"terminal": terminal})

    # ---- the human -----------------------------------------------------------------------------------------------

    def human(self, login: int, **request: Any) -> Row:
        """A human sends a trade request with these fields from a terminal of his own: its reason is CLIENT."""
        found: Row = self.control("human", {"login": login, "request": request})
        return found

    def human_deal(self, login: int, symbol: str, side: Literal["buy", "sell"], volume: float) -> Row:
        """A human buys or sells at the market."""
        return self.human(login, action=1, symbol=symbol, type=int(side == "sell"), volume=volume)

    def human_pending(self, login: int, symbol: str, type: int, volume: float, price: float) -> Row:
        """A human places a pending order, good till cancelled. `type` is ORDER_TYPE_BUY_LIMIT and so on."""
        return self.human(login, action=5, symbol=symbol, type=type, volume=volume, price=price, type_filling=2)

    def human_sltp(self, login: int, position: int, sl: float = 0.0, tp: float = 0.0) -> Row:
        """A human sets the stop levels of a position."""
        return self.human(login, action=6, position=position, sl=sl, tp=tp)

    def human_close(self, login: int, position: int) -> Row:
        """A human closes a position."""
        found: Row = self.control("human_close", {"login": login, "position": position})
        return found

    # ---- the truth -----------------------------------------------------------------------------------------------

    def records(self, login: int, what: What) -> list[Row]:
        """What the trade server itself knows of an account now, without any lag; `requests` are the trade requests that
        reached it, with its answers (`retcode`, `order`), whatever the client was told.
        """
        return list(self.control("records", {"login": login, "what": what}))

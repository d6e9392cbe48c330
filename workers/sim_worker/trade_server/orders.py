"""What a test orders a trade server to do: each order with its arguments, as `Controls` sends them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mas_router.errors import CallerError, InvalidField
from mas_router.messages import Row
from sim_worker.records import row
from sim_worker.trade_server.account import Credentials
from sim_worker.trade_server.clocks import SECOND, ManualClock
from sim_worker.trade_server.house import House
from sim_worker.trade_server.script import Fault
from sim_worker.trade_server.sources import ScriptedSource


def carry_out(house: House, order: str, args: dict[str, Any]) -> Any:
    """Raises CallerError for an order that there is not, or for wrong arguments."""
    handler = ORDERS.get(order)
    if handler is None:
        raise InvalidField("order", order, f"one of {', '.join(ORDERS)}")
    try:
        return handler(house, **args)
    except CallerError:
        raise
    except (TypeError, ValueError) as error:
        raise InvalidField(order, sorted(args), str(error)) from None


def _add_account(house: House, login: int, password: str, investor: str, settings: dict[str, Any]) -> None:
    if isinstance(login, bool) or not isinstance(login, int) or login <= 0:
        raise InvalidField("login", login, "a whole number above 0")
    if login in house.accounts or not password:
        raise InvalidField("login", login, "an account that is not there yet, with a password")
    house.open_account(login, Credentials(password, investor), settings)


# ---- quotes and time -------------------------------------------------------------------------------------------------


def _quote(house: House, symbol: str, bid: float, ask: float) -> None:
    if not isinstance(house.source, ScriptedSource):
        raise CallerError("this trade server's quotes are not scripted: use TradeServer.scripted()")
    if symbol not in house.market.symbols:
        raise InvalidField("symbol", symbol, f"one of {', '.join(house.market.listed)}")
    house.source.add(symbol, house.clock.now(), bid, ask)


def _advance(house: House, seconds: float) -> int:
    if not isinstance(house.clock, ManualClock):
        raise CallerError("this trade server follows the clock of the machine: use TradeServer.scripted()")
    return house.clock.advance(seconds)


# ---- faults ----------------------------------------------------------------------------------------------------------


def _arm(house: House, fault: dict[str, Any]) -> None:
    house.script.arm(Fault.of(fault))


def _disarm(house: House) -> None:
    house.script.clear()


def _lag(house: House, login: int, history: float, positions: float) -> None:
    account = house.account(login)
    lags = {"history": float(history), "positions": float(positions)}
    for name, seconds in lags.items():
        if not 0.0 <= seconds < 1e6:
            raise InvalidField(name, seconds, "seconds, 0 or more")
    account.history_lag, account.position_lag = (round(seconds * SECOND) for seconds in lags.values())


# ---- the terminal ----------------------------------------------------------------------------------------------------


def _auto_trading(house: House, on: bool, terminal: str) -> None:
    house.terminal(terminal).auto_trading = on


def _api_trading(house: House, on: bool, terminal: str) -> None:
    house.terminal(terminal).api_allowed = on


def _connection(house: House, on: bool, terminal: str) -> None:
    desk = house.terminal(terminal)
    if desk.account is not None and desk.connected and not on:
        desk.account.follow(house.clock.now())  # what it sees last
    desk.connected = on


def _manual_login(house: House, login: int, terminal: str) -> None:
    house.change_account(house.terminal(terminal), login)


def _end_terminal(house: House, terminal: str) -> None:
    house.terminal(terminal).end()


# ---- the human, and the truth ----------------------------------------------------------------------------------------


def _human(house: House, login: int, request: dict[str, Any]) -> Row:
    return house.human(login, request)


def _human_close(house: House, login: int, position: int) -> Row:
    account = house.account(login)
    account.follow(house.clock.now())
    found = next((p for p in account.positions() if p.ticket == position), None)
    if found is None:
        raise InvalidField("position", position, "the ticket of an open position")
    request = {"action": 1, "symbol": found.symbol, "type": 1 - found.type, "volume": found.volume}
    if account.spec.hedging:
        request["position"] = position
    return house.human(login, request)


def _records(house: House, login: int, what: str) -> list[Row]:
    account = house.account(login)
    account.follow(house.clock.now())
    if what == "requests":
        return house.requests(login)
    if what == "account":
        return [account.row(readonly=False)]
    if what not in ("positions", "orders", "history_orders", "deals"):
        raise InvalidField("what", what, "positions, orders, history_orders, deals, account or requests")
    return [row(record) for record in getattr(account, what)()]


ORDERS: Final[dict[str, Callable[..., Any]]] = {
    "add_account": _add_account,
    "quote": _quote,
    "advance": _advance,
    "arm": _arm,
    "disarm": _disarm,
    "lag": _lag,
    "auto_trading": _auto_trading,
    "api_trading": _api_trading,
    "connection": _connection,
    "manual_login": _manual_login,
    "end_terminal": _end_terminal,
    "human": _human,
    "human_close": _human_close,
    "records": _records,
}

"""Simulated MetaTrader 5 terminals for one test: in its process, and served to the processes that it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from mas_router.errors import InvalidField
from sim_worker import terminal as mt5
from sim_worker.quotes import Quotes
from sim_worker.trade_server import Controls, Fault, Personality, TradeServer, installed, serve
from sim_worker.trade_server.local import LOGIN, PASSWORD
from sim_worker.trade_server.personality import DEFAULT

#: The newest bid and ask, or quotes of the past, of each symbol by its name at the broker.
Prices = Mapping[str, tuple[float, float]] | Mapping[str, Quotes]


class Broker(Controls):
    """A trade server with its terminals, and what a test does to it: `quote`, `advance`, `arm`, `human_close` ..."""

    def __init__(self, server: TradeServer, stack: ExitStack) -> None:
        self.server, self._stack, self._path = server, stack, ""

    def control(self, order: str, args: dict[str, Any]) -> Any:
        return self.server.control(order, args)

    @property
    def path(self) -> str:
        """What another process gives to `initialize`; the trade server listens on this machine from here on."""
        if not self._path:
            self._path = self._stack.enter_context(serve(self.server)).path
        return self._path


class BrokerStarter:
    """Starts trade servers for one test; they end with it, and so does the connection of this process to one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(
        self,
        personality: Personality | str = DEFAULT,
        *,
        accounts: Iterable[int] = (LOGIN,),
        quotes: Prices | None = None,
        faults: Iterable[Fault] = (),
        seed: int = 1,
    ) -> Broker:
        """A trade server that `initialize()` of `sim_worker.terminal` reaches. The password of its accounts is
        "simulated"; `add_account` opens others.

        `quotes`: a bid and an ask for each symbol (time and prices then stand still), or quotes of the past (the clock
        stands still at the first one), or None: prices are made up from `seed` and follow the clock.
        """
        server = _server(personality, quotes, seed)
        for login in accounts:
            server.add_account(login, PASSWORD)
        for fault in faults:
            server.arm(fault)
        self._stack.enter_context(installed(server))
        self._stack.callback(mt5.shutdown)
        self._stack.callback(server.release)  # before it: a thread of the test may still wait in a call,
        self._stack.callback(server.disarm)  # and is not to wait in the next one
        return Broker(server, self._stack)


def _server(personality: Personality | str, quotes: Prices | None, seed: int) -> TradeServer:
    if quotes is None:
        return TradeServer(personality, seed=seed)
    past = {symbol: value for symbol, value in quotes.items() if isinstance(value, Quotes)}
    if past and len(past) < len(quotes):
        raise InvalidField("quotes", sorted(quotes), "of the past for all symbols, or a bid and an ask for all")
    if past:
        return TradeServer.replay(past, personality)
    server = TradeServer.scripted(personality)
    for symbol, price in quotes.items():
        if not isinstance(price, Quotes):
            server.quote(symbol, *price)
    return server

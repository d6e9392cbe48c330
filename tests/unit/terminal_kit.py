"""A simulated trade server with prices and a time of the test's own, and a terminal that is connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sim_worker import terminal as mt5
from sim_worker.trade_server import Personality, TradeServer, installed

LOGIN, PASSWORD = 5001, "correct horse"
EURUSD = (1.10000, 1.10010)


@contextmanager
def connected(personality: Personality | str = "demo-hedging-market", **fields: Any) -> Iterator[TradeServer]:
    """`mt5` is logged in; EURUSD is quoted. `fields` change the personality."""
    broker = personality if isinstance(personality, Personality) else broker_like(personality, **fields)
    server = TradeServer.scripted(broker)
    server.add_account(LOGIN, PASSWORD)
    server.quote("EURUSD" + broker.suffix, *EURUSD)
    with installed(server):
        assert mt5.initialize(login=LOGIN, password=PASSWORD, server=broker.server), mt5.last_error()
        try:
            yield server
        finally:
            mt5.shutdown()


def broker_like(name: str, **fields: Any) -> Personality:
    """A built-in personality with other fields."""
    from sim_worker.trade_server.personality import find

    changed: Personality = Personality.of({**find(name).model_dump(), **fields})
    return changed


def buy(volume: float = 0.1, **fields: Any) -> mt5.OrderSendResult | None:
    """A market order."""
    return mt5.order_send({"action": 1, "symbol": "EURUSD", "type": 0, "volume": volume, **fields})


def buy_limit(price: float = 1.09, **fields: Any) -> mt5.OrderSendResult | None:
    request = {"action": 5, "symbol": "EURUSD", "type": 2, "volume": 0.1, "price": price, "type_filling": 2}
    return mt5.order_send({**request, **fields})

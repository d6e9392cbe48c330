"""A trader at a simulated desk: short ways to quote and to trade, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mas_router.messages import TradeRequest
from sim_worker.engine import Change, DealChange, Engine, OrderChange, Outcome
from sim_worker.records import Deal
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import find_symbol

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
#: Monday, 2024-01-01 00:00 UTC.
MONDAY = 1_704_067_200 * SECOND
NOON = MONDAY + DAY // 2

DEAL, PENDING, SLTP, MODIFY, REMOVE, CLOSE_BY = 1, 5, 6, 7, 8, 10
BUY, SELL, BUY_LIMIT, SELL_LIMIT, BUY_STOP, SELL_STOP, BUY_STOP_LIMIT, SELL_STOP_LIMIT = range(8)


class Desk:
    """An engine with a clock that moves one second at each quote."""

    def __init__(self, *specs: SymbolSpec, symbol: str = "EURUSD", **account: Any) -> None:
        own = {spec.name: spec for spec in specs}
        self.engine = Engine(AccountSpec(**account), lambda name: own.get(name) or find_symbol(name))
        self.symbol = specs[0].name if specs else symbol
        self.now = NOON

    def quote(self, bid: float, ask: float | None = None, symbol: str = "", after: int = SECOND) -> list[Change]:
        self.now += after
        return self.engine.quote(symbol or self.symbol, self.now, bid, bid if ask is None else ask)

    def trade(self, action: int, **fields: Any) -> Outcome:
        fields.setdefault("symbol", self.symbol)
        client = str(fields.pop("client_id", ""))
        auto = bool(fields.pop("auto_filling", False))
        request = TradeRequest(action=action, **fields)
        return self.engine.trade(request, self.now, client_id=client, auto_filling=auto)

    def buy(self, volume: float, **fields: Any) -> Outcome:
        return self.trade(DEAL, type=BUY, volume=volume, **fields)

    def sell(self, volume: float, **fields: Any) -> Outcome:
        return self.trade(DEAL, type=SELL, volume=volume, **fields)

    def place(self, type: int, price: float, volume: float = 0.1, **fields: Any) -> Outcome:
        fields.setdefault("type_filling", 2)
        return self.trade(PENDING, type=type, volume=volume, price=price, **fields)

    def deals(self) -> list[Deal]:
        """The deals of orders: without the deposit and the like."""
        return [deal for deal in self.engine.deals() if deal.order]

    @property
    def account(self) -> dict[str, Any]:
        return dict(self.engine.account_row())


def deals(changes: Sequence[Change]) -> list[Deal]:
    return [change.deal for change in changes if isinstance(change, DealChange)]


def whys(changes: Sequence[Change]) -> list[str]:
    """What happened, in order: the reason of each order change, and "deal" for each deal."""
    return [change.why if isinstance(change, OrderChange) else "deal" for change in changes]

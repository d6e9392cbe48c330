"""One account at a simulated trade server: its engine, the quotes it follows, and what the broker does to its orders.

Pure: the moment (UTC ns) is an argument. All records are on the server's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from mas_router import mt5
from mas_router.messages import Row, TradeRequest, TradeResult
from mas_router.mt5 import RETCODE_TEXT
from sim_worker.engine import EXPERT, Engine
from sim_worker.records import Accepted, Deal, Order, Position
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.trade_server.clocks import SECOND
from sim_worker.trade_server.following import Following
from sim_worker.trade_server.personality import Personality
from sim_worker.trade_server.sources import Source

PLACED = int(mt5.TRADE_RETCODE_PLACED)
_DEAL, _PENDING = int(mt5.TRADE_ACTION_DEAL), int(mt5.TRADE_ACTION_PENDING)
_REMOVE = int(mt5.TRADE_ACTION_REMOVE)
_STARTED, _REJECTED = int(mt5.ORDER_STATE_STARTED), int(mt5.ORDER_STATE_REJECTED)
_CANCELED = int(mt5.ORDER_STATE_CANCELED)
CLIENT: Final = int(mt5.ORDER_REASON_CLIENT)


@dataclass(slots=True)
class Waiting:
    """A market order that was accepted with 10008 and is dealt at `due`."""

    due: int
    request: TradeRequest
    order: Order
    reason: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens an account. The investor's password lets one look, but not trade. Neither is ever shown."""

    password: str
    investor: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


class TradeAccount:
    """An account. `history_lag` and `position_lag` (ns) are how long a terminal does not see what is new.

    It was `opened` (UTC ns) with a deposit, which is a deal.
    """

    def __init__(
        self,
        spec: AccountSpec,
        credentials: Credentials,
        broker: Personality,
        source: Source,
        symbols: dict[str, SymbolSpec],
        opened: int,
    ) -> None:
        self.spec, self.credentials, self.broker = spec, credentials, broker
        self.engine = Engine(spec, symbols.get, broker.time.server(opened))
        self.time = broker.time
        self.history_lag, self.position_lag = round(broker.history_lag * SECOND), round(broker.position_lag * SECOND)
        self._market = Following(source, self.time, symbols.get, spec.currency)
        self._waiting: list[Waiting] = []

    # ---- time ----------------------------------------------------------------------------------------------------

    def watch(self, symbol: str) -> None:
        """Have a symbol quoted."""
        self._market.watch(symbol)

    def follow(self, now: int) -> None:
        """What has happened by now: deals that were due, and everything that the quotes set off."""
        for waiting in sorted((w for w in self._waiting if w.due <= now), key=lambda w: w.due):
            self._market.advance(self.engine, waiting.due)
            self._waiting.remove(waiting)
            self._carry_out(waiting)
        self._market.advance(self.engine, now)

    def _carry_out(self, waiting: Waiting) -> None:
        order, moment = waiting.order, self.time.server(waiting.due)
        outcome = self.engine.trade(
            waiting.request, moment, reason=waiting.reason, accepted=Accepted(order.ticket, order.time_setup)
        )
        if not any(change.order.ticket == order.ticket for change in outcome.changes):
            order.state = _REJECTED
            self.engine.bury(order)

    # ---- requests ------------------------------------------------------------------------------------------------

    def send(
        self, fields: Mapping[str, Any], now: int, *, reason: int = EXPERT, delay: int = 0, doomed: bool = False
    ) -> TradeResult:
        """The trade server's answer to a request. `delay` (ns): accept a market order and deal later. `doomed`: the
        pending order that this places will be refused at its activation.
        """
        request = self.request(fields)
        if request is None:
            return refusal(mt5.TRADE_RETCODE_INVALID)
        self.follow(now)
        withdrawn = next((w for w in self._waiting if w.order.ticket == request.order), None)
        if request.action == _REMOVE and withdrawn is not None:
            return self._withdraw(withdrawn)
        delay = delay or round(self.broker.gateway_delay * SECOND)
        if delay and request.action == _DEAL and reason == EXPERT:
            placed = self._place(request, now, delay, reason)
            if placed is not None:
                return placed
        auto = reason == CLIENT and "type_filling" not in fields  # a human's terminal offers what the symbol allows
        outcome = self.engine.trade(request, self.time.server(now), reason=reason, auto_filling=auto)
        result = outcome.result
        if doomed and request.action == _PENDING and result.order:
            self.engine.refuse_activation(result.order)
        return result

    def request(self, fields: Mapping[str, Any]) -> TradeRequest | None:
        """The request as the server takes it; None if it has numbers that no market has."""
        try:
            request = TradeRequest(**fields)
        except ValidationError:
            return None
        return request.model_copy(update={"comment": self.broker.written(request.comment)})

    def _place(self, request: TradeRequest, now: int, delay: int, reason: int) -> TradeResult | None:
        """Accept a market order that would pass; None for one that would not."""
        moment = self.time.server(now)
        if self.engine.check(request, moment)["retcode"]:
            return None
        ticket, moment = self.engine.accept()
        order = Order(
            ticket,
            "",
            request.symbol,
            request.type,
            _STARTED,
            request.volume,
            request.volume,
            sl=request.sl,
            tp=request.tp,
            type_filling=request.type_filling,
            time_setup=moment,
            magic=request.magic,
            reason=reason,
            comment=request.comment,
        )
        self._waiting.append(Waiting(now + delay, request, order, reason))
        ticket = order.ticket if self.broker.gateway_ticket else 0
        return TradeResult(retcode=PLACED, order=ticket, volume=request.volume, comment=RETCODE_TEXT[PLACED])

    def _withdraw(self, waiting: Waiting) -> TradeResult:
        """Cancel an order that waits to be dealt."""
        order = waiting.order
        self._waiting.remove(waiting)
        order.state = _CANCELED
        self.engine.bury(order)
        _, bid, ask = self.engine.last_quote(order.symbol) or (0, 0.0, 0.0)
        done = int(mt5.TRADE_RETCODE_DONE)
        return TradeResult(retcode=done, order=order.ticket, bid=bid, ask=ask, comment=RETCODE_TEXT[done])

    # ---- records -------------------------------------------------------------------------------------------------

    def orders(self) -> list[Order]:
        """The active orders, with those that wait to be dealt."""
        waiting = [w.order.copy() for w in self._waiting]
        return sorted([*self.engine.orders(), *waiting], key=lambda order: order.ticket)

    def positions(self, now: int | None = None) -> list[Position]:
        """The positions; those that a terminal sees at this moment, if one is given."""
        newest = self._seen_until(now, self.position_lag)
        return [p for p in self.engine.positions() if newest is None or p.time <= newest]

    def history_orders(self, now: int | None = None) -> list[Order]:
        newest = self._seen_until(now, self.history_lag)
        return [o for o in self.engine.history_orders() if newest is None or o.time_done <= newest]

    def deals(self, now: int | None = None) -> list[Deal]:
        newest = self._seen_until(now, self.history_lag)
        return [d for d in self.engine.deals() if newest is None or d.time <= newest]

    def _seen_until(self, now: int | None, lag: int) -> int | None:
        return None if now is None or not lag else self.time.server(now - lag)

    def row(self, *, readonly: bool) -> Row:
        """The fields of AccountInfo."""
        row = self.engine.account_row()
        return {**row, "trade_allowed": False} if readonly else row


def refusal(retcode: int, bid: float = 0.0, ask: float = 0.0, request_id: int = 0) -> TradeResult:
    """An answer that says no more than a code; without a number it is the terminal's own."""
    return TradeResult(retcode=int(retcode), bid=bid, ask=ask, comment=RETCODE_TEXT[retcode], request_id=request_id)

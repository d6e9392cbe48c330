"""From what the engine changed to the events that clients see. Pure."""

from __future__ import annotations

from typing import Final, Literal

from mas_router import mt5
from mas_router.messages import Execution, Status, Verb
from mas_router.orders import State
from sim_worker.engine import Change, DealChange, OrderChange
from sim_worker.records import Deal

_ENTRY: Final[dict[int, Literal["in", "out", "inout", "out_by"]]] = {
    mt5.DEAL_ENTRY_IN: "in",
    mt5.DEAL_ENTRY_OUT: "out",
    mt5.DEAL_ENTRY_INOUT: "inout",
    mt5.DEAL_ENTRY_OUT_BY: "out_by",
}
_REASON: Final = {int(r): r.name.removeprefix("DEAL_REASON_").lower() for r in mt5.DealReason}
_EXECUTED: Final = frozenset({State.FILLED, State.PARTIALLY_FILLED})
_VERB: Final[dict[str, Verb]] = {"canceled": "cancel", "modified": "modify"}


def order_type(kind: int) -> str:
    return "close_by" if kind == mt5.ORDER_TYPE_CLOSE_BY else mt5.order_type_name(kind)


def status(change: OrderChange, row: int, note: str = "") -> Status:
    """The status event of an order change; `note` is what was adapted on the way."""
    order = change.order
    message = f"{change.message}; {note}" if note and change.message else note or change.message
    return Status.made(
        id=order.client_id,
        verb=_VERB.get(change.why, "send"),
        state=change.state,
        retcode=change.retcode,
        message=message,
        reason=change.why,
        ticket=order.ticket,
        position=order.position_id,
        order_type=order_type(order.type),
        symbol=order.symbol,
        volume=order.volume_initial,
        filled=round(order.volume_initial - order.volume_current, 8),
        price=order.price_current if change.state in _EXECUTED else order.price_open,
        magic=order.magic,
        time=change.time,
        row=row,
    )


def execution(change: DealChange, row: int, quote: tuple[int, float, float] | None) -> Execution:
    """The execution event of a deal. `quote` is the market at that moment: time, bid, ask."""
    deal, order = change.deal, change.order
    _, bid, ask = quote or (0, 0.0, 0.0)
    return Execution.made(
        id=order.client_id,
        deal=deal.ticket,
        ticket=order.ticket,
        position=deal.position_id,
        symbol=deal.symbol,
        order_type=order_type(order.type),
        side="buy" if deal.type == mt5.DEAL_TYPE_BUY else "sell",
        entry=_ENTRY[deal.entry],
        reason=reason_name(deal),
        volume=deal.volume,
        price=deal.price,
        requested_price=order.price_open,
        profit=deal.profit,
        commission=deal.commission,
        swap=deal.swap,
        fee=deal.fee,
        cum_volume=round(order.volume_initial - order.volume_current, 8),
        remaining_volume=order.volume_current,
        bid=bid,
        ask=ask,
        magic=deal.magic,
        comment=deal.comment,
        time=change.time,
        row=row,
    )


def reason_name(deal: Deal) -> str:
    """`sl`, `tp`, `so`, `expert` ...: DEAL_REASON_* in small letters."""
    return _REASON[deal.reason]


def event(change: Change, row: int, quote: tuple[int, float, float] | None, note: str = "") -> Status | Execution:
    return status(change, row, note) if isinstance(change, OrderChange) else execution(change, row, quote)

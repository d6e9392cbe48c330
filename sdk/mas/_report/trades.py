"""From deals to trades. Pure.

A trade is what MT5's tester counts as one: a deal that closes a position or a part of it (MetaTrader 5 help, "Testing
Report": total trades). Its costs include the share of what opening that volume cost, so that trades, what is still
open, and money from outside add up to the balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mas_router.mt5_enums import DealEntry, DealReason, DealType

#: Money that trading did not make (MQL5 docs, ENUM_DEAL_TYPE). Charges and interest are results of trading.
FLOWS: Final = frozenset({DealType.BALANCE, DealType.CREDIT, DealType.CORRECTION, DealType.BONUS})
_SIDES: Final = {DealType.BUY: 1, DealType.SELL: -1}
_VOLUME_DIGITS: Final = 8
Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position, or a closed part of one. Times are UTC milliseconds, money is in the account's currency.

    `opened` and `price_open` (the average of all opening deals) are None when the history has no opening deal.
    `commission` and `fee` include the share of the opening deals.
    """

    position: int
    deal: int
    symbol: str
    side: Side
    volume: float
    opened: int | None
    price_open: float | None
    closed: int
    price_close: float
    profit: float
    commission: float
    swap: float
    fee: float
    reason: str
    magic: int
    comment: str

    @property
    def net(self) -> float:
        """Profit with all costs."""
        return self.profit + self.commission + self.swap + self.fee


@dataclass(frozen=True, slots=True)
class Step:
    """Money at a moment. `flow`: from outside. `credit`: equity that is no balance, or is not yet (a swap)."""

    time: int
    amount: float
    flow: bool = False
    credit: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """From this moment on a position has this many lots (below zero: short), opened at this average price."""

    time: int
    position: int
    symbol: str
    lots: float
    price: float


@dataclass(slots=True)
class History:
    """What the deals of an account tell, each list in the order of time."""

    trades: list[Trade] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    deals: int = 0


@dataclass(slots=True)
class _Open:
    """What is open of one position, and what opening it cost so far."""

    lots: float = 0.0
    price: float = 0.0
    since: int | None = None
    commission: float = 0.0
    fee: float = 0.0

    def add(self, time: int, lots: float, price: float, commission: float, fee: float) -> None:
        total = abs(self.lots) + abs(lots)
        self.price = (self.price * abs(self.lots) + price * abs(lots)) / total if total else price
        self.since = time if self.since is None else self.since
        self.lots = round(self.lots + lots, _VOLUME_DIGITS)
        self.commission, self.fee = self.commission + commission, self.fee + fee

    def take(self, volume: float) -> tuple[float, float]:
        """Close a volume: the share of the opening's commission and fee that goes with it."""
        held = abs(self.lots)
        part = 1.0 if volume >= held else volume / held
        commission, fee = self.commission * part, self.fee * part
        self.commission, self.fee = self.commission - commission, self.fee - fee
        self.lots = round(self.lots * (1.0 - part), _VOLUME_DIGITS)
        if not self.lots:
            self.since = None
        return commission, fee


Row = Mapping[str, Any]


def read(deals: Iterable[Row], swaps: Iterable[Row] = ()) -> History:
    """Deals as rows with MT5's TradeDeal fields, `time_msc` in UTC milliseconds -> what they tell.

    `swaps` were charged to positions when they were open; the deals that close them have them in the end.
    """
    history, positions = History(), dict[int, _Open]()
    history.steps += [Step(row["time_msc"], row["swap"], credit=True) for row in swaps]
    accrued = bool(history.steps)
    for deal in sorted(deals, key=lambda row: (row["time_msc"], row["ticket"])):
        amount = deal["profit"] + deal["commission"] + deal["swap"] + deal["fee"]
        kind = deal["type"]
        step = Step(deal["time_msc"], amount, kind in FLOWS, kind == DealType.CREDIT)
        history.steps.append(step)
        if accrued and deal["swap"]:  # it is in the equity already: now it comes to the balance
            history.steps.append(Step(deal["time_msc"], -deal["swap"], credit=True))
        if kind in _SIDES:
            history.deals += 1
            _trade(history, positions.setdefault(deal["position_id"], _Open()), deal)
    return history


def _trade(history: History, held: _Open, deal: Row) -> None:
    lots = _SIDES[deal["type"]] * deal["volume"]
    if deal["entry"] == DealEntry.IN:
        held.add(deal["time_msc"], lots, deal["price"], deal["commission"], deal["fee"])
    elif deal["entry"] == DealEntry.INOUT:
        _reverse(history, held, deal, lots)
    else:
        history.trades.append(_close(held, deal, deal["volume"], deal["commission"], deal["fee"]))
    history.holdings.append(
        Holding(deal["time_msc"], deal["position_id"], deal["symbol"], held.lots, held.price if held.lots else 0.0)
    )


def _reverse(history: History, held: _Open, deal: Row, lots: float) -> None:
    """Netting: one deal closes the position and opens the opposite one; its costs are shared by volume."""
    closing = abs(held.lots)
    part = closing / deal["volume"] if deal["volume"] else 1.0
    commission, fee = deal["commission"] * part, deal["fee"] * part
    history.trades.append(_close(held, deal, closing, commission, fee))
    rest = lots - (closing if lots > 0 else -closing)
    held.add(deal["time_msc"], rest, deal["price"], deal["commission"] - commission, deal["fee"] - fee)


def _close(held: _Open, deal: Row, volume: float, commission: float, fee: float) -> Trade:
    opened = held.since
    price = held.price if opened is not None else None
    opening_commission, opening_fee = held.take(volume)
    return Trade(
        position=deal["position_id"],
        deal=deal["ticket"],
        symbol=deal["symbol"],
        side="sell" if deal["type"] == DealType.BUY else "buy",
        volume=round(volume, _VOLUME_DIGITS),
        opened=opened,
        price_open=price,
        closed=deal["time_msc"],
        price_close=deal["price"],
        profit=deal["profit"],
        commission=commission + opening_commission,
        swap=deal["swap"],
        fee=fee + opening_fee,
        reason=_reason(deal["reason"]),
        magic=deal["magic"],
        comment=deal["comment"],
    )


def _reason(number: int) -> str:
    return DealReason(number).name.lower() if number in DealReason._value2member_map_ else str(number)

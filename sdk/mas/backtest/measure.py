"""What came out of a run, in figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mas_router.messages import Row

#: In the order in which they are shown; and whether more of it is better.
KPIS: Final[Mapping[str, bool]] = {
    "profit": True,
    "balance": True,
    "max_drawdown": False,
    "orders": True,
    "deals": True,
    "bars": True,
}
MONEY_DIGITS: Final = 8


def kpis(account: Mapping[str, Any], orders: int, deals: Sequence[Mapping[str, Any]], bars: int) -> Row:
    """The figures of a run. `deals` in the order in which they were made; those without an order are the deposit.

    `max_drawdown` is the deepest fall of the balance from a peak of it, in percent of that peak.
    """
    made = [deal for deal in deals if deal["order"]]
    capital = sum(float(deal["profit"]) for deal in deals if not deal["order"])
    balance = float(account["balance"])
    return {
        "profit": round(balance - capital, MONEY_DIGITS),
        "balance": balance,
        "max_drawdown": _drawdown(made, capital),
        "orders": orders,
        "deals": len(made),
        "bars": bars,
    }


def _drawdown(deals: Iterable[Mapping[str, Any]], capital: float) -> float:
    balance = peak = capital
    deepest = 0.0
    for deal in deals:
        balance += deal["profit"] + deal["commission"] + deal["swap"] + deal["fee"]
        peak = max(peak, balance)
        deepest = max(deepest, (peak - balance) / peak)
    return round(100 * deepest, 6)

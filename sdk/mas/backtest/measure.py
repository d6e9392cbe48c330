"""What came out of a run, in figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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


def kpis(account: Mapping[str, Any], orders: int, deals: Iterable[Mapping[str, Any]], bars: int) -> Row:
    """The figures of a run. `deals` in the order in which they were made; those without an order are no trades.

    `max_drawdown` is the deepest fall of the balance from a peak of it, in percent of that peak.
    """
    results = [deal["profit"] + deal["commission"] + deal["swap"] + deal["fee"] for deal in deals if deal["order"]]
    balance, profit = float(account["balance"]), round(math.fsum(results), MONEY_DIGITS)
    return {
        "profit": profit,
        "balance": balance,
        "max_drawdown": _drawdown(results, balance - profit),
        "orders": orders,
        "deals": len(results),
        "bars": bars,
    }


def _drawdown(results: Iterable[float], capital: float) -> float:
    balance = peak = capital
    deepest = 0.0
    for result in results:
        balance += result
        peak = max(peak, balance)
        deepest = max(deepest, (peak - balance) / peak)
    return round(100 * deepest, 6)

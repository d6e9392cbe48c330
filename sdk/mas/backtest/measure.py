"""What came out of a run, in figures. Pure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mas_router.messages import Row

if TYPE_CHECKING:
    from mas._report.kpis import Kpis

#: In the order in which they are shown; and whether more of it is better. Percentages are 0..100.
KPIS: Final[Mapping[str, bool]] = {
    "profit": True,
    "max_drawdown": False,
    "sharpe": True,
    "profit_factor": True,
    "win_rate": True,
    "trades": True,
    "balance": True,
    "equity": True,
    "total_return": True,
    "sortino": True,
    "orders": True,
    "deals": True,
    "bars": True,
}
#: What a figure is when nothing was lost. A message has no infinity; TesterStatistics of MQL5 gives DBL_MAX, too.
ENDLESS: Final = sys.float_info.max
#: Far below a cent, and above what sums of floats differ by.
DIGITS: Final = 6
_OF_REPORT: Final = (
    "profit",
    "max_drawdown",
    "sharpe",
    "profit_factor",
    "win_rate",
    "trades",
    "total_return",
    "sortino",
)


def figures(account: Mapping[str, Any], report: Kpis | None, orders: int, deals: int, bars: int) -> Row:
    """The figures of a run; `report` is None when there was no deal: then what would come of deals is None or 0."""
    of_report = {name: getattr(report, name) if report is not None else _IDLE.get(name) for name in _OF_REPORT}
    found = {
        **of_report,
        "balance": float(account["balance"]),
        "equity": float(account["equity"]),
        "orders": orders,
        "deals": deals,
        "bars": bars,
    }
    return {name: _plain(found[name]) for name in KPIS}


_IDLE: Final[Mapping[str, float | int]] = {
    "profit": 0.0,
    "max_drawdown": 0.0,
    "win_rate": 0.0,
    "trades": 0,
    "total_return": 0.0,
}


def _plain(value: float | int | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    if math.isinf(value):
        return math.copysign(ENDLESS, value)
    return round(value, DIGITS) + 0.0  # no negative zero

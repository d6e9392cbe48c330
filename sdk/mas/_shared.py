"""What the tables of several methods have in common. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from mas._fields import SECOND, as_datetime, flag, login, number, text
from mas_router import request
from mas_router.errors import InvalidField
from mas_router.messages import TradeRequest, Verb
from mas_router.mt5_enums import OrderTime

DAY: Final = 86_400 * SECOND

SYMBOL: Final = text(29)  # more does not pass the terminal (MetaTrader5 package, request parser)
Symbol = Annotated[str, SYMBOL]
Comment = Annotated[str, text(request.COMMENT_LIMIT, least=0)]
PRICE: Final = number(0, 1e12)
Price = Annotated[float, PRICE]
SomePrice = Annotated[float, number(1e-12, 1e12)]
Volume = Annotated[float, number(1e-8, 1e9)]
Group = Annotated[str, text(1024)]


@dataclass(slots=True, kw_only=True)
class Target:
    """Which account a call is for. Empty: the default one; `backtest` None: the mode that the client is in.

    Not frozen, as all that it is the base of: each call has its own, and a frozen order takes five times as long.
    """

    account: Annotated[str, login()] = ""
    server: Annotated[str, text(64)] = ""
    backtest: Annotated[bool | None, flag(), "backtest_toggle"] = None


@dataclass(slots=True, kw_only=True)
class OrderParams(Target):
    """A trade request to be sent. `note` belongs into the status message; `valid_for` is in seconds.

    `auto_filling`: the caller named no filling mode. `keep`: the fields that were not given and mean "as it is now",
    for `mas_router.request.completed`.
    """

    verb: Verb
    request: TradeRequest
    note: str = ""
    auto_filling: bool = False
    keep: tuple[str, ...] = ()
    client_order_id: str = ""
    valid_for: float | None = None


def check_expiration(order_time: OrderTime, expiration: int, now: int) -> None:
    """A dated order needs a date to come; SPECIFIED_DAY lasts to the end of its day."""
    if order_time not in request.DATED:
        return
    last = expiration if order_time is OrderTime.SPECIFIED else expiration // DAY * DAY + DAY
    if not expiration or last <= now:
        value = str(as_datetime(expiration)) if expiration else None
        raise InvalidField("expiration", value, f"a time after {as_datetime(now)} with ORDER_TIME_{order_time.name}")

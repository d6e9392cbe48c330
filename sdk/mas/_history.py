"""Bars of the past as a pandas DataFrame. pandas is an extra, and is imported when a DataFrame is asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mas import params
from mas._hub import Hub
from mas._trading import Desk
from mas.params import BarsParams
from mas_router.columns import RateColumns, unpack_rates
from mas_router.errors import CallerError, MasError, RemoteError
from mas_router.messages import Chunk, Rates

if TYPE_CHECKING:
    import pandas

log = logging.getLogger("mas")

TIMEOUT = 10.0
PAGE = 1000


class History:
    """The bars of one client's accounts."""

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub, self._desk = hub, desk

    def frame(self, raw: object) -> pandas.DataFrame:
        """The bars, the newest last. A failure is logged and gives no rows. Raises CallerError without pandas."""
        make = _pandas()
        try:
            self._hub.check_open()
            pages = self._pages(params.bars_from_pos(raw))
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            pages = []
        return _frame(make, pages)

    def _pages(self, given: BarsParams) -> list[RateColumns]:
        """Page by page into the past: each ends before the one that was read before it."""
        pages: list[RateColumns] = []
        account = self._desk.account(given, backtest=True if self._hub.is_embedded("live") else None)
        start, left, before = given.start_pos, given.count, 0
        while left:
            size = min(left, PAGE)
            command = Rates(
                id=self._hub.new_id(),
                client=self._hub.client,
                symbol=given.symbol,
                timeframe=given.timeframe.name,
                start=start,
                count=size,
                before=before,
                at=account.row,
            )
            page = _rates(account.call(command, TIMEOUT))
            pages.append(page)
            if len(page.time) < size:
                break
            start, left, before = 0, left - size, page.time[0]
        return pages[::-1]


def _rates(answer: object) -> RateColumns:
    if not isinstance(answer, Chunk) or len(answer.parts) != 1:
        raise RemoteError(f"unexpected answer: {getattr(answer, 'kind', '')}")
    return unpack_rates(answer.parts[0], answer.count)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        text = "get_bars_from_pos gives a pandas DataFrame: pip install 'mas-order-router[pandas]'"
        raise CallerError(text) from None
    return pandas


def _frame(pd: Any, pages: Sequence[RateColumns]) -> pandas.DataFrame:
    import numpy as np  # not with `import mas`: most strategies need no arrays

    def column(name: str, kind: str) -> Any:
        return np.array([value for page in pages for value in getattr(page, name)], dtype=kind)

    volume = column("volume", "i8")
    return pd.DataFrame(
        {
            "time": pd.DatetimeIndex(column("time", "M8[ns]"), tz="UTC"),
            **{name: column(name, "f8") for name in ("open", "high", "low", "close")},
            "tick_volume": volume,
            "spread": column("spread", "i8"),
            "real_volume": np.zeros_like(volume),
        }
    )

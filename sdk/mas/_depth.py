"""The depth of market of the symbols that a client follows."""

from __future__ import annotations

import logging
from typing import Any

from mas import params
from mas._account import Account
from mas._hub import Hub
from mas._records import ask_rows
from mas._trading import Desk
from mas_router.errors import CallerError, MasError
from mas_router.messages import Query, Row

log = logging.getLogger("mas")


class Depth:
    """The subscriptions of one client. A failure is logged and becomes False, or no levels."""

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub, self._desk = hub, desk
        self._followed: set[tuple[str, str]] = set()

    def subscribe(self, raw: object) -> bool:
        """Whether the symbol has a book; from now on it can be read."""
        try:
            account, symbol = self._target(raw)
            if not self._levels(account, symbol):
                raise CallerError(f"symbol {symbol} has no depth of market in {account.target}")
            self._followed.add((account.home, symbol))
            return True
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return False

    def read(self, raw: object) -> list[dict[str, Any]]:
        try:
            account, symbol = self._target(raw)
            if (account.home, symbol) not in self._followed:
                raise CallerError(f"the depth of {symbol} is not followed: call subscribe_market_book first")
            return [dict(row) for row in self._levels(account, symbol)]
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return []

    def unsubscribe(self, raw: object) -> bool:
        """Whether the symbol was followed."""
        try:
            account, symbol = self._target(raw)
            self._followed.remove((account.home, symbol))
            return True
        except KeyError:
            return False
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return False

    def _target(self, raw: object) -> tuple[Account, str]:
        self._hub.check_open()
        given = params.market_book(raw)
        return self._desk.account(given, backtest=True if self._hub.is_embedded("live") else None), given.symbol

    def _levels(self, account: Account, symbol: str) -> tuple[Row, ...]:
        query = Query(id=self._hub.new_id(), client=self._hub.client, what="book", symbol=symbol, at=account.row)
        return ask_rows(account, query).rows

"""Questions to an account: records, checks and calculations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from mas import params
from mas._account import Account
from mas._hub import Hub
from mas._shared import Target
from mas._trading import Desk
from mas._views import record
from mas.params import CalcParams, QueryParams
from mas_router.errors import MasError, RemoteError
from mas_router.messages import Answer, Calc, Check, Command, Query, Row

log = logging.getLogger("mas")

TIMEOUT = 10.0


class Records:
    """Reads of one client. A failure is logged and becomes the documented value: an empty list, {} or -1.0."""

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub, self._desk = hub, desk

    def rows(self, read: Callable[[object], QueryParams], raw: object) -> list[dict[str, Any]]:
        try:
            self._hub.check_open()
            return [record(row) for row in self._pages(read(raw))]
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return []

    def account(self, raw: object) -> dict[str, Any]:
        try:
            self._hub.check_open()
            return dict(next(self._pages(params.account_info(raw))))
        except MasError as error:
            return {"error": self._hub.say(str(error))}

    def check(self, raw: object) -> dict[str, Any]:
        try:
            self._hub.check_open()
            order = params.order_check(raw, self._desk.now())
            account = self._account(order)
            command = Check(id=self._hub.new_id(), client=self._hub.client, request=order.request, at=account.row)
            return dict(ask_rows(account, command).rows[0])
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return {}

    def calculate(self, read: Callable[[object], CalcParams], raw: object) -> float:
        try:
            self._hub.check_open()
            given = read(raw)
            account = self._account(given)
            value = ask_rows(account, self._calc(given, account)).rows[0]["value"]
            return float(value) if isinstance(value, int | float) else -1.0
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return -1.0

    def _calc(self, given: CalcParams, account: Account) -> Calc:
        return Calc(
            id=self._hub.new_id(),
            client=self._hub.client,
            type=0 if given.type == 0 else 1,
            symbol=given.symbol,
            volume=given.volume,
            price=given.price,
            close=given.close,
            at=account.row,
        )

    def _account(self, target: Target) -> Account:
        """Without a live account in sight, a calculation may just as well open the simulated one: it moves no money."""
        return self._desk.account(target, backtest=True if self._hub.is_embedded("live") else None)

    def _pages(self, given: QueryParams) -> Iterator[Row]:
        return self.of(self._account(given), given)

    def of(self, account: Account, given: QueryParams) -> Iterator[Row]:
        """Rows of this account, as the worker sends them, page by page. Raises MasError."""
        offset = 0
        while True:
            answer = ask_rows(account, self._query(given, account, offset))
            yield from answer.rows
            if not answer.next:
                return
            offset = answer.next

    def _query(self, given: QueryParams, account: Account, offset: int) -> Query:
        return Query(
            id=self._hub.new_id(),
            client=self._hub.client,
            what=given.what,
            symbol=given.symbol,
            group=given.group,
            ticket=given.ticket,
            position=given.position,
            since=given.since,
            until=given.until,
            offset=offset,
            at=account.row,
        )


def ask_rows(account: Account, command: Command) -> Answer:
    """Ask for rows and wait for them. Raises RemoteError, NotConnected."""
    answer = account.call(command, TIMEOUT)
    if not isinstance(answer, Answer):
        raise RemoteError(f"unexpected answer: {answer.kind}")
    return answer

"""Orders: send, cancel, modify. Turns the documented dictionaries into trade commands and waits for their answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from mas import mt5, params
from mas._account import NS, Account
from mas._answering import check_may_wait
from mas._book import Entry
from mas._hub import Hub
from mas._shared import OrderParams, Target
from mas.order_id import Known, OrderId
from mas_router.errors import CallerError, MasError
from mas_router.messages import TradeRequest
from mas_router.mt5 import order_type_name
from mas_router.orders import State

log = logging.getLogger("mas")

VALID_FOR = 5.0
REPLAY_PATIENCE = 60.0
_DONE = frozenset(
    {
        mt5.TRADE_RETCODE_PLACED,
        mt5.TRADE_RETCODE_DONE,
        mt5.TRADE_RETCODE_DONE_PARTIAL,
        mt5.TRADE_RETCODE_NO_CHANGES,  # what was asked for is the case
    }
)
_NOTHING = TradeRequest(action=0)
_IDS = ("order_id", "position", "position_id")


class Desk:
    """Sends trade requests for a client and knows which account each of them is for."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.current: tuple[str, str] = ("", "")  # server and login of the newest login

    def now(self) -> int:
        """The time against which an expiration is checked here; while a replay runs only its market knows."""
        for account in self._hub.accounts():
            if account.inline is not None:
                return 0
        return time.time_ns()

    # ---- accounts ------------------------------------------------------------------------------------------------

    def account(self, target: Target, *, backtest: bool | None = None, ticket: int = 0, raw: object = None) -> Account:
        """The account that a call is about. Raises CallerError when that is not clear.

        `raw` may carry an id that `send_order` returned: the order's own account counts, because tickets of two
        accounts may be the same number.
        """
        server, login = self.names(target)
        mode = target.backtest if target.backtest is not None else backtest
        if not target.account and not target.server:
            owner = self._named(raw)
            if owner is None and mode is None and ticket:
                owner = self._hub.owner_of(ticket)
            if owner is not None and mode in (None, owner.mode == "backtest"):
                return owner
        if mode is None:
            mode = self._mode(server, login)
        if not mode and not (server and login):
            raise CallerError(
                "no live account is selected: call login() first, or give account and server; nothing was sent"
            )
        return self._hub.backtest_account(server, login) if mode else self._hub.live_account(server, login)

    def _named(self, raw: object) -> Account | None:
        if isinstance(raw, dict):
            for name in _IDS:
                order_id = dict.get(raw, name)
                if isinstance(order_id, OrderId):
                    return self._hub.home_of(order_id)
        return None

    def names(self, target: Target) -> tuple[str, str]:
        server, login = self.current
        return target.server or server, target.account or login

    def _mode(self, server: str, login: str) -> bool:
        """Nobody said whether it is a backtest: the attached live account counts, then an open simulated one."""
        live = self._hub.live.get((server, login))
        if live is not None and live.attached:
            return False
        if (server, login) in self._hub.backtests:
            return True
        raise CallerError(
            "no account is attached: login() found no worker for it; give backtest_toggle=True for a simulated account"
        )

    # ---- orders --------------------------------------------------------------------------------------------------

    def send(self, raw: object) -> OrderId:
        """Send one order and wait for its answer, at most until its deadline and one second more."""
        entry, account = self._start(raw, waits=True)
        return self._finish(entry, account)

    def submit(self, raw: object) -> Future[OrderId]:
        """Send one order; the future gets what `send` would have returned. Never raises."""
        return self._start(raw)[0].future

    def send_many(self, raws: Sequence[object]) -> list[OrderId]:
        """Send a burst: all are on their way before the first answer is awaited."""
        if not isinstance(raws, list | tuple):
            raise CallerError(f"send_orders takes a list of dictionaries, not {type(raws).__name__}")
        started = [self._start(raw, waits=True) for raw in raws]
        return [self._finish(entry, account) for entry, account in started]

    def _start(self, raw: object, *, waits: bool = False) -> tuple[Entry, Account | None]:
        try:
            self._hub.check_open()
            if waits:
                check_may_wait()
            order = params.send_order(raw, self.now())
            account = self.account(order, raw=raw)
        except MasError as error:
            return self._local(_NOTHING, str(error)), None
        entry = self._entry(order)
        sent = account.trade(entry, self._valid_for(order, account))
        if sent is entry or (sent.request == entry.request and sent.verb == entry.verb):
            return sent, account
        text = f"client_order_id={entry.name!r} was used before, for another order; it was not sent"
        return self._local(order.request, text), None

    def _entry(self, order: OrderParams) -> Entry:
        kind = order_type_name(order.request.type) if order.verb == "send" else ""
        return Entry(
            Known(order.client_order_id or self._hub.new_id()),
            order.request,
            kind,
            verb=order.verb,
            note=self._hub.say(order.note) if order.note else "",
            auto_filling=order.auto_filling,
            keep=order.keep,
        )

    def _local(self, request: TradeRequest, text: str) -> Entry:
        known = Known(self._hub.new_id())
        known.state, known.message = State.DENIED, self._hub.say(text)
        entry = Entry(known, request, "")
        self._hub.tell_denied(entry)
        entry.resolve()
        return entry

    def _valid_for(self, order: OrderParams, account: Account) -> float:
        if order.valid_for is not None:
            return order.valid_for
        return REPLAY_PATIENCE if account.row >= 0 else VALID_FOR

    def _finish(self, entry: Entry, account: Account | None) -> OrderId:
        if account is not None:
            self._wait(entry, account)
        return entry.identify()

    def _wait(self, entry: Entry, account: Account) -> None:
        if entry.resolved:  # embedded, it is answered before it could be awaited
            self._hub.wake()
            return
        entry.awaited = True
        try:
            entry.future.result(max(0.0, (entry.due - time.time_ns()) / NS))
        except FutureTimeout:
            account.give_up(entry)
        finally:
            entry.awaited = False  # before the wake: a report that comes now lets its callbacks run by itself
            self._hub.wake()

    # ---- changes -------------------------------------------------------------------------------------------------

    def change(self, read: Callable[..., OrderParams], raw: object) -> bool:
        """Cancel or modify; True only when the trade server confirmed it. Never raises: why not is in the log."""
        try:
            self._hub.check_open()
            check_may_wait()
            return self._change(read(raw), raw)
        except MasError as error:
            log.warning("%s", self._hub.say(str(error)))
            return False

    def _change(self, order: OrderParams, raw: object) -> bool:
        ticket = order.request.order or order.request.position
        account = self.account(order, ticket=ticket, raw=raw)
        entry = self._entry(order)
        entry.subject = account.book.by_ticket(ticket)
        account.trade(entry, self._valid_for(order, account))
        self._wait(entry, account)
        return entry.answered and entry.known.retcode in _DONE

"""What stands behind one client: its transports, its accounts, its threads.

The client's methods turn dictionaries into messages; this file knows where they go and brings back what comes. It is
the listener of every line (transport's thread) and the teller of every account (whoever has news).
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from mas._account import Account, reply_pattern
from mas._accounts import BacktestAccount, LiveAccount
from mas._backend import Backend
from mas._book import Entry
from mas._dispatch import Call, Dispatcher, Inline
from mas._keeper import Keeper
from mas._lang import Language
from mas._line import Line
from mas._views import StatusView, execution_data
from mas.order_id import OrderId
from mas_router import topology
from mas_router.errors import CallerError, Closed, MasError
from mas_router.messages import Execution, Open, Pong, Refused, Report, Status

log = logging.getLogger("mas")

Mode = str
MakeOpen = Callable[[str, str], Open]
TICK = 0.1
PROBE_NS = 1_000_000_000


class Callbacks(Protocol):
    """The methods that a user overrides."""

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None: ...

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How a client connects. An empty URL: the simulator in this process. URLs hold passwords, so no repr has them."""

    live_url: str = field(default="", repr=False)
    backtest_url: str = field(default="", repr=False)
    client_id: str = ""
    whole_account: bool = False
    data: str = ""
    market: str = ""
    seed: int = 1
    timeout: float = 10.0


class Hub:
    """The inside of a client."""

    def __init__(self, owner: Callbacks, settings: Settings) -> None:
        self.settings = settings
        self.client = settings.client_id or f"c{secrets.token_hex(5)}"
        self.dispatcher = Dispatcher()
        self.live: dict[tuple[str, str], LiveAccount] = {}
        self.backtests: dict[tuple[str, str], BacktestAccount] = {}
        self.closed = False
        self._owner = owner
        self._sessions: dict[str, Account] = {}
        self._backends: dict[str, tuple[Backend, Line]] = {}
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, ...], threading.RLock] = {}
        self._keeper = Keeper(self._keep, TICK)
        self._prefix, self._numbers = secrets.token_hex(5), itertools.count(1)
        self._probed = 0
        self._here = threading.local()
        self.language = Language()
        self._pid = os.getpid()
        self._hears_status = _overrides(owner, "receive_order_status")
        self._hears_execution = _overrides(owner, "receive_order_execution")

    def new_id(self) -> str:
        """An id that no other client ever uses."""
        return f"{self._prefix}-{next(self._numbers)}"

    def _gate(self, *what: str) -> threading.RLock:
        """One thread at a time opens a thing; others that open other things do not wait for it."""
        with self._lock:
            return self._gates.setdefault(what, threading.RLock())

    # ---- connecting ----------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        if self.closed:
            raise Closed
        if os.getpid() != self._pid:
            raise CallerError("this client was made in another process: make a new one after a fork")

    def line(self, mode: Mode, timeout: float | None = None) -> Line:
        """The line to the workers of this mode, connected. Raises CallerError, NotConnected."""
        self.check_open()
        url = self.settings.live_url if mode == "live" else self.settings.backtest_url
        with self._gate("url", url):
            if url not in self._backends:
                self._connect(url, timeout or self.settings.timeout)
            return self._backends[url][1]

    def _connect(self, url: str, timeout: float) -> None:
        if url:
            from mas._connect import connect

            backend = connect(url, self.client, timeout)
        else:
            from mas._embedded import embedded

            backend = embedded(self.settings.data, self.settings.market)
        line = backend.line(self.client, self)
        self._backends[url] = backend, line  # before it starts: what waits in the reply queue comes at once
        try:
            if self.settings.client_id:
                self._require_unused(backend)
            line.start(timeout)
        except MasError:
            del self._backends[url]
            backend.close(1.0)
            raise
        backend.transport.watch(self._on_state)

    def _require_unused(self, backend: Backend) -> None:
        info = backend.transport.inspect(topology.reply_queue(self.client))
        if info is not None and info.consumers:
            raise CallerError(f"client_id={self.client!r} is in use by another client that is connected now")

    def is_embedded(self, mode: Mode) -> bool:
        return not (self.settings.live_url if mode == "live" else self.settings.backtest_url)

    def connect(self) -> bool:
        """Make the connections that are not there yet, and wait until all are up; False, with the reason in the log."""
        try:
            self.line("live")
            self.line("backtest")
        except MasError as error:
            log.warning("%s", error)
            return False
        deadline = time.monotonic() + self.settings.timeout
        return all(b.transport.wait_connected(deadline - time.monotonic()) for b, _ in self._backends.values())

    def is_connected(self) -> bool:
        """Every connection that was made is up."""
        return not self.closed and all(backend.transport.connected for backend, _ in self._backends.values())

    def _on_state(self, connected: bool, reason: str) -> None:
        if self.closed:
            return
        if not connected:
            log.warning("the connection to the message broker is lost: %s", reason)
            return
        for account in list(self.backtests.values()):
            account.reconnected()
        for live in list(self.live.values()):
            live.ask_again()

    # ---- accounts ------------------------------------------------------------------------------------------------

    def live_account(self, server: str, login: str, timeout: float | None = None) -> LiveAccount:
        """The live account; made (not attached) when it is not there yet."""
        with self._gate("live", server, login):
            account = self.live.get((server, login))
            if account is None:
                line = self.line("live", timeout)
                embedded = self.is_embedded("live")
                account = self.live[server, login] = LiveAccount(line, self, server, login, self.new_id, embedded)
                self._hear_all(line, account)
            self._keeper.start()
            return account

    def backtest_account(self, server: str, login: str, make: MakeOpen | None = None) -> BacktestAccount:
        """The simulated account of this login; opened when there is none, or when `make` asks for a fresh one."""
        account = self.backtests.get((server, login))
        if account is not None and make is None:
            return account
        with self._gate("backtest", server, login):
            account = self.backtests.get((server, login))
            if account is not None and make is None:
                return account
            line = self.line("backtest")
            fresh = BacktestAccount(line, self, server, login, self.new_id)
            self._sessions[fresh.session] = fresh
            self._hear_all(line, fresh)
            try:
                fresh.open(make or self._default_open(server, login), self.settings.timeout)
            except MasError:
                del self._sessions[fresh.session]
                raise
            if account is not None:
                account.close()
                self._sessions.pop(account.session, None)
            self.backtests[server, login] = fresh
            self._keeper.start()
            return fresh

    def forget_backtest(self, server: str, login: str) -> None:
        """A lost simulated account makes room for a new one."""
        account = self.backtests.get((server, login))
        if account is not None:
            account.wait_found_or_lost(self.settings.timeout)
            if account.lost:
                del self.backtests[server, login]

    def _default_open(self, server: str, login: str) -> MakeOpen:
        def make(command_id: str, session: str) -> Open:
            return Open(
                id=command_id, client=self.client, session=session, server=server, login=login, seed=self.settings.seed
            )

        return make

    def _hear_all(self, line: Line, account: Account) -> None:
        if self.settings.whole_account:
            line.also_hear(reply_pattern(account.mode, account.server, account.login), self.settings.timeout)

    def accounts(self) -> list[Account]:
        """Without the lock: the transport's thread asks, while another waits for its answers with the lock held."""
        return [*list(self.live.values()), *list(self._sessions.values())]

    def owner_of(self, ticket: int) -> Account | None:
        """The account in which a ticket was seen. Raises CallerError when there are several."""
        owners = [account for account in self.accounts() if account.book.by_ticket(ticket) is not None]
        if len(owners) > 1:
            raise CallerError(f"{len(owners)} accounts have a ticket {ticket}: pass the order's id, or its account")
        return owners[0] if owners else None

    def home_of(self, order_id: OrderId) -> Account | None:
        """The account of an order; None if it is not this client's. Raises CallerError when the account is gone."""
        home = order_id.home
        simulated = self._sessions.get(home)
        if simulated is not None:
            return simulated
        account = next((account for account in self.accounts() if account.home == home), None)
        if account is None and home and "/" not in home:
            raise CallerError(f"the simulated account of order {order_id} is closed")
        return account

    # ---- what workers say (transport's thread) -------------------------------------------------------------------

    def on_report(self, report: Report) -> None:
        account = self._account_of(report)
        if account is not None:
            account.on_report(report)

    def _account_of(self, report: Report) -> Account | None:
        if report.mode == "live":
            wanted = topology.slug(report.server), topology.slug(report.login)
            for (server, login), account in self.live.items():
                if (topology.slug(server), topology.slug(login)) == wanted:
                    return account
        known = self._sessions.get(report.session)
        listening = self.settings.whole_account or self.settings.client_id
        return known or (self._observe(report) if listening else None)

    def _observe(self, report: Report) -> Account:
        """An account of another client, of which this one asked to hear, or of this client before a restart."""
        line = next(line for _, line in self._backends.values())
        account = Account(line, self, report.server, report.login, self.new_id)
        account.mode, account.exchange = report.mode, topology.BACKTEST
        account.lost = f"this client only listens to {account.target}, and sends it nothing"
        self._sessions[report.session] = account
        return account

    def on_refused(self, refused: Refused) -> None:
        lost = self._sessions.get(refused.id)
        if refused.code == "session_closed" and lost is not None:
            lost.lose(f"{refused.message}; call login() to start a new one")
            return
        for account in self.accounts():
            account.on_refused(refused)

    def on_pong(self, pong: Pong) -> None:
        account = self._sessions.get(pong.session)
        if account is not None:
            account.set_clock(pong.time)

    def on_bounce(self, command_id: str, reason: str) -> None:
        for account in self.accounts():
            account.on_bounce(command_id, reason)

    # ---- the user's language -----------------------------------------------------------------------------------------

    def say(self, text: str) -> str:
        """A message in the language of the user."""
        return self.language.say(text)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """The errors that leave this block are in the language of the user."""
        try:
            yield
        except MasError as error:
            error.args = (self.say(str(error)),)
            raise

    # ---- what users hear -----------------------------------------------------------------------------------------

    def status(self, entry: Entry, status: Status, report: Report) -> list[Call]:
        public = (entry.subject or entry).identify()
        if not self._hears_status:
            return []
        view = StatusView(status, report, entry)
        return [lambda: self._owner.receive_order_status(public, view.data())]

    def execution(self, entry: Entry, execution: Execution, report: Report) -> list[Call]:
        public = entry.identify()
        if not self._hears_execution:
            return []
        name = entry.name
        return [lambda: self._owner.receive_order_execution(public, execution_data(execution, report, name))]

    def deliver(self, account: Account, calls: list[Call]) -> None:
        if calls:
            (self.dispatcher if account.inline is None else account.inline).put(calls)

    def wake(self) -> None:
        self.dispatcher.wake()

    def tell_denied(self, entry: Entry) -> None:
        """An order that was refused before it had an account: its one status. In a replay, where the replay is."""
        if self.closed:
            return
        inline = self.replaying
        now = time.time_ns() if inline is None else inline.now
        text = entry.known.message[:1024]
        status = Status(id=entry.name, state=entry.known.state, message=text, reason="denied", time=now)
        report = Report(session="local", mode="backtest", seq=0, request=entry.request)
        (self.dispatcher if inline is None else inline).put(self.status(entry, status, report))
        self.dispatcher.wake()

    @property
    def replaying(self) -> Inline | None:
        """The innermost replay that runs on this thread."""
        return getattr(self._here, "inline", None)

    @contextmanager
    def replay_here(self, inline: Inline) -> Iterator[None]:
        """What this thread tells without an account belongs to this replay."""
        before, self._here.inline = self.replaying, inline
        try:
            yield
        finally:
            self._here.inline = before

    # ---- time and end --------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        now = time.time_ns()
        for _, line in list(self._backends.values()):
            line.tick()
        for account in self.accounts():
            if account.book.in_flight:
                account.sweep(now)
        if now - self._probed > PROBE_NS:
            self._probed = now
            self._probe(now)

    def _probe(self, now: int) -> None:
        if not self.is_embedded("backtest"):
            for account in list(self.backtests.values()):
                account.probe(now)

    def close(self, timeout: float) -> None:
        """Wait for what is in flight, deliver the callbacks that are left, and leave. May be called twice."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        deadline = time.monotonic() + timeout
        self._wait_answers(deadline)
        self.dispatcher.drain(max(0.1, deadline - time.monotonic()))
        for account in self.backtests.values():
            account.close()
        self._keeper.stop()
        for backend, line in self._backends.values():
            if not self.settings.client_id:
                line.leave(min(2.0, max(0.5, deadline - time.monotonic())))
            backend.close(max(0.5, deadline - time.monotonic()))
            line.fail_calls(Closed())
        for left in self.accounts():
            left.leave()
        self.dispatcher.drain(0.5)
        self.dispatcher.close(0.5)

    def _wait_answers(self, deadline: float) -> None:
        for account in self.accounts():
            for entry in list(account.book.in_flight.values()):
                if not entry.resolved:
                    _wait(entry.future, deadline - time.monotonic())


def _wait(future: Any, timeout: float) -> None:
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    event.wait(max(0.0, timeout))


def _overrides(owner: object, name: str) -> bool:
    """Whether the user's class has this callback: without it nobody looks at the dictionaries."""
    return not getattr(getattr(type(owner), name), "__mas_default__", False) or name in vars(owner)

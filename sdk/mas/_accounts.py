"""The two kinds of account: simulated ones, and those of real brokers."""

from __future__ import annotations

import time
from collections.abc import Callable

from mas._account import NS, Account, Teller
from mas._book import Entry
from mas._line import Line
from mas_router import topology
from mas_router.errors import Busy, NotConnected, RemoteError, SessionLost, TopologyError
from mas_router.messages import Attach, Close, Command, Message, Open, Opened, Ping, Trade
from mas_router.transport import Outcome

#: How long a session's queue may be missing before its worker counts as gone, and how long after a reconnect.
MISSING_NS, SETTLING_NS = 3 * NS, 30 * NS
BUSY_PAUSE = 0.1


class BacktestAccount(Account):
    """A simulated account, held by a simulator worker under a session name that only this client knows."""

    mode = "backtest"
    exchange = topology.BACKTEST

    def __init__(self, line: Line, teller: Teller, server: str, login: str, new_id: Callable[[], str]) -> None:
        super().__init__(line, teller, server, login, new_id)
        self.session = new_id()
        self.worker = ""
        self.opened: Opened | None = None
        self.opening: Open | None = None
        self._missing_since = 0
        self._connected_since = time.time_ns()

    @property
    def target(self) -> str:
        return f"the simulated account {self.login or self.session}"

    @property
    def home(self) -> str:
        return self.session

    def key(self, command: Command) -> str:
        return f"{self.session}.{command.kind}"

    def open(self, make: Callable[[str, str], Open], timeout: float) -> Opened:
        """Have a worker open the session. Raises RemoteError (no worker, no data, bad settings), NotConnected."""
        deadline = time.monotonic() + timeout
        while True:
            self._need_worker()
            try:
                command, left = make(self._new_id(), self.session), deadline - time.monotonic()
                answer = self.line.call(self.exchange, "open", command, left, "a simulator")
                self.opening = command
            except Busy:
                if time.monotonic() > deadline - BUSY_PAUSE:
                    raise
                time.sleep(BUSY_PAUSE)  # another worker may have a free slot, or this one soon
                continue
            return self._take(answer)

    def _need_worker(self) -> None:
        if not self.line.has_simulator():
            address = self.line.transport.address
            raise RemoteError(
                f"no simulator worker with a free slot is connected to {address}; start one: mas sim-worker"
            )

    def _take(self, answer: Message) -> Opened:
        if not isinstance(answer, Opened):
            raise RemoteError(f"unexpected answer to open: {answer.kind}")
        self.set_clock(answer.time)
        self.worker, self.opened, self.horizon = answer.worker, answer, answer.horizon
        self._connected_since = time.time_ns()
        return answer

    def close(self) -> None:
        """Let the worker free the session. Needs no answer."""
        if self.opened is not None and not self.lost:
            command = Close(id=self._new_id(), client=self.line.client)
            self.line.send(self.exchange, self.key(command), command, None)

    # ---- is the worker still there? ------------------------------------------------------------------------------

    def reconnected(self) -> None:
        self._connected_since = time.time_ns()
        self._missing_since = 0
        self.horizon = min(self.horizon, self.row + 1)  # what a replay was told meanwhile may be lost
        self.ask_again()

    def why(self, outcome: Outcome) -> str:
        if outcome is not Outcome.NO_ROUTE:
            return super().why(outcome)
        return (
            f"the simulator worker {self.worker} that holds {self.target} cannot be reached; "
            "if it does not come back, call login() to start a new one"
        )

    def wait_found_or_lost(self, timeout: float) -> None:
        """Return when it is certain whether the worker is still there; at once, if nobody doubts it."""
        deadline = time.monotonic() + timeout
        while self._missing_since and not self.lost and time.monotonic() < deadline:
            time.sleep(0.05)

    def suspect(self) -> None:
        if not self._missing_since:
            self._missing_since = time.time_ns()

    def probe(self, now: int) -> None:
        """Look whether the session's queue exists; its worker's death takes the queue with it at once."""
        if self.opened is None or self.lost or not self.line.transport.connected:
            return
        settling = now - self._connected_since < SETTLING_NS and self._connected_since != 0
        limit = SETTLING_NS if settling and self._has_reconnected() else MISSING_NS
        if self._missing_since and now - self._missing_since > limit:
            self.lose(
                f"the simulator worker {self.worker} that held {self.target} is gone, and the account with it; "
                "call login() to start a new one"
            )
            return
        ping = Ping(id=self._new_id(), client=self.line.client)
        self.line.send(self.exchange, self.key(ping), ping, self._on_probe)

    def _has_reconnected(self) -> bool:
        return self.opened is not None and self._connected_since > self.opened.time + NS - self.offset

    def _on_probe(self, outcome: Outcome) -> None:
        if outcome is Outcome.NO_ROUTE:
            self.suspect()
        elif outcome is Outcome.CONFIRMED:
            self._missing_since = 0


class LiveAccount(Account):
    """An account at a broker, served by the worker of its terminal."""

    mode = "live"

    def __init__(
        self, line: Line, teller: Teller, server: str, login: str, new_id: Callable[[], str], embedded: bool
    ) -> None:
        super().__init__(line, teller, server, login, new_id)
        self.exchange = topology.live_exchange(server)
        self.attached = False
        self.absence = f"no MT5 worker serves {self.target} on {line.transport.address}"
        if embedded:
            self.absence = f"{self.target} is not connected, because neither MAS_URL nor MAS_LIVE_URL names a RabbitMQ"

    @property
    def target(self) -> str:
        return f"account {self.login} at {self.server}"

    def key(self, command: Command) -> str:
        orders = isinstance(command, Trade) and command.verb == "send" and not command.request.position
        return f"{topology.slug(self.login)}.{'order' if orders else 'control'}"

    def ttl_ms(self, entry: Entry) -> int | None:
        return max(1, (entry.due - time.time_ns()) // 1_000_000)

    def attach(self, timeout: float) -> bool:
        """Find the account's worker; False when none serves it, and `absence` says why.

        Raises LoginRefused (the worker does not want this client), NotConnected (no answer).
        """
        self.attached = False
        try:
            exists = self.line.transport.has_exchange(self.exchange, timeout)
        except TopologyError as error:
            self.absence = f"{self.target} cannot be reached on {self.line.transport.address}: {error}"
            return False
        return exists and self._ask_worker(timeout)

    def _ask_worker(self, timeout: float) -> bool:
        command = Attach(id=self._new_id(), client=self.line.client, server=self.server, login=self.login)
        try:
            answer = self.line.call(self.exchange, self.key(command), command, timeout, self.target)
        except SessionLost:
            return False
        if isinstance(answer, Opened):
            self.epoch, self.attached = answer.epoch, True
            self.set_clock(answer.time)
        return self.attached

    def _go(self, entry: Entry, now: int, valid_for: float) -> None:
        """As in Account; without an exchange for this broker nothing is published at all."""
        if self.attached or self._try_attach(valid_for):
            super()._go(entry, now, valid_for)
        else:
            self._deny(entry, "no_route", f"not sent: {self.absence}")

    def _try_attach(self, timeout: float) -> bool:
        try:
            return self.attach(timeout)
        except NotConnected:
            return False

"""One account of a client: where its commands go, its orders, and what becomes of them.

`BacktestAccount` is a simulated account that a simulator worker holds for this client; `LiveAccount` is served by the
worker of a terminal. Both send trade commands in the same way and keep the same promise: each order ends in one
truthful answer. An order without an answer at its deadline is UNKNOWN, and the worker is asked about it until it
tells.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mas._answering import check_may_wait
from mas._book import Book, Entry
from mas._dispatch import Call, Inline
from mas._line import Line
from mas.order_id import Known
from mas_router import topology
from mas_router.errors import SessionLost
from mas_router.messages import (
    Command,
    Event,
    Execution,
    Message,
    Refused,
    Report,
    Resolve,
    Status,
    Trade,
    TradeRequest,
)
from mas_router.orders import IN_FLIGHT, IllegalTransition, State
from mas_router.transport import Outcome

log = logging.getLogger("mas")

NS = 1_000_000_000
#: How long after its deadline an order may still be answered before it counts as unknown.
GRACE = 1 * NS
QUESTIONS = tuple(int(seconds * NS) for seconds in (0.2, 0.5, 1, 2, 5, 10, 30, 60))
BATCH = 100
CLOCKS = 8
#: Proof that a command was not sent, for a reason that may pass.
_PASSING = frozenset({Outcome.OFFLINE, Outcome.BLOCKED, Outcome.NO_ROUTE})


class Teller(Protocol):
    """Hands what happened to an order to the user's callbacks."""

    def status(self, entry: Entry, status: Status, report: Report) -> list[Call]: ...

    def execution(self, entry: Entry, execution: Execution, report: Report) -> list[Call]: ...

    def say(self, text: str) -> str:
        """A message in the language of the user."""

    def deliver(self, account: Account, calls: list[Call]) -> None:
        """Give callbacks their place in the order."""

    def wake(self) -> None:
        """Let the callbacks run, after the answer is where somebody waits for it."""


class Account:
    """What backtest and live accounts share."""

    mode: str
    exchange: str

    def __init__(self, line: Line, teller: Teller, server: str, login: str, new_id: Callable[[], str]) -> None:
        self.line, self.server, self.login = line, server, login
        self.book = Book()
        self.offset = 0  # the worker's clock minus ours, ns: never more than it truly is
        self._clocks: deque[int] = deque(maxlen=CLOCKS)
        self.epoch = 0
        self.row = -1
        self.horizon = 0
        self.lost = ""
        self.inline: Inline | None = None  # set while a replay runs: its callbacks belong to the caller's thread
        self._teller, self._new_id = teller, new_id
        self._lock = threading.RLock()
        self._seq = 0

    @property
    def target(self) -> str:
        """The account in words; here, one that this client only listens to."""
        return f"account {self.login or 'without a login'} of another client"

    @property
    def home(self) -> str:
        """What tells this account from every other of the client."""
        return f"{self.server}/{self.login}"

    def key(self, command: Command) -> str:
        """The routing key under which the account's worker takes a command."""
        raise NotImplementedError

    def set_clock(self, told: int) -> None:
        """The worker has told its time, a little ago: its clock is that far ahead of ours, or further.

        So a deadline on the worker's clock comes too early by what the answer took, never too late. The best of the
        last answers counts.
        """
        self._clocks.append(told - time.time_ns())
        self.offset = max(self._clocks)

    # ---- commands ------------------------------------------------------------------------------------------------

    def call(self, command: Command, timeout: float) -> Message:
        """Ask the worker and wait. Raises RemoteError, NotConnected."""
        check_may_wait()
        if self.lost:
            raise SessionLost(self.lost)
        return self.line.call(self.exchange, self.key(command), command, timeout, self.target)

    def trade(self, entry: Entry, valid_for: float) -> Entry:
        """Send a trade request; its future gets the id once there is an answer, or there will be none in time.

        Returns the entry, or the one that has this id already: then nothing is sent.
        """
        now = time.time_ns()
        entry.due = now + int(valid_for * NS) + GRACE
        entry.known.home = self.home
        with self._lock:
            known = self.book.find(entry.name)
            if known is not None:
                return known
            self.book.add(entry)
        self._go(entry, now, valid_for)
        return entry

    def _go(self, entry: Entry, now: int, valid_for: float) -> None:
        if self.lost:
            self._deny(entry, "session_lost", self.lost)
        else:
            self._publish(entry, self._command(entry, now, valid_for))

    def _command(self, entry: Entry, now: int, valid_for: float) -> Trade:
        return Trade.made(
            id=entry.name,
            client=self.line.client,
            verb=entry.verb,
            request=entry.request,
            deadline=0 if self.row >= 0 else max(0, now + self.offset + int(valid_for * NS)),
            epoch=self.epoch,
            at=self.row,
            auto_filling=entry.auto_filling,
            keep=entry.keep,
        )

    def _publish(self, entry: Entry, trade: Trade) -> None:
        self.line.send(self.exchange, self.key(trade), trade, partial(self._on_outcome, entry), self.ttl_ms(entry))

    def ttl_ms(self, entry: Entry) -> int | None:
        """The broker's time to live of a trade command; the worker checks the deadline in any case."""
        return None

    def find_request(self, name: str) -> Entry | None:
        with self._lock:
            return self.book.find(name)

    # ---- what became of them (on the transport's thread) ---------------------------------------------------------

    def _on_outcome(self, entry: Entry, outcome: Outcome) -> None:
        if outcome is Outcome.CONFIRMED:
            with self._lock:
                if entry.known.state is State.NEW:
                    self.book.set_state(entry, State.QUEUED, "")
        elif outcome is Outcome.LOST:
            self.doubt(entry, "connection_lost", self.line.describe(outcome, self.target), final=False)
        else:
            if outcome is Outcome.NO_ROUTE:
                self.suspect()
            if self.row >= 0 and outcome in _PASSING and not self.lost:
                entry.parked = True  # a replay's time stands still: it can wait for the connection
                return
            self._deny(entry, outcome.value, f"not sent: {self.why(outcome)}")

    def why(self, outcome: Outcome) -> str:
        """Why a command was not sent, in words."""
        return self.line.describe(outcome, self.target)

    def suspect(self) -> None:
        """A command found no queue: somebody should look whether the worker is still there."""

    def _deny(self, entry: Entry, reason: str, message: str) -> None:
        """Record that an order was refused on this side and never left."""
        self._conclude(entry, State.DENIED, reason, message, final=True)

    def doubt(self, entry: Entry, reason: str, message: str, *, final: bool) -> None:
        """Nobody knows whether the order reached the market. `final`: the caller has waited long enough."""
        text = f"order {entry.name} is in doubt: {message}"
        self._conclude(entry, State.UNKNOWN, reason, text, final=final)

    def _conclude(self, entry: Entry, state: State, reason: str, message: str, *, final: bool) -> None:
        message = self._teller.say(message)
        with self._lock:
            known = entry.known.state is state
            if not known and self.book.set_state(entry, state, message):
                status = self._local_status(entry, state, reason, message)
                self._teller.deliver(self, self._teller.status(entry, status, self._local_report(entry)))
            if state is State.DENIED:
                entry.answered = True
                self.book.settle(entry)
        if final:
            entry.resolve()
        self._teller.wake()

    def _local_status(self, entry: Entry, state: State, reason: str, message: str) -> Status:
        return Status(
            id=entry.name,
            verb=entry.verb,
            state=state,
            message=message[:1024],
            reason=reason,
            order_type=entry.order_type,
            time=self.inline.now if self.inline is not None else time.time_ns() + self.offset,
        )

    def _local_report(self, entry: Entry) -> Report:
        return Report(
            session="local",
            mode="live" if self.mode == "live" else "backtest",
            server=self.server[:64],
            login=self.login[:64],
            seq=0,
            request=entry.request,
        )

    def on_report(self, report: Report) -> None:
        """Take over what a worker reports; repeated deliveries of the same report change nothing."""
        with self._lock:
            if not self._is_new(report):
                return
            calls = [call for event in report.events for call in self._apply(event, report)]
            self._teller.deliver(self, calls)
            if not report.repeated and not report.more:
                self.horizon = report.horizon
            entry = self.book.find(report.id) if report.id and not report.more else None
            if entry is not None:
                self._answered(entry, report)
        if entry is not None:
            entry.resolve()
        if entry is None or not entry.awaited:  # else who waits goes on first, and lets the callbacks run
            self._teller.wake()

    def _is_new(self, report: Report) -> bool:
        if report.repeated or not report.events:
            return report.repeated or report.seq == self._seq  # an answer without news is no older than the news
        if report.seq <= self._seq:
            return False
        if report.seq > self._seq + 1 and self._seq:
            log.warning("%d reports of %s were lost on the way", report.seq - self._seq - 1, self.target)
        self._seq = report.seq
        return True

    def _answered(self, entry: Entry, report: Report) -> None:
        if report.result is not None:
            entry.known.retcode = report.result.retcode
            if entry.verb != "send":
                entry.known.message = self._teller.say(report.result.comment)
        entry.answered = True
        self.book.settle(entry)

    def _apply(self, event: Event, report: Report) -> list[Call]:
        """Take an event over; the callbacks that it is worth."""
        entry = self._entry_of(event, report)
        if self.inline is not None:
            self.inline.heard = event.time
        if isinstance(event, Execution):
            news = self.book.apply_execution(entry, event)
            return self._teller.execution(entry, event, report) if news else []
        said = self._teller.say(event.message)
        if said != event.message:
            event = event.model_copy(update={"message": said})
        try:
            news = self.book.apply_status(entry, event)
        except IllegalTransition as error:
            log.error("order %s of %s: %s", entry.name, self.target, error)
            return []
        return self._teller.status(entry, event, report) if news else []

    def _entry_of(self, event: Event, report: Report) -> Entry:
        """The order an event is about; one that this client did not send gets an entry when it first shows."""
        entry = self.book.find(event.id) if event.id else None
        ticket = event.ticket or event.position
        entry = entry or self.book.by_ticket(ticket)
        if entry is None:
            entry = foreign(event, report)
            entry.known.home = self.home
            self.book.adopt(entry, ticket)
        return entry

    def on_refused(self, refused: Refused) -> None:
        """The worker could not carry out a trade command at all: what it did is not known."""
        entry = self.find_request(refused.id)
        if entry is not None:
            self.doubt(entry, refused.code, refused.message, final=True)

    def on_bounce(self, command_id: str, reason: str) -> None:
        """A command came back from a queue. That is no proof that it was not executed before."""
        entry = self.find_request(command_id)
        if entry is not None and entry.known.state in IN_FLIGHT:
            self.doubt(entry, reason, f"it came back from the queue ({reason})", final=False)

    # ---- time ----------------------------------------------------------------------------------------------------

    def sweep(self, now: int) -> None:
        """Give up on orders that are overdue, and ask about those in doubt. Called every quarter of a second."""
        with self._lock:
            waiting = list(self.book.in_flight.values())
        for entry in waiting:
            if now > entry.due:
                self.give_up(entry)
            elif entry.parked and self.line.transport.connected:
                entry.parked = False
                self._publish(entry, self._command(entry, now, 0.0))
        doubtful = [e for e in waiting if e.known.state is State.UNKNOWN and now >= e.next_question]
        if doubtful and not self.lost and self.line.transport.connected:
            self._ask(doubtful[:BATCH], now)

    def give_up(self, entry: Entry) -> None:
        if entry.parked:
            self._deny(entry, "offline", f"not sent: there was no way to {self.target} in time")
        elif entry.known.state in IN_FLIGHT:
            self.doubt(entry, "no_answer", f"no answer from {self.target} in time", final=True)
        else:
            entry.resolve()

    def ask_again(self) -> None:
        """After a reconnect: what was in flight may be lost, and its answer, too."""
        with self._lock:
            waiting = [entry for entry in self.book.in_flight.values() if not entry.parked]
        now = time.time_ns()
        for start in range(0, len(waiting), BATCH):
            self._ask(waiting[start : start + BATCH], now)

    def _ask(self, entries: list[Entry], now: int) -> None:
        for entry in entries:
            entry.next_question = now + QUESTIONS[min(entry.asked, len(QUESTIONS) - 1)]
            entry.asked += 1
        command = Resolve(id=self._new_id(), client=self.line.client, ids=tuple(entry.name for entry in entries))
        self.line.send(self.exchange, self.key(command), command, None)

    def lose(self, reason: str) -> None:
        """The worker is gone for good. Whoever waits is told; later commands are refused with the same words."""
        with self._lock:
            if self.lost:
                return
            self.lost = reason
            waiting = list(self.book.in_flight.values())
        log.error("%s", reason)
        for entry in waiting:
            self.doubt(entry, "session_lost", reason, final=True)

    def leave(self) -> None:
        """The client closes. Whoever still waits is told that the answer did not come in time."""
        with self._lock:
            waiting = list(self.book.in_flight.values())
        for entry in waiting:
            if entry.parked:
                self._deny(entry, "closed", f"not sent: the client was closed before there was a way to {self.target}")
            else:
                self.doubt(entry, "closed", "the client was closed before the answer came", final=True)


def foreign(event: Event, report: Report) -> Entry:
    """An entry for an order that somebody else sent."""
    request = report.request or TradeRequest(action=0, symbol=event.symbol, magic=event.magic, volume=event.volume)
    entry = Entry(Known(event.id or f"ticket-{event.ticket or event.position}"), request, event.order_type)
    entry.known.ticket = event.ticket or event.position
    return entry


def reply_pattern(mode: str, server: str, login: str) -> str:
    """Every report about an account, whoever caused it."""
    return f"{mode}.{topology.slug(server)}.{topology.slug(login)}.*.report"

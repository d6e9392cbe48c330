"""The client's own orders: what was sent, and what is known of each. Pure; the client guards it with a lock.

`apply` turns one event from a worker into what the user is told. A state goes through the table of
`mas_router.orders`; an event that says nothing new (a repeated answer, a deal that is known) is dropped here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field

from mas._answering import answer
from mas.order_id import Known, OrderId
from mas_router.messages import Execution, Status, TradeRequest, Verb
from mas_router.orders import FINAL, IllegalTransition, State, advance

KEEP_FINISHED = 100_000
_MAKING = threading.Lock()


def _promise() -> Future[OrderId]:
    """A future that its reader cannot cancel: the order is on its way."""
    future: Future[OrderId] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class Entry:
    """One order of this client, or one command about an order (`subject`).

    `answered`: the trade server's word is there. `reconciled`: it was in doubt before. `due`: when this side gives up
    waiting. `parked`: not sent yet, for want of a connection. `awaited`: a thread waits for the answer.
    """

    known: Known
    request: TradeRequest
    order_type: str
    verb: Verb = "send"
    note: str = ""
    auto_filling: bool = False
    keep: tuple[str, ...] = ()
    due: int = 0
    deals: set[int] = field(default_factory=set)
    public: OrderId | None = None
    promise: Future[OrderId] | None = None
    resolved: bool = False
    asked: int = 0
    next_question: int = 0
    subject: Entry | None = None
    answered: bool = False
    reconciled: bool = False
    parked: bool = False
    awaited: bool = False

    @property
    def future(self) -> Future[OrderId]:
        """Made for those who wait: most orders of a replay are answered before anybody could."""
        with _MAKING:
            promise = self.promise = self.promise or _promise()
        if self.resolved:
            answer(promise, self.identify())
        return promise

    def resolve(self) -> None:
        """The id is final for those who wait. This looks for them after it has said so, and they look before."""
        self.resolved = True
        if self.promise is not None:
            answer(self.promise, self.identify())

    @property
    def name(self) -> str:
        return self.known.client_order_id

    def identify(self) -> OrderId:
        """The id that the user sees, made once: the ticket if there is one by now, else the text."""
        if self.public is None:
            known = self.known
            taken = known.ticket and known.state not in (State.REJECTED, State.DENIED, State.STALE)
            self.public = OrderId(str(known.ticket) if taken else _text(known), known)
        return self.public


def _text(known: Known) -> str:
    text = known.message or f"the order is {known.state}"
    return f"{text} (retcode {known.retcode})" if known.retcode else text


class Book:
    """The orders of one account (or session), by client order id and by ticket."""

    def __init__(self, keep: int = KEEP_FINISHED) -> None:
        self._keep = keep
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._tickets: dict[int, Entry] = {}
        self._finished = 0
        self.in_flight: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        self.in_flight[entry.name] = entry

    def adopt(self, entry: Entry, ticket: int) -> None:
        """Know an order that somebody else sent."""
        self._entries.setdefault(entry.name, entry)
        self._tickets[ticket] = entry

    def find(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def by_ticket(self, ticket: int) -> Entry | None:
        return self._tickets.get(ticket)

    def settle(self, entry: Entry) -> None:
        """The answer is there: nobody needs to ask for it any more."""
        self.in_flight.pop(entry.name, None)

    def _forget_some(self) -> None:
        """Forget the oldest orders that are over; one that lives is never forgotten."""
        while self._finished > self._keep:
            name, oldest = next(iter(self._entries.items()))
            if oldest.known.state in FINAL:
                del self._entries[name]
                self._tickets.pop(oldest.known.ticket, None)
                self._finished -= 1
            else:
                self._entries.move_to_end(name)

    def apply_status(self, entry: Entry, status: Status) -> bool:
        """Take a status of an order over; False when it tells nothing new. Raises IllegalTransition."""
        known = entry.known
        more = status.state is State.PARTIALLY_FILLED and status.filled > known.filled
        if status.verb == "send" and status.state is known.state and not more:
            return False
        if status.verb == "send" or status.state is State.CANCELED:  # a change of levels is no transition
            self._move(entry, status.state)
        if status.ticket:
            known.ticket = status.ticket
            self._tickets[status.ticket] = entry
        known.position = status.position or known.position
        known.retcode, known.message = status.retcode, status.message
        known.filled = max(known.filled, status.filled)
        return True

    def _move(self, entry: Entry, state: State) -> None:
        was = entry.known.state
        entry.known.state = advance(was, state)
        if state in FINAL and was not in FINAL and entry.name in self._entries:
            self._finished += 1
            self._forget_some()
        entry.reconciled = entry.reconciled or (was is State.UNKNOWN and state is not was)

    def apply_execution(self, entry: Entry, execution: Execution) -> bool:
        """Take a deal over; False when it is known already."""
        if execution.deal in entry.deals:
            return False
        entry.deals.add(execution.deal)
        known = entry.known
        if execution.entry == "in":
            known.position = execution.position
        return True

    def set_state(self, entry: Entry, state: State, message: str) -> bool:
        """A state that this side concludes (QUEUED, UNKNOWN, DENIED); False if the table does not allow it now."""
        try:
            self._move(entry, state)
        except IllegalTransition:
            return False
        entry.known.message = message or entry.known.message
        return True

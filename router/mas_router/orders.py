"""The life of an order: its states, and the one table of transitions between them.

Pure. Whatever changes an order's state goes through `advance`; a transition that is not in the table is an error and
changes nothing. The diagram in `docs/reference/order-states.md` is generated from this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from mas_router.errors import MasError


class State(StrEnum):
    """Where an order is now."""

    NEW = "NEW"
    DENIED = "DENIED"
    QUEUED = "QUEUED"
    STALE = "STALE"
    RECEIVED = "RECEIVED"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    TRIGGERED = "TRIGGERED"
    PENDING_MODIFY = "PENDING_MODIFY"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


S = State
#: Not in the market and never will be by itself.
FINAL: Final = frozenset({S.DENIED, S.STALE, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED})
#: In the market, or resting at the trade server.
OPEN: Final = frozenset({S.ACCEPTED, S.TRIGGERED, S.PENDING_MODIFY, S.PENDING_CANCEL, S.PARTIALLY_FILLED})
#: Proven never to have reached the market.
NEVER_SENT: Final = frozenset({S.DENIED, S.STALE})
#: On its way; the outcome is not known yet.
IN_FLIGHT: Final = frozenset({S.NEW, S.QUEUED, S.RECEIVED, S.SUBMITTED})

_EXECUTED = {S.PARTIALLY_FILLED, S.FILLED}
_VENUE = {S.ACCEPTED, S.TRIGGERED, S.CANCELED, S.EXPIRED, S.REJECTED} | _EXECUTED
_REFUSED = {S.DENIED, S.STALE, S.REJECTED}

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    state: frozenset(following)
    for state, following in {
        # A publisher sees the answer of a worker before the broker's confirm when the confirm is slow: NEW may
        # jump anywhere a worker can take it. Orders made by hand in the terminal appear in any venue state.
        S.NEW: {S.QUEUED, S.RECEIVED, S.SUBMITTED, S.UNKNOWN} | _REFUSED | _VENUE,
        S.QUEUED: {S.RECEIVED, S.SUBMITTED, S.UNKNOWN} | _REFUSED | _VENUE,
        S.RECEIVED: {S.SUBMITTED, S.UNKNOWN} | _REFUSED | _VENUE,
        S.SUBMITTED: {S.UNKNOWN} | _VENUE,
        # Left only on evidence: the worker's word, or what the terminal's history shows.
        S.UNKNOWN: {S.DENIED, S.STALE} | _VENUE,
        S.ACCEPTED: {S.PENDING_MODIFY, S.PENDING_CANCEL} | _VENUE - {S.ACCEPTED},
        S.TRIGGERED: {S.PENDING_MODIFY, S.PENDING_CANCEL} | _VENUE - {S.ACCEPTED, S.TRIGGERED},
        # A modification or a cancellation that fails leaves the order where it was; fills do not wait for it.
        S.PENDING_MODIFY: {S.PENDING_CANCEL} | _VENUE,
        S.PENDING_CANCEL: {S.PENDING_MODIFY} | _VENUE,
        # The rest of a partially filled order may still be changed, cancelled or expire.
        S.PARTIALLY_FILLED: {
            S.PARTIALLY_FILLED,
            S.FILLED,
            S.CANCELED,
            S.EXPIRED,
            S.PENDING_MODIFY,
            S.PENDING_CANCEL,
        },
        # Real world: the deal of a fill may become visible after the cancellation that it beat.
        S.CANCELED: _EXECUTED,
        S.EXPIRED: _EXECUTED,
        S.DENIED: set(),
        S.STALE: set(),
        S.FILLED: set(),
        S.REJECTED: set(),
    }.items()
}


class IllegalTransition(MasError):
    """An order cannot go from its state to the one that was reported."""

    def __init__(self, now: State, reported: State) -> None:
        self.now, self.reported = now, reported
        super().__init__(f"an order that is {now} cannot become {reported}")


def advance(now: State, reported: State) -> State:
    """The state after a report. A repeated report of the same state is not a transition; an illegal one raises."""
    if reported is not now and reported not in TRANSITIONS[now]:
        raise IllegalTransition(now, reported)
    return reported


def is_late(now: State, reported: State) -> bool:
    """A fill that becomes known after its order was reported cancelled or expired."""
    return now in {S.CANCELED, S.EXPIRED} and reported in _EXECUTED


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> NEW"]
    for state, following in TRANSITIONS.items():
        lines += [f"    {state} --> {target}" for target in State if target in following]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)

"""The load that every path gets: the same order and answer, one after the other or with a window of unanswered ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Protocol, TypeVar

T = TypeVar("T")
Fields = dict[str, object]

#: Seconds that any single answer may take before the run is given up.
DEADLINE = 20.0


class Client(Protocol):
    """The client side of one path. It is connected, and its worker has answered once, when the constructor returns."""

    def sequential(self, seconds: float) -> list[float]:
        """Call after call for `seconds`; how long each one took, in seconds."""

    def pipelined(self, seconds: float, window: int) -> float:
        """Calls per second with `window` unanswered ones."""

    def close(self) -> None: ...


def order(number: int) -> Fields:
    """A market order with the fields that the product sends: about 210 bytes of msgpack."""
    return {
        "kind": "trade",
        "id": f"c1-{number:012d}",
        "client": "c1",
        "verb": "send",
        "request": {
            "action": 1,
            "magic": 7,
            "symbol": "EURUSD",
            "volume": 0.1,
            "price": 0.0,
            "sl": 0.0,
            "tp": 0.0,
            "deviation": 10,
            "type": 0,
            "type_filling": 0,
            "comment": "bench",
        },
        "deadline": 1_700_000_000_000_000_000 + number,
        "at": -1,
    }


def answer(command: Fields) -> Fields:
    """The answer to an order: result and fill, about 300 bytes of msgpack."""
    fill = {
        "kind": "execution",
        "deal": 1001,
        "ticket": 1001,
        "position": 1001,
        "symbol": "EURUSD",
        "order_type": "buy",
        "side": "buy",
        "entry": "in",
        "reason": "client",
        "volume": 0.1,
        "price": 1.08512,
        "commission": 0.0,
        "bid": 1.0851,
        "ask": 1.08512,
        "time": 1_700_000_000_000_000_000,
    }
    result = {"retcode": 10009, "deal": 1001, "order": 1001, "volume": 0.1, "price": 1.08512}
    return {"kind": "report", "id": command["id"], "result": result, "events": [fill], "seq": 1}


def sequential(call: Callable[[], object], seconds: float) -> list[float]:
    """Call after call for `seconds`; how long each one took, in seconds."""
    took: list[float] = []
    start = now = perf_counter()
    while now - start < seconds:
        call()
        before, now = now, perf_counter()
        took.append(now - before)
    return took


def pipelined(submit: Callable[[], T], wait: Callable[[T], object], seconds: float, window: int) -> float:
    """Calls per second with `window` unanswered ones: `seconds` of submitting, and the time until all are answered."""
    unanswered: deque[T] = deque()
    count = 0
    start = perf_counter()
    while perf_counter() - start < seconds or count < window:
        if len(unanswered) >= window:
            wait(unanswered.popleft())
        unanswered.append(submit())
        count += 1
    while unanswered:
        wait(unanswered.popleft())
    return count / (perf_counter() - start)

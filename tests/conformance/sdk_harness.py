"""What the SDK's conformance tests share: clients that write down every callback, and the places where they trade."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import mas

C = TypeVar("C", bound="Recorder")
Data = dict[str, Any]
#: Of this seed's EURUSD, bid and ask fall by 9 points between the second and the sixth second of an account.
FALLING = 269
POINT = 0.00001
BUY: Data = {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
MONDAY = datetime(2024, 1, 8, tzinfo=UTC)
REPLAY: Data = {
    "symbol": "EURUSD",
    "timeframe": "M1",
    "from": MONDAY,
    "to": MONDAY + timedelta(hours=2),
    "backtest_toggle": True,
    "source": "synthetic",
    "seed": 5,
}


@dataclass(frozen=True)
class Call:
    """One callback: `kind` is status, execution, bar or tick; `id` is an order's, or the symbol."""

    kind: str
    id: str
    data: Data
    is_end: bool = False
    thread: int = field(default_factory=threading.get_ident)

    @property
    def state(self) -> str:
        return str(self.data.get("state", self.kind))


class Recorder(mas.Client):
    """A strategy that only listens."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.calls: list[Call] = []

    def receive_order_status(self, order_id: str, status_data: Data) -> None:
        self.calls.append(Call("status", order_id, status_data))

    def receive_order_execution(self, order_id: str, execution_data: Data) -> None:
        self.calls.append(Call("execution", order_id, execution_data))

    def of(self, order_id: str) -> list[Call]:
        return [call for call in self.calls if call.id is order_id]

    def states(self, order_id: str) -> list[str]:
        """The states of an order in the order of its callbacks; `execution` stands for a deal."""
        return [call.state for call in self.of(order_id)]

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        eventually(condition, f"{what}; there were {[(c.kind, str(c.id), c.state) for c in self.calls]}", seconds)

    def wait_for(self, order_id: str, *states: str) -> list[Call]:
        """The callbacks of an order, once they are these."""
        self.wait(lambda: len(self.states(order_id)) >= len(states), f"{states} of {order_id}")
        assert self.states(order_id) == list(states)
        return self.of(order_id)

    def quote(self, symbol: str = "EURUSD") -> tuple[float, float]:
        """Bid and ask."""
        (row,) = self.get_symbols({"symbol": symbol, "backtest_toggle": True})
        return row["bid"], row["ask"]


class World:
    """A place to trade: `url` is empty for the simulator in this process."""

    def __init__(self, url: str, data: Path) -> None:
        self.url, self.data = url, data

    @property
    def embedded(self) -> bool:
        return not self.url

    def make(self, kind: type[C], **settings: Any) -> C:
        return kind(self.url, data=self.data, **settings)

    @contextmanager
    def client(self, kind: type[C] = Recorder, **settings: Any) -> Iterator[C]:  # type: ignore[assignment]
        with self.make(kind, **settings) as client:
            yield client


def order(**changes: Any) -> Data:
    return {**BUY, **changes}


def price(value: float) -> float:
    return round(value, 5)


def eventually(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Poll until it holds; an AssertionError names what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)

"""What outlives a connection: declarations and subscriptions, in the order they were made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from mas_router.topology import Binding, Declaration, Exchange, Queue


class OfQueue(Protocol):
    """A subscription, as far as the memory looks at it."""

    @property
    def queue(self) -> str: ...


S = TypeVar("S", bound=OfQueue)


class Memory(Generic[S]):
    """Declarations by identity, so that declaring twice keeps one; and the subscriptions."""

    def __init__(self) -> None:
        self._declarations: dict[tuple[object, ...], Declaration] = {}
        self.subscriptions: list[S] = []

    @property
    def declarations(self) -> list[Declaration]:
        return list(self._declarations.values())

    def remember(self, items: Iterable[Declaration]) -> None:
        for item in items:
            self._declarations[_identity(item)] = item

    def forget(self, items: Iterable[Declaration]) -> None:
        """Bindings go alone, queues take their bindings and subscriptions with them, exchanges stay."""
        for item in items:
            if isinstance(item, Exchange):
                continue
            self._declarations.pop(_identity(item), None)
            if isinstance(item, Queue):
                for binding in [each for each in self.of_queue(item.name) if isinstance(each, Binding)]:
                    del self._declarations[_identity(binding)]
                self.subscriptions = [each for each in self.subscriptions if each.queue != item.name]

    def of_queue(self, name: str) -> list[Declaration]:
        """The declaration of a queue and its bindings, as far as they were made here."""
        return [item for item in self._declarations.values() if _queue_of(item) == name]


def _queue_of(item: Declaration) -> str | None:
    if isinstance(item, Exchange):
        return None
    return item.queue if isinstance(item, Binding) else item.name


def _identity(item: Declaration) -> tuple[object, ...]:
    if isinstance(item, Binding):
        return (item.exchange, item.queue, item.key, tuple(sorted(item.arguments.items())))
    return (type(item).__name__, item.name)


class Backoff:
    """Delays that double from `first` to `most` seconds, each drawn from zero up to that (full jitter).

    Many clients that lose one broker so come back spread out. `random` returns a float in [0, 1).
    """

    def __init__(self, random: Callable[[], float], first: float = 0.2, most: float = 10.0) -> None:
        self._random, self._first, self._most = random, first, most
        self._ceiling = first

    def next(self) -> float:
        ceiling, self._ceiling = self._ceiling, min(self._most, self._ceiling * 2)
        return ceiling * self._random()

    def reset(self) -> None:
        self._ceiling = self._first

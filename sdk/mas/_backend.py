"""Where a client's commands go: the two composition roots return one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mas._line import Line, Listener
from mas_router.transport import Transport


@dataclass(frozen=True, slots=True)
class Backend:
    """A transport, and what makes a client's line on it."""

    transport: Transport
    line: Callable[[str, Listener], Line]
    close: Callable[[float], None]

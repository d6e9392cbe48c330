"""Where a client's commands go: the two composition roots return one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mas_router.transport import Transport


@dataclass(frozen=True, slots=True)
class Backend:
    """A transport and what belongs to it. `tick` lets the markets of an embedded simulator run up to now."""

    transport: Transport
    embedded: bool
    tick: Callable[[], None]
    close: Callable[[float], None]

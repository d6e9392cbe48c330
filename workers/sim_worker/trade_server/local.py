"""The trade server that terminals of this process reach without a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sim_worker.trade_server.server import TradeServer

#: The account of a trade server that nobody has set up.
LOGIN, PASSWORD = 1001, "simulated"

_lock = threading.Lock()
_server: TradeServer | None = None


def server() -> TradeServer:
    """The installed one; else one of the default personality with the account 1001, made at the first use."""
    global _server
    with _lock:
        if _server is None:
            _server = TradeServer()
            _server.add_account(LOGIN, PASSWORD)
        return _server


@contextmanager
def installed(mine: TradeServer) -> Iterator[TradeServer]:
    """Have `initialize()` without a path, or with `sim:`, reach this trade server."""
    global _server
    with _lock:
        before, _server = _server, mine
    try:
        yield mine
    finally:
        with _lock:
            _server = before

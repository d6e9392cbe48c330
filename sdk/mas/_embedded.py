"""Composition root: the simulator in this process, behind a direct line.

The only file of the SDK that imports a worker.
"""

from __future__ import annotations

import time
from pathlib import Path

from mas._backend import Backend
from mas._direct import DirectLine
from mas._line import Listener
from mas_router.memory import MemoryBroker
from sim_worker.opening import Sources, default_data, default_market
from sim_worker.symbols import read_server
from sim_worker.worker import SimWorker

#: Nothing is sent, so only what fits into the processor's cache is a limit.
CHUNK_ROWS = 8_192


class _Doors:
    """Sessions of a worker that is called directly need no queues."""

    def open(self, session: str) -> None: ...

    def shut(self, session: str) -> None: ...

    def accept(self, accepting: bool) -> None:
        """One client uses this worker: there is always a slot."""


def embedded(data: str, market: str) -> Backend:
    """A simulator of its own for one client. Empty paths: the defaults of the simulator workers.

    `data` is the catalog's directory, `market` a market file. Raises CallerError (the market file).
    """
    transport = MemoryBroker().connect("client")
    sources = Sources(Path(data) if data else default_data(), read_server(Path(market) if market else default_market()))
    worker = SimWorker("embedded", _Doors(), sources, time.time_ns, slots=1000, chunk=CHUNK_ROWS)

    def line(client: str, listener: Listener) -> DirectLine:
        return DirectLine(transport, client, listener, worker)

    return Backend(transport, line, transport.close)

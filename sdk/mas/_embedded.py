"""Composition root: the simulator in this process, behind the memory transport. The same bytes travel.

The only file of the SDK that imports a worker.
"""

from __future__ import annotations

import time
from pathlib import Path

from mas._backend import Backend
from mas_router import topology
from mas_router.memory import MemoryBroker
from mas_router.service import Pipeline
from mas_router.transport import Consumer, Delivery, Transport
from sim_worker.opening import Sources, default_data, default_market
from sim_worker.symbols import read_server
from sim_worker.worker import SimWorker

PREFETCH = 2_000


class _Doors:
    """Session queues of a worker that handles a command in the thread that sends it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._consumers: dict[str, Consumer] = {}
        self.pipeline: Pipeline

    def receive(self, delivery: Delivery) -> None:
        self.pipeline.process(delivery)

    def open(self, session: str) -> None:
        self._transport.declare(topology.session(session))
        self._consumers[session] = self._transport.consume(
            topology.session_queue(session), self.receive, prefetch=PREFETCH
        )

    def shut(self, session: str) -> None:
        consumer = self._consumers.pop(session, None)
        if consumer is not None:
            consumer.cancel()
            self._transport.forget(topology.session(session)[:1])

    def accept(self, accepting: bool) -> None:
        """One client uses this worker: there is always a slot."""


def embedded(data: str, market: str) -> Backend:
    """A simulator of its own for one client. Empty paths: the defaults of the simulator workers.

    `data` is the catalog's directory, `market` a market file. Raises CallerError (the market file).
    """
    broker = MemoryBroker()
    transport = broker.connect("simulator")
    doors = _Doors(transport)
    sources = Sources(Path(data) if data else default_data(), read_server(Path(market) if market else default_market()))
    worker = SimWorker("embedded", doors, sources, time.time_ns, slots=1000)
    doors.pipeline = Pipeline(transport, worker)
    transport.declare(topology.backtest())
    transport.consume(topology.OPEN_QUEUE, doors.receive, prefetch=PREFETCH)
    client = broker.connect("client")

    def tick() -> None:
        doors.pipeline.run(worker.tick)

    def close(timeout: float) -> None:
        client.close(timeout)
        transport.close(timeout)

    return Backend(client, True, tick, close)

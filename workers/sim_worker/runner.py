"""A simulator worker as a process: transport, service, session queues, heartbeat, and a clean end on SIGTERM."""

from __future__ import annotations

import gc
import logging
import platform
import secrets
import signal
import threading
import time
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

from mas_router import topology
from mas_router.errors import MasError
from mas_router.runs import Place
from mas_router.service import Service
from mas_router.transport import Consumer, Transport
from sim_worker.opening import Sources
from sim_worker.runs import RunHost
from sim_worker.worker import SimWorker

log = logging.getLogger("mas.sim_worker")

SESSION_PREFETCH = 2000
BEAT_SECONDS = 1.0
POLL_SECONDS = 0.02
SIGNAL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """`slots`: sessions at once; `drain`: seconds that a shutdown may take. With a `place`, whole backtests happen
    there, `runs` at once.
    """

    sources: Sources
    name: str = ""
    slots: int = 32
    drain: float = 10.0
    place: Place | None = None
    runs: int = 1


class _Doors:
    """Session queues on a message broker; the open queue is consumed only while there is a free slot."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._consumers: dict[str, Consumer] = {}
        self._opening: Consumer | None = None
        self.service: Service

    def open(self, session: str) -> None:
        self._transport.declare(topology.session(session))
        queue = topology.session_queue(session)
        self._consumers[session] = self._transport.consume(queue, self.service.receive, prefetch=SESSION_PREFETCH)

    def shut(self, session: str) -> None:
        consumer = self._consumers.pop(session, None)
        if consumer is not None:
            consumer.cancel()
            queue = topology.session(session)[0]
            self._transport.forget([queue])

    def empty(self, deadline: float) -> None:
        """Take in every command that is queued; later ones find no queue, which their senders are told at once."""
        held = dict(self._consumers)
        for session in held:
            self._transport.forget(topology.session(session)[1:], _left(deadline))
        for session, consumer in held.items():
            while (info := self._transport.inspect(topology.session_queue(session), _left(deadline))) and info.messages:
                if time.monotonic() > deadline:
                    return
                time.sleep(POLL_SECONDS)
            consumer.cancel(_left(deadline))

    def accept(self, accepting: bool) -> None:
        if accepting and self._opening is None:
            self._opening = self._transport.consume(topology.OPEN_QUEUE, self.service.receive, prefetch=1)
        elif not accepting:
            opening, self._opening = self._opening, None
            if opening is not None:
                opening.cancel()


class Runner:
    """Runs until `stop` is set."""

    def __init__(self, transport: Transport, settings: RunnerSettings) -> None:
        self.name = settings.name or f"sim-{platform.node()[:24]}-{secrets.token_hex(3)}"
        self._transport, self._settings = transport, settings
        self._doors = _Doors(transport)
        self.worker = SimWorker(self.name, self._doors, settings.sources, time.time_ns, slots=settings.slots)
        self.service = Service(transport, self.worker, tick=self._tick)
        self._doors.service = self.service
        self._runs = self._run_host()
        self._beaten = 0.0
        self.stop = threading.Event()

    def _run_host(self) -> RunHost | None:
        if self._settings.place is None:
            return None
        place = replace(self._settings.place, worker=self.name)
        return RunHost(self._transport, self.service.pipeline.outbox, place, self._settings.runs)

    def run(self) -> None:
        """Serve until told to stop, then drain. Raises TopologyError, NotConnected before it serves."""
        self._transport.declare(topology.backtest())
        self.service.start()
        self._doors.accept(True)
        if self._runs is not None:
            self._runs.start()
        _spare_the_collector()
        log.info("simulator worker %s serves %s", self.name, self._transport.address)
        while not self.stop.wait(SIGNAL_SECONDS):
            pass  # Python runs a signal's handler in the main thread, and the kernel may wake another one for it
        self._drain()

    def _drain(self) -> None:
        """Finish what is held, tell the clients of open sessions, and wait until RabbitMQ has confirmed it."""
        log.info("simulator worker %s drains", self.name)
        deadline = time.monotonic() + self._settings.drain
        self.worker.draining = True
        if self._runs is not None:
            self._runs.drain(self._settings.drain / 4)
        try:
            self._doors.accept(False)
            self._doors.empty(deadline - self._settings.drain / 2)
        except MasError as error:
            log.warning("the broker is away: %s", error)
        pipeline = self.service.pipeline
        finished = self.service.stop(_left(deadline))
        gone = self.worker.drain()
        pipeline.run(lambda: gone)
        finished = pipeline.outbox.wait_empty(_left(deadline)) and finished
        log.info("simulator worker %s has stopped%s", self.name, "" if finished else " before everything was confirmed")

    def _tick(self) -> None:
        pipeline = self.service.pipeline
        pipeline.run(self.worker.tick)
        closed = self.worker.close_idle()
        if closed:
            pipeline.run(lambda: closed)
        if self._runs is not None:
            self._runs.tick()
        if not self.worker.draining:
            self._doors.accept(self.worker.has_slot())
        now = time.monotonic()
        if now - self._beaten >= BEAT_SECONDS and self._transport.connected:
            self._beaten = now
            self._beat()

    def _beat(self) -> None:
        service = self.service
        with service.pipeline.lock:
            beat = self.worker.beat(_version(), service.waiting, service.pipeline.handled, service.lag_ms)
            if self._runs is not None:
                runs = {"runs": self._runs.busy, "run_slots": self._runs.slots}
                beat = replace(beat, message=beat.message.model_copy(update=runs))
        service.announce(beat)


def _spare_the_collector() -> None:
    """Thousands of remembered answers live long: looking through them all again and again costs a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _left(deadline: float) -> float:
    """The seconds up to a moment of the monotonic clock; never so few that a broker could not answer."""
    return max(0.1, deadline - time.monotonic())


def _version() -> str:
    try:
        return version("mas-order-router")
    except PackageNotFoundError:
        return "source"


def stop_on_signals(runner: Runner) -> None:
    """SIGTERM and Ctrl-C end the worker gracefully; the second one ends it at once."""

    def handler(number: int, _frame: FrameType | None) -> None:
        if runner.stop.is_set():
            raise KeyboardInterrupt
        runner.stop.set()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)

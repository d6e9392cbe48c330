"""Where the runs of a grid happen: in processes on this machine, or at the simulator workers of a broker.

Both take runs and give results, in any order. A run that was taken ends in one result.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from mas._line import Line
from mas_router import topology
from mas_router.errors import MasError, NotConnected, RemoteError, SessionLost
from mas_router.messages import Message, Pong, Refused, Report, Run, RunResult
from mas_router.runs import Performer, Place, Stopped
from mas_router.transport import Transport

#: How long a grid goes on without any worker, and how often a run is asked for again.
PATIENCE: Final = 60.0
ASKED_MOST: Final = 5
LOOK_SECONDS: Final = 1.0
#: A worker needs so long for a run besides the run's own time.
OVERHEAD: Final = 180.0


class Fleet(Protocol):
    """Somewhere to run."""

    client: str

    @property
    def room(self) -> int:
        """So many runs can be handed in before a result is taken."""

    @property
    def slots(self) -> int:
        """So many runs happen at the same time."""

    def start(self, run: Run) -> None: ...

    def result(self, timeout: float) -> RunResult | None:
        """The next result; None when none comes in time. Raises MasError when none will ever come."""


# ---- this machine --------------------------------------------------------------------------------------------------


class Local:
    """So many processes on this machine, each with a thread here that feeds it."""

    client = "local"

    def __init__(self, place: Place, slots: int) -> None:
        self.slots = slots
        self._waiting: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[RunResult] = queue.SimpleQueue()
        self._out = 0
        self._performers = [Performer(place) for _ in range(slots)]
        self._threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in self._performers]
        for thread in self._threads:
            thread.start()

    @property
    def room(self) -> int:
        return 2 * self.slots - self._out

    def start(self, run: Run) -> None:
        self._out += 1
        self._waiting.put(run)

    def result(self, timeout: float) -> RunResult | None:
        try:
            result = self._results.get(timeout=timeout)
        except queue.Empty:
            return None
        self._out -= 1
        return result

    def close(self) -> None:
        """End what runs, without its results."""
        for performer in self._performers:
            performer.stop()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(OVERHEAD)

    def _work(self, performer: Performer) -> None:
        with suppress(Stopped):
            while (run := self._waiting.get()) is not None:
                self._results.put(performer.perform(run))
        performer.close()


@contextmanager
def local(place: Place, slots: int) -> Iterator[Local]:
    """Processes that are gone afterwards."""
    fleet = Local(place, slots)
    try:
        yield fleet
    finally:
        fleet.close()


# ---- a broker's workers --------------------------------------------------------------------------------------------


class Remote:
    """The workers that share the queue of runs.

    No more runs are in the queue than the workers will take soon, so that a grid that ends early leaves little behind
    and several grids get their turns. What is not known to be queued is asked for again: a run that happens twice
    gives the same result twice, and the second is dropped.
    """

    def __init__(self, transport: Transport, client: str) -> None:
        self.client = client
        self.slots = 0
        self._transport = transport
        self._line = Line(transport, client, _Nobody())
        self._results: queue.SimpleQueue[tuple[Run, RunResult | MasError]] = queue.SimpleQueue()
        self._out: dict[str, _Out] = {}
        self._looked = 0.0
        self._served = time.monotonic()

    def open(self, timeout: float) -> None:
        """Raises NotConnected, TopologyError; RemoteError when no worker takes runs."""
        self._line.start(timeout)
        self._transport.declare(topology.runs(), timeout)
        self._look()
        if not self.slots:
            raise RemoteError(
                f"no simulator worker at {self._transport.address} takes runs; "
                "start one where the strategies are: mas sim-worker --strategies DIR"
            )

    @property
    def room(self) -> int:
        self._look_again()
        return 2 * self.slots - len(self._out)

    def start(self, run: Run) -> None:
        self._out[run.id] = _Out(run)
        self._ask(self._out[run.id])

    def result(self, timeout: float) -> RunResult | None:
        """Raises RemoteError when there has been no worker for a while."""
        self._look_again()
        try:
            run, answer = self._results.get(timeout=timeout)
        except queue.Empty:
            return None
        if run.id not in self._out:
            return None
        if isinstance(answer, MasError):
            return self._ask_again(self._out[run.id], answer)
        del self._out[run.id]
        return answer

    def close(self, timeout: float = 5.0) -> None:
        """Leave: the workers drop what they hold for a client whose reply queue is gone."""
        self._out.clear()
        self._line.leave(timeout)

    def _ask(self, out: _Out) -> None:
        run = out.run
        out.asked, out.times = time.monotonic(), out.times + 1
        future = self._line.start_call(topology.BACKTEST, "run", run, "runs")
        future.add_done_callback(lambda done: self._results.put((run, _answer(done.exception() or done.result()))))

    def _ask_again(self, out: _Out, error: MasError) -> RunResult | None:
        """The command did not reach the queue, or waited there for too long."""
        if isinstance(error, NotConnected | SessionLost) and out.times < ASKED_MOST:
            self._transport.wait_connected(LOOK_SECONDS)
            self._ask(out)
            return None
        del self._out[out.run.id]
        return RunResult(id=out.run.id, status="failed", code="lost", message=f"the run was not taken: {error}"[:1000])

    def _look_again(self) -> None:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        """How many runs the workers take at a time, and whether any run is in nobody's hands."""
        self._looked = now = time.monotonic()
        try:
            info = self._transport.inspect(topology.RUN_QUEUE)
        except MasError:
            info = None
        if info is not None and info.consumers:
            self.slots, self._served = info.consumers, now
            if not info.messages:
                self._ask_overdue(now)
        if now - self._served > PATIENCE:
            raise RemoteError(f"no simulator worker at {self._transport.address} has taken runs for {PATIENCE:g} s")

    def _ask_overdue(self, now: float) -> None:
        """The queue is empty, and a worker would have answered by now: the broker has lost the run."""
        for out in list(self._out.values()):
            if now - out.asked > out.run.seconds + OVERHEAD:
                self._ask(out)


class _Out:
    """A run that was handed in: when it was last asked for, and how many times."""

    __slots__ = ("asked", "run", "times")

    def __init__(self, run: Run) -> None:
        self.run, self.asked, self.times = run, 0.0, 0


class _Nobody:
    """A grid has no accounts, so nothing but answers concerns it."""

    def on_report(self, report: Report) -> None: ...

    def on_refused(self, refused: Refused) -> None: ...

    def on_pong(self, pong: Pong) -> None: ...

    def on_bounce(self, command_id: str, reason: str) -> None: ...


def _answer(given: Message | BaseException) -> RunResult | MasError:
    if isinstance(given, RunResult | MasError):
        return given
    kind = given.kind if not isinstance(given, BaseException) else type(given).__name__
    return RemoteError(f"unexpected answer to a run: {kind}")


@contextmanager
def remote(transport: Transport, client: str, timeout: float) -> Iterator[Remote]:
    """The workers of a broker; nothing is left in its queues afterwards. Raises as `Remote.open`."""
    fleet = Remote(transport, client)
    try:
        fleet.open(timeout)
        yield fleet
    finally:
        fleet.close()

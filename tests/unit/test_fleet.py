"""A grid's side of the queue of runs: what was not taken is asked for again, and without workers it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mas.backtest import fleet
from mas.backtest.fleet import ASKED_MOST, Remote
from mas_router import topology
from mas_router.codec import decode, encode
from mas_router.errors import RemoteError
from mas_router.memory import MemoryBroker, MemoryTransport
from mas_router.messages import Run, RunResult
from mas_router.transport import Delivery, Envelope

PATIENCE = 10.0


class Bench:
    """A grid, and workers that do as the test says."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.worker: MemoryTransport = self.broker.connect("worker")
        self.worker.declare(topology.runs())
        self.taken: list[Delivery] = []
        self.remote = Remote(self.broker.connect("grid"), "g1")

    def serve(self, slots: int = 1) -> None:
        for _ in range(slots):
            self.worker.consume(topology.RUN_QUEUE, self.taken.append, prefetch=1)

    def answer(self, name: str, status: str = "done") -> None:
        key = topology.event_key("backtest", "", "", "g1", "reply")
        self.worker.publish(Envelope(topology.EVENTS, key, encode(RunResult(id=name, status=status))))  # type: ignore[arg-type]

    def result(self) -> RunResult:
        deadline = time.monotonic() + PATIENCE
        while (result := self.remote.result(0.01)) is None:
            assert time.monotonic() < deadline
        return result

    def ids(self) -> list[str]:
        return [one.id for delivery in self.taken if isinstance(one := decode(delivery.body), Run)]


def run(name: str, seconds: float = 60.0) -> Run:
    return Run(id=name, client="g1", strategy="a:B", symbols=("EURUSD",), since=1, until=2, seconds=seconds)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.remote.close()


def test_without_a_worker_that_takes_runs_nothing_begins(bench: Bench) -> None:
    with pytest.raises(RemoteError, match="mas sim-worker --strategies DIR"):
        bench.remote.open(1.0)


def test_no_more_runs_are_handed_in_than_the_workers_take_soon(bench: Bench) -> None:
    bench.serve(3)
    bench.remote.open(1.0)
    assert (bench.remote.slots, bench.remote.room) == (3, 6)
    for number in range(6):
        bench.remote.start(run(f"r{number}"))
    assert bench.remote.room == 0
    bench.answer("r0")
    assert bench.result().id == "r0"
    assert bench.remote.room == 1


def test_a_second_result_of_a_run_is_dropped(bench: Bench) -> None:
    bench.serve()
    bench.remote.open(1.0)
    bench.remote.start(run("r1"))
    for _ in range(3):
        bench.answer("r1")
    assert bench.result().id == "r1"
    assert bench.remote.result(0.05) is None


def test_a_run_that_comes_back_unread_is_asked_for_again_and_given_up_in_the_end(bench: Bench) -> None:
    bench.serve()
    bench.remote.open(1.0)
    bench.remote.start(run("r1"))
    for times in range(1, ASKED_MOST + 1):
        assert bench.ids() == ["r1"] * times
        bench.taken[-1].reject()
        if times < ASKED_MOST:
            assert bench.remote.result(1.0) is None
    result = bench.result()
    assert (result.status, result.code) == ("failed", "lost")


def test_a_run_that_the_broker_has_lost_is_asked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "OVERHEAD", 0.0)
    monkeypatch.setattr(fleet, "LOOK_SECONDS", 0.0)
    bench.serve()
    bench.remote.open(1.0)
    bench.remote.start(run("r1", seconds=0.05))
    bench.taken[0].ack()  # and no answer, as when a broker loses its disk
    deadline = time.monotonic() + PATIENCE
    while len(bench.taken) < 2:
        assert bench.remote.result(0.02) is None
        assert time.monotonic() < deadline
    bench.answer("r1")
    assert bench.result().status == "done"


def test_a_grid_ends_when_there_has_been_no_worker_for_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PATIENCE", 0.2)
    monkeypatch.setattr(fleet, "LOOK_SECONDS", 0.0)
    bench.serve()
    bench.remote.open(1.0)
    bench.remote.start(run("r1"))
    bench.worker.close()
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(RemoteError, match="no simulator worker"):
        while time.monotonic() < deadline:
            bench.remote.result(0.02)


def test_a_grid_that_leaves_takes_its_reply_queue_with_it(bench: Bench) -> None:
    bench.serve()
    bench.remote.open(1.0)
    assert bench.worker.inspect(topology.reply_queue("g1")) is not None
    bench.remote.close()
    assert bench.worker.inspect(topology.reply_queue("g1")) is None

"""A worker's runs over the in-process broker: acked with their result, told again after an outage, never endless."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mas.testing.router import wait_until
from mas_router import topology
from mas_router.codec import decode, encode
from mas_router.memory import MemoryBroker, MemoryTransport
from mas_router.messages import Run, RunResult
from mas_router.outbox import Outbox
from mas_router.runs import Place
from mas_router.transport import Delivery, Envelope
from sim_worker import runs as module
from sim_worker.runs import RunHost
from tests.strategies import write_strategies

FROM, TO = 1_704_153_600_000_000_000, 1_704_157_200_000_000_000  # an hour of 2 January 2024
PATIENCE = 30.0


class Bench:
    """One worker, and one client that asks it."""

    def __init__(self, directory: Path) -> None:
        self.broker = MemoryBroker()
        self.marks = directory / "marks"
        self.marks.mkdir()
        self.place = Place(write_strategies(directory / "strategies"), directory / "data", worker="w1")
        self.me: MemoryTransport = self.broker.connect("me")
        self.me.declare([*topology.client("c1"), *topology.runs()])
        self.heard: list[RunResult] = []
        self._news = threading.Condition()
        self.me.consume(topology.reply_queue("c1"), self._take)
        self.hosts: list[RunHost] = []

    def worker(self, name: str = "w1", slots: int = 1) -> RunHost:
        transport = self.broker.connect(name)
        host = RunHost(transport, Outbox(transport), self.place, slots)
        host.start()
        self.hosts.append(host)
        return host

    def _take(self, delivery: Delivery) -> None:
        message = decode(delivery.body)
        assert isinstance(message, RunResult)
        with self._news:
            self.heard.append(message)
            self._news.notify_all()
        delivery.ack()

    def ask(self, name: str, client: str = "c1", attempt: int = 1, **params: Any) -> None:
        run = Run(
            id=name,
            client=client,
            strategy="inner.odd:Odd",
            params={"marks": str(self.marks), **params},
            source="synthetic",
            symbols=("EURUSD",),
            timeframes=("M5",),
            since=FROM,
            until=TO,
            attempt=attempt,
        )
        self.me.publish(Envelope(topology.BACKTEST, "run", encode(run), run.id, run.kind))

    def wait(self, count: int) -> list[RunResult]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, PATIENCE), f"{len(self.heard)} of {count}"
            return list(self.heard)

    def wait_told(self, *names: str) -> None:
        """The second result of a run is dropped by its client, so one may come."""
        with self._news:
            assert self._news.wait_for(lambda: {*names} <= {one.id for one in self.heard}, PATIENCE), self.heard

    def wait_started(self, count: int) -> None:
        wait_until(lambda: len(list(self.marks.iterdir())) >= count, f"{count} runs to start", PATIENCE)

    def queued(self) -> int:
        info = self.me.inspect(topology.RUN_QUEUE)
        assert info is not None
        return info.messages

    def outage(self, name: str = "w1") -> None:
        self.broker.disconnect(name)
        self.broker.reconnect(name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for host in made.hosts:
        host.drain(10.0)


def test_each_run_ends_in_one_result_and_none_is_left_in_the_queue(bench: Bench) -> None:
    bench.worker(slots=2)
    for number in range(5):
        bench.ask(f"r{number}", number=number)
    assert sorted(result.id for result in bench.wait(5)) == ["r0", "r1", "r2", "r3", "r4"]
    assert {(result.status, result.worker) for result in bench.heard} == {("done", "w1")}
    bench.outage()  # what was not acked would come again
    bench.ask("last")
    assert [result.id for result in bench.wait(6)[5:]] == ["last"]


def test_a_run_that_is_delivered_again_while_it_runs_here_is_performed_once(bench: Bench) -> None:
    bench.worker(slots=2)
    bench.ask("r1", seconds=3.0)
    bench.wait_started(1)
    bench.outage()
    bench.ask("r2")
    bench.wait_told("r1", "r2")
    assert len(list(bench.marks.iterdir())) == 2
    bench.outage()
    bench.ask("r3")
    bench.wait_told("r3")
    assert len(list(bench.marks.iterdir())) == 3  # both deliveries of r1 were acked


def test_a_result_that_was_not_acked_is_told_again_and_its_run_is_not_performed_again(bench: Bench) -> None:
    host = bench.worker()
    bench.ask("r1", seconds=1.0)
    bench.wait_started(1)
    bench.broker.disconnect("w1")
    wait_until(lambda: not host.busy, "the run to end during the outage", PATIENCE)
    bench.broker.reconnect("w1")
    assert {result.id for result in bench.wait(1)} == {"r1"}
    bench.ask("r2")
    wait_until(lambda: bench.heard[-1].id == "r2", "the next run", PATIENCE)
    assert len(list(bench.marks.iterdir())) == 2
    assert bench.queued() == 0


def test_a_run_whose_worker_was_lost_is_tried_once_more_and_then_given_up(bench: Bench) -> None:
    """The workers that are lost are the test itself: it takes the run, and its line is cut."""
    for attempt in (1, 2):
        victim = bench.broker.connect(f"victim{attempt}")
        held: list[Delivery] = []
        if attempt == 1:
            bench.ask("r1")
        victim.consume(topology.RUN_QUEUE, held.append, prefetch=1)
        wait_until(lambda: bool(held), "the run", PATIENCE)  # noqa: B023
        assert isinstance(run := decode(held[0].body), Run)
        assert (run.attempt, held[0].redelivered) == (attempt, False)
        victim.close()
        if attempt == 1:
            _replace(bench)
    bench.worker()
    (result,) = bench.wait(1)
    assert (result.status, result.code) == ("failed", "lost")
    assert "2 workers ended" in result.message
    assert not list(bench.marks.iterdir())
    assert bench.queued() == 0


def _replace(bench: Bench) -> None:
    """A worker takes the lost run and puts its next attempt in its place, but has gone before it comes back to it."""
    transport = bench.broker.connect("passing")
    outbox = Outbox(transport)
    host = RunHost(transport, outbox, bench.place, 1)
    taken: list[Delivery] = []
    consumer = transport.consume(topology.RUN_QUEUE, taken.append, prefetch=1)
    wait_until(lambda: bool(taken), "the run to be delivered again", PATIENCE)
    consumer.cancel()
    host._take(host._slots[0].performer, taken[0])
    assert outbox.wait_empty(PATIENCE)
    transport.close()


def test_a_run_whose_worker_was_lost_once_is_done_by_the_next(bench: Bench) -> None:
    victim = bench.broker.connect("victim")
    held: list[Delivery] = []
    bench.ask("r1")
    victim.consume(topology.RUN_QUEUE, held.append, prefetch=1)
    wait_until(lambda: bool(held), "the run", PATIENCE)
    victim.close()
    bench.worker()
    assert [result.status for result in bench.wait(1)] == ["done"]
    assert bench.queued() == 0


def test_the_runs_of_a_client_that_has_left_are_dropped_and_the_one_under_way_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    other = bench.broker.connect("other")
    other.declare(topology.client("gone"))
    host = bench.worker()
    bench.ask("r1", client="gone", seconds=60.0)
    bench.ask("r2", client="gone", seconds=60.0)
    bench.wait_started(1)
    host.tick()
    assert host.busy == 1  # it is still there
    other.forget(item for item in topology.client("gone") if getattr(item, "name", "") == topology.reply_queue("gone"))
    host.tick()
    bench.ask("r3")
    assert [result.id for result in bench.wait(1)] == ["r3"]
    assert len(list(bench.marks.iterdir())) == 2  # r1 and r3


def test_a_run_that_ends_just_when_its_client_leaves_does_no_harm_to_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes after the last word of the run, and before the host has heard it."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    other = bench.broker.connect("other")
    other.declare(topology.client("gone"))
    host = bench.worker()
    performer = host._slots[0].performer
    perform = performer.perform

    def perform_and_be_stopped(run: Run) -> RunResult:
        result = perform(run)
        if run.client == "gone":
            other.forget(
                item for item in topology.client("gone") if getattr(item, "name", "") == topology.reply_queue("gone")
            )
            host.tick()
        return result

    monkeypatch.setattr(performer, "perform", perform_and_be_stopped)
    bench.ask("r1", client="gone")
    bench.ask("r2")
    assert [(result.id, result.status) for result in bench.wait(1)] == [("r2", "done")]


def test_a_worker_that_leaves_puts_its_run_back_as_if_nobody_had_taken_it(bench: Bench) -> None:
    first = bench.worker()
    bench.ask("r1", seconds=2.0, number=1)
    bench.wait_started(1)
    first.drain(10.0)
    taken: list[Delivery] = []
    bench.broker.connect("looking").consume(topology.RUN_QUEUE, taken.append, prefetch=1)
    wait_until(lambda: bool(taken), "the run", PATIENCE)
    assert not taken[0].redelivered
    assert isinstance(run := decode(taken[0].body), Run)
    assert (run.id, run.attempt) == ("r1", 1)
    assert not bench.heard


@pytest.mark.parametrize("body", [b"nonsense", encode(RunResult(id="r", status="done"))])
def test_what_is_no_run_goes_to_the_dead_letters(bench: Bench, body: bytes) -> None:
    bench.worker()
    bench.me.publish(Envelope(topology.BACKTEST, "run", body))
    bench.ask("r1")
    assert [result.id for result in bench.wait(1)] == ["r1"]
    info = bench.me.inspect(topology.DEAD_QUEUE)
    assert info is not None
    assert info.messages == 1

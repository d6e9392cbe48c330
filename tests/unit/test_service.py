"""A worker decodes, handles, publishes and acks, in an order that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mas_router import messages as m
from mas_router.codec import decode, encode
from mas_router.memory import MemoryBroker, MemoryTransport
from mas_router.service import Reply, Service
from mas_router.topology import DEAD_QUEUE, EVENTS, Binding, Queue, base
from mas_router.transport import Delivery, Envelope

PATIENCE = 5.0


class Echo:
    """Answers a Ping with numbered Pongs, as many as its client's name is long. Open is slow; Close fails."""

    def __init__(self) -> None:
        self.threads: dict[str, str] = {}
        self.number = 0

    def is_slow(self, message: m.Message) -> bool:
        return isinstance(message, m.Open)

    def handle(self, delivery: Delivery, message: m.Message) -> list[Reply]:
        self.threads[message.kind] = threading.current_thread().name
        if isinstance(message, m.Close):
            raise RuntimeError("planted")
        return [self._pong(message) for _ in range(len(message.client))] if isinstance(message, m.Ping) else []

    def _pong(self, message: m.Ping) -> Reply:
        self.number += 1
        return Reply("to.me", m.Pong(id=message.id, session="s", time=self.number))

    def reply_key(self, message: m.Message) -> str:
        return "to.me"


class Bench:
    def __init__(self) -> None:
        self.broker, self.echo = MemoryBroker(), Echo()
        self.transport = self.broker.connect("worker")
        self.me: MemoryTransport = self.broker.connect("me")
        self.transport.declare([*base(), Queue("work", arguments={"x-dead-letter-exchange": "mas.dlx"})])
        self.transport.declare([Binding(EVENTS, "work", "work"), Queue("mine"), Binding(EVENTS, "mine", "to.me")])
        self.service = Service(self.transport, self.echo, interval=0.01)
        self.service.start()
        self.service.consume("work", 10)
        self.heard: list[m.Message] = []
        self._news = threading.Condition()
        self.me.consume("mine", self._take)

    def _take(self, delivery: Delivery) -> None:
        with self._news:
            self.heard.append(decode(delivery.body))
            self._news.notify_all()
        delivery.ack()

    def send(self, body: bytes) -> None:
        self.me.publish(Envelope(EVENTS, "work", body))

    def wait(self, count: int) -> list[m.Message]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, PATIENCE), f"{len(self.heard)} of {count}"
            return list(self.heard)

    def left(self, queue: str) -> int:
        info = self.me.inspect(queue)
        assert info is not None
        return info.messages


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.service.stop(PATIENCE)
    made.me.close()
    made.transport.close()


def ping(name: str, client: str = "c") -> bytes:
    return encode(m.Ping(id=name, client=client))


def test_a_quick_command_is_answered_where_it_arrives(bench: Bench) -> None:
    bench.send(ping("a"))
    assert [message.kind for message in bench.wait(1)] == ["pong"]
    assert bench.echo.threads["ping"] == threading.current_thread().name, "the memory transport has no thread"


def test_a_slow_command_leaves_the_transports_thread_alone(bench: Bench) -> None:
    bench.send(encode(m.Open(id="o", client="c", session="s")))
    assert bench.service.stop(PATIENCE)
    assert bench.echo.threads["open"] == "mas-service"


def test_what_is_no_message_is_dead_lettered_and_the_next_one_is_served(bench: Bench) -> None:
    bench.send(b"\xc1 rubbish")
    bench.send(ping("a"))
    bench.wait(1)
    assert bench.left(DEAD_QUEUE) == 1
    assert bench.service.pipeline.malformed == 1


def test_a_failing_handler_apologises_once_and_the_command_is_done(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(encode(m.Close(id="x", client="c")))
    (apology,) = bench.wait(1)
    assert isinstance(apology, m.Refused)
    assert (apology.id, apology.code) == ("x", "internal")
    assert "planted" not in apology.message
    assert "planted" in caplog.text
    assert bench.service.stop(PATIENCE)
    assert bench.left("work") == 0


def test_a_command_is_acked_only_when_all_its_replies_are_confirmed(bench: Bench) -> None:
    bench.broker.drop_next_confirm()  # that of the command itself
    bench.broker.drop_next_confirm()  # that of the first reply
    bench.send(ping("a", client="two"))
    bench.wait(3)
    bench.broker.disconnect("worker")  # before the confirm: the command goes back, the replies are said again
    bench.broker.reconnect("worker")
    times = [message.time for message in bench.wait(6) if isinstance(message, m.Pong)]
    assert times[:3] == [1, 2, 3]
    assert {4, 5, 6} <= set(times), "it was delivered again, because it had not been acked"


def test_replies_leave_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    def send(name: str) -> None:
        for number in range(50):
            bench.send(ping(f"{name}-{number}", client="ab"))

    threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    numbers = [message.time for message in bench.wait(400) if isinstance(message, m.Pong)]
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))


def test_the_lag_is_what_a_beat_takes_to_be_confirmed(bench: Bench) -> None:
    assert bench.service.lag_ms == 0.0
    bench.service.announce(Reply("beat", m.Beat(worker="w", host="h", pid=1, version="0", time=1, started=0)))
    assert bench.service.lag_ms > 0.0

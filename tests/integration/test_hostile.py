"""A worker and a client that read what anybody may publish: they drop it, stay small, and serve the next order."""

from __future__ import annotations

import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgpack
import pika
import psutil
import pytest
from pika.adapters.blocking_connection import BlockingChannel

import mas
from mas.testing.workers import WorkerProcess, environment, worker_processes
from mas_router import messages as m
from mas_router import topology
from mas_router.codec import encode
from tests.conformance.sdk_harness import BUY, Recorder, eventually, order
from tests.rabbit import Rabbit

MEGABYTE = 2**20
GROWTH = 64 * MEGABYTE
TRADE = m.Trade(
    id="evil", client="evil", request=m.TradeRequest(action=1, symbol="EURUSD", volume=0.1, type=0, deviation=10)
)
OPEN = m.Open(id="o-1", client="evil", session="evil-session", server="Demo", login="1")


@dataclass
class Place:
    """One worker process, and a channel on which anything can be published."""

    url: str
    worker: WorkerProcess
    channel: BlockingChannel

    def publish(self, key: str, body: bytes, exchange: str = topology.BACKTEST, **properties: Any) -> bool:
        """Publish and wait for the broker; False when there was no queue for it."""
        with suppress(pika.exceptions.UnroutableError):
            self.channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties), mandatory=True)
            return True
        return False

    @property
    def memory(self) -> int:
        return int(psutil.Process(self.worker.pid).memory_info().rss)

    def count(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def client(self, **settings: Any) -> Recorder:
        return Recorder(self.url, **settings)


@pytest.fixture(scope="module")
def place(rabbit: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    rabbit.revive()
    with rabbit.vhost() as url, worker_processes(tmp_path_factory.mktemp("catalog")) as workers:
        (worker,) = workers.start(url, "hostile", slots=16)
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        channel.confirm_delivery()
        yield Place(url, worker, channel)
        connection.close()


@pytest.fixture
def client(place: Place) -> Iterator[Recorder]:
    with place.client() as made:
        yield made


def session_of(client: Recorder) -> str:
    """The routing word of a client's account: what a spy would have to know."""
    client.send_order(order(order_type="buy_limit", price=0.5))
    client.wait(lambda: client.calls, "the first status")
    return str(client.calls[0].data["session"])


def mutations(body: bytes, count: int, seed: int) -> Iterator[bytes]:
    """A message with bytes flipped, cut off, doubled and put in."""
    rng = random.Random(seed)
    for _ in range(count):
        raw = bytearray(body)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(raw))
            match rng.randrange(4):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    del raw[at:]
                case 2:
                    raw[at:at] = rng.randbytes(rng.randrange(1, 9))
                case _:
                    raw += raw[at:]
            raw = raw or bytearray(b"\x00")
        yield bytes(raw)


def bombs() -> list[bytes]:
    """Small bodies that say that they are huge, and bodies that are."""
    return [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff" * 100,
        b"\xdb\xff\xff\xff\xff" + b"a" * 100,
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 60_000,
        b"\x81\xa1a" * 20_000,
        msgpack.packb([[0] * 1000] * 60),
        msgpack.packb({str(n): n for n in range(5000)}),
        msgpack.packb({"kind": "trade", "id": "x" * 60_000}),
        msgpack.packb(msgpack.ExtType(1, b"x" * 100)),
        b"\xc0",
        b"",
        b"\x00" * (70 * 1024),
        b"\xff" * (8 * MEGABYTE),
    ]


def malformed() -> list[bytes]:
    rng = random.Random(1)
    noise = [rng.randbytes(rng.randrange(1, 300)) for _ in range(100)]
    wrong = [
        {**TRADE.__dict__, "request": TRADE.request.__dict__, **changes}
        for changes in (
            {"v": 2},
            {"extra": 1},
            {"request": None},
            {"id": ""},
            {"id": "a" * 65},
            {"id": "../x y"},
            {"verb": "steal"},
            {"deadline": -1},
            {"deadline": 2**64},
            {"request": {**TRADE.request.__dict__, "volume": float("nan")}},
            {"request": {**TRADE.request.__dict__, "volume": "0.1"}},
            {"request": {**TRADE.request.__dict__, "price": 1e308}},
            {"kind": "nothing"},
        )
    ]
    return [*noise, *bombs(), *(msgpack.packb(one, default=str) for one in wrong)]


def deals(client: Recorder) -> int:
    return len([row for row in client.get_order_history({"backtest_toggle": True}) if row["symbol"]])


# ---- the worker ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["open", "session"])
def test_what_cannot_be_read_ends_among_the_dead_letters_and_the_worker_serves_on(
    place: Place, client: Recorder, where: str
) -> None:
    session = session_of(client)
    before, dead = place.memory, place.count(topology.DEAD_QUEUE)
    bodies = malformed()
    for body in bodies:
        assert place.publish("open" if where == "open" else f"{session}.trade", body)
    assert client.send_order(BUY).ok
    eventually(lambda: place.count(topology.DEAD_QUEUE) == dead + len(bodies), f"{len(bodies)} dead letters")
    assert place.memory - before < GROWTH
    assert deals(client) == 1
    assert place.worker.running


def test_a_dead_letter_that_names_its_client_goes_back_to_it(place: Place, client: Recorder) -> None:
    session = session_of(client)
    dead = place.count(topology.DEAD_QUEUE)
    name = str(client.calls[0].data["client_order_id"])
    with place.client(client_id="sender") as sender:
        sender.send_order(BUY)
        assert place.publish(f"{session}.trade", b"garbage", headers={"client": "sender"}, message_id=name)
        assert sender.send_order(BUY).ok
    assert client.send_order(BUY).ok
    assert place.count(topology.DEAD_QUEUE) == dead


def test_mutated_commands_never_trade_more_than_they_say_and_the_worker_serves_on(
    place: Place, client: Recorder
) -> None:
    session = session_of(client)
    before = place.memory
    commands: list[m.Command] = [
        TRADE.model_copy(update={"deadline": 1}),
        m.Query(id="q", client="evil", what="deals"),
        m.Resolve(id="r", client="evil", ids=("a", "b")),
        m.Check(id="k", client="evil", request=TRADE.request),
        m.Calc(id="c", client="evil", type=0, symbol="EURUSD", volume=1.0, price=1.1),
        m.Fetch(id="f", client="evil", start=0),
        m.Advance(id="a", client="evil", to=5),
    ]
    for number, command in enumerate(commands):
        for body in mutations(encode(command), 60, number):
            place.publish(f"{session}.{command.kind}", body)
    for body in mutations(encode(OPEN), 100, 99):
        place.publish("open", body)
    assert client.send_order(BUY).ok
    eventually(lambda: place.count(topology.OPEN_QUEUE) == 0, "an empty open queue")
    assert deals(client) == 1, "every mutated trade was past its deadline, or unreadable"
    assert place.memory - before < GROWTH
    assert place.worker.running


def test_values_at_the_edge_of_the_protocol_are_answered_and_never_break_the_worker(
    place: Place, client: Recorder
) -> None:
    session = session_of(client)
    big = 2**63 - 1
    numbers = [0.0, -1.0, 1e-300, 1e15, -1e15, 5e-324]
    requests = [
        TRADE.request.model_copy(update={name: value}) for name in ("volume", "price", "sl") for value in numbers
    ]
    for name in ("action", "type", "type_filling", "type_time", "order", "position", "position_by", "expiration"):
        requests += [
            TRADE.request.model_copy(update={name: value, "action": 1 if name != "action" else value})
            for value in (9, 255, big)
        ]
    requests += [TRADE.request.model_copy(update={"action": action, "volume": -0.1}) for action in range(12)]
    commands: list[m.Command] = [
        *(
            TRADE.model_copy(update={"id": f"edge-{n}", "deadline": 1 if r.volume == 0.1 else 0, "request": r})
            for n, r in enumerate(requests)
        ),
        *(m.Check(id=f"check-{n}", client="evil", request=r) for n, r in enumerate(requests)),
        m.Query(id="q1", client="evil", what="deals", since=-(2**63), until=big, offset=big),
        m.Query(id="q2", client="evil", what="symbols", group="*" * 1024),
        m.Query(id="q3", client="evil", what="tick", symbol="../../etc/passwd"),
        m.Calc(id="c1", client="evil", type=0, symbol="EURUSD", volume=1e15, price=1e15),
        m.Calc(id="c2", client="evil", type=1, symbol="", volume=-1.0, price=0.0, close=-1e15),
        m.Fetch(id="f1", client="evil", start=big, at=big),
        m.Advance(id="a1", client="evil", to=big),
        m.Attach(id="t1", client="evil", server="x", login="y"),
    ]
    for command in commands:
        assert place.publish(f"{session}.{command.kind}", encode(command))
    assert client.send_order(BUY).ok
    assert deals(client) == 1
    assert "failed" not in place.worker.log.partition("serves")[2].replace("DecodeError", ""), place.worker.log[-3000:]


def test_accounts_that_cannot_be_opened_are_refused_and_cost_nothing(place: Place, client: Recorder) -> None:
    before, big = place.memory, 2**63 - 1
    started = time.monotonic()
    replay = {
        "symbols": ("EURUSD",),
        "timeframes": ("M1",),
        "since": 1_704_067_200 * 10**9,
        "until": 1_704_153_600 * 10**9,
    }
    for number, changes in enumerate(
        (
            {"leverage": 0},
            {"deposit": -1.0},
            {"deposit": 0.0},
            {"currency": ""},
            {**replay, "timeframes": ("M7",)},
            {**replay, "symbols": ("NOSUCH",)},
            {**replay, "until": 0},
            {**replay, "until": big},
            {**replay, "since": -(2**63), "until": big},
            {**replay, "ticks": True, "timeframes": (), "until": big},
            {**replay, "source": "catalog"},
            {**replay, "source": "catalog", "symbols": ("../../../etc",)},
            {"timeframes": ("M1",)},
            {**replay, "symbols": ("EURUSD",) * 64, "timeframes": ("M1",) * 64},
        )
    ):
        body = encode(m.Open(**{**OPEN.__dict__, "id": f"bad-{number}", "session": f"bad-{number}", **changes}))
        assert place.publish("open", body)
    assert client.send_order(BUY).ok
    assert time.monotonic() - started < 5
    assert place.memory - before < GROWTH
    assert not any(place.publish(f"bad-{number}.trade", encode(TRADE)) for number in range(14))


def test_wrong_routing_keys_execute_nothing(place: Place, client: Recorder) -> None:
    session = session_of(client)
    for key in ("", "trade", "nobody.trade", f"{session}", f"x.{session}.trade", f"{session}.trade.x", "*.trade", "#"):
        assert not place.publish(key, encode(TRADE)), key
    assert place.publish("open", encode(TRADE)), "it goes to the queue for new accounts, where it means nothing"
    assert client.send_order(BUY).ok
    assert deals(client) == 1


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_copy_of_a_command_to_another_account_executes_once_and_there_only(
    place: Place, client: Recorder, header: str
) -> None:
    with place.client() as other:
        mine, theirs = session_of(client), session_of(other)
        keys = [f"{theirs}.trade", f"{mine}.query", f"{mine}.trade", "open"]
        assert place.publish(f"{mine}.trade", encode(TRADE), headers={header: keys})
        eventually(lambda: deals(client) == 1, "the deal")
        assert other.send_order(BUY).ok
        assert (deals(client), deals(other)) == (1, 1)


def test_the_same_bytes_a_hundred_times_are_one_deal_with_or_without_properties(place: Place, client: Recorder) -> None:
    session = session_of(client)
    for number in range(100):
        properties = [{}, {"headers": {"client": 1}}, {"message_id": "other"}, {"type": "close"}][number % 4]
        assert place.publish(f"{session}.trade", encode(TRADE), **properties)
    assert client.send_order(BUY).ok
    assert deals(client) == 2


# ---- the client ----------------------------------------------------------------------------------------------------


def test_garbage_in_a_clients_reply_queue_calls_nobody_and_its_orders_go_on(place: Place) -> None:
    with place.client(client_id="victim") as client:
        session = session_of(client)
        client.calls.clear()
        forged = m.Report(
            id="never-sent",
            session="somebody-elses",
            mode="backtest",
            seq=1,
            events=(m.Status(id="never-sent", state=mas.State.FILLED, ticket=1),),
        )
        gap = forged.model_copy(update={"session": session, "id": "", "seq": 0, "events": ()})
        bodies = [
            *malformed(),
            *mutations(encode(gap), 100, 7),
            encode(TRADE),
            encode(OPEN),
            encode(m.Refused(id="never-sent", code="internal", message="boo")),
            encode(m.Refused(id="never-sent", code="session_closed", message="boo")),
            encode(m.Chunk(id="x", session=session, start=0, count=5, parts=((b"",),))),
        ]
        queue = topology.reply_queue("victim")
        odd: list[dict[str, Any]] = [
            {},
            {"x-first-death-reason": "expired"},
            {"x-first-death-reason": 5},
            {"client": ""},
        ]
        for number, body in enumerate(bodies):
            place.publish(queue, body, exchange="", headers=odd[number % 4], message_id=f"m-{number}")
        sent = client.send_order(BUY)
        assert sent.ok
        client.wait_for(sent, "FILLED", "execution")
        assert [call.id for call in client.calls if call.id is not sent] == []
        assert client.check_connection()


# ---- a broker that fails -------------------------------------------------------------------------------------------


class Wire:
    """A port in front of the broker that can be cut, or go silent."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = parts.hostname or "", parts.port or 5672
        self._listener = socket.create_server(("127.0.0.1", 0))
        user = (parts.netloc.rpartition("@")[0] + "@") if "@" in parts.netloc else ""
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}"))
        self._open: list[socket.socket] = []
        self.silent = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.silent.is_set():
                    sink.sendall(data)

    def cut(self) -> None:
        self._listener.close()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


PROGRAM = """
import sys, mas

def say(*words):  # in one piece, because two threads do
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

class Strategy(mas.Client):
    def receive_order_status(self, order_id, status_data):
        say("status", status_data["state"])

BUY = dict(symbol="EURUSD", order_type="buy", volume=0.1, backtest_toggle=True)
client = Strategy()
say("first", client.send_order(BUY).ok)
sys.stdin.readline()
future = client.submit(BUY)
say("end")
"""


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_a_program_ends_in_time_and_truthfully_though_its_broker_has_failed(
    place: Place, how: str, tmp_path: Path
) -> None:
    wire = Wire(place.url)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment(MAS_URL=wire.url, MAS_DATA=str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        lines = [program.stdout.readline() for _ in range(2)]
        assert sorted(lines) == ["first True\n", "status FILLED\n"]
        wire.cut() if how == "cut" else wire.silent.set()
        started = time.monotonic()
        output, errors = program.communicate("go\n", timeout=30)
    finally:
        program.kill()
        program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            assert stream is not None
            stream.close()
        wire.cut()
    assert time.monotonic() - started < 12
    assert program.returncode == 0, errors
    assert "Traceback" not in errors, errors
    states = re.findall(r"status (\w+)", output)
    assert len(states) == 1, output
    assert states[0] in ("DENIED", "UNKNOWN")


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_every_future_ends_when_a_client_is_closed_behind_a_broker_that_failed(place: Place, how: str) -> None:
    wire = Wire(place.url)
    client = Recorder(wire.url)
    assert client.send_order(BUY).ok
    wire.cut() if how == "cut" else wire.silent.set()
    futures = [client.submit(BUY) for _ in range(5)]
    started = time.monotonic()
    client.close(1.0)
    assert time.monotonic() - started < 6
    answers = [future.result(1) for future in futures]
    assert all(answer.state in (mas.State.DENIED, mas.State.UNKNOWN) for answer in answers)
    wire.cut()

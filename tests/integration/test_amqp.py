"""What is specific to RabbitMQ; what every transport does is in tests/conformance."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pika
import psutil
import pytest

from mas.testing.nodes import free_port
from mas_router import topology
from mas_router.amqp import AmqpTransport
from mas_router.errors import CallerError, Closed, InvalidField, NotConnected, TopologyError
from mas_router.topology import Binding, Declaration, Exchange, Queue
from mas_router.transport import Delivery, Envelope, Outcome
from tests.rabbit import Rabbit, vhost_name

PATIENCE = 30.0
SECRET = "s3cr3t-pass"
THING: list[Declaration] = [Exchange("e"), Queue("q"), Binding("e", "q", "k")]
LOCAL = "amqp://127.0.0.1"


@contextmanager
def transport(urls: str | list[str], *, connected: bool = True, **options: object) -> Iterator[AmqpTransport]:
    """A transport for one test; it must leave no thread behind."""
    made = AmqpTransport(urls, name="test", **options)  # type: ignore[arg-type]
    try:
        if connected:
            assert made.wait_connected(PATIENCE), made.last_error
        yield made
    finally:
        made.close()
        assert not made._io._thread.is_alive()


class Told:
    """Collects what a callback is told, and waits for it."""

    def __init__(self) -> None:
        self.all: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, *what: object) -> None:
        with self._changed:
            self.all.append(what[0] if len(what) == 1 else what)
            self._changed.notify_all()

    def wait(self, count: int, seconds: float = PATIENCE) -> list[object]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= count, seconds), f"{len(self.all)} of {count}"
            return list(self.all)


def acking(told: Told) -> Callable[[Delivery], None]:
    """An `on_delivery` that tells the message id and acks."""

    def on_delivery(delivery: Delivery) -> None:
        told(delivery.message_id)
        delivery.ack()

    return on_delivery


def outcome(line: AmqpTransport, envelope: Envelope) -> object:
    told = Told()
    line.publish(envelope, told)
    return told.wait(1)[0]


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"in {seconds:g} s not true: {what}"
        time.sleep(0.02)


def with_login(url: str, user: str, password: str) -> str:
    return re.sub(r"//.*@", f"//{user}:{password}@", url)


def deaf_server() -> socket.socket:
    """A server that accepts and never speaks."""
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def deaf_port() -> Iterator[int]:
    """The port of such a server."""
    with deaf_server() as server:
        yield int(server.getsockname()[1])


# Connecting


def test_the_constructor_returns_before_there_is_a_connection() -> None:
    with deaf_port() as port, transport(f"{LOCAL}:{port}", connected=False) as line:
        assert not line.connected
        assert line.wait_connected(0.05) is False
        assert line.address == f"127.0.0.1:{port}/"


def test_the_next_host_is_tried_when_the_first_refuses(rabbit_url: str) -> None:
    with transport([f"{LOCAL}:{free_port()}", rabbit_url]) as line:
        assert line.address == f"{rabbit_url.rpartition('@')[2].partition('/')[0]}/{vhost_name(rabbit_url).strip('/')}"


def test_a_transport_that_never_connected_answers_everything_and_closes() -> None:
    line, told = AmqpTransport(f"{LOCAL}:{free_port()}", name="test"), Told()
    line.publish(Envelope("e", "k", b""), told)
    assert told.wait(1) == [Outcome.OFFLINE]
    with pytest.raises(NotConnected, match=r"declaring failed, broker 127\.0\.0\.1:\d+/: Connection refused"):
        line.declare(THING, timeout=0.3)
    with pytest.raises(NotConnected):
        line.inspect("q", timeout=0.1)
    consumer = line.consume("q", told)
    consumer.cancel()
    line.close()
    line.close()
    assert not line._io._thread.is_alive()
    line.publish(Envelope("e", "k", b""), told)
    assert told.wait(2) == [Outcome.OFFLINE] * 2
    with pytest.raises(Closed):
        line.declare(THING)


@pytest.mark.parametrize(
    ("make_url", "says"),
    [
        (lambda url: with_login(url, "guest", SECRET), "refused"),
        (lambda url: f"{with_login(url, 'guest', 'guest').rpartition('/')[0]}/no-such-vhost", "vhost"),
    ],
)
def test_a_refused_login_or_vhost_is_remembered_and_logged_once_without_the_password(
    rabbit_url: str, make_url: Callable[[str], str], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with transport(make_url(rabbit_url), connected=False, random=lambda: 0.0) as line:
        until(lambda: says in line.last_error, f"{says} in {line.last_error!r}")
        with pytest.raises(NotConnected) as caught:
            line.declare(THING, timeout=1.0)
        assert says in str(caught.value)
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [record.name for record in warnings] == ["mas.amqp"]
        for text in (caplog.text, repr(line), str(caught.value), line.last_error, line.address):
            assert SECRET not in text


def test_the_loss_and_the_return_are_each_logged_once(rabbit_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with transport(rabbit_url) as line:
        states = Told()
        line.watch(states)
        caplog.set_level(logging.INFO)
        line.kick()
        states.wait(2)
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"heartbeat": 0}, "heartbeat"), ({"ca_file": "/no/such/file"}, "ca_file")],
)
def test_a_bad_argument_is_refused_by_name(options: dict[str, object], says: str) -> None:
    with pytest.raises(CallerError, match=says):
        AmqpTransport("amqps://localhost", name="test", **options)  # type: ignore[arg-type]


def test_a_tls_url_to_a_plain_port_says_that_tls_failed(rabbit_url: str) -> None:
    with transport(rabbit_url.replace("amqp://", "amqps://"), connected=False) as line:
        until(lambda: bool(line.last_error), "an error")
        assert not line.connected


# Publishing


def test_a_missing_exchange_is_no_route_for_its_publish_and_the_channel_serves_on(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        states = Told()
        line.watch(states)
        assert outcome(line, Envelope("missing", "k", b"1")) is Outcome.NO_ROUTE
        assert outcome(line, Envelope("e", "k", b"2")) is Outcome.CONFIRMED
        assert states.all == []


def test_beside_a_publish_to_a_missing_exchange_nothing_is_claimed_that_is_not_so(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        told: dict[str, Told] = {}
        for number in range(300):
            exchange = "missing" if number == 150 else "e"
            message_id = f"{exchange}-{number}"
            line.publish(Envelope(exchange, "k", b"", message_id), told.setdefault(message_id, Told()))
        outcomes = {message_id: one.wait(1)[0] for message_id, one in told.items()}
        assert outcomes["missing-150"] is Outcome.NO_ROUTE
        assert set(outcomes.values()) <= {Outcome.CONFIRMED, Outcome.LOST, Outcome.NO_ROUTE}
        confirmed = {message_id for message_id, one in outcomes.items() if one is Outcome.CONFIRMED}
        arrived = Told()
        line.consume("q", acking(arrived))
        assert outcome(line, Envelope("e", "k", b"", "mark")) is Outcome.CONFIRMED
        until(lambda: "mark" in arrived.all, "the mark")
        assert confirmed <= set(arrived.all)
        assert all(len(one.all) == 1 for one in told.values())


def test_returns_find_their_publish_when_message_ids_are_empty_or_equal(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        keys = ["k", "x", "k", "k", "x", "x", "k"] * 20
        told = [Told() for _ in keys]
        for number, (key, one) in enumerate(zip(keys, told, strict=True)):
            line.publish(Envelope("e", key, b"", "same" if number % 2 else ""), one)
        expected = [Outcome.CONFIRMED if key == "k" else Outcome.NO_ROUTE for key in keys]
        assert [one.wait(1)[0] for one in told] == expected


def test_a_message_carries_user_app_and_content_type(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        assert outcome(line, Envelope("e", "k", b"body", "id", "order", 60_000)) is Outcome.CONFIRMED
        with closing(pika.BlockingConnection(pika.URLParameters(rabbit_url))) as other:
            _, properties, body = other.channel().basic_get("q", auto_ack=True)
        assert (properties.user_id, properties.app_id, body) == ("guest", "test", b"body")
        assert (properties.content_type, properties.delivery_mode) == ("application/x-msgpack", 2)
        assert abs(properties.timestamp - time.time()) < 60
        assert properties.expiration == "60000"


def test_what_cannot_be_encoded_is_refused_and_harms_no_other(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        assert outcome(line, Envelope("e" * 300, "k", b"")) is Outcome.REFUSED
        assert outcome(line, Envelope("e", "k", b"", headers={"h": object()})) is Outcome.REFUSED  # type: ignore[dict-item]
        assert outcome(line, Envelope("e", "k", b"")) is Outcome.CONFIRMED
        with pytest.raises(InvalidField, match="ttl_ms=-1"):
            line.publish(Envelope("e", "k", b"", ttl_ms=-1))


def test_more_than_the_outbox_holds_is_refused_at_once(rabbit_url: str) -> None:
    with transport(rabbit_url, outbox_limit=10) as line:
        line.declare(THING)
        told, held = Told(), threading.Event()
        line.publish(Envelope("e", "k", b""), lambda _: _wait(held))
        time.sleep(0.2)  # the I/O thread is in that callback now
        for _ in range(25):
            line.publish(Envelope("e", "k", b""), told)
        held.set()
        outcomes = told.wait(25)
        assert outcomes.count(Outcome.CONFIRMED) == 10 and outcomes.count(Outcome.REFUSED) == 15


def test_a_blocked_broker_refuses_at_once_and_holds_what_it_has(rabbit: Rabbit, rabbit_url: str) -> None:
    _ = rabbit.node
    with transport(rabbit_url) as line:
        line.declare(THING)
        rabbit.set_alarm(True)
        try:
            first = Told()
            line.publish(Envelope("e", "k", b""), first)  # a broker blocks whom it sees publishing
            until(lambda: outcome_soon(line) is Outcome.BLOCKED, "publishing is blocked")
            assert line.connected
            assert line.inspect("q") is not None
        finally:
            rabbit.set_alarm(False)
        assert first.wait(1) == [Outcome.CONFIRMED]
        until(lambda: outcome_soon(line) is Outcome.CONFIRMED, "publishing goes on")


def _wait(event: threading.Event) -> None:
    event.wait(PATIENCE)


def outcome_soon(line: AmqpTransport) -> object:
    """The outcome, or None when there is none within half a second."""
    told = Told()
    line.publish(Envelope("e", "k", b""), told)
    deadline = time.monotonic() + 0.5
    while not told.all and time.monotonic() < deadline:
        time.sleep(0.01)
    return told.all[0] if told.all else None


def test_a_broker_that_stays_blocked_counts_as_lost(rabbit: Rabbit, rabbit_url: str) -> None:
    _ = rabbit.node
    with transport(rabbit_url, blocked_timeout=0.5) as line:
        line.declare(THING)
        states = Told()
        line.watch(states)
        rabbit.set_alarm(True)
        try:
            line.publish(Envelope("e", "k", b""))
            line.publish(Envelope("e", "k", b""))
            lost = states.wait(1)[0]
            assert isinstance(lost, tuple) and lost[0] is False and "blocked publishing" in lost[1]
        finally:
            rabbit.set_alarm(False)
        assert line.wait_connected(PATIENCE)


# Consuming and acks


def test_acks_out_of_order_and_from_another_thread_leave_nothing_behind(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        held: list[Delivery] = []
        line.consume("q", held.append, prefetch=100)
        for _ in range(100):
            line.publish(Envelope("e", "k", b""))
        until(lambda: len(held) == 100, "all are delivered")
        for delivery in [*held[1::2], *held[::-2], *held]:  # the last round repeats every ack
            delivery.ack()
        line.close()
    with transport(rabbit_url) as line:
        info = line.inspect("q")
        assert info is not None and info.messages == 0


def test_an_ack_after_a_reconnect_settles_nothing_of_the_new_connection(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        deliveries: list[Delivery] = []
        line.consume("q", deliveries.append)
        assert outcome(line, Envelope("e", "k", b"", "m")) is Outcome.CONFIRMED
        until(lambda: len(deliveries) == 1, "delivered")
        line.kick()
        until(lambda: len(deliveries) == 2, "delivered again")
        assert deliveries[1].redelivered
        deliveries[0].ack()
        deliveries[0].reject()
        time.sleep(0.2)
        line.kick()
        until(lambda: len(deliveries) == 3, "still the broker's to deliver")
        deliveries[2].ack()


def test_a_consumer_comes_back_when_its_queue_was_deleted_by_somebody(rabbit_url: str) -> None:
    with transport(rabbit_url) as line, transport(rabbit_url) as other:
        line.declare(THING)
        got = Told()
        line.consume("q", acking(got))
        other.forget([Queue("q")])
        until(lambda: outcome(line, Envelope("e", "k", b"", "m")) is Outcome.CONFIRMED, "queue and binding are back")
        got.wait(1)
        assert line.connected


def test_a_forgotten_queue_takes_its_consumer_with_it(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        line.consume("q", print)
        line.forget([Queue("q")])
        states = Told()
        line.watch(states)
        line.kick()
        states.wait(2, seconds=5.0)
        assert line.inspect("q") is None


def test_consuming_a_missing_queue_is_refused_and_not_tried_again(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        with pytest.raises(TopologyError, match="queue 'nope' cannot be consumed: NOT_FOUND"):
            line.consume("nope", print)
        states = Told()
        line.watch(states)
        line.kick()
        states.wait(2)  # away and back
        assert line.connected


def test_a_consumer_that_was_cancelled_stays_so_after_a_reconnect(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        got = Told()
        line.consume("q", got).cancel()
        states = Told()
        line.watch(states)
        line.kick()
        states.wait(2)
        info = line.inspect("q")
        assert info is not None and info.consumers == 0


# Declarations


def test_an_unknown_exchange_type_is_a_topology_error_on_every_version(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        with pytest.raises(TopologyError, match=r"exchange 'odd'.*unknown exchange type"):
            line.declare([Exchange("odd", "odd")])
        assert line.wait_connected(PATIENCE)
        line.declare(THING)


def test_another_connections_exclusive_queue_is_none_to_look_at_and_an_error_to_declare(rabbit_url: str) -> None:
    mine = Queue("mine", durable=False, exclusive=True)
    with transport(rabbit_url) as owner, transport(rabbit_url) as other:
        owner.declare([mine])
        assert owner.inspect("mine") is not None
        assert other.inspect("mine") is None
        with pytest.raises(TopologyError, match="queue 'mine': RESOURCE_LOCKED"):
            other.declare([mine])


def test_a_queue_that_another_holds_after_a_cut_is_waited_for(rabbit_url: str) -> None:
    mine = Queue("lock", durable=False, exclusive=True)
    with transport(rabbit_url) as line:
        line.declare([mine])
        with closing(pika.BlockingConnection(pika.URLParameters(rabbit_url))) as thief:
            line.kick()
            until(lambda: _takes(thief, "lock"), "the thief has the lock")
            until(lambda: not line.connected, "the cut is seen")
            assert line.wait_connected(1.0) is False
        assert line.wait_connected(PATIENCE)
        assert line.inspect("lock") is not None


def _takes(connection: pika.BlockingConnection, queue: str) -> bool:
    try:
        connection.channel().queue_declare(queue, exclusive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    return True


def test_no_permission_is_said_by_name(rabbit: Rabbit, rabbit_url: str) -> None:
    user = f"poor-{vhost_name(rabbit_url)}"
    rabbit.ctl(f"add_user '{user}' {SECRET}")
    rabbit.ctl(f"set_permissions -p '{vhost_name(rabbit_url)}' '{user}' '^allowed' '^allowed' '^allowed'")
    with transport(rabbit_url) as rich, transport(with_login(rabbit_url, user, SECRET)) as line:
        rich.declare(THING)
        with pytest.raises(TopologyError, match=r"(?s)queue 'forbidden'.*ACCESS_REFUSED"):
            line.declare([Queue("allowed"), Queue("forbidden")])
        assert outcome(line, Envelope("e", "k", b"")) is Outcome.REFUSED
        assert line.connected


# Threads and processes


def test_waiting_inside_a_callback_is_an_error_at_once_and_not_a_deadlock(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        errors = Told()

        def misuse(_: Outcome) -> None:
            calls: list[Callable[[], object]] = [
                lambda: line.declare(THING),
                lambda: line.inspect("q"),
                lambda: line.has_exchange("e"),
                lambda: line.forget(THING),
                lambda: line.wait_connected(1),
                lambda: line.consume("q", print),
                line.close,
            ]
            for call in calls:
                try:
                    call()
                except CallerError as error:
                    errors(str(error))

        line.publish(Envelope("e", "k", b""), misuse)
        assert all("from a callback" in str(text) for text in errors.wait(7))


def test_callbacks_that_raise_are_logged_and_the_line_lives_on(
    rabbit_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a user's mistake")

    with transport(rabbit_url) as line:
        line.declare(THING)
        line.watch(broken)
        line.consume("q", broken)
        line.publish(Envelope("e", "k", b""), broken)
        until(lambda: caplog.text.count("RuntimeError: a user's mistake") >= 2, "both are logged")
        line.kick()
        until(lambda: caplog.text.count("RuntimeError: a user's mistake") >= 4, "and those of the watcher")
        assert line.wait_connected(PATIENCE)


def test_the_loop_itself_may_fail_and_the_line_comes_back(rabbit_url: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("as if pika had a bug")

    with transport(rabbit_url) as line:
        line.declare(THING)
        states = Told()
        line.watch(states)
        loop = line._io.loop
        for schedule in (partial(loop.add_callback_threadsafe, fail), partial(loop.call_later, 0, fail)):
            line._post(schedule)
            states.wait(2)
            states.all.clear()
            assert outcome(line, Envelope("e", "k", b"")) is Outcome.CONFIRMED
        assert "as if pika had a bug" in caplog.text


def test_publishing_from_an_outcome_is_allowed(rabbit_url: str) -> None:
    with transport(rabbit_url) as line:
        line.declare(THING)
        told = Told()
        line.publish(Envelope("e", "k", b""), lambda _: line.publish(Envelope("e", "k", b""), told))
        assert told.wait(1) == [Outcome.CONFIRMED]


def test_close_waits_for_confirms(rabbit_url: str) -> None:
    line, told = AmqpTransport(rabbit_url, name="test"), Told()
    line.declare(THING)
    for _ in range(500):
        line.publish(Envelope("e", "k", b"x" * 1000), told)
    line.close()
    assert told.all == [Outcome.CONFIRMED] * 500


def test_close_keeps_its_deadline_when_the_broker_is_silent() -> None:
    with deaf_port() as port:
        line = AmqpTransport(f"{LOCAL}:{port}", name="test")
        time.sleep(0.1)
        began = time.monotonic()
        line.close(timeout=1.0)
        assert time.monotonic() - began < 1.5
        assert not line._io._thread.is_alive()


def test_a_close_in_the_moment_of_the_loss_leaves_no_socket_behind() -> None:
    with deaf_server() as server, closing(AmqpTransport(f"{LOCAL}:{server.getsockname()[1]}", name="test")) as line:
        sides = [server.accept()[0] for _ in ("publish", "consume")]
        assert [side.recv(4) for side in sides] == [b"AMQP"] * 2  # both have spoken: pika holds them by now

        def lose_and_close() -> None:
            assert line._link.session is not None
            line._link.session.fail("as if the broker had gone")
            line._begin_close(0.0, 0.0)

        line._io.post(lose_and_close)
        assert line._io.join(PATIENCE)
        ours = {each.raddr for each in psutil.Process().net_connections() if each.status == "ESTABLISHED"}
        assert not ours & {side.getsockname() for side in sides}
        for side in sides:
            side.close()


def test_fifty_connects_leave_no_thread_and_no_file_behind(rabbit_url: str) -> None:
    process = psutil.Process()

    def once() -> None:
        with transport(rabbit_url) as line:
            line.declare(THING)
            line.consume("q", print).cancel()

    once()
    gc.collect()
    threads = threading.active_count()
    files = _open_files(process)
    for _ in range(50):
        once()
    gc.collect()
    assert threading.active_count() <= threads
    assert _open_files(process) <= files + 1


def test_reconnects_leave_no_file_and_no_connection_behind_even_while_deliveries_are_held(rabbit_url: str) -> None:
    with transport(rabbit_url, random=lambda: 0.0) as line:
        line.declare(THING)
        held: list[Delivery] = []
        line.consume("q", held.append)
        assert outcome(line, Envelope("e", "k", b"")) is Outcome.CONFIRMED
        states = Told()
        line.watch(states)
        process = psutil.Process()
        files = _open_files(process)
        for round_ in range(1, 21):
            line.kick()
            states.wait(2 * round_)
        assert _open_files(process) <= files + 1
        gc.collect()
        assert len(held) > 2
        assert sum(type(each).__name__ == "Wire" for each in gc.get_objects()) == 2


def _open_files(process: psutil.Process) -> int:
    count = getattr(process, "num_fds", None) or process.num_handles  # type: ignore[attr-defined]  # of Windows only
    return int(count())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_refused_and_the_parents_line_unharmed(rabbit_url: str) -> None:
    program = textwrap.dedent("""
        import os, sys, threading
        from mas_router.amqp import AmqpTransport
        from mas_router.errors import CallerError
        from mas_router.transport import Envelope, Outcome
        line = AmqpTransport(sys.argv[1], name="parent")
        assert line.wait_connected(30)
        child = os.fork()
        if child == 0:
            refused = 0
            for call in (lambda: line.publish(Envelope("", "q", b"")), lambda: line.inspect("q"), line.kick):
                try:
                    call()
                except CallerError as error:
                    refused += "fork" in str(error)
            line.close()
            os._exit(0 if refused == 3 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        told, done = [], threading.Event()
        line.publish(Envelope("", "nowhere", b""), lambda outcome: (told.append(outcome), done.set()))
        assert done.wait(30) and told == [Outcome.NO_ROUTE], told
        line.close()
    """)
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, rabbit_url],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# The broker goes


def test_a_killed_broker_loses_nothing_that_was_confirmed(rabbit: Rabbit, rabbit_url: str) -> None:
    _ = rabbit.node
    with transport(rabbit_url) as line:
        line.declare([*topology.live_account("X", "1"), *THING])
        told: dict[str, Told] = {}
        for number in range(400):
            message_id = str(number)
            line.publish(Envelope("e", "k", b"", message_id), told.setdefault(message_id, Told()))
        until(lambda: any(one.all for one in told.values()), "the first confirm")
        rabbit.kill()
        try:
            outcomes = {message_id: one.wait(1)[0] for message_id, one in told.items()}
            until(lambda: not line.connected, "the loss is seen")
            assert outcome(line, Envelope("e", "k", b"")) is Outcome.OFFLINE
        finally:
            rabbit.start()
        assert line.wait_connected(PATIENCE)
        assert set(outcomes.values()) <= {Outcome.CONFIRMED, Outcome.LOST, Outcome.OFFLINE}
        arrived = Told()
        line.consume("q", acking(arrived))
        assert outcome(line, Envelope("e", "k", b"", "mark")) is Outcome.CONFIRMED
        until(lambda: "mark" in arrived.all, "the mark")
        confirmed = {message_id for message_id, one in outcomes.items() if one is Outcome.CONFIRMED}
        never_sent = {message_id for message_id, one in outcomes.items() if one is Outcome.OFFLINE}
        assert confirmed and confirmed <= set(arrived.all)
        assert never_sent.isdisjoint(arrived.all)


# TLS


def test_tls_verifies_the_server_by_the_given_ca(rabbit_url: str, tmp_path: Path) -> None:
    """A TLS front before the plain port: what is tested is our end."""
    from tests.integration.tls_front import TlsFront

    with TlsFront(rabbit_url, tmp_path) as front:
        with transport(front.url, ca_file=str(front.ca_file)) as line:
            line.declare(THING)
            assert outcome(line, Envelope("e", "k", b"x" * 60_000)) is Outcome.CONFIRMED
        with transport(front.url, connected=False) as line:
            until(lambda: "TLS failed" in line.last_error, "the unknown certificate is refused")

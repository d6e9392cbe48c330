"""The broker that the other tests rely on does what they rely on."""

from __future__ import annotations

from typing import Any

import docker
import pika
import pytest
from pika.exceptions import AMQPConnectionError, AMQPError
from testcontainers.core import container

from mas.testing.nodes import LocalNode
from tests.rabbit import Rabbit, wait_until


def connect(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(url))


def send(url: str, queue: str, durable: bool = True) -> None:
    with connect(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=durable)
        channel.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)


@pytest.fixture
def owned(rabbit: Rabbit) -> Rabbit:
    """A broker that the test may hurt."""
    if not rabbit.can_control:
        pytest.skip("the broker of MAS_TEST_URL is not ours to control")
    return rabbit


def test_a_vhost_is_fresh_and_shows_its_queues_by_name_or_url(rabbit: Rabbit, rabbit_url: str) -> None:
    if rabbit.can_control:
        assert rabbit.queues(rabbit_url) == {}
    send(rabbit_url, "fixture.counted")
    if rabbit.can_control:
        wait_until(lambda: rabbit.queues(rabbit_url) == {"fixture.counted": 1}, "the message to be counted")


def test_two_vhosts_do_not_see_each_other(owned: Rabbit) -> None:
    with owned.vhost() as one, owned.vhost() as other:
        send(one, "fixture.private")
        assert one != other
        assert owned.queues(other) == {}


def test_a_stopped_broker_drops_connections_refuses_and_comes_back_with_its_messages(
    owned: Rabbit, rabbit_url: str
) -> None:
    send(rabbit_url, "fixture.durable")
    held = connect(rabbit_url)
    owned.stop()
    with pytest.raises(AMQPError):
        held.process_data_events(time_limit=5)
    with pytest.raises(AMQPConnectionError):
        connect(rabbit_url)
    owned.start()
    with connect(rabbit_url) as connection:
        assert connection.channel().basic_get("fixture.durable", auto_ack=True)[2] == b"kept"


def test_a_killed_broker_refuses_and_keeps_what_it_confirmed(owned: Rabbit, rabbit_url: str) -> None:
    send(rabbit_url, "fixture.killed")
    # A confirm is about the message. The queue, declared a moment ago, may be in the metadata store's memory only.
    owned.ctl("eval 'mnesia:dump_log().'")
    owned.kill()
    with pytest.raises(AMQPConnectionError):
        connect(rabbit_url)
    owned.start()
    wait_until(lambda: owned.queues(rabbit_url) == {"fixture.killed": 1}, "the confirmed message to be back")


def test_a_broker_that_a_failed_test_left_stopped_is_revived(owned: Rabbit) -> None:
    owned.stop()
    owned.revive()
    connect(owned.url).close()
    owned.revive()


def test_ctrl_c_while_a_broker_starts_leaves_nothing_behind(owned: Rabbit, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    kind = LocalNode if owned.kind == "local" else container.DockerContainer
    start = kind.start

    def interrupted(node: Any) -> None:
        start(node)
        begun.append(node)
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        type(owned.node)()  # type: ignore[call-arg]  # either kind is made without arguments
    (node,) = begun
    if owned.kind == "local":
        assert not node.alive()
        assert node._epmd.poll() is not None
        assert not node._home.exists()
    else:
        with pytest.raises(docker.errors.NotFound):
            node.get_wrapped_container().reload()


def test_the_memory_alarm_blocks_a_publisher_until_it_is_cleared(owned: Rabbit, rabbit_url: str) -> None:
    news: list[str] = []
    with connect(rabbit_url) as connection:
        connection.add_on_connection_blocked_callback(lambda *_: news.append("blocked"))
        connection.add_on_connection_unblocked_callback(lambda *_: news.append("unblocked"))
        channel = connection.channel()
        channel.queue_declare("fixture.alarm")
        owned.set_alarm(on=True)
        try:
            channel.basic_publish("", "fixture.alarm", b"x")
            connection.process_data_events(time_limit=5)
            assert news == ["blocked"]
        finally:
            owned.set_alarm(on=False)
        connection.process_data_events(time_limit=5)
        assert news == ["blocked", "unblocked"]


def test_connections_are_listed_and_can_be_closed_by_the_broker(owned: Rabbit, rabbit_url: str) -> None:
    held = connect(rabbit_url)
    vhost = rabbit_url.rpartition("/")[2]
    assert [row["user"] for row in owned.connections if row["vhost"] == vhost] == ["guest"]
    owned.close_connections(rabbit_url)
    with pytest.raises(AMQPError):
        held.process_data_events(time_limit=5)
    wait_until(lambda: all(row["vhost"] != vhost for row in owned.connections), "the connection to be gone")

"""The RabbitMQ of a test run: found or started, with a vhost for each test, and hurt on purpose.

One router belongs to one pytest process: under xdist each worker starts its own, so a test that stops its router
disturbs nobody.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import pytest

from mas.testing.nodes import IMAGE, DockerNode, LocalNode, Node, Unavailable
from mas_router.amqp import AmqpTransport
from mas_router.errors import CallerError, InvalidField

READY_SECONDS = 90.0
PROBE_SECONDS = 5.0
VHOSTS_AT_ONCE = 10  # rabbitmqctl takes a second per call, so vhosts are made by the batch
HELP = """No RabbitMQ for the tests that need one. Do one of these:
  - start Docker (the tests run {image} in a container), or
  - install rabbitmq-server (the tests start a private node of it), or
  - name a running broker: MAS_TEST_URL=amqp://user:password@host:5672/vhost (tests that stop it are skipped), or
  - leave these tests out: pytest -m "not broker"
What was tried:
"""
Make = Callable[[], Node]
KINDS: Final[dict[str, Make]] = {"docker": DockerNode, "local": LocalNode}


class Router:
    """A running broker. `url` names its default vhost; `kind` is docker, local or url."""

    def __init__(self, url: str, node: Node | None = None) -> None:
        self.url = url
        self.kind = node.kind if node else "url"
        self._node = node
        self._vhosts: list[str] = []
        self._made = 0
        self.wait_ready()

    @property
    def can_control(self) -> bool:
        """Whether this broker is the tests' own, to be stopped, killed and alarmed."""
        return self._node is not None

    @property
    def node(self) -> Node:
        """What `rabbitmqctl` and the signals go to. Skips the test when the broker is somebody else's."""
        if self._node is None:
            pytest.skip("the broker of MAS_TEST_URL is not ours to control")
        return self._node

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """The URL of a fresh, empty vhost; on the broker of MAS_TEST_URL, that URL itself.

        A used vhost stays until the broker goes: deleting it would cost each test a second.
        """
        if not self.can_control:
            yield self.url
            return
        if not self._vhosts:
            self._make_vhosts()
        yield f"{self.url.rsplit('/', 1)[0]}/{quote(self._vhosts.pop(0), safe='')}"

    def _make_vhosts(self) -> None:
        names = [f"test-{self._made + i}" for i in range(VHOSTS_AT_ONCE)]
        self._made += VHOSTS_AT_ONCE
        everything = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
        wanted = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **everything} for name in names],
        }
        # A file, because RabbitMQ 4's rabbitmqctl does not see the end of its standard input in a container.
        save = f"file=$(mktemp) && echo '{json.dumps(wanted)}' >$file"
        code, output = self.node.shell(f"{save} && rabbitmqctl -q import_definitions $file && rm $file")
        if code:
            raise Unavailable(f"no vhosts could be made: {output}")
        self._vhosts += names

    def ctl(self, command: str) -> str:
        """What `rabbitmqctl -q <command>` prints; the words are a shell's, quote them so."""
        code, output = self.node.shell(f"rabbitmqctl -q {command}")
        if code:
            raise CallerError(f"rabbitmqctl {command}: exit {code}\n{output}")
        return output

    def queues(self, vhost: str) -> dict[str, int]:
        """Queue name -> messages, ready and unacknowledged, in a vhost given by name or URL."""
        rows = json.loads(self.ctl(f"list_queues -p '{vhost_name(vhost)}' name messages --formatter json"))
        return {row["name"]: int(row["messages"]) for row in rows}

    @property
    def connections(self) -> list[dict[str, Any]]:
        """The open AMQP connections: name (addresses and ports), user, vhost, state."""
        rows: list[dict[str, Any]] = json.loads(self.ctl("list_connections name user vhost state --formatter json"))
        return rows

    def close_connections(self, vhost: str) -> None:
        """Have the broker close every connection to a vhost, as an operator would."""
        self.ctl(f"close_all_connections -p '{vhost_name(vhost)}' 'closed by a test'")

    def stop(self) -> None:
        """Shut the broker down: connections drop and its port refuses. `start` brings it back under the same URL."""
        self.node.stop()

    def kill(self) -> None:
        """End the broker as a power cut does, with SIGKILL."""
        self.node.kill()

    def start(self) -> None:
        """Start the stopped broker, and return when it serves."""
        self.node.start()
        self.wait_ready()

    def revive(self) -> None:
        """Bring the broker back if a test that failed has left it stopped."""
        if self._node is not None and not _answers(self.url):
            self.stop()
            self.start()

    def set_alarm(self, on: bool) -> None:
        """Raise or clear the memory alarm, which blocks every connection that publishes; return once it holds."""
        self.ctl("set_vm_memory_high_watermark " + ("absolute 1" if on else "0.6"))
        check = "rabbitmq-diagnostics -q check_local_alarms"
        wait_until(lambda: (self.node.shell(check)[0] != 0) is on, f"memory alarm {'on' if on else 'off'}")

    def wait_ready(self) -> None:
        """Return when a client can open a connection. A port that accepts is not enough: Docker's does at once."""
        where = self.url.rpartition("@")[2]  # without the password
        try:
            wait_until(self._ready, f"a RabbitMQ that serves at {where}", READY_SECONDS)
        except AssertionError as error:
            raise Unavailable(f"{error}\n{self._node.log() if self._node else ''}") from error

    def _ready(self) -> bool:
        if self._node is not None and not self._node.alive():
            raise AssertionError("the broker ended while it started")
        return _answers(self.url)

    def remove(self) -> None:
        """End the broker if it is ours, and leave nothing behind."""
        if self._node is not None:
            self._node.remove()


def find(kinds: Mapping[str, Make] = KINDS) -> Router:
    """The router of this run: the one of MAS_TEST_URL, else the first of these kinds that can be had.

    MAS_TEST_BROKER=docker or =local takes that kind and no other. Raises `Unavailable` with a text that says what
    to do.
    """
    if url := os.environ.get("MAS_TEST_URL"):
        return Router(url)
    forced = os.environ.get("MAS_TEST_BROKER")
    if forced not in (None, "", *kinds):
        raise InvalidField("MAS_TEST_BROKER", forced, " or ".join(kinds))
    tried = []
    for kind in [forced] if forced else kinds:
        try:
            return _own(kinds[kind]())
        except Unavailable as error:
            tried.append(f"  {kind}: {error}")
    raise Unavailable(HELP.format(image=IMAGE) + "\n".join(tried))


def _own(node: Node) -> Router:
    try:
        return Router(f"{node.url}/%2F", node)
    except BaseException:
        node.remove()
        raise


def vhost_name(vhost: str) -> str:
    """The name of a vhost given by name or by URL."""
    return unquote(urlsplit(vhost).path[1:]) if "://" in vhost else vhost


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll until the condition holds. Raises AssertionError, naming what did not come, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.1)


def _answers(url: str, seconds: float = PROBE_SECONDS) -> bool:
    transport = AmqpTransport(url, name="probe")
    try:
        return transport.wait_connected(seconds)
    finally:
        transport.close(1.0)

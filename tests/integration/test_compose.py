"""The compose file as a user runs it: a broker, two simulators, and an order through them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.exceptions import ProbableAccessDeniedError

import mas
from mas.testing.nodes import free_port
from tests.rabbit import wait_until

ROOT = Path(__file__).parents[2]
WORKERS = 2

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]


class Stack:
    """The services of docker-compose.yml under a project name and ports of their own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": f"mas-test-{os.getpid()}",
            "MAS_AMQP_PORT": str(self.port),
            "MAS_MANAGEMENT_PORT": str(free_port()),
        }

    def compose(self, *arguments: str, seconds: float = 60) -> str:
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def workers(self) -> int:
        """How many simulators beat, asked from inside one of them as an operator would."""
        status = self.compose("exec", "--no-TTY", "sim-worker", "mas", "status", "--json")
        return len(json.loads(status)["workers"])

    def url(self, user: str, vhost: str) -> str:
        return f"amqp://{user}:{user}@127.0.0.1:{self.port}/{vhost}"


def require_docker() -> None:
    """Skip without an engine; where MAS_TEST_BROKER=docker promises one, fail."""
    if shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return
    complain = pytest.fail if os.environ.get("MAS_TEST_BROKER") == "docker" else pytest.skip
    complain("no Docker engine answers, and this test builds and runs images")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require_docker()
    stack = Stack()
    try:
        stack.compose("up", "--detach", "--build", "--wait", "--scale", f"sim-worker={WORKERS}", seconds=480)
        wait_until(lambda: stack.workers() == WORKERS, f"{WORKERS} simulators", 60)
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "20", seconds=120)


def test_an_order_goes_through_the_broker_and_a_simulator_of_the_compose_file(stack: Stack) -> None:
    with mas.Client(url=stack.url("backtest", "backtest")) as client:
        with pytest.warns(mas.NoWorkerWarning):  # the compose file has no MT5 worker
            client.login({"account": "1001", "password": "demo", "server": "Demo"})
        order = client.send_order({"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True})
    assert order.ok, order


def test_the_backtest_user_cannot_open_the_live_vhost(stack: Stack) -> None:
    with pytest.raises(ProbableAccessDeniedError):
        pika.BlockingConnection(pika.URLParameters(stack.url("backtest", "live")))


def test_a_stopped_simulator_ends_by_itself_and_cleanly(stack: Stack) -> None:
    stack.compose("stop", "--timeout", "20", "sim-worker")
    codes = stack.compose("ps", "--all", "--format", "{{.ExitCode}}", "sim-worker").split()
    assert codes == ["0"] * WORKERS

"""Fixtures whose every test runs once per message broker: `line` for transports, `world` for whole systems, `stage` for
numbered cases of execution.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mas.testing.workers import worker_processes
from tests.conformance.cases import CASES
from tests.conformance.execution import Stage, market_file
from tests.conformance.harness import Line, MemoryLine, RabbitLine
from tests.conformance.sdk_harness import World
from tests.conformance.stages import ReplayStage

#: What the RabbitMQ half of each fixture needs, by the name of the fixture.
BROKER = {"line": ["rabbit", "rabbit_url"], "world": ["rabbit"], "stage": ["rabbit"]}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the RabbitMQ half ask for its broker by name, so that it is marked, and started before the first test."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return
    for name, needed in BROKER.items():
        if item.callspec.params.get(name) == "rabbitmq":
            # Not appended: the items of one test function share the list.
            item.fixturenames = [*needed, *item.fixturenames]


@pytest.fixture(params=["memory", "rabbitmq"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """A broker under test, with nothing in it yet."""
    made: Line
    if request.param == "memory":
        made = MemoryLine()
    else:
        made = RabbitLine(request.getfixturevalue("rabbit"), request.getfixturevalue("rabbit_url"))
    yield made
    made.close()


@pytest.fixture(scope="session", params=["embedded", "rabbitmq"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Where clients trade: the simulator in this process, or one worker process behind RabbitMQ for all tests."""
    data = tmp_path_factory.mktemp("catalog")
    if request.param == "embedded":
        yield World("", data)
        return
    rabbit = request.getfixturevalue("rabbit")
    rabbit.revive()
    with rabbit.vhost() as url, worker_processes(data) as workers:
        workers.start(url, "conformance", slots=200)
        yield World(url, data)


@pytest.fixture(scope="session", params=["embedded", "rabbitmq"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where cases are played: a replay in this process, or on a worker process behind RabbitMQ."""
    data = tmp_path_factory.mktemp("cases")
    market = data / "market.toml"
    market.write_text(market_file(CASES.values()), encoding="utf-8")
    if request.param == "embedded":
        yield ReplayStage("", data, market)
        return
    rabbit = request.getfixturevalue("rabbit")
    rabbit.revive()
    with rabbit.vhost() as url, worker_processes(data) as workers:
        workers.start(url, "stage", slots=8, market=market)
        yield ReplayStage(url, data, market)

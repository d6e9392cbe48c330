"""The fixture `line`: every test of the suite runs once per message broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.harness import Line, MemoryLine, RabbitLine


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the RabbitMQ half ask for its broker by name, so that it is marked, and started before the first test."""
    if (
        isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("line") == "rabbitmq"
    ):
        # Not appended: the items of one test function share the list.
        assert isinstance(item, pytest.Function)
        item.fixturenames = ["rabbit", "rabbit_url", *item.fixturenames]


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

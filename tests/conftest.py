"""Fixtures for all tests: the RabbitMQ of this run, and a fresh vhost of it for each test."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.rabbit import Rabbit

BROKER_FIXTURES = {"rabbit", "rabbit_url"}
# A busy machine is no finding: what a test may take is the time-out of pytest. Hypothesis itself sees CI, and searches
# the same examples there at every run, so that a commit has one verdict; elsewhere it looks for new ones each time.
settings.register_profile("mas", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mas")

FOUND: pytest.StashKey[Rabbit | str] = pytest.StashKey()


def _needs_broker(item: pytest.Item) -> bool:
    return not BROKER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)  # before -m selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _needs_broker(item):
            item.add_marker("broker")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the broker before the first test, not inside it, where it would count against that test's time-out."""
    if session.config.option.collectonly or not any(map(_needs_broker, session.items)):
        return
    from mas.testing.nodes import Unavailable
    from tests.rabbit import find, version

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run that is ended removes its broker too
    try:
        found = find(lambda text: _announce(session, text))
    except Unavailable as error:
        session.config.stash[FOUND] = str(error)
        return
    session.config.stash[FOUND] = found
    _announce(session, f"RabbitMQ {version(found.url)} ({found.kind}) at {found.url.rpartition('@')[2]}")


def _announce(session: pytest.Session, text: str) -> None:
    if reporter := session.config.pluginmanager.get_plugin("terminalreporter"):
        reporter.ensure_newline()
        reporter.write_line(text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    found = session.config.stash.get(FOUND, None)
    if found is not None and not isinstance(found, str):
        found.remove()


@pytest.fixture(scope="session")
def rabbit(pytestconfig: pytest.Config) -> Rabbit:
    """The RabbitMQ of this run; see `tests.rabbit`. A test that stops it starts it again."""
    found = pytestconfig.stash[FOUND]
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    return found


@pytest.fixture
def rabbit_url(rabbit: Rabbit) -> Iterator[str]:
    """The URL of a vhost that no other test uses, on a broker that runs."""
    rabbit.revive()
    with rabbit.vhost() as url:
        yield url

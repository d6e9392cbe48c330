"""A router, workers, accounts and terminals for the tests of a fleet.

`pytest_plugins = ["mas.testing"]` in `conftest.py` gives:

| fixture        | what it gives                                                                          |
| -------------- | -------------------------------------------------------------------------------------- |
| `mas_rabbit`   | the RabbitMQ of the run (`Router`): stop it, kill it, look into its queues             |
| `mas_router`   | the URL of an empty vhost of it, for this test                                         |
| `mas_workers`  | starts simulator workers on it: `mas_workers(2, market="my-broker.toml")`              |
| `mas_account`  | clients that are logged in: `mas_account(Strategy, account=1001)`                      |
| `mas_terminal` | a simulated MetaTrader 5: `mas_terminal("suffix-lag", accounts=[5001])`                |

With MAS_TEST_BROKER=embedded there is no RabbitMQ and there are no workers: the same tests run in one process.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar, overload

import pytest

import mas
from mas.testing.nodes import Unavailable
from mas.testing.router import Router, find
from mas.testing.terminals import Broker, BrokerStarter
from mas.testing.workers import WorkerProcess, worker_processes

__all__ = [
    "Accounts",
    "Broker",
    "BrokerStarter",
    "Router",
    "WorkerProcess",
    "WorkerStarter",
    "mas_account",
    "mas_rabbit",
    "mas_router",
    "mas_terminal",
    "mas_workers",
]

C = TypeVar("C", bound=mas.Client)
SERVER = "Test-Server"


def is_embedded() -> bool:
    """Whether the tests run without a RabbitMQ."""
    return os.environ.get("MAS_TEST_BROKER") == "embedded"


@pytest.fixture(scope="session")
def mas_rabbit() -> Iterator[Router]:
    """The RabbitMQ of this run: MAS_TEST_URL, else one in Docker, else a private node of an installed server."""
    if is_embedded():
        pytest.skip("this test is about a RabbitMQ, and MAS_TEST_BROKER=embedded does without")
    try:
        router = find()
    except Unavailable as error:
        pytest.fail(str(error), pytrace=False)
    yield router
    router.remove()


@pytest.fixture
def mas_router(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a vhost that no other test uses; an empty text means: embedded."""
    if is_embedded():
        yield ""
        return
    router: Router = request.getfixturevalue("mas_rabbit")
    router.revive()
    with router.vhost() as url:
        yield url


class WorkerStarter:
    """Starts simulator workers for one test; they end with it."""

    def __init__(self, url: str, stack: ExitStack, data: Path) -> None:
        self._url, self._data = url, data
        self._workers = stack.enter_context(worker_processes(data))
        self.market: Path | None = None

    def __call__(
        self, count: int = 1, *, data: str | Path | None = None, market: str | Path | None = None, slots: int = 32
    ) -> list[WorkerProcess]:
        """Start so many more, and return when they serve. `data`: a quote catalog, `market`: a market file."""
        self._data = Path(data) if data else self._data
        self.market = Path(market) if market else self.market
        if not self._url:
            return []
        first = len(self._workers.started) + 1
        names = [f"worker-{number}" for number in range(first, first + count)]
        return self._workers.start(self._url, *names, slots=slots, data=self._data, market=self.market)

    @property
    def data(self) -> Path:
        """The catalog of quotes; empty, unless one was given."""
        return self._data

    @property
    def started(self) -> list[WorkerProcess]:
        return self._workers.started


@pytest.fixture
def mas_workers(mas_router: str, tmp_path: Path) -> Iterator[WorkerStarter]:
    """Starts simulator workers: `mas_workers(2)`."""
    with ExitStack() as stack:
        yield WorkerStarter(mas_router, stack, tmp_path)


class Accounts:
    """Makes clients for one test; they are closed at its end."""

    def __init__(self, url: str, workers: WorkerStarter, stack: ExitStack) -> None:
        self._url, self._workers, self._stack = url, workers, stack

    @overload
    def __call__(self, *, account: int | str = ..., server: str = ..., **settings: Any) -> mas.Client: ...

    @overload
    def __call__(self, kind: type[C], *, account: int | str = ..., server: str = ..., **settings: Any) -> C: ...

    def __call__(
        self, kind: type[Any] = mas.Client, *, account: int | str = 1001, server: str = SERVER, **settings: Any
    ) -> Any:
        """A client of this class, logged in. A worker is started if there is none yet.

        `settings` go to the class. Without a RabbitMQ they get the workers' `data` and `market`.
        """
        if not self._workers.started:
            self._workers()
        if not self._url:
            settings = {"data": self._workers.data, "market": self._workers.market, **settings}
        client = self._stack.enter_context(kind(self._url, **settings))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mas.NoWorkerWarning)  # simulated accounts need no MT5 worker
            client.login({"account": account, "password": "in-a-test", "server": server})
        return client


@pytest.fixture
def mas_account(mas_router: str, mas_workers: WorkerStarter) -> Iterator[Accounts]:
    """Makes clients that are logged in: `mas_account(Strategy, account=1001)`."""
    with ExitStack() as stack:
        yield Accounts(mas_router, mas_workers, stack)


@pytest.fixture
def mas_terminal() -> Iterator[BrokerStarter]:
    """Starts simulated trade servers: `mas_terminal("suffix-lag", accounts=[5001])`."""
    with ExitStack() as stack:
        yield BrokerStarter(stack)

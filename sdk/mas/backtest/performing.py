"""One run in this process: import the strategy, make it, replay the quotes, read off the figures."""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mas.backtest import measure, plan, strategy
from mas.backtest.parameters import named, require_all
from mas.backtest.plan import Subscription
from mas.backtest.points import Point
from mas.backtest.strategy import Source
from mas.client import Client
from mas_router.errors import CallerError, DataMissing, RemoteError
from mas_router.messages import Row, Run, RunResult

#: Every deal of a replay, whatever years it is about.
ALWAYS: Final = {
    "from": datetime(1970, 1, 2, tzinfo=UTC),
    "to": datetime(2262, 1, 1, tzinfo=UTC),
    "backtest_toggle": True,
}
TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of a run, and how long its replay took."""

    kpis: Row
    seconds: float


def perform(run: Run, directory: Path) -> RunResult:
    """What became of a run. Raises nothing: whatever a strategy does is a result, with the place where it did."""
    started = time.perf_counter()
    try:
        outcome = _perform(run, directory)
    except DataMissing as error:
        return _failed(run, "data_missing", str(error))
    except (CallerError, RemoteError) as error:
        return _failed(run, "refused", _told(error, directory))
    except BaseException as error:  # a strategy may raise SystemExit, too
        return _failed(run, "strategy", _told(error, directory))
    return RunResult(id=run.id, status="done", kpis=outcome.kpis, seconds=time.perf_counter() - started)


def _perform(run: Run, directory: Path) -> Outcome:
    job = plan.asked(run)
    path, name = strategy.split(job.strategy)
    source = Source(directory, path)
    if job.code and source.code != job.code:
        raise CallerError(f"the file of {path} here is another version than the one asked for: copy it to {directory}")
    found = strategy.find(strategy.load(source), name)
    known = strategy.settable(found)
    for key, value in job.point.items():
        named("--set", key, known).check(value)
    return replay(found, job.point, job.subscription, _require_embedded)


def _require_embedded(client: Client) -> None:
    """A run happens here, whole. Raises CallerError."""
    if not client._mas.hub.is_embedded("backtest"):
        raise CallerError("the strategy names a RabbitMQ itself: leave `url` out of its __init__")


def replay(
    found: type[Client],
    point: Point,
    one: Subscription,
    before: Callable[[Client], None] = lambda _: None,
    after: Callable[[Client], None] = lambda _: None,
) -> Outcome:
    """Make the strategy and show it the quotes. `before` and `after` see it while it is open.

    Raises whatever the strategy raises, DataMissing, CallerError.
    """
    require_all(strategy.settable(found), point)
    _seed(one.seed)
    client = strategy.make(found, point)
    with client:
        before(client)
        started = time.perf_counter()
        (client.subscribe_bars if one.timeframes else client.subscribe_ticks)(plan.as_params(one))
        seconds = time.perf_counter() - started
        outcome = Outcome(figures(client), seconds)
        after(client)
    return outcome


def _seed(seed: int) -> None:
    """A strategy that draws random numbers draws the same ones, wherever it runs."""
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % 2**32)


def figures(client: Client) -> Row:
    """The figures of the newest replay. Raises RemoteError when its account cannot be read."""
    toggle: dict[str, Any] = {"backtest_toggle": True}
    account = client.get_account_info(toggle)
    if "error" in account:
        raise RemoteError(f"the account of the backtest cannot be read: {account['error']}")
    orders = client.get_history_orders_total(ALWAYS) + client.get_orders_total(toggle)
    bars = max(replayed.row + 1 for replayed in client._mas.hub.backtests.values())
    if not any(deal["order"] for deal in client.get_order_history(ALWAYS)):
        return measure.figures(account, None, orders, 0, bars)
    report = client._mas.reports.report({})
    return measure.figures(account, report.kpis, orders, report.history.deals, bars)


def _failed(run: Run, code: str, text: str) -> RunResult:
    return RunResult(id=run.id, status="failed", code=code, message=" ".join(text.split())[:TEXT])


def _told(error: BaseException, directory: Path) -> str:
    """The error, and the newest line of the strategy's own files that led to it."""
    root = str(directory.resolve())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    known = isinstance(error, CallerError | RemoteError) and not frames
    return f"{error if known else f'{type(error).__name__}: {error}'}{where}"

"""The part of `make bench` about backtests: rows per second beside the peers, and what grows with what.

Each round runs every path once; a ratio is taken inside a round. The catalog is made of synthetic prices, once a run.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import backtest_paths
from processes import ClientProcess, PathFailed, Worker
from stats import Goal, ratios, rotated, spread

BARS, TICKS_MINUTES, FEW = 372_000, 290_000, 20_000
PATIENCE = 600.0
BARE, BACKTESTING, BACKTRADER = "bare loop", "backtesting.py", "backtrader"
EMBEDDED, RABBIT = "embedded", "RabbitMQ"


@dataclass(frozen=True, slots=True)
class Run:
    """One backtest: which client makes it, with which method, and how many orders are in it."""

    name: str
    client: str
    method: str
    given: tuple[int, ...]
    orders: int = 0
    broker: bool = False


def _bars(where: str, every: int) -> Run:
    orders = BARS // every if every else 0
    name = f"bars, order every {every}" if every else "bars, no order"
    return Run(f"{where}: {name}", "backtest_paths:Product", "bars", (BARS, every), orders, where == RABBIT)


RUNS = (
    Run(f"{BARE}: bars", "backtest_paths:Bare", "bars", (BARS, 0)),
    Run(f"{BACKTESTING}: bars, order every 50", "backtest_paths:BacktestingPy", "bars", (BARS, 50)),
    Run(f"{BACKTRADER}: bars, order every 50", "backtest_paths:Backtrader", "bars", (FEW, 50)),
    *(_bars(where, every) for where in (EMBEDDED, RABBIT) for every in (50, 1000, 0)),
    Run(f"{BARE}: ticks", "backtest_paths:Bare", "ticks", (TICKS_MINUTES,)),
    Run(f"{EMBEDDED}: ticks", "backtest_paths:Product", "ticks", (TICKS_MINUTES,)),
)

#: The bare loop is the measure of the machine. Where it reaches 2.7 million bars/s and 3.5 million ticks/s, the goals
#: are 1 million bars/s with an order every 50, 2 million with one every 1000, and 1.5 million ticks/s.
GOALS = (
    Goal(f"{EMBEDDED}: bars, order every 50", f"{BARE}: bars", "rate", 1.0 / 2.7, at_least=True),
    Goal(f"{EMBEDDED}: bars, order every 50", f"{BACKTESTING}: bars, order every 50", "rate", 4.0, at_least=True),
    Goal(f"{EMBEDDED}: bars, order every 1000", f"{BARE}: bars", "rate", 2.0 / 2.7, at_least=True),
    Goal(f"{RABBIT}: bars, no order", f"{EMBEDDED}: bars, no order", "rate", 0.7, at_least=True),
    Goal(f"{EMBEDDED}: ticks", f"{BARE}: ticks", "rate", 1.5 / 3.5, at_least=True),
)
#: Over RabbitMQ: the time of the embedded run and a raw round trip for each order, times this.
WIRE = 1.5
RESTING, POSITIONS, QUOTES = (1, 10, 100, 1000), 50, 10_000_000
QUOTE_RATE = 100e6
YEAR = 30_000_000


class Backtests:
    """One run over all paths. `raw` gives the seconds of one raw round trip over the same broker, newly measured."""

    def __init__(self, url: str, raw: Callable[[], float], stack: ExitStack) -> None:
        self._raw, self._stack = raw, stack
        self._catalog = stack.enter_context(catalog())
        self._clients: dict[tuple[str, str], ClientProcess] = {}
        self._url = url
        self.rounds: dict[str, list[float]] = {run.name: [] for run in RUNS}
        self.wire: dict[str, list[float]] = {run.name: [] for run in RUNS if run.orders and run.broker}
        self.skipped: dict[str, str] = {}
        command = ["-m", "mas_router.cli", "sim-worker"]
        worker = Worker(command, {"MAS_BACKTEST_URL": url, "MAS_DATA": str(self._catalog)})
        stack.callback(worker.close)

    def round(self, turn: int) -> None:
        took: dict[str, float] = {}
        for run in rotated(RUNS, turn):
            if run.name in self.skipped:
                continue
            try:
                count, seconds = self._measure(run)
            except PathFailed as error:
                self.skipped[run.name] = str(error)
                del self.rounds[run.name]
                self.wire.pop(run.name, None)
                continue
            took[run.name] = seconds
            self.rounds[run.name].append(count / seconds)
        for run in RUNS:
            if run.name in self.wire:
                allowed = took[run.name.replace(RABBIT, EMBEDDED)] + run.orders * self._raw()
                self.wire[run.name].append(took[run.name] / allowed)

    def _measure(self, run: Run) -> tuple[int, float]:
        count, seconds = self._client(run.client, self._url if run.broker else "").ask(PATIENCE, run.method, *run.given)
        return count, seconds

    def _client(self, client: str, url: str) -> ClientProcess:
        if (client, url) not in self._clients:
            made = ClientProcess(client, url, str(self._catalog))
            self._stack.callback(made.close)
            made.wait_ready()
            self._clients[client, url] = made
        return self._clients[client, url]

    def curve(self) -> dict[str, tuple[float, int]]:
        """Quotes per second of the trade server alone, and the events in them, by the number of resting orders."""
        ask = functools.partial(self._client("backtest_paths:Simulator", "").ask, PATIENCE, "quotes")
        found = {}
        for orders, positions in ((0, 0), *((orders, POSITIONS) for orders in RESTING)):
            events, seconds = ask(QUOTES, orders, positions)
            found[f"{orders} resting orders, {positions} positions"] = (QUOTES / seconds, events)
        return found

    def memory(self) -> float:
        """The megabytes by which a process grows over a year of ticks."""
        _, grown = self._client("backtest_paths:Product", "").ask(PATIENCE, "year_of_ticks", YEAR)
        return float(grown)


@contextmanager
def catalog() -> Iterator[Path]:
    """A catalog with M1 bars of one symbol and ticks of another."""
    from sim_worker.catalog import Catalog
    from sim_worker.symbols import find_symbol
    from sim_worker.synthetic import synthetic_bars, synthetic_quotes

    start = int(backtest_paths.SINCE.timestamp()) * 10**9
    kinds = (
        (backtest_paths.SYMBOL, synthetic_bars, BARS),
        (backtest_paths.TICK_SYMBOL, synthetic_quotes, TICKS_MINUTES),
    )
    with tempfile.TemporaryDirectory() as directory:
        for symbol, make, minutes in kinds:
            end = int(backtest_paths.until(minutes).timestamp()) * 10**9
            Catalog(Path(directory)).write(symbol, [make(5, find_symbol(symbol), start, end)], "benchmark", start)
        yield Path(directory)


def text(tests: Backtests, curve: Mapping[str, tuple[float, int]], grown: float | None) -> str:
    """All figures, the goals beside the paths that they are about."""
    lines = [f"{'backtests: rows of market data per second':<46}{'median [min-max]':<34}goal"]
    lines += [_line(tests, name) for name in tests.rounds]
    lines += [f"\n{'over RabbitMQ: time':<46}x (embedded + orders x raw round trip)"]
    lines += [
        f"  {name:<44}{_spread(found, '.2f'):<34}<= {WIRE:g}: {_verdict(_median(found) <= WIRE)}"
        for name, found in tests.wire.items()
    ]
    lines += [f"\n{f'the trade server over {QUOTES / 1e6:g} million quotes':<46}quotes/s"]
    for name, (rate, events) in curve.items():
        lines.append(f"  {name:<44}{rate / 1e6:.0f} million, {events} events")
    if grown is not None:
        lines += [f"\na backtest over {YEAR / 1e6:g} million ticks grows its process by {grown:.0f} MB"]
    lines += [f"\n{name}: not measured: {reason}" for name, reason in tests.skipped.items()]
    return "\n".join(lines)


def _line(tests: Backtests, name: str) -> str:
    said = "; ".join(_goal(tests, goal) for goal in GOALS if goal.path == name and goal.against in tests.rounds)
    return f"  {name:<44}{_spread(tests.rounds[name], '.0f'):<34}{said}".rstrip()


def _goal(tests: Backtests, goal: Goal) -> str:
    ratio = _median(ratios(tests.rounds[goal.path], tests.rounds[goal.against]))
    return f"{ratio:.2f} x {goal.against.partition(':')[0]} (>= {goal.bound:.2f}: {_verdict(goal.met(ratio))})"


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _median(found: Sequence[float]) -> float:
    return statistics.median(found)


def _spread(found: Sequence[float], form: str) -> str:
    of = spread(found)
    return f"{of.median:{form}} [{of.low:{form}}-{of.high:{form}}]"


def summary(tests: Backtests, curve: Mapping[str, tuple[float, int]], grown: float | None) -> dict[str, object]:
    """The same figures for programs."""
    return {
        "rows_per_second": tests.rounds,
        "over_rabbitmq": tests.wire,
        "quotes_per_second": curve,
        "megabytes_of_a_year": grown,
        "goals": [asdict(goal) for goal in GOALS],
        "skipped": tests.skipped,
    }

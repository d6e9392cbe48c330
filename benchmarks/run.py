"""`make bench`: the product and its peers against the same RabbitMQ, in one run, as ratios.

Each round measures every path, in an order that moves on by one; a ratio is taken inside a round, and its median over
the rounds is printed with the lowest and the highest. Absolute figures are this machine's and only for orientation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

import backtests
import paths
import report
from paths import ROUTES, Route
from processes import ROOT, ClientProcess, PathFailed, Worker
from stats import percentile, rotated, spread

if TYPE_CHECKING:
    from tests.rabbit import Rabbit

WINDOWS = (100, 1000)
QUICK_WINDOWS = (100,)
WARM_UP = 0.3


class Running:
    """A path with its worker and its client."""

    def __init__(self, route: Route, url: str, stack: ExitStack) -> None:
        run = f"bench-{uuid.uuid4().hex[:8]}"
        fill = {"url": url, "run": run}
        command = [word.format(**fill) for word in route.worker]
        environment = {name: value.format(**fill) for name, value in route.environment.items()}
        self.worker = Worker(command, environment)
        stack.callback(self.worker.close)
        self.client = ClientProcess(route.client, url, run)
        stack.callback(self.client.close)

    def warm_up(self) -> None:
        try:
            self.client.wait_ready()
            self.client.sequential(WARM_UP)
            self.client.pipelined(WARM_UP, WINDOWS[0])
        except PathFailed as error:
            raise PathFailed(f"{error}{self.worker.obituary()}") from error

    def measure(self, seconds: float, windows: Sequence[int]) -> dict[str, float]:
        """One round of this path: seconds for p50 and p99, calls per second for the windows."""
        try:
            took = self.client.sequential(seconds)
            rates = {f"window{window}": self.client.pipelined(seconds, window) for window in windows}
        except PathFailed as error:
            raise PathFailed(f"{error}{self.worker.obituary()}") from error
        return {"p50": percentile(took, 50), "p99": percentile(took, 99), **rates}


class Bench:
    """One run: what was measured, and what could not be."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url, self._stack = url, stack
        self._running: dict[str, Running] = {}
        self.skipped: dict[str, str] = {}
        self.rounds: dict[str, list[dict[str, float]]] = {}

    def start(self, routes: Sequence[Route]) -> None:
        for route in routes:
            _say(f"starting {route.name}")
            try:
                running = Running(route, self._url, self._stack)
                running.warm_up()
            except PathFailed as error:
                self.skipped[route.name] = str(error)
                continue
            self._running[route.name], self.rounds[route.name] = running, []

    def round(self, turn: int, seconds: float, windows: Sequence[int]) -> None:
        for name in rotated(list(self._running), turn):
            try:
                self.rounds[name].append(self._running[name].measure(seconds, windows))
            except PathFailed as error:
                self.skipped[name] = str(error)
                del self._running[name], self.rounds[name]

    def raw_round_trip(self) -> float:
        """Seconds, of raw pika, newly measured; its part of the run must have been started."""
        return percentile(self._running[paths.RAW].client.sequential(0.3), 50)

    def embedded(self, times: int, seconds: float) -> list[float]:
        """Orders per second of the product without a broker."""
        client = ClientProcess(paths.EMBEDDED, "", "")
        try:
            client.wait_ready()
            return [len(took) / sum(took) for took in (client.sequential(seconds) for _ in range(times))]
        except PathFailed as error:
            self.skipped[f"{paths.MAS}, embedded"] = str(error)
            return []
        finally:
            client.close()


@contextmanager
def broker() -> Iterator[Rabbit]:
    """The broker of MAS_TEST_URL, else a private node of the installed rabbitmq-server, else what the tests find."""
    sys.path.insert(0, str(ROOT))
    from mas.testing.nodes import LocalNode, Unavailable
    from tests.rabbit import Rabbit, find

    try:
        if {"MAS_TEST_URL", "MAS_TEST_BROKER"} & os.environ.keys():
            rabbit = find(_say)
        else:
            try:  # without a container in between there is less noise
                node = LocalNode()
                rabbit = Rabbit(f"{node.url}/%2F", node)
            except Unavailable:
                rabbit = find(_say)
    except Unavailable as error:
        sys.exit(str(error))
    try:
        yield rabbit
    finally:
        rabbit.remove()


def _version(url: str) -> str:
    from tests.rabbit import version

    return version(url)


def _say(progress: str) -> None:
    print(f"... {progress}", file=sys.stderr, flush=True)


def _load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _noise(before: float | None, rounds: report.Rounds) -> str:
    reference = [sample["p50"] for sample in rounds.get(paths.RAW, ())]
    moved = f"; raw pika's own p50 moved by {max(reference) / min(reference):.2f} x" if reference else ""
    return f"Noise: load average {before} before the run on {os.cpu_count()} CPUs{moved} over the rounds."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds, one window, no year of ticks")
    parser.add_argument("--rounds", type=int, help="how many rounds (default 5)")
    parser.add_argument("--seconds", type=float, help="of load per figure (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round to FILE")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), help="measure orders, or backtests (default: both)")
    parser.add_argument("--only", nargs="+", choices=[route.name for route in ROUTES], help="measure these paths")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.4 if arguments.quick else 1.0)
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    return arguments


def _orders(arguments: argparse.Namespace, rabbit: Rabbit) -> tuple[dict[str, object], bool]:
    """Orders through every path: prints, and gives the figures, and whether there are all of them."""
    before, began = _load_average(), monotonic()
    routes = [route for route in ROUTES if not arguments.only or route.name in arguments.only]
    with ExitStack() as stack:
        bench = Bench(rabbit.url, stack)
        bench.start(routes)
        for turn in range(arguments.rounds):
            _say(f"round {turn + 1} of {arguments.rounds}")
            bench.round(turn, arguments.seconds, QUICK_WINDOWS if arguments.quick else WINDOWS)
        embedded = bench.embedded(3, arguments.seconds)
    print(f"\n{arguments.rounds} rounds, {monotonic() - began:.0f} s; median [min-max] of the rounds")
    print(f"\n{report.text(bench.rounds, bench.skipped)}")
    if embedded:
        figures = spread(embedded)
        print(f"\n{paths.MAS}, embedded, one after the other: {figures.median:.0f} orders/s", end="")
        print(f" [{figures.low:.0f}-{figures.high:.0f}]")
    print(f"\n{_noise(before, bench.rounds)}")
    found: dict[str, object] = {
        "rounds": bench.rounds,
        "summary": report.summary(bench.rounds),
        "goals": report.goals(bench.rounds),
        "embedded_orders_per_second": embedded,
        "skipped": bench.skipped,
    }
    return found, not bench.skipped


def _backtests(arguments: argparse.Namespace, rabbit: Rabbit) -> tuple[dict[str, object], bool]:
    """Backtests through every path: prints, and gives the figures, and whether there are all of them."""
    with ExitStack() as stack:
        bench = Bench(rabbit.url, stack)
        bench.start([route for route in ROUTES if route.name == paths.RAW])
        tests = backtests.Backtests(rabbit.url, bench.raw_round_trip, stack)
        for turn in range(arguments.rounds):
            _say(f"backtests, round {turn + 1} of {arguments.rounds}")
            tests.round(turn)
        curve = tests.curve()
        grown = None if arguments.quick else tests.memory()
    print(f"\n{backtests.text(tests, curve, grown)}")
    return backtests.summary(tests, curve, grown), not tests.skipped


PARTS = {"orders": _orders, "backtests": _backtests}


def _ended(signum: int, _: object) -> NoReturn:
    """Leave through every `finally`, so that workers, clients and broker end with this process."""
    sys.exit(128 + signum)


def main() -> int:
    """Measure and print. 0 when every path was measured, whatever the figures."""
    arguments = _arguments()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _ended)
    figures: dict[str, object] = {"python": platform.python_version(), "load_before": _load_average()}
    whole = True
    with broker() as rabbit:
        print(f"\nRabbitMQ {_version(rabbit.url)} ({rabbit.kind}), Python {figures['python']}")
        for part in arguments.part or PARTS:
            figures[part], measured = PARTS[part](arguments, rabbit)
            whole = whole and measured
        figures |= {"rabbitmq": _version(rabbit.url), "broker": rabbit.kind, "load_after": _load_average()}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())

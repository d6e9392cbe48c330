"""The programs of the documentation run as they are written there, with and without a message broker.

What a program uses and does not import is put in front of it, and the call of `main` behind it. Its own text is not
touched.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mas.testing.workers import Workers, environment
from tests.acceptance.mas_command import ROOT
from tests.rabbit import Rabbit, wait_until

SEEDS = ROOT / "examples" / "seeds"
BACKTESTS = ("send_order_backtest", "send_order_backtest_zh")
LIVE = ("send_order_live", "send_order_live_zh", "cancel_order_live")
IN_FRONT = {"mt5.": "from mas import mt5", "datetime(": "from datetime import datetime"}
#: Runs a program, and writes how long each `send_order` of it took.
DRIVER = """
import io, runpy, sys, threading, time
import mas
class WholeLines(io.TextIOBase):
    # The program prints from two threads, and print writes a line in pieces.
    def __init__(self, out):
        self.out, self.own = out, threading.local()
    def write(self, text):
        self.own.text = getattr(self.own, "text", "") + text
        if text.endswith("\\n"):
            self.out.write(self.own.text)
            self.own.text = ""
        return len(text)
    def flush(self):
        self.out.flush()
sys.stdout = WholeLines(sys.stdout)
original = mas.Client.send_order
def timed(self, params):
    start = time.perf_counter()
    try:
        return original(self, params)
    finally:
        print(f"send_order took {time.perf_counter() - start:.3f} s", file=sys.stderr)
mas.Client.send_order = timed
runpy.run_path(sys.argv[1], run_name="__main__")
"""
SEND_SECONDS = 1.0
TOTAL_SECONDS = 9.0  # 0.5 on an idle machine; an attempt to find a worker in vain would take ten
RUN_SECONDS = 30.0
STATUS, EXECUTION = "receive_order_status:", "receive_order_execution:"


@dataclass(frozen=True)
class Run:
    """What a program printed, and how long it took beside the time that it slept by itself."""

    lines: list[str]
    stderr: str
    seconds: float

    def calls(self, name: str) -> list[str]:
        return [line for line in self.lines if line.startswith(name)]

    @property
    def send_seconds(self) -> list[float]:
        return [float(text) for text in re.findall(r"send_order took (\S+) s", self.stderr)]


def program(name: str) -> str:
    text = (SEEDS / f"{name}.py").read_text(encoding="utf-8")
    front = [line for use, line in IN_FRONT.items() if use in text]
    return "\n".join([*front, text, "main()\n"])


def run(name: str, directory: Path, **variables: str) -> Run:
    """Run a program to its end. Fails on a traceback, a bad exit code, or when it hangs."""
    source = program(name)
    path = directory / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(path)],
        env=environment(MAS_DATA=str(directory / "catalog"), **variables),
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    slept = sum(map(float, re.findall(r"time\.sleep\((\d+)\)", source)))
    assert done.returncode == 0, done.stderr
    for trouble in ("Traceback", "Login failed", "登入失敗"):
        assert trouble not in done.stdout + done.stderr
    return Run(done.stdout.splitlines(), done.stderr, time.monotonic() - started - slept)


def assert_one_status_then_one_execution(ran: Run) -> None:
    assert len(ran.lines) == 2, ran
    status, execution = ran.lines
    assert status.startswith(STATUS)
    assert execution.startswith(EXECUTION)
    ticket = status.split()[1]
    assert ticket.isdigit()
    assert execution.split()[1] == ticket
    assert "'state': 'FILLED'" in status
    assert "'retcode': 10009" in status
    for field in ("'price': 1.", "'volume': 0.1", "'symbol': 'EURUSD'", "'time': datetime", "'type': 'sell'"):
        assert field in execution, f"{field} is not in {execution}"


def assert_refused_at_once(ran: Run, *reasons: str) -> None:
    (status,) = ran.calls(STATUS)
    others = [line for line in ran.lines if line != status]
    assert all(line.startswith("not sent") for line in others), others  # `cancel_order_live` prints the order's id
    assert "'state': 'DENIED'" in status
    for reason in reasons:
        assert reason in status, f"{reason!r} is not in {status}"
    (sent,) = ran.send_seconds
    assert sent < SEND_SECONDS
    assert ran.seconds < TOTAL_SECONDS


def assert_nothing_left(rabbit: Rabbit, url: str) -> None:
    """RabbitMQ counts with a delay, so an empty queue is waited for."""
    if not rabbit.can_control:
        return
    wait_until(lambda: not any(rabbit.queues(url).values()), f"empty queues; there are {rabbit.queues(url)}")


def test_no_program_of_the_documentation_is_left_out() -> None:
    assert {path.stem for path in SEEDS.glob("*.py")} == {*BACKTESTS, *LIVE}


@pytest.mark.parametrize("name", BACKTESTS)
def test_a_documented_backtest_prints_its_status_and_its_execution_without_a_broker(name: str, tmp_path: Path) -> None:
    assert_one_status_then_one_execution(run(name, tmp_path))


@pytest.mark.parametrize("name", LIVE)
def test_a_documented_live_program_is_told_what_is_missing_without_a_broker(name: str, tmp_path: Path) -> None:
    assert_refused_at_once(run(name, tmp_path), "YOUR_ACCOUNT", "MAS_URL")


def test_the_documented_backtests_run_over_a_broker(
    rabbit: Rabbit, rabbit_url: str, workers: Workers, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "seeds")
    for name in BACKTESTS:
        assert_one_status_then_one_execution(run(name, tmp_path, MAS_URL=rabbit_url))
    assert_nothing_left(rabbit, rabbit_url)


def test_the_documented_live_programs_are_refused_at_once_where_no_worker_serves_the_account(
    rabbit: Rabbit, rabbit_url: str, workers: Workers, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "seeds")
    for name in LIVE:
        ran = run(name, tmp_path, MAS_URL=rabbit_url)
        assert_refused_at_once(ran, "no MT5 worker serves account YOUR_ACCOUNT at YOUR_SERVER")
    assert_nothing_left(rabbit, rabbit_url)

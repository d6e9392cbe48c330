"""Grids over worker processes and a real RabbitMQ: spread, killed, poisoned, interrupted, and gone on with."""

from __future__ import annotations

import csv
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from mas.backtest.rows import VARYING
from mas.testing.router import wait_until
from mas.testing.workers import Workers
from mas_router import topology
from mas_router.amqp import AmqpTransport
from tests.acceptance.mas_command import run, started
from tests.rabbit import Rabbit
from tests.strategies import write_strategies

DAY = ["--symbol", "EURUSD", "--timeframe", "M5", "--from", "2024-01-02", "--to", "2024-01-03", "--source", "synthetic"]
SECONDS = 30.0

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def strategies(tmp_path: Path) -> Path:
    return write_strategies(tmp_path / "strategies")


def offering(strategies: Path, runs: int = 1) -> list[str]:
    return [f"--strategies={strategies}", f"--runs={runs}"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(path: Path) -> list[dict[str, str]]:
    """What is the same every time, in the order of the keys."""
    found = [{name: text for name, text in row.items() if name not in VARYING} for row in rows(path)]
    return sorted(found, key=lambda row: row["key"])


def marks(directory: Path) -> list[list[str]]:
    """Every start of a run, oldest first: its number, the child's pid, the worker's pid."""
    found = [path.name.split("-") for path in directory.iterdir()]
    return sorted(found, key=lambda words: words[3])


def odd(strategies: Path, marked: Path, act: str, *more: str) -> list[str]:
    marked.mkdir(exist_ok=True)
    fixed = ["--set", f"act={act}", "--set", f"marks={marked}"]
    return ["backtest", "inner.odd:Odd", "--strategies", str(strategies), *DAY, *fixed, *more]


def waiting(url: str) -> int:
    transport = AmqpTransport(url, name="test")
    try:
        assert transport.wait_connected(10)
        info = transport.inspect(topology.RUN_QUEUE)
        assert info is not None
        return info.messages
    finally:
        transport.close()


def test_a_grid_gives_the_same_results_from_processes_here_from_one_worker_and_from_four(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    line = ["backtest", str(strategies / "cross.py"), *DAY, "--grid", "fast=2,3,4", "--range", "slow=8:20:4"]
    here, one, four = (tmp_path / f"{name}.csv" for name in ("here", "one", "four"))
    assert run(*line, "--jobs", "1", "--out", str(here)).returncode == 0
    workers.start(rabbit_url, "w1", options=offering(strategies))
    done = run(*line, "--out", str(one), MAS_URL=rabbit_url)
    assert done.returncode == 0, done.stderr
    workers.start(rabbit_url, "w2", "w3", "w4", options=offering(strategies))
    done = run(*line, "--out", str(four), "--url", rabbit_url)
    assert done.returncode == 0, done.stderr

    assert len(rows(here)) == 12
    assert content(here) == content(one) == content(four)
    assert {row["worker"] for row in rows(one)} == {"w1"}
    assert len({row["worker"] for row in rows(four)}) > 1
    assert len({row["profit"] for row in rows(here)}) > 6  # the parameters matter


def test_the_run_of_a_worker_that_is_killed_is_done_by_another_one(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    pids = {w.pid: w for w in workers.start(rabbit_url, "w1", "w2", options=offering(strategies))}
    out, marked = tmp_path / "r.csv", tmp_path / "marks"
    line = odd(strategies, marked, "sleep_if_odd", "--set", "seconds=6", "--grid", "number=1,2,4,6,8,10")
    with started(*line, "--out", str(out), MAS_URL=rabbit_url) as process:
        wait_until(lambda: any(words[0] == "1" for words in marks(marked)), "the long run to start", SECONDS)
        victim = next(pids[int(words[2])] for words in marks(marked) if words[0] == "1")
        victim.kill()
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert Counter(row["status"] for row in rows(out)) == {"done": 6}
    held = [words[2] for words in marks(marked) if words[0] == "1"]
    assert len(held) == 2
    assert held[0] != held[1]
    assert waiting(rabbit_url) == 0


def test_a_run_that_kills_its_workers_ends_as_failed_after_two_of_them_and_the_others_finish(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    started_ = workers.start(rabbit_url, "w1", "w2", "w3", options=offering(strategies))
    out, marked = tmp_path / "r.csv", tmp_path / "marks"
    line = odd(strategies, marked, "kill_the_worker_if_odd", "--grid", "number=1,2,4,6,8", "--out", str(out))
    done = run(*line, MAS_URL=rabbit_url)
    assert done.returncode == 1, done.stderr
    assert "2 workers ended in the middle of this run" in done.stdout
    assert Counter(row["error"] for row in rows(out)) == {"": 4, "lost": 1}
    assert len([words for words in marks(marked) if words[0] == "1"]) == 2
    assert [worker.running for worker in started_].count(True) == 1


def test_a_worker_that_is_told_to_stop_gives_its_run_back_at_once(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    (first,) = workers.start(rabbit_url, "w1", options=offering(strategies))
    marked = tmp_path / "marks"
    line = odd(strategies, marked, "nothing", "--set", "seconds=4", "--grid", "number=1,2")
    with started(*line, MAS_URL=rabbit_url) as process:
        for _ in range(3):  # more often than a run may lose workers
            before = len(marks(marked))
            wait_until(lambda: len(marks(marked)) > before, "a run to start", SECONDS)  # noqa: B023
            began = time.monotonic()
            assert first.terminate() == 0
            assert time.monotonic() - began < 3
            (first,) = workers.start(rabbit_url, f"next-{before}", options=offering(strategies))
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text


def test_a_grid_that_was_killed_goes_on_where_it_was(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "w1", "w2", options=offering(strategies))
    out, marked = tmp_path / "r.parquet", tmp_path / "marks"
    line = odd(strategies, marked, "nothing", "--set", "seconds=0.5", "--range", "number=1:12", "--out", str(out))
    partial = tmp_path / "r.partial.csv"
    with started(*line, MAS_URL=rabbit_url) as process:
        wait_until(lambda: partial.exists() and len(rows(partial)) >= 4, "four results", SECONDS)
        process.kill()
    kept = {row["param.number"] for row in rows(partial)}
    before = Counter(words[0] for words in marks(marked))
    done = run(*line, MAS_URL=rabbit_url)
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} of them are there already" in done.stdout
    after = Counter(words[0] for words in marks(marked))
    assert all(after[number] == before[number] for number in kept)
    assert set(after) == {str(number) for number in range(1, 13)}
    assert not partial.exists()
    import pyarrow.parquet as parquet

    table = parquet.read_table(out).to_pylist()
    assert sorted(row["param.number"] for row in table) == list(range(1, 13))
    assert {row["status"] for row in table} == {"done"}


def test_ctrl_c_keeps_the_results_and_leaves_no_run_behind(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "w1", options=offering(strategies, runs=2))
    out, marked = tmp_path / "r.csv", tmp_path / "marks"
    line = odd(strategies, marked, "sleep_if_odd", "--set", "seconds=60", "--grid", "number=2,4,1,3,5,7,9,11")
    with started(*line, "--out", str(out), MAS_URL=rabbit_url) as process:
        wait_until(lambda: {"1", "3"} <= {words[0] for words in marks(marked)}, "two long runs to start", SECONDS)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=20)
    assert process.returncode == 130, text
    assert "interrupted with 6 runs to go" in text
    assert {row["param.number"] for row in rows(out)} == {"2", "4"}
    children = [int(words[1]) for words in marks(marked) if words[0] in ("1", "3")]
    wait_until(lambda: not any(map(alive, children)), "the long runs to be ended", SECONDS)
    wait_until(lambda: waiting(rabbit_url) == 0, "the queue to be empty", SECONDS)
    after = odd(strategies, marked, "nothing", "--grid", "number=20,21", "--out", str(tmp_path / "after.csv"))
    assert run(*after, MAS_URL=rabbit_url).returncode == 0
    assert not {"5", "7", "9", "11"} & {words[0] for words in marks(marked)}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_grid_waits_out_a_broker_that_dies_in_the_middle_of_it(
    rabbit: Rabbit, rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    if not rabbit.can_control:
        pytest.skip("this RabbitMQ cannot be stopped by the test")
    workers.start(rabbit_url, "w1", "w2", options=offering(strategies))
    out, marked = tmp_path / "r.csv", tmp_path / "marks"
    line = odd(strategies, marked, "nothing", "--set", "seconds=1.5", "--range", "number=1:8", "--out", str(out))
    with started(*line, MAS_URL=rabbit_url) as process:
        wait_until(lambda: out.exists() and len(rows(out)) >= 2, "two results", SECONDS)
        rabbit.kill()
        time.sleep(2)
        rabbit.start()
        text, _ = process.communicate(timeout=90)
    assert process.returncode == 0, text
    assert sorted(int(row["param.number"]) for row in rows(out)) == list(range(1, 9))
    assert {row["status"] for row in rows(out)} == {"done"}
    assert max(Counter(words[0] for words in marks(marked)).values()) <= 2
    wait_until(lambda: waiting(rabbit_url) == 0, "the queue to be empty", SECONDS)


def test_a_worker_runs_nothing_from_outside_its_directory_and_no_other_version_of_a_strategy(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "w1", options=offering(strategies / "inner"))
    here = ["backtest", "cross:Cross", "--strategies", str(strategies), *DAY, "--grid", "fast=2,3"]
    done = run(*here, MAS_URL=rabbit_url)
    assert done.returncode == 1
    assert "there is no strategy cross" in done.stdout

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "odd.py").write_text((strategies / "inner" / "odd.py").read_text() + "\n# a change\n")
    done = run("backtest", "odd", "--strategies", str(mine), *DAY, "--grid", "number=1,2", MAS_URL=rabbit_url)
    assert done.returncode == 1
    assert "another version" in done.stdout


def test_a_strategy_at_a_worker_finds_no_broker_and_no_password(
    rabbit_url: str, workers: Workers, strategies: Path, tmp_path: Path
) -> None:
    workers.start(rabbit_url, "w1", options=offering(strategies))
    done = run(*odd(strategies, tmp_path / "marks", "find_no_broker", "--grid", "number=1,2"), MAS_URL=rabbit_url)
    assert done.returncode == 0, done.stdout


def test_without_a_worker_that_takes_runs_a_grid_says_what_to_start(
    rabbit_url: str, workers: Workers, strategies: Path
) -> None:
    workers.start(rabbit_url, "w1")  # serves accounts, and takes no runs
    done = run("backtest", str(strategies / "cross.py"), *DAY, "--grid", "fast=2,3", MAS_URL=rabbit_url)
    assert done.returncode == 2
    assert "mas sim-worker --strategies" in done.stderr

"""`mas backtest` as users start it: one run, grids over processes of this machine, and everything they mistype."""

from __future__ import annotations

import csv
import os
import re
import signal
import time
from pathlib import Path

import pytest

from mas.testing.router import wait_until
from tests.acceptance.mas_command import Command, run, started
from tests.strategies import write_strategies

DAY = ["--symbol", "EURUSD", "--timeframe", "M5", "--from", "2024-01-02", "--to", "2024-01-03", "--source", "synthetic"]
RANGE = ["--grid", "fast=2,3", "--range", "slow=8:16:4"]


@pytest.fixture
def cross(tmp_path: Path) -> str:
    return str(write_strategies(tmp_path / "strategies") / "cross.py")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_run_shows_what_came_out(cross: str) -> None:
    done = run("backtest", cross, *DAY, "--set", "fast=3", "--set", "volume=0.2")
    assert done.returncode == 0, done.stderr
    assert "cross:Cross on EURUSD M5, made-up prices (seed 1)" in done.stdout
    assert re.search(r"^bars +288$", done.stdout, re.MULTILINE)
    assert "bars/s" in done.stdout
    again = run("backtest", f"{cross}:Cross", *DAY, "--set", "fast=3", "--set", "volume=0.2")
    keep = ("profit", "balance", "orders", "deals")
    assert [line for line in again.stdout.splitlines() if line.startswith(keep)] == [
        line for line in done.stdout.splitlines() if line.startswith(keep)
    ]


def test_one_run_over_several_symbols_and_timeframes_and_a_grid_of_them(cross: str, tmp_path: Path) -> None:
    two = ["--symbol", "EURUSD,GBPUSD", "--timeframe", "M5,H1", *DAY[4:]]
    done = run("backtest", cross, *two, "--set", "fast=3")
    assert done.returncode == 0, done.stderr
    assert "on EURUSD, GBPUSD M5, H1" in done.stdout
    assert re.search(r"^bars +624$", done.stdout, re.MULTILINE), "288 of M5 and 24 of H1, twice"
    out = tmp_path / "out.csv"
    grid = run("backtest", cross, *two, "--grid", "fast=2,3", "--jobs", "1", "--out", str(out))
    assert grid.returncode == 0, grid.stderr
    assert {(row["symbol"], row["timeframe"], row["bars"]) for row in rows(out)} == {("EURUSD,GBPUSD", "M5,H1", "624")}
    again = run("backtest", cross, *two, "--grid", "fast=2,3", "--jobs", "1", "--resume", str(out))
    assert "2 of them are there already" in again.stdout
    assert len(rows(out)) == 2


def test_one_run_writes_its_report(cross: str, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    done = run("backtest", cross, *DAY, "--report", str(pages))
    assert done.returncode == 0, done.stderr
    for name in ("kpi_report.html", "trade_chart.html"):
        assert str(pages / name) in done.stdout
        assert "EURUSD" in (pages / name).read_text(encoding="utf-8")


def test_one_run_over_ticks_of_another_account(cross: str) -> None:
    hour = ["--from", "2024-01-02 10:00", "--to", "2024-01-02 11:00", "--symbol", "EURUSD", "--source", "synthetic"]
    done = run("backtest", cross, *hour, "--ticks", "--capital", "500", "--leverage", "30", "--margin-mode", "netting")
    assert done.returncode == 0, done.stderr
    assert "on EURUSD ticks" in done.stdout
    assert "500.00" in done.stdout


def test_a_strategy_is_found_by_its_import_path_too(cross: str) -> None:
    directory = Path(cross).parent
    done = run("backtest", "inner.odd:Odd", "--strategies", str(directory), *DAY)
    assert done.returncode == 0, done.stderr
    assert "inner.odd:Odd" in done.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["nothing.py", *DAY], "there is no file nothing.py"),
        (["no.such:Class", *DAY], "there is no strategy no.such"),
        (["CROSS:Other", *DAY], "has no strategy Other; it has: Cross"),
        (["CROSS", *DAY, "--set", "fsat=3"], "did you mean fast?; there are: fast=4, slow=16, volume=0.1"),
        (["CROSS", *DAY, "--set", "fast=3.5"], "a whole number (default 4)"),
        (["CROSS", *DAY, "--grid", "fast=1,x"], "a whole number (default 4)"),
        (["CROSS", *DAY, "--set", "fast=3", "--grid", "fast=1,2"], "fast: either --set or varied"),
        (["CROSS", *DAY, "--range", "volume=0.1:0.5"], "--random N"),
        (["CROSS", *DAY, "--random", "5"], "--random is for a grid"),
        (["CROSS", *DAY, "--grid", "fast=1,2", "--report", "x"], "--report is for a single run"),
        (["CROSS", *DAY, "--out", "x.csv"], "--out is for a grid"),
        (["CROSS", *DAY, "--ticks"], "not both"),
        (["CROSS", *DAY[:2], *DAY[4:]], "give --timeframe"),
        (["CROSS", *DAY[:-4], "--to", "2023-01-01"], "to="),
        (["CROSS", *DAY[:-2]], "mas data"),
        (["CROSS", *DAY, "--grid", "fast=1,2", "--sort", "luck"], "one of profit, max_drawdown"),
        (["CROSS", *DAY, "--grid", "fast=1,2", "--out", "x.xlsx"], ".csv or .parquet"),
        (["CROSS", *DAY, "--grid", "fast=1,2", "--resume", "absent.csv"], "there is none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    command: Command, cross: str, line: list[str], told: str, tmp_path: Path
) -> None:
    done = command("backtest", *(word.replace("CROSS", cross) for word in line), MAS_DATA=str(tmp_path / "data"))
    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_grid_over_processes_keeps_every_run_and_shows_the_best_first(cross: str, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    done = run(
        "backtest", cross, *DAY, *RANGE, "--jobs", "2", "--out", str(out), "--sort", "max_drawdown", "--top", "3"
    )
    assert done.returncode == 0, done.stderr
    assert "6 runs" in done.stdout
    assert "The best 3 of 6 by max_drawdown" in done.stdout
    found = rows(out)
    assert {(row["param.fast"], row["param.slow"]) for row in found} == {
        (fast, slow) for fast in "23" for slow in ("8", "12", "16")
    }
    alone = run("backtest", cross, *DAY, "--set", "fast=2", "--set", "slow=8")
    (same,) = (row for row in found if (row["param.fast"], row["param.slow"]) == ("2", "8"))
    assert f"{float(same['balance']):,.2f}" in alone.stdout


def test_a_grid_leaves_out_what_its_file_has(cross: str, tmp_path: Path) -> None:
    out = str(tmp_path / "r.parquet")
    first = run("backtest", cross, *DAY, "--grid", "fast=2,3", "--jobs", "1", "--out", out)
    assert first.returncode == 0, first.stderr
    second = run("backtest", cross, *DAY, "--grid", "fast=2,3,4", "--jobs", "1", "--resume", out)
    assert "3 runs, 2 of them are there already" in second.stdout
    assert "1 runs in" in second.stdout
    changed = Path(cross)
    changed.write_text(changed.read_text() + "\n# another version\n")
    third = run("backtest", cross, *DAY, "--grid", "fast=2,3,4", "--jobs", "1", "--out", out)
    assert "3 runs in" in third.stdout


def test_points_are_drawn_and_the_same_seed_draws_the_same_ones(cross: str, tmp_path: Path) -> None:
    line = ["backtest", cross, *DAY, "--range", "fast=2:6", "--range", "volume=0.1:0.5", "--random", "3", "--jobs", "1"]
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        done = run(*line, "--random-seed", seed, "--out", str(tmp_path / f"{name}.csv"))
        assert done.returncode == 0, done.stderr
    a, b, c = ({row["key"] for row in rows(tmp_path / f"{name}.csv")} for name in "abc")
    assert len(a) == 3
    assert a == b
    assert not a & c


def test_a_run_that_fails_is_a_row_and_an_exit_code_and_the_others_finish(cross: str, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    line = ["inner.odd", "--strategies", str(Path(cross).parent), *DAY, "--grid", "act=nothing,raise,crash"]
    done = run("backtest", *line, "--jobs", "2", "--out", str(out))
    assert done.returncode == 1, done.stderr
    assert "RuntimeError: planted" in done.stdout
    assert sorted(row["error"] for row in rows(out)) == ["", "crash", "strategy"]
    again = run("backtest", *line, "--jobs", "2", "--out", str(out), "--retry-failed")
    assert "3 runs, 1 of them are there already" in again.stdout


def test_ctrl_c_ends_a_grid_and_keeps_what_it_has(cross: str, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    line = ["inner.odd", "--strategies", str(Path(cross).parent), *DAY, "--set", "act=sleep_if_odd"]
    more = ["--set", "seconds=60", "--grid", "number=2,4,1,3,5", "--jobs", "2", "--out", str(out)]
    with started("backtest", *line, *more) as process:
        wait_until(lambda: out.exists() and len(rows(out)) == 2, "the two short runs to end")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=20)
    assert process.returncode == 130, text
    assert time.monotonic() - began < 10
    assert "3 runs to go" in text
    assert {row["param.number"] for row in rows(out)} == {"2", "4"}


@pytest.mark.skipif(os.name != "posix", reason="reads the process table of POSIX")
def test_a_grid_that_is_killed_leaves_no_process_behind(cross: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    line = [
        "inner.odd",
        "--strategies",
        str(Path(cross).parent),
        *DAY,
        "--set",
        "seconds=60",
        "--set",
        f"marks={marks}",
    ]
    with started("backtest", *line, "--grid", "number=1,2", "--jobs", "2") as process:
        wait_until(lambda: len(list(marks.iterdir())) == 2, "two runs to start")
        process.kill()
    pids = [int(path.name.split("-")[1]) for path in marks.iterdir()]
    wait_until(lambda: not any(map(_alive, pids)), "the processes to end", 10)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

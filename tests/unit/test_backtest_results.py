"""The results file of a grid survives what happens to grids: crashes, torn lines, other versions, other grids."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mas.backtest import grid, plan, rows
from mas.backtest.measure import KPIS
from mas.backtest.parameters import Parameter
from mas.backtest.plan import Job
from mas.backtest.results import Results
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import RunResult

KNOWN = {
    one.name: one
    for one in (
        Parameter("fast", (int,), 1),
        Parameter("text", (str,), ""),
        Parameter("cap", (type(None), float), None),
        Parameter("on", (bool,), True),
    )
}
DAY = {"symbol": "EURUSD", "timeframe": "M5", "from": "2024-01-01", "to": "2024-01-02"}
COLUMNS = rows.columns(KNOWN)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(fast: int, **more: Any) -> Job:
    point = {"fast": fast, "text": 'a, "b"', "cap": None, "on": False, **more}
    return Job("a:B", "c0de", point, plan.subscription(DAY))


def row(one: Job, profit: float = 1.25, **more: Any) -> rows.Row:
    figures = {**dict.fromkeys(KPIS, 3), "profit": profit, "max_drawdown": None}
    given: dict[str, Any] = {"status": "done", "kpis": figures, "seconds": 0.5, "worker": "w1", **more}
    return rows.row(one, RunResult(id="r", **given), NOW)


def written(path: Path, *found: rows.Row) -> None:
    kept = Results(path, COLUMNS, KNOWN)
    for one in found:
        kept.add(one)
    kept.close()


@pytest.mark.parametrize("name", ["r.csv", "deep/er/r.parquet"])
def test_rows_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    found = [row(job(1)), row(job(2, cap=0.1 + 0.2), status="failed", code="strategy", message="a, b", kpis={})]
    written(tmp_path / name, *found)
    again = Results(tmp_path / name, COLUMNS, KNOWN)
    assert list(again.rows.values()) == found
    again.close()


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_a_row_is_in_the_file_before_the_grid_ends(tmp_path: Path, name: str) -> None:
    crashed = Results(tmp_path / name, COLUMNS, KNOWN)
    crashed.add(row(job(1)))
    again = Results(tmp_path / name, COLUMNS, KNOWN)  # without a close of the first
    assert list(again.rows) == [job(1).key]
    again.add(row(job(2)))
    again.close()
    last = Results(tmp_path / name, COLUMNS, KNOWN)
    assert list(last.rows) == [job(1).key, job(2).key]
    last.close()
    assert crashed._log is not None
    crashed._log.close()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_a_crash_has_cut_short_is_dropped_and_its_run_is_done_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.csv"
    written(path, row(job(1)), row(job(2)))
    path.write_bytes(path.read_bytes()[:-cut])
    kept = Results(path, COLUMNS, KNOWN)
    assert grid.left([job(1), job(2)], kept, retry_failed=False) == [job(2)]
    kept.add(row(job(2)))
    kept.close()
    assert path.read_text().count("\n") == 3


def test_what_is_there_is_left_out_unless_the_strategy_has_changed_or_failed_runs_are_wanted_again() -> None:
    kept = Results(None, COLUMNS, KNOWN)
    kept.add(row(job(1)))
    kept.add(row(job(2), status="failed", kpis={}))
    kept.add({**row(job(3)), "code": "older"})
    all_ = [job(1), job(2), job(3), job(4)]
    assert grid.left(all_, kept, retry_failed=False) == [job(3), job(4)]
    assert grid.left(all_, kept, retry_failed=True) == [job(2), job(3), job(4)]


def test_the_newest_row_of_a_run_counts(tmp_path: Path) -> None:
    written(tmp_path / "r.csv", row(job(1), 1.0))
    written(tmp_path / "r.csv", row(job(1), 2.0))
    kept = Results(tmp_path / "r.csv", COLUMNS, KNOWN)
    assert kept.rows[job(1).key]["profit"] == 2.0
    kept.close()


def test_the_results_of_another_grid_are_not_mixed_with_these(tmp_path: Path) -> None:
    written(tmp_path / "r.csv", row(job(1)))
    before = (tmp_path / "r.csv").read_bytes()
    with pytest.raises(CallerError, match="another grid"):
        Results(tmp_path / "r.csv", rows.columns(["other"]), KNOWN)
    assert (tmp_path / "r.csv").read_bytes() == before


def test_a_file_that_holds_no_results_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("a shopping list\nmilk\n")
    with pytest.raises(CallerError):
        Results(path, COLUMNS, KNOWN)
    assert path.read_text() == "a shopping list\nmilk\n"


def test_only_csv_and_parquet_are_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match=r"\.csv or \.parquet"):
        Results(tmp_path / "r.xlsx", COLUMNS, KNOWN)


def test_the_best_come_first_and_a_drawdown_is_better_when_it_is_smaller() -> None:
    found = [{**row(job(fast), profit), "max_drawdown": fall} for fast, profit, fall in ((1, 5.0, 9.0), (2, 7.0, 20.0))]
    found.append({**row(job(3), 6.0), "max_drawdown": None})
    found.append(row(job(4), status="failed", kpis={}))
    assert [one["param.fast"] for one in rows.best_first(found, "profit")] == [2, 3, 1]
    assert [one["param.fast"] for one in rows.best_first(found, "max_drawdown")] == [1, 2, 3]

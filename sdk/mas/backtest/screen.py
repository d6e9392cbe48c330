"""What `mas backtest` shows: how a grid goes, and what came out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from mas.backtest.measure import ENDLESS, KPIS
from mas.backtest.plan import Job
from mas.backtest.rows import DONE, PARAM, Row, Value, best_first, errors, point_text
from mas_router.cli.screen import fitting

#: Where nobody sees a bar, a line at most so often.
LINE_SECONDS: Final = 1.0
ERRORS_SHOWN: Final = 5
MONEY: Final = frozenset({"profit", "balance", "equity"})


class Shown:
    """Tells how a grid goes: a bar on a terminal, else lines."""

    def __init__(self, console: Console, bar: Bar | None, total: int, varying: Sequence[str], kpi: str) -> None:
        self._console, self._bar, self._total = console, bar, total
        self._varying, self._kpi = varying, kpi
        self._task = bar.add_task("runs", total=total, note="") if bar else None
        self._said, self._line = 0.0, ""
        self.done, self.failed, self.slots = 0, 0, 0
        self._best: Row | None = None

    def tell(self, job: Job, row: Row) -> None:
        self.done += 1
        self.failed += row["status"] != DONE
        self._best = next(iter(best_first(filter(None, (self._best, row)), self._kpi)), None)
        came = f"{self._kpi} {cell(self._kpi, row[self._kpi])}" if row["status"] == DONE else f"failed: {row['error']}"
        self._line = f"{self.done}/{self._total} {point_text(job.point, self._varying)} {came}"
        self.tick(self.slots)

    def tick(self, slots: int) -> None:
        self.slots = slots
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, note=self._note())
        elif self._line and (time.monotonic() - self._said >= LINE_SECONDS or self.done == self._total):
            self._console.print(self._line, markup=False, soft_wrap=True)
            self._said, self._line = time.monotonic(), ""

    def _note(self) -> str:
        parts = [f"{self.slots} at a time"]
        if self.failed:
            parts.append(f"[red]{self.failed} failed[/]")
        if self._best is not None:
            point = {name.removeprefix(PARAM): value for name, value in self._best.items() if name.startswith(PARAM)}
            best = f"{self._kpi} {cell(self._kpi, self._best[self._kpi])} {point_text(point, self._varying)}"
            parts.append(f"best {escape(best)}")
        return ", ".join(parts)


@contextmanager
def shown(console: Console, total: int, varying: Sequence[str], kpi: str) -> Iterator[Shown]:
    """A live bar on a terminal, for the length of a grid."""
    if not console.is_terminal:
        yield Shown(console, None, total, varying, kpi)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, TextColumn("{task.fields[note]}"), console=console, transient=True) as bar:
        yield Shown(console, bar, total, varying, kpi)


def cell(name: str, value: Value) -> str:
    """A figure for people."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, float) and abs(value) >= ENDLESS:
        return "inf" if value > 0 else "-inf"
    if name in MONEY:
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def show_table(console: Console, found: Iterable[Row], varying: Sequence[str], kpi: str, top: int) -> None:
    """The best rows, and what went wrong with others."""
    kept = list(found)
    best = best_first(kept, kpi)
    figures = [kpi, *(name for name in KPIS if name != kpi)]
    body = [
        [*(escape(str(row[PARAM + name])) for name in varying), *(cell(name, row[name]) for name in figures)]
        for row in best[:top]
    ]
    if body:
        title = f"The best {len(body)} of {len(best)} by {kpi}"
        heads = (*varying, *(name.replace("_", " ") for name in figures))
        console.print(fitting(console, title, heads, body, set(heads)))
    for text, count in errors(kept)[:ERRORS_SHOWN]:
        console.print(f"[red]{count} failed[/]  {escape(text)}", soft_wrap=True)


def show_one(console: Console, row: dict[str, Value], seconds: float) -> None:
    """The figures of a single run."""
    for name in KPIS:
        console.print(f"{name.replace('_', ' '):<14} {cell(name, row.get(name))}")
    bars = row.get("bars")
    if isinstance(bars, int) and seconds > 0:
        console.print(f"{'speed':<14} {bars / seconds:,.0f} bars/s")

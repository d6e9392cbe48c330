"""The loop of a grid: hand runs to a fleet, take results, keep them, tell how it goes."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

from mas.backtest import plan, rows
from mas.backtest.fleet import Fleet
from mas.backtest.plan import Job
from mas.backtest.results import Results
from mas.backtest.rows import DONE, Row

#: Ctrl-C is handled in the main thread, and only when it wakes.
WAKE_SECONDS: Final = 0.2


class Progress(Protocol):
    """Who is told how it goes."""

    def tell(self, job: Job, row: Row) -> None:
        """A run has ended."""

    def tick(self, slots: int) -> None:
        """Time has passed; so many runs happen at a time."""


def left(jobs: Iterable[Job], kept: Results, *, retry_failed: bool) -> list[Job]:
    """The jobs that are not in the results yet, or only for another version of the strategy."""

    def is_there(job: Job) -> bool:
        row = kept.rows.get(job.key)
        return row is not None and row["code"] == job.code and (row["status"] == DONE or not retry_failed)

    return [job for job in jobs if not is_there(job)]


def run(jobs: Iterable[Job], fleet: Fleet, kept: Results, progress: Progress, seconds: float) -> None:
    """Do every job; `seconds` is the most that one may take. Raises what ends the whole grid."""
    todo, out, nonce = deque(jobs), dict[str, Job](), secrets.token_hex(6)
    while todo or out:
        for _ in range(min(len(todo), fleet.room)):
            job = todo.popleft()
            name = f"{nonce}.{job.key}"
            out[name] = job
            fleet.start(plan.command(job, name, fleet.client, seconds))
        result = fleet.result(WAKE_SECONDS)
        progress.tick(fleet.slots)
        if result is not None and result.id in out:
            job = out.pop(result.id)
            row = rows.row(job, result, datetime.now(UTC))
            kept.add(row)
            progress.tell(job, row)

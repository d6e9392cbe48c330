"""A run as a row of a results file: what was run, what came out, and, last, what differs from time to time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from mas._fields import as_datetime
from mas.backtest.measure import KPIS
from mas.backtest.parameters import Parameter
from mas.backtest.plan import Job
from mas_router.messages import RunResult, Scalar

Value = str | int | float | bool | None
Row = dict[str, Value]
HEAD: Final = (
    "key",
    "status",
    "strategy",
    "code",
    "symbol",
    "timeframe",
    "from",
    "to",
    "source",
    "seed",
    "capital",
    "leverage",
    "margin_mode",
)
TAIL: Final = ("error", "message")
#: Not the same when the same run is done again.
VARYING: Final = ("seconds", "worker", "finished")
PARAM: Final = "param."
DONE: Final = "done"


def columns(names: Iterable[str]) -> list[str]:
    """The columns of the results of a grid with these parameters."""
    return [*HEAD, *(PARAM + name for name in sorted(names)), *KPIS, *TAIL, *VARYING]


def row(job: Job, result: RunResult, finished: datetime) -> Row:
    """The row of a result."""
    one = job.subscription
    about = {name: value for name, value in one.fields.items() if name not in ("since", "until")}
    return {
        "key": job.key,
        "status": result.status,
        "strategy": job.strategy,
        "code": job.code,
        **about,
        "timeframe": about["timeframe"] or "ticks",
        "margin_mode": one.margin_mode or "",
        "from": f"{as_datetime(one.since):%Y-%m-%d %H:%M:%S}",
        "to": f"{as_datetime(one.until):%Y-%m-%d %H:%M:%S}",
        **{PARAM + name: value for name, value in job.point.items()},
        **{name: result.kpis.get(name) for name in KPIS},
        "error": result.code,
        "message": result.message,
        "seconds": round(result.seconds, 3),
        "worker": result.worker,
        "finished": f"{finished.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }


def as_text(name: str, value: Value) -> str:
    """A cell of a CSV file; `from_text` reads it back as it was."""
    if value is None:
        return "none" if name.startswith(PARAM) else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_text(name: str, text: str, known: Mapping[str, Parameter]) -> Value:
    """The value of a cell. Raises ValueError."""
    if name.startswith(PARAM):
        return known[name.removeprefix(PARAM)].read("column", text)
    reader = _READERS.get(name)
    if reader is None:
        return text
    return reader(text) if text else None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    **dict.fromkeys(("seed", "leverage"), int),
    **dict.fromkeys(("capital", "seconds"), float),
    **dict.fromkeys(KPIS, _number),
}


def best_first(rows: Iterable[Row], kpi: str) -> list[Row]:
    """Rows that are done, the best of this figure first; those without the figure last; equals by their key."""
    done = [one for one in rows if one["status"] == DONE]
    sign = -1 if KPIS[kpi] else 1

    def order(one: Row) -> tuple[bool, float, str]:
        value = one[kpi]
        return (
            not isinstance(value, int | float),
            sign * value if isinstance(value, int | float) else 0.0,
            str(one["key"]),
        )

    return sorted(done, key=order)


def errors(rows: Iterable[Row]) -> list[tuple[str, int]]:
    """What went wrong and how many times, the most frequent first."""
    counts: dict[str, int] = {}
    for one in rows:
        if one["status"] != DONE:
            text = f"{one['error']}: {one['message']}"
            counts[text] = counts.get(text, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def point_text(point: Mapping[str, Scalar], names: Sequence[str]) -> str:
    """`fast=5 slow=20`."""
    return " ".join(f"{name}={point[name]}" for name in names if name in point)

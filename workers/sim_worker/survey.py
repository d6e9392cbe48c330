"""What is odd about rows of quotes, counted as they pass.

Pure. Nothing here is an error: it is for a person to judge whether a source is good enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_worker.bars import DAY, WEEK
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes

GAP = 60 * MINUTE
SPIKE = 0.01
_WEEKEND = 3 * DAY  # no weekend's pause is longer
_SATURDAY_NOON = 2 * DAY + 12 * 60 * MINUTE  # 1970-01-03, in nanoseconds since 1970


@dataclass(frozen=True, slots=True)
class Report:
    """What was in a source. Times in UTC ns, 0 without rows.

    `out_of_order`: rows before the row above them. `duplicates`: rows equal to the row above them in time and, for
    ticks, in prices. `crossed`: rows with an ask below the bid. `unpaired`: rows of one side's file without a row of
    the same time in the other one. `gaps`: pauses longer than an hour, weekends apart; `longest_gap` is in ns and
    starts at `longest_gap_at`. `spikes`: rows more than 1 % away from the row above them, or bars that wide.
    """

    rows: int = 0
    first: int = 0
    last: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    crossed: int = 0
    unpaired: int = 0
    gaps: int = 0
    longest_gap: int = 0
    longest_gap_at: int = 0
    spikes: int = 0


class Survey:
    """Counts over tables that follow one another."""

    def __init__(self) -> None:
        self.unpaired = 0
        self._report = Report()
        self._above: Bars | Quotes | None = None

    def report(self) -> Report:
        """The counts so far."""
        values = {name: getattr(self._report, name) for name in Report.__slots__}
        return Report(**values | {"unpaired": self.unpaired})

    def add(self, rows: Bars | Quotes) -> None:
        """Count the rows of the next table."""
        if not len(rows):
            return
        old = self._report
        time, bid, ask = self._with_row_above(rows)
        steps = np.diff(time)
        same = steps == 0
        if isinstance(rows, Quotes):
            same &= (np.diff(bid) == 0) & (np.diff(ask) == 0)
        gaps, longest, at = _gaps(time, steps)
        self._report = Report(
            rows=old.rows + len(rows),
            first=min(int(rows.time.min()), old.first) if old.rows else int(rows.time.min()),
            last=max(int(rows.time.max()), old.last),
            out_of_order=old.out_of_order + _count(steps < 0),
            duplicates=old.duplicates + _count(same),
            crossed=old.crossed + _crossed(rows),
            gaps=old.gaps + gaps,
            longest_gap=max(longest, old.longest_gap),
            longest_gap_at=at if longest > old.longest_gap else old.longest_gap_at,
            spikes=old.spikes + _spikes(rows, bid),
        )
        self._above = rows[-1:]

    def _with_row_above(self, rows: Bars | Quotes) -> tuple[IntArray, FloatArray, FloatArray]:
        parts = [rows] if self._above is None else [self._above, rows]
        sides = [(p.close, p.ask_close) if isinstance(p, Bars) else (p.bid, p.ask) for p in parts]
        time = np.concatenate([p.time for p in parts])
        return time, np.concatenate([s[0] for s in sides]), np.concatenate([s[1] for s in sides])


def _gaps(time: IntArray, steps: IntArray) -> tuple[int, int, int]:
    """How many pauses are too long, the longest one and its start."""
    weeks = (time - _SATURDAY_NOON) // WEEK
    weekend = (weeks[1:] > weeks[:-1]) & (steps < _WEEKEND)
    pauses = np.where((steps > GAP) & ~weekend, steps, 0)
    if not pauses.any():
        return 0, 0, 0
    longest = int(pauses.argmax())
    return _count(pauses > 0), int(pauses[longest]), int(time[longest])


def _crossed(rows: Bars | Quotes) -> int:
    if isinstance(rows, Quotes):
        return _count(rows.ask < rows.bid)
    wrong = [getattr(rows, f"ask_{name}") < getattr(rows, name) for name in ("open", "high", "low", "close")]
    return _count(np.any(wrong, axis=0))


def _spikes(rows: Bars | Quotes, bid: FloatArray) -> int:
    jumps = np.abs(np.diff(bid)) > SPIKE * bid[:-1]
    if isinstance(rows, Bars):
        wide = rows.high - rows.low > SPIKE * rows.low
        wide[len(wide) - len(jumps) :] |= jumps
        return _count(wide)
    return _count(jumps)


def _count(rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    return int(np.count_nonzero(rows))

"""What was in a source of quotes: the rows that were kept, what is odd about them, and what was left out and why.

Pure. What is odd is for a person to judge: a bad tick and a shock of the market look the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim_worker.bars import trading_minutes
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes
from sim_worker.time_text import Mask

#: A pause of so many minutes of the Forex week is a gap.
GAP = 60
#: A spike is so many times as far away as the rows usually are from each other, and at least this part of the price.
TIMES, LEAST = 20, 0.001
#: So many steps tell what is usual.
ENOUGH = 100
#: Of each kind of fault so many examples are kept, and of gaps and spikes.
EXAMPLES = 3
#: An example's text is cut here.
CUT = 80


@dataclass(frozen=True, slots=True)
class Example:
    """A row that was left out: its file, line, text, and what is wrong with it."""

    file: str
    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was in a source. `rows` are those that were kept; times are in UTC ns, 0 without rows.

    `dropped` counts by kind what was left out, with `examples`; `duplicates`: ticks equal to the one above them, left
    out; `unpaired`: rows of one side's file without a row of the same time in the other one, left out. Kept:
    `out_of_order`: rows before the row above them; `raised`: bars whose ask was below the bid and was raised to it;
    `flat`: rows whose ask is the bid; `gaps`: pauses longer than an hour of the Forex week, with the longest as (start,
    end); `spikes`: rows far away from both neighbours, with the times of the first.
    """

    rows: int = 0
    first: int = 0
    last: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    examples: tuple[Example, ...] = ()
    duplicates: int = 0
    unpaired: int = 0
    out_of_order: int = 0
    raised: int = 0
    flat: int = 0
    gaps: int = 0
    longest_gaps: tuple[tuple[int, int], ...] = ()
    spikes: int = 0
    first_spikes: tuple[int, ...] = ()

    @property
    def faults(self) -> int:
        """The lines that are no rows."""
        return sum(count for _, count in self.dropped)


class Survey:
    """Counts over tables that follow one another."""

    def __init__(self) -> None:
        self.duplicates = self.unpaired = self.raised = 0
        self._report = Report()
        self._dropped: Counter[str] = Counter()
        self._examples: list[Example] = []
        self._files: list[str] = []  # of the examples, in the order in which they came
        self._above: Bars | Quotes | None = None
        self._usual = 0.0

    def report(self) -> Report:
        """What has been found so far."""
        return replace(
            self._report,
            dropped=tuple(self._dropped.most_common()),
            examples=tuple(sorted(self._examples, key=lambda example: (self._files.index(example.file), example.line))),
            duplicates=self.duplicates,
            unpaired=self.unpaired,
            raised=self.raised,
        )

    def drop(self, file: str, faults: Sequence[tuple[int, str, str, str]]) -> None:
        """Count lines that are left out: number, text, kind and what is wrong."""
        for line, text, kind, why in faults:
            if self._dropped[kind] < EXAMPLES:
                self._examples.append(Example(file, line, _printable(text[:CUT]), why))
                self._files.append(file)
            self._dropped[kind] += 1

    def next_file(self) -> None:
        """What follows is of another file, which may begin at any time."""
        self._above = None

    def add(self, rows: Bars | Quotes) -> None:
        """Count the rows of the next table, which are kept."""
        if not len(rows):
            return
        old = self._report
        both = rows if self._above is None else _joined(self._above, rows)
        time = both.time[max(0, len(both) - len(rows) - 1) :]
        starts = _gaps(time)
        spikes = self._spikes(both)
        self._report = replace(
            old,
            rows=old.rows + len(rows),
            first=min(int(rows.time.min()), old.first) if old.rows else int(rows.time.min()),
            last=max(int(rows.time.max()), old.last),
            out_of_order=old.out_of_order + _count(np.diff(time) < 0),
            flat=old.flat + _flat(rows),
            gaps=old.gaps + len(starts),
            longest_gaps=_longest(old.longest_gaps, time, starts),
            spikes=old.spikes + len(spikes),
            first_spikes=(*old.first_spikes, *both.time[spikes[:EXAMPLES]].tolist())[:EXAMPLES],
        )
        self._above = both[-2:]

    def _spikes(self, both: Bars | Quotes) -> IntArray:
        """Which rows are spikes. The last one waits for the row after it."""
        price = both.close if isinstance(both, Bars) else both.bid
        steps = np.diff(price) / price[:-1]
        limit = self._limit(steps)
        away, back = steps[:-1], steps[1:]
        found = (np.abs(away) > limit) & (np.abs(back) > limit / 2) & (away * back < 0)
        if isinstance(both, Bars):
            found |= _wick(both)[1:-1] > 2 * limit
        return np.flatnonzero(found) + 1

    def _limit(self, steps: FloatArray) -> float:
        moves = np.abs(steps[steps != 0])
        if len(moves) >= ENOUGH:
            self._usual = float(np.median(moves))
        return max(LEAST, TIMES * self._usual)


def _printable(text: str) -> str:
    """What a file holds must not steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _joined(above: Bars | Quotes, rows: Bars | Quotes) -> Bars | Quotes:
    if isinstance(above, Bars) and isinstance(rows, Bars):
        return Bars.concat([above, rows])
    if isinstance(above, Quotes) and isinstance(rows, Quotes):
        return Quotes.concat([above, rows])
    raise TypeError("bars and ticks in one source")


def _wick(bars: Bars) -> FloatArray:
    """How far a bar goes beyond its open and close, as a part of the price."""
    upper = bars.high - np.maximum(bars.open, bars.close)
    lower = np.minimum(bars.open, bars.close) - bars.low
    return np.asarray(np.maximum(upper, lower) / bars.close)


def _gaps(time: IntArray) -> IntArray:
    """Where pauses that are too long begin."""
    wide = np.flatnonzero(np.diff(time) > GAP * MINUTE)
    minutes = trading_minutes(time[wide + 1]) - trading_minutes(time[wide])
    return wide[minutes > GAP]


def _longest(known: tuple[tuple[int, int], ...], time: IntArray, starts: IntArray) -> tuple[tuple[int, int], ...]:
    """The longest gaps by open hours, the longest first."""
    found = [*known, *zip(time[starts].tolist(), time[starts + 1].tolist(), strict=True)]
    minutes = [int(np.diff(trading_minutes(np.array(gap)))[0]) for gap in found]
    order = sorted(range(len(found)), key=lambda place: -minutes[place])
    return tuple(found[place] for place in order[:EXAMPLES])


def _flat(rows: Bars | Quotes) -> int:
    return _count(rows.ask == rows.bid) if isinstance(rows, Quotes) else _count(rows.ask_close == rows.close)


def _count(rows: Mask) -> int:
    return int(np.count_nonzero(rows))

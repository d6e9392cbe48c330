"""Quotes out of files (`formats`, `dukascopy`), a few megabytes at a time.

What is no row is left out and counted with its line and the reason; with `strict` it is an error. A file of which more
than half is no row is refused in any case: it is not what it was taken for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sim_worker import dukascopy
from sim_worker.csv_rows import Fault, Parser, Rows
from sim_worker.formats import ASKS, SIDES, BadFile, Format
from sim_worker.import_plan import Options, plan
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.survey import Report, Survey
from sim_worker.symbols import find_symbol
from sim_worker.text_files import TextFile

#: The volume of an imported M1 bar of which the file tells none: the quotes that it stands for.
BAR_VOLUME = 4
#: So many bars tell how far apart they are.
ENOUGH = 20
#: So many lines that are no rows, and more than there are rows, are too many.
TOO_MANY = 100

Progress = Callable[[int, int], None]
Tables = Iterator[Bars | Quotes]


class Import:
    """One import: of files, or of directories of files, of one format. fxcm: the bid's file, then the ask's.

    `parts` gives for each file what the catalog takes; iterating gives all of it. `report` tells what has been in the
    files so far, `assumed` how they are read. `progress` is called with the bytes done and the bytes in all. Use once.
    Raises BadFile, InvalidField or OSError.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        options: Options | None = None,
        progress: Progress = lambda done, total: None,
        find: Callable[[str], SymbolSpec | None] = find_symbol,
    ) -> None:
        self._strict = options is not None and options.strict
        self._plan = plan(paths, options or Options(), find)
        self._files = self._plan.files
        self._progress, self._done = progress, 0
        self._survey, self._good = Survey(), 0
        self._total = sum(file.size for file in self._files)

    @property
    def assumed(self) -> str:
        """How the files are read, in words."""
        return self._plan.words

    @property
    def report(self) -> Report:
        """What has been found so far."""
        return self._survey.report()

    def __iter__(self) -> Tables:
        for _, tables in self.parts():
            yield from tables

    def parts(self) -> Iterator[tuple[str, Tables]]:
        """A name for each file, or pair, or set of hours, with its rows. Take all rows of one before the next."""
        form = self._plan.form
        if form is None:
            yield self._label(), self._counted(self._hours())
        elif form.files == 2:
            yield " + ".join(file.name for file in self._files), self._counted(self._pairs(form))
        else:
            for file in self._files:
                self._survey.next_file()
                make = self._ticks if form.ticks else self._one_file
                yield file.name, self._counted(make(file, form))
        if not self.report.rows:
            raise BadFile(f"{' and '.join(map(str, self._files[:2]))}: no rows{self._why()}")

    # ---- counting --------------------------------------------------------------------------------------------------

    def _counted(self, tables: Tables) -> Tables:
        """The tables as they go into the catalog, all of them in the report."""
        above: Bars | Quotes | None = None
        spacing = _Spacing(self._label())
        for table in tables:
            rows = self._fit(table, above)
            if len(rows):
                above = rows[-1:]
                spacing.add(rows)
                self._survey.add(rows)
                self._refuse_altered()
                yield rows

    def _fit(self, rows: Bars | Quotes, above: Bars | Quotes | None) -> Bars | Quotes:
        """Bars with each ask at least at its bid; ticks without those that repeat the one above them."""
        if isinstance(rows, Quotes):
            same = _repeats(rows, above if isinstance(above, Quotes) else None)
            self._survey.duplicates += int(np.count_nonzero(same))
            return rows[~same] if same.any() else rows
        raised: dict[str, Any] = {
            ask: np.maximum(getattr(rows, ask), getattr(rows, bid)) for ask, bid in zip(ASKS, SIDES, strict=True)
        }
        crossed = np.any([raised[ask] != getattr(rows, ask) for ask in ASKS], axis=0)
        self._survey.raised += int(np.count_nonzero(crossed))
        seen = self.report.rows + len(rows)
        if self._survey.raised * 2 > seen:
            text = f"{self._survey.raised} of {seen} bars have an ask below their bid: are the files swapped?"
            raise BadFile(f"{self._files[-1]}: {text}")
        return replace(rows, **raised)

    def _refuse_altered(self) -> None:
        found = self.report
        for count, text in (
            (found.out_of_order, "rows out of order"),
            (found.duplicates, "ticks equal to the one above"),
            (found.raised, "bars with an ask below the bid"),
            (found.unpaired, "bars of one side only"),
        ):
            if self._strict and count:
                raise BadFile(f"{self._label()}: {text}: {count}; --strict refuses that, and nothing is imported")

    def _drop(self, file: object, faults: list[Fault]) -> None:
        if faults and self._strict:
            line, _, _, why = faults[0]
            raise BadFile(f"{file}, line {line}: {why}")
        self._survey.drop(str(file), faults)

    def _refuse_flood(self, file: object, rows: int) -> None:
        """More lines without a row than with one: the file is not what it is taken for."""
        self._good += rows
        faults = self.report.faults
        if faults >= TOO_MANY and faults > self._good:
            raise BadFile(f"{file}: {faults} lines are no rows, {self._good} are{self._why()}")

    def _why(self) -> str:
        found = self.report
        if not found.examples:
            return ""
        example = found.examples[0]
        return f"; the first fault: {example.file}, line {example.line}: {example.why}"

    def _label(self) -> str:
        first, count = self._files[0], len(self._files)
        return first.name if count == 1 else f"{first.name} and {count - 1} more"

    # ---- reading ---------------------------------------------------------------------------------------------------

    def _rows(self, file: TextFile, form: Format) -> Iterator[Rows]:
        """The rows of one file, block by block."""
        parser = Parser(form, self._plan.zone, lambda faults: self._drop(file, faults))
        reached = 0
        for block, line, part in file.blocks():
            if line == 1 and form.header:
                block, line = block.partition(b"\n")[2], 2
            rows = parser.rows(block, line) if block else None
            self._refuse_flood(file, 0 if rows is None else len(rows.time))
            if rows is not None and len(rows.time):
                yield rows
            step = int(part * file.size) - reached
            reached += step
            self._done += step
            self._progress(self._done, self._total)

    def _ticks(self, file: TextFile, form: Format) -> Iterator[Quotes]:
        for rows in self._rows(file, form):
            last, volume = rows.numbers.get("last"), rows.numbers.get("volume")
            yield Quotes(
                time=rows.time,
                bid=rows.numbers["bid"],
                ask=rows.numbers["ask"],
                last=last if last is not None and last.any() else None,
                volume=volume.astype(np.int64) if volume is not None and volume.any() else None,
            )

    def _one_file(self, file: TextFile, form: Format) -> Iterator[Bars]:
        """Bars of one file: of the bid and a spread, or of both sides."""
        for rows in self._rows(file, form):
            bid = [rows.numbers[name] for name in SIDES]
            ask = [rows.numbers[name] for name in ASKS] if not self._plan.one_sided else self._asks(bid, rows)
            yield _bars(rows.time, bid, ask, rows.numbers.get("volume"))

    def _asks(self, bid: list[FloatArray], rows: Rows) -> list[FloatArray]:
        """The ask's prices: the bid's and the spread, rounded as prices are."""
        points = rows.numbers["spread"] if self._plan.spread is None else self._plan.spread
        digits = self._plan.digits
        return [np.asarray(np.round(side + points * 10.0**-digits, digits)) for side in bid]

    def _hours(self) -> Iterator[Quotes]:
        """The ticks of all hours, in their order."""
        for path in dukascopy.in_order([file.path for file in self._files]):
            rows = dukascopy.ticks_of(path, self._plan.digits, lambda faults, path=path: self._drop(path, faults))  # type: ignore[misc]
            self._refuse_flood(path, 0 if rows is None else len(rows))
            if rows is not None:
                self._plan.refuse_scale(path, float(rows.bid[0]))
                yield rows
            self._done += path.stat().st_size
            self._progress(self._done, self._total)

    def _pairs(self, form: Format) -> Iterator[Bars]:
        """Rows of both sides that have the same time. Blocks of the two files end at different times."""
        sides = [self._sorted(self._rows(file, form), file) for file in self._files]
        held = [next(side, None) for side in sides]
        while (bid := held[0]) is not None and (ask := held[1]) is not None:
            end = min(bid.time[-1], ask.time[-1])
            counts = [int(np.searchsorted(rows.time, end, side="right")) for rows in (bid, ask)]
            both, in_bid, in_ask = np.intersect1d(
                bid.time[: counts[0]], ask.time[: counts[1]], assume_unique=True, return_indices=True
            )
            self._survey.unpaired += sum(counts) - 2 * len(both)
            if len(both):
                yield _bars(both, [bid.numbers[n][in_bid] for n in SIDES], [ask.numbers[n][in_ask] for n in SIDES])
            rest = [rows[n:] for rows, n in zip((bid, ask), counts, strict=True)]
            held = [r if len(r.time) else next(side, None) for r, side in zip(rest, sides, strict=True)]
        self._survey.unpaired += sum(len(rows.time) for rows in held if rows is not None)
        self._survey.unpaired += sum(len(rows.time) for side in sides for rows in side)

    def _sorted(self, blocks: Iterator[Rows], file: TextFile) -> Iterator[Rows]:
        """Without the rows that are not after all rows above them: two sides are put together in bounded memory."""
        above = -1
        for rows in blocks:
            highest = np.maximum.accumulate(np.append(above, rows.time))
            good = rows.time > highest[:-1]
            why = "time is not allowed: bars in the order of time, one for a minute"
            late = [(int(line), "", "order", why) for line in rows.lines[~good]]
            self._drop(file, late)
            above = int(highest[-1])
            if good.any():
                yield rows[good]


class _Spacing:
    """Refuses bars of a longer timeframe than M1."""

    def __init__(self, label: str) -> None:
        self._label, self._rows, self._least, self._last = label, 0, 1 << 62, -1

    def add(self, rows: Bars | Quotes) -> None:
        if isinstance(rows, Quotes):
            return
        steps = np.diff(np.append(self._last, rows.time) if self._rows else rows.time)
        steps = steps[steps > 0]
        self._least = min(self._least, int(steps.min())) if len(steps) else self._least
        self._rows, self._last = self._rows + len(rows), int(rows.time[-1])
        if self._rows >= ENOUGH and MINUTE < self._least < 1 << 62:
            minutes = self._least // MINUTE
            raise BadFile(f"{self._label}: the bars are {minutes} minutes apart; the catalog takes ticks and M1 bars")


def _bars(time: IntArray, bid: list[FloatArray], ask: list[FloatArray], volume: FloatArray | None = None) -> Bars:
    ticks = np.zeros(len(time), np.int64) if volume is None else volume.astype(np.int64)
    sides: dict[str, Any] = dict(zip((*SIDES, *ASKS), (*bid, *ask), strict=True))
    return Bars(
        time=time,
        **sides,
        volume=np.where(ticks > 0, ticks, BAR_VOLUME),
    )


def _repeats(rows: Quotes, above: Quotes | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which ticks are equal to the one above them. One with a volume is a deal of its own."""
    both = rows if above is None else Quotes.concat([above, rows])
    same = (np.diff(both.time) == 0) & (np.diff(both.bid) == 0) & (np.diff(both.ask) == 0)
    if both.volume is not None:
        same &= both.volume[1:] == 0
    if both.last is not None:
        same &= np.diff(both.last) == 0
    return same if above is not None else np.append(False, same)

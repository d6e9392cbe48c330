"""Quotes out of files (`formats`, `dukascopy`), a few megabytes at a time.

What is no row is left out and counted with its line and the reason; with `strict` it is an error. A file of which more
than half is no row is refused in any case: it is not what it was taken for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mas_router.errors import InvalidField
from sim_worker import dukascopy
from sim_worker.csv_rows import Fault, Parser, Rows
from sim_worker.formats import ASKS, SIDES, BadFile, Format, check_name, columns_of, csv_format, format_of
from sim_worker.quotes import MINUTE, Bars, FloatArray, IntArray, Quotes
from sim_worker.specs import SymbolSpec
from sim_worker.survey import Report, Survey
from sim_worker.symbols import find_symbol
from sim_worker.text_files import TextFile, find_files
from sim_worker.zones import Zone, zone_of

#: The volume of an imported M1 bar of which the file tells none: the quotes that it stands for.
BAR_VOLUME = 4
#: So many bars tell how far apart they are.
ENOUGH = 20
#: So many lines that are no rows, and more than there are rows, are too many.
TOO_MANY = 100

Progress = Callable[[int, int], None]
Tables = Iterator[Bars | Quotes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to read. None or "" leaves it to the format, and to the symbol.

    `form` is one of `formats.NAMES`. `columns`, `delimiter` and `time_format` (`time_text`) make the format csv.
    `timezone` is a name for `zones`. `spread` in points is for bars of one side; `digits` are the decimals of a point.
    `strict`: what would be left out or altered is an error.
    """

    symbol: str = ""
    form: str | None = None
    columns: str = ""
    delimiter: str = ","
    time_format: str = "iso"
    timezone: str | None = None
    digits: int | None = None
    spread: float | None = None
    strict: bool = False


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
    ) -> None:
        self._options = options or Options()
        self._spec = find_symbol(self._options.symbol) if self._options.symbol else None
        check_name(self._options.form)
        self._files = find_files(paths)
        self._form = _form_of_all(self._files, self._options)
        self._zone = self._zone_of()
        self._progress, self._done = progress, 0
        self._survey, self._good = Survey(), 0
        self._total = sum(file.size for file in self._files)
        self._assume()

    @property
    def report(self) -> Report:
        """What has been found so far."""
        return self._survey.report()

    def __iter__(self) -> Tables:
        for _, tables in self.parts():
            yield from tables

    def parts(self) -> Iterator[tuple[str, Tables]]:
        """A name for each file, or pair, or set of hours, with its rows. Take all rows of one before the next."""
        if self._form is None:
            yield self._label(), self._counted(self._hours())
        elif self._form.files == 2:
            yield " + ".join(file.name for file in self._files), self._counted(self._pairs(self._form))
        else:
            for file in self._files:
                self._survey.next_file()
                make = self._ticks if self._form.ticks else self._one_sided
                yield file.name, self._counted(make(file, self._form))
        if not self.report.rows:
            raise BadFile(f"{' and '.join(map(str, self._files[:2]))}: no rows{self._why()}")

    # ---- what is assumed -------------------------------------------------------------------------------------------

    def _zone_of(self) -> Zone:
        if self._form is None:
            if self._options.timezone is not None:
                raise InvalidField("timezone", self._options.timezone, "none for dukascopy, whose times are UTC")
            return Zone("UTC")
        return zone_of(self._options.timezone or self._form.zone)

    def _assume(self) -> None:
        """Settle what the files do not tell, or refuse."""
        options, form = self._options, self._form
        if options.spread is not None and not 0 <= options.spread < 1e6:
            raise InvalidField("spread", options.spread, "0 to 1000000 points")
        if options.digits is not None and not 0 <= options.digits <= 8:
            raise InvalidField("digits", options.digits, "0 to 8")
        self._digits = options.digits
        if self._digits is None and self._spec is not None:
            metal = dukascopy.DIGITS.get(self._spec.currency_base) if form is None else None
            self._digits = self._spec.digits if metal is None else metal
        one_sided = form is not None and not form.ticks and form.files == 1 and ASKS[0] not in form.columns
        if (form is None or one_sided) and self._digits is None:
            raise InvalidField("digits", None, "the decimals of a point: the symbol is not a built-in one")
        told = options.spread is not None or (form is not None and "spread" in form.columns)
        if one_sided and not told and self._spec is None:
            raise InvalidField("spread", None, "a spread in points: the bars have one side, the symbol is not built in")
        self._one = one_sided

    @property
    def assumed(self) -> str:
        """How the files are read, in words."""
        if self._form is None:
            return f"dukascopy: ticks, times in UTC, prices with {self._digits} digits"
        words = [f"{self._form.name}: {'ticks' if self._form.ticks else 'M1 bars'}, times in {self._zone.name}"]
        if self._one:
            words.append(f"bid prices, the ask {self._spread_words()} points above")
        return ", ".join(words)

    def _spread_words(self) -> str:
        if self._options.spread is not None:
            return f"{self._options.spread:g}"
        if self._form is not None and "spread" in self._form.columns:
            return "the file's spread of"
        return f"{self._spec.spread_points} (the symbol's usual spread)" if isinstance(self._spec, SymbolSpec) else ""

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
            (found.out_of_order, "out of order"),
            (found.duplicates, "a repetition of the one above"),
            (found.raised, "with an ask below the bid"),
            (found.unpaired, "of one side only"),
        ):
            if self._options.strict and count:
                raise BadFile(f"{self._label()}: {count} rows {text}, and --strict is given; nothing is imported")

    def _drop(self, file: object, faults: list[Fault]) -> None:
        if faults and self._options.strict:
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
        parser = Parser(form, self._zone, lambda faults: self._drop(file, faults))
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

    def _one_sided(self, file: TextFile, form: Format) -> Iterator[Bars]:
        """Bars of one file: of the bid and a spread, or of both sides."""
        for rows in self._rows(file, form):
            bid = [rows.numbers[name] for name in SIDES]
            ask = [rows.numbers[name] for name in ASKS] if not self._one else self._asks(bid, rows)
            yield _bars(rows.time, bid, ask, rows.numbers.get("volume"))

    def _asks(self, bid: list[FloatArray], rows: Rows) -> list[FloatArray]:
        """The ask's prices: the bid's and the spread, rounded as prices are."""
        usual = 0 if self._spec is None else self._spec.spread_points
        points = rows.numbers.get("spread", usual) if self._options.spread is None else self._options.spread
        digits = self._digits or 0
        return [np.asarray(np.round(side + points * 10.0**-digits, digits)) for side in bid]

    def _hours(self) -> Iterator[Quotes]:
        """The ticks of all hours, in their order."""
        for path in dukascopy.in_order([file.path for file in self._files]):
            rows = dukascopy.ticks_of(path, self._digits or 0, lambda faults, path=path: self._drop(path, faults))  # type: ignore[misc]
            self._refuse_flood(path, 0 if rows is None else len(rows))
            if rows is not None:
                self._refuse_scale(path, float(rows.bid[0]))
                yield rows
            self._done += path.stat().st_size
            self._progress(self._done, self._total)

    def _refuse_scale(self, path: Path, price: float) -> None:
        """A wrong point makes every price wrong by a power of ten; what a currency is worth never changes that much."""
        usual = 0.0 if self._spec is None or self._options.digits is not None else self._spec.reference_price
        if usual and not usual / 6 < price < usual * 6:
            raise BadFile(f"{path}: a price of {price:g}, with {self._options.symbol} around {usual:g}: say --digits")

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


def _form_of_all(files: Sequence[TextFile], options: Options) -> Format | None:
    """The one format of all files, None for dukascopy."""
    if options.form == "csv" and not options.columns:
        raise InvalidField("columns", None, "which column holds what, for format csv: time=Date,bid=Bid,ask=Ask")
    if options.columns and options.form not in (None, "csv"):
        raise InvalidField("columns", options.columns, f"none with format {options.form}")
    first, found = files[0], _form(files[0], options)
    for file in files[1:]:
        other = _form(file, options)
        if (other and other.columns) != (found and found.columns) or (other and other.name) != (found and found.name):
            names = [form.name if form else "dukascopy" for form in (found, other)]
            raise BadFile(f"{first} is {names[0]}, {file} is {names[1]}: import files of one format at a time")
    if found is not None and found.files == 2 and len(files) != 2:
        shown = ", ".join(map(str, files[:3]))
        raise BadFile(f"format {found.name} is two files, the bid's and then the ask's; {len(files)} given: {shown}")
    return found


def _form(file: TextFile, options: Options) -> Format | None:
    if not file.member and options.form in (None, "dukascopy") and not options.columns:
        if dukascopy.is_bi5(file.path):
            return None
        if options.form == "dukascopy":
            raise BadFile(f"{file}: no .bi5 file")
    head = file.head()
    if options.columns:
        return csv_format(str(file), head, columns_of(options.columns), options.delimiter, options.time_format)
    form = format_of(str(file), head, options.form)
    if form.name == "truefx-pair":
        _refuse_pair(file, head, options.symbol)
    return form


def _refuse_pair(file: TextFile, head: bytes, symbol: str) -> None:
    pair = head[:7].decode("ascii", "replace").replace("/", "").upper()
    if symbol and not symbol.upper().startswith(pair):
        raise BadFile(f"{file} has quotes of {pair}, not of {symbol}")

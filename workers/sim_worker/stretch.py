"""A range of one symbol's rows over the month files of a catalog, read piece by piece.

What is asked for decides what is read: a count and the search for holes take the times that Parquet keeps for each row
group, and read the times of a group only where these do not tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sim_worker.bars import trading_minutes
from sim_worker.month_file import Group, MonthFile
from sim_worker.quotes import MINUTE, Bars, IntArray, Quotes

#: A market may rest for this many minutes of the Forex week before quotes count as missing: a holiday of an exchange
#: that is open for a few hours a day.
LONGEST_REST = 2 * 1440


class Stretch:
    """The rows of `folder` (one symbol, one kind) with since <= time < until; times in UTC ns. CatalogError if a file
    is damaged or holds another symbol.
    """

    def __init__(self, folder: Path, symbol: str, since: int, until: int) -> None:
        self._paths = [path for path in months(folder) if _overlaps(path, since, until)]
        self._bars = folder.name.startswith("m1")
        self._symbol, self._since, self._until = symbol, since, until

    def count(self) -> int:
        """How many rows there are. Reads times where the range begins or ends inside a row group."""
        return sum(
            group.rows if self._holds(group) else len(self._within(file.times(number)))
            for file, number, group in self._groups()
        )

    def minutes(self) -> int:
        """How many M1 bars the rows are, or make up."""
        if self._bars:
            return self.count()
        above, found = -1, 0
        for file, number, _ in self._groups():
            minutes = np.unique(self._within(file.times(number)) // MINUTE)
            found += len(minutes) - int(len(minutes) > 0 and minutes[0] == above)
            above = int(minutes[-1]) if len(minutes) else above
        return found

    def hole(self) -> tuple[int, int] | None:
        """The first part that is too long for a rest of the market, from row to row; None if the rows cover the range.

        Too long is also what is more than three quarters of the whole range.
        """
        span = trading_minutes(np.array([self._since, self._until]))
        longest = min(LONGEST_REST, (span[1] - span[0]) * 0.75)
        above = np.array([self._since])
        for marks in self._marks(longest):
            marks = np.concatenate((above, marks))
            wide = np.flatnonzero(np.diff(trading_minutes(marks)) > longest)
            if len(wide):
                return int(marks[wide[0]]), int(marks[wide[0] + 1])
            above = marks[-1:]
        return None

    def gaps(self, minutes: int) -> Iterator[tuple[int, int]]:
        """All pauses longer than this many minutes of the Forex week, each from row to row."""
        above = np.empty(0, np.int64)
        for marks in self._marks(minutes):
            marks = np.concatenate((above, marks[marks < self._until]))
            open_minutes = np.diff(trading_minutes(marks))
            for place in np.flatnonzero(open_minutes > minutes).tolist():
                yield int(marks[place]), int(marks[place + 1])
            above = marks[-1:]

    def covers(self) -> bool:
        """Whether there are rows, and no hole in them."""
        return self.hole() is None and self.count() > 0

    def chunks(self, rows: int) -> Iterator[Bars | Quotes]:
        """The rows in time order, in tables of 1 to `rows` rows."""
        for path in self._paths:
            with MonthFile(path, self._symbol) as file:
                wanted = [number for number, group in enumerate(file.groups) if self._meets(group)]
                for table in file.chunks(wanted, rows):
                    if len(part := table.between(self._since, self._until)):
                        yield part

    def _marks(self, longest: float) -> Iterator[IntArray]:
        """Times of rows, and the end of the range; of a row group that is too short to have a hole, its two ends."""
        for file, number, group in self._groups():
            ends = np.array([group.first, group.last])
            minutes = trading_minutes(ends)
            whole = self._holds(group) and minutes[1] - minutes[0] <= longest
            yield ends if whole else self._within(file.times(number))
        yield np.array([self._until])

    def _groups(self) -> Iterator[tuple[MonthFile, int, Group]]:
        """The row groups that have to do with the range, each with its open file and its number."""
        for path in self._paths:
            with MonthFile(path, self._symbol) as file:
                for number, group in enumerate(file.groups):
                    if self._meets(group):
                        yield file, number, group

    def _meets(self, group: Group) -> bool:
        return group.last >= self._since and group.first < self._until

    def _holds(self, group: Group) -> bool:
        return group.first >= self._since and group.last < self._until

    def _within(self, times: IntArray) -> IntArray:
        first, end = np.searchsorted(times, [self._since, self._until])
        return times[int(first) : int(end)]


def months(folder: Path) -> list[Path]:
    """The files of a folder, in the order of time."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9]-[01][0-9].parquet"))


def _overlaps(path: Path, since: int, until: int) -> bool:
    month = np.datetime64(path.stem, "M")
    first, end = (int(m.astype("M8[ns]").astype(np.int64)) for m in (month, month + 1))
    return first < until and end > since

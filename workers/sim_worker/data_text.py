"""What `mas data` says about quotes, as text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.table import Table

from mas_router.errors import InvalidField
from sim_worker.catalog import Entry
from sim_worker.survey import Report

#: What a kind of fault of a line is called; the others are roles of columns.
KINDS = {
    "columns": "with a wrong number of columns",
    "time": "without a time",
    "date": "without a date",
    "high": "whose high is below its open or close",
    "low": "whose low is above its open or close",
    "minute": "that do not begin on a minute",
    "ask below bid": "with an ask below the bid",
    "order": "not in the order of time",
    "no quote yet": "before the first bid and ask",
    "unreadable": "that cannot be read",
}


def moment(time: int) -> str:
    """UTC ns to the minute."""
    return f"{datetime.fromtimestamp(time // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"


def day(option: str, text: str) -> int:
    """The beginning of a day in UTC ns. Raises InvalidField that names the option."""
    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidField(option, text, "a day as YYYY-MM-DD") from None
    if not 1970 < found.year < 2262:
        raise InvalidField(option, text, "a day from 1971 to 2261")
    return int(found.timestamp()) * 1_000_000_000


def counted(count: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def summary(symbol: str, report: Report) -> str:
    """One line for the rows, one for what was left out, with examples, and one for what is worth a look."""
    lines = [f"{symbol}: {counted(report.rows, 'row')} from {moment(report.first)} to {moment(report.last)} UTC"]
    out = list(_left_out(report))
    if out:
        lines.append(f"left out: {'; '.join(out)}")
        lines += [f"  {e.file}, line {e.line}: {e.why}{f' ({e.text})' if e.text else ''}" for e in report.examples]
    odd = list(_odd(report))
    if odd:
        lines.append(f"worth a look: {'; '.join(odd)}")
    return "\n".join(lines)


def _left_out(report: Report) -> Iterator[str]:
    for name, count in report.dropped:
        yield f"{counted(count, 'line')} {KINDS.get(name, f'with a wrong {name}')}"
    if report.duplicates:
        yield f"{counted(report.duplicates, 'tick')} equal to the one above"
    if report.unpaired:
        yield f"{counted(report.unpaired, 'bar')} of one side only"


def _odd(report: Report) -> Iterator[str]:
    if report.out_of_order:
        yield f"{counted(report.out_of_order, 'row')} out of order (sorted)"
    if report.raised:
        yield f"{counted(report.raised, 'bar')} with an ask below the bid (raised to it)"
    if report.flat:
        yield f"{counted(report.flat, 'row')} without a spread"
    if report.spikes:
        yield f"{counted(report.spikes, 'spike')}, the first at {', '.join(map(moment, report.first_spikes))}"
    if report.gaps:
        longest = ", ".join(map(gap, report.longest_gaps))
        yield f"{counted(report.gaps, 'gap')} above one hour, the longest {longest}"


def gap(ends: tuple[int, int]) -> str:
    """From row to row."""
    return f"{moment(ends[0])} to {moment(ends[1])}"


def table(entries: Iterable[Entry]) -> Table:
    """The catalog, a line for each symbol and kind."""
    found = Table("symbol", "kind", "from (UTC)", "to (UTC)", "rows", "source", box=None)
    for column in found.columns[:-1]:
        column.no_wrap = True
    for entry in entries:
        found.add_row(
            entry.symbol, kind(entry), moment(entry.first), moment(entry.last), str(entry.rows), sources(entry)
        )
    return found


def kind(entry: Entry) -> str:
    """ticks or m1, and whether it is synthetic."""
    return f"{entry.kind}, synthetic" if entry.synthetic else entry.kind


def sources(entry: Entry, most: int = 4) -> str:
    """The names of the sources, or of the first of them."""
    names = ", ".join(entry.sources[:most])
    return names if len(entry.sources) <= most else f"{names} and {len(entry.sources) - most} more"

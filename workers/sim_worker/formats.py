"""The CSV formats of quotes, told apart by the first line, and the rules for every line.

All numbers have a decimal point, nothing is quoted:

- fxcm: M1 bars, one file for the bid and one for the ask, `timestamp,open,high,low,close`, ISO times in UTC
- histdata: ticks, no header, `YYYYMMDD HHMMSSmmm,bid,ask,volume`, in Eastern time without daylight saving (UTC-5)
- truefx: ticks, `timestamp,bid,ask`, ISO times in UTC
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mas_router.errors import CallerError, InvalidField


class BadFile(CallerError):
    """A file is not what it should be."""


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write quotes down. `first` matches the first line, `fields` are the columns."""

    name: str
    fields: tuple[str, ...]
    first: re.Pattern[str]
    like: str
    header: bool = True
    files: int = 1


def _headed(name: str, line: str, files: int = 1) -> Format:
    pattern = re.compile(re.escape(line) + r"\s*$", re.IGNORECASE)
    return Format(name, tuple(line.split(",")), pattern, line, files=files)


FORMATS = {
    f.name: f
    for f in (
        _headed("fxcm", "timestamp,open,high,low,close", files=2),
        Format(
            "histdata",
            ("timestamp", "bid", "ask", "volume"),
            re.compile(r"\d{8} \d{9},[^,]+,[^,]+,[^,]+$"),
            "YYYYMMDD HHMMSSmmm,bid,ask,volume",
            header=False,
        ),
        _headed("truefx", "timestamp,bid,ask"),
    )
}


def format_of(path: Path, name: str | None = None) -> Format:
    """The format that a file's first line tells, which must be the named one if one is named."""
    if name is not None and name not in FORMATS:
        raise InvalidField("format", name, f"one of {', '.join(FORMATS)}")
    allowed = [form for form in FORMATS.values() if name in (None, form.name)]
    with path.open("rb") as file:
        line = file.readline(200).decode("utf-8-sig", "replace").rstrip("\r\n")
    for form in allowed:
        if form.first.match(line):
            return form
    known = "; ".join(f"{form.name}: {form.like}" for form in allowed)
    raise BadFile(f"{path}, line 1: {line[:80]!r} is not allowed: the first line of a format ({known})")


def first_fault(path: Path, form: Format) -> BadFile | None:
    """The first line of a file that is not as its format wants it."""
    check = _Line(form)
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8-sig", "replace").rstrip("\r\n")
            if not line or (number == 1 and form.header):
                continue
            fault = check.fault(line)
            if fault:
                return BadFile(f"{path}, line {number}: {fault}")
    return None


class _Line:
    """The rules for a line, and the time of the line above it."""

    def __init__(self, form: Format) -> None:
        self._form, self._above = form, ""

    def fault(self, line: str) -> str | None:
        values = line.split(",")
        names = self._form.fields
        if len(values) != len(names):
            return f"{len(values)} fields, where {self._form.name} has {len(names)}: {self._form.like}"
        for name, value in zip(names, values, strict=True):
            allowed = self._wrong(name, value)
            if allowed:
                return f"{name}={value[:40]!r} is not allowed: {allowed}"
        return self._order_fault(values) or self._range_fault(values)

    def _wrong(self, name: str, value: str) -> str | None:
        """What is allowed in a field, if the value is not."""
        if name == "timestamp":
            return self._wrong_time(value)
        number = _number(value)
        if name == "volume":
            return None if math.isfinite(number) else "a number"
        return None if math.isfinite(number) and number > 0 else "a price, a finite number above 0"

    def _wrong_time(self, value: str) -> str | None:
        try:
            if self._form.header:
                datetime.fromisoformat(value)
            elif re.fullmatch(r"\d{8} \d{9}", value):
                datetime.strptime(value + "000+0000", "%Y%m%d %H%M%S%f%z")
            else:
                raise ValueError(value)
        except ValueError:
            like = "2012-02-01 00:00:00+00:00" if self._form.header else "YYYYMMDD HHMMSSmmm"
            return f"a time like {like}"
        return None

    def _order_fault(self, values: list[str]) -> str | None:
        above, self._above = self._above, values[0]
        if self._form.files == 2 and values[0] <= above:
            return f"timestamp={values[0]!r} is not allowed: bars in the order of time (the line above has {above!r})"
        return None

    def _range_fault(self, values: list[str]) -> str | None:
        if self._form.files == 1:
            return None
        opens, high, low, close = map(float, values[1:])
        if high < max(opens, close):
            return f"high={high} is not allowed: at least open and close"
        return f"low={low} is not allowed: at most open and close" if low > min(opens, close) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

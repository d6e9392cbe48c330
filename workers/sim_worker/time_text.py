"""Times in text, a column at a time: `20120201 000003660`, `2012.02.01`, `2012-02-01T00:00:00.123Z`, `1328054400123`.

Pure. A layout is written as for strptime, with %Y %m %d %H %M %S of fixed widths, %L for three digits of milliseconds,
and at its end %f for 1 to 9 digits of a fraction; or it is `iso`, or the unit of a count since 1970: `s`, `ms`, `us`,
`ns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mas_router.errors import InvalidField
from sim_worker.quotes import MINUTE, SECOND, IntArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ISO = "%Y-%m-%d %H:%M:%S.%f"
UNITS = {"s": SECOND, "ms": 1_000_000, "us": 1000, "ns": 1}
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "L": 3}
_NAMES = "%Y, %m, %d, %H, %M, %S, %L, %f"
#: Where a time may end early: after the day, the minute and the second.
_WHOLE = frozenset("dMS")
_DAY = 1440 * MINUTE


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: `data` holds all of them, the n-th from starts[n] on. Any text may have any length."""

    data: Bytes
    starts: IntArray
    lengths: IntArray

    def groups(self) -> Iterator[tuple[IntArray, Bytes]]:
        """The rows of each length, and their texts as a matrix."""
        for length in np.unique(self.lengths).tolist():
            rows = np.flatnonzero(self.lengths == length)
            yield rows, self.data[self.starts[rows][:, None] + np.arange(length)]


def parse_times(texts: Texts, layout: str) -> tuple[IntArray, Mask, Mask]:
    """ns since 1970 (of a layout without a date: since midnight), which of them are times, and which are UTC already,
    as they have an offset. Where the text is no time, the number means nothing.
    """
    count = len(texts.lengths)
    time, good, utc = np.zeros(count, np.int64), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for rows, matrix in texts.groups():
        if matrix.shape[1] > 40:
            continue  # no time is that long
        for part, fixed, (value, fine) in _parts(matrix, layout):
            time[rows[part]], good[rows[part]], utc[rows[part]] = value, fine, fixed
    return time, good, utc


def check_layout(layout: str) -> None:
    """InvalidField if it is no layout."""
    if layout == "iso" or layout in UNITS:
        return
    names = layout.split("%")[1:]
    wrong = not names or any(name[:1] not in (*_WIDTHS, "f") for name in names)
    if wrong or ("%f" in layout and not layout.endswith("%f")):
        raise InvalidField("time-format", layout, f"iso, s, ms, us, ns, or a layout of {_NAMES} (at the end)")


def _parts(matrix: Bytes, layout: str) -> Iterator[tuple[IntArray, bool, tuple[IntArray, Mask]]]:
    rows = np.arange(len(matrix))
    if layout in UNITS:
        yield rows, True, _count(matrix, UNITS[layout])
    elif layout != "iso":
        yield rows, False, _fields(matrix, layout)
    else:
        yield from _iso(matrix, rows)


def _iso(matrix: Bytes, rows: IntArray) -> Iterator[tuple[IntArray, bool, tuple[IntArray, Mask]]]:
    """ISO 8601: with Z, with an offset, and without either."""
    length = matrix.shape[1]
    if length < 10:
        return
    matrix = matrix.copy()
    if length > 10:
        matrix[matrix[:, 10] == ord("T"), 10] = ord(" ")
    zulu = np.isin(matrix[:, -1], (ord("Z"), ord("z")))
    offset = ~zulu & (length > 16) & np.isin(matrix[:, -6], (ord("+"), ord("-"))) & (matrix[:, -3] == ord(":"))
    for part, cut in ((zulu, 1), (offset, 6), (~zulu & ~offset, 0)):
        if part.any():
            value, good = _fields(matrix[part][:, : length - cut], ISO)
            if cut == 6:
                shift, fine = _fields(matrix[part][:, -5:], "%H:%M")
                value, good = value - np.where(matrix[part][:, -6] == ord("-"), -shift, shift), good & fine
            yield rows[part], cut > 0, (value, good)


def _fields(matrix: Bytes, layout: str) -> tuple[IntArray, Mask]:
    """The times of texts of one length, which tells the number of the fraction's digits."""
    length, place, last = matrix.shape[1], 0, ""
    good = np.ones(len(matrix), np.bool_)
    found: dict[str, IntArray] = {}
    signs = iter(layout)
    for sign in signs:
        if sign != "%":
            if place == length and last in _WHOLE:
                break  # 10:15 for %H:%M:%S
            if place >= length:
                return np.zeros(len(matrix), np.int64), np.zeros(len(matrix), np.bool_)
            good &= matrix[:, place] == ord(sign)
            place += 1
            continue
        last = next(signs)
        width = _WIDTHS.get(last, min(9, length - place))
        if place + width > length or not width:
            return np.zeros(len(matrix), np.int64), np.zeros(len(matrix), np.bool_)
        value, fine = _digits(matrix[:, place : place + width])
        found[last] = value * 10 ** (9 - width) if last in "Lf" else value
        good &= fine
        place += width
    value, fine = _composed(found, len(matrix))
    return value, good & fine & (place == length)


def _digits(matrix: Bytes) -> tuple[IntArray, Mask]:
    digits = matrix - np.uint8(ord("0"))  # what is below "0" becomes large
    value = np.zeros(len(matrix), np.int64)
    for column in digits.T:
        value = value * 10 + column
    return value, np.asarray((digits <= 9).all(axis=1))


def _composed(found: dict[str, IntArray], count: int) -> tuple[IntArray, Mask]:
    zero, one = np.zeros(count, np.int64), np.ones(count, np.int64)
    year, month, day = found.get("Y", zero + 1970), found.get("m", one), found.get("d", one)
    hour, minute, second = (found.get(name, zero) for name in "HMS")
    good = (year >= 1970) & (year < 2262) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    months = np.clip((year - 1970) * 12 + month - 1, 0, 292 * 12).astype("M8[M]")
    days = months.astype("M8[D]").astype(np.int64) + day - 1
    good &= days < (months + 1).astype("M8[D]").astype(np.int64)
    time = ((days * 24 + hour) * 60 + minute) * MINUTE + second * SECOND + found.get("f", zero) + found.get("L", zero)
    return time, good


def _count(matrix: Bytes, unit: int) -> tuple[IntArray, Mask]:
    """A number of units, whole or with decimals."""
    point = matrix[0] == ord(".")
    whole = int(point.argmax()) if point.any() else matrix.shape[1]
    value, good = _digits(matrix[:, :whole])
    good &= (whole > 0) & (whole < 20)
    limit = 2**63 // unit
    good &= (value < limit) & (value >= 0)
    value = np.where(good, value, 0) * unit
    if whole < matrix.shape[1]:
        part, fine = _digits(matrix[:, whole + 1 : whole + 10])
        width = min(9, matrix.shape[1] - whole - 1)
        good &= fine & (matrix[:, whole] == ord(".")) & (width > 0)
        value = value + part * unit // 10**width
    return value, good

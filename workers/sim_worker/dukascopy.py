"""Dukascopy's .bi5 files: the ticks of an hour, packed with LZMA.

A tick is 20 bytes, most significant byte first: milliseconds of the hour, ask and bid in points, and both volumes in
millions, as 32-bit integers and floats. The hour is told by the path alone, in UTC: `2012/01/05/13h_ticks.bi5` as on
Dukascopy's servers, where months count from 00, or a name with a date, `EURUSD_2012-02-05_13h.bi5`.
"""

from __future__ import annotations

import itertools
import lzma
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from sim_worker.csv_rows import Fault, OnFault
from sim_worker.formats import BadFile
from sim_worker.quotes import MINUTE, IntArray, Quotes
from sim_worker.time_text import Mask

HOUR: Final = 60 * MINUTE
TICK: Final = np.dtype([("ms", ">u4"), ("ask", ">u4"), ("bid", ">u4"), ("ask_volume", ">f4"), ("bid_volume", ">f4")])
#: An hour has some ten thousand ticks. The limits of a file, packed and unpacked, and of the unpacker's memory.
PACKED, UNPACKED, MEMORY = 16 << 20, 72_000_000, 128 << 20
#: Dukascopy has three decimals for metals, whatever a broker's symbol has.
DIGITS: Final = {"XAU": 3, "XAG": 3}
_TREE: Final = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)h_ticks\.bi5$", re.IGNORECASE | re.ASCII)
_NAME: Final = re.compile(r"(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)[-_ T]?(\d\d)h?(?!\d)[^/]*$", re.ASCII)


def is_bi5(path: Path) -> bool:
    """Whether it is such a file, by its name or its first bytes. An hour without ticks has no bytes."""
    if path.suffix.lower() == ".bi5":
        return True
    with path.open("rb") as file:
        return file.read(3) == b"]\x00\x00"


def hour_of(path: Path) -> int:
    """The hour of a file in UTC ns. BadFile if its path does not tell."""
    text = path.absolute().as_posix()
    tree = _TREE.search(text)
    found = tree or _NAME.search(path.name)
    if found is None:
        raise BadFile(
            f"{path}: the name does not tell the hour; allowed are 2012/01/05/13h_ticks.bi5 (months from 00)"
            " and a date and an hour such as EURUSD_2012-02-05_13h.bi5"
        )
    year, month, day, hour = (int(number) for number in found.groups())
    try:
        moment = datetime(year, month + (tree is not None), day, hour, tzinfo=UTC)
    except ValueError as error:
        months = "; months count from 00 to 11 here" if tree else ""
        raise BadFile(f"{path}: no such hour ({error}{months})") from None
    if not 1970 < year < 2262:
        raise BadFile(f"{path}: no such hour (a year from 1971 to 2261 is allowed)")
    return int(moment.timestamp()) * 1_000_000_000


def in_order(paths: Sequence[Path]) -> list[Path]:
    """The files by their hours. BadFile if two are of one hour."""
    hours = sorted((hour_of(path), path) for path in paths)
    for (hour, path), (again, other) in itertools.pairwise(hours):
        if hour == again:
            raise BadFile(f"{path} and {other} are of the same hour: import one of them")
    return [path for _, path in hours]


def ticks_of(path: Path, digits: int, on_fault: OnFault) -> Quotes | None:
    """The ticks of a file, None without one. What cannot be is left out; its number counts as its line."""
    data = _unpacked(path)
    if len(data) % TICK.itemsize:
        raise BadFile(f"{path}: damaged or cut short ({len(data)} bytes, no multiple of {TICK.itemsize})")
    found = np.frombuffer(data, TICK)
    bad = (found["ms"] >= 3_600_000) | (found["bid"] == 0) | (found["ask"] < found["bid"])
    if bad.any():
        on_fault(list(_faults(found, bad, digits)))
        found = found[~bad]
    if not len(found):
        return None
    time: IntArray = hour_of(path) + found["ms"].astype(np.int64) * 1_000_000
    # a division by a power of ten rounds as the decimal text of the price does
    return Quotes(time=time, bid=found["bid"] / 10.0**digits, ask=found["ask"] / 10.0**digits)


def _faults(found: np.ndarray[tuple[int], np.dtype[np.void]], bad: Mask, digits: int) -> Iterator[Fault]:
    for place in np.flatnonzero(bad).tolist():
        ms, ask, bid = (int(found[name][place]) for name in ("ms", "ask", "bid"))
        text = f"{ms} ms, bid {bid / 10**digits}, ask {ask / 10**digits}"
        if ms >= 3_600_000:
            yield place + 1, text, "time", "more milliseconds than an hour has"
        elif not bid:
            yield place + 1, text, "bid", "bid=0 is not allowed: a price, a finite number above 0"
        else:
            yield place + 1, text, "ask below bid", "the ask is below the bid"


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        packed = file.read(PACKED + 1)
    if not packed:
        return b""
    if len(packed) > PACKED:
        raise BadFile(f"{path}: more than {PACKED} bytes: is this the file of an hour?")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY)
    try:
        data = unpacker.decompress(packed, UNPACKED + 1)
    except (lzma.LZMAError, MemoryError) as error:
        raise BadFile(f"{path}: damaged, or no .bi5 file ({error or 'too little memory'})") from error
    if len(data) > UNPACKED:
        raise BadFile(f"{path}: unpacks to more than {UNPACKED} bytes: is this the file of an hour?")
    if not unpacker.eof:
        raise BadFile(f"{path}: damaged or cut short (its end is missing)")
    return data

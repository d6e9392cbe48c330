"""Time zones of files of quotes: local times become UTC, array by array.

A zone is UTC, a fixed offset (`+02:00`; `EST-no-DST` is `-05:00`), a name of the IANA database (`Europe/Athens`), or
`NY+7`: New York's clock and seven hours, which is UTC+2 and, while New York has daylight saving, UTC+3. Many
MetaTrader servers keep it, because their day then ends with New York's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from mas_router.errors import InvalidField
from sim_worker.quotes import MINUTE, IntArray

#: Clocks change on such a border, in every zone since 1970.
QUARTER = 15 * MINUTE
ALLOWED = "UTC, an offset such as +02:00, EST-no-DST, NY+7, or a name of the IANA database such as Europe/Athens"
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?([0-5]\d))?", re.ASCII)
_NEW_YORK = re.compile(r"NY([+-]\d\d?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Zone:
    """`shift` ns are added to the clock of `rules` (without rules: to UTC)."""

    name: str
    shift: int = 0
    rules: tzinfo | None = None

    def to_utc(self, local: IntArray) -> IntArray:
        """UTC ns of local ns. Of an hour that a clock shows twice the first one is meant."""
        times = local - self.shift
        if self.rules is None or not len(times):
            return times
        quarters, place = np.unique(times // QUARTER, return_inverse=True)
        offsets = np.array([self._offset(int(quarter)) for quarter in quarters], dtype=np.int64)
        return np.asarray(times - offsets[place], dtype=np.int64)

    def _offset(self, quarter: int) -> int:
        clock = datetime.fromtimestamp(quarter * QUARTER // 1_000_000_000, UTC).replace(tzinfo=self.rules)
        delta = clock.utcoffset()
        return 0 if delta is None else int(delta.total_seconds()) * 1_000_000_000


def zone_of(name: str) -> Zone:
    """The zone of a name. InvalidField if there is none."""
    hour = 60 * MINUTE
    if name.upper() in ("UTC", "GMT", "Z"):
        return Zone("UTC")
    if name.upper() == "EST-NO-DST":
        return Zone("EST-no-DST", -5 * hour)
    if match := _OFFSET.fullmatch(name):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if minutes > 14 * 60:
            raise InvalidField("timezone", name, ALLOWED)
        return Zone(name, (-1 if match[1] == "-" else 1) * minutes * MINUTE)
    if match := _NEW_YORK.fullmatch(name.upper()):
        return Zone(name.upper(), int(match[1]) * hour, _rules("America/New_York"))
    return Zone(name, 0, _rules(name))


def _rules(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # KeyError: no such zone; the others: no such file name
        hint = "" if "/" not in name else " (without a database of the system: pip install tzdata)"
        raise InvalidField("timezone", name, ALLOWED + hint) from error

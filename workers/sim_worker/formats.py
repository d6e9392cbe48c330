"""The text formats of quotes, told apart by the first line.

- fxcm: M1 bars, one file for the bid and one for the ask, `timestamp,open,high,low,close`, ISO times
- histdata: ticks, no header, `YYYYMMDD HHMMSSmmm,bid,ask,volume`; Eastern time without daylight saving
- histdata-m1: M1 bars of the bid, no header, `YYYYMMDD HHMMSS;open;high;low;close;volume`; likewise
- mt5-bars, mt5-ticks: what MetaTrader 5 exports from its Symbols window, in the time of the trade server
- truefx: ticks, `timestamp,bid,ask`, ISO times; truefx-pair: ticks, no header, `EUR/USD,YYYYMMDD HH:MM:SS.mmm,bid,ask`
- csv: columns, separator and times as the caller says

Numbers have a decimal point, nothing is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mas_router.errors import CallerError, InvalidField
from sim_worker.time_text import check_layout

SIDES: Final = ("open", "high", "low", "close")
ASKS: Final = tuple(f"ask_{name}" for name in SIDES)
#: What a column of a file can hold. A price is a finite number above 0, an amount one of at least 0.
PRICES: Final = ("bid", "ask", "last", *SIDES, *ASKS)
AMOUNTS: Final = ("volume", "spread")
ROLES: Final = ("time", "date", *PRICES, *AMOUNTS)
#: Of these, MetaTrader 5 writes 0 or nothing where a symbol has no deals.
OPTIONAL: Final = frozenset({"last", *AMOUNTS})


class BadFile(CallerError):
    """A file is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A way to write quotes down.

    `columns` are the roles of the columns, "" for one that is passed over. `layouts` are those of `time_text` for the
    columns date and time. `keeps`: an empty cell means the value of the row above. `header`: the first line holds no
    row. `zone` is the convention for times without an offset (`zones`).
    """

    name: str
    columns: tuple[str, ...]
    like: str
    delimiter: str = ","
    header: bool = True
    files: int = 1
    date_layout: str = "%Y.%m.%d"
    time_layout: str = "iso"
    zone: str = "UTC"
    keeps: bool = False

    @property
    def ticks(self) -> bool:
        """Whether the rows are ticks, not bars."""
        return "bid" in self.columns

    @property
    def numbers(self) -> tuple[str, ...]:
        """The roles that are numbers, in the order of the file."""
        return tuple(role for role in self.columns if role in PRICES or role in AMOUNTS)


Tell = Callable[[str], Format | None]


def _plain(name: str, pattern: str, columns: str, like: str, **more: object) -> tuple[str, tuple[str, Tell]]:
    """A format whose first line has a pattern."""
    form = Format(name=name, columns=tuple(columns.split(",")), like=like, **more)  # type: ignore[arg-type]
    first = re.compile(pattern, re.IGNORECASE)
    return name, (form.like, lambda line: form if first.fullmatch(line.rstrip()) else None)


_MT5 = {f"<{role.upper()}>": role for role in ("date", "time", "bid", "ask", "last", *SIDES, "spread")}


def _mt5(name: str, volume: str, needed: tuple[str, ...], like: str) -> tuple[str, tuple[str, Tell]]:
    """The formats of MetaTrader 5, whose header names the columns."""

    def tell(line: str) -> Format | None:
        delimiter = "\t" if "\t" in line else ","
        names = line.strip().split(delimiter)
        roles = tuple((_MT5 | {f"<{volume}>": "volume"}).get(name, "") for name in names)
        if any(role not in roles for role in needed) or not all(re.fullmatch(r"<\w+>", name) for name in names):
            return None
        return Format(
            name=name,
            columns=roles,
            like=like,
            delimiter=delimiter,
            time_layout="%H:%M:%S.%f",
            zone="NY+7",
            keeps=name == "mt5-ticks",
        )

    return name, (like, tell)


_FXCM, _TRUEFX = "timestamp,open,high,low,close", "timestamp,bid,ask"
_NUMBER = r"[^,;]+"
#: By name, what the first line looks like, and what makes a Format of a first line of it.
FORMATS: Final[dict[str, tuple[str, Tell]]] = dict(
    (
        _plain("fxcm", _FXCM, "time,open,high,low,close", _FXCM, files=2),
        _plain(
            "histdata",
            rf"\d{{8}} \d{{9}}(,{_NUMBER}){{3}}",
            "time,bid,ask,volume",
            "YYYYMMDD HHMMSSmmm,bid,ask,volume",
            header=False,
            time_layout="%Y%m%d %H%M%S%L",
            zone="EST-no-DST",
        ),
        _plain(
            "histdata-m1",
            rf"\d{{8}} \d{{6}}(;{_NUMBER}){{5}}",
            "time,open,high,low,close,volume",
            "YYYYMMDD HHMMSS;open;high;low;close;volume",
            delimiter=";",
            header=False,
            time_layout="%Y%m%d %H%M%S",
            zone="EST-no-DST",
        ),
        _mt5(
            "mt5-bars",
            "TICKVOL",
            ("date", "time", *SIDES),
            "<DATE> <TIME> <OPEN> <HIGH> <LOW> <CLOSE> <TICKVOL> <VOL> <SPREAD>",
        ),
        _mt5(
            "mt5-ticks",
            "VOLUME",
            ("date", "time", "bid", "ask"),
            "<DATE> <TIME> <BID> <ASK> <LAST> <VOLUME> <FLAGS>",
        ),
        _plain("truefx", _TRUEFX, "time,bid,ask", _TRUEFX),
        _plain(
            "truefx-pair",
            rf"[A-Z]{{3}}/[A-Z]{{3}},\d{{8}} [\d:.]+(,{_NUMBER}){{2}}",
            ",time,bid,ask",
            "EUR/USD,YYYYMMDD HH:MM:SS.mmm,bid,ask",
            header=False,
            time_layout="%Y%m%d %H:%M:%S.%f",
        ),
    )
)
#: All that `--format` takes; the last two are not told by a first line.
NAMES: Final = (*FORMATS, "csv", "dukascopy")


def format_of(where: str, head: bytes, name: str | None = None) -> Format:
    """The format that the first line of a file tells, which must be the named one if one is named."""
    allowed = {key: value for key, value in FORMATS.items() if name in (None, key)}
    line = head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    for _, tell in allowed.values():
        if len(line) < 400 and (form := tell(line)) is not None:
            return form
    known = "; ".join(f"{key}: {like}" for key, (like, _) in allowed.items())
    more = "" if name else "; for another one say --columns"
    raise BadFile(f"{where}, line 1: {line[:60]!a} is not allowed: the first line of a format ({known}{more})")


def check_name(name: str | None) -> None:
    """InvalidField if it is not the name of a format."""
    if name is not None and name not in NAMES:
        raise InvalidField("format", name, f"one of {', '.join(NAMES)}")


# ---- columns that the caller names ---------------------------------------------------------------------------------


def columns_of(text: str) -> dict[str, str]:
    """`time=Date,bid=2` as roles with the name or the number (from 1) of their column."""
    pairs = [item.partition("=") for item in text.split(",")]
    found = {role.strip(): value.strip() for role, _, value in pairs}
    if len(found) < len(pairs) or any(role not in ROLES or not value for role, value in found.items()):
        raise InvalidField("columns", text, f"role=column,... once each; a role is one of {', '.join(ROLES)}")
    if "time" not in found or not ({"bid", "ask"} <= found.keys() or set(SIDES) <= found.keys()):
        raise InvalidField("columns", text, "time with bid and ask, or with open, high, low and close")
    if "bid" in found and "open" in found:
        raise InvalidField("columns", text, "columns of ticks or of bars, not of both")
    if any(role in found for role in ASKS) and not set(ASKS) <= found.keys():
        raise InvalidField("columns", text, f"all of {', '.join(ASKS)}, or none")
    return found


def csv_format(where: str, head: bytes, columns: Mapping[str, str], delimiter: str, layout: str) -> Format:
    """The format of a file whose columns have these names, or these numbers if all of them are numbers."""
    if len(delimiter) != 1 or delimiter in '."\r\n':
        raise InvalidField("delimiter", delimiter, "one character that is no point, quote or line end")
    check_layout(layout)
    names = head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r").split(delimiter)
    header = not all(value.isdecimal() for value in columns.values())
    roles = [""] * len(names)
    for role, value in columns.items():
        place = names.index(value) if header and value in names else int(value) - 1 if not header else -1
        if not 0 <= place < len(names):
            raise BadFile(f"{where}, line 1: no column {value!r} for {role}; it has {len(names)}: {names[:20]}")
        roles[place] = role
    date_layout, _, time_layout = layout.rpartition("|") if "|" in layout else ("iso", "", layout)
    return Format(
        name="csv",
        columns=tuple(roles),
        like=delimiter.join(role or "-" for role in roles),
        delimiter=delimiter,
        header=header,
        date_layout=date_layout,
        time_layout="%H:%M:%S.%f" if "date" in columns and layout == "iso" else time_layout,
    )

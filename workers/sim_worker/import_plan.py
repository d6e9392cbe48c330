"""How files of quotes are to be read: their format, and what they do not tell.

The format says it, or the symbol, or the caller; what nobody says is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mas_router.errors import InvalidField
from sim_worker import dukascopy
from sim_worker.formats import ASKS, BadFile, Format, check_name, columns_of, csv_format, format_of
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import find_symbol
from sim_worker.text_files import TextFile, find_files
from sim_worker.zones import Zone, zone_of

#: What a price may be of the symbol's usual one, as a factor, before the decimals of a point look wrong.
SCALE: Final = 6


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import goes by. `form` is None for dukascopy; `spread` None where the file tells it, or has both sides.

    `digits` are 0 where nothing needs them. `usual` is the symbol's usual price where the digits are only assumed, else
    0.
    """

    files: Sequence[TextFile]
    form: Format | None
    zone: Zone
    one_sided: bool = False
    digits: int = 0
    spread: float | None = None
    usual: float = 0.0

    @property
    def words(self) -> str:
        """The plan for a person."""
        if self.form is None:
            return f"dukascopy: ticks, times in UTC, prices with {self.digits} digits"
        words = f"{self.form.name}: {'ticks' if self.form.ticks else 'M1 bars'}, times in {self.zone.name}"
        if not self.one_sided:
            return words
        spread = "the file's spread" if self.spread is None else f"{self.spread:g} points"
        return f"{words}, prices of the bid, the ask above them by {spread}"

    def refuse_scale(self, path: Path, price: float) -> None:
        """A wrong point makes every price wrong by a power of ten; what a symbol is worth rarely changes that much."""
        if self.usual and not self.usual / SCALE < price < self.usual * SCALE:
            raise BadFile(f"{path}: a price of {price:g}, where {self.usual:g} is usual: say --digits")


def plan(paths: Sequence[Path], options: Options, find: Callable[[str], SymbolSpec | None] = find_symbol) -> Plan:
    """The plan for these files. BadFile, InvalidField or OSError."""
    check_name(options.form)
    if options.spread is not None and not 0 <= options.spread < 1e6:
        raise InvalidField("spread", options.spread, "0 to 1000000 points")
    if options.digits is not None and not 0 <= options.digits <= 8:
        raise InvalidField("digits", options.digits, "0 to 8")
    files = find_files(paths)
    form = _form_of_all(files, options)
    spec = find(options.symbol) if options.symbol else None
    if form is None:
        return _dukascopy(files, options, spec)
    zone = zone_of(options.timezone or form.zone)
    if form.ticks or form.files == 2 or ASKS[0] in form.columns:
        return Plan(files=files, form=form, zone=zone)
    return Plan(
        files=files,
        form=form,
        zone=zone,
        one_sided=True,
        digits=_digits(options, None if spec is None else spec.digits),
        spread=_spread(options, form, spec),
    )


def _dukascopy(files: Sequence[TextFile], options: Options, spec: SymbolSpec | None) -> Plan:
    if options.timezone is not None:
        raise InvalidField("timezone", options.timezone, "none for dukascopy, whose times are UTC")
    usual = None if spec is None else dukascopy.DIGITS.get(spec.currency_base, spec.digits)
    price = 0.0 if spec is None or options.digits is not None else spec.reference_price
    return Plan(files=files, form=None, zone=Zone("UTC"), digits=_digits(options, usual), usual=price)


def _digits(options: Options, usual: int | None) -> int:
    found = usual if options.digits is None else options.digits
    if found is None:
        raise InvalidField("digits", None, "the decimals of a point, for a symbol that the simulator does not know")
    return found


def _spread(options: Options, form: Format, spec: SymbolSpec | None) -> float | None:
    """Points between bid and ask, None for those of the file."""
    if options.spread is not None:
        return options.spread
    if "spread" in form.columns:
        return None
    if spec is None:
        raise InvalidField("spread", None, "points, for bars of one side of a symbol that the simulator does not know")
    return spec.spread_points


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

"""The package's rules for arguments, which are stricter than MQL5's: wrong types are refused, never converted.

Pure. Each rule is of the extension module of MetaTrader5 5.0.6231.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import index
from typing import Any, Final

from sim_worker.terminal.failures import BadArgument
from sim_worker.terminal.structs import TradeRequest

MAX_SYMBOL: Final = 29
MAX_COMMENT: Final = 29
MAX_GROUP: Final = 1997
MAX_LOGIN_TEXT: Final = 253
_Rule = Callable[[object], Any]


def units(text: str) -> int:
    """The length of a text as Windows counts it: in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def text_up_to(limit: int) -> _Rule:
    """A str of at most so many UTF-16 code units."""

    def rule(value: object) -> str:
        if not isinstance(value, str) or units(value) > limit:
            raise BadArgument
        return str(value)

    return rule


def unsigned(bits: int) -> _Rule:
    """An int (also a bool or an IntEnum, but no float and no NumPy integer) that fits; another one overflows."""

    def rule(value: object) -> int:
        if not isinstance(value, int):
            raise BadArgument
        if not 0 <= value < 1 << bits:
            raise OverflowError(f"Python int {value} does not fit into {bits} unsigned bits")
        return int(value)

    return rule


def signed(bits: int) -> _Rule:
    def rule(value: object) -> int:
        if not isinstance(value, int):
            raise BadArgument
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise OverflowError(f"Python int {value} does not fit into {bits} bits")
        return int(value)

    return rule


def real(value: object) -> float:
    """A float, which numpy.float64 is too. An int, a Decimal or a text is not."""
    if not isinstance(value, float):
        raise BadArgument
    return float(value)


def number(value: object) -> float:
    """For calculations: whatever has a float's value, such as an int, a Decimal or a NumPy number."""
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        raise BadArgument
    return float(value)  # type: ignore[arg-type]


def whole(bits: int) -> _Rule:
    """For counts and the like: an int, or what can stand for one, such as a NumPy integer."""
    rule = signed(bits)

    def wider(value: object) -> int:
        if not hasattr(value, "__index__"):
            raise BadArgument
        return int(rule(index(value)))

    return wider


symbol_name: Final = text_up_to(MAX_SYMBOL)
login_text: Final = text_up_to(MAX_LOGIN_TEXT)
group_mask: Final = text_up_to(MAX_GROUP)
ticket: Final = unsigned(64)
c_int: Final = whole(32)
long_int: Final = signed(32)  # a C long of Windows


def moment(value: object) -> int:
    """Seconds of the server's clock: an int, a float cut to 32 bits, or a datetime (a naive one is in local time)."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, float):
        return (int(value) + 2**31) % 2**32 - 2**31
    found: int = long_int(value)
    return found


def flag(value: object) -> bool:
    return bool(value)


#: The fields of a trade request in the order in which they are checked.
_FIELDS: Final[dict[str, tuple[_Rule, Any]]] = {
    "action": (unsigned(32), 0),
    "magic": (unsigned(64), 0),
    "order": (unsigned(64), 0),
    "symbol": (symbol_name, ""),
    "volume": (real, 0.0),
    "price": (real, 0.0),
    "stoplimit": (real, 0.0),
    "sl": (real, 0.0),
    "tp": (real, 0.0),
    "deviation": (unsigned(64), 0),
    "type": (unsigned(32), 0),
    "type_filling": (unsigned(32), 0),
    "type_time": (unsigned(32), 0),
    "expiration": (signed(64), 0),
    "comment": (text_up_to(MAX_COMMENT), ""),
    "position": (unsigned(64), 0),
    "position_by": (unsigned(64), 0),
}


def request(args: tuple[object, ...], fields: Mapping[str, object]) -> TradeRequest:
    """The request in one dict or in keywords. A missing field is 0, an unknown one is ignored, None is refused."""
    if args:
        if len(args) > 1 or fields or not isinstance(args[0], dict):
            raise BadArgument
        fields = args[0]
    return TradeRequest(named(name, rule, fields, missing) for name, (rule, missing) in _FIELDS.items())


def named(name: str, rule: _Rule, given: Mapping[str, object], missing: Any = None) -> Any:
    """The value of a keyword, or `missing`. What the rule refuses is refused with the keyword's name."""
    if name not in given:
        return missing
    try:
        return rule(given[name])
    except BadArgument:
        raise BadArgument(f'Invalid "{name}" argument') from None


_ORDINALS: Final = ("1st", "2nd", "3rd")


def unnamed(place: int, rule: _Rule, value: object) -> Any:
    """The value of a positional argument, the first of which is number 0."""
    try:
        return rule(value)
    except BadArgument:
        raise BadArgument(f"Invalid {_ORDINALS[place]} unnamed argument") from None


def selection(args: tuple[object, ...], given: Mapping[str, object]) -> dict[str, Any]:
    """What orders_get and positions_get select by: the ticket, else the symbol, else the group."""
    if args:
        raise BadArgument("Unnamed arguments not allowed")
    for name, rule in (("ticket", ticket), ("symbol", symbol_name), ("group", group_mask)):
        if name in given:
            return {name: named(name, rule, given)}
    return {}


def period(args: tuple[object, ...], given: Mapping[str, object]) -> dict[str, Any]:
    """What history_*_get selects by: `ticket` (of an order), else `position`, else two dates and perhaps a group."""
    for name in ("ticket", "position"):
        if name in given and not args:
            return {name: named(name, ticket, given)}
    if len(args) != 2:
        raise BadArgument
    since, until = (moment(value) for value in args)
    chosen: dict[str, Any] = {"since": since, "until": until}
    if "group" in given:
        chosen["group"] = named("group", group_mask, given)
    return chosen
